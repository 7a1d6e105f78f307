//! Maps the parts of a program, and lays out what is around them as Linux
//! does (`load_elf_binary()` in `fs/binfmt_elf.c`).

use std::ffi::OsString;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;

use crate::errno::Errno;
use crate::loader::elf::{ElfImage, Kind as ElfKind, PHDR_SIZE, Segment};
use crate::loader::stack::{self, AuxValue, StackContent, StackImage};
use crate::loader::vdso::Vdso;
use crate::loader::{LoadError, Program, Target};
use crate::mem::layout::{PAGE, STACK_RANDOM, TASK_SIZE};
use crate::mem::mapping::{Kind, MapFlags, Mapping, Prot};
use crate::mem::space::AddressSpace;
use crate::sys::proc;
use crate::vm::cpuid::Features;

/// Where system calls are made: on other processors Linux tells it, and C
/// libraries note it for all of them.
const AT_SYSINFO: u64 = 32;

/// What is chosen beside the program itself.
#[derive(Debug)]
pub struct Layout<'a> {
    /// The root of `/proc`.
    pub proc_root: Option<BorrowedFd<'a>>,
    pub env: Vec<OsString>,
    /// Randomise addresses.
    pub randomise: bool,
    /// The soft limit on the stack, in bytes.
    pub stack_limit: u64,
    /// The address of the gate.
    pub gate: u64,
}

/// Where the payload starts, and what `/proc` tells about it.
#[derive(Debug, Clone)]
pub struct Entry {
    pub rip: u64,
    pub stack: StackImage,
    /// The auxiliary vector's bytes, for `/proc/self/auxv`.
    pub auxv: Vec<u8>,
}

/// Numbers for address randomisation, from the host.
struct Random {
    enabled: bool,
}

impl Random {
    /// A number below `bound`; 0 without randomisation.
    fn below(&self, bound: u64) -> u64 {
        if !self.enabled || bound == 0 {
            return 0;
        }
        u64::from_le_bytes(proc::random()) % bound
    }

    /// `bound`, or 0 without randomisation.
    fn bound(&self, bound: u64) -> u64 {
        if self.enabled { bound } else { 0 }
    }

    /// A multiple of the page size below `bound`.
    fn pages(&self, bound: u64) -> u64 {
        self.below(bound / PAGE) * PAGE
    }
}

/// How far the mmap area and PIEs are randomised: 28 bits of pages
/// (`vm.mmap_rnd_bits`), less where the arena is small.
fn mmap_random(space: &AddressSpace) -> u64 {
    let arena = space.arenas().high();
    (PAGE << 28).min((arena.end - arena.start) / 16)
}

/// How far the break is randomised (`arch_randomize_brk()`).
const BRK_RANDOM: u64 = 32 << 20;
/// The most memory held ready for a stack without limit.
const STACK_READY_MAX: u64 = 1 << 30;

/// The most of a program's data that is read and copied before it is touched.
const DATA_READY_MAX: u64 = 4 << 20;

/// Loads `target` into `space`.
///
/// # Errors
///
/// As `execve(2)`; ENOMEM where it does not fit.
pub fn load(
    target: &Target,
    layout: &Layout<'_>,
    space: &mut AddressSpace,
    features: &Features,
) -> Result<Entry, LoadError> {
    let random = Random {
        enabled: layout.randomise,
    };
    let limit = layout.stack_limit;
    let base = space.arenas().mmap_base(limit, random.bound(STACK_RANDOM))
        - random.pages(mmap_random(space));
    space.set_mmap_base(base & !(PAGE - 1));

    let program = &target.program;
    let no_room = |errno| LoadError::Map {
        path: program.path.clone(),
        errno,
    };
    let bias = program_bias(&program.image, space, &random).map_err(no_room)?;
    map_image(program, bias, space)?;
    let mut rip = entry(program, bias)?;
    let mut interpreter_base = 0;
    if let Some(interpreter) = &target.interpreter {
        interpreter_base = interpreter_bias(&interpreter.image, space).map_err(no_room)?;
        map_image(interpreter, interpreter_base, space)?;
        rip = entry(interpreter, interpreter_base)?;
    }
    let brk = program
        .image
        .bss_end
        .wrapping_add(bias)
        .next_multiple_of(PAGE);
    space.start_brk(brk + random.pages(BRK_RANDOM));

    let vdso = Vdso::of_host(layout.proc_root).and_then(|vdso| vdso.map(space).ok());
    let auxv = auxv(
        &program.image,
        bias,
        interpreter_base,
        vdso,
        layout.gate,
        features,
    );
    let content = StackContent {
        argv: &target.argv,
        envp: &layout.env,
        execfn: &target.execfn,
        auxv: &auxv,
        random: {
            let (low, high) = (proc::random(), proc::random());
            let mut bytes = [0; 16];
            for (to, from) in bytes.iter_mut().zip(low.into_iter().chain(high)) {
                *to = from;
            }
            bytes
        },
        shuffle: random.below(stack::SHUFFLE_BOUND),
        limit: stack::string_limit(limit),
        room: stack::string_room(limit),
    };
    let top = TASK_SIZE - random.pages(STACK_RANDOM);
    let stack = stack::build(&content, top)?;
    let present = stack.bottom(top, limit)?..top;
    make_stack(space, &stack, present, limit, program.image.exec_stack).map_err(no_room)?;
    let auxv = auxv_bytes(&stack);
    Ok(Entry { rip, stack, auxv })
}

fn entry(program: &Program, bias: u64) -> Result<u64, LoadError> {
    program
        .image
        .entry_at(bias)
        .map_err(|source| LoadError::Elf {
            path: program.path.clone(),
            source,
        })
}

fn program_bias(image: &ElfImage, space: &AddressSpace, random: &Random) -> Result<u64, Errno> {
    if image.kind == ElfKind::Exec {
        return Ok(0);
    }
    let base = space.arenas().pie_base() + random.pages(mmap_random(space));
    let align = image.alignment.max(PAGE);
    Ok((base & !(align - 1)).wrapping_sub(image.span.start & !(PAGE - 1)))
}

fn interpreter_bias(image: &ElfImage, space: &AddressSpace) -> Result<u64, Errno> {
    if image.kind == ElfKind::Exec {
        return Ok(0);
    }
    let len = image.span.end.saturating_sub(image.span.start);
    let range = space.find_free(len, 0, PAGE)?;
    Ok(range.start.wrapping_sub(image.span.start))
}

fn map_image(program: &Program, bias: u64, space: &mut AddressSpace) -> Result<(), LoadError> {
    for segment in &program.image.segments {
        map_segment(program, segment, bias, space).map_err(|errno| LoadError::Map {
            path: program.path.clone(),
            errno,
        })?;
    }
    Ok(())
}

fn map_segment(
    program: &Program,
    segment: &Segment,
    bias: u64,
    space: &mut AddressSpace,
) -> Result<(), Errno> {
    let shifted = |range: &Range<u64>| range.start.wrapping_add(bias)..range.end.wrapping_add(bias);
    if let Some(file) = &segment.file {
        let start = file.vaddr.wrapping_add(bias);
        let range = start..start.checked_add(file.len).ok_or(Errno::ENOMEM)?;
        let kind = Kind::File {
            file: Arc::clone(&program.info),
            offset: file.offset,
        };
        let mapping = Mapping::new(prot(segment.prot), kind);
        space.map_file(
            range.clone(),
            mapping,
            libc::MAP_PRIVATE,
            program.file.as_fd(),
            file.offset,
        )?;
        if segment.prot & libc::PROT_WRITE != 0 && file.len <= DATA_READY_MAX {
            space.make_ready(&range);
        }
    }
    if let Some(clear) = &segment.clear {
        let clear = shifted(clear);
        let zeroes = vec![0; (clear.end - clear.start) as usize];
        space.memory().write(clear.start, &zeroes)?;
    }
    if let Some(bss) = &segment.bss {
        let mapping = Mapping::new(prot(segment.bss_prot), Kind::Anon);
        space.map_anonymous(shifted(bss), mapping)?;
    }
    Ok(())
}

/// `PROT_*` as the mapping table has it.
pub fn prot(bits: i32) -> Prot {
    let mut prot = Prot::empty();
    prot.set(Prot::READ, bits & libc::PROT_READ != 0);
    prot.set(Prot::WRITE, bits & libc::PROT_WRITE != 0);
    prot.set(Prot::EXEC, bits & libc::PROT_EXEC != 0);
    prot
}

fn auxv(
    image: &ElfImage,
    bias: u64,
    interpreter: u64,
    vdso: Option<u64>,
    gate: u64,
    features: &Features,
) -> Vec<(u64, AuxValue)> {
    let word = |kind: u64, value: u64| (kind, AuxValue::Word(value));
    let inherited = |kind: u64| word(kind, proc::auxv(kind));
    let phdr = if image.phdr_vaddr == 0 {
        0
    } else {
        image.phdr_vaddr.wrapping_add(bias)
    };
    let mut auxv = Vec::new();
    auxv.extend(vdso.map(|at| word(libc::AT_SYSINFO_EHDR, at)));
    auxv.extend([
        word(AT_SYSINFO, gate),
        inherited(libc::AT_MINSIGSTKSZ),
        // Not the C library's value, which means other things by it.
        word(libc::AT_HWCAP, u64::from(features.hwcap())),
        word(libc::AT_PAGESZ, PAGE),
        inherited(libc::AT_CLKTCK),
        word(libc::AT_PHDR, phdr),
        word(libc::AT_PHENT, u64::from(PHDR_SIZE)),
        word(libc::AT_PHNUM, u64::from(image.phnum)),
        word(libc::AT_BASE, interpreter),
        word(libc::AT_FLAGS, 0),
        word(libc::AT_ENTRY, image.entry.wrapping_add(bias)),
        inherited(libc::AT_UID),
        inherited(libc::AT_EUID),
        inherited(libc::AT_GID),
        inherited(libc::AT_EGID),
        inherited(libc::AT_SECURE),
        (libc::AT_RANDOM, AuxValue::Random),
        inherited(libc::AT_HWCAP2),
        (libc::AT_EXECFN, AuxValue::ExecFn),
        (libc::AT_PLATFORM, AuxValue::Platform),
    ]);
    auxv
}

fn make_stack(
    space: &mut AddressSpace,
    stack: &StackImage,
    present: Range<u64>,
    limit: u64,
    executable: bool,
) -> Result<(), Errno> {
    let mut rights = Prot::READ | Prot::WRITE;
    rights.set(Prot::EXEC, executable);
    let mut mapping = Mapping::new(rights, Kind::Stack);
    mapping.flags = MapFlags::GROWSDOWN;
    let lowest = present.end - limit.min(STACK_READY_MAX);
    let ready = lowest.next_multiple_of(PAGE).min(present.start);
    space.make_stack(present, ready, mapping)?;
    space.memory().write(stack.sp, &stack.bytes)
}

fn auxv_bytes(stack: &StackImage) -> Vec<u8> {
    let from = (stack.auxv.start - stack.sp) as usize;
    let to = (stack.auxv.end - stack.sp) as usize;
    stack
        .bytes
        .get(from..to)
        .map(<[u8]>::to_vec)
        .unwrap_or_default()
}

/// A name for the payload, from its path.
pub fn base_name(path: &Path) -> &[u8] {
    use std::os::unix::ffi::OsStrExt;
    path.file_name().map_or(b"km", OsStrExt::as_bytes)
}
