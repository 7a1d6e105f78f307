//! What an ELF file asks to have mapped: bytes in, a plan out.
//!
//! Pure: nothing here opens a file or touches guest memory, so that any bytes
//! at all can be thrown at it. The rules are those of `fs/binfmt_elf.c` in
//! Linux 6.18: what the kernel refuses is refused here, with the errno that
//! `execve(2)` gives; what it tolerates (overlapping segments, file offsets
//! beyond the end of the file, any `e_ident` after the magic) is planned.
//! See also `elf(5)`.
//!
//! The caller reads the first [`HEAD`] bytes of the file, parses an
//! [`ElfHeader`], reads the program headers from [`ElfHeader::phdr_range`]
//! and gets an [`ElfImage`].

use std::ffi::{CStr, OsStr};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

use goblin::container::Endian;
use goblin::elf::header::{
    EI_CLASS, EI_DATA, ELFCLASS32, ELFDATA2LSB, ELFDATA2MSB, ELFMAG, EM_X86_64, ET_DYN, ET_EXEC,
};
use goblin::elf64::header::{Header as RawHeader, SIZEOF_EHDR};
use goblin::elf64::program_header::{
    PF_R, PF_W, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_NOTE, ProgramHeader, SIZEOF_PHDR,
};

use km_abi::hypercalls::ABI;

use crate::loader::note::runtime_abi;

mod error;

pub use error::{ElfError, Flaw};

/// Bytes to read from the start of a file before it is known what it is:
/// one page holds the ELF header, nearly always the program headers too, and
/// the `#!` line of a script.
pub const HEAD: usize = 4096;

/// Size of a page, in bytes.
pub const PAGE: u64 = 4096;

/// End of the payload's address space with four-level page tables, in bytes
/// (`TASK_SIZE_MAX` in `arch/x86/include/asm/page_64_types.h`).
pub const TASK_SIZE: u64 = (1 << 47) - PAGE;

/// Size of one program header, in bytes: the only `e_phentsize` there is, and
/// the value of `AT_PHENT`.
pub const PHDR_SIZE: u16 = 56;
const _: () = assert!(PHDR_SIZE as usize == SIZEOF_PHDR);

/// Most program headers that Linux reads: 64 KiB of them.
const MAX_PHDRS: u16 = 1170;
const _: () = assert!(MAX_PHDRS as usize == 65536 / SIZEOF_PHDR);

/// Longest interpreter path, in bytes with its NUL (`PATH_MAX`).
const MAX_INTERP: u64 = libc::PATH_MAX as u64;

/// Largest file offset, in bytes (`off_t`).
const MAX_OFFSET: u64 = i64::MAX as u64;

/// Which of the two files of a dynamic program this is. Linux treats them
/// alike but for the error numbers, and looks for `PT_INTERP` and
/// `PT_GNU_STACK` in the program only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The file given to `execve(2)`.
    Program,
    /// The dynamic linker that the program names.
    Interpreter,
}

/// An ELF header that has passed every check that needs no other part of the
/// file.
#[derive(Clone, Debug)]
pub struct ElfHeader {
    raw: RawHeader,
    role: Role,
    kind: Kind,
    file_len: u64,
}

impl ElfHeader {
    /// Reads the header from `head`, the first [`HEAD`] bytes of the file or
    /// all of it if it is shorter; `file_len` is the length of the file in
    /// bytes.
    ///
    /// Like Linux, this looks at the magic, type, machine and program header
    /// table alone. Class and byte order serve to tell what a file that fails
    /// is: no 32-bit or big-endian file passes the other checks, and small
    /// hand-made programs keep code in those bytes.
    ///
    /// # Errors
    ///
    /// ENOEXEC for a program; ELIBBAD, or EIO if shorter than a header, for
    /// an interpreter.
    pub fn parse(head: &[u8], file_len: u64, role: Role) -> Result<ElfHeader, ElfError> {
        ElfHeader::parse_as(head, file_len, role).map_err(|flaw| ElfError::new(role, flaw))
    }

    fn parse_as(head: &[u8], file_len: u64, role: Role) -> Result<ElfHeader, Flaw> {
        let truncated = Flaw::HeaderTruncated(file_len);
        // Linux reads the interpreter's header exactly, but takes a program's
        // from a buffer filled up with zeros.
        if head.len() < SIZEOF_EHDR && role == Role::Interpreter {
            return Err(truncated);
        }
        if !head.starts_with(ELFMAG) {
            return Err(Flaw::NotElf);
        }
        let mut bytes = [0; SIZEOF_EHDR];
        for (to, from) in bytes.iter_mut().zip(head) {
            *to = *from;
        }
        let class = bytes.get(EI_CLASS).copied();
        let order = bytes.get(EI_DATA).copied();
        // The parser goes by this byte, Linux by the machine it runs on.
        if let Some(order) = bytes.get_mut(EI_DATA) {
            *order = ELFDATA2LSB;
        }
        let raw = RawHeader::parse(&bytes).map_err(|_| truncated.clone())?;

        check_header(&raw).map_err(|flaw| {
            if head.len() < SIZEOF_EHDR {
                truncated
            } else if order == Some(ELFDATA2MSB) {
                Flaw::BigEndian
            } else if class == Some(ELFCLASS32) {
                Flaw::Class32
            } else {
                flaw
            }
        })?;
        let kind = if raw.e_type == ET_EXEC {
            Kind::Exec
        } else {
            Kind::Dyn
        };
        let header = ElfHeader {
            raw,
            role,
            kind,
            file_len,
        };
        let (offset, len) = header.phdr_range();
        if offset.checked_add(len).is_none_or(|end| end > file_len) {
            return Err(Flaw::PhdrTruncated { offset, file_len });
        }
        Ok(header)
    }

    /// Where the program headers lie in the file: offset and length in bytes.
    /// Inside the file; the length is 1 to 1170 times [`PHDR_SIZE`].
    pub fn phdr_range(&self) -> (u64, u64) {
        (
            self.raw.e_phoff,
            u64::from(self.raw.e_phnum).saturating_mul(u64::from(PHDR_SIZE)),
        )
    }
}

/// The checks of `load_elf_binary` and `load_elf_phdrs`.
fn check_header(raw: &RawHeader) -> Result<(), Flaw> {
    if raw.e_type != ET_EXEC && raw.e_type != ET_DYN {
        return Err(Flaw::Type(raw.e_type));
    }
    if raw.e_machine != EM_X86_64 {
        return Err(Flaw::Machine(raw.e_machine));
    }
    if raw.e_phentsize != PHDR_SIZE {
        return Err(Flaw::PhdrSize(raw.e_phentsize));
    }
    if raw.e_phnum == 0 || raw.e_phnum > MAX_PHDRS {
        return Err(Flaw::PhdrCount(raw.e_phnum));
    }
    Ok(())
}

/// Whether the addresses in the file are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ET_EXEC`: mapped where the file says.
    Exec,
    /// `ET_DYN`: a bias is added to every address.
    Dyn,
}

/// A range of the file, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRange {
    pub offset: u64,
    pub len: u64,
}

/// Pages to be mapped from the file, private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMapping {
    /// First address; a multiple of [`PAGE`].
    pub vaddr: u64,
    /// Offset in the file; a multiple of [`PAGE`]. The mapping may reach or
    /// lie beyond the end of the file: access there is SIGBUS, as on Linux.
    pub offset: u64,
    /// Length in bytes; a multiple of [`PAGE`], not zero.
    pub len: u64,
}

/// One `PT_LOAD`, to be worked off in the order `file`, `clear`, `bss`. All
/// addresses are without bias. A part that is `None` has nothing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Pages from the file, with protection `prot`.
    pub file: Option<FileMapping>,
    /// Bytes to clear at the end of the last file page, up to the page's end
    /// and thus perhaps beyond the segment (`padzero`). Absent when the
    /// segment is not writable: Linux leaves such bytes as they are in the
    /// file. If clearing faults because the page is beyond the end of the
    /// file, the program dies of SIGSEGV on Linux.
    pub clear: Option<Range<u64>>,
    /// Anonymous pages, with protection `bss_prot`.
    pub bss: Option<Range<u64>>,
    /// Protection of the file pages: `PROT_READ`, `PROT_WRITE`, `PROT_EXEC`.
    pub prot: i32,
    /// Protection of the anonymous pages: always readable and writable, as
    /// `vm_brk_flags` makes them, and executable if the segment is.
    pub bss_prot: i32,
}

/// Everything needed to map an ELF file, and to tell the program about it.
/// Addresses are as in the file, without bias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElfImage {
    /// What the file is to be.
    pub role: Role,
    /// Whether a bias is to be added.
    pub kind: Kind,
    /// `e_entry`, unchecked: see [`ElfImage::entry_at`].
    pub entry: u64,
    /// Where the program headers will be in memory, for `AT_PHDR`: in the
    /// last segment that holds `e_phoff`. As on Linux, `PT_PHDR` is not
    /// consulted, and 0 stands for "in no segment".
    pub phdr_vaddr: u64,
    /// Number of program headers, for `AT_PHNUM`. 1 to 1170.
    pub phnum: u16,
    /// What a bias must be a multiple of, in bytes: the largest `p_align` of
    /// the segments that is a power of two, at least [`PAGE`]. It may exceed
    /// [`TASK_SIZE`]; rounding a bias down then gives 0, on Linux too. Linux
    /// does not heed it for an interpreter.
    pub alignment: u64,
    /// The pages from the lowest to the highest address of any segment. Not
    /// empty for [`Kind::Dyn`].
    pub span: Range<u64>,
    /// What to map, in file order. Segments may overlap: the later one wins.
    pub segments: Vec<Segment>,
    /// Where the path of the interpreter lies in the file, with its NUL:
    /// 2 to 4096 bytes inside the file. See [`ElfImage::interp_path`].
    pub interp: Option<FileRange>,
    /// Where notes lie in the file: inside of it.
    pub notes: Vec<FileRange>,
    /// Whether the stack is to be executable: the last `PT_GNU_STACK` has
    /// `PF_X`. Without a `PT_GNU_STACK` a 64-bit program's stack is not
    /// executable, and reading never implies executing (table at
    /// `elf_read_implies_exec` in `arch/x86/include/asm/elf.h`, since Linux
    /// 5.8), unless the personality has `READ_IMPLIES_EXEC`.
    pub exec_stack: bool,
    /// End of the last segment in memory, in bytes, not aligned. The program
    /// break starts at the next page boundary (unless randomised).
    pub bss_end: u64,
}

impl ElfImage {
    /// Plans the mapping from the bytes at [`ElfHeader::phdr_range`]; bytes
    /// beyond that range are ignored.
    ///
    /// # Errors
    ///
    /// As [`ElfError::errno`] says. [`ElfError::is_fatal`] tells which of them
    /// `execve(2)` cannot report.
    pub fn plan(header: &ElfHeader, phdrs: &[u8]) -> Result<ElfImage, ElfError> {
        plan(header, phdrs).map_err(|flaw| ElfError::new(header.role, flaw))
    }

    /// Where the path of the interpreter lies, as [`ElfImage::interp`] has it.
    /// Linux looks for it, and at it, before all else.
    ///
    /// # Errors
    ///
    /// As [`ElfError::errno`] says.
    pub fn find_interp(header: &ElfHeader, phdrs: &[u8]) -> Result<Option<FileRange>, ElfError> {
        program_headers(header, phdrs)
            .and_then(|phdrs| interp(header, &phdrs))
            .map_err(|flaw| ElfError::new(header.role, flaw))
    }

    /// Checks the version in `notes`, the content of one of
    /// [`ElfImage::notes`], against the monitor's.
    ///
    /// # Errors
    ///
    /// ENOEXEC for a program, ELIBBAD for an interpreter of another version.
    pub fn check_runtime(&self, notes: &[u8]) -> Result<(), ElfError> {
        match runtime_abi(notes) {
            None | Some(ABI) => Ok(()),
            Some(other) => Err(ElfError::new(self.role, Flaw::RuntimeAbi(other))),
        }
    }

    /// The entry point under a bias (0 for [`Kind::Exec`]).
    ///
    /// # Errors
    ///
    /// EINVAL if it is not an address of the payload. Linux checks only where
    /// execution starts: not the program's entry if it has an interpreter.
    pub fn entry_at(&self, bias: u64) -> Result<u64, ElfError> {
        let entry = self.entry.wrapping_add(bias);
        if entry < TASK_SIZE {
            Ok(entry)
        } else {
            Err(ElfError::new(self.role, Flaw::Entry(entry)))
        }
    }

    /// The interpreter's path from the bytes at [`ElfImage::interp`]. It ends
    /// at the first NUL; the last byte must be one.
    ///
    /// # Errors
    ///
    /// ENOEXEC if the last byte is not NUL, EACCES if the path is empty.
    pub fn interp_path(bytes: &[u8]) -> Result<&OsStr, ElfError> {
        let flaw = |flaw| ElfError::new(Role::Program, flaw);
        if bytes.last() != Some(&0) {
            return Err(flaw(Flaw::InterpNotTerminated));
        }
        let path =
            CStr::from_bytes_until_nul(bytes).map_err(|_| flaw(Flaw::InterpNotTerminated))?;
        if path.is_empty() {
            return Err(flaw(Flaw::InterpEmpty));
        }
        Ok(OsStr::from_bytes(path.to_bytes()))
    }
}

fn program_headers(header: &ElfHeader, bytes: &[u8]) -> Result<Vec<ProgramHeader>, Flaw> {
    let count = usize::from(header.raw.e_phnum);
    ProgramHeader::parse(bytes, 0, count, Endian::Little).map_err(|_| Flaw::PhdrTruncated {
        offset: header.raw.e_phoff,
        file_len: header.file_len,
    })
}

/// Where a program's interpreter is named.
fn interp(header: &ElfHeader, phdrs: &[ProgramHeader]) -> Result<Option<FileRange>, Flaw> {
    if header.role == Role::Interpreter {
        return Ok(None);
    }
    let phdr = phdrs.iter().find(|phdr| phdr.p_type == PT_INTERP);
    phdr.map(|phdr| interp_range(phdr, header.file_len))
        .transpose()
}

/// Linux looks at notes of its own only: those that are damaged do not matter.
fn notes(header: &ElfHeader, phdrs: &[ProgramHeader]) -> Vec<FileRange> {
    let notes = phdrs.iter().filter(|phdr| phdr.p_type == PT_NOTE);
    let ranges = notes.map(|phdr| FileRange {
        offset: phdr.p_offset,
        len: phdr.p_filesz,
    });
    let inside = |range: &FileRange| {
        let end = range.offset.checked_add(range.len);
        end.is_some_and(|end| end <= header.file_len)
    };
    ranges.filter(inside).collect()
}

fn plan(header: &ElfHeader, bytes: &[u8]) -> Result<ElfImage, Flaw> {
    let phnum = header.raw.e_phnum;
    let phdrs = program_headers(header, bytes)?;
    let mut image = ElfImage {
        role: header.role,
        kind: header.kind,
        entry: header.raw.e_entry,
        phdr_vaddr: 0,
        phnum,
        alignment: PAGE,
        span: 0..0,
        segments: Vec::new(),
        interp: interp(header, &phdrs)?,
        notes: notes(header, &phdrs),
        exec_stack: false,
        bss_end: 0,
    };
    if header.role == Role::Program
        && let Some(phdr) = phdrs.iter().rfind(|phdr| phdr.p_type == PT_GNU_STACK)
    {
        image.exec_stack = phdr.p_flags & PF_X != 0;
    }

    let mut start = u64::MAX;
    for (index, phdr) in phdrs
        .iter()
        .enumerate()
        .filter(|(_, phdr)| phdr.p_type == PT_LOAD)
    {
        let end = check_range(index, phdr)?;
        image.segments.push(segment(index, phdr)?);
        start = start.min(page_down(phdr.p_vaddr));
        image.bss_end = image.bss_end.max(end);
        if phdr.p_align.is_power_of_two() {
            image.alignment = image.alignment.max(phdr.p_align);
        }
        if let Some(into) = header.raw.e_phoff.checked_sub(phdr.p_offset)
            && into < phdr.p_filesz
        {
            image.phdr_vaddr = phdr.p_vaddr.saturating_add(into);
        }
    }
    if image.segments.is_empty() || (header.kind == Kind::Dyn && start == image.bss_end) {
        return Err(Flaw::NothingToLoad);
    }
    image.span = start..page_up(image.bss_end);

    let starts_here = header.role == Role::Interpreter || image.interp.is_none();
    if header.kind == Kind::Exec && starts_here && image.entry >= TASK_SIZE {
        return Err(Flaw::Entry(image.entry));
    }
    Ok(image)
}

/// The end of a segment in memory, which is at most [`TASK_SIZE`].
fn check_range(index: usize, phdr: &ProgramHeader) -> Result<u64, Flaw> {
    let (vaddr, memsz) = (phdr.p_vaddr, phdr.p_memsz);
    let range = Flaw::AddressRange {
        index,
        vaddr,
        memsz,
    };
    if vaddr >= TASK_SIZE {
        return Err(range);
    }
    if phdr.p_filesz > memsz {
        return Err(Flaw::FileSize { index });
    }
    vaddr
        .checked_add(memsz)
        .filter(|end| *end <= TASK_SIZE)
        .ok_or(range)
}

/// What `elf_load` does for a segment whose range has been checked.
fn segment(index: usize, phdr: &ProgramHeader) -> Result<Segment, Flaw> {
    let prot = protection(phdr.p_flags);
    let file_end = phdr.p_vaddr.saturating_add(phdr.p_filesz);
    let mem_end = phdr.p_vaddr.saturating_add(phdr.p_memsz);
    let file = if phdr.p_filesz > 0 {
        Some(file_mapping(index, phdr, file_end)?)
    } else {
        None
    };
    let has_bss = phdr.p_memsz > phdr.p_filesz;

    let clear = file_end..page_up(file_end);
    let clears = has_bss && file.is_some() && prot & libc::PROT_WRITE != 0 && !clear.is_empty();
    // Without file pages the segment's first page is anonymous as well.
    let bss_start = if file.is_some() {
        page_up(file_end)
    } else {
        page_down(phdr.p_vaddr)
    };
    let bss = bss_start..page_up(mem_end);
    let has_bss_pages = has_bss && !bss.is_empty();
    Ok(Segment {
        file,
        clear: clears.then_some(clear),
        bss: has_bss_pages.then_some(bss),
        prot,
        bss_prot: libc::PROT_READ | libc::PROT_WRITE | (prot & libc::PROT_EXEC),
    })
}

fn file_mapping(index: usize, phdr: &ProgramHeader, file_end: u64) -> Result<FileMapping, Flaw> {
    let (vaddr, offset) = (page_down(phdr.p_vaddr), page_down(phdr.p_offset));
    if phdr.p_offset.wrapping_sub(offset) != phdr.p_vaddr.wrapping_sub(vaddr) {
        return Err(Flaw::Incongruent {
            index,
            vaddr: phdr.p_vaddr,
            offset: phdr.p_offset,
        });
    }
    let len = page_up(file_end).saturating_sub(vaddr);
    if offset.checked_add(len).is_none_or(|end| end > MAX_OFFSET) {
        return Err(Flaw::FileOffset {
            index,
            offset: phdr.p_offset,
        });
    }
    Ok(FileMapping { vaddr, offset, len })
}

fn interp_range(phdr: &ProgramHeader, file_len: u64) -> Result<FileRange, Flaw> {
    let (offset, len) = (phdr.p_offset, phdr.p_filesz);
    if !(2..=MAX_INTERP).contains(&len) {
        return Err(Flaw::InterpLength(len));
    }
    if offset > MAX_OFFSET {
        return Err(Flaw::InterpOffset(offset));
    }
    if offset.checked_add(len).is_none_or(|end| end > file_len) {
        return Err(Flaw::InterpTruncated(offset));
    }
    Ok(FileRange { offset, len })
}

fn protection(flags: u32) -> i32 {
    [
        (PF_R, libc::PROT_READ),
        (PF_W, libc::PROT_WRITE),
        (PF_X, libc::PROT_EXEC),
    ]
    .into_iter()
    .filter(|(flag, _)| flags & flag != 0)
    .fold(libc::PROT_NONE, |prot, (_, bit)| prot | bit)
}

fn page_down(address: u64) -> u64 {
    address & !(PAGE - 1)
}

/// For addresses up to [`TASK_SIZE`], which is a page boundary.
fn page_up(address: u64) -> u64 {
    page_down(address.saturating_add(PAGE - 1))
}

#[cfg(test)]
mod tests;
