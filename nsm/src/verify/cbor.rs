//! CBOR as documents use it: read in place, item by item, without recursion
//! and without memory of its own.
//!
//! Strings, and all but one map, have a definite length. Heads need not be the
//! shortest ones.

use thiserror::Error;

/// What is wrong with the bytes, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CborError {
    #[error("the document ends at byte {at}, in the middle of an item")]
    Truncated { at: usize },
    #[error("at byte {at}: expected {expected}")]
    Unexpected { at: usize, expected: &'static str },
    #[error("at byte {at}: not CBOR")]
    Malformed { at: usize },
    #[error("at byte {at}: text that is not UTF-8")]
    Text { at: usize },
    #[error("{count} bytes follow the last item")]
    Trailing { count: usize },
}

/// How many entries a map has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Definite(u64),
    /// As many as come before the break.
    Indefinite,
}

const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

const NULL: u8 = 0xf6;
const BREAK: u8 = 0xff;
const INDEFINITE_MAP: u8 = 0xbf;

/// Where reading is.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, at: 0 }
    }

    /// An integer that is not negative.
    ///
    /// # Errors
    ///
    /// When something else comes next.
    pub fn unsigned(&mut self) -> Result<u64, CborError> {
        self.head(UNSIGNED, "an unsigned integer")
    }

    /// A byte string.
    ///
    /// # Errors
    ///
    /// When something else comes next.
    pub fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        let length = self.head(BYTES, "a byte string")?;
        self.take(length)
    }

    /// A text string.
    ///
    /// # Errors
    ///
    /// When something else comes next.
    pub fn text(&mut self) -> Result<&'a str, CborError> {
        let length = self.head(TEXT, "a text string")?;
        let at = self.at;
        str::from_utf8(self.take(length)?).map_err(|_| CborError::Text { at })
    }

    /// The head of an array, which says how many items follow.
    ///
    /// # Errors
    ///
    /// When something else comes next.
    pub fn array(&mut self) -> Result<u64, CborError> {
        self.head(ARRAY, "an array of definite length")
    }

    /// The head of a map, which says how many entries follow.
    ///
    /// # Errors
    ///
    /// When something else comes next.
    pub fn map(&mut self) -> Result<u64, CborError> {
        self.head(MAP, "a map of definite length")
    }

    /// The head of a map that may leave open how many entries follow.
    ///
    /// # Errors
    ///
    /// When something else comes next.
    pub fn open_map(&mut self) -> Result<Count, CborError> {
        if self.skip(INDEFINITE_MAP) {
            return Ok(Count::Indefinite);
        }
        self.head(MAP, "a map").map(Count::Definite)
    }

    /// Whether a null comes next, which is then read.
    pub fn null(&mut self) -> bool {
        self.skip(NULL)
    }

    /// Whether the end of an open map comes next, which is then read.
    pub fn end_of_map(&mut self) -> bool {
        self.skip(BREAK)
    }

    /// Whether this tag comes next, which is then read.
    pub fn tag(&mut self, number: u64) -> bool {
        let mut ahead = self.clone();
        let found = ahead.head(TAG, "a tag") == Ok(number);
        if found {
            *self = ahead;
        }
        found
    }

    /// That nothing follows.
    ///
    /// # Errors
    ///
    /// When something does.
    pub fn end(&self) -> Result<(), CborError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(CborError::Trailing { count }),
        }
    }

    /// The argument of an item's head, if the item is of that major type.
    fn head(&mut self, major: u8, expected: &'static str) -> Result<u64, CborError> {
        let at = self.at;
        let (first, rest) = self.rest.split_first().ok_or(CborError::Truncated { at })?;
        if first >> 5 != major {
            return Err(CborError::Unexpected { at, expected });
        }
        let following = match first & 0x1f {
            direct @ 0..=23 => {
                (self.rest, self.at) = (rest, at + 1);
                return Ok(u64::from(direct));
            }
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            31 => return Err(CborError::Unexpected { at, expected }),
            _ => return Err(CborError::Malformed { at }),
        };
        (self.rest, self.at) = (rest, at + 1);
        let bytes = self.take(following)?;
        Ok(bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], CborError> {
        let truncated = CborError::Truncated {
            at: self.at + self.rest.len(),
        };
        let length = usize::try_from(length).map_err(|_| truncated)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(truncated)?;
        (self.rest, self.at) = (rest, self.at + length);
        Ok(taken)
    }

    fn skip(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if *first == byte => {
                (self.rest, self.at) = (rest, self.at + 1);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_all_lengths() {
        let bytes = [
            0x17, 0x18, 0x18, 0x19, 1, 0, 0x1a, 0, 0, 0, 5, 0x1b, 0, 0, 1, 0, 0, 0, 0, 0,
        ];
        let mut reader = Reader::new(&bytes);
        for value in [23, 24, 256, 5, 1 << 40] {
            assert_eq!(reader.unsigned(), Ok(value));
        }
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn a_length_beyond_the_end_is_refused_without_memory() {
        for bytes in [
            &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..],
            &[0x58, 2, 0],
            &[0x59, 0],
            &[],
        ] {
            let error = Reader::new(bytes).bytes().unwrap_err();
            assert_eq!(error, CborError::Truncated { at: bytes.len() });
        }
    }

    #[test]
    fn strings_in_pieces_and_reserved_heads_are_refused() {
        let expected = "a byte string";
        let error = Reader::new(&[0x5f, 0x41, 0, 0xff]).bytes();
        assert_eq!(error, Err(CborError::Unexpected { at: 0, expected }));
        let error = Reader::new(&[0x5c, 0]).bytes();
        assert_eq!(error, Err(CborError::Malformed { at: 0 }));
        let error = Reader::new(&[0x61, 0xff]).text();
        assert_eq!(error, Err(CborError::Text { at: 1 }));
    }

    #[test]
    fn a_tag_is_read_only_if_it_is_the_one() {
        let mut reader = Reader::new(&[0xd2, 0x00]);
        assert!(!reader.tag(17));
        assert!(reader.tag(18));
        assert_eq!(reader.unsigned(), Ok(0));
    }

    #[test]
    fn what_follows_is_counted() {
        assert_eq!(
            Reader::new(&[0, 0]).end(),
            Err(CborError::Trailing { count: 2 })
        );
    }
}
