//! Packs the emulated host's file system: a cpio archive in the "newc" form
//! that Linux unpacks at boot (Documentation/driver-api/early-userspace/
//! buffer-format.rst in its source).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use goblin::elf::Elf;

use crate::job::Job;

/// Where things are in it.
pub const JOBS: &str = "/jobs";
pub const MODULES: &str = "/modules";

/// What glibc's programs load by name while they run: on cancelling a thread,
/// for a host's name, or by `dlopen`. They lie beside the C library.
const LOADED_LATE: [&str; 3] = ["libgcc_s.so.1", "libm.so.6", "libresolv.so.2"];

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// Writes the archive: this runner as init, the kernel's modules, km and the
/// programs at the paths they have here, and the jobs.
pub fn build(
    archive: &Path,
    modules: &[PathBuf],
    km: &Path,
    programs: &[String],
    jobs: &[Job],
) -> io::Result<()> {
    let mut archive = Archive::create(archive)?;
    for directory in ["/dev", "/proc", "/sys", "/tmp"] {
        archive.directory(Path::new(directory))?;
    }
    // Without it init would start with no standard streams.
    archive.node("/dev/console", 5, 1)?;
    archive.file(Path::new("/init"), &fs::read(std::env::current_exe()?)?)?;
    for module in modules {
        let name = module.file_name().unwrap_or_default();
        archive.file(&Path::new(MODULES).join(name), &fs::read(module)?)?;
    }
    archive.file(
        Path::new(JOBS),
        &postcard::to_stdvec(jobs).map_err(io::Error::other)?,
    )?;
    archive.program(km)?;
    for program in programs {
        let program = Path::new(program);
        if program.is_absolute() {
            archive.program(program)?;
        }
    }
    archive.finish()
}

struct Archive {
    out: BufWriter<File>,
    offset: usize,
    entries: u32,
    packed: BTreeSet<PathBuf>,
}

impl Archive {
    fn create(path: &Path) -> io::Result<Archive> {
        let out = BufWriter::new(File::create(path)?);
        Ok(Archive {
            out,
            offset: 0,
            entries: 0,
            packed: BTreeSet::new(),
        })
    }

    /// Packs a program and, if it is dynamic, its loader and libraries, each
    /// under the very path by which it is asked for.
    fn program(&mut self, path: &Path) -> io::Result<()> {
        if self.packed.contains(path) {
            return Ok(());
        }
        // A program that is not there fails in its own trial.
        let Ok(content) = fs::read(path) else {
            return Ok(());
        };
        self.file(path, &content)?;
        for library in libraries(path, &content)? {
            if !self.packed.contains(&library) {
                self.file(&library, &fs::read(&library)?)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        self.entry(path, PROGRAM, (0, 0), content)
    }

    fn directory(&mut self, path: &Path) -> io::Result<()> {
        if path == Path::new("/") || self.packed.contains(path) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        self.entry(path, DIRECTORY, (0, 0), b"")
    }

    fn node(&mut self, path: &str, major: u32, minor: u32) -> io::Result<()> {
        self.entry(Path::new(path), CHARACTER_DEVICE, (major, minor), b"")
    }

    fn entry(&mut self, path: &Path, mode: u32, rdev: (u32, u32), data: &[u8]) -> io::Result<()> {
        self.packed.insert(path.to_path_buf());
        let name = path
            .strip_prefix("/")
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned();
        self.record(&name, mode, rdev, data)
    }

    /// A header of eight-digit hexadecimal numbers, the name, and the data, the
    /// last two padded to a multiple of four bytes.
    fn record(&mut self, name: &str, mode: u32, rdev: (u32, u32), data: &[u8]) -> io::Result<()> {
        self.entries += 1;
        let links = if mode == DIRECTORY { 2 } else { 1 };
        let size = u32::try_from(data.len()).map_err(io::Error::other)?;
        let name_size = u32::try_from(name.len() + 1).map_err(io::Error::other)?;
        let (major, minor) = rdev;
        // inode, mode, uid, gid, links, mtime, size, device, rdevice, name, check
        let fields = [
            self.entries,
            mode,
            0,
            0,
            links,
            0,
            size,
            0,
            0,
            major,
            minor,
            name_size,
            0,
        ];
        self.write(b"070701")?;
        for field in fields {
            self.write(format!("{field:08x}").as_bytes())?;
        }
        self.write(name.as_bytes())?;
        self.write(b"\0")?;
        self.pad()?;
        self.write(data)?;
        self.pad()
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.offset += data.len();
        self.out.write_all(data)
    }

    fn pad(&mut self) -> io::Result<()> {
        self.write(&[0; 3][..self.offset.wrapping_neg() % 4])
    }

    fn finish(mut self) -> io::Result<()> {
        self.record("TRAILER!!!", 0, (0, 0), b"")?;
        self.out.flush()
    }
}

/// The loader of a dynamic program and all libraries, as the loader itself
/// finds them.
fn libraries(path: &Path, content: &[u8]) -> io::Result<Vec<PathBuf>> {
    let Ok(elf) = Elf::parse(content) else {
        return Ok(Vec::new());
    };
    let Some(interpreter) = elf.interpreter else {
        return Ok(Vec::new());
    };
    // Both C libraries' loaders know this option; without a dependency glibc's
    // fails, which is no error here.
    let listed = Command::new(interpreter).arg("--list").arg(path).output()?;
    let listed = String::from_utf8_lossy(&listed.stdout);
    let mut libraries = vec![PathBuf::from(interpreter)];
    let paths = listed
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    libraries.extend(paths.map(PathBuf::from));
    if let Some(libc) = libraries.iter().find(|path| path.ends_with("libc.so.6")) {
        let late = LOADED_LATE.map(|name| libc.with_file_name(name));
        libraries.extend(late.into_iter().filter(|path| path.exists()));
    }
    Ok(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_laid_out_as_linux_reads_them() {
        let path = std::env::temp_dir().join(format!("km-tests-cpio.{}", std::process::id()));
        let mut archive = Archive::create(&path).expect("made");
        archive.file(Path::new("/a/b"), b"hello").expect("packed");
        archive.finish().expect("finished");
        let bytes = fs::read(&path).expect("read");
        fs::remove_file(&path).expect("removed");
        let text = String::from_utf8(bytes).expect("ASCII");
        // 110 bytes of header, "a\0", no padding needed.
        assert!(text.starts_with("07070100000001000041ed"), "{text}");
        let second = &text[112..];
        assert!(second.starts_with("07070100000002000081ed"), "{second}");
        assert_eq!(&second[54..62], "00000005");
        // The name with its end, and the data, each padded to four bytes.
        assert!(
            second[110..].starts_with(concat!("a/b\0\0\0", "hello\0\0\0", "070701")),
            "{second:?}"
        );
        assert!(text.contains("TRAILER!!!\0"));
        assert_eq!(text.len() % 4, 0);
    }

    #[test]
    fn a_dynamic_program_has_its_loader_and_a_static_one_has_nothing() {
        let shell = Path::new("/bin/sh");
        let content = fs::read(shell).expect("read");
        let found = libraries(shell, &content).expect("listed");
        assert!(
            found
                .iter()
                .any(|path| path.ends_with("ld-linux-x86-64.so.2")),
            "{found:?}"
        );
        assert!(
            found.iter().any(|path| path.ends_with("libc.so.6")),
            "{found:?}"
        );
        let own = std::env::current_exe().expect("found");
        let content = fs::read(&own).expect("read");
        assert!(libraries(&own, &content).expect("listed").is_empty());
    }
}
