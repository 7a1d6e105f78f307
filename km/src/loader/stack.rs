//! The stack a program starts with, as `create_elf_tables` in
//! `fs/binfmt_elf.c` and `copy_strings` in `fs/exec.c` of Linux 6.18 lay it
//! out. Pure: it makes the bytes, the caller copies them to the guest.
//!
//! ```text
//! top      8 bytes of zero
//!          execfn\0
//! env_end  environment strings, each with its NUL
//! arg_end  argument strings, each with its NUL        (= env_start)
//! arg_start
//!          0 to 8191 bytes of shuffle, down to a multiple of 16
//!          platform\0
//!          16 random bytes
//!          0 to 15 bytes, so that sp is a multiple of 16
//!          auxiliary vector: (type, value) …, AT_NULL
//!          envp[0] … NULL
//!          argv[0] … NULL
//! sp       argc
//! ```

use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

use thiserror::Error;

use crate::mem::layout::PAGE;

/// Longest argument or environment string in bytes, with its NUL
/// (`MAX_ARG_STRLEN`).
pub const MAX_STRING: usize = 131_072;

/// Bytes of shuffle are drawn below this number (`arch_align_stack`).
pub const SHUFFLE_BOUND: u64 = 8192;

/// Value of `AT_PLATFORM`.
const PLATFORM: &[u8] = b"x86_64\0";

/// Zeros above everything else.
const TOP_ZEROS: u64 = 8;

const WORD: u64 = 8;

/// What the strings and their pointers may take in bytes, for a soft
/// `RLIMIT_STACK` in bytes (`RLIM_INFINITY` included): a quarter of it, at
/// most 6 MiB, at least 128 KiB (`bprm_stack_limits`; "Limits on size of
/// arguments and environment" in `execve(2)`).
pub fn string_limit(rlimit_stack: u64) -> u64 {
    (rlimit_stack / 4).clamp(131_072, 6 << 20)
}

/// What the strings alone may take in bytes: the pages they are copied to are
/// the stack's already, the first of them without regard to the limit
/// (`get_arg_page` in `fs/exec.c`).
pub fn string_room(rlimit_stack: u64) -> u64 {
    (rlimit_stack & !(PAGE - 1)).max(PAGE) - TOP_ZEROS
}

/// Value of an entry of the auxiliary vector: see `getauxval(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuxValue {
    /// A plain number or an address outside the stack.
    Word(u64),
    /// The address of the 16 random bytes, for `AT_RANDOM`.
    Random,
    /// The address of the path executed, for `AT_EXECFN`.
    ExecFn,
    /// The address of the string "x86_64", for `AT_PLATFORM`.
    Platform,
}

/// Everything the stack is made of.
#[derive(Clone, Copy, Debug)]
pub struct StackContent<'a> {
    /// Arguments, without NUL. If there are none the program gets one empty
    /// argument, as since Linux 5.18.
    pub argv: &'a [OsString],
    /// Environment, each `NAME=value` by custom, without NUL.
    pub envp: &'a [OsString],
    /// Path given to `execve(2)`: of the script, not of its interpreter.
    pub execfn: &'a OsStr,
    /// Auxiliary vector in the order wanted, without `AT_NULL`.
    pub auxv: &'a [(u64, AuxValue)],
    /// The bytes `AT_RANDOM` points to.
    pub random: [u8; 16],
    /// Bytes to leave free below the strings; taken modulo
    /// [`SHUFFLE_BOUND`]. 0 without address randomisation.
    pub shuffle: u64,
    /// Most bytes for strings and pointers: [`string_limit`].
    pub limit: u64,
    /// Most bytes for strings: [`string_room`].
    pub room: u64,
}

/// A finished stack: `bytes` belong at `sp` and end at the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackImage {
    /// The initial stack pointer, a multiple of 16; argc is there.
    pub sp: u64,
    /// From `sp` to the top.
    pub bytes: Vec<u8>,
    /// Start of the argument strings, for `/proc/PID/cmdline`.
    pub arg_start: u64,
    /// End of the argument strings.
    pub arg_end: u64,
    /// Start of the environment strings, for `/proc/PID/environ`.
    pub env_start: u64,
    /// End of the environment strings.
    pub env_end: u64,
    /// Where the auxiliary vector lies, `AT_NULL` included, for
    /// `/proc/PID/auxv`.
    pub auxv: Range<u64>,
}

impl StackImage {
    /// Where the stack's pages start, which end at `top`, when it may grow to
    /// `limit` bytes (`setup_arg_pages` in `fs/exec.c`: the pages of the
    /// strings and 128 KiB below them, as far as the limit allows;
    /// `create_elf_tables`: at least the initial stack pointer's page).
    ///
    /// # Errors
    ///
    /// EFAULT where the limit is too low for the latter.
    pub fn bottom(&self, top: u64, limit: u64) -> Result<u64, StackError> {
        const EXTRA: u64 = 128 << 10;
        let strings = self.arg_start & !(PAGE - 1);
        let lowest = top.saturating_sub(limit & !(PAGE - 1));
        let bottom = strings.saturating_sub(EXTRA).max(lowest).min(strings);
        let pointer = self.sp & !(PAGE - 1);
        if pointer < bottom && pointer < lowest {
            return Err(StackError::LimitTooLow(limit));
        }
        Ok(bottom.min(pointer))
    }
}

/// Why a stack cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StackError {
    #[error("an argument or environment string of {0} bytes is longer than {MAX_STRING}")]
    StringTooLong(usize),
    #[error("arguments and environment need more than the {0} bytes the stack limit leaves them")]
    TooBig(u64),
    #[error("an argument or environment string contains a NUL byte")]
    Nul,
    #[error("arguments and environment leave no room on a stack of at most {0} bytes")]
    LimitTooLow(u64),
    #[error("no room for a stack below {0:#x}")]
    NoRoom(u64),
}

impl StackError {
    /// The error number that `execve(2)` gives, positive. EINVAL cannot occur
    /// there: C strings contain no NUL.
    pub fn errno(&self) -> i32 {
        match self {
            StackError::StringTooLong(_) | StackError::TooBig(_) => libc::E2BIG,
            StackError::Nul => libc::EINVAL,
            StackError::LimitTooLow(_) => libc::EFAULT,
            StackError::NoRoom(_) => libc::ENOMEM,
        }
    }
}

/// Lays out the initial stack below `top`, the end of the stack's pages.
///
/// # Errors
///
/// E2BIG for a string over [`MAX_STRING`] or more than `content.limit` in all,
/// EINVAL for a NUL in a string, ENOMEM if the address space below `top` is
/// too small.
pub fn build(content: &StackContent<'_>, top: u64) -> Result<StackImage, StackError> {
    let empty = [OsString::new()];
    let argv = if content.argv.is_empty() {
        &empty
    } else {
        content.argv
    };
    let arg_len = strings_len(argv)?;
    let env_len = strings_len(content.envp)?;
    let execfn_len = string_len(content.execfn)?;
    let (argc, envc) = (count(argv), count(content.envp));
    let strings = [arg_len, env_len, execfn_len];
    check_limit(content.limit, argc, envc, strings)?;
    if sum(strings) > content.room {
        return Err(StackError::TooBig(content.room));
    }

    let layout = Layout {
        arg_len,
        env_len,
        execfn_len,
        pointers: sum([argc, envc, 3]),
        aux_words: sum([count(content.auxv), 1]).saturating_mul(2),
        shuffle: content.shuffle % SHUFFLE_BOUND,
    };
    let place = layout.below(top).ok_or(StackError::NoRoom(top))?;

    let size =
        usize::try_from(top.saturating_sub(place.sp)).map_err(|_| StackError::NoRoom(top))?;
    let mut out = Writer {
        bytes: Vec::with_capacity(size),
        start: place.sp,
    };
    out.word(argc);
    out.pointers(argv, place.arg_start);
    out.pointers(content.envp, place.env_start);
    let auxv_start = out.here();
    for (tag, value) in content.auxv {
        out.word(*tag);
        out.word(match value {
            AuxValue::Word(word) => *word,
            AuxValue::Random => place.random,
            AuxValue::ExecFn => place.execfn,
            AuxValue::Platform => place.platform,
        });
    }
    out.word(libc::AT_NULL);
    out.word(0);
    let auxv = auxv_start..out.here();
    out.fill_to(place.random);
    out.bytes.extend_from_slice(&content.random);
    out.bytes.extend_from_slice(PLATFORM);
    out.fill_to(place.arg_start);
    out.strings(argv);
    out.strings(content.envp);
    out.string(content.execfn);
    out.fill_to(top);
    Ok(StackImage {
        sp: place.sp,
        bytes: out.bytes,
        arg_start: place.arg_start,
        arg_end: place.env_start,
        env_start: place.env_start,
        env_end: place.execfn,
        auxv,
    })
}

/// Sizes, in bytes where not said otherwise.
struct Layout {
    arg_len: u64,
    env_len: u64,
    execfn_len: u64,
    /// Words of argc, argv and envp with their two NULLs.
    pointers: u64,
    /// Words of the auxiliary vector with `AT_NULL`.
    aux_words: u64,
    shuffle: u64,
}

/// Addresses, from the highest to the lowest.
struct Place {
    execfn: u64,
    env_start: u64,
    arg_start: u64,
    platform: u64,
    random: u64,
    sp: u64,
}

impl Layout {
    fn below(&self, top: u64) -> Option<Place> {
        let execfn = top.checked_sub(TOP_ZEROS)?.checked_sub(self.execfn_len)?;
        let env_start = execfn.checked_sub(self.env_len)?;
        let arg_start = env_start.checked_sub(self.arg_len)?;
        let shuffled = align_down(arg_start.checked_sub(self.shuffle)?);
        let platform = shuffled.checked_sub(PLATFORM.len() as u64)?;
        let random = platform.checked_sub(16)?;
        let words = self.pointers.checked_add(self.aux_words)?;
        let sp = align_down(random.checked_sub(words.checked_mul(WORD)?)?);
        Some(Place {
            execfn,
            env_start,
            arg_start,
            platform,
            random,
            sp,
        })
    }
}

fn align_down(address: u64) -> u64 {
    address & !15
}

/// Collects the bytes upwards from `start`.
struct Writer {
    bytes: Vec<u8>,
    start: u64,
}

impl Writer {
    fn here(&self) -> u64 {
        self.start.saturating_add(self.bytes.len() as u64)
    }

    fn word(&mut self, word: u64) {
        self.bytes.extend_from_slice(&word.to_le_bytes());
    }

    /// Pointers to strings that lie one after the other from `at`, and NULL.
    fn pointers(&mut self, strings: &[OsString], at: u64) {
        let mut at = at;
        for string in strings {
            self.word(at);
            at = at.saturating_add(string.len() as u64).saturating_add(1);
        }
        self.word(0);
    }

    fn string(&mut self, string: &OsStr) {
        self.bytes.extend_from_slice(string.as_bytes());
        self.bytes.push(0);
    }

    fn strings(&mut self, strings: &[OsString]) {
        for string in strings {
            self.string(string);
        }
    }

    /// Zeros up to an address that the layout has placed further up.
    fn fill_to(&mut self, address: u64) {
        let gap = address.saturating_sub(self.here());
        self.bytes.extend((0..gap).map(|_| 0));
    }
}

fn check_limit(limit: u64, argc: u64, envc: u64, strings: [u64; 3]) -> Result<(), StackError> {
    let pointers = sum([argc, envc]).saturating_mul(WORD);
    match limit.checked_sub(pointers) {
        Some(left) if left > 0 && sum(strings) <= left => Ok(()),
        _ => Err(StackError::TooBig(limit)),
    }
}

/// Length of a string in bytes with its NUL.
fn string_len(string: &OsStr) -> Result<u64, StackError> {
    let bytes = string.as_bytes();
    if bytes.len() >= MAX_STRING {
        return Err(StackError::StringTooLong(bytes.len()));
    }
    if bytes.contains(&0) {
        return Err(StackError::Nul);
    }
    Ok((bytes.len() as u64).saturating_add(1))
}

fn strings_len(strings: &[OsString]) -> Result<u64, StackError> {
    let mut total = 0_u64;
    for string in strings {
        total = total.saturating_add(string_len(string)?);
    }
    Ok(total)
}

fn count<T>(items: &[T]) -> u64 {
    items.len() as u64
}

/// Sizes that do not fit are refused by the limit long before they saturate.
fn sum<const N: usize>(sizes: [u64; N]) -> u64 {
    sizes.into_iter().fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
