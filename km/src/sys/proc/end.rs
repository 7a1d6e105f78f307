//! The end of the monitor's process, which is the payload's.

use std::arch::asm;
use std::ptr;

/// Whether the process is the first of its PID namespace: the kernel delivers
/// it no signal that would end it by default.
pub fn is_first() -> bool {
    std::process::id() == 1
}

/// Ends the process with `status` at once: no handlers of the C library run.
pub fn exit(status: u8) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(i32::from(status)) }
}

/// Ends the process by `signal`, as its parent sees it. No core of the
/// monitor is written.
pub fn die_by_signal(signal: i32) -> ! {
    let no_core = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: these calls take plain numbers, a valid limit and a valid, zeroed
    // signal set; the default action of `signal` ends the process.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core);
        libc::signal(signal, libc::SIG_DFL);
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        // To this thread: another would take it later than this one goes on.
        libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal);
    }
    if is_first() {
        die_of_fault(signal);
    }
    // A signal that does not end a process by default is no reason to live.
    exit(128u8.wrapping_add(signal as u8))
}

/// Ends the first process of a PID namespace, which only a fault of its own can
/// do: by the instruction, or the call, that the kernel has this signal for.
/// The signal's action is the default.
fn die_of_fault(signal: i32) {
    // SAFETY: each of these ends the process, which is what the caller wants;
    // should one not, nothing the caller relies on has changed.
    unsafe {
        match signal {
            libc::SIGSEGV => asm!("mov {byte}, byte ptr [0]", byte = out(reg_byte) _),
            libc::SIGILL => asm!("ud2"),
            libc::SIGTRAP => asm!("int3"),
            libc::SIGFPE => asm!(
                "xor edx, edx",
                "xor ecx, ecx",
                "div ecx",
                out("eax") _, out("ecx") _, out("edx") _,
            ),
            libc::SIGBUS => read_beyond_end(),
            libc::SIGKILL => {
                // The second call is not one that remains permitted.
                libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT);
                libc::getppid();
            }
            libc::SIGSYS => {
                let mut kill = [libc::sock_filter {
                    code: (libc::BPF_RET | libc::BPF_K) as u16,
                    jt: 0,
                    jf: 0,
                    k: libc::SECCOMP_RET_KILL_PROCESS,
                }];
                let program = libc::sock_fprog {
                    len: 1,
                    filter: kill.as_mut_ptr(),
                };
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                let mode = libc::SECCOMP_MODE_FILTER;
                libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program);
                libc::getppid();
            }
            _ => {}
        }
    }
}

/// Reads a page of an empty file: SIGBUS.
fn read_beyond_end() {
    const PAGE: usize = 4096;
    // SAFETY: the mapping is new and nobody else's.
    unsafe {
        let file = libc::memfd_create(c"empty".as_ptr(), 0);
        let page = libc::mmap(
            ptr::null_mut(),
            PAGE,
            libc::PROT_READ,
            libc::MAP_SHARED,
            file,
            0,
        );
        if page != libc::MAP_FAILED {
            page.cast::<u8>().read_volatile();
        }
    }
}
