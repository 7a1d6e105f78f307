//! The difference between two outcomes, short enough to be read.

use std::fmt::Write;

use crate::job::{Content, Entry, Outcome};

/// Shown around and within a difference.
const CONTEXT_LINES: usize = 2;
const DIFFERING_LINES: usize = 8;
const LAST_LINES: usize = 16;
const LINE_LENGTH: usize = 200;

/// What `outcome` has other than `truth`, marked with + and -; nothing if they are
/// the same.
pub fn difference(truth: &Outcome, outcome: &Outcome) -> Option<String> {
    let mut report = String::new();
    if truth.end != outcome.end {
        let _ = writeln!(report, "end: - {}", truth.end);
        let _ = writeln!(report, "     + {}", outcome.end);
    }
    report_text(&mut report, "stdout", &truth.stdout, &outcome.stdout);
    report_text(&mut report, "stderr", &truth.stderr, &outcome.stderr);
    if outcome.end.is_own() {
        report_files(&mut report, &truth.files, &outcome.files);
    }
    (!report.is_empty()).then_some(report)
}

/// An outcome that stands alone. Of a long output the last lines tell most, and
/// those with which the guest programs report a failed check.
pub fn describe(outcome: &Outcome) -> String {
    let mut report = format!("{}\n", outcome.end);
    for (name, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
        let lines = lines(text);
        let (early, last) = lines.split_at(lines.len().saturating_sub(LAST_LINES));
        if !lines.is_empty() {
            let _ = writeln!(report, "{name}:");
        }
        let failed = early.iter().filter(|line| line.starts_with("FAIL"));
        for line in failed.take(DIFFERING_LINES) {
            let _ = writeln!(report, "   {line}");
        }
        if !early.is_empty() {
            let _ = writeln!(report, "   … of {} lines, the last:", lines.len());
        }
        for line in last {
            let _ = writeln!(report, "   {line}");
        }
    }
    report
}

/// The lines of a text as they can be printed on any terminal.
fn lines(text: &[u8]) -> Vec<String> {
    text.split_inclusive(|byte| *byte == b'\n')
        .map(|line| {
            let escaped = line.strip_suffix(b"\n").map_or_else(
                || format!("{} (no newline)", line.escape_ascii()),
                |line| line.escape_ascii().to_string(),
            );
            shortened(escaped)
        })
        .collect()
}

/// Of a long line both ends tell something. Escaped text is ASCII, so it can be
/// cut anywhere.
fn shortened(line: String) -> String {
    let len = line.len();
    if len <= LINE_LENGTH {
        return line;
    }
    let (head, tail) = (&line[..LINE_LENGTH / 2], &line[len - LINE_LENGTH / 2..]);
    format!("{head} … {tail} ({len} bytes)")
}

fn report_text(report: &mut String, name: &str, truth: &[u8], outcome: &[u8]) {
    if truth == outcome {
        return;
    }
    let (truth, outcome) = (lines(truth), lines(outcome));
    let same_head = truth
        .iter()
        .zip(&outcome)
        .take_while(|(a, b)| a == b)
        .count();
    let longest_tail = truth.len().min(outcome.len()) - same_head;
    let same_tail = truth
        .iter()
        .rev()
        .zip(outcome.iter().rev())
        .take(longest_tail)
        .take_while(|(a, b)| a == b)
        .count();
    let _ = writeln!(report, "{name}, from line {}:", same_head + 1);
    for line in &truth[same_head.saturating_sub(CONTEXT_LINES)..same_head] {
        let _ = writeln!(report, "   {line}");
    }
    for (mark, lines) in [('-', &truth), ('+', &outcome)] {
        let differing = &lines[same_head..lines.len() - same_tail];
        for line in differing.iter().take(DIFFERING_LINES) {
            let _ = writeln!(report, " {mark} {line}");
        }
        if differing.len() > DIFFERING_LINES {
            let _ = writeln!(
                report,
                " {mark} … {} more lines",
                differing.len() - DIFFERING_LINES
            );
        }
    }
}

fn report_files(report: &mut String, truth: &[Entry], outcome: &[Entry]) {
    let find = |entries: &[Entry], path: &str| -> Option<Entry> {
        entries.iter().find(|entry| entry.path == path).cloned()
    };
    for entry in truth {
        let Some(other) = find(outcome, &entry.path) else {
            let _ = writeln!(report, "file {}: only with -", entry.path);
            continue;
        };
        if entry.mode != other.mode {
            let _ = writeln!(report, "file {}: mode", entry.path);
            let _ = writeln!(report, " - {:04o}\n + {:04o}", entry.mode, other.mode);
        }
        match (&entry.content, &other.content) {
            (Content::Bytes(a), Content::Bytes(b)) => {
                report_text(report, &format!("file {}", entry.path), a, b);
            }
            (a, b) if a != b => {
                let _ = writeln!(report, "file {}: content", entry.path);
                let _ = writeln!(report, " - {}\n + {}", summary(a), summary(b));
            }
            _ => {}
        }
    }
    for entry in outcome {
        if find(truth, &entry.path).is_none() {
            let _ = writeln!(report, "file {}: only with +", entry.path);
        }
    }
}

fn summary(content: &Content) -> String {
    match content {
        Content::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Content::Digest { len, crc32 } => format!("{len} bytes, CRC-32 {crc32:08x}"),
        Content::Link(target) => format!("link to {target}"),
        Content::Directory => "directory".into(),
        Content::Special => "special file".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::End;

    fn outcome(code: i32, stdout: &str) -> Outcome {
        Outcome {
            stdout: stdout.into(),
            ..Outcome::without_output(End::Exit(code))
        }
    }

    #[test]
    fn equal_outcomes_have_no_difference() {
        assert_eq!(difference(&outcome(1, "a\n"), &outcome(1, "a\n")), None);
    }

    #[test]
    fn only_what_differs_is_shown() {
        let native = outcome(0, "1\n2\n3\n4\n5\n6\n");
        let under_km = outcome(1, "1\n2\n3\nfour\n5\n6\n");
        let expected = "end: - exit code 0\n     + exit code 1\n\
                        stdout, from line 4:\n   2\n   3\n - 4\n + four\n";
        assert_eq!(difference(&native, &under_km).as_deref(), Some(expected));
    }

    #[test]
    fn a_missing_tail_and_control_characters_show() {
        let report = difference(&outcome(0, "a\na\n"), &outcome(0, "a\n\x1b"));
        assert_eq!(
            report.as_deref(),
            Some("stdout, from line 2:\n   a\n - a\n + \\x1b (no newline)\n")
        );
    }

    #[test]
    fn files_are_compared() {
        let mut native = outcome(0, "");
        let mut under_km = outcome(0, "");
        let entry = |path: &str, mode, text: &str| Entry {
            path: path.into(),
            mode,
            content: Content::Bytes(text.into()),
        };
        native.files = vec![entry("a", 0o644, "x"), entry("b", 0o644, "y")];
        under_km.files = vec![entry("a", 0o600, "x"), entry("c", 0o644, "y")];
        let report = difference(&native, &under_km).expect("a difference");
        assert!(
            report.contains("file a: mode\n - 0644\n + 0600"),
            "{report}"
        );
        assert!(report.contains("file b: only with -"), "{report}");
        assert!(report.contains("file c: only with +"), "{report}");
    }
}
