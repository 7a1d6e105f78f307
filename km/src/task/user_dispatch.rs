//! Calls that a thread wants to answer itself: `PR_SET_SYSCALL_USER_DISPATCH`,
//! by which programs for other systems are run.

use crate::errno::Errno;
use crate::mem::layout::TASK_SIZE;

/// Which calls the thread gets back as a SIGSYS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserDispatch {
    /// Calls from the addresses from here on are made.
    start: u64,
    /// For so many bytes, around the end of all addresses if need be.
    len: u64,
    /// Where the byte is that says whether those from elsewhere are; nowhere,
    /// if 0.
    selector: u64,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Make,
    /// The thread gets SIGSYS instead.
    HandBack,
    /// The process ends by this signal.
    Kill(i32),
}

impl UserDispatch {
    /// As `prctl(2)` sets it (`task_set_syscall_user_dispatch()`); nothing, if
    /// it turns it off.
    ///
    /// # Errors
    ///
    /// EINVAL for an unknown mode or an impossible range, EFAULT for a selector
    /// outside the payload's addresses.
    pub fn new(
        mode: u64,
        start: u64,
        len: u64,
        selector: u64,
    ) -> Result<Option<UserDispatch>, Errno> {
        const OFF: u64 = 0;
        /// Calls from within the range are made.
        const EXCLUSIVE_ON: u64 = 1;
        /// Calls from outside it are.
        const INCLUSIVE_ON: u64 = 2;
        let is_empty = start.wrapping_add(len) <= start;
        let (start, len) = match mode {
            OFF if start == 0 && len == 0 && selector == 0 => return Ok(None),
            EXCLUSIVE_ON if start == 0 || !is_empty => (start, len),
            INCLUSIVE_ON if len != 0 && !is_empty => (start.wrapping_add(len), len.wrapping_neg()),
            _ => return Err(Errno::EINVAL),
        };
        if selector >= TASK_SIZE {
            return Err(Errno::EFAULT);
        }
        Ok(Some(UserDispatch {
            start,
            len,
            selector,
        }))
    }

    /// What becomes of a call whose instruction ends at `address`. `read` reads
    /// the payload's memory.
    pub fn choose(&self, address: u64, read: impl FnOnce(u64) -> Result<u8, Errno>) -> Choice {
        const ALLOW: u8 = 0;
        const BLOCK: u8 = 1;
        if address.wrapping_sub(self.start) < self.len {
            return Choice::Make;
        }
        if self.selector == 0 {
            return Choice::HandBack;
        }
        match read(self.selector) {
            Ok(ALLOW) => Choice::Make,
            Ok(BLOCK) => Choice::HandBack,
            Ok(_) => Choice::Kill(libc::SIGSYS),
            Err(_) => Choice::Kill(libc::SIGSEGV),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SELECTOR: u64 = 0x5000;

    fn set(mode: u64, start: u64, len: u64) -> UserDispatch {
        let set = UserDispatch::new(mode, start, len, SELECTOR);
        set.expect("accepted").expect("turned on")
    }

    #[test]
    fn calls_from_the_range_are_made_whatever_the_selector_says() {
        let exclusive = set(1, 0x1000, 0x100);
        let inclusive = set(2, 0x1000, 0x100);
        for (address, is_inside) in [
            (0xfff, false),
            (0x1000, true),
            (0x10ff, true),
            (0x1100, false),
        ] {
            let (inside, outside) = match is_inside {
                true => (exclusive, inclusive),
                false => (inclusive, exclusive),
            };
            assert_eq!(inside.choose(address, |_| Err(Errno::EFAULT)), Choice::Make);
            assert_eq!(outside.choose(address, |_| Ok(1)), Choice::HandBack);
        }
    }

    #[test]
    fn the_selector_decides() {
        let all = set(1, 0, 0);
        let choose = |answer| {
            all.choose(0x1000, |address| {
                assert_eq!(address, SELECTOR);
                answer
            })
        };
        assert_eq!(choose(Ok(0)), Choice::Make);
        assert_eq!(choose(Ok(1)), Choice::HandBack);
        assert_eq!(choose(Ok(2)), Choice::Kill(libc::SIGSYS));
        assert_eq!(choose(Err(Errno::EFAULT)), Choice::Kill(libc::SIGSEGV));
        let without = UserDispatch::new(1, 0, 0, 0).expect("accepted");
        let without = without.expect("turned on");
        let choice = without.choose(0x1000, |_| Err(Errno::EFAULT));
        assert_eq!(choice, Choice::HandBack);
    }

    #[test]
    fn what_linux_refuses_is_refused() {
        for (mode, start, len) in [
            (3, 0, 0),
            (0, 1, 0),
            (0, 0, 1),
            (1, 0x1000, 0),
            (1, 0x1000, u64::MAX),
            (2, 0, 0),
            (2, 0x1000, u64::MAX),
        ] {
            let refused = UserDispatch::new(mode, start, len, 0);
            assert_eq!(refused, Err(Errno::EINVAL), "{mode} {start:#x} {len:#x}");
        }
        assert_eq!(UserDispatch::new(0, 0, 0, 1), Err(Errno::EINVAL));
        assert_eq!(UserDispatch::new(0, 0, 0, 0), Ok(None));
        let refused = UserDispatch::new(1, 0, 0, TASK_SIZE);
        assert_eq!(refused, Err(Errno::EFAULT));
    }
}
