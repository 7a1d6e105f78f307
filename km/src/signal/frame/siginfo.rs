//! The `siginfo_t` of signals the monitor raises itself.

use std::fmt;

use libc::{SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};

use crate::errno::Errno;
use crate::seccomp::AUDIT_ARCH_X86_64;

use crate::signal::exception::{
    BUS_ADRALN, BUS_ADRERR, FPE_FLTDIV, FPE_FLTINV, FPE_FLTOVF, FPE_FLTRES, FPE_FLTUND, FPE_INTDIV,
    ILL_ILLOPN, SEGV_ACCERR, SEGV_CPERR, SEGV_MAPERR, TRAP_BRKPT, TRAP_HWBKPT, TRAP_TRACE,
};
pub use crate::sys::signal::SigInfo;

const SIGNO: usize = 0;
const ERRNO: usize = 4;
const CODE: usize = 8;
/// `si_addr`, of the signals that faults raise.
const ADDRESS: usize = 16;
/// `si_syscall` and `si_arch`, of SIGSYS.
const CALL_NUMBER: usize = 24;
const CALL_ARCH: usize = 28;
/// `si_code` of a SIGSYS that a filter raises.
const SYS_SECCOMP: i32 = 1;
/// `si_code` of a SIGSYS for a call that a thread wants to answer itself.
const SYS_USER_DISPATCH: i32 = 2;

/// A fault at `address`: SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGTRAP.
pub fn fault_info(signo: i32, code: i32, address: u64) -> SigInfo {
    let mut info = [0; 128];
    put(&mut info, SIGNO, signo.to_ne_bytes());
    put(&mut info, CODE, code.to_ne_bytes());
    put(&mut info, ADDRESS, address.to_ne_bytes());
    info
}

/// SIGSYS for a call that a filter traps.
pub fn seccomp_info(data: u16, call_address: u64, number: u32) -> SigInfo {
    let mut info = call_info(SYS_SECCOMP, call_address, number);
    put(&mut info, ERRNO, u32::from(data).to_ne_bytes());
    info
}

/// SIGSYS for a call that a thread wants to answer itself.
pub fn user_dispatch_info(call_address: u64, number: u32) -> SigInfo {
    call_info(SYS_USER_DISPATCH, call_address, number)
}

/// `si_call_addr` stands where other signals have `si_addr`.
fn call_info(code: i32, call_address: u64, number: u32) -> SigInfo {
    let mut info = fault_info(SIGSYS, code, call_address);
    put(&mut info, CALL_NUMBER, number.to_ne_bytes());
    put(&mut info, CALL_ARCH, AUDIT_ARCH_X86_64.to_ne_bytes());
    info
}

/// `si_signo`.
pub fn signal_number(info: &SigInfo) -> i32 {
    i32::from_ne_bytes(get(info, SIGNO))
}

/// `si_code`.
pub fn signal_code(info: &SigInfo) -> i32 {
    i32::from_ne_bytes(get(info, CODE))
}

/// `si_addr`, which only faults have.
pub fn fault_address(info: &SigInfo) -> u64 {
    u64::from_ne_bytes(get(info, ADDRESS))
}

/// The line a trace shows for a signal, as strace writes it.
pub fn describe(info: &SigInfo) -> String {
    let signal = signal_number(info);
    let code = signal_code(info);
    let name = signal_name(signal).map_or_else(|| signal.to_string(), str::to_owned);
    let mut line = format!(
        "--- {name} {{si_signo={name}, si_code={}",
        CodeName(signal, code)
    );
    if is_fault(signal) && (code > 0 && code != libc::SI_KERNEL) {
        line += &format!(", si_addr={:#x}", fault_address(info));
    }
    if signal == SIGSYS && matches!(code, SYS_SECCOMP | SYS_USER_DISPATCH) {
        line += &describe_call(info);
    }
    line + "} ---"
}

/// What a SIGSYS says of the call it stands for. Names of calls are for those
/// who know the table.
fn describe_call(info: &SigInfo) -> String {
    let errno = i32::from_ne_bytes(get(info, ERRNO));
    let errno = match (errno, Errno::from_raw(errno).name()) {
        (0, _) => String::new(),
        (_, Some(name)) => format!(", si_errno={name}"),
        (number, None) => format!(", si_errno={number}"),
    };
    let number = u32::from_ne_bytes(get(info, CALL_NUMBER));
    let arch = match u32::from_ne_bytes(get(info, CALL_ARCH)) {
        AUDIT_ARCH_X86_64 => "AUDIT_ARCH_X86_64".to_owned(),
        other => format!("{other:#x}"),
    };
    format!(
        "{errno}, si_call_addr={:#x}, si_syscall={number}, si_arch={arch}",
        fault_address(info)
    )
}

fn is_fault(signal: i32) -> bool {
    matches!(signal, SIGILL | SIGTRAP | SIGBUS | SIGFPE | SIGSEGV)
}

macro_rules! names {
    ($value:expr; $($name:ident)*) => {
        match $value {
            $(libc::$name => Some(stringify!($name)),)*
            _ => None,
        }
    };
}

fn signal_name(signal: i32) -> Option<&'static str> {
    names!(signal; SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1
        SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN
        SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS)
}

/// A `si_code`, whose meaning depends on the signal.
struct CodeName(i32, i32);

impl fmt::Display for CodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CodeName(signal, code) = *self;
        let general = names!(code; SI_USER SI_KERNEL SI_QUEUE SI_TIMER SI_MESGQ SI_ASYNCIO SI_SIGIO
            SI_TKILL);
        let name = general.or(match (signal, code) {
            (SIGILL, ILL_ILLOPN) => Some("ILL_ILLOPN"),
            (SIGTRAP, TRAP_BRKPT) => Some("TRAP_BRKPT"),
            (SIGTRAP, TRAP_TRACE) => Some("TRAP_TRACE"),
            (SIGTRAP, TRAP_HWBKPT) => Some("TRAP_HWBKPT"),
            (SIGBUS, BUS_ADRALN) => Some("BUS_ADRALN"),
            (SIGBUS, BUS_ADRERR) => Some("BUS_ADRERR"),
            (SIGFPE, FPE_INTDIV) => Some("FPE_INTDIV"),
            (SIGFPE, FPE_FLTDIV) => Some("FPE_FLTDIV"),
            (SIGFPE, FPE_FLTOVF) => Some("FPE_FLTOVF"),
            (SIGFPE, FPE_FLTUND) => Some("FPE_FLTUND"),
            (SIGFPE, FPE_FLTRES) => Some("FPE_FLTRES"),
            (SIGFPE, FPE_FLTINV) => Some("FPE_FLTINV"),
            (SIGSEGV, SEGV_MAPERR) => Some("SEGV_MAPERR"),
            (SIGSEGV, SEGV_ACCERR) => Some("SEGV_ACCERR"),
            (SIGSEGV, SEGV_CPERR) => Some("SEGV_CPERR"),
            (SIGSYS, SYS_SECCOMP) => Some("SYS_SECCOMP"),
            (SIGSYS, SYS_USER_DISPATCH) => Some("SYS_USER_DISPATCH"),
            (SIGCHLD, libc::CLD_EXITED) => Some("CLD_EXITED"),
            (SIGCHLD, libc::CLD_KILLED) => Some("CLD_KILLED"),
            (SIGCHLD, libc::CLD_DUMPED) => Some("CLD_DUMPED"),
            (SIGCHLD, libc::CLD_TRAPPED) => Some("CLD_TRAPPED"),
            (SIGCHLD, libc::CLD_STOPPED) => Some("CLD_STOPPED"),
            (SIGCHLD, libc::CLD_CONTINUED) => Some("CLD_CONTINUED"),
            _ => None,
        });
        match name {
            Some(name) => f.write_str(name),
            None => write!(f, "{code}"),
        }
    }
}

fn put<const N: usize>(info: &mut SigInfo, offset: usize, value: [u8; N]) {
    if let Some(field) = info
        .get_mut(offset..)
        .and_then(|rest| rest.first_chunk_mut())
    {
        *field = value;
    }
}

fn get<const N: usize>(info: &SigInfo, offset: usize) -> [u8; N] {
    info.get(offset..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel wrote for a store to an address nothing is mapped at.
    #[test]
    fn a_fault_is_what_linux_writes() {
        let mut linux = [0_u8; 128];
        linux[0] = 11;
        linux[8] = 1;
        linux[16] = 0x38;
        linux[17] = 0x12;
        let info = fault_info(libc::SIGSEGV, 1, 0x1238);
        assert_eq!(info, linux);
        assert_eq!(signal_number(&info), libc::SIGSEGV);
        assert_eq!(signal_code(&info), 1);
        assert_eq!(fault_address(&info), 0x1238);
    }

    #[test]
    fn the_kernel_names_no_address() {
        let info = fault_info(libc::SIGTRAP, libc::SI_KERNEL, 0);
        assert_eq!(signal_number(&info), libc::SIGTRAP);
        assert_eq!(signal_code(&info), 0x80);
        assert_eq!(fault_address(&info), 0);
    }

    #[test]
    fn negative_codes_survive() {
        let info = fault_info(libc::SIGBUS, -6, 0);
        assert_eq!(signal_code(&info), -6);
    }

    #[test]
    fn a_trace_names_what_it_can() {
        let segv = "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x1238} ---";
        assert_eq!(describe(&fault_info(SIGSEGV, SEGV_MAPERR, 0x1238)), segv);
        let trap = "--- SIGTRAP {si_signo=SIGTRAP, si_code=SI_KERNEL} ---";
        assert_eq!(describe(&fault_info(SIGTRAP, libc::SI_KERNEL, 0)), trap);
        let sys = "--- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_errno=EINTR, \
             si_call_addr=0x1234, si_syscall=39, si_arch=AUDIT_ARCH_X86_64} ---";
        assert_eq!(describe(&seccomp_info(4, 0x1234, 39)), sys);
        assert_eq!(
            describe(&fault_info(40, 77, 1)),
            "--- 40 {si_signo=40, si_code=77} ---"
        );
    }
}
