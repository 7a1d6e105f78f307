//! Times for people.

use std::fmt;
use std::time::Duration;

use der::DateTime;

/// Seconds since 1970, written as a date where they are one.
#[derive(Debug, Clone, Copy)]
pub struct Date(pub u64);

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_unix_duration(Duration::from_secs(self.0)) {
            Ok(date) => write!(formatter, "{date}"),
            Err(_) => write!(formatter, "{} s after 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn dates_end_with_the_year_9999() {
        assert_eq!(Date(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Date(1_769_817_600).to_string(), "2026-01-31T00:00:00Z");
        let beyond = u64::MAX.to_string() + " s after 1970";
        assert_eq!(Date(u64::MAX).to_string(), beyond);
    }
}
