//! Messages: `struct msghdr` with its address, buffers and control data.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::Outcome;
use super::call::{Call, FAULT, pointer_to};
use super::file::{opened, relocate};
use super::io::{self, Iovecs, MAX_IOV};
use crate::errno::Errno;
use crate::fd::ReservedFds;
use crate::mem::guest::GuestMemory;
use crate::sys::call::{HostArgs, own_syscall};
use crate::task::process::Process;

/// `struct msghdr`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Header {
    name: u64,
    name_len: u32,
    pad: u32,
    iov: u64,
    iov_len: u64,
    control: u64,
    control_len: u64,
    flags: u32,
    pad_end: u32,
}

/// `struct mmsghdr`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Multiple {
    header: Header,
    len: u32,
    pad: u32,
}

/// Offsets of what the host writes.
const NAME_LEN: u64 = 8;
const CONTROL_LEN: u64 = 40;
const FLAGS: u64 = 48;
const LEN: u64 = 56;

/// More control data than any host takes (`net.core.optmem_max`).
const MAX_CONTROL: u64 = 1 << 20;
/// More than any message brings: most have descriptors, up to `SCM_MAX_FD`
/// (253), or a few numbers.
const MAX_RECEIVED: u64 = 64 << 10;
/// Control data for all messages of a call. As its caller has to expect, what
/// is beyond is left to another call.
const ALL_CONTROL: u64 = 4 << 20;

/// `struct cmsghdr`: length (with this header), level, type.
const CONTROL_HEADER: usize = 16;
const SCM_PIDFD: i32 = 4;
const SOL_RDS: i32 = 276;

/// A message with its arrays in the monitor.
struct Message {
    /// What the payload gave.
    given: Header,
    iov: Iovecs,
    control: Vec<u8>,
}

impl Message {
    /// Copies what a message to be sent consists of.
    ///
    /// # Errors
    ///
    /// EBADF where it would send one of the monitor's descriptors; EINVAL for
    /// control data that holds pointers.
    fn to_send(process: &Process, given: Header) -> Result<Message, Errno> {
        let memory = &process.memory;
        let mut control = Vec::new();
        if given.control != 0 && given.control_len <= MAX_CONTROL {
            control = memory
                .read_array(given.control, given.control_len as usize)
                .unwrap_or_default();
        }
        check_control(&control, |fd| {
            fd >= 0 && opened(process, fd as u64) == fd as u64
        })?;
        Ok(Message {
            given,
            iov: Iovecs::copy_in(memory, given.iov, given.iov_len),
            control,
        })
    }

    /// Makes room for what a message to be received consists of.
    fn to_receive(memory: &GuestMemory, given: Header) -> Message {
        let room = match given.control {
            0 => 0,
            _ => given.control_len.min(MAX_RECEIVED) as usize,
        };
        let iov = Iovecs::copy_in(memory, given.iov, given.iov_len);
        Message {
            given,
            iov,
            control: vec![0; room],
        }
    }

    /// The header for the host; `self` must outlive the call.
    fn host_header(&mut self, memory: &GuestMemory) -> Header {
        let mut header = self.given;
        // No address is longer, whatever the payload says.
        let name_len = header
            .name_len
            .min(size_of::<libc::sockaddr_storage>() as u32);
        header.name = memory.host_pointer(header.name, name_len.into());
        header.iov = self.iov.pointer();
        if header.control_len == 0 {
            header.control = 0;
        }
        if header.control != 0 {
            // Not copied: too long, or not there.
            header.control = if self.control.is_empty() {
                FAULT
            } else {
                header.control_len = header.control_len.min(self.control.len() as u64);
                pointer_to(&mut self.control)
            };
        }
        header
    }

    /// Gives the payload what the host wrote of a received message whose
    /// header lies at `at`.
    fn received(
        &mut self,
        memory: &GuestMemory,
        fds: &ReservedFds,
        at: u64,
        host: &Header,
    ) -> Result<(), Errno> {
        let control = self
            .control
            .get_mut(..host.control_len as usize)
            .unwrap_or_default();
        relocate_received(fds, control)?;
        let (mut control_len, mut flags) = (host.control_len, host.flags);
        if !control.is_empty() && memory.write(self.given.control, control).is_err() {
            let cut;
            (control_len, cut) = write_messages(memory, self.given.control, control)?;
            flags |= cut;
        }
        if self.given.name != 0 {
            memory.write_value(at.wrapping_add(NAME_LEN), &host.name_len)?;
        }
        memory.write_value(at.wrapping_add(FLAGS), &flags)?;
        memory.write_value(at.wrapping_add(CONTROL_LEN), &control_len)
    }
}

/// Writes control data message by message, where not all of it can be written.
/// As on Linux that is no error: a message that does not fit into memory is
/// left out, descriptors that cannot be told of are not kept, and the flags
/// say so. The length written, and the flag.
fn write_messages(memory: &GuestMemory, start: u64, control: &[u8]) -> Result<(u64, u32), Errno> {
    let mut written = 0u64;
    let mut flags = 0;
    for (level, kind, bytes) in control_messages(control) {
        let header = bytes.start - CONTROL_HEADER..bytes.start;
        let data = control.get(bytes).unwrap_or_default();
        let at = start.wrapping_add(written);
        let data_at = at.wrapping_add(CONTROL_HEADER as u64);
        let mut len = data.len();
        if level == libc::SOL_SOCKET && kind == libc::SCM_RIGHTS {
            let (sent, _) = data.as_chunks::<4>();
            let places = (data_at..).step_by(4);
            let told = sent
                .iter()
                .zip(places)
                .take_while(|(fd, at)| memory.write(*at, *fd).is_ok())
                .count();
            for fd in sent.iter().skip(told) {
                close(fd)?;
                flags = libc::MSG_CTRUNC as u32;
            }
            len = told * 4;
            if told == 0 {
                continue;
            }
        } else if memory.write(data_at, data).is_err() {
            len = 0;
        }
        let mut words = [0u8; CONTROL_HEADER];
        words.copy_from_slice(control.get(header).unwrap_or(&[0; CONTROL_HEADER]));
        if let Some(first) = words.first_chunk_mut::<8>() {
            *first = ((CONTROL_HEADER + len) as u64).to_le_bytes();
        }
        let whole = len > 0 || data.is_empty();
        if whole && memory.write(at, &words).is_ok() {
            written += (CONTROL_HEADER + len).next_multiple_of(8) as u64;
        } else if level == libc::SOL_SOCKET && kind == SCM_PIDFD {
            data.first_chunk().map_or(Ok(()), close)?;
        }
    }
    Ok((written, flags))
}

/// Closes a received descriptor that the payload is not told of.
fn close(fd: &[u8; 4]) -> Result<(), Errno> {
    let fd = i32::from_le_bytes(*fd);
    if fd >= 0 {
        own_syscall(libc::SYS_close, &HostArgs::new([fd as u64]))?;
    }
    Ok(())
}

/// The messages in control data: level, type, and where its bytes lie.
fn control_messages(control: &[u8]) -> Vec<(i32, i32, std::ops::Range<usize>)> {
    let mut messages = Vec::new();
    let mut at = 0usize;
    while let Some(header) = control.get(at..at + CONTROL_HEADER) {
        let Ok((len, rest)) = u64::read_from_prefix(header) else {
            break;
        };
        let Ok(([level, kind], _)) = <[i32; 2]>::read_from_prefix(rest) else {
            break;
        };
        let Ok(len) = usize::try_from(len) else { break };
        if len < CONTROL_HEADER || len > control.len() - at {
            break;
        }
        messages.push((level, kind, at + CONTROL_HEADER..at + len));
        at += len.next_multiple_of(8);
    }
    messages
}

fn check_control(control: &[u8], may_send: impl Fn(i32) -> bool) -> Result<(), Errno> {
    for (level, kind, bytes) in control_messages(control) {
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                let bytes = control.get(bytes).unwrap_or_default();
                let (sent, _) = bytes.as_chunks::<4>();
                if !sent.iter().all(|fd| may_send(i32::from_le_bytes(*fd))) {
                    return Err(Errno::EBADF);
                }
            }
            // Its messages name memory by address.
            (SOL_RDS, _) => return Err(Errno::EINVAL),
            _ => {}
        }
    }
    Ok(())
}

/// Moves descriptors that arrived in the monitor's range. `control` is what
/// the host wrote, not payload memory.
fn relocate_received(fds: &ReservedFds, control: &mut [u8]) -> Result<(), Errno> {
    for (level, kind, bytes) in control_messages(control) {
        if level != libc::SOL_SOCKET || !matches!(kind, libc::SCM_RIGHTS | SCM_PIDFD) {
            continue;
        }
        let (arrived, _) = control
            .get_mut(bytes)
            .unwrap_or_default()
            .as_chunks_mut::<4>();
        for fd in arrived {
            let number = i32::from_le_bytes(*fd);
            if number >= 0 {
                *fd = (relocate(fds, number as u64)? as i32).to_le_bytes();
            }
        }
    }
    Ok(())
}

/// `sendto(sockfd, buf, len, flags, dest_addr, addrlen)`.
pub fn sendto(call: &mut Call<'_>) -> Outcome {
    let host = io::clipped(call, 1);
    call.host(call.row.number, &host).into()
}

/// `recvfrom(sockfd, buf, len, flags, src_addr, addrlen)`.
pub fn recvfrom(call: &mut Call<'_>) -> Outcome {
    let host = io::clipped(call, 1);
    call.host(call.row.number, &host).into()
}

pub fn sendmsg(call: &mut Call<'_>) -> Outcome {
    let process = call.process;
    let mut host = call.translate();
    host.set(1, FAULT);
    let Ok(given) = process.memory.read_value::<Header>(call.arg(1)) else {
        // The host looks at the descriptor first.
        return call.host(call.row.number, &host).into();
    };
    match Message::to_send(process, given) {
        Ok(mut message) => {
            let mut header = [message.host_header(&process.memory)];
            host.set(1, pointer_to(&mut header));
            call.host(call.row.number, &host).into()
        }
        Err(errno) => Outcome::Fail(errno),
    }
}

pub fn recvmsg(call: &mut Call<'_>) -> Outcome {
    let process = call.process;
    let at = call.arg(1);
    let mut host = call.translate();
    host.set(1, FAULT);
    let Ok(given) = process.memory.read_value::<Header>(at) else {
        return call.host(call.row.number, &host).into();
    };
    let mut message = Message::to_receive(&process.memory, given);
    let mut header = [message.host_header(&process.memory)];
    host.set(1, pointer_to(&mut header));
    let result = call.host(call.row.number, &host);
    let [header] = header;
    result
        .and_then(|value| {
            message
                .received(&process.memory, &process.fds, at, &header)
                .map(|()| value)
        })
        .into()
}

/// `sendmmsg(sockfd, msgvec, vlen, flags)`: as many messages as can be read,
/// and may be sent, as Linux returns what it got done before an error.
pub fn sendmmsg(call: &mut Call<'_>) -> Outcome {
    let process = call.process;
    let mut messages = Vec::new();
    let mut refused = None;
    for (_, given) in vector(call) {
        match Message::to_send(process, given) {
            Ok(message) => messages.push(message),
            Err(errno) => {
                refused = Some(errno);
                break;
            }
        }
    }
    match refused {
        Some(errno) if messages.is_empty() => Outcome::Fail(errno),
        _ => multiple(call, &mut messages, |_, _, _| Ok(())).into(),
    }
}

/// `recvmmsg(sockfd, msgvec, vlen, flags, timeout)`: at most 1024 messages.
pub fn recvmmsg(call: &mut Call<'_>) -> Outcome {
    let process = call.process;
    let mut messages: Vec<Message> = vector(call)
        .map(|(_, given)| Message::to_receive(&process.memory, given))
        .collect();
    multiple(call, &mut messages, |message, at, header| {
        message.received(&process.memory, &process.fds, at, header)
    })
    .into()
}

/// Where the elements of an array of messages lie.
fn addresses(start: u64) -> impl Iterator<Item = u64> {
    (0..)
        .step_by(size_of::<Multiple>())
        .map(move |offset| start.wrapping_add(offset))
}

/// The headers of the array in argument 1, with their addresses: as many as
/// there is room for, up to the first that cannot be read.
fn vector<'a>(call: &Call<'a>) -> impl Iterator<Item = (u64, Header)> + use<'a> {
    let memory = &call.process.memory;
    let count = u64::from(call.arg(2) as u32).min(MAX_IOV) as usize;
    let mut control = 0;
    addresses(call.arg(1)).take(count).map_while(move |at| {
        let header = memory.read_value::<Header>(at).ok()?;
        let fits = control < ALL_CONTROL;
        control += header.control_len.min(MAX_CONTROL);
        fits.then_some((at, header))
    })
}

/// The row's call for these messages; `finish` for each that was done.
fn multiple(
    call: &mut Call<'_>,
    messages: &mut [Message],
    mut finish: impl FnMut(&mut Message, u64, &Header) -> Result<(), Errno>,
) -> Result<u64, Errno> {
    let memory = &call.process.memory;
    let mut vector: Vec<Multiple> = Vec::with_capacity(messages.len());
    for message in &mut *messages {
        let mut entry = Multiple::new_zeroed();
        entry.header = message.host_header(memory);
        vector.push(entry);
    }
    let mut host = call.translate();
    // With a count but no message the first could not be read.
    if vector.is_empty() {
        host.set(1, FAULT);
    } else {
        host.set(1, pointer_to(&mut vector));
        host.set(2, vector.len() as u64);
    }
    let done = call.host(call.row.number, &host)?;
    let mut told = 0;
    let entries = messages.iter_mut().zip(&vector);
    for ((message, entry), at) in entries.zip(addresses(call.arg(1))).take(done as usize) {
        let mut tell = || {
            finish(message, at, &entry.header)?;
            memory.write_value(at.wrapping_add(LEN), &entry.len)
        };
        match tell() {
            Ok(()) => told += 1,
            Err(errno) if told == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(level: i32, kind: i32, fds: &[i32]) -> Vec<u8> {
        let mut bytes = ((CONTROL_HEADER + fds.len() * 4) as u64)
            .to_le_bytes()
            .to_vec();
        bytes.extend([level, kind].as_bytes());
        bytes.extend(fds.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    #[test]
    fn the_monitors_descriptors_are_not_sent() {
        let fds = ReservedFds::choose().expect("a range");
        let own = fds.range().start;
        let may_send = |fd| !fds.contains(fd);
        let mut control = message(libc::SOL_SOCKET, libc::SCM_RIGHTS, &[0, 1, 2]);
        assert_eq!(check_control(&control, may_send), Ok(()));
        control.extend(message(libc::SOL_SOCKET, libc::SCM_RIGHTS, &[3, own]));
        assert_eq!(check_control(&control, may_send), Err(Errno::EBADF));
        assert_eq!(
            check_control(&message(SOL_RDS, 1, &[]), may_send),
            Err(Errno::EINVAL)
        );
    }

    #[test]
    fn damaged_control_data_ends_the_walk() {
        let whole = message(libc::SOL_SOCKET, libc::SCM_RIGHTS, &[5, 6, 7]);
        for len in 0..whole.len() {
            let mut cut = whole.clone();
            cut.truncate(len);
            assert!(control_messages(&cut).len() <= 1);
        }
        for len in [0u64, 15, 1 << 40, u64::MAX] {
            let mut wrong = whole.clone();
            wrong.splice(..8, len.to_le_bytes());
            assert_eq!(control_messages(&wrong), []);
        }
    }
}
