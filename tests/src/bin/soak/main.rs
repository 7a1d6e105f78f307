//! `make soak`: random mixes of threads, processes and signals for a long time,
//! and counts of the monitor's descriptors, threads, zombies, mappings and
//! memory, before and after.
//!
//!     soak [--native] [--minutes N] [--seed N] [--sample N] [--hold] PROGRAM [OPTION...]
//!
//! The program is `tests/soak`, which takes the options. With `--hold`
//! a run that hangs is left for a debugger. The exit status is 1 on a leak, a
//! hang or a wrong checksum.

mod observe;
mod verdict;

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::observe::Counts;
use crate::verdict::{Sample, complaints};

/// A round takes a fraction of a second; a line is due after each.
const SILENCE: Duration = Duration::from_secs(30);

/// The rows of the table.
const ROWS: u32 = 20;

#[derive(Debug)]
struct Options {
    native: bool,
    hold: bool,
    minutes: f64,
    seed: u64,
    /// Rounds between two samples.
    sample: u64,
    program: PathBuf,
    rest: Vec<String>,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|options| soak(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::from(2)
        }
    }
}

fn options(mut args: impl Iterator<Item = String>) -> io::Result<Options> {
    let mut options = Options {
        native: false,
        hold: false,
        minutes: 30.0,
        seed: 1,
        sample: 50,
        program: PathBuf::new(),
        rest: Vec::new(),
    };
    let missing = || io::Error::other("an option lacks its number");
    while let Some(arg) = args.next() {
        let mut number = || {
            args.next()
                .and_then(|n| n.parse::<f64>().ok())
                .ok_or_else(missing)
        };
        match arg.as_str() {
            "--native" => options.native = true,
            "--hold" => options.hold = true,
            "--minutes" => options.minutes = number()?,
            "--seed" => options.seed = number()? as u64,
            "--sample" => options.sample = (number()? as u64).max(1),
            _ => {
                options.program = arg.into();
                options.rest = args.collect();
                return Ok(options);
            }
        }
    }
    Err(io::Error::other("no program"))
}

/// What the program says.
enum Line {
    Round(u64),
    /// It waits to be observed, and so do the two others.
    Sample {
        rounds: u64,
        others: [i32; 2],
    },
}

fn parse(line: &str) -> Option<Line> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["round", number, _] => Some(Line::Round(number.parse().ok()?)),
        ["sample", rounds, _, _, first, second] => Some(Line::Sample {
            rounds: rounds.parse().ok()?,
            others: [first.parse().ok()?, second.parse().ok()?],
        }),
        _ => None,
    }
}

fn start(options: &Options) -> io::Result<Child> {
    let km = std::env::var_os("KM");
    let km = km.unwrap_or_else(|| "target/x86_64-unknown-linux-gnu/release/km".into());
    let mut command = if options.native {
        Command::new(&options.program)
    } else {
        let mut command = Command::new(km);
        command.arg(&options.program);
        command
    };
    command
        .arg(format!("seed={}", options.seed))
        .arg(format!("seconds={:.0}", options.minutes * 60.0))
        .arg(format!("sample={}", options.sample))
        .args(&options.rest)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
}

fn soak(options: &Options) -> io::Result<bool> {
    let mut child = start(options)?;
    let pid = child.id().cast_signed();
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("no pipes"));
    };
    let (send, lines) = sync_channel(64);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    let watched = watch(options, &mut child, &lines, &mut stdin)?;
    let mut wrong = match watched {
        Watched::Ended(samples) => {
            let status = child.wait()?;
            let mut wrong = complaints(&samples, options.minutes * 60.0);
            if !status.success() {
                let how = status.signal().map_or(
                    format!("exit code {}", status.code().unwrap_or(-1)),
                    |signal| format!("signal {signal}"),
                );
                wrong.push(format!("the program ended with {how}"));
            }
            wrong
        }
        Watched::Silent(rounds) => vec![format!(
            "silent for {} s after {rounds} rounds",
            SILENCE.as_secs()
        )],
    };
    if let Some(state) = observe::descendants_state(pid) {
        println!("{state}");
        if options.hold {
            println!("left for a debugger: process {pid}");
            return Ok(false);
        }
    }
    observe::kill_group(pid);
    let _ = child.wait();
    wrong.dedup();
    for complaint in &wrong {
        println!("FAIL {complaint}");
    }
    if wrong.is_empty() {
        println!("no leak, no hang, every checksum right");
    }
    Ok(wrong.is_empty())
}

enum Watched {
    Ended(Vec<Sample>),
    /// After so many rounds.
    Silent(u64),
}

fn watch(
    options: &Options,
    child: &mut Child,
    lines: &Receiver<String>,
    stdin: &mut impl Write,
) -> io::Result<Watched> {
    let pid = child.id().cast_signed();
    let begin = Instant::now();
    let mut heard = begin;
    let step = Duration::from_secs_f64(options.minutes * 60.0 / f64::from(ROWS));
    let mut row_due = Duration::ZERO;
    let mut samples: Vec<Sample> = Vec::new();
    let mut rounds = 0;
    println!("{}", heading());
    loop {
        match lines.recv_timeout(Duration::from_secs(1)) {
            // What it started may still hold its output.
            Err(RecvTimeoutError::Timeout) if child.try_wait()?.is_some() => break,
            Err(RecvTimeoutError::Timeout) if heard.elapsed() < SILENCE => continue,
            Err(RecvTimeoutError::Timeout) => return Ok(Watched::Silent(rounds)),
            Err(RecvTimeoutError::Disconnected) => break,
            Ok(line) => {
                heard = Instant::now();
                match parse(&line) {
                    Some(Line::Round(number)) => rounds = number + 1,
                    Some(Line::Sample { rounds, others }) => {
                        let sample = Sample {
                            rounds,
                            seconds: begin.elapsed().as_secs_f64(),
                            counts: [pid, others[0], others[1]].map(observe::settled_counts),
                            zombies: observe::zombies(pid),
                            processes: observe::descendants(pid).len() as u64,
                        };
                        if begin.elapsed() >= row_due {
                            row_due += step;
                            println!("{}", row(&sample));
                        }
                        samples.push(sample);
                        stdin.write_all(b"\n")?;
                    }
                    None => println!("{line}"),
                }
            }
        }
    }
    if let Some(last) = samples.last() {
        println!("{}", row(last));
    }
    Ok(Watched::Ended(samples))
}

fn heading() -> String {
    let mut text = format!("{:>8} {:>7} {:>4} {:>4}", "rounds", "s", "proc", "zomb");
    for name in ["main", "exec", "fork"] {
        let _ = write!(text, " | {name}: fd thr maps  anonKiB   rssKiB");
    }
    text
}

fn row(sample: &Sample) -> String {
    let mut text = format!(
        "{:>8} {:>7.0} {:>4} {:>4}",
        sample.rounds, sample.seconds, sample.processes, sample.zombies
    );
    for Counts {
        descriptors,
        threads,
        mappings,
        anonymous,
        resident,
    } in &sample.counts
    {
        let _ = write!(
            text,
            " | {descriptors:>8} {threads:>3} {mappings:>4} {anonymous:>8} {resident:>8}"
        );
    }
    text
}
