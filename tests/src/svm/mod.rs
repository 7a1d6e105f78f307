//! The emulated AMD host: a Debian kernel with KVM in QEMU's own processor
//! emulation, which has SVM and nested paging. It boots once, runs every job
//! natively and under km, and sends each outcome as it comes.

mod channel;
pub mod init;
mod initramfs;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::case::{Case, Session};
use crate::job::{Job, Outcome};
use crate::locations::Locations;

const QEMU: &str = "qemu-system-x86_64";
const MODULES: [&str; 4] = ["irqbypass", "ccp", "kvm", "kvm-amd"];

/// How much slower than this machine the emulated one may be.
const SLOWNESS: u32 = 5;
/// From power-on to the first word of `init`.
const BOOT: Duration = Duration::from_secs(180);
/// What a job may take beyond its own time limit.
const GRACE: Duration = Duration::from_secs(60);
/// From power-on to power-off.
const WHOLE: Duration = Duration::from_secs(45 * 60);

/// How much of a log is shown: a kernel's last words are long.
const LOG_LINES: usize = 40;

/// What `init` says.
#[derive(Debug, Serialize, Deserialize)]
pub enum Message {
    Ready(Report),
    Started(u32),
    Finished(u32, Outcome),
    Done,
    /// It gives up.
    Failed(String),
}

/// What kind of host it has become.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    pub kernel: String,
    pub clocksource: String,
    pub has_svm: bool,
    /// What came of opening `/dev/kvm`.
    pub kvm: Result<(), String>,
}

#[derive(Debug)]
pub struct EmulatedHost {
    svm: PathBuf,
    km: PathBuf,
    scratch: PathBuf,
    missing: Option<String>,
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    report: Option<Report>,
    /// By trial: the native run and the one under km.
    outcomes: HashMap<String, (Outcome, Outcome)>,
    /// Once no more news will come: why what is missing is missing.
    ended: Option<String>,
    /// The logs of a host that went wrong, for the first who asks.
    logs: Option<String>,
}

/// The two runs of one trial.
#[derive(Debug)]
struct Plan {
    trials: Vec<String>,
    /// Job `2n` is what trial `n` is compared with, natively; job `2n + 1` is the
    /// trial under km.
    jobs: Vec<Job>,
    /// What is run, once as it is and once by km.
    programs: Vec<String>,
}

impl EmulatedHost {
    pub fn new(locations: &Locations, scratch: &Path) -> EmulatedHost {
        let svm = locations.svm();
        let missing = if !svm.join("vmlinuz").exists() {
            Some("the emulated host's kernel is not there: run \"make svm-kernel\"".into())
        } else if Command::new(QEMU)
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_err()
        {
            Some(format!(
                "{QEMU} is not installed (Debian package qemu-system-x86)"
            ))
        } else {
            None
        };
        EmulatedHost {
            svm,
            km: locations.km.clone(),
            scratch: scratch.join("svm"),
            missing,
            state: Mutex::default(),
            news: Condvar::new(),
        }
    }

    /// Why there is no emulated host on this machine.
    pub fn missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// Boots it, in a thread of its own, to make these trials' runs.
    pub fn start(session: &Arc<Session>, trials: Vec<(String, Arc<Case>)>) {
        let mut plan = Plan {
            trials: Vec::new(),
            jobs: Vec::new(),
            programs: Vec::new(),
        };
        let km = session.emulated.km.to_string_lossy().into_owned();
        for (trial, case) in trials {
            plan.trials.push(trial);
            plan.jobs.push(case.truth().clone());
            plan.jobs.push(case.job.under(&km));
            plan.programs.push(case.truth().program.clone());
            plan.programs.push(case.job.program.clone());
        }
        for job in &mut plan.jobs {
            job.timeout *= SLOWNESS;
        }
        let session = Arc::clone(session);
        std::thread::spawn(move || {
            let host = &session.emulated;
            let result = host.run(&plan);
            let mut state = host.state();
            if let Err(reason) = result {
                state.ended = Some(format!("the emulated host: {reason}"));
                state.logs = Some(host.logs());
            } else {
                state.ended = Some("the emulated host has sent no outcome for it".into());
            }
            drop(state);
            host.news.notify_all();
        });
    }

    /// What the host says of itself.
    pub fn report(&self) -> Result<Report, String> {
        self.wait_for(|state| state.report.clone())
    }

    /// The native outcome of a trial, and the one under km.
    pub fn outcomes(&self, trial: &str) -> Result<(Outcome, Outcome), String> {
        self.wait_for(|state| state.outcomes.get(trial).cloned())
    }

    fn wait_for<T>(&self, news: impl Fn(&State) -> Option<T>) -> Result<T, String> {
        let mut state = self.state();
        loop {
            if let Some(found) = news(&state) {
                return Ok(found);
            }
            if let Some(reason) = state.ended.clone() {
                return Err(reason + &state.logs.take().unwrap_or_default());
            }
            state = self
                .news
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, plan: &Plan) -> Result<(), String> {
        if !self.km.exists() {
            return Err(format!("no km at {}: run \"make km\"", self.km.display()));
        }
        let text = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
        std::fs::create_dir_all(&self.scratch).map_err(text("scratch directory"))?;
        let initramfs = self.scratch.join("initramfs.cpio");
        let modules = MODULES.map(|name| self.svm.join(format!("modules/{name}.ko")));
        initramfs::build(&initramfs, &modules, &self.km, &plan.programs, &plan.jobs)
            .map_err(text("initramfs"))?;
        let mut qemu = self.boot(&initramfs).map_err(text("QEMU"))?;
        let result = self.follow(&mut qemu, plan);
        // It is off already, unless something went wrong.
        let _ = qemu.kill();
        let _ = qemu.wait();
        let _ = std::fs::remove_file(&initramfs);
        result
    }

    /// The kernel's messages.
    fn console(&self) -> PathBuf {
        self.svm.join("console.log")
    }

    /// What QEMU itself complains of.
    fn qemu_log(&self) -> PathBuf {
        self.svm.join("qemu.log")
    }

    /// The last lines of both.
    fn logs(&self) -> String {
        let (console, qemu) = (tail(&self.console()), tail(&self.qemu_log()));
        format!("\nits console:\n{console}\nQEMU:\n{qemu}")
    }

    fn boot(&self, initramfs: &Path) -> io::Result<Child> {
        let log = File::create(self.qemu_log())
            .map_err(|error| io::Error::other(format!("{}: {error}", self.qemu_log().display())))?;
        let mut serial = std::ffi::OsString::from("file:");
        serial.push(self.console());
        Command::new(QEMU)
            .args(["-accel", "tcg", "-cpu", "EPYC,+svm,-kvm", "-m", "2048"])
            .args(["-nodefaults", "-nographic", "-no-reboot"])
            // The console first, then the channel on which init speaks.
            .arg("-serial")
            .arg(serial)
            .args(["-serial", "stdio"])
            .arg("-kernel")
            .arg(self.svm.join("vmlinuz"))
            .arg("-initrd")
            .arg(initramfs)
            .arg("-append")
            .arg("console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable clocksource=tsc")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
    }

    /// Takes in what the host says until it is done.
    fn follow(&self, qemu: &mut Child, plan: &Plan) -> Result<(), String> {
        let Some(stdout) = qemu.stdout.take() else {
            return Err("no channel".into());
        };
        let (sender, messages) = mpsc::channel();
        std::thread::spawn(move || {
            let mut channel = BufReader::new(stdout);
            // Ends with the channel, or when nobody listens any more.
            while let Some(message) = channel::receive(&mut channel).transpose() {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut natively = None;
        let mut doing = "booting".to_owned();
        let mut limit = BOOT;
        let end = Instant::now() + WHOLE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = match messages.recv_timeout(limit.min(left)) {
                Ok(message) => message.map_err(|error| format!("{doing}: channel: {error}"))?,
                Err(RecvTimeoutError::Timeout) if left <= limit => {
                    return Err(format!(
                        "{doing}: its {} minutes are over",
                        WHOLE.as_secs() / 60
                    ));
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("{doing}: nothing heard for {} s", limit.as_secs()));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(format!("{doing}: went down")),
            };
            match message {
                Message::Ready(report) => {
                    self.state().report = Some(report);
                    limit = GRACE;
                }
                Message::Started(index) => {
                    let (trial, job) = plan.find(index)?;
                    let how = if index % 2 == 0 {
                        "natively"
                    } else {
                        "under km"
                    };
                    doing = format!("{trial} {how}");
                    limit = job.timeout + GRACE;
                }
                Message::Finished(index, outcome) if index % 2 == 0 => natively = Some(outcome),
                Message::Finished(index, outcome) => {
                    let (trial, _) = plan.find(index)?;
                    let native = natively
                        .take()
                        .ok_or(format!("{doing}: no native outcome"))?;
                    self.state()
                        .outcomes
                        .insert(trial.clone(), (native, outcome));
                }
                Message::Failed(reason) => return Err(format!("{doing}: {reason}")),
                Message::Done => return Ok(()),
            }
            self.news.notify_all();
        }
    }
}

impl Plan {
    fn find(&self, index: u32) -> Result<(&String, &Job), String> {
        let index = index as usize;
        let found = self.trials.get(index / 2).zip(self.jobs.get(index));
        found.ok_or_else(|| format!("job {index} was never given"))
    }
}

/// The last lines of a log, without what a terminal would take as a command.
fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).replace(|c: char| c.is_control() && c != '\n', "");
    // QEMU names every feature of the processor that it does not emulate.
    let is_news = |line: &&str| !line.contains("TCG doesn't support requested feature");
    let lines: Vec<&str> = text.lines().filter(is_news).collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
