//! Bytes for people.

use std::fmt;

use serde::{Serialize, Serializer};

/// Bytes, written as hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl Hex {
    /// The first of them, and how many there are.
    pub fn short(&self) -> String {
        const MOST: usize = 64;
        match self.0.get(..MOST) {
            Some(first) if self.0.len() > MOST => {
                let digits = base16ct::lower::encode_string(first);
                format!("{digits}... ({} bytes)", self.0.len())
            }
            _ if self.0.is_empty() => "empty".to_owned(),
            _ => self.to_string(),
        }
    }
}

impl<T: AsRef<[u8]> + ?Sized> From<&T> for Hex {
    fn from(bytes: &T) -> Hex {
        Hex(bytes.as_ref().to_vec())
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Hex;

    #[test]
    fn long_ones_are_cut_short() {
        assert_eq!(Hex(vec![0xab; 64]).short(), "ab".repeat(64));
        let long = "ab".repeat(64) + "... (65 bytes)";
        assert_eq!(Hex(vec![0xab; 65]).short(), long);
        assert_eq!(Hex(Vec::new()).short(), "empty");
    }
}
