//! The floors of reading and writing files: the bare VM does what the guests `mapread` and `blocks`
//! do, with nothing between KVM and the host's own system calls.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use vm_memory::{
    Bytes, FileOffset, GuestAddress, GuestRegionMmap, MemoryRegionAddress, MmapRegion,
};

use crate::bare::{BareVm, Error, region};
use crate::image::{DATA, DATA_SIZE, Program};
use crate::measures::Direction;

const BLOCK: usize = 1 << 20;
const WORD: usize = size_of::<u64>();
/// A word of the data file, which is filled with bytes of value 1.
const CONTENT: u64 = 0x0101_0101_0101_0101;

fn memory(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Memory(Box::new(error))
}

/// Maps the file at `path` as memory of a VM and has the guest add up its words; the nanoseconds
/// that took, from the mapping on. The mapping is read-only and filled at once: nothing is left
/// to do for the guest's first touch of a page but KVM's own part.
pub fn map_read(path: &Path) -> Result<f64, Error> {
    let file = File::open(path).map_err(memory)?;
    let size = data_size(&file)?;
    let mut vm = BareVm::running(Program::Sum)?;

    let start = Instant::now();
    let flags = libc::MAP_PRIVATE | libc::MAP_POPULATE;
    let offset = Some(FileOffset::new(file, 0));
    let mapping = MmapRegion::build(offset, size, libc::PROT_READ, flags).map_err(memory)?;
    let region = GuestRegionMmap::new(mapping, GuestAddress(DATA))
        .ok_or_else(|| Error::Exit("a data slot beyond all addresses".to_owned()))?;
    vm.add_region(region)?;
    vm.resume(|regs| {
        regs.rax = 0;
        regs.rdi = DATA;
        regs.rsi = DATA + size as u64;
    })?;
    let elapsed = start.elapsed();

    let sum = vm.registers()?.rax;
    if sum != CONTENT.wrapping_mul((size / WORD) as u64) {
        return Err(Error::Exit(format!("a sum of {sum:#x}")));
    }
    Ok(elapsed.as_secs_f64() * 1e9)
}

/// The size of the data file in whole blocks, if it fits into the data slot.
fn data_size(file: &File) -> Result<usize, Error> {
    let len = file.metadata().map_err(memory)?.len();
    match usize::try_from(len) {
        Ok(size @ BLOCK..=DATA_SIZE) => Ok(size / BLOCK * BLOCK),
        _ => Err(Error::Exit(format!("a data file of {len} bytes"))),
    }
}

/// A VM that has a file read or written in an endless loop.
#[derive(Debug)]
pub struct Blocks {
    vm: BareVm,
    file: File,
    direction: Direction,
    per_pass: u32,
}

impl Blocks {
    pub fn new(path: &Path, direction: Direction) -> Result<Self, Error> {
        let number = match direction {
            Direction::Read => 17,
            Direction::Write => 18,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(memory)?;
        let size = data_size(&file)?;
        let mut vm = BareVm::running(Program::Blocks(number))?;
        vm.add_region(region(DATA, BLOCK)?)?;
        vm.last_region()?
            .write_slice(&[1; BLOCK], MemoryRegionAddress(0))
            .map_err(memory)?;
        // Answers the first call, which had no arguments yet, with a transfer of nothing: the
        // offset becomes the end, and the loop starts over.
        vm.resume(|regs| {
            regs.rax = 0;
            regs.rsi = DATA;
            regs.rdx = BLOCK as u64;
            regs.r8 = size as u64;
            regs.r10 = size as u64;
        })?;
        Ok(Self {
            vm,
            file,
            direction,
            per_pass: u32::try_from(size / BLOCK).unwrap_or(u32::MAX),
        })
    }

    /// Goes over the file for at least `limit`; the nanoseconds a block took.
    pub fn nanoseconds_each(&mut self, limit: Duration) -> Result<f64, Error> {
        let start = Instant::now();
        let mut blocks = 0;
        loop {
            let offset = self.vm.registers()?.r10;
            if offset != 0 {
                return Err(Error::Exit(format!("a pass that starts at {offset:#x}")));
            }
            for _ in 0..self.per_pass {
                let done = self.serve()?;
                self.vm.resume(|regs| regs.rax = done)?;
            }
            blocks += self.per_pass;
            let elapsed = start.elapsed();
            if elapsed >= limit {
                return Ok(elapsed.as_secs_f64() * 1e9 / f64::from(blocks));
            }
        }
    }

    /// The call the guest waits for, made straight on its memory. Moving the file's offset first
    /// costs a thousandth of the transfer.
    fn serve(&mut self) -> Result<u64, Error> {
        let regs = self.vm.registers()?;
        let (buffer, len) = (MemoryRegionAddress(regs.rsi - DATA), regs.rdx as usize);
        self.file.seek(SeekFrom::Start(regs.r10)).map_err(memory)?;
        let region = self.vm.last_region()?;
        let done = match self.direction {
            Direction::Read => region.read_volatile_from(buffer, &mut self.file, len),
            Direction::Write => region.write_volatile_to(buffer, &mut self.file, len),
        };
        match done.map_err(memory)? {
            done if done == len => Ok(done as u64),
            done => Err(Error::Exit(format!("{done} of {len} bytes"))),
        }
    }
}
