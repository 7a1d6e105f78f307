//! The monitor's own process: descriptors, limits, auxiliary vector, name, end.

mod end;
mod files;
mod limit;
mod write;

use std::io;

pub use end::{die_by_signal, exit, is_first};
pub use files::*;
pub use limit::{FILE_SIZE, OPEN_FILES, PayloadLimits, with_open_file_limit};
pub use write::{write_all, write_beyond_limit, write_within_limit};

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
fn personality() -> u64 {
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
struct MemoryMap {
    start_code: u64,
    end_code: u64,
    start_data: u64,
    end_data: u64,
    start_brk: u64,
    brk: u64,
    start_stack: u64,
    arg_start: u64,
    arg_end: u64,
    env_start: u64,
    env_end: u64,
    auxv: u64,
    auxv_size: u32,
    exe_fd: u32,
}

/// Tells the kernel where arguments and environment lie, for
/// `/proc/PID/cmdline` and `/proc/PID/environ`.
///
/// # Errors
///
/// From `prctl(2)`: EINVAL where the kernel has no checkpoint support.
fn set_memory_map(map: &MemoryMap) -> io::Result<()> {
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
pub fn show_payload(
    [arg_start, arg_end, env_start, env_end]: [u64; 4],
    vector: &[u64],
) -> io::Result<()> {
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
        auxv: vector.as_ptr().addr() as u64,
        auxv_size: u32::try_from(size_of_val(vector)).unwrap_or(u32::MAX),
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

/// End of the monitor's own heap (`sbrk(0)`).
fn program_break() -> u64 {
    // SAFETY: an increment of 0 changes nothing.
    (unsafe { libc::sbrk(0) }) as u64
}

/// Waits for a signal (`pause(2)`).
pub fn pause() {
    // SAFETY: pause has no preconditions.
    unsafe { libc::pause() };
}

/// Eight random bytes from the host.
pub fn random() -> [u8; 8] {
    let mut bytes = [0u8; 8];
    // SAFETY: `bytes` is valid for writes of its length. Up to 256 bytes are
    // never cut short, and without flags the call waits until it can serve.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    bytes
}

/// Whether the effective user is root.
pub fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions.
    (unsafe { libc::geteuid() }) == 0
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
