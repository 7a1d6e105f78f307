//! The payload's address space: the mapping table, the host mappings that are
//! its truth, and the guest's page tables that mirror both.
//!
//! Every change goes in the same order: page tables first, host mapping
//! second, mapping table last. Taking the host's pages away makes KVM drop
//! what the processors have cached of them, and by then the page tables say
//! why; so a vCPU that uses such an address gets a page fault with address
//! and error code.

use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::errno::Errno;
use crate::mem::guest::GuestMemory;
use crate::mem::layout::{Arenas, LARGE_PAGE, PAGE, TASK_SIZE};
use crate::mem::mapping::{Kind, Mapping, MappingTable, Prot, Stop};
use crate::mem::pagetable::{Access, PageTables, Pages};
use crate::mem::shared::SharedPages;
use crate::sys::map::{Backing, Reservation};
use crate::vm::Vm;
use crate::vm::slots::Slots;

/// Mappings up to this size are entered into the page tables at once; larger
/// ones as they are used, in windows of this size and alignment.
const WINDOW: u64 = 64 << 20;
/// Linux's default `vm.max_map_count`, less some for the monitor itself, which
/// must never run out of memory for the payload's sake.
const MAX_MAPPINGS: usize = 65_530 - 512;
/// `MAP_DROPPABLE` of `mmap(2)`: a type of its own beside `MAP_PRIVATE`.
pub const MAP_DROPPABLE: i32 = 8;

/// The address space of a payload process.
#[derive(Debug)]
pub struct AddressSpace {
    pub(super) vm: Arc<Vm>,
    pub(super) slots: Slots,
    pub(super) tables: PageTables,
    pub(super) reservation: Arc<Reservation>,
    pub(super) memory: GuestMemory,
    pub(super) mappings: MappingTable,
    pub(super) shared_pages: Vec<SharedPages>,
    /// Where `mmap` starts to look, downwards.
    pub(super) mmap_base: u64,
    /// Start and end of the program break.
    pub(super) brk: Range<u64>,
    /// Below this the host has no memory ready for the stack to grow into.
    pub(super) stack_ready: u64,
    /// Most bytes of private writable memory, by `--memory`.
    ceiling: u64,
    pub(super) limits: Limits,
    /// Mapping table entries that stand for shared anonymous memory so far.
    shared_anonymous: u64,
    /// `mlockall(MCL_FUTURE)`.
    locks_new: bool,
    /// How many bytes may still be made present before they are touched, beside small pieces.
    ready_left: u64,
}

/// The payload's resource limits on memory, in bytes (`getrlimit(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `RLIMIT_AS`: everything that is mapped.
    pub total: u64,
    /// `RLIMIT_DATA`: private writable memory.
    pub data: u64,
    /// `RLIMIT_STACK`: how far the main stack grows.
    pub stack: u64,
}

/// What a page table entry needs to allow.
fn access(prot: Prot) -> Option<Access> {
    // Without READ, x86 still reads what it may write or execute.
    (!prot.is_empty()).then(|| Access {
        write: prot.contains(Prot::WRITE),
        execute: prot.contains(Prot::EXEC),
        user: true,
    })
}

/// Protection of the host mapping behind it. Nothing of the payload is ever
/// executable in the monitor.
pub(super) fn host_prot(prot: Prot) -> i32 {
    let read = if prot.is_empty() {
        libc::PROT_NONE
    } else {
        libc::PROT_READ
    };
    let write = if prot.contains(Prot::WRITE) {
        libc::PROT_WRITE
    } else {
        0
    };
    read | write
}

/// Of memory that may never be touched, this much at most is made present.
const READY_IN_ALL: u64 = 4 << 20;

impl AddressSpace {
    /// An empty address space.
    pub fn new(
        vm: Arc<Vm>,
        slots: Slots,
        tables: PageTables,
        reservation: Arc<Reservation>,
        memory: GuestMemory,
        ceiling: Option<u64>,
    ) -> AddressSpace {
        let mmap_base = memory.arenas().mmap_base(0, 0);
        AddressSpace {
            vm,
            slots,
            tables,
            reservation,
            memory,
            mappings: MappingTable::new(),
            shared_pages: Vec::new(),
            mmap_base,
            brk: 0..0,
            stack_ready: TASK_SIZE,
            ceiling: ceiling.unwrap_or(u64::MAX),
            limits: Limits {
                total: u64::MAX,
                data: u64::MAX,
                stack: u64::MAX,
            },
            shared_anonymous: 0,
            locks_new: false,
            ready_left: READY_IN_ALL,
        }
    }

    /// What is mapped.
    pub fn mappings(&self) -> &MappingTable {
        &self.mappings
    }

    pub fn arenas(&self) -> &Arenas {
        self.memory.arenas()
    }

    /// Payload memory, for copies.
    pub fn memory(&self) -> &GuestMemory {
        &self.memory
    }

    /// The machine, for further processors.
    pub fn machine(&mut self) -> (&mut PageTables, Pages<'_>) {
        (
            &mut self.tables,
            Pages {
                vm: &self.vm,
                slots: &mut self.slots,
            },
        )
    }

    /// Root of the page tables.
    pub fn root(&self) -> u64 {
        self.tables.root()
    }

    /// Where the program break starts.
    pub fn brk(&self) -> u64 {
        self.brk.start
    }

    /// Where the break is.
    pub fn brk_end(&self) -> u64 {
        self.brk.end
    }

    /// Sets where `mmap` starts to look, downwards.
    pub fn set_mmap_base(&mut self, base: u64) {
        self.mmap_base = base;
    }

    /// The host side, for advice and the like that changes no mapping. What
    /// may take long is done with a clone of it, after the lock on the address
    /// space was given back: at worst it meets what the payload maps there
    /// meanwhile.
    pub fn reservation(&self) -> &Arc<Reservation> {
        &self.reservation
    }

    /// Changes what the mapping table keeps of `range` beside its rights.
    pub fn update_mappings(&mut self, range: &Range<u64>, change: impl FnMut(&mut Mapping)) {
        self.mappings.update(range.clone(), change);
    }

    /// A number for one more piece of shared anonymous memory.
    pub fn next_shared_anonymous(&mut self) -> u64 {
        self.shared_anonymous += 1;
        self.shared_anonymous
    }

    /// Whether new mappings are locked.
    pub fn locks_new(&self) -> bool {
        self.locks_new
    }

    pub fn set_locks_new(&mut self, locks: bool) {
        self.locks_new = locks;
    }

    /// `MAP_LOCKED` if new mappings are locked.
    pub fn lock_flag(&self) -> i32 {
        if self.locks_new { libc::MAP_LOCKED } else { 0 }
    }

    /// Guest-physical range of a payload range inside one arena.
    ///
    /// # Errors
    ///
    /// ENOMEM outside the arenas.
    pub fn physical_range(&self, range: &Range<u64>) -> Result<Range<u64>, Errno> {
        let arenas = self.memory.arenas();
        match arenas.physical(range.start) {
            Some(start) if arenas.contains(range) => Ok(start..start + (range.end - range.start)),
            _ => Err(Errno::ENOMEM),
        }
    }

    pub(super) fn pages(&mut self) -> Pages<'_> {
        Pages {
            vm: &self.vm,
            slots: &mut self.slots,
        }
    }

    /// Takes a range out of the page tables. ENOMEM where there is no room to
    /// split a large page.
    pub(super) fn withdraw(&mut self, range: &Range<u64>) -> Result<(), Errno> {
        let mut pages = Pages {
            vm: &self.vm,
            slots: &mut self.slots,
        };
        self.tables.unmap(range, &mut pages)
    }

    /// Enters what the mapping table says of `range` into the page tables.
    pub(super) fn fill(&mut self, range: &Range<u64>) -> Result<(), Errno> {
        let pieces: Vec<(Range<u64>, Prot, bool)> = self
            .mappings
            .iter_over(range.clone())
            .map(|(piece, mapping)| {
                (
                    piece,
                    mapping.prot,
                    matches!(mapping.kind, Kind::Vdso | Kind::Vvar),
                )
            })
            .collect();
        for (piece, prot, shared) in pieces {
            let Some(access) = access(prot) else { continue };
            if shared {
                self.fill_shared(&piece, access)?;
                continue;
            }
            let physical = self.physical_range(&piece)?;
            let bounds = self.arena_bounds(&piece)?;
            self.slots.cover(&self.vm, &physical, &bounds)?;
            let mut pages = Pages {
                vm: &self.vm,
                slots: &mut self.slots,
            };
            self.tables
                .map(&piece, physical.start, access, &mut pages)?;
        }
        Ok(())
    }

    /// Guest-physical bounds of the arena a payload range lies in.
    fn arena_bounds(&self, range: &Range<u64>) -> Result<Range<u64>, Errno> {
        let arenas = self.memory.arenas();
        let arena = if arenas.low().contains(&range.start) {
            arenas.low()
        } else {
            arenas.high()
        };
        // The last page below 2^47 belongs to nobody but may have a slot.
        let arena = arena.start..arena.end.next_multiple_of(LARGE_PAGE);
        let start = arenas.physical(arena.start).ok_or(Errno::ENOMEM)?;
        Ok(start..start + (arena.end - arena.start))
    }

    /// The part of `range` that is worth filling in at once around `address`.
    pub(super) fn window(range: &Range<u64>, address: u64) -> Range<u64> {
        let start = address & !(WINDOW - 1);
        range.start.max(start)..range.end.min(start + WINDOW)
    }

    /// As [`fill`](Self::fill), for small ranges; larger ones, and those there
    /// is no room for now, wait for their faults.
    pub(super) fn fill_small(&mut self, range: &Range<u64>) {
        if range.end - range.start <= WINDOW
            && let Err(error) = self.fill(range)
        {
            log::debug!("{range:x?} waits for its faults: {error}");
        }
    }

    /// Maps `backing` at `range`, replacing what was there. `flags` go to the
    /// host's `mmap` beside `MAP_FIXED`.
    ///
    /// # Errors
    ///
    /// ENOMEM outside the arenas or beyond a limit; else from `mmap(2)`.
    pub fn establish(
        &mut self,
        range: Range<u64>,
        mapping: Mapping,
        flags: i32,
        backing: Backing<'_>,
    ) -> Result<(), Errno> {
        let prot = host_prot(mapping.prot);
        self.establish_by(range, mapping, |reservation, physical| {
            reservation.map(physical, prot, flags, backing)
        })
    }

    /// As [`establish`](Self::establish), with what `map` puts there.
    pub(super) fn establish_by(
        &mut self,
        range: Range<u64>,
        mapping: Mapping,
        map: impl FnOnce(&Reservation, &Range<u64>) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let physical = self.physical_range(&range)?;
        self.check_limits(&range, &mapping)?;
        self.withdraw(&range)?;
        if let Err(error) = map(&self.reservation, &physical) {
            // Some errors come after the old mapping is gone, as on Linux.
            let page = physical.start..physical.start + PAGE;
            if self.reservation.resident(&page) == Err(Errno::ENOMEM) {
                self.reservation.unmap(&physical)?;
                self.mappings.remove(range);
            }
            return Err(error);
        }
        self.wants_huge_pages(&range, &physical, &mapping);
        self.use_stack_room(&range);
        self.mappings.insert(range.clone(), mapping);
        self.fill_small(&range);
        Ok(())
    }

    /// Notes that `range` is mapped: the stack does not grow there.
    pub(super) fn use_stack_room(&mut self, range: &Range<u64>) {
        if range.start < self.stack_ready_end() && range.end > self.stack_ready {
            self.stack_ready = range.end;
        }
    }

    /// Where the memory held ready for the stack ends: the stack's start.
    fn stack_ready_end(&self) -> u64 {
        self.mappings
            .find_from(self.stack_ready)
            .map_or(self.stack_ready, |(range, _)| range.start)
    }

    /// Private anonymous memory is to come in large pages: each first touch
    /// costs far more than on a native system.
    pub(super) fn wants_huge_pages(
        &self,
        range: &Range<u64>,
        physical: &Range<u64>,
        mapping: &Mapping,
    ) {
        let anonymous = matches!(mapping.kind, Kind::Anon | Kind::Heap);
        let large = range
            .end
            .saturating_sub(range.start.next_multiple_of(LARGE_PAGE))
            >= LARGE_PAGE;
        if anonymous && !mapping.shared && large {
            // Advice: a kernel without large pages says EINVAL, no matter.
            let _ = self.reservation.advise(physical, libc::MADV_HUGEPAGE);
        }
    }

    /// Sets the payload's limits on memory.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// How many mappings the host has, about: holes count, as parts of the
    /// reservation. Looked at closely only where it may be many.
    fn host_mappings(&self) -> usize {
        let count = self.mappings.count();
        if count < MAX_MAPPINGS / 2 {
            return count;
        }
        let starts = self.mappings.iter().map(|(range, _)| range.start).skip(1);
        let ends = self.mappings.iter().map(|(range, _)| range.end);
        count + starts.zip(ends).filter(|(start, end)| start != end).count()
    }

    fn check_limits(&self, range: &Range<u64>, mapping: &Mapping) -> Result<(), Errno> {
        if self.host_mappings() >= MAX_MAPPINGS {
            return Err(Errno::ENOMEM);
        }
        let size = |range: &Range<u64>| range.end - range.start;
        let (mut replaced, mut replaced_data) = (0, 0);
        for (piece, old) in self.mappings.iter_over(range.clone()) {
            replaced += size(&piece);
            replaced_data += if old.is_data() { size(&piece) } else { 0 };
        }
        self.check_total(size(range).saturating_sub(replaced))?;
        let data = if mapping.is_data() { size(range) } else { 0 };
        self.check_data(data.saturating_sub(replaced_data))
    }

    /// Whether `more` bytes may be mapped.
    pub(super) fn check_total(&self, more: u64) -> Result<(), Errno> {
        let total = self.mappings.total_bytes().saturating_add(more);
        if more > 0 && total > self.limits.total {
            Err(Errno::ENOMEM)
        } else {
            Ok(())
        }
    }

    /// Whether there may be `more` bytes of private writable memory.
    pub(super) fn check_data(&self, more: u64) -> Result<(), Errno> {
        let data = self.mappings.data_bytes().saturating_add(more);
        let limit = self.limits.data.min(self.ceiling);
        if more > 0 && data > limit {
            Err(Errno::ENOMEM)
        } else {
            Ok(())
        }
    }

    /// Maps a file at `range`.
    ///
    /// # Errors
    ///
    /// As for [`establish`](Self::establish).
    pub fn map_file(
        &mut self,
        range: Range<u64>,
        mapping: Mapping,
        flags: i32,
        fd: BorrowedFd<'_>,
        offset: u64,
    ) -> Result<(), Errno> {
        self.establish(range, mapping, flags, Backing::File { fd, offset })
    }

    /// Whether a private piece of `len` bytes that the payload asks for is to be made present at
    /// once. Page by page, as it is touched, it costs seven times as much where KVM shadows page
    /// tables (docs/kvm-hosts.md). What may never be touched is kept small: each piece, or all of
    /// them together.
    pub fn is_wanted_at_once(&mut self, len: u64) -> bool {
        const SMALL: u64 = 64 << 10;
        const LARGEST: u64 = 1 << 20;
        if len <= SMALL {
            return true;
        }
        let is_wanted = len <= LARGEST.min(self.ready_left);
        if is_wanted {
            self.ready_left -= len;
        }
        is_wanted
    }

    /// Has the host give the memory of `range`, private and writable.
    pub fn make_ready(&self, range: &Range<u64>) {
        if let Ok(physical) = self.physical_range(range) {
            // What cannot be had is found out about when it is touched.
            let _ = self
                .reservation
                .advise(&physical, libc::MADV_POPULATE_WRITE);
        }
    }

    /// Maps zeroes at `range`, private.
    ///
    /// # Errors
    ///
    /// As for [`establish`](Self::establish).
    pub fn map_anonymous(&mut self, range: Range<u64>, mapping: Mapping) -> Result<(), Errno> {
        let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE;
        self.establish(range, mapping, flags, Backing::Anonymous)
    }

    /// Unmaps `range`.
    ///
    /// # Errors
    ///
    /// ENOMEM where the host's limit on mappings is reached.
    pub fn release(&mut self, range: &Range<u64>) -> Result<(), Errno> {
        let pieces: Vec<Range<u64>> = self
            .mappings
            .iter_over(range.clone())
            .map(|(piece, _)| piece)
            .collect();
        for piece in pieces {
            self.withdraw(&piece)?;
            let physical = self.physical_range(&piece)?;
            self.reservation.unmap(&physical)?;
            self.mappings.remove(piece);
        }
        Ok(())
    }

    /// Gives the mapped parts of `range` the rights `prot`.
    ///
    /// # Errors
    ///
    /// EACCES, ENOMEM as `mprotect(2)` says, what lies before being changed.
    pub fn protect(&mut self, range: &Range<u64>, prot: Prot) -> Result<(), Errno> {
        if prot.contains(Prot::WRITE) {
            let becomes = |mapping: &Mapping| Mapping {
                prot,
                ..mapping.clone()
            };
            let more = self
                .mappings
                .iter_over(range.clone())
                .filter(|(_, mapping)| !mapping.is_data() && becomes(mapping).is_data())
                .map(|(piece, _)| piece.end - piece.start)
                .sum();
            self.check_data(more)?;
        }
        let changing: Vec<Range<u64>> = self
            .mappings
            .iter_over(range.clone())
            .filter(|(_, mapping)| mapping.prot != prot)
            .map(|(piece, _)| piece)
            .collect();
        for piece in &changing {
            self.withdraw(piece)?;
        }
        let done = self.mappings.protect(range.clone(), prot);
        for (at, (piece, _)) in done.changed.iter().enumerate() {
            let physical = self.physical_range(piece);
            let protect = |physical| self.reservation.protect(&physical, host_prot(prot));
            if let Err(error) = physical.and_then(protect) {
                for (piece, before) in done.changed.iter().skip(at) {
                    self.mappings
                        .update(piece.clone(), |mapping| mapping.prot = *before);
                }
                return Err(error);
            }
        }
        for piece in &changing {
            self.fill_small(piece);
        }
        match done.stop {
            None => Ok(()),
            Some(Stop::Hole) => Err(Errno::ENOMEM),
            Some(Stop::Denied) => Err(Errno::EACCES),
        }
    }

    /// Whether `prot` takes the right to execute from a part of `range` and
    /// nothing else. The host's mapping, which never was executable, does not
    /// change then, and does not make KVM forget what it knows of the old
    /// rights.
    pub fn loses_only_execution(&self, range: &Range<u64>, prot: Prot) -> bool {
        !prot.contains(Prot::EXEC)
            && self.mappings.iter_over(range.clone()).any(|(_, mapping)| {
                mapping.prot.contains(Prot::EXEC) && host_prot(mapping.prot) == host_prot(prot)
            })
    }

    /// Makes KVM forget what it knows of the page tables. No processor may be
    /// running, and each has to be flushed before it runs on.
    ///
    /// # Errors
    ///
    /// From KVM.
    pub fn refresh_tables(&self) -> Result<(), Errno> {
        self.tables.area().refresh(&self.vm)
    }

    /// Drops all page table entries of the payload. No processor may be
    /// running, and each has to be flushed before it runs on.
    ///
    /// # Errors
    ///
    /// From KVM.
    pub fn drop_tables(&mut self) -> Result<(), Errno> {
        self.tables.clear_user()?;
        self.refresh_tables()
    }

    /// The virtual machine the memory belongs to.
    pub fn vm(&self) -> &Arc<Vm> {
        &self.vm
    }

    /// Moves into virtual machine `vm` with empty `tables`; the one it was in.
    ///
    /// # Errors
    ///
    /// ENOMEM; from KVM.
    pub fn renew(
        &mut self,
        vm: Arc<Vm>,
        slots: Slots,
        tables: PageTables,
    ) -> Result<Arc<Vm>, Errno> {
        let before = std::mem::replace(&mut self.vm, vm);
        self.slots = slots;
        let old = std::mem::replace(&mut self.tables, tables);
        self.renew_shared(old.area())?;
        Ok(before)
    }
}
