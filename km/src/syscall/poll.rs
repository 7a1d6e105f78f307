//! Waiting for descriptors: sets of them are copied, so that the monitor's own
//! are never among those that are waited for.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::Outcome;
use super::call::{Call, FAULT, pointer_to};
use crate::errno::Errno;
use crate::fd::ReservedFds;
use crate::sys::call::{HostArgs, NOT_BEGUN, own_syscall};

/// `struct pollfd`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}

/// Where `revents` lies in [`PollFd`].
const REVENTS: u64 = 6;
/// A descriptor that no process has, and for which the host says `POLLNVAL`.
const NO_FD: i32 = i32::MAX;
/// More than this, and the limit on open files is asked first, which bounds
/// what the host accepts.
const FEW: u64 = 4096;

pub fn poll(call: &mut Call<'_>) -> Outcome {
    polled(call).into()
}

/// `ppoll(fds, nfds, tmo_p, sigmask, sigsetsize)`.
pub fn ppoll(call: &mut Call<'_>) -> Outcome {
    polled(call).into()
}

/// The row's call with the array in argument 0, its length in argument 1.
fn polled(call: &mut Call<'_>) -> Result<u64, Errno> {
    let process = call.process;
    let (address, count) = (call.arg(0), u64::from(call.arg(1) as u32));
    if count > FEW && count > open_file_limit()? {
        return Err(Errno::EINVAL);
    }
    // No descriptors: the host looks at the address all the same.
    let before = match count {
        0 => Vec::new(),
        _ => process
            .memory
            .read_array::<PollFd>(address, count as usize)?,
    };
    let mut after = before.clone();
    for entry in &mut after {
        if process.fds.contains(entry.fd) {
            entry.fd = NO_FD;
        }
    }
    let mut host = call.translate();
    if count > 0 {
        host.set(0, pointer_to(&mut after));
    }
    let result = call.host(call.row.number, &host);
    if result == Err(NOT_BEGUN) {
        return result;
    }
    let offsets = (REVENTS..).step_by(size_of::<PollFd>());
    for ((offset, before), after) in offsets.zip(&before).zip(&after) {
        if before.revents != after.revents {
            let at = address.wrapping_add(offset);
            process.memory.write_value(at, &after.revents)?;
        }
    }
    result
}

/// The soft limit on open files.
fn open_file_limit() -> Result<u64, Errno> {
    let mut limit = [0u64; 2];
    let resource = u64::from(libc::RLIMIT_NOFILE);
    own_syscall(
        libc::SYS_prlimit64,
        &HostArgs::new([0, resource, 0, pointer_to(&mut limit)]),
    )?;
    let [soft, _hard] = limit;
    Ok(soft)
}

pub fn select(call: &mut Call<'_>) -> Outcome {
    selected(call, None).into()
}

/// `pselect6(nfds, readfds, writefds, exceptfds, timeout, sigmask)`: the last
/// argument points to a pointer to the mask, and its size.
pub fn pselect6(call: &mut Call<'_>) -> Outcome {
    let memory = call.memory();
    let address = call.arg(5);
    let mask = match address {
        0 => None,
        _ => match memory.read_value::<[u64; 2]>(address) {
            Ok([mask, size]) => Some([memory.host_pointer(mask, size), size]),
            Err(errno) => return Outcome::Fail(errno),
        },
    };
    selected(call, mask).into()
}

/// The three sets stand in arguments 1 to 3.
const SETS: std::ops::Range<usize> = 1..4;
/// Bits in a word of a set.
const BITS: usize = 64;
/// Bits in the C library's `fd_set`.
const FD_SETSIZE: usize = 1024;

fn selected(call: &mut Call<'_>, mut mask: Option<[u64; 2]>) -> Result<u64, Errno> {
    let process = call.process;
    let mut host = call.translate();
    host.set(5, mask.as_mut().map_or(0, |mask| pointer_to(mask)));
    let Ok(count) = usize::try_from(call.int(0)) else {
        // Refused before a set is read.
        SETS.for_each(|index| host.set(index, FAULT));
        return call.host(call.row.number, &host);
    };
    let count = considered(count, &process.fds);
    host.set(0, count as u64);
    let mut sets = Vec::new();
    for index in SETS.filter(|index| count > 0 && call.arg(*index) != 0) {
        let set = process
            .memory
            .read_array::<u64>(call.arg(index), count.div_ceil(BITS))?;
        if members(&set).any(|fd| fd < count && process.fds.contains(fd as i32)) {
            return Err(Errno::EBADF);
        }
        sets.push((index, set));
    }
    for (index, set) in &mut sets {
        host.set(*index, pointer_to(set));
    }
    let value = call.host(call.row.number, &host)?;
    for (index, set) in &sets {
        process.memory.write(call.arg(*index), set.as_bytes())?;
    }
    Ok(value)
}

/// The numbers in a set.
fn members(set: &[u64]) -> impl Iterator<Item = usize> {
    set.iter().enumerate().flat_map(|(index, word)| {
        (0..BITS)
            .filter(move |bit| word >> bit & 1 == 1)
            .map(move |bit| index * BITS + bit)
    })
}

/// How many descriptors are looked at, of `count`.
///
/// Linux looks at no more than its table of descriptors holds, so a program
/// that passes a number larger than its sets gets away with it as long as it
/// has few files open. The host's table is as long as the monitor's own
/// descriptors need; the payload's would be this long.
fn considered(count: usize, reserved: &ReservedFds) -> usize {
    if count <= FD_SETSIZE {
        return count;
    }
    let highest = match std::fs::read_dir("/proc/self/fd") {
        Ok(open) => open
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|fd: &i32| !reserved.contains(*fd))
            .max(),
        Err(_) => Some(reserved.range().end),
    };
    let table = (highest.unwrap_or(0).max(0) as usize + 1).next_power_of_two();
    count.min(table.max(FD_SETSIZE))
}

#[cfg(test)]
mod tests {
    use super::members;

    #[test]
    fn members_of_a_set_are_its_bits() {
        assert_eq!(members(&[0b1001, 1 << 63]).collect::<Vec<_>>(), [0, 3, 127]);
        assert_eq!(members(&[]).count(), 0);
    }
}
