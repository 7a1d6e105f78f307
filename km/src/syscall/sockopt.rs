//! Socket options. Most are plain bytes; a few hold pointers.

use super::Outcome;
use super::call::{Call, FAULT, pointer_to};
use super::file::relocate;
use crate::errno::Errno;
use crate::sys::call::{HostArgs, own_syscall};

/// Levels whose options are known: those of others could hold pointers.
const LEVELS: &[i32] = &[
    libc::SOL_IP,
    libc::SOL_SOCKET,
    libc::SOL_TCP,
    libc::SOL_UDP,
    libc::AF_VSOCK,
    libc::SOL_IPV6,
    libc::SOL_ICMPV6,
    SOL_SCTP,
    SOL_UDPLITE,
    libc::SOL_RAW,
    libc::SOL_PACKET,
    libc::SOL_NETLINK,
    libc::SOL_TIPC,
    libc::SOL_ALG,
    libc::SOL_TLS,
    SOL_MPTCP,
];
const SOL_SCTP: i32 = 132;
const SOL_UDPLITE: i32 = 136;
const SOL_MPTCP: i32 = 284;

const SO_ATTACH_REUSEPORT_CBPF: i32 = 51;
const SO_PEERPIDFD: i32 = 77;
/// `IPT_SO_SET_REPLACE` and `IP6T_SO_SET_REPLACE`.
const REPLACE_TABLE: i32 = 64;
const ARPT_SO_SET_REPLACE: i32 = 96;
const EBT_BASE: i32 = 128;
const EBT_LAST: i32 = 131;
const PACKET_FANOUT_DATA: i32 = 22;
const TCP_ZEROCOPY_RECEIVE: i32 = 35;
const MPTCP_FULL_INFO: i32 = 4;
const SCTP_SOCKOPT_PEELOFF: i32 = 102;
const SCTP_SOCKOPT_CONNECTX3: i32 = 111;
const SCTP_SOCKOPT_PEELOFF_FLAGS: i32 = 122;

/// Whether an option that is set holds pointers, or may.
fn set_holds_pointers(level: i32, option: i32) -> bool {
    match (level, option) {
        (libc::SOL_IP, REPLACE_TABLE | ARPT_SO_SET_REPLACE | EBT_BASE..=EBT_LAST)
        | (libc::SOL_IPV6, REPLACE_TABLE)
        | (libc::SOL_PACKET, PACKET_FANOUT_DATA) => true,
        _ => !LEVELS.contains(&level),
    }
}

/// Whether an option that is read holds pointers, or may, or returns a
/// descriptor in a place of its own.
fn get_holds_pointers(level: i32, option: i32) -> bool {
    match (level, option) {
        (libc::SOL_IP, EBT_BASE..=EBT_LAST)
        | (libc::SOL_TCP, TCP_ZEROCOPY_RECEIVE)
        | (SOL_MPTCP, MPTCP_FULL_INFO)
        | (SOL_SCTP, SCTP_SOCKOPT_PEELOFF | SCTP_SOCKOPT_CONNECTX3 | SCTP_SOCKOPT_PEELOFF_FLAGS) => {
            true
        }
        _ => !LEVELS.contains(&level),
    }
}

/// The row's call with an option the host cannot get at: it finds what is
/// wrong with the descriptor, the level or the length. Where nothing is, the
/// option is one that km does not know.
fn unread(call: &mut Call<'_>) -> Result<u64, Errno> {
    let mut host = call.translate();
    host.set(3, FAULT);
    let result = call.host(call.row.number, &host);
    let there = call.memory().read_value::<u8>(call.arg(3)).is_ok();
    match result {
        Err(Errno::EFAULT) if there => Err(Errno::ENOPROTOOPT),
        result => result,
    }
}

/// `setsockopt(sockfd, level, optname, optval, optlen)`.
pub fn setsockopt(call: &mut Call<'_>) -> Outcome {
    let (level, option) = (call.int(1), call.int(2));
    if set_holds_pointers(level, option) {
        return unread(call).into();
    }
    let mut host = call.translate();
    let len = call.int(4).max(0) as u64;
    host.set(3, call.memory().host_pointer(call.arg(3), len));
    let mut program = [0u64; 2];
    if level == libc::SOL_SOCKET
        && matches!(option, libc::SO_ATTACH_FILTER | SO_ATTACH_REUSEPORT_CBPF)
    {
        host.set(3, filter(call, &mut program));
    }
    call.host(call.row.number, &host).into()
}

/// Copies `struct sock_fprog`, a 16-bit number of instructions and a pointer
/// to them, into `program`; the host pointer to it.
fn filter(call: &Call<'_>, program: &mut [u64; 2]) -> u64 {
    const INSTRUCTION: u64 = 8;
    let Ok([count, instructions]) = call.memory().read_value::<[u64; 2]>(call.arg(3)) else {
        return FAULT;
    };
    let len = u64::from(count as u16) * INSTRUCTION;
    *program = [count, call.memory().host_pointer(instructions, len)];
    pointer_to(program)
}

/// `getsockopt(sockfd, level, optname, optval, optlen)`.
pub fn getsockopt(call: &mut Call<'_>) -> Outcome {
    let (level, option) = (call.int(1), call.int(2));
    if get_holds_pointers(level, option) {
        return unread(call).into();
    }
    if (level, option) == (libc::SOL_SOCKET, SO_PEERPIDFD) {
        return peer_pidfd(call).into();
    }
    let mut host = call.translate();
    // The host bounds it by the length it finds in memory.
    host.set(3, call.memory().host_pointer(call.arg(3), 1));
    call.host(call.row.number, &host).into()
}

/// `SO_PEERPIDFD` makes a descriptor: into the monitor's memory first, so that
/// it can be moved out of the monitor's range. Linux makes it whatever the
/// length, and tells as much of its number as there is room for.
fn peer_pidfd(call: &mut Call<'_>) -> Result<u64, Errno> {
    const WHOLE: i32 = size_of::<i32>() as i32;
    let memory = &call.process.memory;
    let room = memory.read_value::<i32>(call.arg(4))?.min(WHOLE);
    let mut len = [if room < 0 { room } else { WHOLE }];
    let mut fd = [-1i32];
    let mut host = call.translate();
    host.set(3, pointer_to(&mut fd));
    host.set(4, pointer_to(&mut len));
    let value = call.host(call.row.number, &host)?;
    let [fd] = fd;
    let fd = relocate(&call.process.fds, fd as u64)?;
    let number = (fd as i32).to_le_bytes();
    let told = number.get(..room.max(0) as usize).unwrap_or(&number);
    let write = || {
        memory.write(call.arg(3), told)?;
        memory.write_value(call.arg(4), &room)
    };
    if let Err(errno) = write() {
        own_syscall(libc::SYS_close, &HostArgs::new([fd]))?;
        return Err(errno);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_with_pointers_are_not_forwarded() {
        assert!(!set_holds_pointers(libc::SOL_SOCKET, libc::SO_REUSEADDR));
        assert!(!set_holds_pointers(libc::SOL_IPV6, libc::IPV6_V6ONLY));
        assert!(set_holds_pointers(libc::SOL_IP, REPLACE_TABLE));
        assert!(set_holds_pointers(libc::SOL_PACKET, PACKET_FANOUT_DATA));
        assert!(get_holds_pointers(libc::SOL_TCP, TCP_ZEROCOPY_RECEIVE));
        assert!(!get_holds_pointers(libc::SOL_TCP, libc::TCP_INFO));
        assert!(
            set_holds_pointers(283, 4),
            "XDP_UMEM_REG names memory by address"
        );
        assert!(
            set_holds_pointers(276, 2),
            "RDS_GET_MR names memory by address"
        );
    }
}
