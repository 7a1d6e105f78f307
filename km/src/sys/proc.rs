//! The monitor's own process: limits, auxiliary vector, name, end.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use std::sync::{Mutex, PoisonError};

use crate::errno::Errno;

/// Soft and hard limit of a resource (`getrlimit(2)`).
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub soft: u64,
    pub hard: u64,
}

/// The limit on open files.
///
/// # Errors
///
/// From `getrlimit(2)`.
pub fn open_file_limit() -> io::Result<Limit> {
    limit(libc::RLIMIT_NOFILE)
}

fn limit(resource: libc::__rlimit_resource_t) -> io::Result<Limit> {
    let mut value = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `value` is valid for writes of one rlimit.
    if unsafe { libc::getrlimit(resource, &raw mut value) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Limit {
        soft: value.rlim_cur,
        hard: value.rlim_max,
    })
}

/// Raises the soft limit on open files to `soft` while `work` runs.
///
/// # Errors
///
/// From `setrlimit(2)`, or of `work`.
pub fn with_open_file_limit<T>(soft: u64, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let _turn = OPEN_FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let before = open_file_limit()?;
    if soft <= before.soft {
        return work();
    }
    set_limit(Limit { soft, ..before })?;
    let result = work();
    set_limit(before)?;
    result
}

/// Sets the soft limit on open files. The hard one is not lowered to `hard`,
/// but where the host would not allow that much, nothing is changed.
///
/// # Errors
///
/// From `setrlimit(2)`: EPERM beyond what the host allows.
pub fn set_open_file_limit(soft: u64, hard: u64) -> io::Result<()> {
    let _turn = OPEN_FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let before = open_file_limit()?;
    set_limit(Limit {
        soft,
        hard: hard.max(before.hard),
    })
}

/// Held while the limit on open files is not what the payload set.
static OPEN_FILES: Mutex<()> = Mutex::new(());

fn set_limit(limit: Limit) -> io::Result<()> {
    let value = libc::rlimit {
        rlim_cur: limit.soft,
        rlim_max: limit.hard,
    };
    // SAFETY: `value` is valid for reads of one rlimit.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const value) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Duplicates `fd` to the lowest free number of at least `lowest`,
/// close-on-exec.
///
/// # Errors
///
/// From `fcntl(F_DUPFD_CLOEXEC)`.
pub fn duplicate_at_least(fd: BorrowedFd<'_>, lowest: i32) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes an int and makes a new descriptor.
    let new = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, lowest) };
    if new < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `new` was just made and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// Closes all descriptors in `range` that are not in `keep`, in a forked
/// child: what owns them there is never dropped.
pub fn close_all_but(range: &std::ops::Range<i32>, keep: &std::collections::HashSet<i32>) {
    let mut keep: Vec<i32> = keep
        .iter()
        .copied()
        .filter(|fd| range.contains(fd))
        .collect();
    keep.push(range.end);
    keep.sort_unstable();
    let mut start = range.start;
    for kept in keep {
        if start < kept {
            // SAFETY: the caller owns what is closed.
            unsafe { libc::syscall(libc::SYS_close_range, start, kept - 1, 0) };
        }
        start = kept + 1;
    }
}

/// An open descriptor of the process, by its number, for the time of a call.
pub fn borrow_fd<'a>(number: i32) -> Option<BorrowedFd<'a>> {
    // SAFETY: -1 is excluded. That the number may be closed by the payload at
    // any time is nothing the kernel minds: the call gives EBADF.
    (number >= 0).then(|| unsafe { BorrowedFd::borrow_raw(number) })
}

/// A value of the auxiliary vector the kernel gave the monitor; 0 without it.
pub fn auxv(kind: u64) -> u64 {
    // SAFETY: getauxval has no preconditions.
    unsafe { libc::getauxval(kind) }
}

/// Whether the kernel can make CPUID fault in ring 3 (`arch_prctl(2)`,
/// `ARCH_CPUID_SET`).
pub fn can_fault_cpuid() -> bool {
    const ARCH_CPUID_SET: libc::c_long = 0x1012;
    // SAFETY: 1 says that CPUID is not to fault, as is so from the start.
    (unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_CPUID_SET, 1) }) == 0
}

/// Whether addresses of new programs are random: not under
/// `setarch -R`, nor where the administrator turned it off.
pub fn randomises_addresses() -> bool {
    let off = personality() & libc::ADDR_NO_RANDOMIZE as u64 != 0;
    let system = std::fs::read("/proc/sys/kernel/randomize_va_space");
    !off && system.map_or(true, |text| !text.starts_with(b"0"))
}

/// A copy of `len` bytes of the kernel's vDSO image at `address`.
pub fn vdso_image(address: u64, len: usize) -> Vec<u8> {
    let mut image = vec![0; len];
    let at = crate::sys::copy::HostPtr::new(address);
    let copied = crate::sys::copy::read(at, &mut image);
    image.truncate(copied);
    image
}

/// `personality(2)` of the process, unchanged.
pub fn personality() -> u64 {
    // SAFETY: 0xffffffff only asks.
    unsafe { libc::personality(0xffff_ffff) as u64 }
}

/// Names the calling thread (`PR_SET_NAME`; 15 bytes are kept).
pub fn set_thread_name(name: &[u8]) {
    let mut buffer = [0u8; 16];
    for (to, from) in buffer.iter_mut().take(15).zip(name) {
        *to = *from;
    }
    // SAFETY: `buffer` is a NUL-terminated string of at most 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, buffer.as_ptr(), 0, 0, 0) };
}

/// The `prctl_mm_map` of `prctl(2)`, `PR_SET_MM_MAP`.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
pub struct MemoryMap {
    pub start_code: u64,
    pub end_code: u64,
    pub start_data: u64,
    pub end_data: u64,
    pub start_brk: u64,
    pub brk: u64,
    pub start_stack: u64,
    pub arg_start: u64,
    pub arg_end: u64,
    pub env_start: u64,
    pub env_end: u64,
    pub auxv: u64,
    pub auxv_size: u32,
    pub exe_fd: u32,
}

/// Tells the kernel where arguments and environment lie, for
/// `/proc/PID/cmdline` and `/proc/PID/environ`.
///
/// # Errors
///
/// From `prctl(2)`: EINVAL where the kernel has no checkpoint support.
pub fn set_memory_map(map: &MemoryMap) -> io::Result<()> {
    const PR_SET_MM: i32 = 35;
    const PR_SET_MM_MAP: u64 = 14;
    let size = size_of::<MemoryMap>() as u64;
    // SAFETY: the structure is valid for reads of its size. The addresses in
    // it only steer what /proc shows.
    let done = unsafe {
        libc::prctl(
            PR_SET_MM,
            PR_SET_MM_MAP,
            std::ptr::from_ref(map),
            size,
            0u64,
        )
    };
    if done < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Shows the strings at these host addresses (start and end of the arguments,
/// start and end of the environment) as the process's own.
///
/// # Errors
///
/// From `prctl(2)`.
pub fn show_strings([arg_start, arg_end, env_start, env_end]: [u64; 4]) -> io::Result<()> {
    // The kernel wants all of its record anew, and reading it back from
    // /proc/self/stat costs more than the call. Where code and data lie only
    // serves that file.
    let brk = program_break();
    set_memory_map(&MemoryMap {
        start_code: address(&raw const __executable_start),
        end_code: address(&raw const etext),
        start_data: address(&raw const etext),
        end_data: address(&raw const edata),
        // So the heap cannot shrink below what it is now.
        start_brk: brk,
        brk,
        // Anywhere in the stack: it is known by it.
        start_stack: auxv(libc::AT_RANDOM),
        arg_start,
        arg_end,
        env_start,
        env_end,
        auxv: 0,
        auxv_size: 0,
        exe_fd: u32::MAX,
    })
}

fn address(place: *const u8) -> u64 {
    place.addr() as u64
}

unsafe extern "C" {
    /// Where the linker put the program. Only the addresses mean anything.
    static __executable_start: u8;
    static etext: u8;
    static edata: u8;
}

/// Sends standard output and error to the file at `path`, appending.
///
/// # Errors
///
/// From `open(2)` and `dup2(2)`.
pub fn redirect_output(path: &std::path::Path) -> io::Result<()> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    for fd in [1, 2] {
        // SAFETY: `file` is open; what the numbers stood for is closed, which
        // nothing in the monitor relies on.
        if unsafe { libc::dup2(file.as_raw_fd(), fd) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// End of the monitor's own heap (`sbrk(0)`).
pub fn program_break() -> u64 {
    // SAFETY: an increment of 0 changes nothing.
    (unsafe { libc::sbrk(0) }) as u64
}

/// Waits for a signal (`pause(2)`).
pub fn pause() {
    // SAFETY: pause has no preconditions.
    unsafe { libc::pause() };
}

/// Ends the process with `status` at once: no handlers of the C library run.
pub fn exit(status: u8) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(i32::from(status)) }
}

/// Ends the process by `signal`, as its parent sees it. No core of the
/// monitor is written.
pub fn die_by_signal(signal: i32) -> ! {
    let no_core = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: these calls take plain numbers, a valid limit and a valid, zeroed
    // signal set; the default action of `signal` ends the process.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core);
        libc::signal(signal, libc::SIG_DFL);
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        // To this thread: another would take it later than this one goes on.
        libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal);
    }
    // A signal that does not end a process by default is no reason to live.
    exit(128u8.wrapping_add(signal as u8))
}

/// Eight random bytes from the host.
pub fn random() -> [u8; 8] {
    let mut bytes = [0u8; 8];
    // SAFETY: `bytes` is valid for writes of its length. Up to 256 bytes are
    // never cut short, and without flags the call waits until it can serve.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    bytes
}

/// Whether the process may execute the open file (`faccessat2(2)` with
/// `AT_EMPTY_PATH`, effective ids).
pub fn may_execute(file: BorrowedFd<'_>) -> bool {
    let flags = libc::AT_EMPTY_PATH | libc::AT_EACCESS;
    // SAFETY: the path is a NUL-terminated empty string.
    let done = unsafe {
        libc::syscall(
            libc::SYS_faccessat2,
            file.as_raw_fd(),
            c"".as_ptr(),
            libc::X_OK,
            flags,
        )
    };
    done == 0
}

/// What `mmap` needs to know of a file.
#[derive(Debug, Clone, Copy)]
pub struct FileStatus {
    pub device: u64,
    pub inode: u64,
    /// Open for writing.
    pub writable: bool,
}

/// The status of an open file.
///
/// # Errors
///
/// From `fstat(2)`: EBADF.
pub fn file_status(fd: BorrowedFd<'_>) -> Result<FileStatus, Errno> {
    let mut status = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `status` is valid for writes of one stat.
    let (done, mode) = unsafe {
        let done = libc::fstat(fd.as_raw_fd(), status.as_mut_ptr());
        (done, libc::fcntl(fd.as_raw_fd(), libc::F_GETFL))
    };
    if done < 0 || mode < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: all bits of a stat are valid, and it was zeroed.
    let status = unsafe { status.assume_init() };
    let writable = mode & libc::O_ACCMODE != libc::O_RDONLY;
    Ok(FileStatus {
        device: status.st_dev,
        inode: status.st_ino,
        writable,
    })
}

/// The name of an open file, as `/proc/PID/maps` would have it.
pub fn file_name(fd: BorrowedFd<'_>) -> Vec<u8> {
    use std::os::unix::ffi::OsStringExt;
    // Not `self`: the first thread may have ended.
    let link = format!("/proc/thread-self/fd/{}", fd.as_raw_fd());
    std::fs::read_link(link).map_or_else(|_| Vec::new(), |path| path.into_os_string().into_vec())
}

/// Whether the file lies on a file system mounted `noexec`.
pub fn is_on_noexec(fd: BorrowedFd<'_>) -> bool {
    let mut status = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: `status` is valid for writes of one statvfs, all bits of which
    // are valid values.
    let (done, flags) = unsafe {
        let done = libc::fstatvfs(fd.as_raw_fd(), status.as_mut_ptr());
        (done, status.assume_init().f_flag)
    };
    done == 0 && flags & libc::ST_NOEXEC != 0
}

/// The kind of a file: `S_IFREG` and its like.
///
/// # Errors
///
/// From `fstat(2)`.
pub fn file_kind(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    let mut status = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `status` is valid for writes of one stat, all bits of which are
    // valid values.
    let (done, mode) = unsafe {
        let done = libc::fstat(fd.as_raw_fd(), status.as_mut_ptr());
        (done, status.assume_init().st_mode)
    };
    if done < 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(mode & libc::S_IFMT)
}

/// The root of `/proc`, to be looked up from wherever the payload goes.
pub fn proc_root() -> io::Result<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_CLOEXEC | libc::O_DIRECTORY);
    Ok(options.open("/proc")?.into())
}

/// Whether the file is of `/proc`.
pub fn is_on_procfs(fd: BorrowedFd<'_>) -> bool {
    const PROC_SUPER_MAGIC: i64 = 0x9fa0;
    let mut status = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: `status` is valid for writes of one statfs, all bits of which
    // are valid values.
    let (done, kind) = unsafe {
        let done = libc::fstatfs(fd.as_raw_fd(), status.as_mut_ptr());
        (done, status.assume_init().f_type)
    };
    done == 0 && kind == PROC_SUPER_MAGIC
}

/// The calling thread's id.
pub fn thread_id() -> i32 {
    // SAFETY: gettid has no preconditions.
    unsafe { libc::gettid() }
}

/// Whether there is a thread or process `id`.
pub fn exists(id: i32) -> bool {
    // SAFETY: signal 0 only asks.
    let done = unsafe { libc::syscall(libc::SYS_tkill, id, 0) };
    done == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// Whether thread `tid` of process `tgid` exists.
pub fn is_alive(tgid: i32, tid: i32) -> bool {
    // SAFETY: signal 0 only asks.
    let done = unsafe { libc::syscall(libc::SYS_tgkill, tgid, tid, 0) };
    done == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// The processor and node the thread runs on (`getcpu(2)`).
pub fn cpu_and_node() -> (u32, u32) {
    let (mut cpu, mut node) = (0u32, 0u32);
    // SAFETY: both point to a word; the third argument is unused.
    unsafe { getcpu(&raw mut cpu, &raw mut node) };
    (cpu, node)
}

unsafe extern "C" {
    /// `getcpu(3)` of the C library, which asks the vDSO.
    fn getcpu(cpu: *mut u32, node: *mut u32) -> i32;
}

/// An anonymous file with `content`, for a descriptor of the payload's.
///
/// # Errors
///
/// From `memfd_create(2)` and `write(2)`.
pub fn memory_file(name: &CStr, content: &[u8], flags: u32) -> Result<OwnedFd, Errno> {
    use std::io::{Seek, Write};
    // SAFETY: `name` is NUL-terminated.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: the descriptor is new and nothing else owns it.
    let mut file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.write_all(content)?;
    file.rewind()?;
    Ok(file.into())
}

/// An anonymous file with `content` that nobody can change any more.
///
/// # Errors
///
/// From `memfd_create(2)`, `write(2)` and `fcntl(2)`.
pub fn sealed_file(name: &CStr, content: &[u8]) -> Result<OwnedFd, Errno> {
    let file = memory_file(name, content, libc::MFD_ALLOW_SEALING | libc::MFD_CLOEXEC)?;
    // SAFETY: F_ADD_SEALS takes an int.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEALS) } < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // Until now another thread of the payload could reach it.
    if sealed_content(file.try_clone()?)? != content {
        return Err(Errno::EBUSY);
    }
    Ok(file)
}

const SEALS: i32 = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;

/// The content of a file made by [`sealed_file`].
///
/// # Errors
///
/// EINVAL where it is another file; from `read(2)`.
pub fn sealed_content(file: OwnedFd) -> Result<Vec<u8>, Errno> {
    use std::io::{Read, Seek};
    // SAFETY: F_GET_SEALS takes no argument.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) } != SEALS {
        return Err(Errno::EINVAL);
    }
    let mut content = Vec::new();
    let mut file = std::fs::File::from(file);
    file.rewind()?;
    file.read_to_end(&mut content)?;
    Ok(content)
}

/// Whether a program that is executed gets the descriptor `fd`, or not.
pub fn set_inherited(fd: i32, inherited: bool) {
    let flags = if inherited { 0 } else { libc::FD_CLOEXEC };
    // SAFETY: F_SETFD takes an int; a number that is not open gives EBADF.
    unsafe { libc::fcntl(fd, libc::F_SETFD, flags) };
}

/// Makes `old` stand for what `new` stands for, under its own number and
/// close-on-exec.
///
/// # Errors
///
/// From `dup3(2)`.
pub fn put_in_place(new: BorrowedFd<'_>, old: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both are open, and `old` stays so: its number is its owner's.
    match unsafe { libc::dup3(new.as_raw_fd(), old.as_raw_fd(), libc::O_CLOEXEC) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Whether `fd` is open.
pub fn is_open(fd: i32) -> bool {
    // SAFETY: F_GETFD takes no argument.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Whether a program that is executed gets the descriptor `fd`.
pub fn is_inherited(fd: i32) -> bool {
    // SAFETY: F_GETFD takes no argument.
    unsafe { libc::fcntl(fd, libc::F_GETFD) & libc::FD_CLOEXEC == 0 }
}

/// Takes over descriptor `fd`, which the program that executed this one left
/// open for it.
///
/// # Errors
///
/// EBADF where it is not open.
pub fn take_inherited(fd: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: F_SETFD takes an int.
    if fd < 0 || unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: it is open, and the caller takes each number once.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The monitor's own program file.
///
/// # Errors
///
/// From `open(2)`.
pub fn own_image() -> io::Result<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_CLOEXEC);
    Ok(options.open("/proc/self/exe")?.into())
}
