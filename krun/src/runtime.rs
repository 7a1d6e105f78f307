//! What `krun` does.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};

use crate::command_line::{Command, CommandLine, parse};
use crate::delegate::Delegate;
use crate::error::{Error, Result};
use crate::exec;
use crate::report::Log;

/// Options for all containers.
const DEFAULTS: &str = "/etc/kontain/krun";

const HELP: &str = "\
krun is an OCI runtime whose containers run under km: it edits what the
container is made from, and executes crun, or runc, whose command line it has.

Its own options come before the command:
  --km=PATH            the km that containers have (without it: krun's neighbour)
  --oci-runtime=PATH   the runtime that is executed
  --annotations=all    also heed annotations that let a container do without km, or
                       have the host's security module
  --memory=SIZE, --nsm=MODE, --nsm-ca=DIR, --nsm-role=TEXT, --nsm-premeasure=on|off,
  --nsm-allow-lock-ranges, --strace, --stats, --follow, --output=FILE,
  --verbose=FILTER     what km is told for all containers: see km --help
A container's annotations app.kontain.NAME have precedence over these. Where the
engine can give no options, /etc/kontain/krun has them, one a line.

What follows is the help of the runtime that is executed.
";

/// Does what the command line asks for, most of it by becoming another
/// runtime: returns krun's exit code where that is not so.
pub fn main(words: Vec<OsString>) -> u8 {
    let log = Log::of(&words);
    let done = with_defaults(words).and_then(parse).and_then(carry_out);
    match done {
        Ok(never) => match never {},
        Err(error) => {
            log.error(&error.to_string());
            1
        }
    }
}

/// The command line behind the options that the host's administrator has put
/// into a file, if there is one.
fn with_defaults(words: Vec<OsString>) -> Result<Vec<OsString>> {
    match fs::read_to_string(DEFAULTS) {
        Ok(text) => {
            let options = options(&text).ok_or(Error::Defaults(DEFAULTS.into()))?;
            Ok(options.into_iter().chain(words).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(words),
        Err(error) => Err(Error::file(DEFAULTS)(error)),
    }
}

/// One a line, each with its value; empty lines, and such that begin with `#`,
/// are none.
fn options(text: &str) -> Option<Vec<OsString>> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.starts_with("--").then(|| line.into()))
        .collect()
}

fn carry_out(line: CommandLine) -> Result<Infallible> {
    if let Command::Refused(name) = &line.command {
        return Err(Error::Checkpoint(name.clone()));
    }
    let delegate = Delegate::find(&line)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_options() {
        let words = |text| options(text).map(|words| words.join(" ".as_ref()));
        let text = "# for all\n\n--annotations=all\n  --output=/a b\n";
        assert_eq!(words(text), Some("--annotations=all --output=/a b".into()));
        assert_eq!(words(""), Some("".into()));
        assert_eq!(words("--strace\ncreate x\n"), None);
    }
}
