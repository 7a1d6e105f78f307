//! The stressors of `stress-ng` that leave the machine as it is.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::attend::Attempt;
use crate::outcome::{Outcome, Results};
use crate::suite::{Job, Limits, Run, Suite, Transcript, package_version};

const STRESS_NG: &str = "/usr/bin/stress-ng";

const CLASSES: [&str; 9] = [
    "cpu",
    "memory",
    "vm",
    "io",
    "filesystem",
    "network",
    "os",
    "pipe",
    "scheduler",
];

/// What a stressor would reach for, and the stressors that are never run.
const LEFT_OUT: [(&str, &str); 4] = [
    (
        "random instructions, which may be any system call",
        "opcode",
    ),
    (
        "devices, drivers and settings of the machine",
        "bad-ioctl binderfs cpu-online dev efivar idle-page loop memhotplug netdev pci rawdev \
         reboot rtc smi softlockup swap sysfs tun uprobe watchdog",
    ),
    (
        "all memory, or all room where others have files",
        "bigheap dev-shm oom-pipe physpage resources",
    ),
    ("mounts and quotas", "bind-mount quota ramfs umount"),
];

/// Of the files that are written, which would not fit otherwise.
const SIZES: [&str; 9] = [
    "--copy-file-bytes",
    "--fallocate-bytes",
    "--fiemap-bytes",
    "--hdd-bytes",
    "--iomix-bytes",
    "--msync-bytes",
    "--readahead-bytes",
    "--sync-file-bytes",
    "--seek-size",
];
const SIZE: &str = "128M";

#[derive(Debug)]
pub struct Stress;

impl Suite for Stress {
    fn name(&self) -> &'static str {
        "stress"
    }

    fn title(&self) -> &'static str {
        "stress-ng"
    }

    fn about(&self) -> String {
        format!(
            "The stressors of the classes {}: one worker for a second, with `--verify`, by a user without any right, in \
             a file system of 1 GiB, one stressor after the other. A stressor is one test. One that finds it cannot run \
             says so and succeeds; here it counts as skipped.",
            CLASSES.join(", ")
        )
    }

    fn items_are(&self) -> &'static str {
        "stressors"
    }

    fn packages(&self) -> Vec<String> {
        vec!["stress-ng".into()]
    }

    fn version(&self, _prepared: &Path) -> io::Result<String> {
        package_version("stress-ng")
    }

    fn items(&self, _prepared: &Path) -> io::Result<Vec<String>> {
        let mut names = BTreeSet::new();
        for class in CLASSES {
            let question = format!("--class={class}?");
            let output = Command::new(STRESS_NG).arg(question).output()?.stdout;
            // `class 'pipe' stressors: fifo pipe`
            let text = String::from_utf8_lossy(&output).into_owned();
            let list = text.split_once(':').map_or("", |(_, list)| list);
            names.extend(list.split_whitespace().map(String::from));
        }
        let is_left_out = |name: &str| {
            LEFT_OUT
                .iter()
                .any(|(_, list)| list.split_whitespace().any(|n| n == name))
        };
        names.retain(|name| !is_left_out(name));
        Ok(names.into_iter().collect())
    }

    fn left_out(&self) -> &'static [(&'static str, &'static str)] {
        &LEFT_OUT
    }

    /// Some count what is there in the whole machine.
    fn at_once(&self) -> usize {
        1
    }

    fn is_unprivileged(&self) -> bool {
        true
    }

    /// It says little, so its silence says nothing.
    fn limits(&self, _item: &str, native: Option<Duration>) -> Limits {
        let total = Duration::from_secs(if native.is_some() { 240 } else { 120 });
        Limits {
            total,
            silence: total,
        }
    }

    fn job(&self, run: &Run) -> io::Result<Job> {
        let mut words = vec![STRESS_NG.into(), format!("--{}", run.item), "1".into()];
        words.extend(["--timeout", "1", "--verify", "--temp-path", "."].map(String::from));
        for size in SIZES {
            words.extend([size.into(), SIZE.into()]);
        }
        Ok(Job::new(run, words))
    }

    fn parse(&self, item: &str, attempt: &Attempt) -> Transcript {
        let is_skip = |line: &str| line.contains("skipping") || line.contains("will be skipped");
        // As none that may hang the machine is.
        let is_begun = !attempt.text.contains("No stress workers invoked");
        let outcome = match attempt.status {
            None => Outcome::Unfinished,
            Some(_) if !is_begun => Outcome::Skipped,
            Some(status) if !status.success() => Outcome::Failed,
            Some(_) if attempt.text.lines().any(is_skip) => Outcome::Skipped,
            Some(_) => Outcome::Passed,
        };
        Transcript {
            results: Results::from([(item.into(), outcome)]),
            is_complete: true,
            has_ended: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    fn outcome(code: Option<i32>, text: &str) -> Option<Outcome> {
        let attempt = Attempt {
            text: text.into(),
            status: code.map(|code| ExitStatus::from_raw(code << 8)),
        };
        let results = Stress.parse("pipe", &attempt).results;
        results.get("pipe").copied()
    }

    #[test]
    fn a_stressor_that_skips_itself_has_not_passed() {
        let skip = "stress-ng: info:  [1] pipe: stressor will be skipped, not here\n";
        assert_eq!(outcome(Some(0), skip), Some(Outcome::Skipped));
        assert_eq!(outcome(Some(0), "info: ok\n"), Some(Outcome::Passed));
        assert_eq!(outcome(Some(2), skip), Some(Outcome::Failed));
        let refused = "stress-ng: error: [2] No stress workers invoked\n";
        assert_eq!(outcome(Some(1), refused), Some(Outcome::Skipped));
        assert_eq!(outcome(None, ""), Some(Outcome::Unfinished));
    }
}
