//! `fcntl`, whose third argument is a number, a descriptor or a pointer.

use super::Outcome;
use super::call::Call;
use super::file::{opened, relocate};
use super::memory_file;
use crate::errno::Errno;

/// What the third argument is.
enum Argument {
    /// Not looked at by the host, or a number.
    Number,
    /// A descriptor.
    Descriptor,
    /// A pointer to this many bytes.
    Pointer(u64),
    /// A number; the result is a new descriptor.
    NewDescriptor,
}

/// Commands the C library has no name for.
const F_SETSIG: i32 = 10;
const F_GETSIG: i32 = 11;
const F_SETOWN_EX: i32 = 15;
const F_GETOWN_EX: i32 = 16;
const F_GETOWNER_UIDS: i32 = 17;
const F_DUPFD_QUERY: i32 = 1027;
const F_CREATED_QUERY: i32 = 1028;
const F_GET_RW_HINT: i32 = 1035;
const F_SET_FILE_RW_HINT: i32 = 1038;
const F_GETDELEG: i32 = 1039;
const F_SETDELEG: i32 = 1040;
/// No command of any kernel.
const UNKNOWN: u64 = u64::MAX;

fn argument(command: i32) -> Option<Argument> {
    use Argument::{Descriptor, NewDescriptor, Number, Pointer};
    Some(match command {
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => NewDescriptor,
        libc::F_GETFD
        | libc::F_SETFD
        | libc::F_GETFL
        | libc::F_SETFL
        | libc::F_SETOWN
        | libc::F_GETOWN
        | F_SETSIG
        | F_GETSIG
        | libc::F_SETLEASE
        | libc::F_GETLEASE
        | libc::F_NOTIFY
        | F_CREATED_QUERY
        | libc::F_SETPIPE_SZ
        | libc::F_GETPIPE_SZ
        | libc::F_ADD_SEALS
        | libc::F_GET_SEALS => Number,
        F_DUPFD_QUERY => Descriptor,
        libc::F_GETLK | libc::F_SETLK | libc::F_SETLKW => Pointer(size_of::<libc::flock>() as u64),
        libc::F_OFD_GETLK | libc::F_OFD_SETLK | libc::F_OFD_SETLKW => {
            Pointer(size_of::<libc::flock>() as u64)
        }
        F_SETOWN_EX | F_GETOWN_EX | F_GETOWNER_UIDS | F_GET_RW_HINT..=F_SET_FILE_RW_HINT => {
            Pointer(8)
        }
        F_GETDELEG | F_SETDELEG => Pointer(8),
        _ => return None,
    })
}

pub fn fcntl(call: &mut Call<'_>) -> Outcome {
    let value = call.arg(2);
    let mut host = call.translate();
    host.set(0, opened(call.process, call.arg(0)));
    let Some(argument) = argument(call.int(1)) else {
        // No host knows this one either, and a bad descriptor is found first.
        host.set(1, UNKNOWN);
        let refused = call.host(call.row.number, &host);
        return refused.and(Err(Errno::EINVAL)).into();
    };
    host.set(
        2,
        match argument {
            Argument::Number | Argument::NewDescriptor => value,
            Argument::Descriptor => call.process.fds.translate(value),
            Argument::Pointer(size) => call.memory().host_pointer(value, size),
        },
    );
    let result = call.host(call.row.number, &host);
    match argument {
        Argument::Number if call.int(1) == libc::F_GETFL => {
            let flags = |flags| memory_file::flags(call.process, call.arg(0), flags);
            result.map(flags).into()
        }
        Argument::NewDescriptor => result.and_then(|fd| relocate(&call.process.fds, fd)).into(),
        _ => result.into(),
    }
}
