//! The table as text: `km --syscalls`, and `docs/syscalls.md`.

use std::fmt::Write;

use serde::Serialize;

use super::row::{Action, Level, Row};
use super::table::TABLE;

/// A row, for programs.
#[derive(Debug, Serialize)]
struct Entry {
    number: u16,
    name: &'static str,
    arguments: Vec<&'static str>,
    /// `proxy`, `handler` or `refuse`.
    action: &'static str,
    /// The error of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<&'static str>,
    level: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'static str,
}

impl From<&Row> for Entry {
    fn from(row: &Row) -> Entry {
        let (action, errno) = match row.action {
            Action::Proxy => ("proxy", None),
            Action::Handle(_) => ("handler", None),
            Action::Refuse(errno) => ("refuse", errno.name()),
        };
        Entry {
            number: row.number,
            name: row.name,
            arguments: row.args.iter().map(|arg| arg.name).collect(),
            action,
            errno,
            level: row.level.name(),
            note: row.note,
        }
    }
}

/// One line a call: number, name, level, note.
pub fn text() -> String {
    let mut out = String::new();
    for row in TABLE {
        let line = format!(
            "{:>3}  {:<24} {:<8} {}",
            row.number,
            row.name,
            row.level.name(),
            remark(row)
        );
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// An array of objects.
pub fn json() -> String {
    let entries: Vec<Entry> = TABLE.iter().map(Entry::from).collect();
    // Strings and numbers always have a form in JSON.
    let mut out = serde_json::to_string_pretty(&entries).unwrap_or_default();
    out.push('\n');
    out
}

/// The page of the documentation.
pub fn markdown() -> String {
    let count = |level| TABLE.iter().filter(|row| row.level == level).count();
    let mut out = format!(
        "# System calls\n\n\
         Printed by `km --syscalls=markdown` from the table the monitor works by. Of {} calls, {} \
         work as on Linux, {} work but for what the note says, and {} are refused, for the reason \
         in the note. A number that is not listed gives `ENOSYS`.\n\n\
         | number | name | level | note |\n| ---: | --- | --- | --- |\n",
        TABLE.len(),
        count(Level::Full),
        count(Level::Partial),
        count(Level::None),
    );
    for row in TABLE {
        let (number, name, level) = (row.number, row.name, row.level.name());
        // Writing to a string cannot fail.
        let _written = writeln!(
            out,
            "| {number} | `{name}` | {level} | {} |",
            remark(row).trim_end()
        );
    }
    out
}

/// The note, with the error of a refusal before it.
fn remark(row: &Row) -> String {
    match row.action {
        Action::Refuse(errno) => format!("{errno:?}: {}", row.note),
        Action::Proxy | Action::Handle(_) => row.note.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_what_km_prints() {
        let page = include_str!("../../../docs/syscalls.md");
        assert_eq!(page, markdown(), "run make docs");
    }

    #[test]
    fn every_call_is_listed_in_each_form() {
        let parsed: Vec<serde_json::Value> = serde_json::from_str(&json()).expect("valid JSON");
        assert_eq!(parsed.len(), TABLE.len());
        assert_eq!(parsed[0]["name"], "read");
        assert_eq!(parsed[154]["errno"], "ENOSYS");
        assert_eq!(text().lines().count(), TABLE.len());
        assert_eq!(
            text().lines().next(),
            Some("  0  read                     full")
        );
        assert_eq!(
            markdown()
                .lines()
                .filter(|line| line.contains("| `"))
                .count(),
            TABLE.len()
        );
    }
}
