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
use crate::sys::call::{HostArgs, own_syscall, pointer_to};

/// `NSM_IOCTL_RAW` (`include/uapi/linux/nsm.h`).
pub const REQUEST: u32 = 0xc020_0a00;

/// The host's device.
#[derive(Debug)]
pub struct Host {
    pub device: OwnedFd,
    pub policy: Policy,
}

/// What makes a request: writes the answer to its second argument, and gives
/// its length.
pub type Device<'a> = &'a dyn Fn(&[u8], &mut [u8]) -> Result<u64, Errno>;

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

    /// The answer to `request`, if the policy lets it through; `ioctl` is the
    /// call of that name.
    ///
    /// # Errors
    ///
    /// From `ioctl(2)`.
    pub fn ask(
        &self,
        request: &[u8],
        ioctl: impl Fn(&HostArgs) -> Result<u64, Errno>,
    ) -> Result<Vec<u8>, Errno> {
        ask(self.policy, request, &|request, response| {
            self.forward(request, response, &ioctl)
        })
    }

    /// Measures a launch, as [`measure`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn measure(&self, path: &Path, payload: &Digest, monitor: &Digest) -> Result<(), Error> {
        let own = |args: &HostArgs| own_syscall(libc::SYS_ioctl, args);
        let device = |request: &[u8], response: &mut [u8]| self.forward(request, response, &own);
        measure(&device, path, payload, monitor)
    }

    /// Buffers are the monitor's own: the payload cannot change them meanwhile.
    fn forward(
        &self,
        request: &[u8],
        response: &mut [u8],
        ioctl: &dyn Fn(&HostArgs) -> Result<u64, Errno>,
    ) -> Result<u64, Errno> {
        let mut request = request.to_vec();
        let mut message = [
            pointer_to(&mut request),
            request.len() as u64,
            pointer_to(response),
            response.len() as u64,
        ];
        let argument = pointer_to(&mut message);
        let fd = self.device.as_raw_fd() as u64;
        ioctl(&HostArgs::new([fd, u64::from(REQUEST), argument]))?;
        let [.., length] = std::hint::black_box(message);
        Ok(length)
    }
}

fn ask(policy: Policy, request: &[u8], device: Device<'_>) -> Result<Vec<u8>, Errno> {
    if request.len() > MAX_REQUEST {
        return Err(Errno::EMSGSIZE);
    }
    match policy.judge(request) {
        Ok(()) => forward(request, device),
        Err(code) => Ok(Response::Error(code).encode()),
    }
}

fn forward(request: &[u8], device: Device<'_>) -> Result<Vec<u8>, Errno> {
    let mut response = vec![0; MAX_RESPONSE];
    let length = device(request, &mut response)?;
    response.truncate(usize::try_from(length).unwrap_or(usize::MAX));
    Ok(response)
}

/// Extends the registers of the launch by the digests of its manifests, and
/// locks them.
///
/// # Errors
///
/// Where they are in use already, or it is no security module.
fn measure(
    device: Device<'_>,
    path: &Path,
    payload: &Digest,
    monitor: &Digest,
) -> Result<(), Error> {
    let ask = |request: Request| {
        let answer = forward(&request.encode(), device)?;
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
        let value = Digest::ZERO.extended(digest.bytes());
        let wanted = Response::ExtendPcr { data: value.into() };
        let locked = Response::DescribePcr {
            lock: true,
            data: value.into(),
        };
        if ask(Request::ExtendPcr { index, data })? != wanted
            || ask(Request::LockPcr { index })? != Response::LockPcr
            // Another one may have extended it in between.
            || ask(Request::DescribePcr { index })? != locked
        {
            return Err(Error::InUse(index));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use km_nsm::pcr::Bank;

    use super::*;

    const CLOSED: Policy = Policy {
        measured: true,
        lock_ranges: false,
    };

    /// A module with registers only, and the requests that have reached it.
    struct Fake {
        bank: RefCell<Bank>,
        seen: RefCell<Vec<Vec<u8>>>,
    }

    impl Fake {
        fn new() -> Fake {
            Fake {
                bank: RefCell::new(Bank::new([])),
                seen: RefCell::default(),
            }
        }

        fn answer(&self, request: &[u8], response: &mut [u8]) -> Result<u64, Errno> {
            self.seen.borrow_mut().push(request.to_vec());
            let mut bank = self.bank.borrow_mut();
            let answer = match Request::decode(request) {
                Ok(Request::DescribePcr { index }) => {
                    let (data, lock) = bank.describe(index).unwrap();
                    let data = data.into();
                    Response::DescribePcr { lock, data }.encode()
                }
                Ok(Request::ExtendPcr { index, data }) => match bank.extend(index, &data) {
                    Ok(data) => Response::ExtendPcr { data: data.into() }.encode(),
                    Err(code) => Response::Error(code).encode(),
                },
                Ok(Request::LockPcr { index }) => match bank.lock(index) {
                    Ok(()) => Response::LockPcr.encode(),
                    Err(code) => Response::Error(code).encode(),
                },
                _ => b"whatever it says".to_vec(),
            };
            response[..answer.len()].copy_from_slice(&answer);
            Ok(answer.len() as u64)
        }
    }

    #[test]
    fn bytes_go_and_come_unchanged() {
        let fake = Fake::new();
        let device = |request: &[u8], response: &mut [u8]| fake.answer(request, response);
        // Not as an encoder would write it, and one that nobody knows.
        let odd = b"\xa1\x6bDescribePCR\xa2\x61x\x00\x65index\x18\x12";
        let unknown = b"\x66Future";
        let answer = ask(CLOSED, unknown, &device).unwrap();
        assert_eq!(answer, b"whatever it says");
        ask(CLOSED, odd, &device).unwrap();
        assert_eq!(*fake.seen.borrow(), [unknown.to_vec(), odd.to_vec()]);
        let lock = Request::LockPcr { index: 16 }.encode();
        let refused = Response::decode(&ask(CLOSED, &lock, &device).unwrap());
        assert!(matches!(refused, Ok(Response::Error(_))));
        assert_eq!(fake.seen.borrow().len(), 2, "it has not reached the module");
        let failing = |_: &[u8], _: &mut [u8]| Err(Errno::ETIMEDOUT);
        assert_eq!(ask(CLOSED, unknown, &failing), Err(Errno::ETIMEDOUT));
        assert_eq!(ask(CLOSED, &[0; 4097], &device), Err(Errno::EMSGSIZE));
    }

    #[test]
    fn a_launch_is_measured_once() {
        let fake = Fake::new();
        let device = |request: &[u8], response: &mut [u8]| fake.answer(request, response);
        let (payload, monitor) = (Digest::of([&b"p"[..]]), Digest::of([&b"m"[..]]));
        let path = Path::new("device");
        measure(&device, path, &payload, &monitor).unwrap();
        let bank = fake.bank.borrow().clone();
        for (index, digest) in [(PAYLOAD, payload), (MONITOR, monitor)] {
            let wanted = Digest::ZERO.extended(digest.bytes());
            assert_eq!(bank.describe(index), Ok((wanted, true)));
        }
        assert_eq!(bank.locked().count(), 18, "no other is locked");
        let again = measure(&device, path, &payload, &monitor);
        assert!(matches!(again, Err(Error::InUse(PAYLOAD))));
        let silent = |_: &[u8], _: &mut [u8]| Ok(0);
        let none = measure(&silent, path, &payload, &monitor);
        assert!(matches!(none, Err(Error::NoModule(_))));
    }
}
