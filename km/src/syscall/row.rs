//! A row of the system call table.

use super::Outcome;
use super::args::{Arg, Ret};
use super::call::Call;
use crate::errno::Errno;

/// One system call: everything km knows and does about it.
#[derive(Debug)]
pub struct Row {
    /// Linux's x86-64 number.
    pub number: u16,
    /// Linux's name.
    pub name: &'static str,
    /// Its arguments, at most six.
    pub args: &'static [Arg],
    pub ret: Ret,
    pub action: Action,
    pub level: Level,
    /// What is missing, or why the call is refused. Empty for full support.
    pub note: &'static str,
}

/// What km does for a call.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// The same call on the host, with pointers translated.
    Proxy,
    /// Code of the monitor.
    Handle(fn(&mut Call<'_>) -> Outcome),
    /// Always this error.
    Refuse(Errno),
}

/// How much of the call works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As on Linux.
    Full,
    /// Works but for what the note says.
    Partial,
    /// Refused; the note says why.
    None,
}

impl Level {
    pub const fn name(self) -> &'static str {
        match self {
            Level::Full => "full",
            Level::Partial => "partial",
            Level::None => "none",
        }
    }
}

impl Row {
    /// A call that goes to the host as it is.
    pub const fn proxy(number: u16, name: &'static str, args: &'static [Arg], ret: Ret) -> Row {
        Row::full(number, name, args, ret, Action::Proxy)
    }

    /// A call with code of its own.
    pub const fn handle(
        number: u16,
        name: &'static str,
        args: &'static [Arg],
        ret: Ret,
        handler: fn(&mut Call<'_>) -> Outcome,
    ) -> Row {
        Row::full(number, name, args, ret, Action::Handle(handler))
    }

    const fn full(
        number: u16,
        name: &'static str,
        args: &'static [Arg],
        ret: Ret,
        action: Action,
    ) -> Row {
        Row {
            number,
            name,
            args,
            ret,
            action,
            level: Level::Full,
            note: "",
        }
    }

    /// A call that always fails, and why.
    pub const fn refuse(
        number: u16,
        name: &'static str,
        args: &'static [Arg],
        errno: Errno,
        note: &'static str,
    ) -> Row {
        let action = Action::Refuse(errno);
        Row {
            number,
            name,
            args,
            ret: Ret::Int,
            action,
            level: Level::None,
            note,
        }
    }

    /// The same row with a gap to be told.
    pub const fn partial(mut self, note: &'static str) -> Row {
        self.level = Level::Partial;
        self.note = note;
        self
    }
}
