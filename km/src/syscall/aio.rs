//! Asynchronous I/O of Linux (`io_submit(2)`).
//!
//! Contexts are the host's, and so are their rings, which the kernel maps into
//! the monitor, out of the payload's reach. A payload knows its context by the
//! address of a page that it has in the ring's place: where a C library looks
//! whether the ring is of a kind that it can read by itself, it is not.
//!
//! The host gets copies of control blocks, with pointers of its own. It tells
//! of a block by its address, so a copy stays until its event is fetched.

use std::collections::HashMap;
use std::sync::Arc;

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use super::Outcome;
use super::call::{Call, FAULT, pointer_to};
use super::file::opened;
use super::io::Iovecs;
use super::mask::{SET, WaitMask};
use crate::errno::Errno;
use crate::mem::layout::PAGE;
use crate::mem::mapping::{Kind, Mapping, Prot};
use crate::sys::call::{HostArgs, NOT_BEGUN, own_syscall};
use crate::sys::lock::Lock;
use crate::sys::map::Backing;

/// `struct iocb`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Block {
    data: u64,
    key: u32,
    rw_flags: u32,
    opcode: u16,
    priority: u16,
    fd: u32,
    buffer: u64,
    bytes: u64,
    offset: u64,
    reserved: u64,
    flags: u32,
    result_fd: u32,
}

const KEY: u64 = 8;
/// What the kernel writes there, and wants to find there.
const KIOCB_KEY: u32 = 0;

mod opcode {
    pub const PREAD: u16 = 0;
    pub const PWRITE: u16 = 1;
    pub const FSYNC: u16 = 2;
    pub const FDSYNC: u16 = 3;
    pub const POLL: u16 = 5;
    pub const PREADV: u16 = 7;
    pub const PWRITEV: u16 = 8;
    /// None that any kernel knows.
    pub const NONE: u16 = u16::MAX;
}

/// `IOCB_FLAG_RESFD`.
const HAS_RESULT_FD: u32 = 1;

/// `struct io_event`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Event {
    data: u64,
    block: u64,
    result: i64,
    more: i64,
}

/// A context, and what the host has of it.
#[derive(Debug)]
struct Context {
    host: u64,
    /// No more events are there at a time.
    room: u64,
    /// Copies of control blocks, by their addresses.
    blocks: Lock<HashMap<u64, Copy>>,
}

#[derive(Debug)]
struct Copy {
    block: Box<[Block; 1]>,
    /// Where the payload has it.
    given: u64,
}

/// The contexts of a process, by what the payload calls them.
#[derive(Debug, Default)]
pub struct Contexts(Lock<HashMap<u64, Arc<Context>>>);

impl Contexts {
    /// The context that the payload calls `id`.
    fn find(&self, id: u64) -> Result<Arc<Context>, Errno> {
        self.0.lock().get(&id).cloned().ok_or(Errno::EINVAL)
    }

    /// They are the parent's: in the child of a fork, which has none.
    pub fn forget(&self) {
        self.0.lock().clear();
    }
}

/// `io_setup(nr_events, ctx_idp)`.
pub fn io_setup(call: &mut Call<'_>) -> Outcome {
    setup(call).into()
}

fn setup(call: &Call<'_>) -> Result<u64, Errno> {
    let (count, at) = (call.arg(0) as u32, call.arg(1));
    // Which has to be 0, the host says.
    let mut host = [call.memory().read_value::<u64>(at)?];
    let args = HostArgs::new([u64::from(count), pointer_to(&mut host)]);
    call.host(call.row.number, &args)?;
    let [host] = host;
    let made = stand_in(call).and_then(|id| {
        call.memory().write_value(at, &id)?;
        Ok(id)
    });
    let id = made.inspect_err(|_| destroy(host))?;
    let context = Context {
        host,
        room: room(count),
        blocks: Lock::default(),
    };
    let contexts = &call.process.machine.aio;
    contexts.0.lock().insert(id, Arc::new(context));
    Ok(0)
}

/// As many events as the kernel may have made room for (`ioctx_alloc()` and
/// `aio_setup_ring()` in `fs/aio.c`), or a few more.
fn room(count: u32) -> u64 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    2 * u64::from(count).max(4 * processors as u64) + PAGE / size_of::<Event>() as u64
}

/// The page that the payload gets in the place of a ring.
fn stand_in(call: &Call<'_>) -> Result<u64, Errno> {
    let mut space = call.process.space();
    let range = space.find_free(PAGE, 0, PAGE)?;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let mapping = Mapping::new(Prot::READ, Kind::Anon);
    space.establish(range.clone(), mapping, flags, Backing::Anonymous)?;
    Ok(range.start)
}

fn destroy(host: u64) {
    let _ = own_syscall(libc::SYS_io_destroy, &HostArgs::new([host]));
}

/// `io_destroy(ctx_id)`.
pub fn io_destroy(call: &mut Call<'_>) -> Outcome {
    let work = || {
        let id = call.arg(0);
        let contexts = &call.process.machine.aio;
        // Whoever takes it away has to end it.
        let removed = contexts.0.lock().remove(&id);
        let context = removed.ok_or(Errno::EINVAL)?;
        let result = call.host(call.row.number, &HostArgs::new([context.host]));
        if result == Err(NOT_BEGUN) {
            contexts.0.lock().insert(id, context);
            return result;
        }
        call.process.space().release(&(id..id + PAGE))?;
        result
    };
    work().into()
}

/// `io_submit(ctx_id, nr, iocbpp)`: one block after the other, as the kernel
/// does it.
pub fn io_submit(call: &mut Call<'_>) -> Outcome {
    let work = || {
        let count = u64::try_from(call.arg(1) as i64).map_err(|_| Errno::EINVAL)?;
        let context = call.process.machine.aio.find(call.arg(0))?;
        for index in 0..count.min(context.room) {
            match submit(call, &context, call.arg(2).wrapping_add(index * 8)) {
                Ok(()) => {}
                Err(errno) if index == 0 => return Err(errno),
                Err(_) => return Ok(index),
            }
        }
        Ok(count.min(context.room))
    };
    work().into()
}

/// Submits the block whose address lies at `pointer`.
fn submit(call: &Call<'_>, context: &Context, pointer: u64) -> Result<(), Errno> {
    let memory = call.memory();
    let given: u64 = memory.read_value(pointer)?;
    let mut block: Block = memory.read_value(given)?;
    memory.write_value(given.wrapping_add(KEY), &KIOCB_KEY)?;
    let mut iov = None;
    match block.opcode {
        opcode::PREAD | opcode::PWRITE => {
            (block.buffer, block.bytes) = memory.host_buffer(block.buffer, block.bytes);
        }
        opcode::PREADV | opcode::PWRITEV => {
            // The kernel reads the array before the call is over.
            let array = iov.insert(Iovecs::copy_in(memory, block.buffer, block.bytes));
            block.buffer = array.pointer();
        }
        opcode::FSYNC | opcode::FDSYNC | opcode::POLL => {}
        // What its buffer were is not known.
        _ => block.opcode = opcode::NONE,
    }
    block.fd = opened(call.process, block.fd.into()) as u32;
    if block.flags & HAS_RESULT_FD != 0 {
        block.result_fd = opened(call.process, block.result_fd.into()) as u32;
    }
    let mut copy = Copy {
        block: Box::new([block]),
        given,
    };
    // Its event may be fetched before this call is over.
    let address = pointer_to(&mut *copy.block);
    context.blocks.lock().insert(address, copy);
    let mut list = [address];
    let args = HostArgs::new([context.host, 1, pointer_to(&mut list)]);
    let result = call.host(call.row.number, &args);
    if result.is_err() {
        context.blocks.lock().remove(&address);
    }
    result.map(drop)
}

/// `io_cancel(ctx_id, iocb, result)`.
pub fn io_cancel(call: &mut Call<'_>) -> Outcome {
    let work = || {
        let given = call.arg(1);
        let key: u32 = call.memory().read_value(given.wrapping_add(KEY))?;
        if key != KIOCB_KEY {
            return Err(Errno::EINVAL);
        }
        let context = call.process.machine.aio.find(call.arg(0))?;
        let blocks = context.blocks.lock();
        let mut found = blocks.iter().filter(|(_, copy)| copy.given == given);
        let address = found.next().map(|(address, _)| *address);
        drop(found);
        drop(blocks);
        let address = address.ok_or(Errno::EINVAL)?;
        let mut event = [Event::new_zeroed()];
        let args = HostArgs::new([context.host, address, pointer_to(&mut event)]);
        call.host(call.row.number, &args)
    };
    work().into()
}

/// `io_getevents(ctx_id, min_nr, nr, events, timeout)`.
pub fn io_getevents(call: &mut Call<'_>) -> Outcome {
    let host = call.translate();
    fetch(call, host, &WaitMask::Own).into()
}

/// `io_pgetevents(ctx_id, min_nr, nr, events, timeout, usig)`: the last points
/// to a mask and its size.
pub fn io_pgetevents(call: &mut Call<'_>) -> Outcome {
    let memory = call.memory();
    let mut host = call.translate();
    let (mask, size) = match call.arg(5) {
        0 => (WaitMask::Own, SET),
        address => match memory.read_value::<[u64; 2]>(address) {
            Ok([mask, size]) => (WaitMask::read(memory, mask, size), size),
            Err(errno) => return Outcome::Fail(errno),
        },
    };
    let mut pair = [mask.pointer(), size];
    host.set(5, pointer_to(&mut pair));
    fetch(call, host, &mask).into()
}

fn fetch(call: &mut Call<'_>, mut host: HostArgs, mask: &WaitMask) -> Result<u64, Errno> {
    let (least, most, at) = (call.arg(1) as i64, call.arg(2) as i64, call.arg(3));
    let process = call.process;
    let Ok(context) = process.machine.aio.find(call.arg(0)) else {
        // No context of the host's either; its timeout is looked at first.
        host.set(0, 0);
        host.set(3, FAULT);
        return mask.wait(call, &host);
    };
    let room = most.clamp(0, context.room as i64);
    let mut events = vec![Event::new_zeroed(); room as usize];
    host.set(0, context.host);
    if least <= most {
        host.set(1, least.min(room) as u64);
        host.set(2, most.min(room) as u64);
    }
    host.set(3, pointer_to(&mut events));
    let count = mask.wait(call, &host)?;
    events.truncate(count as usize);
    for (event, at) in events.iter_mut().zip((at..).step_by(size_of::<Event>())) {
        if let Some(copy) = context.blocks.lock().remove(&event.block) {
            event.block = copy.given;
        }
        process.memory.write_value(at, event)?;
    }
    Ok(count)
}
