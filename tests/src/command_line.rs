//! km's own command line: its options, and how it ends when it cannot run what
//! it is asked to. Payloads here are the machine's own small programs.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};
use serde_json::Value;

use crate::case::Session;
use crate::compare::describe;
use crate::job::{Content, End, File, Job, Outcome, signal_number};
use crate::locations::Locations;
use crate::process;

/// Passes if the condition holds; else tells the condition and the outcome.
macro_rules! check {
    ($outcome:expr, $wanted:expr $(,)?) => {
        if $wanted {
            Ok(())
        } else {
            let wanted = stringify!($wanted);
            Err(Failed::from(format!(
                "not so: {wanted}\ngot: {}",
                describe(&$outcome)
            )))
        }
    };
}

type Check = fn(&Km) -> Result<(), Failed>;

const CHECKS: &[(&str, Check)] = &[
    ("missing-payload-is-127", |km| {
        km.refuses(&["./nothing"], &[], 127, "./nothing")
    }),
    ("missing-script-interpreter-is-127", |km| {
        km.refuses(
            &["./script"],
            &[File::new("script", "#!/no/interpreter\n")],
            127,
            "./script",
        )
    }),
    ("missing-elf-interpreter-is-127", |km| {
        km.refuses(
            &["./elf"],
            &[executable(elf(X86_64, "/no/ld.so"))],
            127,
            "/no/ld.so",
        )
    }),
    ("directory-is-126", |km| km.refuses(&["."], &[], 126, ".")),
    ("not-executable-is-126", |km| {
        let file = File {
            mode: 0o644,
            ..File::new("script", "#!/bin/sh\n")
        };
        km.refuses(&["./script"], &[file], 126, "./script")
    }),
    ("empty-file-is-126", |km| km.refuses_elf(Vec::new())),
    ("text-is-126", |km| km.refuses_elf(b"echo hello\n".to_vec())),
    ("elf-magic-alone-is-126", |km| {
        km.refuses_elf(b"\x7fELF".to_vec())
    }),
    ("truncated-elf-is-126", |km| {
        km.refuses_elf(elf(X86_64, "")[..70].to_vec())
    }),
    ("other-architecture-is-126", |km| {
        km.refuses_elf(elf(AARCH64, ""))
    }),
    ("unknown-option-is-125", |km| {
        km.refuses(&["--frobnicate"], &[], 125, "--frobnicate")
    }),
    ("no-payload-is-125", |km| km.refuses(&[], &[], 125, "")),
    ("missing-device-is-125", |km| {
        km.refuses(
            &["--device", "/nonexistent", "/bin/echo"],
            &[],
            125,
            "/nonexistent",
        )
    }),
    ("other-device-is-125", |km| {
        km.refuses(
            &["--device", "/dev/null", "/bin/echo"],
            &[],
            125,
            "/dev/null",
        )
    }),
    ("memory-limit-that-is-no-size-is-125", |km| {
        km.refuses(&["--memory", "plenty", "/bin/echo"], &[], 125, "plenty")
    }),
    ("exit-code-is-passed-on", |km| {
        for code in [0, 1, 42, 125, 126, 127, 255] {
            let outcome = km.run(&["/bin/sh", "-c", &format!("exit {code}")]);
            check!(
                outcome,
                outcome.end == End::Exit(code) && outcome.stderr.is_empty(),
            )?;
        }
        Ok(())
    }),
    ("fatal-signal-is-passed-on", |km| {
        for name in [
            "SIGHUP", "SIGKILL", "SIGTERM", "SIGSEGV", "SIGABRT", "SIGUSR1",
        ] {
            let script = format!("kill -{} $$", name.trim_start_matches("SIG"));
            let outcome = km.run(&["/bin/sh", "-c", &script]);
            let wanted = signal_number(name).map(End::Signal);
            check!(
                outcome,
                Some(&outcome.end) == wanted.as_ref() && outcome.stderr.is_empty(),
            )?;
        }
        Ok(())
    }),
    // A core file of the host's would hold the monitor's memory.
    ("no-core-file-is-left", |km| {
        let script =
            "ulimit -c unlimited; ulimit -c; (exec \"$0\" -c 'kill -QUIT $$'); kill -ABRT $$";
        let outcome = km.run(&["/bin/sh", "-c", script, "/bin/sh"]);
        check!(
            outcome,
            outcome.stdout == b"unlimited\n"
                && Some(&outcome.end) == signal_number("SIGABRT").map(End::Signal).as_ref()
                && outcome.files.is_empty(),
        )
    }),
    ("a-small-stack-is-the-payloads", |km| {
        for size in [128, 64, 32] {
            let script = format!("ulimit -s {size}; exec \"$0\" /bin/sh -c 'ulimit -s'");
            let args = ["-c", &script, &km.path].map(str::to_owned);
            let outcome = km.run_job(&Job {
                args: args.to_vec(),
                ..Job::new("/bin/sh".to_owned())
            });
            let wanted = format!("{size}\n");
            check!(outcome, outcome.stdout == wanted.as_bytes())?;
        }
        Ok(())
    }),
    ("payload-options-are-the-payloads", |km| {
        km.prints(&["/bin/echo", "--strace", "-k", "x"], "--strace -k x\n")?;
        km.prints(&["--", "/bin/echo", "--", "x"], "-- x\n")
    }),
    ("environment-is-the-hosts", |km| {
        let mut job = km.job(&["/usr/bin/env"]);
        job.env
            .push(("KM_TEST_VARIABLE".into(), "from the host".into()));
        let outcome = km.run_job(&job);
        check!(
            outcome,
            has_line(&outcome.stdout, "KM_TEST_VARIABLE=from the host"),
        )
    }),
    ("env-sets-a-variable", |km| {
        for args in [&["--env", "A=b c"], &["-e", "A=b c"]] {
            let outcome = km.run(&[args, ["/usr/bin/env"].as_slice()].concat());
            check!(outcome, has_line(&outcome.stdout, "A=b c"))?;
        }
        Ok(())
    }),
    ("copyenv-with-env-has-both", |km| {
        let mut job = km.job(&["--copyenv", "--env", "A=b", "/usr/bin/env"]);
        job.env.push(("KM_TEST_VARIABLE".into(), "x".into()));
        let outcome = km.run_job(&job);
        let has = |line| has_line(&outcome.stdout, line);
        check!(outcome, has("A=b") && has("KM_TEST_VARIABLE=x"))
    }),
    ("strace-prints-a-line-a-call", |km| {
        let outcome = km.run(&["--strace", "/bin/echo", "hello"]);
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        let line = stderr
            .lines()
            .find(|line| line.contains("write(1, \"hello\\n\", 6)"));
        let is_whole = line.is_some_and(|line| line.trim_end().ends_with("= 6"));
        check!(outcome, outcome.stdout == b"hello\n" && is_whole)
    }),
    ("strace-follows-children", |km| {
        let script = "/bin/echo one; exec /bin/echo two";
        let outcome = km.run(&["--strace", "-f", "/bin/sh", "-c", script]);
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        let writer = |text: &str| {
            let line = stderr.lines().find(|line| line.contains(text))?;
            line.strip_prefix("[pid ")?.split(']').next()
        };
        let (one, two) = (writer("write(1, \"one\\n\""), writer("write(1, \"two\\n\""));
        check!(outcome, one.is_some() && two.is_some() && one != two)
    }),
    ("strace-leaves-children-alone", |km| {
        let outcome = km.run(&[
            "--strace",
            "/bin/sh",
            "-c",
            "/bin/echo one; exec /bin/echo two",
        ]);
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        let is_own = stderr.contains("write(1, \"two\\n\"") && !stderr.contains("write(1, \"one");
        check!(outcome, outcome.stdout == b"one\ntwo\n" && is_own)
    }),
    ("reports-go-to-a-file-a-process", |km| {
        let script = "/bin/echo one; exit 3";
        let outcome = km.run(&["--stats", "-f", "-o", "out", "/bin/sh", "-c", script]);
        let reports = outcome
            .files
            .iter()
            .filter(|entry| entry.path.starts_with("out."))
            .filter_map(|entry| match &entry.content {
                Content::Bytes(bytes) => Some(String::from_utf8_lossy(bytes)),
                _ => None,
            });
        let count = reports.filter(|text| text.contains("km: ran for")).count();
        let is_quiet = outcome.stdout == b"one\n" && outcome.stderr.is_empty();
        check!(outcome, is_quiet && count == 2)
    }),
    ("stats-count-calls", |km| {
        let outcome = km.run(&["--stats", "/bin/echo", "hello"]);
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        let row = stderr
            .lines()
            .find(|line| line.split_whitespace().any(|word| word == "write"));
        check!(outcome, outcome.stdout == b"hello\n" && row.is_some())
    }),
    ("monitor-log-goes-to-a-file", |km| {
        let outcome = km.run(&["-k", "log", "-V", "/bin/echo", "hello"]);
        let log = file(&outcome, "log");
        let is_quiet = outcome.stdout == b"hello\n" && outcome.stderr.is_empty();
        check!(
            outcome,
            is_quiet && log.is_some_and(|content| *content != Content::Bytes(vec![])),
        )
    }),
    ("payload-output-goes-to-a-file", |km| {
        let outcome = km.run(&[
            "--log-to",
            "out",
            "/bin/sh",
            "-c",
            "echo hello; echo bad >&2",
        ]);
        let wanted = Content::Bytes(b"hello\nbad\n".to_vec());
        check!(
            outcome,
            outcome.stdout.is_empty() && file(&outcome, "out") == Some(&wanted),
        )
    }),
    ("version-names-commit-and-date", |km| {
        let outcome = km.run(&["--version"]);
        let text = String::from_utf8_lossy(&outcome.stdout);
        let version = concat!("km ", env!("CARGO_PKG_VERSION"), " ");
        let has_date = text
            .split(|c: char| !c.is_ascii_digit() && c != '-')
            .any(is_date);
        check!(
            outcome,
            outcome.end == End::Exit(0) && text.starts_with(version) && has_date,
        )
    }),
    ("help-names-every-option", |km| {
        let outcome = km.run(&["--help"]);
        let text = String::from_utf8_lossy(&outcome.stdout);
        let missing: Vec<_> = OPTIONS
            .iter()
            .filter(|option| !text.contains(*option))
            .collect();
        check!(outcome, outcome.end == End::Exit(0) && missing.is_empty())
    }),
    ("syscalls-prints-the-table", |km| {
        let outcome = km.run(&["--syscalls"]);
        let text = String::from_utf8_lossy(&outcome.stdout);
        let names = |number: &str, name: &str| {
            let words = |line: &str| line.split_whitespace().take(2).eq([number, name]);
            text.lines().any(words)
        };
        let has_all = names("0", "read") && names("231", "exit_group") && names("435", "clone3");
        check!(outcome, outcome.end == End::Exit(0) && has_all)
    }),
    ("syscalls-prints-json", |km| {
        let outcome = km.run(&["--syscalls=json"]);
        let rows: Vec<Value> = serde_json::from_slice(&outcome.stdout)
            .map_err(|error| format!("{error}: {}", describe(&outcome)))?;
        let numbers: Vec<_> = rows
            .iter()
            .filter_map(|row| row["number"].as_u64())
            .collect();
        let is_complete = rows.len() > 350 && numbers.len() == rows.len();
        let exit_group = rows.iter().find(|row| row["number"] == 231);
        let is_named = exit_group.is_some_and(|row| row["name"] == "exit_group");
        check!(outcome, is_complete && numbers.is_sorted() && is_named)
    }),
    ("command-line-in-proc-is-the-payloads", command_line_in_proc),
    ("strace-writes-beyond-the-payload-s-limit", |km| {
        let script = "ulimit -S -f 0; umask 077; exit 7";
        let outcome = km.run(&["--strace", "-o", "out", "/bin/sh", "-c", script]);
        let traced = |text: &Content| match text {
            Content::Bytes(text) => String::from_utf8_lossy(text).contains("umask(077)"),
            _ => false,
        };
        let is_traced = file(&outcome, "out").is_some_and(traced);
        check!(outcome, outcome.end == End::Exit(7) && is_traced)
    }),
    ("a-full-pipe-of-strace-stops-no-other", full_pipe_of_strace),
];

const OPTIONS: [&str; 19] = [
    "--env",
    "-e",
    "--copyenv",
    "--log-to",
    "--km-log-to",
    "-k",
    "--verbose",
    "-V",
    "--strace",
    "--stats",
    "--follow",
    "-f",
    "--output",
    "-o",
    "--memory",
    "--device",
    "--dump-shutdown",
    "--version",
    "--syscalls",
];

pub fn trials(session: &Arc<Session>) -> Vec<Trial> {
    let trial = |(name, check): &(&str, Check)| {
        let check = *check;
        let scratch = session.scratch.join(name);
        session.kvm_trial(format!("command-line::{name}::kvm"), move |session| {
            let path = session.km.to_string_lossy().into_owned();
            check(&Km { path, scratch })?;
            Ok(Completion::Completed)
        })
    };
    CHECKS.iter().map(trial).collect()
}

/// The monitor under test.
struct Km {
    path: String,
    scratch: PathBuf,
}

impl Km {
    fn job(&self, args: &[&str]) -> Job {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Job {
            args,
            ..Job::new(self.path.clone())
        }
    }

    fn run_job(&self, job: &Job) -> Outcome {
        process::run(job, &self.scratch)
    }

    fn run(&self, args: &[&str]) -> Outcome {
        self.run_job(&self.job(args))
    }

    /// The payload runs, and prints just this.
    fn prints(&self, args: &[&str], stdout: &str) -> Result<(), Failed> {
        let outcome = self.run(args);
        let is_clean = outcome.end == End::Exit(0) && outcome.stderr.is_empty();
        check!(outcome, is_clean && outcome.stdout == stdout.as_bytes())
    }

    /// km itself fails with this code, and one line on standard error that
    /// names the culprit.
    fn refuses(
        &self,
        args: &[&str],
        files: &[File],
        code: i32,
        culprit: &str,
    ) -> Result<(), Failed> {
        let outcome = self.run_job(&Job {
            files: files.to_vec(),
            ..self.job(args)
        });
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        let is_one_line = stderr.lines().count() == 1 && stderr.ends_with('\n');
        let is_clear = is_one_line && stderr.starts_with("km: ") && stderr.contains(culprit);
        if outcome.end == End::Exit(code) && outcome.stdout.is_empty() && is_clear {
            return Ok(());
        }
        let wanted = format!("exit code {code}, \"km: …{culprit}…\" as the only line on stderr");
        Err(format!("wanted: {wanted}\ngot: {}", describe(&outcome)).into())
    }

    fn refuses_elf(&self, content: Vec<u8>) -> Result<(), Failed> {
        self.refuses(&["./elf"], &[executable(content)], 126, "./elf")
    }
}

fn has_line(text: &[u8], wanted: &str) -> bool {
    text.split(|byte| *byte == b'\n')
        .any(|line| line == wanted.as_bytes())
}

fn file<'a>(outcome: &'a Outcome, path: &str) -> Option<&'a Content> {
    outcome
        .files
        .iter()
        .find(|entry| entry.path == path)
        .map(|entry| &entry.content)
}

/// YYYY-MM-DD
fn is_date(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    parts.iter().map(|part| part.len()).eq([4, 2, 2])
}

fn executable(content: Vec<u8>) -> File {
    File {
        name: "elf".into(),
        content,
        mode: 0o755,
    }
}

const X86_64: u16 = 62;
const AARCH64: u16 = 183;

/// The smallest ELF file that has an interpreter: both headers and its name.
fn elf(machine: u16, interpreter: &str) -> Vec<u8> {
    const HEADER: u16 = 64;
    const PROGRAM_HEADER: u16 = 56;
    const ET_DYN: u16 = 3;
    const PT_INTERP: u32 = 3;
    const PF_R: u32 = 4;
    let at = u64::from(HEADER + PROGRAM_HEADER);
    let len = interpreter.len() as u64 + 1;

    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([ET_DYN, machine].map(u16::to_le_bytes).concat());
    file.extend(1u32.to_le_bytes());
    // Entry, program headers, no section headers, no flags.
    file.extend([0u64, HEADER.into(), 0].map(u64::to_le_bytes).concat());
    file.extend(0u32.to_le_bytes());
    file.extend(
        [HEADER, PROGRAM_HEADER, 1, 0, 0, 0]
            .map(u16::to_le_bytes)
            .concat(),
    );

    file.extend([PT_INTERP, PF_R].map(u32::to_le_bytes).concat());
    file.extend([at, at, at, len, len, 1].map(u64::to_le_bytes).concat());
    file.extend(interpreter.as_bytes());
    file.push(0);
    file
}

/// `ps` and `/proc/PID` show the payload, not km.
fn command_line_in_proc(km: &Km) -> Result<(), Failed> {
    let mut child = Command::new(&km.path)
        .args(["/bin/cat", "-", "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let seen = look_while_running(&mut child);
    // Its input is closed by now, or it is to be stopped anyway.
    let _ = child.kill();
    child.wait()?;
    let (command_line, name) = seen?;
    if command_line == b"/bin/cat\0-\0/dev/null\0" && name == "cat\n" {
        return Ok(());
    }
    Err(format!(
        "cmdline {:?}, comm {name:?}",
        command_line.escape_ascii().to_string()
    )
    .into())
}

fn look_while_running(child: &mut std::process::Child) -> Result<(Vec<u8>, String), Failed> {
    let (Some(stdin), Some(stdout)) = (&mut child.stdin, &mut child.stdout) else {
        return Err("no pipes".into());
    };
    stdin.write_all(b"ready\n")?;
    // Once it has answered, the payload itself is running.
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    if line != "ready\n" {
        return Err(format!("cat printed {line:?}").into());
    }
    let proc = PathBuf::from(format!("/proc/{}", child.id()));
    Ok((
        std::fs::read(proc.join("cmdline"))?,
        std::fs::read_to_string(proc.join("comm"))?,
    ))
}

/// A thread whose trace nobody reads, and another that forks meanwhile.
fn full_pipe_of_strace(km: &Km) -> Result<(), Failed> {
    const PATIENCE: Duration = Duration::from_secs(15);
    let guest = Locations::find().guests().join("static-musl/trace_blocked");
    let mut child = Command::new(&km.path)
        .arg("--strace")
        .arg(guest)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("no pipes".into());
    };
    let (tell, told) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody listens once it was waited for too long.
            let _ = tell.send(line);
        }
    });
    let first = told.recv_timeout(PATIENCE);
    let mut trace = Vec::new();
    stderr.read_to_end(&mut trace)?;
    let status = child.wait()?;
    let _ = reader.join();
    let rest: Vec<String> = told.iter().collect();
    if first.as_deref() == Ok("ok the child") && rest == ["ok its end", "all ok"] {
        return Ok(());
    }
    Err(format!("{status}; first {first:?}, then {rest:?}").into())
}
