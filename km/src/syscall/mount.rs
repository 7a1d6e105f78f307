//! Mounting, as far as the monitor's rights go.

use super::Outcome;
use super::call::{Call, pointer_to};
use crate::errno::Errno;

/// Bytes of options the host reads at most (`copy_mount_options`).
const OPTIONS: usize = 4096;

/// `mount(source, target, filesystemtype, mountflags, data)`.
///
/// Network file systems also take binary `data`, a structure that begins with
/// a small version number and may hold pointers. Text cannot begin so: such
/// data is refused.
pub fn mount(call: &mut Call<'_>) -> Outcome {
    let mut options = match copy_options(call) {
        Ok(options) => options,
        Err(errno) => return Outcome::Fail(errno),
    };
    let mut host = call.translate();
    if let Some(options) = &mut options {
        if let [1..=31, 0, 0, 0, ..] = options.as_slice() {
            return Outcome::Fail(Errno::EINVAL);
        }
        host.set(4, pointer_to(options));
    }
    call.host(call.row.number, &host).into()
}

/// The options, padded with zeros where payload memory ends, as the host does.
fn copy_options(call: &Call<'_>) -> Result<Option<Vec<u8>>, Errno> {
    let address = call.arg(4);
    if address == 0 {
        return Ok(None);
    }
    let mut options = vec![0u8; OPTIONS];
    let to_page_end = OPTIONS - (address % OPTIONS as u64) as usize;
    let (first, second) = options.split_at_mut(to_page_end);
    call.memory().read(address, first)?;
    if call
        .memory()
        .read(address.wrapping_add(first.len() as u64), second)
        .is_err()
    {
        second.fill(0);
    }
    Ok(Some(options))
}

/// `fsconfig(fd, cmd, key, value, aux)`.
pub fn fsconfig(call: &mut Call<'_>) -> Outcome {
    const SET_PATH: i32 = 3;
    const SET_FD: i32 = 5;
    let mut host = call.translate();
    // A string, bytes whose number the host bounds, or NULL.
    host.set(3, call.memory().host_pointer(call.arg(3), 1));
    if (SET_PATH..=SET_FD).contains(&call.int(1)) {
        host.set(4, call.process.fds.translate(call.arg(4)));
    }
    call.host(call.row.number, &host).into()
}
