//! Resource limits.
//!
//! Limits on memory are the payload's, not the monitor's: the monitor reserves
//! terabytes of addresses, and runs on stacks of its own. They are kept here,
//! and the memory calls ask for them. So is the hard limit on open files: the
//! monitor's own descriptors lie above the soft one. And that on core files:
//! the host's would hold the monitor's memory, so it writes none.

use std::sync::{Mutex, MutexGuard, PoisonError};

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::Outcome;
use super::call::{Call, pointer_to};
use crate::errno::Errno;
use crate::mem::space;
use crate::sys::call::{HostArgs, own_syscall};
use crate::sys::proc;

/// `struct rlimit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Limit {
    pub soft: u64,
    pub hard: u64,
}

impl Limit {
    pub const NONE: Limit = Limit {
        soft: libc::RLIM_INFINITY,
        hard: libc::RLIM_INFINITY,
    };
}

/// The limits that are kept for the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub address_space: Limit,
    pub data: Limit,
    pub stack: Limit,
    /// Its hard limit would bind the monitor's own descriptors: the host's
    /// stays as it was.
    pub open_files: Limit,
    pub core: Limit,
}

/// The payload's limits on memory.
#[derive(Debug)]
pub struct AddressLimits(Mutex<Limits>);

impl Default for AddressLimits {
    /// The limits km itself was started with; none where they cannot be told.
    fn default() -> AddressLimits {
        AddressLimits::inherit().unwrap_or(AddressLimits::new(Limits {
            address_space: Limit::NONE,
            data: Limit::NONE,
            stack: Limit::NONE,
            open_files: Limit::NONE,
            core: Limit::NONE,
        }))
    }
}

impl AddressLimits {
    pub fn new(limits: Limits) -> AddressLimits {
        AddressLimits(Mutex::new(limits))
    }

    /// The limits of the running process.
    ///
    /// # Errors
    ///
    /// From `prlimit64`.
    pub fn inherit() -> Result<AddressLimits, Errno> {
        Ok(AddressLimits::new(Limits {
            address_space: of_host(SELF, libc::RLIMIT_AS)?,
            data: of_host(SELF, libc::RLIMIT_DATA)?,
            stack: of_host(SELF, libc::RLIMIT_STACK)?,
            open_files: of_host(SELF, libc::RLIMIT_NOFILE)?,
            core: of_host(SELF, libc::RLIMIT_CORE)?,
        }))
    }

    /// Keeps the host from writing core files.
    ///
    /// # Errors
    ///
    /// From `prlimit64`.
    pub fn forbid_core_files(&self) -> Result<(), Errno> {
        let none = Limit {
            soft: 0,
            hard: self.all().core.hard,
        };
        let mut none = [none];
        let args = HostArgs::new([
            SELF as u64,
            libc::RLIMIT_CORE.into(),
            pointer_to(&mut none),
            0,
        ]);
        own_syscall(libc::SYS_prlimit64, &args).map(|_| ())
    }

    fn lock(&self) -> MutexGuard<'_, Limits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them, as of now.
    pub fn all(&self) -> Limits {
        *self.lock()
    }

    /// The soft limits, as the address space knows them.
    pub fn in_bytes(&self) -> space::Limits {
        let limits = self.all();
        space::Limits {
            total: limits.address_space.soft,
            data: limits.data.soft,
            stack: limits.stack.soft,
        }
    }

    /// Follows the host's soft limit on open files.
    fn follow_open_files(&self, soft: u64) {
        self.lock().open_files.soft = soft;
    }

    /// Puts the limit on open files back, which the host did not take.
    fn restore_open_files(&self, old: Limit) {
        self.lock().open_files = old;
    }

    /// Sets a limit if `new` is given; the old one.
    fn exchange(&self, resource: Kept, new: Option<Limit>) -> Result<Limit, Errno> {
        let mut limits = self.lock();
        let limit = match resource {
            Kept::AddressSpace => &mut limits.address_space,
            Kept::Data => &mut limits.data,
            Kept::Stack => &mut limits.stack,
            Kept::OpenFiles => &mut limits.open_files,
            Kept::Core => &mut limits.core,
        };
        let old = *limit;
        if let Some(new) = new {
            if new.soft > new.hard {
                return Err(Errno::EINVAL);
            }
            if new.hard > old.hard && !may_raise() {
                return Err(Errno::EPERM);
            }
            *limit = new;
        }
        Ok(old)
    }
}

/// A limit that is kept here.
#[derive(Debug, Clone, Copy)]
enum Kept {
    AddressSpace,
    Data,
    Stack,
    OpenFiles,
    Core,
}

fn kept(resource: i32) -> Option<Kept> {
    match resource as u32 {
        libc::RLIMIT_AS => Some(Kept::AddressSpace),
        libc::RLIMIT_DATA => Some(Kept::Data),
        libc::RLIMIT_STACK => Some(Kept::Stack),
        libc::RLIMIT_NOFILE => Some(Kept::OpenFiles),
        libc::RLIMIT_CORE => Some(Kept::Core),
        _ => None,
    }
}

/// The running process, as `prlimit64` names it.
const SELF: i32 = 0;

fn of_host(pid: i32, resource: u32) -> Result<Limit, Errno> {
    let mut limit = [Limit::NONE];
    let args = HostArgs::new([pid as u64, resource.into(), 0, pointer_to(&mut limit)]);
    own_syscall(libc::SYS_prlimit64, &args)?;
    let [limit] = limit;
    Ok(limit)
}

/// Whether this thread has `CAP_SYS_RESOURCE`, which raising a hard limit
/// needs.
fn may_raise() -> bool {
    const VERSION_3: u32 = 0x2008_0522;
    const CAP_SYS_RESOURCE: u32 = 24;
    let mut header = [VERSION_3, 0];
    // Effective, permitted, inheritable, of capabilities 0 to 31 and 32 to 63.
    let mut data = [0u32; 6];
    let args = HostArgs::new([pointer_to(&mut header), pointer_to(&mut data)]);
    let [effective, ..] = data_after(own_syscall(libc::SYS_capget, &args), &data);
    effective >> CAP_SYS_RESOURCE & 1 == 1
}

/// `data` as the host left it, or nothing where the call failed.
fn data_after(result: Result<u64, Errno>, data: &[u32; 6]) -> [u32; 6] {
    match result {
        Ok(_) => *data,
        Err(_) => [0; 6],
    }
}

pub fn getrlimit(call: &mut Call<'_>) -> Outcome {
    let Some(resource) = kept(call.int(0)) else {
        return of_the_host(call, call.int(0));
    };
    change(call, resource, None)
        .and_then(|old| call.memory().write_value(call.arg(1), &old))
        .map(|()| 0)
        .into()
}

pub fn setrlimit(call: &mut Call<'_>) -> Outcome {
    let Some(resource) = kept(call.int(0)) else {
        return of_the_host(call, call.int(0));
    };
    call.memory()
        .read_value::<Limit>(call.arg(1))
        .and_then(|new| change(call, resource, Some(new)))
        .map(|_| 0)
        .into()
}

/// `prlimit64(pid, resource, new_limit, old_limit)`.
///
/// Another process may be a monitor as well: its limits on memory cannot be
/// set from here.
pub fn prlimit64(call: &mut Call<'_>) -> Outcome {
    let Some(resource) = kept(call.int(1)) else {
        return of_the_host(call, call.int(1));
    };
    let pid = call.int(0);
    if pid != 0 && pid as u32 != std::process::id() {
        return match (call.arg(2), resource) {
            (0, _) => call.forward().into(),
            (_, Kept::OpenFiles) => limit_files_of(call, pid).into(),
            _ => Outcome::Fail(Errno::EPERM),
        };
    }
    own_limit(call, resource).into()
}

/// The call for a limit that is not kept here.
fn of_the_host(call: &mut Call<'_>, resource: i32) -> Outcome {
    if resource as u32 != libc::RLIMIT_FSIZE {
        return call.forward().into();
    }
    // Another thread may have it raised. With its lock held, this is no host
    // call of the payload's.
    let _settled = proc::FILE_SIZE.settled();
    own_syscall(call.row.number.into(), &call.translate()).into()
}

/// Sets the limit on open files of another process: the soft one. The hard
/// one would bind its monitor's descriptors.
fn limit_files_of(call: &mut Call<'_>, pid: i32) -> Result<u64, Errno> {
    let new: Limit = call.memory().read_value(call.arg(2))?;
    let now = of_host(pid, libc::RLIMIT_NOFILE)?;
    if new.hard != now.hard {
        return Err(Errno::EPERM);
    }
    call.forward()
}

/// Sets a limit if `new` is given, and tells the address space; the old one.
fn change(call: &Call<'_>, resource: Kept, new: Option<Limit>) -> Result<Limit, Errno> {
    let limits = &call.process.limits;
    if let Kept::OpenFiles = resource {
        return change_open_files(limits, new);
    }
    let old = limits.exchange(resource, new)?;
    if new.is_some() {
        let tell = || call.process.space().set_limits(limits.in_bytes());
        call.process.apart(&call.thread.seat, tell);
    }
    Ok(old)
}

/// Sets the limit on open files if `new` is given, the host's as well; the old
/// one.
fn change_open_files(limits: &AddressLimits, new: Option<Limit>) -> Result<Limit, Errno> {
    // Another thread may have the host's raised.
    let host = proc::OPEN_FILES.settled();
    // Another process may have set it.
    limits.follow_open_files(host.get()?.soft);
    let old = limits.exchange(Kept::OpenFiles, new)?;
    if let Some(new) = new
        && let Err(error) = host.set_soft(new.soft, new.hard)
    {
        limits.restore_open_files(old);
        return Err(error.into());
    }
    Ok(old)
}

fn own_limit(call: &Call<'_>, resource: Kept) -> Result<u64, Errno> {
    let (new, old) = (call.arg(2), call.arg(3));
    let new = match new {
        0 => None,
        _ => Some(call.memory().read_value::<Limit>(new)?),
    };
    let before = change(call, resource, new)?;
    if old != 0 {
        call.memory().write_value(old, &before)?;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_on_memory_stay_with_the_payload() {
        let limits = AddressLimits::inherit().expect("limits of this process");
        let lower = Limit {
            soft: 1 << 20,
            hard: limits.all().address_space.hard,
        };
        let before = limits.exchange(Kept::AddressSpace, Some(lower));
        assert_eq!(before, of_host(SELF, libc::RLIMIT_AS));
        assert_eq!(limits.in_bytes().total, 1 << 20);
        assert_eq!(
            of_host(SELF, libc::RLIMIT_AS),
            before,
            "the host's own is as it was"
        );
        let crossed = Limit { soft: 2, hard: 1 };
        assert_eq!(
            limits.exchange(Kept::Data, Some(crossed)),
            Err(Errno::EINVAL)
        );
        assert_eq!(Ok(limits.all().data), of_host(SELF, libc::RLIMIT_DATA));
    }
}
