//! A pseudo-terminal for a program that wants one.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// The option by which this runner is asked to become a program on a terminal.
pub const OPTION: &str = "--on-terminal";

const SIZE: Winsize = Winsize {
    ws_row: 24,
    ws_col: 80,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// Opens a new terminal: our side, and the side of its programs.
pub fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let name = ptsname(&master, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(name.as_c_str(), flags, Mode::empty())?;
    tcsetwinsize(&slave, SIZE)?;
    Ok((master, slave))
}

/// A command that makes its standard input the controlling terminal of a new
/// session, and becomes `program`. It takes this runner itself to do so, since
/// between fork and exec there is no safe place for it.
pub fn command(program: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(OPTION).arg(program);
    Ok(command)
}

/// What the command above does. Comes back only with an error.
pub fn become_program(mut args: impl Iterator<Item = std::ffi::OsString>) -> io::Error {
    let Some(program) = args.next() else {
        return io::Error::new(io::ErrorKind::InvalidInput, "no program named");
    };
    let terminal = setsid().and_then(|_| ioctl_tiocsctty(io::stdin()));
    match terminal {
        Ok(()) => Command::new(program).args(args).exec(),
        Err(error) => error.into(),
    }
}
