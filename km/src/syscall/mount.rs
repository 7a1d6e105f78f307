//! Mounting, as far as the monitor's rights go.

use std::ffi::CString;

use super::Outcome;
use super::call::{Call, FAULT, pointer_to};
use super::paths::PATH_MAX;
use crate::errno::Errno;
use crate::procfs;

/// Bytes of options the host reads at most (`copy_mount_options`).
const OPTIONS: usize = 4096;

/// `mount(source, target, filesystemtype, mountflags, data)`.
///
/// Network file systems also take binary `data`, a structure that begins with
/// a small version number and may hold pointers. Text cannot begin so: such
/// data is refused.
pub fn mount(call: &mut Call<'_>) -> Outcome {
    let work = |call: &mut Call<'_>| {
        let kind = Kind::named(call, 2)?;
        let mut options = copy_options(call)?;
        let source = payloads_file(call)?;
        let mut host = call.translate();
        host.set(2, kind.pointer());
        if let Some(options) = &mut options {
            if let [1..=31, 0, 0, 0, ..] = options.as_slice() {
                return Err(Errno::EINVAL);
            }
            host.set(4, pointer_to(options));
        }
        if let Some(source) = &source {
            host.set(0, source.as_ptr().addr() as u64);
        }
        call.host(call.row.number, &host)
    };
    work(call).into()
}

/// `fsopen(fs_name, flags)`.
pub fn fsopen(call: &mut Call<'_>) -> Outcome {
    let work = |call: &mut Call<'_>| {
        let kind = Kind::named(call, 0)?;
        let mut host = call.translate();
        host.set(0, kind.pointer());
        call.host(call.row.number, &host)
    };
    work(call).into()
}

/// The kind of file system that an argument names, copied in.
enum Kind {
    Null,
    /// Cannot be read: the host finds that in its own order of checks.
    Fault,
    Name(CString),
}

impl Kind {
    /// From argument `index`. Not that of `binfmt_misc`, which a user namespace
    /// may have of its own: by it the host would execute another program in the
    /// place of a monitor.
    fn named(call: &Call<'_>, index: usize) -> Result<Kind, Errno> {
        if call.arg(index) == 0 {
            return Ok(Kind::Null);
        }
        match call.memory().read_string(call.arg(index), PATH_MAX - 1) {
            Ok(name) if name == b"binfmt_misc" => Err(Errno::ENODEV),
            Ok(name) => Ok(CString::new(name).map_or(Kind::Fault, Kind::Name)),
            Err(Errno::ENAMETOOLONG) => Err(Errno::EINVAL),
            Err(_) => Ok(Kind::Fault),
        }
    }

    fn pointer(&self) -> u64 {
        match self {
            Kind::Null => 0,
            Kind::Fault => FAULT,
            Kind::Name(name) => name.as_ptr().addr() as u64,
        }
    }
}

/// The file to be mounted elsewhere, where its name is a link of `/proc` that
/// leads to another for the payload.
fn payloads_file(call: &Call<'_>) -> Result<Option<CString>, Errno> {
    if call.arg(3) & (libc::MS_BIND | libc::MS_MOVE) == 0 {
        return Ok(None);
    }
    // The host finds what is wrong with it in its own order of checks.
    let Ok(path) = call.memory().read_string(call.arg(0), PATH_MAX - 1) else {
        return Ok(None);
    };
    let file = procfs::leads_to(call.process, &path)?;
    Ok(file.and_then(|file| CString::new(file).ok()))
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
