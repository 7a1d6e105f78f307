//! New threads, processes and programs.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use zerocopy::FromBytes;

use crate::errno::Errno;
use crate::mem::layout::{PAGE, TASK_SIZE};
use crate::procfs;
use crate::sys::clone::{CloneArgs, EXECVE_CHECK, knows_check};
use crate::sys::{path, proc};
use crate::syscall::Outcome;
use crate::syscall::call::Call;
use crate::syscall::walk::{Found, walk};
use crate::task::clone::{self, CLEAR_SIGHAND, Request};
use crate::task::exec::{self, Program, path_of_descriptor};

/// Bits of `clone`'s flags that hold the signal for the parent (`CSIGNAL`).
const SIGNAL: u64 = 0xff;

/// `clone(flags, stack, parent_tid, child_tid, tls)`. Only the lower half of
/// the flags counts.
pub fn clone(call: &mut Call<'_>) -> Outcome {
    let flags = call.arg(0) & 0xffff_ffff;
    let request = Request {
        flags: flags & !SIGNAL,
        exit_signal: flags & SIGNAL,
        stack: call.arg(1),
        // Both stand in the same place: one excludes the other.
        parent_tid: call.arg(2),
        pidfd: call.arg(2),
        child_tid: call.arg(3),
        tls: call.arg(4),
    };
    carry_out(call, &request)
}

pub fn fork(call: &mut Call<'_>) -> Outcome {
    let request = Request {
        exit_signal: libc::SIGCHLD as u64,
        ..Request::default()
    };
    carry_out(call, &request)
}

pub fn vfork(call: &mut Call<'_>) -> Outcome {
    let request = Request {
        flags: (libc::CLONE_VFORK | libc::CLONE_VM) as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..Request::default()
    };
    carry_out(call, &request)
}

/// `clone3(cl_args, size)`.
pub fn clone3(call: &mut Call<'_>) -> Outcome {
    match clone3_request(call) {
        Ok(request) => carry_out(call, &request),
        Err(errno) => Outcome::Fail(errno),
    }
}

fn clone3_request(call: &Call<'_>) -> Result<Request, Errno> {
    /// The structure without what came after `tls` (`CLONE_ARGS_SIZE_VER0`).
    const FIRST_SIZE: usize = 64;
    /// `MAX_PID_NS_LEVEL`.
    const MAX_NUMBERS: u64 = 32;
    const LAST_SIGNAL: u64 = 64;
    const NEWTIME: u64 = 0x80;
    /// `CLONE_NEWTIME` alone has a bit in the place of the signal.
    const UNUSED: u64 = SIGNAL & !NEWTIME | libc::CLONE_DETACHED as u64;
    const KNOWN: u64 = 0xffff_ffff & !UNUSED | CLEAR_SIGHAND;
    let size = usize::try_from(call.arg(1)).unwrap_or(usize::MAX);
    if size as u64 > PAGE {
        return Err(Errno::E2BIG);
    }
    if size < FIRST_SIZE {
        return Err(Errno::EINVAL);
    }
    let mut bytes = vec![0u8; size];
    call.memory().read(call.arg(0), &mut bytes)?;
    let known = size_of::<CloneArgs>();
    if bytes.iter().skip(known).any(|byte| *byte != 0) {
        return Err(Errno::E2BIG);
    }
    bytes.resize(known, 0);
    let args = CloneArgs::read_from_bytes(&bytes).map_err(|_| Errno::EINVAL)?;
    // As `copy_clone_args_from_user()` has it: the numbers are read before
    // the flags are looked at.
    if args.set_tid_size > MAX_NUMBERS
        || (args.set_tid == 0) != (args.set_tid_size == 0)
        || args.exit_signal > LAST_SIGNAL
    {
        return Err(Errno::EINVAL);
    }
    let numbers = call
        .memory()
        .read_array::<i32>(args.set_tid, args.set_tid_size as usize)?;
    let threads = (libc::CLONE_THREAD | libc::CLONE_PARENT) as u64;
    let end = args.stack.checked_add(args.stack_size);
    if args.flags & !KNOWN != 0
        || args.flags & threads != 0 && args.exit_signal != 0
        || (args.stack == 0) != (args.stack_size == 0)
        || end.is_none_or(|end| end > TASK_SIZE)
    {
        return Err(Errno::EINVAL);
    }
    let request = Request {
        flags: args.flags,
        pidfd: args.pidfd,
        child_tid: args.child_tid,
        parent_tid: args.parent_tid,
        exit_signal: args.exit_signal,
        stack: args.stack.wrapping_add(args.stack_size),
        tls: args.tls,
    };
    if !numbers.is_empty() {
        // The ids are the host's to choose.
        request.check()?;
        let possible = numbers.iter().all(|number| *number > 0);
        return Err(if possible {
            Errno::EPERM
        } else {
            Errno::EINVAL
        });
    }
    Ok(request)
}

fn carry_out(call: &mut Call<'_>, request: &Request) -> Outcome {
    clone::clone(call.process, call.thread, call.vcpu, request).into()
}

/// `execve(path, argv, envp)`.
pub fn execve(call: &mut Call<'_>) -> Outcome {
    // Nothing allocated is left while it executes: see `exec::execute`.
    let work = |call: &mut Call<'_>| {
        let program = named(call)?;
        let strings = [call.arg(1), call.arg(2)];
        exec::execute(call.process, call.thread, program, strings)
    };
    match work(call) {
        Ok(never) => match never {},
        Err(errno) => Outcome::Fail(errno),
    }
}

/// The program in argument 0.
fn named(call: &mut Call<'_>) -> Result<Program, Errno> {
    let path = read_path(call, 0)?;
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let program = program(call, path.clone())?;
    payloads(call, libc::AT_FDCWD, &path, program)
}

/// `execveat(dirfd, path, argv, envp, flags)`.
pub fn execveat(call: &mut Call<'_>) -> Outcome {
    let work = |call: &mut Call<'_>| {
        let program = named_at(call)?;
        let strings = [call.arg(2), call.arg(3)];
        if call.int(4) & EXECVE_CHECK != 0 {
            return exec::check(call.process, &program, strings).map(|()| None);
        }
        exec::execute(call.process, call.thread, program, strings).map(Some)
    };
    match work(call) {
        Ok(None) => Outcome::Done(0),
        Ok(Some(never)) => match never {},
        Err(errno) => Outcome::Fail(errno),
    }
}

/// The program in arguments 0 and 1, by the flags in argument 4.
fn named_at(call: &mut Call<'_>) -> Result<Program, Errno> {
    const KNOWN: i32 = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW | EXECVE_CHECK;
    let flags = call.int(4);
    let path = read_path(call, 1)?;
    if path.is_empty() && flags & libc::AT_EMPTY_PATH == 0 {
        return Err(Errno::ENOENT);
    }
    let checks = flags & EXECVE_CHECK != 0;
    if flags & !KNOWN != 0 || checks && !knows_check(call.process.image.as_fd()) {
        return Err(Errno::EINVAL);
    }
    let follows = path.is_empty() || flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    let given = path.clone();
    let fd = call.process.fds.translate(call.arg(0)) as i32;
    let program = if path.starts_with(b"/") || fd == libc::AT_FDCWD {
        // As it is on the host, where what /proc shows in its place is one.
        if !follows && is_link(Path::new(OsStr::from_bytes(&path))) {
            return Err(Errno::ELOOP);
        }
        match path.as_slice() {
            b"" => program(call, b".".to_vec())?,
            _ => program(call, path)?,
        }
    } else {
        if fd < 0 || !proc::is_open(fd) {
            return Err(Errno::EBADF);
        }
        if !follows && is_link_below(fd, &path) {
            return Err(Errno::ELOOP);
        }
        through_descriptor(fd, path)
    };
    payloads(call, fd, &given, program)
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|metadata| metadata.is_symlink())
}

fn is_link_below(directory: i32, path: &[u8]) -> bool {
    let look = |path: CString| path::open_at(directory, &path, libc::O_PATH | libc::O_NOFOLLOW);
    let found = CString::new(path).ok().and_then(|path| look(path).ok());
    let kind = found.map(|found| proc::file_kind(found.as_fd()));
    kind == Some(Ok(libc::S_IFLNK))
}

fn read_path(call: &Call<'_>, index: usize) -> Result<Vec<u8>, Errno> {
    call.memory()
        .read_string(call.arg(index), libc::PATH_MAX as usize - 1)
}

/// The program that the payload calls `path`.
fn program(call: &Call<'_>, path: Vec<u8>) -> Result<Program, Errno> {
    let execfn = OsString::from_vec(path);
    if let Some(fd) = named_descriptor(execfn.as_bytes()) {
        // The name means another file once the descriptor is closed by exec.
        if call.process.fds.contains(fd) {
            return Err(Errno::ENOENT);
        }
        return Ok(Program {
            path: path_of_descriptor(fd, "".as_ref()),
            execfn,
            way: Some((fd, OsString::new())),
            by_descriptor: false,
        });
    }
    let path = match procfs::leads_to(call.process, execfn.as_bytes())? {
        Some(real) => PathBuf::from(OsString::from_vec(real)),
        None => PathBuf::from(&execfn),
    };
    Ok(Program {
        path,
        execfn,
        way: None,
        by_descriptor: false,
    })
}

/// In the place of the monitor's own program, to which a link of `/proc` has
/// led that leads to the payload's: that.
fn payloads(
    call: &Call<'_>,
    directory: i32,
    path: &[u8],
    program: Program,
) -> Result<Program, Errno> {
    let image = proc::file_status(call.process.image.as_fd())?;
    let is_image = |found: std::fs::Metadata| image.is_of(&found);
    if path.is_empty() || !program.path.metadata().is_ok_and(is_image) {
        return Ok(program);
    }
    let Found::File(held) = walk(call.process, directory, path, true)? else {
        return Err(Errno::ENOENT);
    };
    if proc::file_status(held.as_fd())?.is_same_file(&image) {
        return Ok(program);
    }
    Ok(Program {
        path: OsString::from_vec(call.process.file_name(held.as_fd())).into(),
        way: None,
        by_descriptor: false,
        ..program
    })
}

/// The program at `path` under the open file `fd`, or that file itself.
fn through_descriptor(fd: i32, path: Vec<u8>) -> Program {
    let mut rest = OsString::new();
    if !path.is_empty() {
        rest.push("/");
        rest.push(OsString::from_vec(path));
    }
    let mut execfn = OsString::from(format!("/dev/fd/{fd}"));
    execfn.push(&rest);
    Program {
        path: path_of_descriptor(fd, &rest),
        execfn,
        way: Some((fd, rest)),
        by_descriptor: true,
    }
}

/// The number of the descriptor whose link in `/proc` or `/dev` is `path`.
fn named_descriptor(path: &[u8]) -> Option<i32> {
    let own = format!("/proc/{}/fd/", std::process::id());
    let number = [b"/proc/self/fd/".as_slice(), b"/dev/fd/", own.as_bytes()]
        .into_iter()
        .find_map(|directory| path.strip_prefix(directory))?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::named_descriptor;

    #[test]
    fn names_of_descriptors() {
        assert_eq!(named_descriptor(b"/proc/self/fd/12"), Some(12));
        assert_eq!(named_descriptor(b"/dev/fd/3"), Some(3));
        assert_eq!(named_descriptor(b"/proc/self/fd/12/x"), None);
        assert_eq!(named_descriptor(b"/proc/self/exe"), None);
    }
}
