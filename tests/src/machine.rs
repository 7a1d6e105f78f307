//! What the machine a job runs on must have.
//!
//! A need is one word: `root`, `namespaces` (new ones are permitted),
//! `cpu:FLAG` (a flag of `/proc/cpuinfo`), or the absolute path of something
//! that must exist.

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a command with a network, processes, System V IPC and mounts of its
/// own, where all dies with the first process.
pub const NAMESPACES: [&str; 8] = [
    "/usr/bin/unshare",
    "--net",
    "--ipc",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--",
];

/// The first of `needs` that this machine does not meet.
pub fn lacks(needs: &[String]) -> Option<String> {
    needs.iter().find(|need| !has(need)).cloned()
}

/// Whether `need` is written as described above.
pub fn is_need(need: &str) -> bool {
    matches!(need, "root" | "namespaces") || need.starts_with("cpu:") || need.starts_with('/')
}

fn has(need: &str) -> bool {
    if need == "root" {
        return rustix::process::geteuid().is_root();
    }
    if need == "namespaces" {
        return has_namespaces();
    }
    match need.strip_prefix("cpu:") {
        Some(flag) => cpu_flags().iter().any(|known| known == flag),
        None => Path::new(need).exists(),
    }
}

fn has_namespaces() -> bool {
    let [program, options @ ..] = NAMESPACES;
    let mut probe = Command::new(program);
    probe.args(options).arg("/bin/true").stdin(Stdio::null());
    let status = probe.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The processor's flags as the kernel names them.
pub fn cpu_flags() -> Vec<String> {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("flags")?.split_once(':'));
    flags.map_or_else(Vec::new, |(_, flags)| {
        flags.split_whitespace().map(Into::into).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_flag_or_path_is_lacked() {
        assert_eq!(lacks(&["cpu:sse2".into(), "/proc/self".into()]), None);
        assert_eq!(
            lacks(&["cpu:sse2".into(), "cpu:abacus".into()]),
            Some("cpu:abacus".into())
        );
        assert_eq!(
            lacks(&["/no/such/path".into()]),
            Some("/no/such/path".into())
        );
    }
}
