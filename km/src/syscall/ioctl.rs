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
    }
    let result = call.host(call.row.number, &host);
    match request.argument {
        Argument::NewDescriptor => result.and_then(|fd| relocate(&process.fds, fd)).into(),
        _ => result.into(),
    }
}

/// Whether argument 0 is an open descriptor.
fn valid_descriptor(call: &mut Call<'_>) -> Result<u64, Errno> {
    let mut host = call.translate();
    host.set(1, libc::F_GETFD as u64);
    call.host(libc::SYS_fcntl as u16, &host)
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
