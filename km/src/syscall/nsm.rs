//! The security module as the payload sees it: a character device `/dev/nsm`
//! with one `ioctl`, and a call of km's own with the same contract.
//!
//! On the host its descriptors are of a file in memory without content: what
//! that would do otherwise than the device is answered here.

use std::ffi::{CStr, OsStr};
use std::mem::offset_of;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use km_nsm::device::Answer;
use km_nsm::message::{MAX_REQUEST, MAX_RESPONSE, Request, Response};
use km_nsm::pcr::Digest;

use super::Outcome;
use super::args::Kind;
use super::call::{Call, pointer_to};
use super::open::reopen;
use super::paths::{SYS_GETXATTRAT, SYS_LISTXATTRAT, follows, start_of};
use crate::errno::Errno;
use crate::nsm::{Backend, Busy, DEVICE, NAME, REQUEST, Shared, now};
use crate::sys::call::{HostArgs, NOT_BEGUN, own_syscall};
use crate::sys::path::How;
use crate::sys::proc;
use crate::syscall::walk::{Found, walk};

/// How long to wait for another process that has the module.
const PATIENCE: Duration = Duration::from_secs(120);
const PAGE: u64 = 4096;
/// Mode and owner of the device.
const MODE: u32 = libc::S_IFCHR | 0o666;

/// `kontain_nsm(message)`: as the device's `ioctl`.
pub fn message(call: &mut Call<'_>) -> Outcome {
    if !call.process.nsm.is_on() {
        return Outcome::Fail(Errno::ENODEV);
    }
    request(call, call.arg(0)).into()
}

/// Carries out the request that the structure at `message` describes: where it
/// is and how long, where the answer goes and how much room there is, which
/// becomes how long the answer is.
fn request(call: &Call<'_>, message: u64) -> Result<u64, Errno> {
    const ANSWER_LENGTH: u64 = 24;
    let memory = call.memory();
    let [from, length, to, room] = memory.read_value::<[u64; 4]>(message)?;
    if length > MAX_REQUEST as u64 {
        return Err(Errno::EMSGSIZE);
    }
    if length == 0 {
        return Err(Errno::EINVAL);
    }
    let request: Vec<u8> = memory.read_array(from, length as usize)?;
    let room = room.min(MAX_RESPONSE as u64) as usize;
    // Before the request has an effect.
    let fits = |length: usize| {
        let told = message.wrapping_add(ANSWER_LENGTH);
        if can_write(call, to, length.min(room)) && can_write(call, told, size_of::<u64>()) {
            Ok(())
        } else {
            Err(Errno::EFAULT)
        }
    };
    let answer = match call.process.nsm.backend() {
        None => return Err(Errno::ENODEV),
        Some(Backend::Emulated(shared)) => emulate(call, shared, &request, fits)?,
        Some(Backend::Host(host)) => {
            fits(MAX_RESPONSE)?;
            host.ask(&request, |args| call.host(libc::SYS_ioctl as u16, args))?
        }
    };
    let answer = answer.get(..room).unwrap_or(&answer);
    memory.write(to, answer)?;
    let told = message.wrapping_add(ANSWER_LENGTH);
    memory.write_value(told, &(answer.len() as u64))?;
    Ok(0)
}

/// Whether these bytes of the payload's could be written now.
fn can_write(call: &Call<'_>, address: u64, length: usize) -> bool {
    let Some(end) = address.checked_add(length as u64) else {
        return false;
    };
    let next_page = (address | (PAGE - 1)).saturating_add(1);
    let pages = (next_page..end).step_by(PAGE as usize);
    let mut places = std::iter::once(address).chain(pages);
    length == 0 || places.all(|place| call.memory().accessible(place, true))
}

fn emulate(
    call: &Call<'_>,
    shared: &Shared,
    request: &[u8],
    fits: impl Fn(usize) -> Result<(), Errno>,
) -> Result<Vec<u8>, Errno> {
    let request = match Request::decode(request) {
        Ok(Request::GetRandom) => return Ok(Answer::Random.finish().encode()),
        Ok(request) => request,
        Err(code) => return Ok(Response::Error(code).encode()),
    };
    // What is answered where it has an effect.
    let data = || Digest::ZERO.into();
    let changed = match &request {
        Request::ExtendPcr { .. } => Some(Response::ExtendPcr { data: data() }),
        Request::LockPcr { .. } => Some(Response::LockPcr),
        Request::LockPcrs { .. } => Some(Response::LockPcrs),
        _ => None,
    };
    if let Some(answer) = changed {
        fits(answer.encode().len())?;
    }
    let busy = take(call, shared)?;
    let mut module = busy.module()?;
    let answer = module.answer(request, now().as_millis() as u64);
    if let Some(changed) = busy.changed(&module)? {
        busy.put(&changed)?;
    } else {
        drop(busy);
    }
    // A document is signed while others may have the module.
    Ok(answer.finish().encode())
}

/// Takes the module; waits while another process has it.
fn take<'a>(call: &Call<'_>, shared: &'a Shared) -> Result<Busy<'a>, Errno> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(busy) = shared.take()? {
            return Ok(busy);
        }
        if Instant::now() > end {
            return Err(Errno::ETIMEDOUT);
        }
        let mut pause = [0u64, 1_000_000];
        let args = HostArgs::new([pointer_to(&mut pause), 0]);
        match call.host(libc::SYS_nanosleep as u16, &args) {
            // The call is made again after the signal's handler.
            Err(_) => return Err(NOT_BEGUN),
            Ok(_) => std::hint::black_box(&pause),
        };
    }
}

/// A call that names a descriptor of the device, if it is one that the host
/// would do something else for.
pub fn on_device(call: &mut Call<'_>) -> Option<Outcome> {
    let nsm = &call.process.nsm;
    if !nsm.is_on() {
        return None;
    }
    let is_descriptor = |kind: &Kind| matches!(kind, Kind::Fd | Kind::DirFd);
    let all = call.row.args.iter().enumerate();
    let mut descriptors = all.filter(|(_, arg)| is_descriptor(&arg.kind));
    let (_, _) = descriptors.find(|(index, _)| nsm.is_opened_by(call.int(*index)))?;
    answer(call).transpose().map(Outcome::from)
}

/// What the device answers; `None` for what it leaves to the kernel, as the
/// host does.
fn answer(call: &Call<'_>) -> Result<Option<u64>, Errno> {
    let number = i64::from(call.row.number);
    match number {
        libc::SYS_read
        | libc::SYS_readv
        | libc::SYS_pread64
        | libc::SYS_preadv
        | libc::SYS_preadv2 => Err(refusal(call, libc::O_WRONLY)?),
        libc::SYS_write
        | libc::SYS_writev
        | libc::SYS_pwrite64
        | libc::SYS_pwritev
        | libc::SYS_pwritev2 => Err(refusal(call, libc::O_RDONLY)?),
        libc::SYS_ftruncate
        | libc::SYS_fsync
        | libc::SYS_fdatasync
        | libc::SYS_readahead
        | libc::SYS_sendfile
        | libc::SYS_splice
        | libc::SYS_tee
        | libc::SYS_copy_file_range => Err(Errno::EINVAL),
        libc::SYS_lseek if flags(call)? & libc::O_PATH != 0 => Err(Errno::EBADF),
        // Linux says ESPIPE. Who opens it for a stream in both directions, as the
        // Python package aws-nsm-interface does, is to be able to.
        libc::SYS_lseek => Ok(Some(0)),
        libc::SYS_sync_file_range => Err(Errno::ESPIPE),
        libc::SYS_fallocate => Err(Errno::ENODEV),
        libc::SYS_fchmod | libc::SYS_fchown => Err(Errno::EPERM),
        libc::SYS_mmap if call.int(3) & libc::MAP_ANONYMOUS == 0 => Err(Errno::ENODEV),
        libc::SYS_fcntl if matches!(call.int(1), libc::F_ADD_SEALS | libc::F_GET_SEALS) => {
            Err(Errno::EINVAL)
        }
        libc::SYS_ioctl => match call.arg(1) as u32 {
            REQUEST if flags(call)? & libc::O_PATH != 0 => Err(Errno::EBADF),
            REQUEST => request(call, call.arg(2)).map(Some),
            // These four are no matter of the device.
            command if is_generic(command) => Ok(None),
            _ => Err(Errno::EINVAL),
        },
        libc::SYS_fstat => status(call, 1).map(Some),
        libc::SYS_newfstatat if names_nothing(call) => status(call, 2).map(Some),
        libc::SYS_statx if names_nothing(call) => status(call, 4).map(Some),
        _ => Ok(None),
    }
}

fn is_generic(command: u32) -> bool {
    let command = libc::Ioctl::from(command);
    matches!(
        command,
        libc::FIOCLEX | libc::FIONCLEX | libc::FIONBIO | libc::FIOASYNC
    )
}

fn flags(call: &Call<'_>) -> Result<i32, Errno> {
    let args = HostArgs::new([call.arg(0), libc::F_GETFL as u64]);
    own_syscall(libc::SYS_fcntl, &args).map(|flags| flags as i32)
}

/// Why it cannot be read or written: opened for the other, if nothing else.
fn refusal(call: &Call<'_>, other: i32) -> Result<Errno, Errno> {
    let flags = flags(call)?;
    let closed = flags & libc::O_PATH != 0 || flags & libc::O_ACCMODE == other;
    Ok(if closed { Errno::EBADF } else { Errno::EINVAL })
}

/// Whether a call with a descriptor and a path is about the descriptor.
fn names_nothing(call: &Call<'_>) -> bool {
    call.arg(1) == 0 || call.memory().read_string(call.arg(1), 1) == Ok(Vec::new())
}

/// Tells the status of the device, to argument `buffer` of the call.
fn status(call: &Call<'_>, buffer: usize) -> Result<u64, Errno> {
    let nsm = &call.process.nsm;
    let file = nsm.file().ok_or(Errno::ENOENT)?.as_raw_fd() as u64;
    let (nothing, empty) = (c"".as_ptr().addr() as u64, libc::AT_EMPTY_PATH as u64);
    let at = call.arg(buffer);
    let memory = call.memory();
    let device = nsm.number();
    let (major, minor) = (libc::major(device), libc::minor(device));
    if i64::from(call.row.number) == libc::SYS_statx {
        let to = memory.host_pointer(at, size_of::<libc::statx>() as u64);
        let args = HostArgs::new([file, nothing, empty, call.arg(3), to]);
        call.host(libc::SYS_statx as u16, &args)?;
        let place = |offset: usize| at.wrapping_add(offset as u64);
        memory.write_value(place(offset_of!(libc::statx, stx_mode)), &(MODE as u16))?;
        memory.write_value(place(offset_of!(libc::statx, stx_nlink)), &1u32)?;
        // User and group stand side by side, and so do major and minor.
        memory.write_value(place(offset_of!(libc::statx, stx_uid)), &[0u32; 2])?;
        memory.write_value(
            place(offset_of!(libc::statx, stx_rdev_major)),
            &[major, minor],
        )?;
    } else {
        let to = memory.host_pointer(at, size_of::<libc::stat>() as u64);
        let args = HostArgs::new([file, nothing, to, empty]);
        call.host(libc::SYS_newfstatat as u16, &args)?;
        let place = |offset: usize| at.wrapping_add(offset as u64);
        memory.write_value(place(offset_of!(libc::stat, st_nlink)), &1u64)?;
        memory.write_value(place(offset_of!(libc::stat, st_mode)), &MODE)?;
        memory.write_value(place(offset_of!(libc::stat, st_uid)), &[0u32; 2])?;
        memory.write_value(place(offset_of!(libc::stat, st_rdev)), &device)?;
    }
    Ok(0)
}

/// Whether `path`, where the host has found nothing, is the device's.
pub fn is_named(call: &Call<'_>, directory: i32, path: &[u8], follow: bool) -> bool {
    let nsm = &call.process.nsm;
    if !nsm.is_on() || path.ends_with(b"/") {
        return false;
    }
    let last = path.rsplit(|byte| *byte == b'/').next();
    if last != Some(NAME) && !(follow && is_link(directory, path)) {
        return false;
    }
    match walk(call.process, directory, path, follow) {
        Ok(Found::Missing { directory, name }) => {
            nsm.is_at(directory.as_fd(), OsStr::from_bytes(name.to_bytes()))
        }
        _ => false,
    }
}

fn is_link(directory: i32, path: &[u8]) -> bool {
    let Ok(path) = std::ffi::CString::new(path) else {
        return false;
    };
    let mut target = [0u8; 1];
    let args = HostArgs::new([
        directory as u64,
        path.as_ptr().addr() as u64,
        pointer_to(&mut target),
        1,
    ]);
    let found = own_syscall(libc::SYS_readlinkat, &args).is_ok();
    std::hint::black_box(target);
    found
}

/// Whether `fd` is of the host's own device.
pub fn is_hosts(call: &Call<'_>, fd: u64) -> bool {
    let opened = proc::borrow_fd(fd as i32);
    opened.is_some_and(|opened| call.process.nsm.is_the_hosts(opened))
}

/// The descriptor that a call has made, if it is not of the host's own device.
///
/// # Errors
///
/// ENOENT; it is closed then.
pub fn admit(call: &Call<'_>, fd: u64) -> Result<u64, Errno> {
    if is_hosts(call, fd) {
        own_syscall(libc::SYS_close, &HostArgs::new([fd]))?;
        return Err(Errno::ENOENT);
    }
    Ok(fd)
}

/// Opens the device.
///
/// # Errors
///
/// As `open(2)`.
pub fn open(call: &Call<'_>, how: How) -> Result<u64, Errno> {
    let file = call.process.nsm.file().ok_or(Errno::ENOENT)?;
    if how.has(libc::O_CREAT | libc::O_EXCL) {
        return Err(Errno::EEXIST);
    }
    if how.has(libc::O_DIRECTORY) {
        return Err(Errno::ENOTDIR);
    }
    let made = (libc::O_CREAT | libc::O_NOFOLLOW | libc::O_TRUNC) as u64;
    reopen(call, file, how.flags & !made, 0)
}

/// What a call with a path gets for the device, which the host does not know;
/// `None` where the path is not the device's.
pub fn on_path(call: &Call<'_>, path: &CStr) -> Option<Result<u64, Errno>> {
    enum Wanted {
        /// In the buffer of that argument.
        Status(usize),
        /// Whether the payload has the rights in that argument.
        Access(usize),
        /// Extended attributes, of which it has none.
        Attribute,
        Attributes,
    }
    let (index, wanted) = match i64::from(call.row.number) {
        libc::SYS_stat | libc::SYS_lstat => (0, Wanted::Status(1)),
        libc::SYS_newfstatat => (1, Wanted::Status(2)),
        libc::SYS_statx => (1, Wanted::Status(4)),
        libc::SYS_access => (0, Wanted::Access(1)),
        libc::SYS_faccessat | libc::SYS_faccessat2 => (1, Wanted::Access(2)),
        libc::SYS_getxattr | libc::SYS_lgetxattr => (0, Wanted::Attribute),
        SYS_GETXATTRAT => (1, Wanted::Attribute),
        libc::SYS_listxattr | libc::SYS_llistxattr => (0, Wanted::Attributes),
        SYS_LISTXATTRAT => (1, Wanted::Attributes),
        _ => return None,
    };
    let directory = start_of(call, index);
    if !is_named(call, directory, path.to_bytes(), follows(call)) {
        return None;
    }
    Some(match wanted {
        Wanted::Status(buffer) => status(call, buffer),
        Wanted::Access(rights) if call.int(rights) & libc::X_OK != 0 => Err(Errno::EACCES),
        Wanted::Access(_) | Wanted::Attributes => Ok(0),
        Wanted::Attribute => Err(Errno::ENODATA),
    })
}

/// What a link to a descriptor of the device shows.
pub fn shown_name(call: &Call<'_>, target: &[u8]) -> Option<&'static [u8]> {
    let file = call.process.nsm.file()?;
    (call.process.file_name(file.as_fd()) == target).then_some(DEVICE.as_bytes())
}
