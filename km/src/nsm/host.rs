//! A real security module: requests go to it as they are, those that would
//! undo what the launch was measured into do not.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use km_nsm::message::{MAX_REQUEST, MAX_RESPONSE, Request, Response};
use km_nsm::pcr::Digest;
use km_nsm::policy::{MONITOR, PAYLOAD, Policy};

use super::Error;
use crate::errno::Errno;
use crate::fd::ReservedFds;
use crate::sys::call::{HostArgs, own_syscall};

/// `NSM_IOCTL_RAW` (`include/uapi/linux/nsm.h`).
pub const REQUEST: u32 = 0xc020_0a00;

/// The host's device.
#[derive(Debug)]
pub struct Host {
    pub device: OwnedFd,
    pub policy: Policy,
}

/// How a request is made: `ioctl(2)` with these arguments.
type Ioctl<'a> = &'a dyn Fn(&HostArgs) -> Result<u64, Errno>;

impl Host {
    /// # Errors
    ///
    /// From `open(2)`.
    pub fn open(path: &Path, policy: Policy, fds: &ReservedFds) -> io::Result<Host> {
        let open = || OpenOptions::new().read(true).write(true).open(path);
        let device = fds.adopt(|| open().map(OwnedFd::from))?;
        Ok(Host { device, policy })
    }

    pub fn inherited(device: OwnedFd, policy: Policy) -> Host {
        Host { device, policy }
    }

    /// The answer to `request`, if the policy lets it through.
    ///
    /// # Errors
    ///
    /// From `ioctl(2)`.
    pub fn ask(&self, request: &[u8], ioctl: Ioctl<'_>) -> Result<Vec<u8>, Errno> {
        match self.policy.judge(request) {
            Ok(()) => self.forward(request, ioctl),
            Err(code) => Ok(Response::Error(code).encode()),
        }
    }

    /// Buffers are the monitor's own: the payload cannot change them meanwhile.
    fn forward(&self, request: &[u8], ioctl: Ioctl<'_>) -> Result<Vec<u8>, Errno> {
        if request.len() > MAX_REQUEST {
            return Err(Errno::EMSGSIZE);
        }
        let mut request = request.to_vec();
        let mut response = vec![0; MAX_RESPONSE];
        let mut message = [
            request.as_mut_ptr().addr() as u64,
            request.len() as u64,
            response.as_mut_ptr().addr() as u64,
            response.len() as u64,
        ];
        let argument = message.as_mut_ptr().addr() as u64;
        let fd = self.device.as_raw_fd() as u64;
        ioctl(&HostArgs::new([fd, u64::from(REQUEST), argument]))?;
        let [.., length] = std::hint::black_box(message);
        response.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(response)
    }

    /// Extends the registers of the launch by the digests of its manifests, and
    /// locks them.
    ///
    /// # Errors
    ///
    /// Where they are in use already, or it is no security module.
    pub fn measure(&self, path: &Path, payload: &Digest, monitor: &Digest) -> Result<(), Error> {
        let ask = |request: Request| {
            let own = |args: &HostArgs| own_syscall(libc::SYS_ioctl, args);
            let answer = self.forward(&request.encode(), &own)?;
            Response::decode(&answer).map_err(|_| Error::NoModule(path.to_owned()))
        };
        let both = [(PAYLOAD, payload), (MONITOR, monitor)];
        for (index, _) in both {
            let fresh = Response::DescribePcr {
                lock: false,
                data: Digest::ZERO.into(),
            };
            if ask(Request::DescribePcr { index })? != fresh {
                return Err(Error::InUse(index));
            }
        }
        for (index, digest) in both {
            let data = digest.bytes().to_vec();
            let extended = Digest::ZERO.extended(digest.bytes());
            let wanted = Response::ExtendPcr {
                data: extended.into(),
            };
            if ask(Request::ExtendPcr { index, data })? != wanted
                || ask(Request::LockPcr { index })? != Response::LockPcr
            {
                return Err(Error::InUse(index));
            }
        }
        Ok(())
    }
}
