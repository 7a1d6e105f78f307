//! Directory listings. Those of the payload's own `/proc` entries leave out
//! what belongs to the monitor.

use crate::errno::Errno;
use crate::procfs::{self, Listing};
use crate::sys::proc;
use crate::syscall::Outcome;
use crate::syscall::call::Call;

/// Offset of the name in `struct linux_dirent64`, and in `struct
/// linux_dirent` (`getdents(2)`).
const NAME_64: usize = 19;
const NAME: usize = 18;
/// Offset of the record's length in both.
const LENGTH: usize = 16;

/// `getdents64(2)`.
pub fn getdents64(call: &mut Call<'_>) -> Outcome {
    list(call, NAME_64).into()
}

/// `getdents(2)`.
pub fn getdents(call: &mut Call<'_>) -> Outcome {
    list(call, NAME).into()
}

fn list(call: &mut Call<'_>, name_offset: usize) -> Result<u64, Errno> {
    loop {
        let len = call.forward()?;
        let Some(listing) = own_listing(call) else {
            return Ok(len);
        };
        if len == 0 {
            return Ok(0);
        }
        let mut entries = vec![0; len as usize];
        call.memory().read(call.arg(1), &mut entries)?;
        let kept = filter(&entries, name_offset, |name| {
            !procfs::hides(call.process, &listing, name)
        });
        // All hidden is not the end of the directory.
        if !kept.is_empty() {
            call.memory().write(call.arg(1), &kept)?;
            return Ok(kept.len() as u64);
        }
    }
}

fn own_listing(call: &Call<'_>) -> Option<Listing> {
    let fd = proc::borrow_fd(call.int(0))?;
    proc::is_on_procfs(fd)
        .then(|| procfs::listing(call.process, fd))
        .flatten()
}

/// The records whose names are to be kept.
fn filter(mut entries: &[u8], name_offset: usize, keep: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut kept = Vec::with_capacity(entries.len());
    while let Some(&[low, high]) = entries.get(LENGTH..LENGTH + 2) {
        let len = usize::from(u16::from_ne_bytes([low, high]));
        let Some((record, rest)) = entries.split_at_checked(len).filter(|_| len > name_offset)
        else {
            break;
        };
        let name = record.get(name_offset..).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if keep(name) {
            kept.extend_from_slice(record);
        }
        entries = rest;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> Vec<u8> {
        let len = (NAME_64 + name.len() + 1).next_multiple_of(8);
        let mut record = vec![0; len];
        record[LENGTH..LENGTH + 2].copy_from_slice(&(len as u16).to_ne_bytes());
        record[NAME_64..NAME_64 + name.len()].copy_from_slice(name.as_bytes());
        record
    }

    #[test]
    fn records_are_left_out_by_name() {
        let all: Vec<u8> = ["0", "15000", "long-name-of-a-file"]
            .iter()
            .flat_map(|n| record(n))
            .collect();
        let kept = filter(&all, NAME_64, |name| name != b"15000");
        assert_eq!(kept, [record("0"), record("long-name-of-a-file")].concat());
        assert_eq!(filter(&all, NAME_64, |_| true), all);
    }

    #[test]
    fn a_cut_record_ends_the_list() {
        let mut all = record("0");
        all.extend(&record("1")[..10]);
        assert_eq!(filter(&all, NAME_64, |_| true), record("0"));
        assert_eq!(filter(&[0; 64], NAME_64, |_| true), Vec::<u8>::new());
    }
}
