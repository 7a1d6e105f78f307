//! The first and only resident program of the emulated host: makes it a KVM
//! host, runs the jobs, and turns it off.

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use rustix::mount::{MountFlags, mount};
use rustix::net::{AddressFamily, SendFlags, SocketType, netlink, sendto, socket};
use rustix::system::{RebootCommand, finit_module, reboot};
use rustix::termios::{OptionalActions, tcdrain, tcgetattr, tcsetattr};

use super::{Message, Report, channel, initramfs};
use crate::job::{End, Job};
use crate::{machine, process};

/// The serial line on which the runner listens; the kernel's console is the
/// first one.
const CHANNEL: &str = "/dev/ttyS1";

/// What is mounted beside the root, which is a tmpfs itself.
const FILE_SYSTEMS: [(&str, &str); 5] = [
    ("devtmpfs", "/dev"),
    ("devpts", "/dev/pts"),
    ("tmpfs", "/dev/shm"),
    ("proc", "/proc"),
    ("sysfs", "/sys"),
];

/// Whether this process is that program.
pub fn is_init() -> bool {
    std::process::id() == 1
        && std::env::args_os()
            .next()
            .is_some_and(|name| name == "/init")
}

/// Does all of it. Returns only if the machine cannot be turned off.
pub fn main() -> io::Result<Infallible> {
    if let Err(error) = serve() {
        // To the console, whose last lines the runner shows.
        eprintln!("init: {error}");
    }
    reboot(RebootCommand::PowerOff)?;
    Err(io::Error::other("still on"))
}

fn serve() -> io::Result<()> {
    for (kind, target) in FILE_SYSTEMS {
        fs::create_dir_all(target)
            .and_then(|()| Ok(mount(kind, target, kind, MountFlags::empty(), None)?))
            .map_err(|error| context(target, &error))?;
    }
    let mut line = open_channel().map_err(|error| context(CHANNEL, &error))?;
    let served = run_jobs(&mut line);
    if let Err(error) = &served {
        channel::send(&mut line, &Message::Failed(error.to_string()))?;
    }
    tcdrain(&line)?;
    served
}

fn run_jobs(line: &mut File) -> io::Result<()> {
    process::disable_core_files()?;
    // Programs expect to be in a session.
    rustix::process::setsid()?;
    raise_loopback().map_err(|error| context("loopback interface", &error))?;
    let kvm = insert_modules().and_then(|()| {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/kvm")
            .map(drop)
    });
    channel::send(line, &Message::Ready(report(kvm)))?;
    let jobs = fs::read(initramfs::JOBS).map_err(|error| context(initramfs::JOBS, &error))?;
    let jobs: Vec<Job> = postcard::from_bytes(&jobs).map_err(io::Error::other)?;
    for (index, job) in (0u32..).zip(&jobs) {
        channel::send(line, &Message::Started(index))?;
        // One path for the native run and the one under km, which follow each
        // other.
        let scratch = Path::new("/tmp").join(format!("scratch-{}", index / 2));
        let outcome = process::run(job, &scratch);
        let is_stuck = outcome.end == End::Unkillable;
        channel::send(line, &Message::Finished(index, outcome))?;
        if is_stuck {
            return Err(io::Error::other(
                "could not be killed; the jobs after it are given up",
            ));
        }
    }
    channel::send(line, &Message::Done)
}

/// Opens the line so that every byte goes through as it is.
fn open_channel() -> io::Result<File> {
    let line = OpenOptions::new().read(true).write(true).open(CHANNEL)?;
    let mut settings = tcgetattr(&line)?;
    settings.make_raw();
    tcsetattr(&line, OptionalActions::Now, &settings)?;
    Ok(line)
}

fn insert_modules() -> io::Result<()> {
    for name in super::MODULES {
        let path = format!("{}/{name}.ko", initramfs::MODULES);
        File::open(&path)
            .and_then(|module| Ok(finit_module(module, c"", 0)?))
            .map_err(|error| context(&path, &error))?;
    }
    Ok(())
}

fn report(kvm: io::Result<()>) -> Report {
    let read = |path: &str| {
        fs::read_to_string(path).map_or_else(|error| error.to_string(), |text| text.trim().into())
    };
    Report {
        kernel: read("/proc/sys/kernel/osrelease"),
        clocksource: read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        has_svm: machine::cpu_flags().iter().any(|flag| flag == "svm"),
        kvm: kvm.map_err(|error| error.to_string()),
    }
}

/// Sets the loopback interface up, which no kernel does by itself: one
/// `RTM_NEWLINK` request (rtnetlink(7)).
fn raise_loopback() -> io::Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST: u16 = 1;
    const LOOPBACK: i32 = 1;
    const IFF_UP: u32 = 1;
    const LENGTH: u32 = 32;

    let mut request = Vec::new();
    // struct nlmsghdr: length, type, flags, sequence number, sender.
    request.extend(LENGTH.to_ne_bytes());
    request.extend(RTM_NEWLINK.to_ne_bytes());
    request.extend(NLM_F_REQUEST.to_ne_bytes());
    request.extend([0; 8]);
    // struct ifinfomsg: family and type, index, flags, which of them to change.
    request.extend([0; 4]);
    request.extend(LOOPBACK.to_ne_bytes());
    request.extend(IFF_UP.to_ne_bytes());
    request.extend(IFF_UP.to_ne_bytes());

    // Without a protocol: 0 is NETLINK_ROUTE.
    let route = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    let kernel = netlink::SocketAddrNetlink::new(0, 0);
    sendto(&route, &request, SendFlags::empty(), &kernel)?;
    Ok(())
}

fn context(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
