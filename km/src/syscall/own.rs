//! Calls that only km has (`runtime/libkontain/kontain.h`).

use km_abi::hypercalls;
use zerocopy::{Immutable, IntoBytes};

use super::Outcome;
use super::args::{Ret, address, size};
use super::call::Call;
use super::nsm;
use super::row::Row;
use crate::errno::Errno;

/// The row of call `number`.
pub fn row(number: u64) -> Option<&'static Row> {
    OWN.iter().find(|row| u64::from(row.number) == number)
}

#[rustfmt::skip]
pub static OWN: &[Row] = &[
    Row::handle(hypercalls::INFO, "kontain_info", &[address("info"), size("size")], Ret::Int, info),
    Row::handle(hypercalls::NSM, "kontain_nsm", &[address("message")], Ret::Int, nsm::message),
    Row::handle(hypercalls::STATS, "kontain_stats", &[address("stats"), size("size")], Ret::Int, stats),
];

/// `struct kontain_info`.
#[derive(Debug, IntoBytes, Immutable)]
#[repr(C)]
struct Info {
    abi: u32,
    reserved: u32,
    version: [u8; 32],
    commit: [u8; 32],
}

/// `struct kontain_stats`.
#[derive(Debug, Default, IntoBytes, Immutable)]
#[repr(C)]
pub struct Totals {
    /// System calls, page faults, other exceptions, host faults, signals.
    pub exits: [u64; 5],
    pub calls: u64,
    /// How many of them failed.
    pub errors: u64,
    /// What they took in the monitor and the host.
    pub nanoseconds: u64,
}

/// A string in a field that ends with a NUL, cut where it does not fit.
fn field<const LEN: usize>(text: &str) -> [u8; LEN] {
    let mut field = [0; LEN];
    let room = field.iter_mut().take(LEN - 1);
    room.zip(text.bytes()).for_each(|(to, from)| *to = from);
    field
}

fn info(call: &mut Call<'_>) -> Outcome {
    let info = Info {
        abi: hypercalls::ABI,
        reserved: 0,
        version: field(env!("CARGO_PKG_VERSION")),
        commit: field(env!("KM_COMMIT")),
    };
    give(call, info.as_bytes()).into()
}

fn stats(call: &mut Call<'_>) -> Outcome {
    let Some(stats) = call.process.stats() else {
        return Outcome::Fail(Errno::ENODATA);
    };
    give(call, stats.totals().as_bytes()).into()
}

/// Writes as much of a structure as the payload has room for. The result is
/// how large it is.
fn give(call: &Call<'_>, structure: &[u8]) -> Result<u64, Errno> {
    let room = usize::try_from(call.arg(1)).unwrap_or(usize::MAX);
    let known = structure.get(..room).unwrap_or(structure);
    call.memory().write(call.arg(0), known)?;
    Ok(structure.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::table;

    #[test]
    fn numbers_are_none_of_linux() {
        for row in OWN {
            assert!(table::row(u64::from(row.number)).is_none(), "{}", row.name);
        }
        assert!(row(0).is_none() && row(u64::MAX).is_none());
        assert!(row(u64::from(hypercalls::INFO)).is_some());
    }

    #[test]
    fn a_field_ends_with_a_nul() {
        assert_eq!(field::<4>("ab"), *b"ab\0\0");
        assert_eq!(field::<4>("abcdef"), *b"abc\0");
    }
}
