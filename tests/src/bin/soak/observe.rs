//! What `/proc` tells of a process, from outside.

use std::fmt::Write;
use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub descriptors: u64,
    pub threads: u64,
    pub mappings: u64,
    /// In KiB.
    pub anonymous: u64,
    /// In KiB.
    pub resident: u64,
}

fn entries(path: &str) -> Vec<String> {
    let Ok(directory) = fs::read_dir(path) else {
        return Vec::new();
    };
    directory
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect()
}

fn counts(pid: i32) -> Counts {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let status = read("status");
    let memory = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    Counts {
        descriptors: entries(&format!("/proc/{pid}/fd")).len() as u64,
        threads: entries(&format!("/proc/{pid}/task")).len() as u64,
        mappings: read("maps").lines().count() as u64,
        anonymous: memory("RssAnon:"),
        resident: memory("VmRSS:"),
    }
}

/// The counts once they stand still: a thread that was joined, or a descriptor
/// of a process that was killed, may be there a moment longer.
pub fn settled_counts(pid: i32) -> Counts {
    const TRIES: u32 = 20;
    let mut last = counts(pid);
    for _ in 0..TRIES {
        thread::sleep(Duration::from_millis(5));
        let now = counts(pid);
        if now == last {
            break;
        }
        last = now;
    }
    last
}

/// Process, parent and state of all processes.
fn processes() -> Vec<(i32, i32, String)> {
    let one = |name: String| {
        let pid = name.parse().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold anything, and ends with the last parenthesis.
        let mut words = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
        let state = words.next()?.to_owned();
        Some((pid, words.next()?.parse().ok()?, state))
    };
    entries("/proc").into_iter().filter_map(one).collect()
}

fn family(of: i32) -> Vec<(i32, String)> {
    let all = processes();
    let mut found: Vec<(i32, String)> = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        for (pid, _, state) in all
            .iter()
            .filter(|(_, its_parent, _)| *its_parent == parent)
        {
            parents.push(*pid);
            found.push((*pid, state.clone()));
        }
    }
    found
}

pub fn descendants(of: i32) -> Vec<i32> {
    family(of).into_iter().map(|(pid, _)| pid).collect()
}

/// Dead and not waited for.
pub fn zombies(of: i32) -> u64 {
    family(of).iter().filter(|(_, state)| state == "Z").count() as u64
}

/// The threads of a process and of all its descendants, and what each waits
/// for; nothing if it has ended.
pub fn descendants_state(of: i32) -> Option<String> {
    let mut text = String::new();
    let ended = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z"))
    };
    if ended(&of) {
        return None;
    }
    for pid in std::iter::once(of).chain(descendants(of)) {
        for tid in entries(&format!("/proc/{pid}/task")) {
            let read = |name: &str| {
                let path = format!("/proc/{pid}/task/{tid}/{name}");
                fs::read_to_string(path)
                    .unwrap_or_default()
                    .replace('\n', " ")
            };
            let state = read("stat");
            let state = state
                .rfind(')')
                .and_then(|at| state.get(at + 2..at + 3))
                .unwrap_or("?")
                .to_owned();
            let [name, waits, call, stack] = ["comm", "wchan", "syscall", "stack"].map(read);
            let _ = writeln!(
                text,
                "{pid}/{tid} {name}{state} {waits} call {call}\n    {stack}"
            );
        }
    }
    Some(text)
}

/// Ends whatever a run has left.
pub fn kill_group(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It may be gone already.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}
