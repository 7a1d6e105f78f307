//! `#!` lines, read as `fs/binfmt_script.c` in Linux 6.18 reads them; see
//! "Interpreter scripts" in `execve(2)`.
//!
//! The caller loops: as long as [`parse_script`] finds a script, it opens the
//! interpreter in place of the file and replaces the arguments by
//! [`Script::argv`], at most [`MAX_SCRIPTS`] times.

use std::ffi::{OsStr, OsString};
use std::iter;
use std::os::unix::ffi::OsStrExt;

use thiserror::Error;

/// Bytes at the start of a file that Linux looks at (`BINPRM_BUF_SIZE`).
pub const SCRIPT_BUF: usize = 256;

/// How many scripts may stand in a row, the interpreter of one being the
/// next; with one more `execve(2)` fails with ELOOP (`exec_binprm` in
/// `fs/exec.c`).
pub const MAX_SCRIPTS: usize = 5;

/// What a `#!` line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Path of the program to run instead, without NUL, not empty.
    pub interpreter: OsString,
    /// The rest of the line, blanks included, as one argument. It may be
    /// empty: Linux passes an empty argument for a blank after the
    /// interpreter in a last line without newline.
    pub argument: Option<OsString>,
}

impl Script {
    /// The interpreter's arguments: its own path, the optional argument,
    /// `path` of the script, and what follows the script's own `argv[0]`.
    pub fn argv(&self, path: &OsStr, argv: &[OsString]) -> Vec<OsString> {
        iter::once(&self.interpreter)
            .chain(&self.argument)
            .cloned()
            .chain(iter::once(path.to_owned()))
            .chain(argv.iter().skip(1).cloned())
            .collect()
    }
}

/// A `#!` line that names no usable interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScriptError {
    #[error("no interpreter after #!")]
    NoInterpreter,
    #[error("interpreter path after #! is longer than {max} bytes", max = SCRIPT_BUF - 3)]
    Truncated,
    #[error("empty interpreter path after #!")]
    EmptyInterpreter,
}

impl ScriptError {
    /// The error number that Linux gives, positive.
    pub fn errno(&self) -> i32 {
        match self {
            ScriptError::NoInterpreter | ScriptError::Truncated => libc::ENOEXEC,
            // The file ends right after the `#!`: Linux opens the empty path,
            // which is the working directory, and cannot execute that.
            ScriptError::EmptyInterpreter => libc::EACCES,
        }
    }
}

/// Reads the `#!` line in `head`, the first bytes of a file: at least
/// [`SCRIPT_BUF`] of them or the whole file. `None` if it is no script.
///
/// The interpreter's path must lie wholly within the first 255 bytes; the
/// argument is cut there.
///
/// # Errors
///
/// ENOEXEC for a line without interpreter or one whose path is cut, EACCES
/// for a file that ends before the interpreter.
pub fn parse_script(head: &[u8]) -> Result<Option<Script>, ScriptError> {
    if !head.starts_with(b"#!") {
        return Ok(None);
    }
    // A short file is followed by zeros, and these take part: a NUL is not
    // blank, but ends a string.
    let mut buf = [0; SCRIPT_BUF];
    for (to, from) in buf.iter_mut().zip(head) {
        *to = *from;
    }
    let text = buf.get(2..).unwrap_or_default();

    let line = match text.iter().position(|byte| matches!(byte, b'\n' | 0)) {
        Some(end) if text.get(end) == Some(&b'\n') => text.get(..end).unwrap_or_default(),
        _ => {
            let path = trim_start(text);
            if path.is_empty() {
                return Err(ScriptError::NoInterpreter);
            }
            if !path.iter().any(ends_word) {
                return Err(ScriptError::Truncated);
            }
            // The last byte of the buffer is given up for a NUL.
            text.split_last().map_or(text, |(_, rest)| rest)
        }
    };
    let line = trim_start(trim_end(line));
    if line.is_empty() {
        return Err(ScriptError::NoInterpreter);
    }
    let (interpreter, rest) = match line.iter().position(ends_word) {
        Some(end) => line.split_at_checked(end).unwrap_or((line, &[])),
        None => (line, &[][..]),
    };
    if interpreter.is_empty() {
        return Err(ScriptError::EmptyInterpreter);
    }
    // A NUL right after the path hides whatever follows.
    let argument = match rest.first() {
        None | Some(0) => None,
        Some(_) => Some(until_nul(trim_start(rest))),
    };
    Ok(Some(Script {
        interpreter: OsStr::from_bytes(interpreter).to_owned(),
        argument: argument.map(|argument| OsStr::from_bytes(argument).to_owned()),
    }))
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn ends_word(byte: &u8) -> bool {
    is_blank(byte) || *byte == 0
}

fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let Some((first, rest)) = bytes.split_first()
        && is_blank(first)
    {
        bytes = rest;
    }
    bytes
}

fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let Some((last, rest)) = bytes.split_last()
        && is_blank(last)
    {
        bytes = rest;
    }
    bytes
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
