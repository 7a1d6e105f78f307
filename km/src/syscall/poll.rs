//! Waiting for descriptors: sets of them are copied, so that the monitor's own
//! are never among those that are waited for.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::Outcome;
use super::call::{Call, FAULT, pointer_to};
use super::mask::{SET, WaitMask};
use crate::errno::Errno;
use crate::fd::ReservedFds;
use crate::sys::call::{HostArgs, NOT_BEGUN};
use crate::sys::proc;

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
    let host = call.translate();
    polled(call, host, &WaitMask::Own).into()
}

/// `ppoll(fds, nfds, tmo_p, sigmask, sigsetsize)`.
pub fn ppoll(call: &mut Call<'_>) -> Outcome {
    let mask = WaitMask::read(call.memory(), call.arg(3), call.arg(4));
    let mut host = call.translate();
    host.set(3, mask.pointer());
    polled(call, host, &mask).into()
}

/// `epoll_pwait(epfd, events, maxevents, timeout, sigmask, sigsetsize)`, and
/// `epoll_pwait2`, whose timeout is a structure.
pub fn epoll_pwait(call: &mut Call<'_>) -> Outcome {
    let mask = WaitMask::read(call.memory(), call.arg(4), call.arg(5));
    let mut host = call.translate();
    host.set(4, mask.pointer());
    mask.wait(call, &host).into()
}

/// The row's call with the array in argument 0, its length in argument 1.
fn polled(call: &mut Call<'_>, mut host: HostArgs, mask: &WaitMask) -> Result<u64, Errno> {
    let process = call.process;
    let (address, count) = (call.arg(0), u64::from(call.arg(1) as u32));
    let before = if count == 0 {
        // No descriptors: the host looks at the address all the same.
        Vec::new()
    } else {
        let refused = count > FEW && count > open_file_limit()?;
        let array = match refused {
            true => Err(Errno::EINVAL),
            false => process.memory.read_array::<PollFd>(address, count as usize),
        };
        match array {
            Ok(array) => array,
            Err(Errno::ENOMEM) => return Err(Errno::ENOMEM),
            Err(_) => {
                // The timeout and the mask are looked at first, by the host.
                host.set(0, FAULT);
                return mask.wait(call, &host);
            }
        }
    };
    let mut after = before.clone();
    for entry in &mut after {
        if process.fds.contains(entry.fd) {
            entry.fd = NO_FD;
        }
    }
    if count > 0 {
        host.set(0, pointer_to(&mut after));
    }
    let result = mask.wait(call, &host);
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

/// The payload's soft limit on open files.
fn open_file_limit() -> Result<u64, Errno> {
    Ok(proc::OPEN_FILES.settled().get()?.soft)
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
            Ok([mask, size]) => Some((WaitMask::read(memory, mask, size), size)),
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

fn selected(call: &mut Call<'_>, mask: Option<(WaitMask, u64)>) -> Result<u64, Errno> {
    let process = call.process;
    let (mask, size) = mask.unwrap_or((WaitMask::Own, SET));
    let mut host = call.translate();
    let mut pair = [mask.pointer(), size];
    host.set(5, pointer_to(&mut pair));
    let Ok(count) = usize::try_from(call.int(0)) else {
        // Refused before a set is read.
        SETS.for_each(|index| host.set(index, FAULT));
        return mask.wait(call, &host);
    };
    let count = considered(count, &process.fds);
    host.set(0, count as u64);
    let (mut sets, mut reserved, mut unreadable) = (Vec::new(), false, false);
    for index in SETS.filter(|index| count > 0 && call.arg(*index) != 0) {
        let words = count.div_ceil(BITS);
        let Ok(set) = process.memory.read_array::<u64>(call.arg(index), words) else {
            // The timeout and the mask are looked at first, by the host.
            host.set(index, FAULT);
            unreadable = true;
            continue;
        };
        reserved |= members(&set).any(|fd| fd < count && process.fds.contains(fd as i32));
        sets.push((index, set));
    }
    if reserved && !unreadable {
        return Err(Errno::EBADF);
    }
    for (index, set) in &mut sets {
        host.set(*index, pointer_to(set));
    }
    let value = mask.wait(call, &host)?;
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
    let highest = match std::fs::read_dir("/proc/thread-self/fd") {
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
