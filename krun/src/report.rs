//! krun's own errors: a line on standard error, and one in the log that the
//! engine reads them from.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::command_line::global_value;

/// Where they go.
#[derive(Debug, Default)]
pub struct Log {
    path: Option<PathBuf>,
    as_json: bool,
}

impl Log {
    /// As a command line says, whatever else is wrong with it.
    pub fn of(words: &[OsString]) -> Log {
        Log {
            path: global_value(words, "log").map(PathBuf::from),
            as_json: global_value(words, "log-format").is_some_and(|format| format == "json"),
        }
    }

    /// Tells of an error.
    pub fn error(&self, message: &str) {
        // Nobody is left to be told where this fails.
        let _ = writeln!(std::io::stderr(), "krun: {message}");
        let Some(path) = &self.path else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let time = rfc3339(now.map_or(0, |now| now.as_secs()));
        let message = format!("krun: {message}");
        let line = if self.as_json {
            json!({ "level": "error", "msg": message, "time": time }).to_string()
        } else {
            format!("time=\"{time}\" level=error msg={message:?}")
        };
        if let Ok(mut file) = File::options().append(true).create(true).open(path) {
            let _ = writeln!(file, "{line}");
        }
    }
}

/// A time as engines read it, in UTC.
fn rfc3339(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Counted in years that begin in March, so that a leap day is the last.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, over) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!(
        "{:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        era * 400 + year + over,
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
