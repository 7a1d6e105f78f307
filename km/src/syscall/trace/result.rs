//! What stands after the equals sign.

use super::{Printer, structure, value};
use crate::errno::Errno;
use crate::sys::call::NOT_BEGUN;
use crate::syscall::args::Ret;
use crate::syscall::flags;
use crate::syscall::structs::{TIMESPEC, TIMEVAL};

/// A result of which nothing is known but the number.
pub fn number(result: Option<Result<u64, Errno>>) -> String {
    match result {
        None => "?".to_owned(),
        Some(Ok(value)) => (value as i64).to_string(),
        Some(Err(errno)) => error(errno),
    }
}

fn error(errno: Errno) -> String {
    match (errno, errno.name()) {
        (NOT_BEGUN, _) => "? ERESTARTSYS (To be restarted if SA_RESTART is set)".to_owned(),
        (_, Some(name)) => format!("-1 {name} ({errno})"),
        (_, None) => format!("-1 (errno {})", errno.raw()),
    }
}

impl Printer<'_> {
    pub(super) fn result_text(&self) -> String {
        let Some(Ok(value)) = self.result else {
            return number(self.result);
        };
        let plain = match self.row.ret {
            Ret::Hex => value::hex(value),
            Ret::Octal => value::octal(value),
            Ret::Int | Ret::Fd => (value as i64).to_string(),
            Ret::Never => "?".to_owned(),
        };
        match self.remark(value) {
            Some(Remark::Beside(text)) => format!("{plain} ({text})"),
            Some(Remark::Flags(text)) => format!("{} ({text})", value::hex(value)),
            None => plain,
        }
    }

    /// What strace says beside the number.
    fn remark(&self, value: u64) -> Option<Remark> {
        match self.row.name {
            "poll" | "ppoll" | "select" | "pselect6" if value == 0 => {
                Some(Remark::Beside("Timeout".to_owned()))
            }
            "poll" | "ppoll" => self.ready_polled().map(Remark::Beside),
            "select" | "pselect6" => self.ready_selected().map(Remark::Beside),
            "sched_getscheduler" => Some(Remark::Beside(value::flags(&flags::SCHED, value))),
            "fcntl" => match self.int(1) {
                libc::F_GETFL => Some(Remark::Flags(format!(
                    "flags {}",
                    value::flags(&flags::OPEN, value)
                ))),
                libc::F_GETFD if value != 0 => Some(Remark::Flags(format!(
                    "flags {}",
                    value::flags(&flags::FD_FLAGS, value)
                ))),
                libc::F_GET_SEALS if value != 0 => Some(Remark::Flags(format!(
                    "seals {}",
                    value::flags(&flags::SEALS, value)
                ))),
                _ => None,
            },
            _ => None,
        }
    }

    /// `[{fd=3, revents=POLLIN}], left {…}`.
    fn ready_polled(&self) -> Option<String> {
        const ENTRY: usize = 8;
        const SHOWN: u64 = 4096;
        let count = self.count(1).min(SHOWN) as usize;
        let entries: Vec<[u8; ENTRY]> = self.memory.read_array(self.arg(0), count).ok()?;
        let ready: Vec<String> = entries
            .iter()
            .map(|entry| {
                (
                    structure::number(entry, 0, 4) as i32,
                    structure::number(entry, 6, 2),
                )
            })
            .filter(|(_, revents)| *revents != 0)
            .map(|(fd, revents)| {
                format!(
                    "{{fd={fd}, revents={}}}",
                    value::flags(&flags::POLL, revents)
                )
            })
            .collect();
        let left = match self.row.name {
            "ppoll" => structure::at(self.memory, self.arg(2), &TIMESPEC),
            _ => None,
        };
        let ready = format!("[{}]", ready.join(", "));
        Some(left.map_or(ready.clone(), |left| format!("{ready}, left {left}")))
    }

    /// `in [3], out [4], left {…}`.
    fn ready_selected(&self) -> Option<String> {
        let mut parts = Vec::new();
        for (index, name) in [(1, "in"), (2, "out"), (3, "except")] {
            let Some(set) = self.descriptor_set(index) else {
                continue;
            };
            if set != "[]" {
                parts.push(format!("{name} {set}"));
            }
        }
        let timeout = if self.row.name == "select" {
            &TIMEVAL
        } else {
            &TIMESPEC
        };
        if self.arg(4) != 0
            && let Some(left) = structure::at(self.memory, self.arg(4), timeout)
        {
            parts.push(format!("left {left}"));
        }
        Some(parts.join(", "))
    }

    /// The set of descriptors in argument `index` of `select`.
    pub(super) fn descriptor_set(&self, index: usize) -> Option<String> {
        const MOST: i32 = 65_536;
        let count = self.int(0).clamp(0, MOST) as usize;
        let at = self.arg(index);
        if at == 0 {
            return None;
        }
        let bytes: Vec<u8> = self.memory.read_array(at, count.div_ceil(8)).ok()?;
        Some(structure::descriptors(&bytes, count))
    }
}

/// What is printed beside a result.
enum Remark {
    /// The number in decimal, and this.
    Beside(String),
    /// The number in hexadecimal, and this.
    Flags(String),
}
