//! What a payload asks of `seccomp(2)`, by its own call or by `prctl`.

use super::{Printer, Shown, value};
use crate::syscall::flags;

impl Printer<'_> {
    /// Argument `index` of `seccomp`.
    pub(super) fn seccomp(&self, index: usize) -> Option<Shown> {
        let at = self.arg(index);
        let shown = match (self.arg(0) as u32, index) {
            (libc::SECCOMP_SET_MODE_FILTER, 2) => self.filter_program(at),
            (libc::SECCOMP_GET_ACTION_AVAIL, 2) => self.input(at, || {
                let action: u32 = self.memory.read_value(at).ok()?;
                let action = value::flags(&flags::SECCOMP_RET, u64::from(action));
                Some(format!("[{action}]"))
            }),
            (libc::SECCOMP_GET_NOTIF_SIZES, 2) => self.output(at, |_| {
                let [question, answer, data]: [u16; 3] = self.memory.read_value(at).ok()?;
                Some(format!(
                    "{{seccomp_notif={question}, seccomp_notif_resp={answer}, seccomp_data={data}}}"
                ))
            }),
            (libc::SECCOMP_SET_MODE_FILTER, _) | (_, 0 | 2..) => return None,
            (_, 1) => value::hex(at & 0xffff_ffff).into(),
        };
        Some(shown)
    }

    /// Argument `index` of `prctl(PR_SET_SECCOMP)`.
    pub(super) fn seccomp_by_prctl(&self, index: usize) -> Shown {
        let at = self.arg(index);
        match index {
            1 => value::flags(&flags::SECCOMP_MODE, at).into(),
            2 if self.arg(1) == u64::from(libc::SECCOMP_MODE_FILTER) => self.filter_program(at),
            _ => Shown::Skip,
        }
    }

    /// `struct sock_fprog`: how many instructions, and where they are.
    fn filter_program(&self, at: u64) -> Shown {
        self.input(at, || {
            let [len, instructions]: [u64; 2] = self.memory.read_value(at).ok()?;
            let instructions = value::address(instructions);
            Some(format!("{{len={}, filter={instructions}}}", len as u16))
        })
    }
}
