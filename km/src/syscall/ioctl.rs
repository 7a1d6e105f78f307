//! `ioctl`: requests by what their argument is.
//!
//! Only requests in the table reach the host: of an unknown one nobody can say
//! whether its argument is a number or a pointer to more pointers.

mod requests;

pub use requests::{Argument, request};

use super::Outcome;
use super::call::{Call, pointer_to};
use super::file::relocate;
use crate::errno::Errno;

/// `ioctl(fd, request, argument)`.
pub fn ioctl(call: &mut Call<'_>) -> Outcome {
    let process = call.process;
    let value = call.arg(2);
    let mut host = call.translate();
    let Some(request) = request(call.arg(1) as u32) else {
        // The host finds a bad descriptor first.
        return valid_descriptor(call).and(Err(Errno::ENOTTY)).into();
    };
    match request.argument {
        Argument::Unused | Argument::Number | Argument::NewDescriptor => host.set(2, value),
        Argument::Descriptor => host.set(2, process.fds.translate(value)),
        Argument::Pointer(what) => {
            host.set(2, process.memory.host_pointer(value, what.size as u64));
        }
        Argument::Bytes(len) => host.set(2, process.memory.host_pointer(value, len)),
        Argument::NamesDescriptor(len) => return names_descriptor(call, len).into(),
        Argument::InterfaceList => return interface_list(call).into(),
        Argument::DuplicateRanges => return duplicate_ranges(call).into(),
    }
    let result = call.host(call.row.number, &host);
    match request.argument {
        Argument::NewDescriptor => result.and_then(|fd| relocate(&process.fds, fd)).into(),
        _ => result.into(),
    }
}

/// Whether argument 0 is an open descriptor of more than a path.
fn valid_descriptor(call: &mut Call<'_>) -> Result<u64, Errno> {
    let mut host = call.translate();
    host.set(1, libc::F_GETFL as u64);
    let flags = call.host(libc::SYS_fcntl as u16, &host)?;
    match flags & libc::O_PATH as u64 {
        0 => Ok(flags),
        _ => Err(Errno::EBADF),
    }
}

/// A structure of `len` bytes, read by the host, that begins with a
/// descriptor.
fn names_descriptor(call: &mut Call<'_>, len: u64) -> Result<u64, Errno> {
    let process = call.process;
    let mut host = call.translate();
    // What cannot be read stays a pointer that faults: the host looks at the
    // descriptor first.
    let copy = process.memory.read_array::<u8>(call.arg(2), len as usize);
    let mut copy = copy.unwrap_or_default();
    if let Some(first) = copy.first_chunk_mut::<4>() {
        let fd = process.fds.translate(u64::from(u32::from_le_bytes(*first)));
        *first = (fd as u32).to_le_bytes();
        host.set(2, pointer_to(&mut copy));
    }
    call.host(call.row.number, &host)
}

/// `SIOCGIFCONF`: `struct ifconf`, a 32-bit length and a pointer. The host
/// changes the length.
fn interface_list(call: &mut Call<'_>) -> Result<u64, Errno> {
    let memory = &call.process.memory;
    let mut host = call.translate();
    let Ok([len, list]) = memory.read_value::<[u64; 2]>(call.arg(2)) else {
        return call.host(call.row.number, &host);
    };
    let room = u64::from(len as u32);
    let mut copy = [len, memory.host_pointer(list, room)];
    host.set(2, pointer_to(&mut copy));
    let value = call.host(call.row.number, &host)?;
    let [len, _] = copy;
    memory.write_value(call.arg(2), &(len as u32))?;
    Ok(value)
}

/// `FIDEDUPERANGE`: `struct file_dedupe_range`, which names a descriptor for
/// each destination. The host writes what came of each.
fn duplicate_ranges(call: &mut Call<'_>) -> Result<u64, Errno> {
    const HEAD: usize = 3;
    /// Words of a destination, and most of all together.
    const DESTINATION: usize = 4;
    const MOST: usize = 512;
    let (process, at) = (call.process, call.arg(2));
    let mut host = call.translate();
    // The host reads the number of destinations first.
    let Ok(count) = process.memory.read_value::<u16>(at.wrapping_add(16)) else {
        // A pointer that faults.
        return call.host(call.row.number, &host);
    };
    let len = HEAD + usize::from(count) * DESTINATION;
    let whole = process.memory.read_array::<u64>(at, len);
    let mut words = match whole {
        // So that it is refused by the host.
        _ if len > MOST => vec![0, 0, count.into()],
        Ok(words) => words,
        Err(_) => return call.host(call.row.number, &host),
    };
    let (_, destinations) = words.split_at_mut(HEAD);
    for destination in destinations.chunks_exact_mut(DESTINATION) {
        if let [fd, ..] = destination {
            *fd = process.fds.translate(*fd);
        }
    }
    host.set(2, pointer_to(&mut words));
    let value = call.host(call.row.number, &host)?;
    let (_, destinations) = words.split_at(HEAD);
    let first = at + (HEAD * size_of::<u64>()) as u64;
    for (index, destination) in destinations.chunks_exact(DESTINATION).enumerate() {
        let to = first + size_of_val(destination) as u64 * index as u64;
        if let [_, _, done, status] = *destination {
            process.memory.write_value(to + 16, &[done, status])?;
        }
    }
    Ok(value)
}
