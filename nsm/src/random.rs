//! Random numbers, from `getrandom(2)` and nowhere else.
//!
//! A static program is not found by the usual crate to have that call. It reads
//! `/dev/urandom` then, by a descriptor and a path that the payload shares with
//! its monitor and could put something else in the place of.

use p384::ecdsa::SigningKey;
use rustix::rand::{GetRandomFlags, getrandom};

/// Why there are none.
pub type Error = rustix::io::Errno;

/// Fills all of `buffer`.
///
/// # Errors
///
/// From `getrandom(2)`.
pub fn fill(buffer: &mut [u8]) -> Result<(), Error> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match getrandom(rest, GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(Error::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A new key.
///
/// # Errors
///
/// As [`fill`].
pub fn key() -> Result<SigningKey, Error> {
    loop {
        let mut bytes = [0; 48];
        fill(&mut bytes)?;
        // Nearly all numbers of that length are keys; each is as likely.
        if let Ok(key) = SigningKey::from_slice(&bytes) {
            return Ok(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_is_filled_each_time_anew() {
        for length in [0, 1, 256, 5000] {
            let (mut one, mut other) = (vec![0; length], vec![0; length]);
            fill(&mut one).unwrap();
            fill(&mut other).unwrap();
            assert!(length < 16 || one != other);
            assert!(length < 16 || one[length - 16..] != [0; 16]);
        }
        assert_ne!(key().unwrap().to_bytes(), key().unwrap().to_bytes());
    }
}
