//! `stat`, `statm`, `status` and `limits`: the host's text, with the payload's
//! address space, threads and limits in place of the monitor's.

use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

use crate::mem::layout::PAGE;
use crate::mem::mapping::{Kind, Prot};
use crate::seccomp::{Mode, Seccomp};
use crate::sys::proc;
use crate::syscall::limits::Limit;
use crate::task::process::Process;

/// The payload's address space in numbers: bytes and addresses.
#[derive(Debug, Default)]
struct Sizes {
    total: u64,
    data: u64,
    stack: u64,
    libraries: u64,
    code: Range<u64>,
    program_data: Range<u64>,
    brk: u64,
}

impl Sizes {
    fn of(process: &Process) -> Sizes {
        let exe = process.identity.exe.as_os_str().as_bytes();
        let space = process.space();
        let mappings = space.mappings();
        let mut sizes = Sizes {
            total: mappings.total_bytes(),
            data: mappings.data_bytes(),
            brk: space.brk(),
            ..Sizes::default()
        };
        for (range, mapping) in mappings.iter() {
            let size = range.end - range.start;
            match &mapping.kind {
                Kind::Stack => sizes.stack += size,
                Kind::File { file, .. } => {
                    let code = mapping.prot.contains(Prot::EXEC);
                    match (file.path == exe, code) {
                        (true, true) => join(&mut sizes.code, &range),
                        (true, false) if mapping.prot.contains(Prot::WRITE) => {
                            join(&mut sizes.program_data, &range);
                        }
                        (false, true) => sizes.libraries += size,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        sizes
    }

    fn code_size(&self) -> u64 {
        self.code.end - self.code.start
    }
}

fn join(all: &mut Range<u64>, part: &Range<u64>) {
    if all.is_empty() {
        *all = part.clone();
    }
    all.end = part.end;
}

/// `status`.
pub fn status(process: &Process, host: &str) -> String {
    let sizes = Sizes::of(process);
    let seccomp = thread_of(host).and_then(|thread| process.seccomp_of(thread));
    let line = |line: &str| {
        let Some((key, value)) = line.split_once(':') else {
            return format!("{line}\n");
        };
        if let ("NoNewPrivs" | "Seccomp" | "Seccomp_filters", Some(seccomp)) = (key, &seccomp) {
            let host = value.trim().parse().unwrap_or(0);
            return format!("{key}:\t{}\n", judged(seccomp, key, host));
        }
        let bytes = match key {
            "VmPeak" | "VmSize" => sizes.total,
            "VmData" => sizes.data,
            "VmStk" => sizes.stack,
            "VmExe" => sizes.code_size(),
            "VmLib" => sizes.libraries,
            "Threads" => return format!("{key}:\t{}\n", process.threads()),
            _ => return format!("{line}\n"),
        };
        format!("{key}:\t{:>8} kB\n", bytes >> 10)
    };
    host.lines().map(line).collect()
}

/// The thread a `status` is about, by its id in its own PID namespace: the
/// last of those it has.
fn thread_of(status: &str) -> Option<i32> {
    let id = |key: &str| {
        let ids = status.lines().find_map(|line| line.strip_prefix(key))?;
        ids.split_whitespace().next_back()?.parse().ok()
    };
    // Without namespaces there is one.
    id("NSpid:").or_else(|| id("Pid:"))
}

/// What a `status` says of the calls a thread may make, where it says `host`
/// of the monitor.
fn judged(seccomp: &Seccomp, key: &str, host: u64) -> u64 {
    let mode = seccomp.mode();
    match (key, &mode) {
        ("NoNewPrivs", _) => host | u64::from(seccomp.has_no_new_privs()),
        ("Seccomp", Mode::Disabled) => host,
        ("Seccomp", mode) => mode.number(),
        (_, mode) => host + mode.filters() as u64,
    }
}

/// `statm`: size, resident, shared, text, lib, data, dt; in pages.
pub fn statm(process: &Process, host: &str) -> String {
    let sizes = Sizes::of(process);
    let mut fields = fields(host);
    for (at, bytes) in [
        (0, sizes.total),
        (3, sizes.code_size()),
        (5, sizes.data + sizes.stack),
    ] {
        set(&mut fields, at, bytes / PAGE);
    }
    fields.join(" ") + "\n"
}

/// `stat`, with numbers of fields as in `proc_pid_stat(5)`.
pub fn stat(process: &Process, host: &str) -> String {
    let sizes = Sizes::of(process);
    let stack = &process.identity.stack;
    replace_in_stat(
        host,
        &[
            (20, process.threads() as u64),
            (23, sizes.total),
            (26, sizes.code.start),
            (27, sizes.code.end),
            (28, stack.sp),
            (45, sizes.program_data.start),
            (46, sizes.program_data.end),
            (47, sizes.brk),
            (48, stack.arg_start),
            (49, stack.arg_end),
            (50, stack.env_start),
            (51, stack.env_end),
        ],
    )
}

/// The line of `stat` with other values for some of its fields.
pub fn replace_in_stat(host: &str, values: &[(usize, u64)]) -> String {
    /// The first field behind the name, which may hold anything.
    const FIRST: usize = 3;
    let Some((head, rest)) = host.rsplit_once(") ") else {
        return host.to_owned();
    };
    let mut fields = fields(rest);
    for (field, value) in values {
        set(&mut fields, field - FIRST, *value);
    }
    format!("{head}) {}\n", fields.join(" "))
}

/// `limits`.
pub fn limits(process: &Process, host: &str) -> String {
    let limits = process.limits.all();
    // Another thread may have the host's raised.
    let file_size = proc::FILE_SIZE.settled().get().ok();
    let file_size = file_size.map(|limit| {
        let (soft, hard) = (limit.soft, limit.hard);
        ("Max file size", Limit { soft, hard })
    });
    let line = |line: &str| {
        let kept = [
            ("Max data size", limits.data),
            ("Max stack size", limits.stack),
            ("Max open files", limits.open_files),
            ("Max core file size", limits.core),
            ("Max address space", limits.address_space),
        ];
        match kept
            .iter()
            .chain(&file_size)
            .find(|(name, _)| line.starts_with(name))
        {
            Some((name, limit)) => limit_line(name, *limit, line),
            None => format!("{line}\n"),
        }
    };
    host.lines().map(line).collect()
}

fn limit_line(name: &str, limit: Limit, host: &str) -> String {
    let value = |value: u64| match value {
        libc::RLIM_INFINITY => "unlimited".to_owned(),
        value => value.to_string(),
    };
    let unit = host.split_whitespace().next_back().unwrap_or_default();
    let (soft, hard) = (value(limit.soft), value(limit.hard));
    format!("{name:<25} {soft:<20} {hard:<20} {unit:<10}\n")
}

fn fields(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn set(fields: &mut [String], at: usize, value: u64) {
    if let Some(field) = fields.get_mut(at) {
        *field = value.to_string();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_stat() {
        let host = "12 (a) b) c) S 1 12 12 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 2 0 5 900 7\n";
        let changed = replace_in_stat(host, &[(20, 1), (23, 100)]);
        assert_eq!(
            changed,
            "12 (a) b) c) S 1 12 12 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 5 100 7\n"
        );
        assert_eq!(replace_in_stat("nothing", &[(20, 1)]), "nothing");
        assert_eq!(replace_in_stat("1 (a) R\n", &[(20, 1)]), "1 (a) R\n");
    }

    #[test]
    fn a_line_of_limits() {
        let host = "Max open files            1024                 524288               files     ";
        let limit = Limit {
            soft: 1024,
            hard: 524_288,
        };
        assert_eq!(
            limit_line("Max open files", limit, host),
            format!("{host}\n")
        );
    }
}
