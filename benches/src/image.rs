//! What lies in the bare VM's memory, and the system registers that go with it.
//!
//! ```text
//! 0x0000  nothing                     0x6000  TSS with I/O bitmap
//! 0x1000  PML4                        0x7000  LSTAR stub     (user, executable)
//! 0x2000  PDPT                        0x8000  ring-3 code    (user, executable)
//! 0x3000  page directory              0x9000  ring-3 stack   (user, writable)
//! 0x4000  page table, identity        0xa000  ring-0 stack
//! 0x5000  GDT                         0xb000  page without memory behind it (MMIO)
//!
//! 0xc000  page directory of the data  1 GiB   data, in pages of 2 MiB
//! ```
//!
//! Segment selectors are Linux's own, the only layout that a PVM host takes. There is no IDT: an
//! exception ends the VM, as none is expected.

use kvm_bindings::{kvm_segment, kvm_sregs};

/// One byte wide, so it is allowed by one bit of the I/O bitmap; the four-byte variation takes
/// the three ports behind it as well.
pub const PORT: u16 = 0x50;
/// Guest-physical, beyond the memory slot.
pub const MMIO: u64 = 0x40_0000;
pub const SIZE: usize = 2 << 20;
pub const CODE: u64 = 0x8000;
pub const STACK_TOP: u64 = 0xa000;
/// A word that every vCPU can write to.
pub const WORD: u64 = STACK;
/// Where a data slot goes, and how large it may be: what one page directory holds.
pub const DATA: u64 = 1 << 30;
pub const DATA_SIZE: usize = 1 << 30;

const PML4: u64 = 0x1000;
const PDPT: u64 = 0x2000;
const DIRECTORY: u64 = 0x3000;
const TABLE: u64 = 0x4000;
const GDT: u64 = 0x5000;
const TSS: u64 = 0x6000;
const STUB: u64 = 0x7000;
const STACK: u64 = 0x9000;
const RING0_STACK_TOP: u64 = 0xb000;
const MMIO_WINDOW: u64 = 0xb000;
const DATA_DIRECTORY: u64 = 0xc000;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED_DIRTY: u64 = 1 << 5 | 1 << 6;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;

const KERNEL_CS: u16 = 0x10;
const KERNEL_SS: u16 = 0x18;
const USER32_CS: u16 = 0x23;
const USER_SS: u16 = 0x2b;
const USER_CS: u16 = 0x33;
const TSS_SELECTOR: u16 = 0x40;

const TSS_FIXED: usize = 104;
/// Bits of the I/O bitmap up to the last port used, and the byte of ones behind it that the
/// architecture asks for.
const IO_BITMAP: usize = PORT as usize / 8 + 2;
const TSS_SIZE: usize = TSS_FIXED + IO_BITMAP;

const MSR_STAR: u32 = 0xc000_0081;
const MSR_LSTAR: u32 = 0xc000_0082;
const MSR_SYSCALL_MASK: u32 = 0xc000_0084;
/// What Linux clears at `syscall`: every flag that ring 3 could have set.
const SYSCALL_MASK: u64 = 0x0025_7fd5;

pub const MSRS: [(u32, u64); 3] = [
    (
        MSR_STAR,
        (USER32_CS as u64) << 48 | (KERNEL_CS as u64) << 32,
    ),
    (MSR_LSTAR, STUB),
    (MSR_SYSCALL_MASK, SYSCALL_MASK),
];

/// By what the guest calls for the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// `syscall`, and `out %al, $port` in the stub: what km does.
    SyscallOut,
    /// The same with four bytes, `out %eax, $port`.
    SyscallOutLong,
    /// `syscall`, and `out %al, %dx`.
    SyscallOutDx,
    /// As [`Trap::SyscallOut`], but the stub goes back by itself, with `jmp *%rcx`.
    SyscallOutJump,
    /// `syscall`, and a store to memory that is not there.
    SyscallMmio,
    /// `out %al, $port` in place of `syscall`.
    Out,
}

impl Trap {
    fn stub(self) -> Vec<u8> {
        let port = PORT.to_le_bytes()[0];
        let sysretq = [0x48, 0x0f, 0x07];
        match self {
            Self::SyscallOut | Self::Out => [&[0xe6, port], &sysretq[..]].concat(),
            Self::SyscallOutLong => [&[0xe7, port], &sysretq[..]].concat(),
            Self::SyscallOutDx => [&[0xee], &sysretq[..]].concat(),
            Self::SyscallOutJump => vec![0xe6, port, 0xff, 0xe1],
            Self::SyscallMmio => [&[0xa2], &MMIO_WINDOW.to_le_bytes()[..], &sysretq].concat(),
        }
    }

    fn call(self) -> [u8; 2] {
        match self {
            Self::Out => [0xe6, PORT.to_le_bytes()[0]],
            _ => [0x0f, 0x05],
        }
    }
}

/// What the guest does in ring 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// An endless loop of `getppid`.
    Getppid,
    /// One call, for the words from rdi up to rsi to be added up in rax, and one with the sum.
    Sum,
    /// An endless loop of this system call with what the registers hold, as the guest `blocks`
    /// does: r10, the offset, grows by rdx up to r8, and is zero again.
    Blocks(u8),
    /// One call, and then what the guest `pingpong` does for ever: while the word at rdi is not
    /// r8d, a call with rsi = 0; then it is made r9d, and a call with rsi = 1 follows.
    PingPong,
}

impl Program {
    fn code(self, trap: Trap) -> Vec<u8> {
        let call = trap.call();
        let back = |by: i8| (-by).to_le_bytes()[0];
        match self {
            Self::Getppid => {
                let port = PORT.to_le_bytes();
                let load_port = [0x66, 0xba, port[0], port[1]]; // mov $port, %dx
                let load_number = [0xb8, 110, 0, 0, 0]; // mov $SYS_getppid, %eax
                // Back over the call, the load of the number and this jump itself.
                let jump_back = [0xeb, back(9)];
                [&load_port[..], &load_number, &call, &jump_back].concat()
            }
            Self::Sum => {
                // The loop that the C compiler makes of the guest `mapread`.
                let add_word = [0x48, 0x03, 0x07]; // add (%rdi), %rax
                let next = [0x48, 0x83, 0xc7, 8]; // add $8, %rdi
                let compare = [0x48, 0x39, 0xf7]; // cmp %rsi, %rdi
                let jump_back = [0x75, back(12)]; // jne
                [&call[..], &add_word, &next, &compare, &jump_back, &call].concat()
            }
            Self::Blocks(number) => {
                let load_number = [0xb8, number, 0, 0, 0]; // mov $number, %eax
                let advance = [0x49, 0x01, 0xd2]; // add %rdx, %r10
                let compare = [0x4d, 0x39, 0xc2]; // cmp %r8, %r10
                let jump_back = [0x72, back(15)]; // jb
                let start_over = [0x45, 0x31, 0xd2, 0xeb, back(20)]; // xor %r10d, %r10d; jmp
                [
                    &load_number[..],
                    &call,
                    &advance,
                    &compare,
                    &jump_back,
                    &start_over,
                ]
                .concat()
            }
            Self::PingPong => {
                let look = [0x8b, 0x07, 0x44, 0x39, 0xc0]; // mov (%rdi), %eax; cmp %r8d, %eax
                let jump_ahead = [0x74, 6]; // je, over the call to wait
                let wait = [0x31, 0xf6]; // xor %esi, %esi
                let look_again = [0xeb, back(13)]; // jmp
                let pass_on = [0x44, 0x89, 0x0f]; // mov %r9d, (%rdi)
                let wake = [0xbe, 1, 0, 0, 0]; // mov $1, %esi
                let start_over = [0xeb, back(25)]; // jmp
                [
                    &call[..],
                    &look,
                    &jump_ahead,
                    &wait,
                    &call,
                    &look_again,
                    &pass_on,
                    &wake,
                    &call,
                    &start_over,
                ]
                .concat()
            }
        }
    }
}

/// Pieces of memory with their addresses.
pub fn contents(trap: Trap, program: Program) -> Vec<(u64, Vec<u8>)> {
    let directory_flags = PRESENT | WRITABLE | USER | ACCESSED_DIRTY;
    vec![
        (PML4, words(&[PDPT | directory_flags])),
        (
            PDPT,
            words(&[
                DIRECTORY | directory_flags,
                DATA_DIRECTORY | directory_flags,
            ]),
        ),
        (DIRECTORY, words(&[TABLE | directory_flags])),
        (TABLE, words(&page_table())),
        (GDT, words(&gdt())),
        (TSS, tss()),
        (STUB, trap.stub()),
        (CODE, program.code(trap)),
        (DATA_DIRECTORY, words(&data_directory(program))),
    ]
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn page_table() -> [u64; 12] {
    let mut table = [0; 12];
    for (page, entry) in (0_u64..).step_by(4096).zip(&mut table) {
        let (frame, rights) = match page {
            0 => continue,
            STUB | CODE => (page, USER),
            STACK => (page, USER | WRITABLE | NO_EXECUTE),
            MMIO_WINDOW => (MMIO, USER | WRITABLE | NO_EXECUTE),
            _ => (page, WRITABLE | NO_EXECUTE),
        };
        *entry = frame | rights | PRESENT | ACCESSED_DIRTY;
    }
    table
}

fn data_directory(program: Program) -> [u64; 512] {
    let rights = match program {
        Program::Sum => USER | NO_EXECUTE,
        Program::Getppid | Program::Blocks(_) | Program::PingPong => USER | WRITABLE | NO_EXECUTE,
    };
    let mut directory = [0; 512];
    for (page, entry) in (DATA..).step_by(2 << 20).zip(&mut directory) {
        *entry = page | rights | PRESENT | LARGE | ACCESSED_DIRTY;
    }
    directory
}

fn gdt() -> [u64; 10] {
    let limit = TSS_SIZE as u64 - 1;
    let mut gdt = [0; 10];
    gdt[usize::from(KERNEL_CS >> 3)] = 0x00af_9b00_0000_ffff;
    gdt[usize::from(KERNEL_SS >> 3)] = 0x00cf_9300_0000_ffff;
    gdt[usize::from(USER32_CS >> 3)] = 0x00cf_fb00_0000_ffff;
    gdt[usize::from(USER_SS >> 3)] = 0x00cf_f300_0000_ffff;
    gdt[usize::from(USER_CS >> 3)] = 0x00af_fb00_0000_ffff;
    // A busy 64-bit TSS; its base lies below 2^24, so the upper half stays empty.
    gdt[usize::from(TSS_SELECTOR >> 3)] = 0x0000_8b00_0000_0000 | TSS << 16 | limit;
    gdt
}

fn tss() -> Vec<u8> {
    let mut tss = vec![0; TSS_SIZE];
    tss[4..12].copy_from_slice(&RING0_STACK_TOP.to_le_bytes());
    // A bit of one refuses a port.
    tss[TSS_FIXED..].fill(0xff);
    tss[TSS_FIXED + usize::from(PORT / 8)] = !(0b1111 << (PORT % 8));
    let bitmap_at = u16::try_from(TSS_FIXED).unwrap_or(u16::MAX);
    tss[102..104].copy_from_slice(&bitmap_at.to_le_bytes());
    tss
}

/// Long mode, in ring 3.
pub fn set_system_registers(sregs: &mut kvm_sregs) {
    let data = kvm_segment {
        base: 0,
        limit: 0xffff_ffff,
        selector: USER_SS,
        type_: 3,
        present: 1,
        dpl: 3,
        db: 1,
        s: 1,
        g: 1,
        ..Default::default()
    };
    sregs.cs = kvm_segment {
        selector: USER_CS,
        type_: 11,
        db: 0,
        l: 1,
        ..data
    };
    sregs.ss = data;
    for segment in [&mut sregs.ds, &mut sregs.es, &mut sregs.fs, &mut sregs.gs] {
        *segment = kvm_segment {
            selector: 0,
            ..data
        };
    }
    sregs.tr = kvm_segment {
        base: TSS,
        limit: TSS_SIZE as u32 - 1,
        selector: TSS_SELECTOR,
        type_: 11,
        present: 1,
        ..Default::default()
    };
    sregs.gdt.base = GDT;
    sregs.gdt.limit = 10 * 8 - 1;
    sregs.idt.base = 0;
    sregs.idt.limit = 0;
    sregs.cr0 = 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1; // PG WP NE ET MP PE
    sregs.cr3 = PML4;
    sregs.cr4 = 1 << 5 | 1 << 9 | 1 << 10 | 1 << 16 | 1 << 18; // PAE OSFXSR OSXMMEXCPT FSGSBASE OSXSAVE
    sregs.efer = 1 | 1 << 8 | 1 << 10 | 1 << 11; // SCE LME LMA NXE
}
