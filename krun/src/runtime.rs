//! What `krun` does.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::Write;

use crate::command_line::{Command, CommandLine, parse};
use crate::delegate::Delegate;
use crate::error::{Error, Result};
use crate::exec;
use crate::report::Log;

const HELP: &str = "\
krun is an OCI runtime whose containers run under km: it edits what the
container is made from, and executes crun, or runc, whose command line it has.

Its own options come before the command:
  --km=PATH            the km that containers have (without it: krun's neighbour)
  --oci-runtime=PATH   the runtime that is executed
  --memory=SIZE, --nsm=MODE, --nsm-ca=DIR, --nsm-role=TEXT, --nsm-premeasure=on|off,
  --nsm-allow-lock-ranges, --strace, --stats, --follow, --output=FILE,
  --verbose=FILTER     what km is told for all containers: see km --help
A container's annotations app.kontain.NAME have precedence over these.

What follows is the help of the runtime that is executed.
";

/// Does what the command line asks for, most of it by becoming another
/// runtime: returns krun's exit code where that is not so.
pub fn main(words: Vec<OsString>) -> u8 {
    let mut log = Log::default();
    let done = parse(words, &mut |line| log.set(line)).and_then(carry_out);
    match done {
        Ok(never) => match never {},
        Err(error) => {
            log.error(&error.to_string());
            1
        }
    }
}

fn carry_out(line: CommandLine) -> Result<Infallible> {
    if let Command::Refused(name) = &line.command {
        return Err(Error::Checkpoint(name.clone()));
    }
    let delegate = Delegate::find(line.delegate.clone(), line.global.clone())?;
    let words = match &line.command {
        Command::Create { words, bundle } => {
            bundle.edit(&line)?;
            words.clone()
        }
        Command::Exec(exec) => exec::edited(exec, &line, &delegate)?,
        Command::Version => {
            say(concat!("krun version ", env!("CARGO_PKG_VERSION"), "\n"));
            vec!["--version".into()]
        }
        Command::Help => {
            say(HELP);
            vec!["--help".into()]
        }
        Command::Other(words) => words.clone(),
        Command::Nothing | Command::Refused(_) => Vec::new(),
    };
    Err(delegate.execute(words))
}

/// Before the other runtime says more.
fn say(text: &str) {
    let mut out = std::io::stdout();
    // Who does not read it is not told.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
