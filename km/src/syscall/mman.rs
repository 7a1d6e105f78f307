//! Memory: `mmap(2)` and its kin.
//!
//! Mappings change under the lock on the address space. What may take long, as
//! it waits for files or makes many pages present, is done on the host's
//! mappings after the lock was given back.

mod advice;
mod lock;

pub use advice::madvise;
pub use lock::{mlock, mlock2, mlockall, munlock, munlockall};

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::errno::Errno;
use crate::loader::prot;
use crate::mem::layout::{LARGE_PAGE, MMAP_MIN, PAGE, TASK_SIZE};
use crate::mem::mapping::{FileInfo, Kind, MapFlags, Mapping, Prot};
use crate::mem::remap::Remap;
use crate::mem::space::{AddressSpace, MAP_DROPPABLE};
use crate::sys::map::{Backing, Reservation, error_of_mapping, may_map_low};
use crate::sys::proc;
use crate::syscall::call::Call;
use crate::syscall::{Outcome, file};
use lock::Population;

/// Flags of `mmap` that mean the same for the host's mapping.
const HOST_FLAGS: i32 = libc::MAP_NORESERVE
    | libc::MAP_LOCKED
    | libc::MAP_POPULATE
    | libc::MAP_NONBLOCK
    | libc::MAP_HUGETLB
    | libc::MAP_SYNC
    | libc::MAP_HUGE_MASK << libc::MAP_HUGE_SHIFT;
/// Flags that say where the mapping goes or what the payload's own table
/// keeps.
const PLACING_FLAGS: i32 = libc::MAP_FIXED
    | libc::MAP_FIXED_NOREPLACE
    | libc::MAP_32BIT
    | libc::MAP_GROWSDOWN
    | libc::MAP_STACK;

/// `mmap(2)`.
pub fn mmap(call: &mut Call<'_>) -> Outcome {
    map(call).into()
}

fn map(call: &mut Call<'_>) -> Result<u64, Errno> {
    let (address, len, protection) = (call.arg(0), call.arg(1), call.int(2));
    let (flags, fd, offset) = (call.int(3), call.int(4), call.arg(5));
    if offset % PAGE != 0 {
        return Err(Errno::EINVAL);
    }
    let anonymous = flags & libc::MAP_ANONYMOUS != 0;
    let file = if anonymous {
        None
    } else {
        Some(MappedFile::open(call, fd)?)
    };
    if len == 0 {
        return Err(Errno::EINVAL);
    }
    let len = len.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?;
    let rights = prot(protection);
    let mut space = call.process.space();
    let place_at = Place {
        address,
        len,
        flags,
        file_offset: file.as_ref().map(|_| offset),
    };
    let range = place_at.find(&space)?;
    let (shared, mut known) = match flags & libc::MAP_TYPE {
        libc::MAP_SHARED => (true, HOST_FLAGS),
        // The host checks all flags but those that place the mapping.
        libc::MAP_SHARED_VALIDATE if !anonymous => (true, !PLACING_FLAGS),
        libc::MAP_PRIVATE => (false, HOST_FLAGS),
        MAP_DROPPABLE if anonymous => (false, HOST_FLAGS),
        _ => return Err(Errno::EINVAL),
    };
    if shared || !anonymous {
        // The host refuses it, after all else.
        known |= libc::MAP_GROWSDOWN;
    }
    let unplaced = flags & known & !(PLACING_FLAGS | libc::MAP_POPULATE) | flags & libc::MAP_TYPE;
    if let Some(file) = &file {
        file.check(rights, protection, unplaced)?;
    }

    let kind = match &file {
        Some(file) => Kind::File {
            file: Arc::clone(&file.info),
            offset,
        },
        None if shared => {
            let file = Arc::new(FileInfo::shared_anonymous(space.next_shared_anonymous()));
            Kind::File { file, offset: 0 }
        }
        None => Kind::Anon,
    };
    let mut mapping = Mapping::new(rights, kind);
    mapping.shared = shared;
    mapping.flags.set(
        MapFlags::GROWSDOWN,
        flags & libc::MAP_GROWSDOWN != 0 && anonymous,
    );
    mapping
        .flags
        .set(MapFlags::NORESERVE, flags & libc::MAP_NORESERVE != 0);
    mapping.flags.set(
        MapFlags::LOCKED,
        flags & libc::MAP_LOCKED != 0 || space.locks_new(),
    );
    mapping
        .flags
        .set(MapFlags::DROPPABLE, flags & libc::MAP_TYPE == MAP_DROPPABLE);
    let host_flags = flags & libc::MAP_TYPE | flags & known | space.lock_flag();
    let backing = match &file {
        Some(file) => Backing::File {
            fd: file.fd(),
            offset,
        },
        None => Backing::Anonymous,
    };
    let now = libc::MAP_POPULATE | libc::MAP_NONBLOCK;
    let established = space.establish(range.clone(), mapping, host_flags & !now, backing);
    established.map_err(|errno| match &file {
        Some(file) if errno == Errno::ENODEV && rights.contains(Prot::EXEC) => {
            error_of_mapping(file.fd(), protection, unplaced)
        }
        _ => errno,
    })?;
    let is_memory = anonymous && flags & libc::MAP_TYPE == libc::MAP_PRIVATE;
    let may_stay_empty = flags & (libc::MAP_NORESERVE | libc::MAP_GROWSDOWN | libc::MAP_STACK) != 0;
    if flags & now == libc::MAP_POPULATE
        || is_memory
            && rights.contains(Prot::WRITE)
            && !may_stay_empty
            && !space.locks_new()
            && space.is_wanted_at_once(len)
    {
        let population = Population::of(&space, &range);
        drop(space);
        population.attempt();
    }
    Ok(range.start)
}

/// Where a mapping is to go.
struct Place {
    address: u64,
    len: u64,
    flags: i32,
    file_offset: Option<u64>,
}

impl Place {
    fn find(&self, space: &AddressSpace) -> Result<Range<u64>, Errno> {
        let fixed = self.flags & (libc::MAP_FIXED | libc::MAP_FIXED_NOREPLACE) != 0;
        if fixed {
            return self.find_fixed(space);
        }
        if self.flags & libc::MAP_32BIT != 0 && self.address == 0 {
            return space.find_free_low(self.len);
        }
        let huge = self.flags & libc::MAP_HUGETLB != 0;
        match self.file_offset {
            // Where the host has large pages of the file, the guest's can be
            // large as well only if they fall together.
            Some(offset) if !huge && self.len >= LARGE_PAGE => self.find_congruent(space, offset),
            None if self.len.is_multiple_of(LARGE_PAGE) => {
                space.find_free(self.len, self.address, LARGE_PAGE)
            }
            _ if huge => space.find_free(self.len, self.address, LARGE_PAGE),
            _ => space.find_free(self.len, self.address, PAGE),
        }
    }

    /// A place that is the same modulo large pages as `offset`, unless the
    /// payload's hint can be had or there is no room.
    fn find_congruent(&self, space: &AddressSpace, offset: u64) -> Result<Range<u64>, Errno> {
        let plain = space.find_free(self.len, self.address, PAGE)?;
        if self.address != 0 && plain.start == self.address & !(PAGE - 1) {
            return Ok(plain);
        }
        let Ok(room) = space.find_free(self.len + LARGE_PAGE, 0, PAGE) else {
            return Ok(plain);
        };
        let top = room.end - self.len;
        let start = top - (top.wrapping_sub(offset) & (LARGE_PAGE - 1));
        Ok(start..start + self.len)
    }

    fn find_fixed(&self, space: &AddressSpace) -> Result<Range<u64>, Errno> {
        let range = self.address..self.address.checked_add(self.len).ok_or(Errno::ENOMEM)?;
        if range.end > TASK_SIZE {
            return Err(Errno::ENOMEM);
        }
        if !range.start.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        if range.start < MMAP_MIN {
            may_map_low(range.start)?;
        }
        if !space.arenas().contains(&range) {
            return Err(Errno::ENOMEM);
        }
        let keep = self.flags & libc::MAP_FIXED_NOREPLACE != 0;
        if keep && !space.mappings().is_free(range.clone()) {
            return Err(Errno::EEXIST);
        }
        Ok(range)
    }
}

/// A file to be mapped, by the payload's descriptor.
struct MappedFile {
    fd: BorrowedFd<'static>,
    /// In its place where other threads could put another file there.
    held: Option<OwnedFd>,
    info: Arc<FileInfo>,
}

impl MappedFile {
    fn fd(&self) -> BorrowedFd<'_> {
        self.held.as_ref().map_or(self.fd, OwnedFd::as_fd)
    }

    fn open(call: &Call<'_>, number: i32) -> Result<MappedFile, Errno> {
        let process = call.process;
        let number = file::opened(process, number as u64) as i32;
        let payloads = proc::borrow_fd(number).ok_or(Errno::EBADF)?;
        let held = match process.threads() {
            1 => None,
            _ => Some(process.fds.adopt_copy(payloads)?),
        };
        let fd = held.as_ref().map_or(payloads, OwnedFd::as_fd);
        let status = proc::file_status(fd)?;
        if status.path_only {
            return Err(Errno::EBADF);
        }
        let info = FileInfo {
            path: process.file_name(fd),
            dev: status.device,
            ino: status.inode,
            writable: status.writable,
        };
        Ok(MappedFile {
            fd: payloads,
            held,
            info: Arc::new(info),
        })
    }

    /// What the host is not to be asked, or could not know.
    fn check(&self, rights: Prot, protection: i32, unplaced: i32) -> Result<(), Errno> {
        if rights.contains(Prot::EXEC) && proc::is_on_noexec(self.fd()) {
            return Err(Errno::EPERM);
        }
        // Never the run page of a virtual processor.
        if !proc::can_be_mapped(self.fd())? {
            return Err(error_of_mapping(self.fd(), protection, unplaced));
        }
        Ok(())
    }
}

/// The pages of a call's address and length arguments, which may be no
/// addresses of the payload's.
///
/// EINVAL where the address is not aligned; `beyond` where the range has no
/// end.
fn pages(call: &Call<'_>, beyond: Errno) -> Result<Range<u64>, Errno> {
    let (start, len) = (call.arg(0), call.arg(1));
    if start % PAGE != 0 {
        return Err(Errno::EINVAL);
    }
    let len = len.checked_next_multiple_of(PAGE).ok_or(beyond)?;
    let end = start.checked_add(len).ok_or(beyond)?;
    Ok(start..end)
}

/// Whether the call is about nothing but the memory, and the same from any
/// process that has it: not where a descriptor or a limit is the caller's own.
pub fn is_the_memorys(call: &Call<'_>) -> bool {
    match libc::c_long::from(call.row.number) {
        libc::SYS_mmap => call.int(3) & libc::MAP_ANONYMOUS != 0,
        libc::SYS_munmap
        | libc::SYS_mprotect
        | libc::SYS_pkey_mprotect
        | libc::SYS_mremap
        | libc::SYS_madvise
        | libc::SYS_brk => true,
        _ => false,
    }
}

/// `munmap(2)`.
pub fn munmap(call: &mut Call<'_>) -> Outcome {
    let unmap = || {
        let range = pages(call, Errno::EINVAL)?;
        if range.is_empty() || range.end > TASK_SIZE {
            return Err(Errno::EINVAL);
        }
        call.process.space().release(&range)?;
        Ok(0)
    };
    unmap().into()
}

/// `mprotect(2)`.
pub fn mprotect(call: &mut Call<'_>) -> Outcome {
    protect(call, false).into()
}

/// `pkey_mprotect(2)`: there are no protection keys.
pub fn pkey_mprotect(call: &mut Call<'_>) -> Outcome {
    protect(call, call.int(3) != -1).into()
}

/// Changes the rights of pages; `with_key` is found wrong where Linux does.
fn protect(call: &Call<'_>, with_key: bool) -> Result<u64, Errno> {
    const PROT_SEM: i32 = 8;
    const KNOWN: i32 = libc::PROT_READ
        | libc::PROT_WRITE
        | libc::PROT_EXEC
        | PROT_SEM
        | libc::PROT_GROWSDOWN
        | libc::PROT_GROWSUP;
    // All 64 bits are looked at.
    let unknown = call.arg(2) & !(KNOWN as u64) != 0;
    let protection = call.int(2);
    let down = protection & libc::PROT_GROWSDOWN != 0;
    let up = protection & libc::PROT_GROWSUP != 0;
    if down && up {
        return Err(Errno::EINVAL);
    }
    let mut range = pages(call, Errno::ENOMEM)?;
    if range.is_empty() {
        return Ok(0);
    }
    if unknown || with_key {
        return Err(Errno::EINVAL);
    }
    let mut space = call.process.space();
    if down || up {
        let first = space.mappings().iter_over(range.clone()).next();
        let (first, _) = first.ok_or(Errno::ENOMEM)?;
        if up && first.start > range.start {
            return Err(Errno::ENOMEM);
        }
        let found = space.mappings().find(first.start);
        let (whole, mapping) = found.ok_or(Errno::ENOMEM)?;
        if up || !mapping.flags.contains(MapFlags::GROWSDOWN) {
            return Err(Errno::EINVAL);
        }
        range.start = whole.start;
    }
    let rights = prot(protection);
    if space.loses_only_execution(&range, rights) {
        drop(space);
        let machine = &call.process.machine;
        // Calls of other threads go on meanwhile, also in this memory.
        let _stopped = machine.world.stop(&call.thread.seat)?;
        machine.take_execution(&range, rights)?;
    } else {
        space.protect(&range, rights)?;
    }
    Ok(0)
}

/// `mremap(2)`.
pub fn mremap(call: &mut Call<'_>) -> Outcome {
    // No flag is known among the upper ones, which are looked at as well.
    let Ok(flags) = i32::try_from(call.arg(3)) else {
        return Outcome::Fail(Errno::EINVAL);
    };
    let request = Remap {
        old: call.arg(0),
        old_len: call.arg(1),
        new_len: call.arg(2),
        flags,
        new: call.arg(4),
    };
    call.process.space().remap(&request).into()
}

/// `brk(2)`.
pub fn brk(call: &mut Call<'_>) -> Outcome {
    let mut space = call.process.space();
    let before = space.brk_end().next_multiple_of(PAGE);
    let brk = space.set_brk(call.arg(0));
    let grown = before..brk.next_multiple_of(PAGE);
    if !grown.is_empty() && space.is_wanted_at_once(grown.end - grown.start) {
        let population = Population::of(&space, &grown);
        drop(space);
        population.attempt();
    }
    Outcome::Done(brk)
}

/// The host side of a part of the address space, for work without the lock.
struct Pieces {
    reservation: Arc<Reservation>,
    physical: Vec<Range<u64>>,
    /// What the call comes to if all goes well: ENOMEM where there were holes.
    end: Result<u64, Errno>,
}

impl Pieces {
    /// The mapped pieces of `range`.
    fn of(space: &AddressSpace, range: &Range<u64>) -> Result<Pieces, Errno> {
        Pieces::of_some(space, range, |_| true)
    }

    /// Those that are the payload's own: not the data of the vDSO.
    fn of_own(space: &AddressSpace, range: &Range<u64>) -> Result<Pieces, Errno> {
        Pieces::of_some(space, range, |mapping| mapping.kind != Kind::Vvar)
    }

    fn of_some(
        space: &AddressSpace,
        range: &Range<u64>,
        wanted: impl Fn(&Mapping) -> bool,
    ) -> Result<Pieces, Errno> {
        let whole = space.mappings().is_fully_mapped(range.clone());
        let mut pieces = Pieces {
            reservation: Arc::clone(space.reservation()),
            physical: Vec::new(),
            end: if whole { Ok(0) } else { Err(Errno::ENOMEM) },
        };
        for (piece, mapping) in space.mappings().iter_over(range.clone()) {
            if wanted(&mapping) {
                pieces.physical.push(space.physical_range(&piece)?);
            }
        }
        Ok(pieces)
    }

    /// Does something with each.
    fn each(
        &self,
        mut work: impl FnMut(&Reservation, &Range<u64>) -> Result<(), Errno>,
    ) -> Result<u64, Errno> {
        for physical in &self.physical {
            work(&self.reservation, physical)?;
        }
        self.end
    }
}

/// `msync(2)`.
pub fn msync(call: &mut Call<'_>) -> Outcome {
    let sync = || {
        let flags = call.int(2);
        let both = libc::MS_ASYNC | libc::MS_SYNC;
        if flags & !(both | libc::MS_INVALIDATE) != 0 || flags & both == both {
            return Err(Errno::EINVAL);
        }
        let range = match pages(call, Errno::ENOMEM) {
            // A length that rounds to 2^64 is none.
            Err(Errno::ENOMEM) if call.arg(1) > PAGE.wrapping_neg() => return Ok(0),
            range => range?,
        };
        let pieces = Pieces::of(&call.process.space(), &range)?;
        pieces.each(|reservation, physical| reservation.sync(physical, flags))
    };
    sync().into()
}

/// `mincore(2)`.
pub fn mincore(call: &mut Call<'_>) -> Outcome {
    let resident = || {
        let range = pages(call, Errno::ENOMEM)?;
        if range.end > TASK_SIZE {
            return Err(Errno::ENOMEM);
        }
        let count = (range.end - range.start) / PAGE;
        if call.arg(2).saturating_add(count) > TASK_SIZE {
            return Err(Errno::EFAULT);
        }
        let space = call.process.space();
        let gap = space.mappings().first_gap(range.clone());
        let mapped = range.start..gap.as_ref().map_or(range.end, |gap| gap.start);
        let mut pieces = Pieces::of(&space, &mapped)?;
        drop(space);
        if gap.is_some() {
            pieces.end = Err(Errno::ENOMEM);
        }
        // As Linux does, a page of answers at a time: the first that cannot
        // be written ends it.
        const CHUNK: u64 = PAGE * PAGE;
        let mut at = call.arg(2);
        pieces.each(|reservation, physical| {
            let mut start = physical.start;
            while start < physical.end {
                let end = physical.end.min(start + CHUNK);
                let pages = reservation.resident(&(start..end))?;
                call.memory().write(at, &pages)?;
                at += pages.len() as u64;
                start = end;
            }
            Ok(())
        })
    };
    resident().into()
}
