//! The command line of an OCI runtime, as far as krun must understand it:
//! options of crun's and runc's before the subcommand, among them krun's own,
//! and those of the subcommands whose container is edited.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::options::{self, Options};

/// Options before the subcommand that have a value: crun's and runc's.
const GLOBAL: [&str; 7] = [
    "log",
    "log-format",
    "log-level",
    "root",
    "criu",
    "rootless",
    "cgroup-manager",
];

/// What an option is called, and its one letter, if it has one.
type Names = &'static [(&'static str, Option<u8>)];

/// Options with a value of `create` and `run`.
const CREATE: Names = &[
    ("bundle", Some(b'b')),
    ("config", Some(b'f')),
    ("console-socket", None),
    ("pid-file", None),
    ("preserve-fds", None),
];

/// Those of `exec`.
const EXEC: Names = &[
    ("process", Some(b'p')),
    ("cwd", None),
    ("env", Some(b'e')),
    ("user", Some(b'u')),
    ("additional-gids", Some(b'g')),
    ("cap", Some(b'c')),
    ("console-socket", None),
    ("pid-file", None),
    ("process-label", None),
    ("apparmor", None),
    ("preserve-fds", None),
    ("cgroup", None),
];

/// A command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// What all containers are told, krun's own options.
    pub options: Options,
    /// The km that containers have, if not the one that is installed.
    pub km: Option<PathBuf>,
    /// The runtime that krun edits for, if not the one that is found.
    pub delegate: Option<PathBuf>,
    /// Where that runtime keeps its state, if not in its usual place.
    pub root: Option<PathBuf>,
    /// Options before the subcommand that are that runtime's.
    pub global: Vec<OsString>,
    pub command: Command,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub enum Command {
    /// To be edited, where this bundle is.
    Create {
        words: Vec<OsString>,
        bundle: Bundle,
    },
    Exec(Exec),
    /// A virtual machine cannot.
    Refused(String),
    Version,
    Help,
    /// None of krun's concern.
    #[default]
    Nothing,
    Other(Vec<OsString>),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Bundle {
    pub folder: PathBuf,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Exec {
    /// The subcommand, and what follows it.
    pub words: Vec<OsString>,
    /// The file that describes the process, and which of the words name it.
    pub process: Option<(PathBuf, std::ops::Range<usize>)>,
    /// Which of the words names the container.
    pub container: usize,
}

impl Command {
    /// It, and what follows it.
    pub fn words(&self) -> &[OsString] {
        match self {
            Command::Create { words, .. } | Command::Other(words) => words,
            Command::Exec(exec) => &exec.words,
            _ => &[],
        }
    }
}

/// The value of one of the options before the subcommand, without a look at what
/// the others say.
pub fn global_value(words: &[OsString], wanted: &str) -> Option<OsString> {
    let (mut found, mut words) = (None, words.iter());
    while let Some(word) = words.next() {
        if !word.as_bytes().starts_with(b"-") {
            break;
        }
        let (name, inline) = split(word);
        let own = ["km", "oci-runtime", "annotations"].contains(&name.as_str());
        let has_value =
            own || GLOBAL.contains(&name.as_str()) || options::is_known(&name) == Some(true);
        let value = inline.or_else(|| has_value.then(|| words.next().cloned()).flatten());
        if name == wanted {
            found = value;
        }
    }
    found
}

/// Reads the words after the program's name.
///
/// # Errors
///
/// What krun cannot do, or not understand.
pub fn parse(words: Vec<OsString>) -> Result<CommandLine> {
    let mut line = CommandLine::default();
    let mut words = words.into_iter();
    let command = loop {
        let Some(word) = words.next() else {
            break None;
        };
        if !word.as_bytes().starts_with(b"-") {
            break Some(word);
        }
        let (name, inline) = split(&word);
        match name.as_str() {
            "version" | "v" | "V" => {
                line.command = Command::Version;
                return Ok(line);
            }
            "help" | "h" | "?" | "usage" => {
                line.command = Command::Help;
                return Ok(line);
            }
            "km" => line.km = Some(value(&name, inline, &mut words)?.into()),
            "oci-runtime" => line.delegate = Some(value(&name, inline, &mut words)?.into()),
            "annotations" => {
                let value = text(value(&name, inline, &mut words)?)?;
                line.options.all_annotations = match value.as_str() {
                    "all" => true,
                    "some" => false,
                    _ => {
                        return Err(Error::BadValue {
                            option: "--annotations".into(),
                            value,
                            wanted: "some or all".into(),
                        });
                    }
                };
            }
            name if GLOBAL.contains(&name) => {
                line.global.push(word.clone());
                let value = match inline {
                    Some(value) => value,
                    None => {
                        let value = value(name, None, &mut words)?;
                        line.global.push(value.clone());
                        value
                    }
                };
                if name == "root" {
                    line.root = Some(value.into());
                }
            }
            name => match options::is_known(name) {
                Some(true) => {
                    let value = value(name, inline, &mut words)?;
                    line.options.set(name, Some(&text(value)?))?;
                }
                Some(false) => {
                    let value = inline.map(text).transpose()?;
                    line.options.set(name, value.as_deref())?;
                }
                None => line.global.push(word),
            },
        }
    };
    let Some(command) = command else {
        return Ok(line);
    };
    let all: Vec<OsString> = std::iter::once(command.clone()).chain(words).collect();
    line.command = match command.to_str() {
        Some("create" | "run") => create(all)?,
        Some("exec") => Command::Exec(exec(all)?),
        Some(name @ ("checkpoint" | "restore")) => Command::Refused(name.into()),
        _ => Command::Other(all),
    };
    Ok(line)
}

/// An option's name without its dashes, and the value that is written with it.
fn split(word: &OsStr) -> (String, Option<OsString>) {
    let bytes = word.as_bytes();
    let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let mut parts = bytes.splitn(2, |byte| *byte == b'=');
    let name = parts.next().unwrap_or_default();
    let value = parts.next().map(|value| OsString::from_vec(value.to_vec()));
    (String::from_utf8_lossy(name).into_owned(), value)
}

fn value(
    name: &str,
    inline: Option<OsString>,
    words: &mut impl Iterator<Item = OsString>,
) -> Result<OsString> {
    inline
        .or_else(|| words.next())
        .ok_or_else(|| Error::NoValue(format!("--{name}")))
}

fn text(value: OsString) -> Result<String> {
    value
        .into_string()
        .map_err(|value| Error::NotText(value.to_string_lossy().into_owned()))
}

fn create(words: Vec<OsString>) -> Result<Command> {
    let command = words
        .first()
        .map(|word| word.to_string_lossy().into_owned());
    let found = scan(&words, CREATE)?;
    // An option behind the name could be one that is not seen here.
    if found.operands.len() != 1 {
        return Err(Error::NotOneContainer(command.unwrap_or_default()));
    }
    // crun's: a later `exec` would look into another file.
    if found.last("config").is_some() {
        return Err(Error::Config);
    }
    let folder = found.last("bundle").map(|option| (&option.value).into());
    let bundle = Bundle {
        folder: folder.unwrap_or_else(|| ".".into()),
    };
    Ok(Command::Create { words, bundle })
}

fn exec(words: Vec<OsString>) -> Result<Exec> {
    let found = scan(&words, EXEC)?;
    let container = found.operands.start;
    if container >= words.len() {
        return Err(Error::NoContainer("exec".into()));
    }
    let process = found
        .last("process")
        .map(|option| (PathBuf::from(&option.value), option.place.clone()));
    Ok(Exec {
        process,
        container,
        words,
    })
}

struct Found {
    options: Vec<FoundOption>,
    /// Which words are no options: they end at the first of these.
    operands: std::ops::Range<usize>,
}

struct FoundOption {
    name: &'static str,
    value: OsString,
    /// Which words it consists of.
    place: std::ops::Range<usize>,
}

impl Found {
    fn last(&self, name: &str) -> Option<&FoundOption> {
        self.options.iter().rev().find(|option| option.name == name)
    }
}

/// Goes through what follows the subcommand as `getopt` does.
fn scan(words: &[OsString], valued: Names) -> Result<Found> {
    let mut options = Vec::new();
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let bytes = word.as_bytes();
        if bytes == b"--" {
            at += 1;
            break;
        }
        if bytes.len() < 2 || !bytes.starts_with(b"-") {
            break;
        }
        let found = if bytes.starts_with(b"--") {
            long(word, valued)?
        } else {
            short(bytes, valued)
        };
        let mut next = at + 1;
        if let Some((name, inline)) = found {
            let value = match inline {
                Some(value) => value,
                None => {
                    let value = words.get(next).cloned();
                    next += 1;
                    value.ok_or_else(|| Error::NoValue(format!("--{name}")))?
                }
            };
            options.push(FoundOption {
                name,
                value,
                place: at..next,
            });
        }
        at = next;
    }
    Ok(Found {
        options,
        operands: at..words.len(),
    })
}

type Written = (&'static str, Option<OsString>);

fn long(word: &OsStr, valued: Names) -> Result<Option<Written>> {
    let (name, inline) = split(word);
    if let Some((known, _)) = valued.iter().find(|(known, _)| *known == name) {
        return Ok(Some((known, inline)));
    }
    // crun understands `--bun`.
    if valued.iter().any(|(known, _)| known.starts_with(&name)) {
        return Err(Error::Abbreviated(word.to_string_lossy().into_owned()));
    }
    Ok(None)
}

/// `-b DIR`, `-bDIR`, `-tp FILE`; runc also knows `-bundle DIR`.
fn short(bytes: &[u8], valued: Names) -> Option<Written> {
    let (name, inline) = split(OsStr::from_bytes(bytes));
    if let Some((known, _)) = valued.iter().find(|(known, _)| *known == name) {
        return Some((known, inline));
    }
    // runc's `-t=true` is no cluster.
    let cluster = bytes.iter().position(|byte| *byte == b'=');
    let cluster = bytes.get(..cluster.unwrap_or(bytes.len())).unwrap_or(bytes);
    for (at, letter) in cluster.iter().enumerate().skip(1) {
        let known = valued.iter().find(|(_, short)| *short == Some(*letter));
        if let Some((name, _)) = known {
            let rest = bytes.get(at + 1..).unwrap_or_default();
            // runc's `-b=DIR`.
            let rest = rest.strip_prefix(b"=").unwrap_or(rest);
            let inline = (!rest.is_empty()).then(|| OsString::from_vec(rest.to_vec()));
            return Some((name, inline));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<CommandLine> {
        parse(text.split(' ').map(OsString::from).collect())
    }

    fn bundle(text: &str) -> PathBuf {
        match line(text).unwrap().command {
            Command::Create { bundle, .. } => bundle.folder,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn as_an_engine_calls_it() {
        let line = line(
            "--nsm=emulated --strace --root /run/r --log /l.json --log-format json --systemd-cgroup \
             create --bundle /b --pid-file /p --console-socket /c 0123",
        )
        .unwrap();
        assert_eq!(line.options.arguments(), ["--nsm=emulated", "--strace"]);
        assert_eq!(line.root, Some("/run/r".into()));
        assert_eq!(
            line.global.join(OsStr::new(" ")),
            "--root /run/r --log /l.json --log-format json --systemd-cgroup"
        );
        let Command::Create { words, bundle } = line.command else {
            panic!("{:?}", line.command);
        };
        assert_eq!(bundle.folder, PathBuf::from("/b"));
        assert_eq!(words.len(), 8);
    }

    #[test]
    fn the_bundle_however_it_is_written() {
        for text in [
            "run --bundle /b c",
            "run --bundle=/b c",
            "run -b /b c",
            "run -b/b c",
            "run -b=/b c",
            "run -db /b c",
            "run -bundle /b c",
            "run -b /x -b /b -- c",
            "-root /r --criu=x --debug run --detach --preserve-fds 3 -b /b c",
        ] {
            assert_eq!(bundle(text), PathBuf::from("/b"), "{text}");
        }
        assert_eq!(bundle("create c"), PathBuf::from("."));
    }

    #[test]
    fn what_could_hide_a_bundle_is_refused() {
        for text in [
            "create c --bundle /b",
            "create --bun /b c",
            "create --b=/b c",
            "create -b /b",
            "create -b",
            "create -f x.json c",
            "run --config=x.json c",
            "--annotations=none run c",
            "run a b",
            "--root",
            "--nsm=maybe run c",
            "exec -t",
            "exec --proc /p c",
        ] {
            assert!(line(text).is_err(), "{text}");
        }
    }

    #[test]
    fn exec_names_its_container() {
        for (text, container, process) in [
            ("exec c ls -l", "c", None),
            ("exec -t -u 1:2 --cwd /tmp -e A=c --cap X c ls", "c", None),
            ("exec -it -- c ls", "c", None),
            ("exec -t=true -d=false c ls", "c", None),
            ("exec --process /p c", "c", Some(("/p", 1..3))),
            (
                "exec -d --process=/p --pid-file /f c",
                "c",
                Some(("/p", 2..3)),
            ),
            ("exec -dp /p c", "c", Some(("/p", 1..3))),
            ("exec -p/p c", "c", Some(("/p", 1..2))),
        ] {
            let Command::Exec(exec) = line(text).unwrap().command else {
                panic!("{text}");
            };
            assert_eq!(exec.words[exec.container], container, "{text}");
            let process = process.map(|(path, place)| (PathBuf::from(path), place));
            assert_eq!(exec.process, process, "{text}");
        }
    }

    #[test]
    fn the_log_is_found_whatever_stands_before_it() {
        let log = |text: &str| {
            let words: Vec<_> = text.split(' ').map(OsString::from).collect();
            let log = global_value(&words, "log");
            log.map(|log| log.into_string().unwrap())
        };
        assert_eq!(log("--nsm=maybe --log /l create c").as_deref(), Some("/l"));
        assert_eq!(log("--root log --strace --log=/l x").as_deref(), Some("/l"));
        assert_eq!(log("--memory --log /l x"), None);
        assert_eq!(log("create --log /l"), None);
    }

    #[test]
    fn the_others() {
        let command = |text| line(text).unwrap().command;
        assert_eq!(command("--root /r --version"), Command::Version);
        assert_eq!(command("-v"), Command::Version);
        assert_eq!(
            command("checkpoint c"),
            Command::Refused("checkpoint".into())
        );
        assert_eq!(
            command("--debug kill -a c 9"),
            Command::Other(["kill", "-a", "c", "9"].map(OsString::from).to_vec())
        );
        assert_eq!(command("--debug"), Command::Nothing);
        let other = line("--km /k --oci-runtime=/r list").unwrap();
        assert_eq!(other.km, Some("/k".into()));
        assert_eq!(other.delegate, Some("/r".into()));
        assert!(other.global.is_empty());
    }
}
