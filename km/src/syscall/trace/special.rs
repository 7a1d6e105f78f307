//! Arguments whose meaning depends on another, and what strace prints in a way
//! of its own.

use super::{Printer, Shown, structure, value};
use crate::errno::Errno;
use crate::syscall::args::Kind;
use crate::syscall::flags;
use crate::syscall::ioctl::{Argument, request};
use crate::syscall::structs::{FLOCK, INT, TIMESPEC, TIMEVAL};

impl Printer<'_> {
    /// Argument `index` where its kind alone does not say how it is printed.
    pub(super) fn special(&self, index: usize) -> Option<Shown> {
        let at = self.arg(index);
        match (self.row.name, index) {
            ("open" | "mq_open", 2) if !self.creates(1) => Some(Shown::Skip),
            ("mq_open", 3) if !self.creates(1) => Some(Shown::Skip),
            ("openat", 3) if !self.creates(2) => Some(Shown::Skip),
            ("clone", 0) => Some(clone_flags(at).into()),
            ("mremap", 4) if self.arg(3) & libc::MREMAP_FIXED as u64 == 0 => Some(Shown::Skip),
            ("preadv" | "pwritev" | "preadv2" | "pwritev2", 4) => Some(Shown::Skip),
            ("membarrier", 2) => Some(Shown::Skip),
            ("getcpu", 2) => Some(value::address(at).into()),
            ("mknod" | "mknodat", _) => self.node(index),
            ("socket" | "socketpair", 2) => Some(self.protocol().into()),
            ("poll" | "ppoll", 0) => self.before_only(at, || self.polled()),
            ("ppoll", 2) => self.before_only(at, || structure::at(self.memory, at, &TIMESPEC)),
            ("select" | "pselect6", 1..=3) => self.before_only(at, || self.descriptor_set(index)),
            ("select", 4) => self.before_only(at, || structure::at(self.memory, at, &TIMEVAL)),
            ("pselect6", 4) => self.before_only(at, || structure::at(self.memory, at, &TIMESPEC)),
            ("pselect6", 5) => self.before_only(at, || self.argument_pack()),
            // Written when interrupted.
            ("nanosleep", 1) | ("clock_nanosleep", 3) => Some(self.remaining(at)),
            ("wait4", 1 | 3) | ("waitid", 2 | 4)
                if self.returned() == Some(0) && !self.waited() =>
            {
                Some(value::address(at).into())
            }
            ("getdents" | "getdents64", 1) => {
                Some(self.output(at, |got| Some(self.entries(at, got))))
            }
            ("getrandom", 0) => Some(self.output(at, |got| {
                value::bytes(self.memory, at, got, value::quoted_hex)
            })),
            ("statmount" | "file_getattr", _) if self.is_buffer(index) => {
                Some(value::address(at).into())
            }
            ("sched_setaffinity", 2) => Some(self.input(at, || self.processors(at, self.count(1)))),
            ("sched_getaffinity", 2) => Some(self.output(at, |got| self.processors(at, got))),
            ("futex", _) => self.futex(index),
            ("ioctl", 1..) => self.ioctl(index),
            ("fcntl", 2) => Some(self.fcntl(at)),
            ("prctl", 1..) => Some(self.prctl(index)),
            ("seccomp", _) => self.seccomp(index),
            ("setsockopt" | "getsockopt", 2) => Some(self.option_name().into()),
            ("getsockopt", 3)
                if (self.int(1), self.int(2)) == (libc::SOL_SOCKET, libc::SO_ERROR) =>
            {
                Some(self.output(at, |_| {
                    let errno = Errno::from_raw(self.memory.read_value(at).ok()?);
                    Some(format!("[{}]", errno.name().unwrap_or("0")))
                }))
            }
            ("setsockopt", 3) => Some(self.input(at, || self.option(at, self.count(4)))),
            ("getsockopt", 3) => Some(self.output(at, |_| {
                let len: u32 = self.memory.read_value(self.arg(4)).ok()?;
                self.option(at, u64::from(len))
            })),
            ("sendfile" | "splice" | "copy_file_range", _) => self.offset(index),
            _ => None,
        }
    }

    /// Whether the flags in argument `index` make a file, so that its mode is
    /// looked at.
    fn creates(&self, index: usize) -> bool {
        const TMPFILE: u64 = 0x40_0000;
        self.arg(index) & (libc::O_CREAT as u64 | TMPFILE) != 0
    }

    /// What the call changes, but is printed as it was before.
    fn before_only(&self, at: u64, text: impl FnOnce() -> Option<String>) -> Option<Shown> {
        match self.result {
            None => Some(self.input(at, text)),
            Some(_) => Some(Shown::Later),
        }
    }

    fn node(&self, index: usize) -> Option<Shown> {
        let first = if self.row.name == "mknod" { 1 } else { 2 };
        let mode = self.arg(first) as u32;
        let special = matches!(mode & libc::S_IFMT, libc::S_IFCHR | libc::S_IFBLK);
        match index.checked_sub(first)? {
            0 => Some(value::file_mode(mode).into()),
            1 if special => Some(value::device(self.arg(index)).into()),
            1 => Some(Shown::Skip),
            _ => None,
        }
    }

    fn protocol(&self) -> String {
        let protocol = self.arg(2);
        match self.int(0) {
            libc::AF_INET | libc::AF_INET6 => value::flags(&flags::PROTOCOL, protocol),
            libc::AF_NETLINK => value::flags(&flags::NETLINK, protocol),
            _ => (protocol as i32).to_string(),
        }
    }

    /// The descriptors `poll` waits for.
    fn polled(&self) -> Option<String> {
        const ENTRY: u64 = 8;
        value::list(self.count(1), |index| {
            let entry: [u8; ENTRY as usize] = self
                .memory
                .read_value(self.arg(0).checked_add(index * ENTRY)?)
                .ok()?;
            let fd = structure::number(&entry, 0, 4) as i32;
            if fd < 0 {
                return Some(format!("{{fd={fd}}}"));
            }
            let events = value::flags(&flags::POLL, structure::number(&entry, 4, 2));
            Some(format!("{{fd={fd}, events={events}}}"))
        })
    }

    /// `pselect6`'s pointer to a mask and its size.
    fn argument_pack(&self) -> Option<String> {
        let [mask, len]: [u64; 2] = self.memory.read_value(self.arg(5)).ok()?;
        let mask = match mask {
            0 => value::address(0),
            _ => value::signals(self.memory.read_value(mask).ok()?),
        };
        Some(format!("{{sigmask={mask}, sigsetsize={len}}}"))
    }

    fn remaining(&self, at: u64) -> Shown {
        match self.result {
            None if at != 0 => Shown::Later,
            Some(Err(Errno::EINTR)) => self.input(at, || structure::at(self.memory, at, &TIMESPEC)),
            _ => value::address(at).into(),
        }
    }

    /// Whether a child was found; 0 from `waitid` is success either way.
    fn waited(&self) -> bool {
        self.row.name == "waitid"
            && self
                .memory
                .read_value::<u32>(self.arg(2))
                .is_ok_and(|n| n != 0)
    }

    /// `0x… /* 5 entries */`: how many directory entries `len` bytes hold.
    fn entries(&self, at: u64, len: u64) -> String {
        /// Where both kinds of entry have their length.
        const LENGTH: u64 = 16;
        let (mut offset, mut count) = (0, 0);
        while offset < len {
            let length = self
                .memory
                .read_value::<u16>(at.saturating_add(offset + LENGTH));
            match length {
                Ok(length) if length > 0 => offset += u64::from(length),
                _ => break,
            }
            count += 1;
        }
        let plural = if count == 1 { "entry" } else { "entries" };
        format!("{} /* {count} {plural} */", value::address(at))
    }

    fn is_buffer(&self, index: usize) -> bool {
        matches!(self.kind(index), Some(Kind::BufOut(_) | Kind::BufPart(_)))
    }

    /// A set of processors.
    fn processors(&self, at: u64, len: u64) -> Option<String> {
        const MOST: u64 = 1024;
        let bytes: Vec<u8> = self.memory.read_array(at, len.min(MOST) as usize).ok()?;
        Some(structure::descriptors(&bytes, bytes.len() * 8))
    }

    fn futex(&self, index: usize) -> Option<Shown> {
        let at = self.arg(index);
        let command = self.int(1) & 0x7f;
        let timed = matches!(
            command,
            libc::FUTEX_WAIT
                | libc::FUTEX_WAIT_BITSET
                | libc::FUTEX_LOCK_PI
                | libc::FUTEX_LOCK_PI2
                | libc::FUTEX_WAIT_REQUEUE_PI
        );
        let counted = matches!(
            command,
            libc::FUTEX_REQUEUE
                | libc::FUTEX_CMP_REQUEUE
                | libc::FUTEX_WAKE_OP
                | libc::FUTEX_CMP_REQUEUE_PI
        );
        let second = counted || command == libc::FUTEX_WAIT_REQUEUE_PI;
        let bits = matches!(command, libc::FUTEX_WAIT_BITSET | libc::FUTEX_WAKE_BITSET);
        Some(match index {
            1 => {
                let text = value::flags(&flags::FUTEX, at);
                text.replacen("|FUTEX_PRIVATE_FLAG", "_PRIVATE", 1).into()
            }
            2 => match command {
                libc::FUTEX_LOCK_PI | libc::FUTEX_UNLOCK_PI | libc::FUTEX_TRYLOCK_PI => Shown::Skip,
                _ => (at as u32).to_string().into(),
            },
            3 if timed => self.input(at, || structure::at(self.memory, at, &TIMESPEC)),
            3 if counted => (at as u32).to_string().into(),
            4 if second => value::address(at).into(),
            5 if bits && at as u32 == u32::MAX => "FUTEX_BITSET_MATCH_ANY".to_owned().into(),
            5 if bits || command == libc::FUTEX_WAKE_OP => value::hex(at).into(),
            5 if second && command != libc::FUTEX_REQUEUE => (at as u32).to_string().into(),
            0 => return None,
            _ => Shown::Skip,
        })
    }

    fn ioctl(&self, index: usize) -> Option<Shown> {
        let number = self.arg(1) as u32;
        let request = request(number);
        if index == 1 {
            return Some(match request {
                Some(request) => request.name.to_owned().into(),
                None => request_number(number).into(),
            });
        }
        let at = self.arg(2);
        let Some(request) = request else {
            return Some(value::hex(at).into());
        };
        Some(match request.argument {
            Argument::Unused => Shown::Skip,
            Argument::Number | Argument::Descriptor => (at as i32).to_string().into(),
            Argument::NewDescriptor => value::flags(&flags::OPEN, at).into(),
            Argument::Pointer(what) => {
                let text = || match what.name {
                    "termios" => terminal(&self.memory.read_array(at, what.size).ok()?),
                    _ => structure::at(self.memory, at, what),
                };
                if is_input(request.name) {
                    self.input(at, text)
                } else {
                    self.output(at, |_| text())
                }
            }
            Argument::Bytes(_)
            | Argument::NamesDescriptor(_)
            | Argument::InterfaceList
            | Argument::DuplicateRanges => value::address(at).into(),
        })
    }

    fn fcntl(&self, at: u64) -> Shown {
        match self.int(1) {
            libc::F_GETFD | libc::F_GETFL | libc::F_GETOWN | libc::F_GETLEASE => Shown::Skip,
            libc::F_GETPIPE_SZ | libc::F_GET_SEALS => Shown::Skip,
            libc::F_SETFD => value::flags(&flags::FD_FLAGS, at).into(),
            libc::F_SETFL => value::flags(&flags::OPEN, at).into(),
            libc::F_ADD_SEALS => value::flags(&flags::SEALS, at).into(),
            libc::F_SETLEASE => value::flags(&flags::LOCK_TYPE, at).into(),
            libc::F_SETLK | libc::F_SETLKW | libc::F_OFD_SETLK | libc::F_OFD_SETLKW => {
                self.input(at, || structure::at(self.memory, at, &FLOCK))
            }
            libc::F_GETLK | libc::F_OFD_GETLK => {
                self.output(at, |_| structure::at(self.memory, at, &FLOCK))
            }
            libc::F_DUPFD | libc::F_DUPFD_CLOEXEC | libc::F_SETOWN | libc::F_SETPIPE_SZ => {
                (at as i32).to_string().into()
            }
            _ => value::hex(at).into(),
        }
    }

    fn prctl(&self, index: usize) -> Shown {
        let at = self.arg(index);
        match (self.int(0), index) {
            (libc::PR_SET_NAME, 1) => self.input(at, || value::string(self.memory, at)),
            (libc::PR_GET_NAME, 1) => self.output(at, |_| value::string(self.memory, at)),
            (libc::PR_SET_PDEATHSIG, 1) => value::signal(at as i32).into(),
            (libc::PR_GET_PDEATHSIG, 1) => {
                self.output(at, |_| structure::at(self.memory, at, &INT))
            }
            (libc::PR_SET_DUMPABLE | libc::PR_SET_KEEPCAPS | libc::PR_SET_TIMERSLACK, 1) => {
                at.to_string().into()
            }
            (libc::PR_SET_SECCOMP, _) => self.seccomp_by_prctl(index),
            (libc::PR_SET_NO_NEW_PRIVS, _) => at.to_string().into(),
            (libc::PR_SET_VMA, 1) if at == 0 => "PR_SET_VMA_ANON_NAME".to_owned().into(),
            (libc::PR_SET_VMA, 2) => value::address(at).into(),
            (libc::PR_SET_VMA, 3) => at.to_string().into(),
            (libc::PR_SET_VMA, 4) => self.input(at, || value::string(self.memory, at)),
            (
                libc::PR_SET_NAME
                | libc::PR_GET_NAME
                | libc::PR_SET_PDEATHSIG
                | libc::PR_GET_PDEATHSIG
                | libc::PR_SET_DUMPABLE
                | libc::PR_SET_KEEPCAPS
                | libc::PR_SET_TIMERSLACK
                | libc::PR_GET_DUMPABLE
                | libc::PR_GET_KEEPCAPS
                | libc::PR_GET_TIMERSLACK
                | libc::PR_GET_SECCOMP
                | libc::PR_GET_SECUREBITS,
                _,
            ) => Shown::Skip,
            _ => value::hex(at).into(),
        }
    }

    fn option_name(&self) -> String {
        let option = self.arg(2);
        match self.int(1) {
            libc::SOL_SOCKET => value::flags(&flags::SO, option),
            libc::SOL_TCP => value::flags(&flags::TCP, option),
            _ => value::hex(option & 0xffff_ffff),
        }
    }

    /// A socket option of `len` bytes: a number, or whatever.
    fn option(&self, at: u64, len: u64) -> Option<String> {
        match len {
            4 => structure::at(self.memory, at, &INT),
            _ => value::bytes(self.memory, at, len, value::quoted),
        }
    }

    /// A file offset that the call moves: `[0] => [5]`.
    fn offset(&self, index: usize) -> Option<Shown> {
        let at = self.arg(index);
        if !matches!(self.kind(index), Some(Kind::InOut(_))) || at == 0 {
            return None;
        }
        let now = || Some(format!("[{}]", self.memory.read_value::<i64>(at).ok()?));
        match (self.row.name, self.result) {
            ("sendfile", _) => Some(self.both(at, |_| now())),
            (_, None) => Some(self.input(at, now)),
            (_, Some(_)) => Some(Shown::Later),
        }
    }
}

/// An argument of call `name` before and after it: one text where they are
/// the same, and `[110 => 2]` for numbers in brackets.
pub fn change(name: &str, before: &str, after: &str) -> String {
    const NAME_LENGTH: &str = "msg_namelen=";
    match name {
        _ if before == after => before.to_owned(),
        "sendfile" => format!("{before} => {after}"),
        "recvmsg" => {
            let now = after
                .split(NAME_LENGTH)
                .nth(1)
                .and_then(|rest| rest.split(',').next());
            if now == Some(before) {
                return after.to_owned();
            }
            after.replacen(NAME_LENGTH, &format!("{NAME_LENGTH}{before} => "), 1)
        }
        _ => match (before.strip_suffix(']'), after.strip_prefix('[')) {
            (Some(before), Some(after)) => format!("{before} => {after}"),
            _ => after.to_owned(),
        },
    }
}

/// `clone`'s flags: the signal for the parent stands in the low byte.
fn clone_flags(value: u64) -> String {
    const SIGNAL: u64 = 0xff;
    let signal = (value & SIGNAL) as i32;
    match (value & !SIGNAL, signal) {
        (bits, 0) => value::flags(&flags::CLONE, bits),
        (0, _) => value::signal(signal),
        (bits, _) => format!(
            "{}|{}",
            value::flags(&flags::CLONE, bits),
            value::signal(signal)
        ),
    }
}

/// The order in which strace prints `clone`'s arguments.
pub fn order_of_clone(parts: &mut Vec<String>) {
    let [flags, stack, parent, child, tls] = parts.as_slice() else {
        return;
    };
    let mut ordered = vec![format!("child_stack={stack}"), format!("flags={flags}")];
    if flags.contains("CLONE_PARENT_SETTID") || flags.contains("CLONE_PIDFD") {
        ordered.push(format!("parent_tid={parent}"));
    }
    if flags.contains("CLONE_SETTLS") {
        ordered.push(format!("tls={tls}"));
    }
    if flags.contains("CLONE_CHILD_SETTID") || flags.contains("CLONE_CHILD_CLEARTID") {
        ordered.push(format!("child_tidptr={child}"));
    }
    *parts = ordered;
}

/// An unknown request by the parts its number is made of.
fn request_number(number: u32) -> String {
    let direction = match number >> 30 {
        0 => "_IOC_NONE",
        1 => "_IOC_WRITE",
        2 => "_IOC_READ",
        _ => "_IOC_READ|_IOC_WRITE",
    };
    let [group, index, size] = [number >> 8 & 0xff, number & 0xff, number >> 16 & 0x3fff];
    let [group, index, size] = [group, index, size].map(|part| value::hex(u64::from(part)));
    format!("_IOC({direction}, {group}, {index}, {size}) /* unknown to km */")
}

/// Whether a request's argument is read by the host.
fn is_input(request: &str) -> bool {
    request.contains("SET")
        || matches!(
            request,
            "TCSETS" | "TIOCSPGRP" | "TIOCSWINSZ" | "TIOCSETD" | "TIOCSPTLCK"
        )
        || matches!(
            request,
            "FIONBIO" | "FIOASYNC" | "TIOCPKT" | "TIOCMBIS" | "TIOCMBIC" | "TIOCMSET"
        )
}

/// `struct termios`, its speed and four bits of it.
fn terminal(bytes: &[u8]) -> Option<String> {
    const CBAUD: u64 = 0o10017;
    let [output, control, local] = [4, 8, 12].map(|offset| structure::number(bytes, offset, 4));
    let speed = match control & CBAUD {
        0o13 => "B9600".to_owned(),
        0o16 => "B19200".to_owned(),
        0o17 => "B38400".to_owned(),
        0o10002 => "B115200".to_owned(),
        other => value::hex(other),
    };
    let bit = |word: u64, mask: u32, name: &str| {
        format!(
            " {}{name}",
            if word & u64::from(mask) == 0 { "-" } else { "" }
        )
    };
    Some(format!(
        "{{{speed}{}{}{}{} ...}}",
        bit(output, libc::OPOST, "opost"),
        bit(local, libc::ISIG, "isig"),
        bit(local, libc::ICANON, "icanon"),
        bit(local, libc::ECHO, "echo"),
    ))
}
