//! The ring-0 side of the virtual machine: the shim's code and the tables the
//! processor needs to enter and leave it.

mod gdt;
mod idt;
mod tss;

use std::io::Cursor;
use std::sync::Arc;

use km_abi::shim as place;
use linux_loader::loader::{Elf, KernelLoader};
use thiserror::Error;
use vm_memory::GuestAddress;

use crate::errno::Errno;
use crate::mem::layout::PAGE;
use crate::mem::pagetable::{Access, PageTables, Pages};
use crate::mem::system::SystemArea;

pub use gdt::{code_segment, data_segment, task_segment};
pub use tss::{FAULT_STACK_TOP, GDT, STACK_TOP};

/// The shim, built from `runtime/shim`.
const IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shim.elf"));

/// The shim's code, as it is built.
pub fn image() -> &'static [u8] {
    IMAGE
}

/// Why the shim could not be set up.
#[derive(Debug, Error)]
pub enum ShimError {
    #[error("no memory for the shim: {0}")]
    Memory(#[from] Errno),
    #[error("the shim image does not load: {0}")]
    Image(#[from] linux_loader::loader::Error),
}

/// The shim in place: where its tables and entries are, as guest-virtual
/// addresses.
#[derive(Debug, Clone)]
pub struct Shim {
    area: Arc<SystemArea>,
    code: u64,
    idt: u64,
}

/// What one vCPU has of its own: a task state segment with its I/O bitmap, a
/// descriptor table, and the stacks for exceptions, in a page.
#[derive(Debug, Clone)]
pub struct VcpuPage {
    area: Arc<SystemArea>,
    physical: u64,
    address: u64,
}

/// The frame the processor pushes for an exception (SDM volume 3, figure
/// 7-4), less the error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterruptFrame {
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

const CODE: Access = Access {
    write: false,
    execute: true,
    user: false,
};
const USER_CODE: Access = Access {
    write: false,
    execute: true,
    user: true,
};
const DATA: Access = Access {
    write: true,
    execute: false,
    user: false,
};

impl Shim {
    /// Loads the image and writes the descriptor tables.
    ///
    /// # Errors
    ///
    /// Where memory is short.
    pub fn install(
        area: &Arc<SystemArea>,
        tables: &mut PageTables,
        pages: &mut Pages<'_>,
    ) -> Result<Shim, ShimError> {
        let count = place::SIZE / PAGE + 1;
        let start = area.allocate_run(pages.vm, pages.slots, count)?;
        Elf::load(
            area.memory(),
            Some(GuestAddress(start)),
            &mut Cursor::new(IMAGE),
            None,
        )?;
        let idt_physical = start + place::SIZE;
        let code = area.virtual_address(start);
        idt::write(area, idt_physical, code)?;

        let privileged = start + place::PRIVILEGED;
        let end = start + count * PAGE;
        for (from, to, access) in [
            (start, privileged, USER_CODE),
            (privileged, idt_physical, CODE),
            (idt_physical, end, DATA),
        ] {
            let range = area.virtual_address(from)..area.virtual_address(to);
            tables.map_system(&range, from, access, pages)?;
        }
        Ok(Shim {
            area: Arc::clone(area),
            code,
            idt: area.virtual_address(idt_physical),
        })
    }

    /// The page of a new vCPU.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn vcpu_page(
        &self,
        tables: &mut PageTables,
        pages: &mut Pages<'_>,
    ) -> Result<VcpuPage, Errno> {
        let physical = self.area.allocate(pages.vm, pages.slots)?;
        let address = self.area.virtual_address(physical);
        tables.map_system(&(address..address + PAGE), physical, DATA, pages)?;
        tss::write(&self.area, physical, address)?;
        gdt::write(&self.area, physical + GDT)?;
        Ok(VcpuPage {
            area: Arc::clone(&self.area),
            physical,
            address,
        })
    }

    /// Where `syscall` goes, for the LSTAR register.
    pub fn syscall_entry(&self) -> u64 {
        self.code + place::SYSCALL_ENTRY
    }

    /// The gate ([`place::GATE`]): the same in every machine, as a forked
    /// child has noted its parent's.
    pub fn gate(&self) -> u64 {
        self.code + place::GATE
    }

    /// The `iretq` that enters ring 3.
    pub fn enter_user(&self) -> u64 {
        self.code + place::ENTER_USER
    }

    /// Whether `address` is in the shim's code.
    pub fn contains(&self, address: u64) -> bool {
        (self.code..self.code + place::SIZE).contains(&address)
    }

    /// Base and limit of the interrupt descriptor table.
    pub fn idt(&self) -> (u64, u16) {
        (self.idt, idt::LIMIT)
    }
}

impl VcpuPage {
    /// Base of the task state segment, and its limit.
    pub fn task_state(&self) -> (u64, u32) {
        (self.address, tss::LIMIT)
    }

    /// Base and limit of the global descriptor table.
    pub fn gdt(&self) -> (u64, u16) {
        (self.address + GDT, gdt::LIMIT)
    }

    /// Tells `getcpu` in the guest which processor it runs on.
    ///
    /// # Errors
    ///
    /// EFAULT never, by construction.
    pub fn set_cpu_node(&self, cpu: u32, node: u32) -> Result<(), Errno> {
        gdt::write_cpu_node(&self.area, self.physical + GDT, cpu, node)
    }

    /// The frame and error code of the exception with `vector` that was just
    /// taken from ring 3.
    ///
    /// # Errors
    ///
    /// EFAULT never, by construction.
    pub fn exception_frame(&self, vector: u8) -> Result<(InterruptFrame, u64), Errno> {
        const DOUBLE_FAULT: u8 = 8;
        let top = if vector == DOUBLE_FAULT {
            FAULT_STACK_TOP
        } else {
            STACK_TOP
        };
        let frame = top - FRAME_SIZE;
        let word = |offset: u64| self.area.read::<u64>(self.physical + offset);
        let error = if has_error_code(vector) {
            word(frame - 8)?
        } else {
            0
        };
        let frame = InterruptFrame {
            rip: word(frame)?,
            cs: word(frame + 8)?,
            rflags: word(frame + 16)?,
            rsp: word(frame + 24)?,
            ss: word(frame + 32)?,
        };
        Ok((frame, error))
    }

    /// Writes `frame` for `iretq`; the stack pointer to use.
    ///
    /// # Errors
    ///
    /// EFAULT never, by construction.
    pub fn write_frame(&self, frame: &InterruptFrame) -> Result<u64, Errno> {
        let offset = STACK_TOP - FRAME_SIZE;
        let words = [frame.rip, frame.cs, frame.rflags, frame.rsp, frame.ss];
        self.area.write(self.physical + offset, &words)?;
        Ok(self.address + offset)
    }
}

/// Bytes of an interrupt frame.
const FRAME_SIZE: u64 = 40;

/// Which exceptions push an error code (SDM volume 3, table 7-1).
fn has_error_code(vector: u8) -> bool {
    matches!(vector, 8 | 10..=14 | 17 | 21)
}
