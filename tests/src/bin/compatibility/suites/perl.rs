//! Perl's own tests.

mod tap;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::source::{self, said, succeed};
use crate::attend::Attempt;
use crate::suite::{Job, Limits, Run, Suite, Transcript, package_version};

const PERL: &str = "/usr/bin/perl";

/// The core's, and those of the modules that stand on the operating system.
const FOLDERS: &str = "t/base t/cmd t/comp t/io t/lib t/mro t/op t/opbasic t/re t/run t/uni lib \
    cpan/Archive-Tar cpan/autodie cpan/DB_File cpan/File-Path cpan/File-Temp cpan/HTTP-Tiny \
    cpan/IO-Socket-IP cpan/IO-Zlib cpan/IPC-Cmd cpan/IPC-SysV cpan/libnet cpan/Socket \
    cpan/Sys-Syslog cpan/Test-Harness cpan/Time-Local cpan/Time-Piece dist/IO dist/Net-Ping \
    dist/PathTools dist/Storable dist/Thread-Queue dist/Thread-Semaphore dist/threads \
    dist/threads-shared dist/Tie-File dist/Time-HiRes ext/DynaLoader ext/Errno ext/Fcntl \
    ext/File-Find ext/File-Glob ext/FileCache ext/IPC-Open3 ext/PerlIO-encoding ext/PerlIO-mmap \
    ext/PerlIO-scalar ext/PerlIO-via ext/POSIX ext/SDBM_File ext/Sys-Hostname";

/// Whose tests want absolute paths, as `t/TEST` of the source has it.
const ABSOLUTE: &str = "cpan/Archive-Tar cpan/IPC-Cmd cpan/IPC-SysV dist/Tie-File";

#[derive(Debug)]
pub struct Perl;

impl Suite for Perl {
    fn name(&self) -> &'static str {
        "perl"
    }

    fn title(&self) -> &'static str {
        "Perl's tests"
    }

    fn about(&self) -> String {
        "Of the Debian source package: the core's tests, and those of the modules that stand on the operating system, run by root \
         with the Perl that is installed, as `t/TEST` would run them. A test is one line of a script's output."
            .into()
    }

    fn items_are(&self) -> &'static str {
        "scripts"
    }

    fn packages(&self) -> Vec<String> {
        ["perl", "dpkg-dev"].map(String::from).into()
    }

    /// The modules of the source are not built: the installed ones are put in
    /// their place.
    fn prepare(&self, prepared: &Path) -> io::Result<()> {
        let done = prepared.join("done");
        if done.exists() {
            return Ok(());
        }
        let source = source::unpack("perl", prepared)?;
        let question = r#"print join "\n", @Config{"privlib", "archlib"}"#;
        let folders = said(Command::new(PERL).args(["-MConfig", "-e", question]))?;
        let mut folders: Vec<&str> = folders.lines().collect();
        let base = Path::new(folders.last().unwrap_or(&"/")).with_file_name("../perl-base");
        let base = base.display().to_string();
        folders.push(&base);
        for folder in folders {
            let from = format!("{folder}/.");
            let mut copy = Command::new("cp");
            copy.args([
                "--recursive",
                "--dereference",
                "--remove-destination",
                &from,
            ]);
            succeed(copy.arg(source.join("lib")))?;
        }
        for link in ["perl", "t/perl"] {
            std::os::unix::fs::symlink(PERL, source.join(link))?;
        }
        fs::write(done, "")
    }

    fn version(&self, prepared: &Path) -> io::Result<String> {
        let version = source::version(&prepared.join("source"))?;
        Ok(format!("{}, tests of {version}", package_version("perl")?))
    }

    fn items(&self, prepared: &Path) -> io::Result<Vec<String>> {
        let source = prepared.join("source");
        let mut items = Vec::new();
        for folder in FOLDERS.split_whitespace() {
            items.extend(source::files(&source, folder, ".t")?);
        }
        // Below `t/lib` and `lib` there is also what tests are made of.
        let manifest = fs::read_to_string(source.join("MANIFEST"))?;
        let lines = manifest.lines();
        let known: BTreeSet<&str> = lines.filter_map(|l| l.split_whitespace().next()).collect();
        items.retain(|item| known.contains(item.as_str()));
        Ok(items)
    }

    fn at_once(&self) -> usize {
        1
    }

    /// Some are silent for a minute.
    fn limits(&self, _item: &str, native: Option<Duration>) -> Limits {
        let total = native.map_or(Duration::from_secs(180), |native| {
            Duration::from_secs(120) + 10 * native
        });
        Limits {
            total,
            silence: total,
        }
    }

    fn job(&self, run: &Run) -> io::Result<Job> {
        let source = run.prepared.join("source");
        let place = Place::of(run.item);
        let first = fs::read(source.join(run.item))?;
        let first = String::from_utf8_lossy(&first);
        let first = first.lines().next().unwrap_or_default();
        let mut words = vec![place.perl.to_owned()];
        words.extend(place.options.split_whitespace().map(String::from));
        words.extend(switches(first).map(String::from));
        words.push(place.script);
        Ok(Job {
            words,
            directory: source.join(place.folder),
            environment: vec![("PERL_SKIP_TTY_TEST".into(), "1".into())],
        })
    }

    fn parse(&self, item: &str, attempt: &Attempt) -> Transcript {
        tap::parse(item, attempt)
    }
}

/// How `t/TEST` runs a script.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    /// Where it is started, from the source.
    folder: &'a str,
    perl: &'static str,
    options: &'static str,
    script: String,
}

impl Place<'_> {
    fn of(item: &str) -> Place<'_> {
        let core = |options, script| Place {
            folder: "t",
            perl: "./perl",
            options,
            script,
        };
        let mut parts = item.match_indices('/').map(|(at, _)| at);
        let (first, second) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        match &item[..first] {
            "t" => {
                let script = item[first + 1..].to_owned();
                // These test what the options stand on.
                let is_first = ["t/base", "t/comp", "t/run"].contains(&&item[..second]);
                core(if is_first { "" } else { "-I.. -MTestInit" }, script)
            }
            "lib" => core("-I.. -MTestInit=U1", format!("../{item}")),
            _ => {
                let module = &item[..second];
                let is_absolute = ABSOLUTE.split_whitespace().any(|name| name == module);
                Place {
                    folder: module,
                    perl: "../../t/perl",
                    options: if is_absolute {
                        "-I../.. -MTestInit=U2T,A"
                    } else {
                        "-I../.. -MTestInit=U2T"
                    },
                    script: item[second + 1..].to_owned(),
                }
            }
        }
    }
}

/// Of `#!./perl -T -w`.
fn switches(first_line: &str) -> impl Iterator<Item = &str> {
    let is_script = first_line.starts_with("#!") && first_line.contains("perl");
    let words = first_line.split_whitespace().skip(1);
    words.take_while(move |word| is_script && word.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_run_as_by_their_own_harness() {
        let told = |item| {
            let Place {
                folder,
                perl,
                options,
                script,
            } = Place::of(item);
            format!("{folder}: {perl} {options} {script}")
        };
        assert_eq!(told("t/base/lex.t"), "t: ./perl  base/lex.t");
        assert_eq!(told("t/op/fork.t"), "t: ./perl -I.. -MTestInit op/fork.t");
        assert_eq!(
            told("lib/Tie/a.t"),
            "t: ./perl -I.. -MTestInit=U1 ../lib/Tie/a.t"
        );
        assert_eq!(
            told("dist/Tie-File/t/a.t"),
            "dist/Tie-File: ../../t/perl -I../.. -MTestInit=U2T,A t/a.t"
        );
        let switches = |line| switches(line).collect::<Vec<_>>();
        assert_eq!(switches("#!./perl -T -w # text"), ["-T", "-w"]);
        assert!(switches("use strict -w;").is_empty());
    }
}
