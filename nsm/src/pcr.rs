//! Platform configuration registers.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha384};

use crate::message::ErrorCode;

/// How many registers there are.
pub const COUNT: u16 = 32;
/// How many of them only the launch sets: 0 up to this are locked from the
/// start.
pub const OF_LAUNCH: u16 = 16;

/// A SHA-384 digest.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct Digest([u8; Digest::LEN]);

impl Digest {
    pub const LEN: usize = 48;
    /// What each register starts with.
    pub const ZERO: Digest = Digest([0; Digest::LEN]);

    /// Of these parts, one after the other.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
        let mut hash = Sha384::new();
        parts.into_iter().for_each(|part| hash.update(part));
        Digest(hash.finalize().into())
    }

    /// A register after it was extended by `data`.
    pub fn extended(&self, data: &[u8]) -> Digest {
        Digest::of([&self.0, data])
    }

    /// A fresh register after it was extended by the digest of `content`.
    pub fn measurement_of(content: &[u8]) -> Digest {
        Digest::ZERO.extended(Digest::of([content]).bytes())
    }

    pub fn bytes(&self) -> &[u8; Digest::LEN] {
        &self.0
    }
}

impl From<[u8; Digest::LEN]> for Digest {
    fn from(bytes: [u8; Digest::LEN]) -> Digest {
        Digest(bytes)
    }
}

impl TryFrom<Vec<u8>> for Digest {
    type Error = &'static str;

    fn try_from(bytes: Vec<u8>) -> Result<Digest, Self::Error> {
        let bytes = bytes.try_into();
        bytes.map(Digest).map_err(|_| "not as long as a digest")
    }
}

impl From<Digest> for Vec<u8> {
    fn from(digest: Digest) -> Vec<u8> {
        digest.0.to_vec()
    }
}

/// In hexadecimal digits.
impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// The registers of one virtual machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bank {
    values: Vec<Digest>,
    /// A bit each.
    locked: u32,
}

impl Bank {
    /// Registers as a launch leaves them: those in `measured` have a value, and
    /// the first [`OF_LAUNCH`] are locked.
    pub fn new(measured: impl IntoIterator<Item = (u16, Digest)>) -> Bank {
        let mut values = vec![Digest::ZERO; usize::from(COUNT)];
        for (index, value) in measured {
            if let Some(register) = values.get_mut(usize::from(index)) {
                *register = value;
            }
        }
        let locked = (1 << OF_LAUNCH) - 1;
        Bank { values, locked }
    }

    fn find(&self, index: u16) -> Result<&Digest, ErrorCode> {
        let value = self.values.get(usize::from(index));
        value.ok_or(ErrorCode::InvalidIndex)
    }

    fn is_locked(&self, index: u16) -> bool {
        index < COUNT && self.locked & 1 << index != 0
    }

    /// The value of a register, and whether it is locked.
    ///
    /// # Errors
    ///
    /// `InvalidIndex`.
    pub fn describe(&self, index: u16) -> Result<(Digest, bool), ErrorCode> {
        let value = *self.find(index)?;
        Ok((value, self.is_locked(index)))
    }

    /// Extends a register; its new value.
    ///
    /// # Errors
    ///
    /// `InvalidIndex`, `ReadOnlyIndex`.
    pub fn extend(&mut self, index: u16, data: &[u8]) -> Result<Digest, ErrorCode> {
        let value = self.find(index)?.extended(data);
        if self.is_locked(index) {
            return Err(ErrorCode::ReadOnlyIndex);
        }
        if let Some(register) = self.values.get_mut(usize::from(index)) {
            *register = value;
        }
        Ok(value)
    }

    /// Locks one that is not locked.
    ///
    /// # Errors
    ///
    /// `InvalidIndex`, `ReadOnlyIndex`.
    pub fn lock(&mut self, index: u16) -> Result<(), ErrorCode> {
        self.find(index)?;
        if self.is_locked(index) {
            return Err(ErrorCode::ReadOnlyIndex);
        }
        self.locked |= 1 << index;
        Ok(())
    }

    /// Locks all below `range`, those that are locked included.
    ///
    /// # Errors
    ///
    /// `InvalidIndex` where there are not so many.
    pub fn lock_below(&mut self, range: u16) -> Result<(), ErrorCode> {
        if range > COUNT {
            return Err(ErrorCode::InvalidIndex);
        }
        let below = u32::MAX.checked_shr(u32::from(COUNT - range));
        self.locked |= below.unwrap_or(0);
        Ok(())
    }

    /// The locked ones, in ascending order.
    pub fn locked(&self) -> impl Iterator<Item = (u16, Digest)> {
        let all = (0..COUNT).zip(&self.values);
        all.filter(|(index, _)| self.is_locked(*index))
            .map(|(index, value)| (index, *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_exclude_their_end() {
        let mut bank = Bank::new([]);
        for (range, locked) in [(0, 16), (3, 16), (17, 17), (32, 32)] {
            assert_eq!(bank.lock_below(range), Ok(()));
            assert_eq!(bank.locked().count(), locked, "{range}");
        }
        assert_eq!(bank.lock_below(33), Err(ErrorCode::InvalidIndex));
    }

    #[test]
    fn what_is_locked_stays() {
        let mut bank = Bank::new([(0, Digest::measurement_of(b"x"))]);
        assert_eq!(bank.extend(0, b"y"), Err(ErrorCode::ReadOnlyIndex));
        assert_eq!(bank.extend(32, b"y"), Err(ErrorCode::InvalidIndex));
        let before = bank.extend(16, b"").unwrap();
        assert_ne!(before, Digest::ZERO, "no data is data as well");
        assert_eq!(bank.lock(16), Ok(()));
        assert_eq!(bank.lock(16), Err(ErrorCode::ReadOnlyIndex));
        assert_eq!(bank.lock(32), Err(ErrorCode::InvalidIndex));
        assert_eq!(bank.describe(16), Ok((before, true)));
        assert_eq!(bank.describe(32), Err(ErrorCode::InvalidIndex));
    }
}
