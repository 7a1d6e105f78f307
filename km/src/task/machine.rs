//! The virtual machine of a payload: its memory, its processors, and the
//! threads that run in it.

use std::collections::HashSet;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;

use kvm_ioctls::VcpuFd;

use crate::errno::Errno;
use crate::error::Error;
use crate::fd::ReservedFds;
use crate::mem::guest::GuestMemory;
use crate::mem::mapping::Prot;
use crate::mem::pagetable::{PageTables, Pages};
use crate::mem::space::AddressSpace;
use crate::mem::system::SystemArea;
use crate::shim::{Shim, VcpuPage};
use crate::sys::lock::{Guard, Lock};
use crate::sys::map::Reservation;
use crate::sys::proc;
use crate::sys::signal::Mailbox;
use crate::syscall::aio::Contexts;
use crate::task::world::World;
use crate::vcpu::{Context, Vcpu};
use crate::vm::Vm;
use crate::vm::slots::Slots;

/// A virtual machine and what runs in it.
#[derive(Debug)]
pub struct Machine {
    /// Payload memory, for copies and pointers.
    pub memory: GuestMemory,
    pub world: World,
    /// Contexts of asynchronous I/O.
    pub aio: Contexts,
    fds: ReservedFds,
    space: Lock<AddressSpace>,
    processors: Lock<Processors>,
}

#[derive(Debug)]
struct Processors {
    shim: Shim,
    made: u32,
    idle: Vec<Reserved>,
    /// The page of a processor that KVM did not make, for the next attempt.
    spare: Option<VcpuPage>,
}

/// A virtual processor, and where signals for the thread that has it are
/// noted. Both are reused by later threads: a late signal never finds its
/// mailbox gone.
#[derive(Debug)]
pub struct Processor {
    pub vcpu: Vcpu,
    pub mailbox: &'static Mailbox,
}

/// A processor that a thread can have.
#[derive(Debug)]
pub enum Reserved {
    Used(Box<Processor>),
    New(Box<New>),
}

/// A processor as KVM makes it.
#[derive(Debug)]
pub struct New {
    fd: VcpuFd,
    vm: Arc<Vm>,
    shim: Shim,
    page: VcpuPage,
    root: u64,
}

impl Reserved {
    /// As [`Vcpu::abandon`].
    fn abandon(self) {
        match self {
            Reserved::Used(processor) => processor.vcpu.abandon(),
            Reserved::New(new) => std::mem::forget(new.fd),
        }
    }

    /// Sets it up.
    ///
    /// # Errors
    ///
    /// From KVM.
    pub fn ready(self) -> Result<Processor, Error> {
        match self {
            Reserved::Used(processor) => Ok(*processor),
            Reserved::New(new) => Ok(Processor {
                vcpu: new.vcpu()?,
                mailbox: Box::leak(Box::default()),
            }),
        }
    }

    /// Sets it up for a thread that has its mailbox.
    fn vcpu(self) -> Result<Vcpu, Error> {
        match self {
            Reserved::Used(processor) => Ok(processor.vcpu),
            Reserved::New(new) => new.vcpu(),
        }
    }
}

impl New {
    fn vcpu(self) -> Result<Vcpu, Error> {
        let mut vcpu = Vcpu::new(self.fd, &self.vm, &self.shim, self.page, self.root)?;
        vcpu.forget_in_children(&self.vm);
        Ok(vcpu)
    }
}

/// The parts of a machine that belong to one `/dev/kvm` virtual machine.
struct Parts {
    slots: Slots,
    tables: PageTables,
    shim: Shim,
}

fn parts(vm: &Arc<Vm>, memory: &GuestMemory) -> Result<Parts, Error> {
    let area = Arc::new(SystemArea::new(memory.arenas())?);
    let mut slots = Slots::new(vm.max_slots(), memory.host_base());
    let mut pages = Pages {
        vm,
        slots: &mut slots,
    };
    let mut tables = PageTables::new(Arc::clone(&area), &mut pages)?;
    let shim = Shim::install(&area, &mut tables, &mut pages)?;
    Ok(Parts {
        slots,
        tables,
        shim,
    })
}

impl Machine {
    /// A machine without processors; `limit` is the most private memory in
    /// bytes.
    ///
    /// # Errors
    ///
    /// Where memory is short or KVM fails.
    pub fn new(
        vm: &Arc<Vm>,
        reservation: Reservation,
        memory: GuestMemory,
        limit: Option<u64>,
        fds: ReservedFds,
    ) -> Result<Machine, Error> {
        let Parts {
            slots,
            tables,
            shim,
        } = parts(vm, &memory)?;
        let space = AddressSpace::new(
            Arc::clone(vm),
            slots,
            tables,
            Arc::new(reservation),
            memory.clone(),
            limit,
        );
        Ok(Machine {
            memory,
            world: World::default(),
            aio: Contexts::default(),
            fds,
            space: Lock::new(space),
            processors: Lock::new(Processors {
                shim,
                made: 0,
                idle: Vec::new(),
                spare: None,
            }),
        })
    }

    /// The address space. A handler holds it for one change at a time.
    pub fn space(&self) -> Guard<'_, AddressSpace> {
        self.space.lock()
    }

    fn processors(&self) -> Guard<'_, Processors> {
        self.processors.lock()
    }

    /// Where the gate is.
    pub fn gate(&self) -> u64 {
        self.processors().shim.gate()
    }

    /// A processor for one more thread.
    ///
    /// # Errors
    ///
    /// As [`reserve`](Self::reserve) and [`Reserved::ready`].
    pub fn processor(&self) -> Result<Processor, Error> {
        self.reserve()?.ready()
    }

    /// Makes sure of a processor for one more thread, which may do the rest
    /// itself.
    ///
    /// # Errors
    ///
    /// EAGAIN where the host allows no more; from KVM.
    pub fn reserve(&self) -> Result<Reserved, Error> {
        let mut processors = self.processors();
        if let Some(reserved) = processors.idle.pop() {
            return Ok(reserved);
        }
        let mut space = self.space();
        let vm = Arc::clone(space.vm());
        if processors.made >= vm.max_vcpus() {
            return Err(Error::Memory(Errno::EAGAIN));
        }
        let page = match processors.spare.take() {
            Some(page) => page,
            None => {
                let (tables, mut pages) = space.machine();
                processors.shim.vcpu_page(tables, &mut pages)?
            }
        };
        let root = space.root();
        drop(space);
        let fd = loop {
            let id = processors.made;
            match vm.create_vcpu(id, &self.fds) {
                // Lost on the way: the payload's own doing.
                Err(error) if error.is(libc::EEXIST) && id < vm.max_vcpus() => {}
                Ok(fd) => {
                    processors.made += 1;
                    break fd;
                }
                Err(error) => {
                    processors.spare = Some(page);
                    return Err(error.into());
                }
            }
            processors.made += 1;
        };
        Ok(Reserved::New(Box::new(New {
            fd,
            vm,
            shim: processors.shim.clone(),
            page,
            root,
        })))
    }

    /// Takes a processor back that no thread runs on any more, or yet.
    pub fn give_back(&self, reserved: Reserved) {
        self.processors().idle.push(reserved);
    }

    /// Drops the page tables, for `work` to begin anew. The world is stopped.
    ///
    /// # Errors
    ///
    /// From KVM.
    pub fn drop_tables(&self) -> Result<(), Errno> {
        self.world.want_flush();
        self.space().drop_tables()
    }

    /// As [`AddressSpace::protect`], where only the right to execute may go
    /// (see [`AddressSpace::loses_only_execution`]). The world is stopped.
    ///
    /// # Errors
    ///
    /// As `mprotect(2)`; from KVM.
    pub fn take_execution(&self, range: &Range<u64>, prot: Prot) -> Result<(), Errno> {
        self.world.want_flush();
        let mut space = self.space();
        let done = space.protect(range, prot);
        space.refresh_tables()?;
        done
    }

    /// In the child of a fork: a virtual machine of its own around the memory
    /// it has got a copy of, and a processor that continues with `context`.
    /// `keep` are descriptors of the monitor's that stay open.
    ///
    /// # Errors
    ///
    /// Where KVM or the host has no room for one more.
    pub fn renew(&self, context: &Context, keep: &[i32]) -> Result<Vcpu, Error> {
        self.aio.forget();
        // They are the parent's, and their memory is not here.
        let mut processors = self.processors();
        processors.idle.drain(..).for_each(Reserved::abandon);
        drop(processors);
        let (before, vcpu) = self.make_anew(context, AddressSpace::release_not_forked)?;
        // What it owns is the parent's to close.
        Vm::abandon(before);
        let vm = Arc::clone(self.space().vm());
        let own = [
            vm.device().as_raw_fd(),
            vm.fd().as_raw_fd(),
            vcpu.descriptor(),
        ];
        let keep: HashSet<i32> = keep.iter().copied().chain(own).collect();
        proc::close_all_but(self.fds.range(), &keep);
        Ok(vcpu)
    }

    /// Gives the virtual machine up, and all processors but `vcpu`, of which
    /// only the registers remain. `filler` takes the place of descriptors that
    /// are still owned. [`rebuild`](Self::rebuild) has to follow.
    ///
    /// # Errors
    ///
    /// From `mmap(2)` and `dup3(2)`.
    pub fn give_up(&self, vcpu: &mut Vcpu, filler: BorrowedFd<'_>) -> Result<(), Errno> {
        let mut processors = self.processors();
        processors.idle.clear();
        drop(processors);
        let vm = Arc::clone(self.space().vm());
        vcpu.give_up(&vm, filler)?;
        vm.give_up(filler)?;
        Ok(())
    }

    /// A virtual machine in the place of the one that was given up, and a
    /// processor that continues with `context`.
    ///
    /// # Errors
    ///
    /// Where KVM or the host has no room for it.
    pub fn rebuild(&self, context: &Context) -> Result<Vcpu, Error> {
        let (before, mut vcpu) = self.make_anew(context, |_| Ok(()))?;
        drop(before);
        vcpu.make_worker()?;
        Ok(vcpu)
    }

    /// Another virtual machine around the same memory, of which `change` may
    /// take something, and a processor; the machine before it.
    fn make_anew(
        &self,
        context: &Context,
        change: impl FnOnce(&mut AddressSpace) -> Result<(), Errno>,
    ) -> Result<(Arc<Vm>, Vcpu), Error> {
        let mut space = self.space();
        let vm = Arc::new(space.vm().another(&self.fds)?);
        let Parts {
            slots,
            tables,
            shim,
        } = parts(&vm, &self.memory)?;
        let before = space.renew(vm, slots, tables)?;
        change(&mut space)?;
        space.fill_all();
        drop(space);
        let mut processors = self.processors();
        processors.shim = shim;
        processors.made = 0;
        processors.spare = None;
        drop(processors);
        let mut vcpu = self.reserve()?.vcpu()?;
        vcpu.adopt(context)?;
        Ok((before, vcpu))
    }
}
