//! The monitor's heap, and rooms beside it for processes made by `vfork`.
//!
//! Such a process may be killed at any instruction, also within the C
//! library's allocator, whose locks and lists its parent needs. So it gets a
//! room: a stack, and memory that it alone hands out, until it executes a
//! program or ends. What it gives back of the heap's is noted for its parent;
//! what others give back of a room is only counted. A room is used again when
//! nothing in it is in use any more. After a child that was killed that would
//! be never, so its room is taken back at once, unless the child has changed
//! what it shares: something there may lie in the room.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering, compiler_fence};

use libc::c_void;

/// The allocator of the program.
struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

/// How many rooms there are, and the address space each has.
const ROOMS: usize = 16 << 10;
const ROOM: usize = 64 << 20;
/// At the start of a room: a guard, a stack, and then the [`Header`].
const GUARD: usize = 4096;
const STACK: usize = 512 << 10;
/// What a room keeps of the memory handed out in it.
const KEPT: usize = 256 << 10;

/// Blocks have a power of two of bytes, from this one on.
const SMALLEST: usize = 16;
/// More than the classes of blocks in a room.
const CLASSES: usize = 32;
/// Blocks are aligned to their size, up to this.
const PAGE: usize = 4096;

/// Start of the rooms; far from all allocations where there are none yet.
static START: AtomicUsize = AtomicUsize::new(NOWHERE);
const NOWHERE: usize = usize::MAX / 2;

/// How many uses each room has: its holder's, and one for each block.
static USES: [AtomicU32; ROOMS] = [const { AtomicU32::new(0) }; ROOMS];

thread_local! {
    /// The room this thread allocates in, if it does not on the heap.
    static CURRENT: Cell<*mut Header> = const { Cell::new(ptr::null_mut()) };
}

/// What a room's only user keeps at its start.
#[repr(C)]
struct Header {
    index: usize,
    /// Start of what was never handed out, and end of the room.
    next: usize,
    end: usize,
    /// Free blocks, by class: each holds the address of the next.
    free: [usize; CLASSES],
    /// Blocks of the heap that its user gave back.
    returned: *mut Returned,
    /// Its user has changed what others have as well.
    shared: bool,
}

struct Returned {
    block: *mut u8,
    layout: Layout,
    next: *mut Returned,
}

/// The room that `block` is in.
fn room_of(block: *mut u8) -> Option<&'static AtomicU32> {
    let at = block.addr().wrapping_sub(START.load(Ordering::Relaxed));
    USES.get(at / ROOM)
}

impl Header {
    /// Bytes of a block for `layout`.
    fn size(layout: Layout) -> Option<usize> {
        let least = layout.size().max(layout.align()).max(SMALLEST);
        (layout.align() <= PAGE)
            .then(|| least.checked_next_power_of_two())
            .flatten()
    }

    fn class(&mut self, size: usize) -> Option<&mut usize> {
        self.free.get_mut(size.trailing_zeros() as usize)
    }

    /// A block of the room, or null.
    ///
    /// # Safety
    ///
    /// The room is the caller's.
    unsafe fn allocate(&mut self, layout: Layout) -> *mut u8 {
        let Some(size) = Header::size(layout) else {
            return ptr::null_mut();
        };
        let Some(free) = self.class(size) else {
            return ptr::null_mut();
        };
        let block = if *free != 0 {
            let block = *free;
            // SAFETY: a free block holds the address of the next.
            *free = unsafe { (block as *const usize).read() };
            block
        } else {
            let start = self.next.next_multiple_of(size.min(PAGE));
            match start.checked_add(size) {
                Some(end) if end <= self.end => self.next = end,
                _ => return ptr::null_mut(),
            }
            start
        };
        if let Some(uses) = USES.get(self.index) {
            uses.fetch_add(1, Ordering::Relaxed);
        }
        block as *mut u8
    }

    /// Takes a block of the room back.
    ///
    /// # Safety
    ///
    /// It was allocated in the room with `layout`, and the room is the
    /// caller's.
    unsafe fn take_back(&mut self, block: *mut u8, layout: Layout) {
        if let Some(free) = Header::size(layout).and_then(|size| self.class(size)) {
            // SAFETY: the block is aligned and large enough for an address.
            unsafe { block.cast::<usize>().write(*free) };
            *free = block.addr();
        }
    }

    /// Notes a block of the heap.
    ///
    /// # Safety
    ///
    /// As for `allocate`; the block is not used any more.
    unsafe fn note_returned(&mut self, block: *mut u8, layout: Layout) {
        // SAFETY: the room is the caller's.
        let note = unsafe { self.allocate(Layout::new::<Returned>()) }.cast::<Returned>();
        if note.is_null() {
            return;
        }
        // SAFETY: the block is new, and large enough.
        unsafe {
            note.write(Returned {
                block,
                layout,
                next: self.returned,
            });
        }
        // The child may be killed between the two.
        compiler_fence(Ordering::SeqCst);
        self.returned = note;
    }
}

// SAFETY: blocks come from the system's allocator, or from a room that only
// the calling thread hands out. Which of the two has to take a block back is
// told by its address: rooms lie in a mapping of their own.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the header is the room's, which is this thread's as long as
        // it is current; the rest is the caller's to keep.
        unsafe {
            match CURRENT.get().as_mut() {
                None => System.alloc(layout),
                Some(room) => room.allocate(layout),
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as for `alloc`.
        unsafe {
            let current = CURRENT.get().as_mut();
            match (room_of(block), current) {
                (None, None) => System.dealloc(block, layout),
                (None, Some(room)) => room.note_returned(block, layout),
                (Some(uses), current) => {
                    if let Some(room) = current
                        && USES.get(room.index).is_some_and(|own| ptr::eq(own, uses))
                    {
                        room.take_back(block, layout);
                    }
                    uses.fetch_sub(1, Ordering::Release);
                }
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        unsafe {
            if CURRENT.get().is_null() {
                return System.alloc_zeroed(layout);
            }
            let block = self.alloc(layout);
            if !block.is_null() {
                block.write_bytes(0, layout.size());
            }
            block
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as for `alloc`; the new layout is valid as the caller keeps
        // to the rules of `realloc`.
        unsafe {
            if CURRENT.get().is_null() && room_of(block).is_none() {
                return System.realloc(block, layout, size);
            }
            let wanted = Layout::from_size_align_unchecked(size, layout.align());
            if room_of(block).is_some() && Header::size(layout) == Header::size(wanted) {
                return block;
            }
            let new = self.alloc(wanted);
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

/// A room, held by the parent of the process that is to run in it.
#[derive(Debug)]
pub struct Room {
    start: usize,
    /// Where the parent allocates.
    before: *mut Header,
}

/// Start of the rooms, whose address space is taken with the first.
fn rooms() -> Option<usize> {
    let start = START.load(Ordering::Relaxed);
    if start != NOWHERE {
        return Some(start);
    }
    // SAFETY: fresh mappings touch no others; the one that comes too late is
    // nobody's.
    unsafe {
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let new = libc::mmap(ptr::null_mut(), ROOMS * ROOM, libc::PROT_NONE, kind, -1, 0);
        if new == libc::MAP_FAILED {
            return None;
        }
        // A large page takes long to clear, for a few small blocks.
        libc::madvise(new, ROOMS * ROOM, libc::MADV_NOHUGEPAGE);
        let taken =
            START.compare_exchange(NOWHERE, new.addr(), Ordering::Relaxed, Ordering::Relaxed);
        match taken {
            Ok(_) => Some(new.addr()),
            Err(other) => {
                libc::munmap(new, ROOMS * ROOM);
                Some(other)
            }
        }
    }
}

impl Room {
    /// A room that nobody uses.
    pub fn take() -> Option<Room> {
        let rooms = rooms()?;
        let free = |uses: &AtomicU32| {
            let taken = uses.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
            taken.is_ok()
        };
        let index = USES.iter().position(free)?;
        let start = rooms + index * ROOM;
        let header = (start + GUARD + STACK) as *mut Header;
        // SAFETY: the range is the room's, which is the caller's now; all of
        // it but the guard is made accessible before it is written to.
        unsafe {
            let prot = libc::PROT_READ | libc::PROT_WRITE;
            let usable = (start + GUARD) as *mut c_void;
            if libc::mprotect(usable, ROOM - GUARD, prot) < 0 {
                USES.get(index)?.store(0, Ordering::Release);
                return None;
            }
            header.write(Header {
                index,
                next: header.addr() + size_of::<Header>(),
                end: start + ROOM,
                free: [0; CLASSES],
                returned: ptr::null_mut(),
                shared: false,
            });
        }
        Some(Room {
            start,
            before: CURRENT.get(),
        })
    }

    fn header(&self) -> *mut Header {
        (self.start + GUARD + STACK) as *mut Header
    }

    /// The end of the room's stack, aligned as the ABI wants it.
    pub fn stack(&self) -> *mut c_void {
        self.header().cast()
    }

    /// From here on the calling thread, or the child in its place, allocates
    /// in the room.
    pub fn enter(&self) {
        CURRENT.set(self.header());
    }

    /// From here on it allocates where it did before.
    pub fn leave(&self) {
        CURRENT.set(self.before);
    }

    /// The child has ended in the middle of something: what it had in the room
    /// is forgotten, where nothing else can be in it.
    pub fn abandon(self) {
        self.give_back();
        // What the log keeps for a thread is the parent's as well.
        let logs = log::max_level() > log::LevelFilter::Warn;
        // SAFETY: nobody allocates in the room any more.
        let header = unsafe { &*self.header() };
        if !header.shared
            && !logs
            && let Some(uses) = USES.get(header.index)
        {
            uses.store(1, Ordering::Release);
        }
    }

    /// Gives the heap's blocks back to it.
    fn give_back(&self) {
        // SAFETY: nobody allocates in the room any more. The notes were whole
        // when they were linked; they and the blocks are given back once.
        unsafe {
            let header = &mut *self.header();
            let mut note = std::mem::replace(&mut header.returned, ptr::null_mut());
            while !note.is_null() {
                let Returned {
                    block,
                    layout,
                    next,
                } = note.read();
                HEAP.dealloc(block, layout);
                HEAP.dealloc(note.cast(), Layout::new::<Returned>());
                note = next;
            }
        }
    }

    /// Gives memory back to the host.
    fn trim(&self) {
        // SAFETY: nobody allocates in the room any more. What is given back is
        // above all blocks.
        unsafe {
            let header = &*self.header();
            let uses = USES
                .get(header.index)
                .map_or(0, |uses| uses.load(Ordering::Acquire));
            let used = header.next;
            let kept = if uses > 1 {
                // Blocks stay. The stack is nobody's.
                libc::madvise(
                    (self.start + GUARD) as *mut c_void,
                    STACK,
                    libc::MADV_DONTNEED,
                );
                used
            } else {
                self.header().addr() + KEPT
            };
            let kept = kept.next_multiple_of(PAGE);
            if used > kept {
                libc::madvise(kept as *mut c_void, used - kept, libc::MADV_DONTNEED);
            }
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.give_back();
        self.trim();
        // SAFETY: the header was written when the room was taken.
        let index = unsafe { (*self.header()).index };
        if let Some(uses) = USES.get(index) {
            uses.fetch_sub(1, Ordering::Release);
        }
    }
}

/// What the calling thread shares with others is about to be changed.
pub fn note_shared() {
    // SAFETY: the room is this thread's as long as it is current.
    if let Some(room) = unsafe { CURRENT.get().as_mut() } {
        room.shared = true;
    }
}

/// In a process with memory of its own, which goes on with the heap.
pub fn leave_rooms() {
    CURRENT.set(ptr::null_mut());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(room: &Room) -> u32 {
        // SAFETY: the room is taken.
        let index = unsafe { (*room.header()).index };
        USES[index].load(Ordering::Relaxed)
    }

    #[test]
    fn a_room_is_free_when_all_in_it_is() {
        let room = Room::take().unwrap();
        room.enter();
        let text = "x".repeat(100_000);
        let mut list: Vec<_> = (0..1000).collect();
        drop((0..1000).map(|n| n.to_string()).collect::<Vec<_>>());
        room.leave();
        assert_eq!(uses(&room), 3);
        list.extend(0..1000);
        assert_eq!(uses(&room), 2, "it moved to the heap");
        assert_eq!(list.iter().sum::<i32>(), 999_000);
        let start = room.start;
        drop(room);
        assert_ne!(Room::take().unwrap().start, start, "a block is left");
        assert!(text.bytes().all(|byte| byte == b'x'));
        let at = USES
            .iter()
            .position(|uses| ptr::eq(uses, room_of(text.as_ptr().cast_mut()).unwrap()));
        drop(text);
        assert_eq!(USES[at.unwrap()].load(Ordering::Relaxed), 0);
    }

    #[test]
    fn blocks_are_used_again_and_do_not_overlap() {
        let room = Room::take().unwrap();
        room.enter();
        let mut kept: Vec<Vec<u8>> = Vec::new();
        for round in 0..20_000usize {
            let byte = round as u8;
            kept.push(vec![byte; 1 + round * 7 % 9000]);
            if kept.len() > 20 {
                let old = kept.swap_remove(round % 20);
                assert!(old.iter().all(|byte| *byte == old[0]));
            }
        }
        // SAFETY: the room is taken.
        let used = unsafe { (*room.header()).next } - room.header().addr();
        assert!(used < 4 << 20, "{used} bytes for some 200 KiB");
        drop(kept);
        room.leave();
        assert_eq!(uses(&room), 1);
    }

    #[test]
    fn what_is_of_the_heap_goes_back_there() {
        let block = vec![1u8; 5000];
        let room = Room::take().unwrap();
        room.enter();
        drop(block);
        let zeroed = vec![0u8; 5000];
        assert!(zeroed.iter().all(|byte| *byte == 0));
        drop(zeroed);
        room.leave();
        assert_eq!(uses(&room), 2);
        room.give_back();
        assert_eq!(uses(&room), 1);
    }

    /// What a child leaves that is killed.
    fn leave_a_block(room: &Room) {
        room.enter();
        std::mem::forget(Box::new(1));
        room.leave();
        assert_eq!(uses(room), 2);
    }

    #[test]
    fn an_abandoned_room_is_used_again() {
        let room = Room::take().unwrap();
        leave_a_block(&room);
        // SAFETY: the room is taken.
        let index = unsafe { (*room.header()).index };
        room.abandon();
        assert_eq!(USES[index].load(Ordering::Relaxed), 0);
    }

    #[test]
    fn but_not_if_others_may_have_something_in_it() {
        let room = Room::take().unwrap();
        leave_a_block(&room);
        room.enter();
        note_shared();
        room.leave();
        // SAFETY: the room is taken.
        let index = unsafe { (*room.header()).index };
        room.abandon();
        assert_eq!(USES[index].load(Ordering::Relaxed), 1);
    }
}
