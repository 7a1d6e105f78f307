//! What is read from files and arguments.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64ct::{Base64Unpadded, Encoding};
use thiserror::Error;

/// The most that is read of any input.
pub const MOST_INPUT: usize = 64 * 1024;

/// Why there is nothing to look at.
#[derive(Debug, Error)]
pub enum InputError {
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error("longer than {MOST_INPUT} bytes")]
    TooLong,
    #[error("empty")]
    Empty,
    #[error("text, but neither base64 nor hexadecimal digits")]
    Text,
}

/// A file's content.
///
/// # Errors
///
/// When it cannot be read, or is too long.
pub fn read_file(path: &Path) -> Result<Vec<u8>, InputError> {
    read(&mut File::open(path)?)
}

/// All of an input.
///
/// # Errors
///
/// When it cannot be read, or is too long.
pub fn read(input: &mut dyn Read) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MOST_INPUT).unwrap_or(u64::MAX);
    input.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > MOST_INPUT {
        return Err(InputError::TooLong);
    }
    Ok(bytes)
}

/// The document in an input: as it is, or as base64 (of either alphabet, with
/// padding or without) or hexadecimal text, with any white space.
///
/// # Errors
///
/// When it is empty, or text of another kind.
pub fn document(input: Vec<u8>) -> Result<Vec<u8>, InputError> {
    // A document begins with a byte beyond ASCII, so text is not one.
    if !input.is_ascii() {
        return Ok(input);
    }
    let text: String = input
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'-' => '+',
            b'_' => '/',
            other => char::from(*other),
        })
        .collect();
    if text.is_empty() {
        return Err(InputError::Empty);
    }
    // As base64 a document begins with "hE" or "0o": with no two hexadecimal
    // digits.
    if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return hex(&text).ok_or(InputError::Text);
    }
    Base64Unpadded::decode_vec(text.trim_end_matches('=')).map_err(|_| InputError::Text)
}

/// The bytes that hexadecimal digits stand for.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    base16ct::mixed::decode_vec(text).ok()
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Base64Url};

    use super::*;

    const DOCUMENT: [u8; 7] = [0x84, 0x44, 0xfb, 0xff, 0xfe, 0x00, 0xff];

    #[test]
    fn every_form_is_told_apart() {
        for length in 4..=DOCUMENT.len() {
            let bytes = &DOCUMENT[..length];
            let digits = base16ct::lower::encode_string(bytes);
            let lines = |text: &str| format!(" {}\r\n{}\n", &text[..3], &text[3..]);
            for form in [
                bytes.to_vec(),
                digits.to_uppercase().into_bytes(),
                lines(&digits).into_bytes(),
                lines(&Base64::encode_string(bytes)).into_bytes(),
                Base64Url::encode_string(bytes).into_bytes(),
                Base64Unpadded::encode_string(bytes).into_bytes(),
            ] {
                let shown = String::from_utf8_lossy(&form).into_owned();
                assert_eq!(document(form).unwrap(), bytes, "{shown}");
            }
        }
    }

    #[test]
    fn other_text_is_no_document() {
        for text in ["hello, world", "844", "hE=E", "{\"a\": 1}", "hERE!"] {
            let error = document(text.into()).unwrap_err();
            assert!(matches!(error, InputError::Text), "{text}: {error}");
        }
        let error = document(b" \n".to_vec()).unwrap_err();
        assert!(matches!(error, InputError::Empty));
    }

    #[test]
    fn no_input_is_read_to_its_end_if_it_has_none() {
        let error = read(&mut io::repeat(0)).unwrap_err();
        assert!(matches!(error, InputError::TooLong));
        let most = read(&mut io::repeat(0).take(MOST_INPUT as u64));
        assert_eq!(most.unwrap().len(), MOST_INPUT);
    }
}
