//! Calls that make two descriptors at once.

use zerocopy::IntoBytes;

use super::Outcome;
use super::call::{Call, pointer_to};
use super::file::relocate;
use crate::errno::Errno;
use crate::sys::call::{HostArgs, own_syscall};

pub fn pipe(call: &mut Call<'_>) -> Outcome {
    pair(call, 0)
}

pub fn pipe2(call: &mut Call<'_>) -> Outcome {
    pair(call, 0)
}

pub fn socketpair(call: &mut Call<'_>) -> Outcome {
    pair(call, 3)
}

/// The row's call, which writes two descriptors to where argument `index`
/// points. The host writes them to the monitor, so that none is lost to a
/// fault, and none stays in the monitor's range.
fn pair(call: &mut Call<'_>, index: usize) -> Outcome {
    let mut fds = [-1i32; 2];
    let mut host = call.translate();
    host.set(index, pointer_to(&mut fds));
    call.host(call.row.number, &host)
        .and_then(|value| deliver(call, index, fds).map(|()| value))
        .into()
}

fn deliver(call: &Call<'_>, index: usize, fds: [i32; 2]) -> Result<(), Errno> {
    let reserved = &call.process.fds;
    let [first, second] = fds.map(|fd| relocate(reserved, fd as u64).map(|fd| fd as i32));
    let written = match (first, second) {
        (Ok(first), Ok(second)) => call
            .memory()
            .write(call.arg(index), [first, second].as_bytes())
            .map_err(|errno| (errno, [Some(first), Some(second)])),
        (first, second) => Err((Errno::EMFILE, [first.ok(), second.ok()])),
    };
    written.map_err(|(errno, open)| {
        for fd in open.into_iter().flatten() {
            // It was made a moment ago: nothing else can fail here.
            let _closed = own_syscall(libc::SYS_close, &HostArgs::new([fd as u64]));
        }
        errno
    })
}
