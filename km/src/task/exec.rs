//! New programs (`execve(2)`): the monitor executes itself, and hands over
//! what has to survive.
//!
//! What Linux would refuse is refused before; a payload never starts a native
//! process. What the kernel keeps over an exec (descriptors, ignored signals,
//! pending ones, limits, working directory, process group, timers) it keeps
//! here as well, because the process is the payload's.

use std::convert::Infallible;
use std::ffi::{CStr, OsStr, OsString};
use std::io::{Cursor, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::{LogTo, Options, RunConfig};
use crate::errno::Errno;
use crate::fd::ReservedFds;
use crate::loader::stack::{MAX_STRING, string_limit, string_room};
use crate::loader::{self, LoadError, Target};
use crate::log::Output;
use crate::mem::guest::GuestMemory;
use crate::nsm::{self, Nsm, Settings};
use crate::seccomp::Mode;
use crate::sys::{clone, namespace, proc, signal};
use crate::syscall::limits::{AddressLimits, Limit, Limits};
use crate::task::exit::release_robust_lists;
use crate::task::process::Process;
use crate::task::thread::Thread;
use crate::vm::cpuid::Features;

/// The monitor's option for the descriptor of a [`Handover`].
const OPTION: &str = "--execve=";

/// What one monitor leaves to the next.
#[derive(Debug, Serialize, Deserialize)]
struct Handover {
    payload: OsString,
    execfn: OsString,
    /// How many of the strings that follow the handover are arguments; the
    /// others are the environment.
    arguments: usize,
    /// A descriptor that `payload` goes through.
    way: Option<i32>,
    /// Whether `payload` is below `proc_root`.
    below_proc: bool,
    options: Options,
    image: i32,
    proc_root: i32,
    device: i32,
    /// What that gives: to ask costs as much as a program's start may.
    features: Features,
    output: i32,
    report: i32,
    reserved: (i32, i32),
    /// Soft and hard limits on address space, data, stack and open files.
    limits: [(u64, u64); 5],
    mask: u64,
    /// Signals the monitor needs and the payload ignores.
    ignored: u64,
    /// What judges the payload's calls.
    seccomp: Mode,
    /// Children start in another PID namespace.
    children_elsewhere: bool,
    nsm: nsm::Handover,
}

/// What a monitor has from the one before it.
#[derive(Debug)]
pub struct Inherited {
    pub execfn: OsString,
    pub image: OwnedFd,
    pub proc_root: Option<OwnedFd>,
    pub device: OwnedFd,
    pub features: Features,
    pub output: Output,
    pub report: Output,
    pub fds: ReservedFds,
    pub limits: AddressLimits,
    pub mask: u64,
    pub ignored: u64,
    pub seccomp: Mode,
    pub children_elsewhere: bool,
    pub nsm: Nsm,
    /// Kept open until the program is loaded.
    pub way: Option<OwnedFd>,
    /// Whether the program is to be looked for below `proc_root`.
    pub below_proc: bool,
}

/// The configuration another monitor hands over, if `args` say that one does.
pub fn inherited(args: &[OsString]) -> Option<Result<RunConfig, Errno>> {
    let [_, option] = args else { return None };
    let number = option.as_bytes().strip_prefix(OPTION.as_bytes())?;
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some(take_over(number))
}

fn take_over(number: i32) -> Result<RunConfig, Errno> {
    let memory = proc::take_inherited(number)?;
    let bytes = proc::sealed_content(memory.as_fd())?;
    drop(memory);
    let (handover, strings): (Handover, _) =
        postcard::take_from_bytes(&bytes).map_err(|_| Errno::EINVAL)?;
    let fds = ReservedFds::inherited(handover.reserved);
    let take = |fd| {
        if fds.contains(fd) {
            proc::take_inherited(fd)
        } else {
            Err(Errno::EBADF)
        }
    };
    let limit = |(soft, hard)| Limit { soft, hard };
    let [address_space, data, stack, open_files, core] = handover.limits.map(limit);
    let output = Output::inherited(take(handover.output)?);
    let report = match handover.report {
        same if same == handover.output => output.clone(),
        report => Output::inherited(take(report)?),
    };
    let inherited = Inherited {
        execfn: handover.execfn,
        image: take(handover.image)?,
        proc_root: take(handover.proc_root).ok(),
        device: take(handover.device)?,
        features: handover.features,
        output,
        report,
        limits: AddressLimits::new(Limits {
            address_space,
            data,
            stack,
            open_files,
            core,
        }),
        mask: handover.mask,
        ignored: handover.ignored,
        seccomp: handover.seccomp,
        children_elsewhere: handover.children_elsewhere,
        nsm: Nsm::inherited(&handover.nsm, take)?,
        way: handover.way.map(take).transpose()?,
        below_proc: handover.below_proc,
        fds,
    };
    let mut argv = split(strings);
    let env = argv.split_off(handover.arguments.min(argv.len()));
    Ok(RunConfig {
        payload: handover.payload.into(),
        argv,
        env,
        options: handover.options,
        nsm: Settings::default(),
        log: LogTo::Nowhere,
        log_to: None,
        inherited: Some(inherited),
    })
}

/// The strings of [`Strings`].
fn split(strings: &[u8]) -> Vec<OsString> {
    let ended = strings.split_inclusive(|byte| *byte == 0);
    ended
        .filter_map(|string| string.strip_suffix(b"\0"))
        .map(|string| OsString::from_vec(string.to_vec()))
        .collect()
}

/// The program to execute.
#[derive(Debug)]
pub struct Program {
    /// How the monitor finds it.
    pub path: PathBuf,
    /// How the payload named it (`AT_EXECFN`).
    pub execfn: OsString,
    /// A descriptor of the payload's that `path` goes through
    /// (`/proc/thread-self/fd/N`), and what follows.
    pub way: Option<(i32, OsString)>,
    /// Whether that was given as a descriptor, and by no name in `/proc`: it
    /// can be found without one.
    pub by_descriptor: bool,
}

/// Executes `program` in place of the calling process; `argv` and `envp` are
/// payload addresses.
///
/// # Errors
///
/// As `execve(2)`.
pub fn execute(
    process: &Process,
    thread: &Thread,
    program: Program,
    [argv, envp]: [u64; 2],
) -> Result<Infallible, Errno> {
    // All that is allocated is dropped before the point of no return: during
    // a vfork the heap is the parent's as well.
    let prepared = prepare(process, thread, program, [argv, envp])?;
    let number = prepared.handover.as_raw_fd();
    let mut option = [0u8; 32];
    write!(Cursor::new(&mut option[..]), "{OPTION}{number}")?;
    let option = CStr::from_bytes_until_nul(&option).map_err(|_| Errno::EINVAL)?;

    if !thread.block_signals() {
        return Err(crate::sys::call::NOT_BEGUN);
    }
    let alone = process.is_borrowed() || process.threads() == 1;
    let stopped = if alone {
        None
    } else {
        let stopped = process.machine.world.stop(&thread.seat);
        Some(stopped.inspect_err(|_| thread.unblock_signals())?)
    };
    let kept = process.descriptors_for_exec();
    let inherit = |on| {
        let way = prepared.way.as_ref().map(AsRawFd::as_raw_fd);
        for fd in kept.into_iter().chain([number]).chain(way) {
            proc::set_inherited(fd, on);
        }
    };
    inherit(true);
    release_robust_lists(process);
    process.set_leaving(true);
    let errno = clone::execute(process.image.as_fd(), c"km", option);
    process.set_leaving(false);
    inherit(false);
    drop(stopped);
    thread.unblock_signals();
    Err(errno)
}

/// Descriptors that the next monitor needs and no other.
struct Prepared {
    handover: OwnedFd,
    way: Option<OwnedFd>,
}

/// What the file and the strings come to, in the order Linux has: the file
/// first, then the strings, then what is in the file.
struct Read {
    target: Result<Target, LoadError>,
    strings: Strings,
}

/// The arguments and the environment, each string with its NUL. There may be
/// half a million of them, and a child of `vfork` has little room: so they are
/// in one block.
struct Strings {
    bytes: Vec<u8>,
    /// How many are arguments.
    arguments: usize,
}

fn read(process: &Process, program: &Program, [argv, envp]: [u64; 2]) -> Result<Read, Errno> {
    let target = loader::resolve(
        &program.path,
        &program.execfn,
        Vec::new(),
        program.by_descriptor,
        process.proc_root.as_ref().map(AsFd::as_fd),
    );
    if let Err(error) = &target
        && !error.is_about_content()
    {
        return Err(error.errno());
    }
    let mut room = Room::new(process.limits.all().stack.soft);
    room.take_string(program.execfn.len())?;
    // What is usual fits.
    let mut bytes = Vec::with_capacity(16 << 10);
    let arguments = room.read(&process.memory, argv, &mut bytes)?;
    room.read(&process.memory, envp, &mut bytes)?;
    let strings = Strings { bytes, arguments };
    Ok(Read { target, strings })
}

/// Whether [`execute`] would get as far as to look into the file
/// (`AT_EXECVE_CHECK`).
///
/// # Errors
///
/// As `execve(2)`.
pub fn check(process: &Process, program: &Program, strings: [u64; 2]) -> Result<(), Errno> {
    read(process, program, strings).map(drop)
}

/// Everything up to the point of no return.
fn prepare(
    process: &Process,
    thread: &Thread,
    program: Program,
    strings: [u64; 2],
) -> Result<Prepared, Errno> {
    let Read { target, strings } = read(process, &program, strings)?;
    let target = target.map_err(|error| error.errno())?;
    let is_script = target.program.path != program.path;
    drop(target);

    let way = match &program.way {
        None => None,
        Some((fd, _)) => {
            if is_script && !proc::is_inherited(*fd) {
                // The interpreter would not find it.
                return Err(Errno::ENOENT);
            }
            let fd = proc::borrow_fd(*fd).ok_or(Errno::EBADF)?;
            Some(process.fds.adopt_copy(fd)?)
        }
    };
    let payload = match (&way, &program.way) {
        (Some(copy), Some((_, rest))) => {
            path_of_descriptor(copy.as_raw_fd(), rest).into_os_string()
        }
        _ => program.path.into_os_string(),
    };
    let actions = process.actions();
    let ignored: u64 = [libc::SIGSEGV, libc::SIGBUS]
        .into_iter()
        .filter(|number| actions.get(*number).is_ignored())
        .map(|number| 1u64 << (number - 1))
        .sum();
    drop(actions);
    let limits = process.limits.all();
    let pair = |limit: Limit| (limit.soft, limit.hard);
    let range = process.fds.range();
    let [image, proc_root, output, report, .., device] = process.descriptors_for_exec();
    let handover = Handover {
        payload,
        execfn: program.execfn,
        arguments: strings.arguments,
        way: way.as_ref().map(AsRawFd::as_raw_fd),
        below_proc: program.by_descriptor,
        options: Options {
            strace: process.trace().is_some(),
            stats: process.stats().is_some() || process.options.stats && process.options.follow,
            ..Options::clone(&process.options)
        },
        image,
        proc_root,
        device,
        features: process.space().vm().features().clone(),
        output,
        report,
        reserved: (range.start, range.end),
        limits: [
            pair(limits.address_space),
            pair(limits.data),
            pair(limits.stack),
            pair(limits.open_files),
            pair(limits.core),
        ],
        mask: thread.mask,
        ignored: ignored & signal::OWN,
        seccomp: thread.seccomp.mode(),
        children_elsewhere: children_elsewhere(thread)?,
        nsm: process.nsm.handover(),
    };
    let mut bytes = postcard::to_allocvec(&handover).map_err(|_| Errno::ENOMEM)?;
    bytes.extend_from_slice(&strings.bytes);
    drop(strings);
    let handover = hand_over(&process.fds, &bytes)?;
    Ok(Prepared { handover, way })
}

/// Whether children start in another PID namespace.
///
/// # Errors
///
/// EAGAIN where no thread can be made then, which KVM's worker is.
fn children_elsewhere(thread: &Thread) -> Result<bool, Errno> {
    if thread.children_elsewhere && !namespace::is_alone() {
        namespace::with_children_here(|| ()).map_err(|_| Errno::EAGAIN)?;
    }
    Ok(thread.children_elsewhere)
}

/// A file with `bytes` for the next monitor.
fn hand_over(fds: &ReservedFds, bytes: &[u8]) -> Result<OwnedFd, Errno> {
    let file = fds.adopt(|| proc::sealed_file(c"km-execve", bytes))?;
    // Before it was moved, another thread could put one of its own in its
    // place: the next monitor would believe it.
    if proc::is_sealed_file(file.as_fd(), bytes) {
        Ok(file)
    } else {
        Err(Errno::EBUSY)
    }
}

/// What strings and pointers may still take (`bprm_stack_limits()` and
/// `copy_strings()` in `fs/exec.c`).
struct Room {
    all: u64,
    strings: u64,
}

impl Room {
    fn new(stack: u64) -> Room {
        Room {
            all: string_limit(stack),
            strings: string_room(stack),
        }
    }

    fn take(&mut self, bytes: u64) -> Result<(), Errno> {
        self.all = self.all.checked_sub(bytes).ok_or(Errno::E2BIG)?;
        Ok(())
    }

    fn take_string(&mut self, len: usize) -> Result<(), Errno> {
        let bytes = len as u64 + 1;
        self.strings = self.strings.checked_sub(bytes).ok_or(Errno::E2BIG)?;
        self.take(bytes)
    }

    /// Adds the strings of the array at `address`, which ends with a null
    /// pointer, to `strings`, each with its NUL; how many they are.
    fn read(
        &mut self,
        memory: &GuestMemory,
        address: u64,
        strings: &mut Vec<u8>,
    ) -> Result<usize, Errno> {
        const POINTER: u64 = 8;
        let mut count = 0;
        if address == 0 {
            return Ok(count);
        }
        for at in (address..).step_by(POINTER as usize) {
            let pointer: u64 = memory.read_value(at)?;
            if pointer == 0 {
                break;
            }
            self.take(POINTER)?;
            let len = memory
                .append_string(pointer, MAX_STRING - 1, strings)
                .map_err(|errno| match errno {
                    Errno::ENAMETOOLONG => Errno::E2BIG,
                    errno => errno,
                })?;
            strings.push(0);
            self.take_string(len)?;
            count += 1;
        }
        Ok(count)
    }
}

/// The path behind a descriptor of the calling process, whose first thread may
/// have ended.
pub fn path_of_descriptor(fd: i32, rest: &OsStr) -> PathBuf {
    let mut path = OsString::from(format!("/proc/thread-self/fd/{fd}"));
    path.push(rest);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_split_where_they_end() {
        assert_eq!(split(b""), Vec::<OsString>::new());
        assert_eq!(split(b"\0"), [""]);
        assert_eq!(split(b"a\0\0b c\0"), ["a", "", "b c"]);
    }
}
