//! One line a call, in strace's format:
//! `openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3`.
//!
//! What a call reads is printed before it, what it writes after it, from
//! payload memory. Only text is made here; where it goes is not decided.

mod arguments;
mod message;
mod result;
mod seccomp;
mod special;
mod structure;
mod value;

use super::Outcome;
use super::args::Kind;
use super::row::Row;
use crate::errno::Errno;
use crate::mem::guest::GuestMemory;

/// Column of the equals sign, unless the call is longer.
const RESULT_COLUMN: usize = 40;

/// A call that was begun.
#[derive(Debug)]
pub struct Trace {
    number: u64,
    row: Option<&'static Row>,
    args: [u64; 6],
    before: Vec<Shown>,
}

/// An argument's text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shown {
    Text(String),
    /// Read and written: this is what it was before.
    Before(String),
    /// Known after the call only.
    Later,
    /// Not printed.
    Skip,
}

impl From<String> for Shown {
    fn from(text: String) -> Shown {
        Shown::Text(text)
    }
}

/// A call with all that its printing may look at.
struct Printer<'a> {
    memory: &'a GuestMemory,
    row: &'static Row,
    args: &'a [u64; 6],
    /// What it returned; `None` before it.
    result: Option<Result<u64, Errno>>,
}

impl Trace {
    /// Reads what must be captured before the call. `row` is its row in the
    /// table, if it has one.
    pub fn enter(
        memory: &GuestMemory,
        number: u64,
        row: Option<&'static Row>,
        args: &[u64; 6],
    ) -> Trace {
        let before = match row {
            Some(row) => {
                let printer = Printer {
                    memory,
                    row,
                    args,
                    result: None,
                };
                (0..row.args.len())
                    .map(|index| printer.argument(index))
                    .collect()
            }
            None => args.iter().map(|value| value::hex(*value).into()).collect(),
        };
        Trace {
            number,
            row,
            args: *args,
            before,
        }
    }

    /// The line, without its end.
    pub fn exit(&self, memory: &GuestMemory, outcome: &Outcome) -> String {
        let result = match outcome {
            Outcome::Done(value) => Some(Ok(*value)),
            Outcome::Fail(errno) => Some(Err(*errno)),
            Outcome::Control(_) => None,
        };
        let Some(row) = self.row else {
            let call = self.call(|_| None);
            return line(call, &result::number(result));
        };
        let printer = Printer {
            memory,
            row,
            args: &self.args,
            result,
        };
        let call = self.call(|index| Some(printer.argument(index)));
        line(call, &printer.result_text())
    }

    /// `name(argument, …)`; `after` prints an argument after the call.
    fn call(&self, after: impl Fn(usize) -> Option<Shown>) -> String {
        let mut parts = Vec::with_capacity(self.before.len());
        for (index, before) in self.before.iter().enumerate() {
            match (before, after(index)) {
                (Shown::Text(text), _) => parts.push(text.clone()),
                (Shown::Skip, _) => {}
                (Shown::Before(before), Some(Shown::Text(after))) => {
                    let name = self.row.map_or("", |row| row.name);
                    parts.push(special::change(name, before, &after));
                }
                (Shown::Before(before), _) => parts.push(before.clone()),
                (Shown::Later, Some(Shown::Text(after))) => parts.push(after),
                (Shown::Later, Some(Shown::Skip)) => {}
                (Shown::Later, _) => {
                    let address = self.args.get(index).copied().unwrap_or(0);
                    parts.push(value::address(address));
                }
            }
        }
        if self.row.is_some_and(|row| row.name == "clone") {
            special::order_of_clone(&mut parts);
        }
        let name = match self.row {
            Some(row) => row.name.to_owned(),
            None => format!("syscall_{:#x}", self.number),
        };
        format!("{name}({})", parts.join(", "))
    }
}

fn line(call: String, result: &str) -> String {
    format!(
        "{call:<RESULT_COLUMN$}{}= {result}",
        if call.len() < RESULT_COLUMN { "" } else { " " }
    )
}

impl Printer<'_> {
    fn arg(&self, index: usize) -> u64 {
        self.args.get(index).copied().unwrap_or(0)
    }

    fn int(&self, index: usize) -> i32 {
        self.arg(index) as i32
    }

    /// Argument `index` as a number of elements or bytes.
    fn count(&self, index: u8) -> u64 {
        super::call::count(self.row, self.args, usize::from(index))
    }

    /// The value, once the call has succeeded.
    fn returned(&self) -> Option<u64> {
        self.result.and_then(Result::ok)
    }

    /// An output: not known before, an address if the call failed.
    fn output(&self, address: u64, text: impl FnOnce(u64) -> Option<String>) -> Shown {
        match (self.result, address) {
            (None, 0) => value::address(0).into(),
            (None, _) => Shown::Later,
            (Some(Ok(returned)), _) => text(returned)
                .unwrap_or_else(|| value::address(address))
                .into(),
            (Some(Err(_)), _) => value::address(address).into(),
        }
    }

    /// An input: text, or the address where it cannot be read.
    fn input(&self, address: u64, text: impl FnOnce() -> Option<String>) -> Shown {
        match address {
            0 => value::address(0).into(),
            _ => text().unwrap_or_else(|| value::address(address)).into(),
        }
    }

    fn kind(&self, index: usize) -> Option<Kind> {
        self.row.args.get(index).map(|arg| arg.kind)
    }
}

#[cfg(test)]
mod tests;
