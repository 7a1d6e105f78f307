//! Arguments by their kind.

use super::{Printer, Shown, message, structure, value};
use crate::syscall::args::{Kind, Struct};

impl Printer<'_> {
    /// Argument `index`, before or after the call.
    pub(super) fn argument(&self, index: usize) -> Shown {
        if let Some(shown) = self.special(index) {
            return shown;
        }
        let at = self.arg(index);
        let Some(kind) = self.kind(index) else {
            return Shown::Skip;
        };
        match kind {
            Kind::Int | Kind::Fd => (at as i32).to_string().into(),
            Kind::Uint => (at as u32).to_string().into(),
            Kind::Long => (at as i64).to_string().into(),
            Kind::Size => at.to_string().into(),
            Kind::Hex => value::hex(at).into(),
            Kind::Mode => value::octal(at & 0xffff).into(),
            Kind::DirFd => match at as i32 {
                libc::AT_FDCWD => "AT_FDCWD".to_owned().into(),
                fd => fd.to_string().into(),
            },
            Kind::Flags(flags) => value::flags(flags, at).into(),
            Kind::Signal => value::signal(at as i32).into(),
            Kind::Address | Kind::Nested => value::address(at).into(),
            Kind::Path => self.input(at, || value::path(self.memory, at)),
            Kind::PathOut => self.output(at, |_| value::path(self.memory, at)),
            Kind::Str => self.input(at, || value::string(self.memory, at)),
            Kind::BufIn(len) => {
                let len = self.count(len);
                self.input(at, || value::bytes(self.memory, at, len, value::quoted))
            }
            Kind::BufOut(len) | Kind::BufPart(len) => {
                let room = self.count(len);
                self.output(at, |got| {
                    value::bytes(self.memory, at, got.min(room), value::quoted)
                })
            }
            Kind::In(what) => self.input(at, || structure::at(self.memory, at, what)),
            Kind::Out(what) => self.output(at, |_| structure::at(self.memory, at, what)),
            Kind::InOut(what) => self.both(at, |_| structure::at(self.memory, at, what)),
            Kind::ArrayIn(what, count) => {
                self.input(at, || self.array(at, what, self.count(count)))
            }
            // The kernel says how many it wrote.
            Kind::ArrayOut(what, _) => self.output(at, |count| self.array(at, what, count)),
            Kind::ArrayInOut(what, count) => {
                self.both(at, |_| self.array(at, what, self.count(count)))
            }
            Kind::IovIn(count) => self.input(at, || {
                message::buffers(self.memory, at, self.count(count), None)
            }),
            Kind::IovOut(count) => match self.result {
                None if at == 0 => value::address(0).into(),
                None => Shown::Later,
                Some(result) => {
                    let got = result.ok();
                    self.input(at, || {
                        message::buffers(self.memory, at, self.count(count), Some(got))
                    })
                }
            },
            Kind::SockaddrIn(len) => self.input(at, || {
                message::socket_address(self.memory, at, self.count(len))
            }),
            Kind::SockaddrOut(len) => self.output(at, |_| {
                let len: u32 = self.memory.read_value(self.arg(usize::from(len))).ok()?;
                message::socket_address(self.memory, at, u64::from(len))
            }),
            Kind::MsgIn => self.input(at, || message::header(self.memory, at, None)),
            // The length of the name is read and written.
            Kind::MsgOut if self.result.is_none() => match self.memory.read_value::<[u64; 2]>(at) {
                Ok([_, length]) => Shown::Before((length as u32).to_string()),
                Err(_) => value::address(at).into(),
            },
            Kind::MsgOut => self.output(at, |got| message::header(self.memory, at, Some(got))),
            Kind::Argv => self.input(at, || message::strings(self.memory, at)),
            Kind::Envp => self.input(at, || message::environment(self.memory, at)),
            Kind::Unused => Shown::Skip,
        }
    }

    fn array(&self, at: u64, what: &Struct, count: u64) -> Option<String> {
        value::list(count, |index| {
            let element = at.checked_add(index.checked_mul(what.size as u64)?)?;
            let text = structure::at(self.memory, element, what)?;
            // Numbers in a list need no brackets of their own.
            Some(text.trim_matches(['[', ']']).to_owned())
        })
    }

    /// What the call reads and writes.
    pub(super) fn both(&self, at: u64, text: impl FnOnce(u64) -> Option<String>) -> Shown {
        match (self.result, at) {
            (_, 0) => value::address(0).into(),
            (None, _) => match text(0) {
                Some(text) => Shown::Before(text),
                None => value::address(at).into(),
            },
            (Some(Ok(returned)), _) => text(returned).map_or(Shown::Later, Shown::Text),
            (Some(Err(_)), _) => Shown::Later,
        }
    }
}
