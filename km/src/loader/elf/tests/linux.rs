//! The same files planned here and run by the host's kernel.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{self, Command};
use std::{env, thread, time};

use super::builder::*;
use super::*;

/// Files that are damaged in one way each, or odd but good, with the flaw
/// expected.
fn samples() -> Vec<(Builder, Option<Flaw>)> {
    let exec = Builder::exec;
    let phnum = |count: u16| {
        let null = phdr(0, 0, 0, 0, 0, 0);
        exec().with(|elf| elf.phdrs = vec![null; usize::from(count) - 1])
    };
    let range = |vaddr, memsz| {
        Some(Flaw::AddressRange {
            index: 1,
            vaddr,
            memsz,
        })
    };
    let len = |elf: &Builder| elf.build().len() as u64;
    let cut = |elf: Builder, offset| {
        let file_len = len(&elf);
        (
            elf.with(|elf| elf.phoff = offset),
            Some(Flaw::PhdrTruncated { offset, file_len }),
        )
    };
    let far = TASK_SIZE - PAGE;
    vec![
        (exec(), None),
        (Builder::pie(), None),
        (phnum(74), None),
        (phnum(1170), None),
        (phnum(1171), Some(Flaw::PhdrCount(1171))),
        (
            exec().with(|elf| elf.phnum = Some(0)),
            Some(Flaw::PhdrCount(0)),
        ),
        (
            exec().with(|elf| elf.phnum = Some(u16::MAX)),
            Some(Flaw::PhdrCount(u16::MAX)),
        ),
        (
            exec().with(|elf| elf.phentsize = 32),
            Some(Flaw::PhdrSize(32)),
        ),
        (exec().with(|elf| elf.machine = 3), Some(Flaw::Machine(3))),
        (exec().with(|elf| elf.ident[0] = 0), Some(Flaw::NotElf)),
        (exec().with(|elf| elf.ident[4..].fill(0xff)), None),
        (Builder::new(1), Some(Flaw::Type(1))),
        cut(exec(), 1 << 20),
        cut(exec(), 1 << 63),
        cut(exec(), u64::MAX - 40),
        (exec().interp(0, 1), Some(Flaw::InterpLength(1))),
        (exec().interp(0, 4097), Some(Flaw::InterpLength(4097))),
        (
            exec().interp(0, u64::MAX),
            Some(Flaw::InterpLength(u64::MAX)),
        ),
        (
            exec().interp(1 << 20, 10),
            Some(Flaw::InterpTruncated(1 << 20)),
        ),
        (
            exec().interp(1 << 63, 10),
            Some(Flaw::InterpOffset(1 << 63)),
        ),
        (exec().interp(1, 3), Some(Flaw::InterpNotTerminated)),
        (exec().interp(8, 4), Some(Flaw::InterpEmpty)),
        (
            exec().load(RW, 0x50_0000, 0, 100, 50),
            Some(Flaw::FileSize { index: 1 }),
        ),
        (
            exec().load(RW, 0x50_0000, 1, 100, 100),
            Some(Flaw::Incongruent {
                index: 1,
                vaddr: 0x50_0000,
                offset: 1,
            }),
        ),
        (exec().load(RW, 0x50_0000, 1, 0, 100), None),
        (exec().load(RW, TASK_SIZE, 0, 0, 100), range(TASK_SIZE, 100)),
        (exec().load(RW, u64::MAX, 0, 0, 100), range(u64::MAX, 100)),
        (
            exec().load(RW, 0x50_0000, 0, 0, u64::MAX),
            range(0x50_0000, u64::MAX),
        ),
        (exec().load(RW, far, 0, 0, PAGE + 1), range(far, PAGE + 1)),
        (exec().load(RW, 0x50_0000, 1 << 20, 100, 100), None),
        (exec().load(PF_R, 0x50_0000, 1 << 20, 100, 8000), None),
        (
            exec().load(RW, 0x50_0000, 1 << 63, 100, 100),
            Some(Flaw::FileOffset {
                index: 1,
                offset: 1 << 63,
            }),
        ),
        (exec().load(RX, BASE, 0, 300, 300), None),
        (
            exec().with(|elf| elf.entry = Some(1 << 50)),
            Some(Flaw::Entry(1 << 50)),
        ),
        (
            exec()
                .with(|elf| elf.text = false)
                .phdr(phdr(0, 0, 0, 0, 0, 0)),
            Some(Flaw::NothingToLoad),
        ),
        (
            Builder::pie()
                .with(|elf| elf.text = false)
                .load(RX, 0, 0, 0, 0),
            Some(Flaw::NothingToLoad),
        ),
    ]
}

#[test]
fn finds_the_flaw() {
    for (number, (elf, flaw)) in samples().into_iter().enumerate() {
        assert_eq!(
            elf.plan().err().map(|error| error.flaw),
            flaw,
            "sample {number}"
        );
    }
}

/// A program file that is deleted when the test is over.
struct Program(PathBuf);

impl Program {
    fn new(bytes: &[u8]) -> Program {
        let path = env::temp_dir().join(format!("km-elf-{}", process::id()));
        let program = Program(path);
        let mut file = File::create(&program.0).unwrap();
        file.write_all(bytes).unwrap();
        fs::set_permissions(&program.0, Permissions::from_mode(0o755)).unwrap();
        program
    }

    /// How it ends on the host: exit status, signal or errno.
    fn run(&self) -> Native {
        loop {
            match Command::new(&self.0).status() {
                Ok(status) => match status.code() {
                    Some(code) => return Native::Exit(code),
                    None => return Native::Signal(status.signal().unwrap()),
                },
                // Another test's fork still holds the file open for writing.
                Err(error) if error.raw_os_error() == Some(libc::ETXTBSY) => {
                    thread::sleep(time::Duration::from_millis(1));
                }
                Err(error) => return Native::Errno(error.raw_os_error().unwrap()),
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Native {
    Exit(i32),
    Signal(i32),
    Errno(i32),
}

#[test]
fn linux_agrees() {
    for (number, (elf, _)) in samples().into_iter().enumerate() {
        let expected = match elf.plan() {
            Ok(_) => Native::Exit(42),
            Err(error) if error.is_fatal() => Native::Signal(libc::SIGSEGV),
            Err(error) => Native::Errno(error.errno()),
        };
        assert_eq!(
            Program::new(&elf.build()).run(),
            expected,
            "sample {number}"
        );
    }
}
