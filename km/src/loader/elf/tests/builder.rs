//! Small ELF files, well-formed or spoilt on purpose.

use super::*;

pub(super) const BASE: u64 = 0x40_0000;
pub(super) const RX: u32 = PF_R | PF_X;
pub(super) const RW: u32 = PF_R | PF_W;

/// `mov $60, %eax; mov $42, %edi; syscall`: exit with status 42.
pub(super) const EXIT_42: [u8; 12] = [0xb8, 60, 0, 0, 0, 0xbf, 42, 0, 0, 0, 0x0f, 0x05];

/// A well-formed program that exits with status 42, and the means to spoil
/// it. Unless `text` is off, the first program header maps all of the file.
#[derive(Clone)]
pub(super) struct Builder {
    pub(super) ident: [u8; 16],
    pub(super) kind: u16,
    pub(super) machine: u16,
    pub(super) entry: Option<u64>,
    pub(super) phoff: u64,
    pub(super) phentsize: u16,
    pub(super) phnum: Option<u16>,
    pub(super) text: bool,
    pub(super) phdrs: Vec<ProgramHeader>,
}

impl Builder {
    pub(super) fn new(kind: u16) -> Builder {
        let mut ident = [0; 16];
        ident[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
        Builder {
            ident,
            kind,
            machine: EM_X86_64,
            entry: None,
            phoff: 64,
            phentsize: 56,
            phnum: None,
            text: true,
            phdrs: Vec::new(),
        }
    }

    pub(super) fn exec() -> Builder {
        Builder::new(ET_EXEC)
    }

    pub(super) fn pie() -> Builder {
        Builder::new(ET_DYN)
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Builder)) -> Builder {
        change(&mut self);
        self
    }

    pub(super) fn phdr(self, phdr: ProgramHeader) -> Builder {
        self.with(|elf| elf.phdrs.push(phdr))
    }

    /// A further PT_LOAD: flags, address, file offset, size in the file and
    /// in memory.
    pub(super) fn load(
        self,
        flags: u32,
        vaddr: u64,
        offset: u64,
        filesz: u64,
        memsz: u64,
    ) -> Builder {
        self.phdr(phdr(PT_LOAD, flags, vaddr, offset, filesz, memsz))
    }

    pub(super) fn interp(self, offset: u64, len: u64) -> Builder {
        self.phdr(phdr(PT_INTERP, PF_R, 0, offset, len, len))
    }

    pub(super) fn build(&self) -> Vec<u8> {
        let base = if self.kind == ET_EXEC { BASE } else { 0 };
        let count = self.phdrs.len() + usize::from(self.text);
        let code = 64 + 56 * count as u64;
        let len = code + EXIT_42.len() as u64;

        let mut file = self.ident.to_vec();
        file.extend(self.kind.to_le_bytes());
        file.extend(self.machine.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        file.extend(self.entry.unwrap_or(base + code).to_le_bytes());
        file.extend(self.phoff.to_le_bytes());
        file.extend(0u64.to_le_bytes());
        file.extend(0u32.to_le_bytes());
        let phnum = self.phnum.unwrap_or(count as u16);
        for half in [64, self.phentsize, phnum, 0, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        let text = self.text.then(|| phdr(PT_LOAD, RX, base, 0, len, len));
        for phdr in text.iter().chain(&self.phdrs) {
            file.extend(phdr.p_type.to_le_bytes());
            file.extend(phdr.p_flags.to_le_bytes());
            for word in [
                phdr.p_offset,
                phdr.p_vaddr,
                phdr.p_paddr,
                phdr.p_filesz,
                phdr.p_memsz,
            ] {
                file.extend(word.to_le_bytes());
            }
            file.extend(phdr.p_align.to_le_bytes());
        }
        file.extend(EXIT_42);
        file
    }

    pub(super) fn plan(&self) -> Result<ElfImage, ElfError> {
        plan_bytes(&self.build(), Role::Program)
    }

    pub(super) fn flaw(&self) -> Flaw {
        self.plan().unwrap_err().flaw
    }
}

pub(super) fn phdr(
    p_type: u32,
    flags: u32,
    vaddr: u64,
    offset: u64,
    filesz: u64,
    memsz: u64,
) -> ProgramHeader {
    ProgramHeader {
        p_type,
        p_flags: flags,
        p_offset: offset,
        p_vaddr: vaddr,
        p_paddr: vaddr,
        p_filesz: filesz,
        p_memsz: memsz,
        p_align: PAGE,
    }
}

/// What the loader does with a file.
pub(super) fn plan_bytes(file: &[u8], role: Role) -> Result<ElfImage, ElfError> {
    let head = &file[..file.len().min(HEAD)];
    let header = ElfHeader::parse(head, file.len() as u64, role)?;
    let (offset, len) = header.phdr_range();
    let range = offset as usize..(offset + len) as usize;
    let image = ElfImage::plan(&header, &file[range])?;
    if let Some(FileRange { offset, len }) = image.interp {
        ElfImage::interp_path(&file[offset as usize..(offset + len) as usize])?;
    }
    Ok(image)
}
