//! The Test Anything Protocol, in which a script tells of its tests.

use crate::attend::Attempt;
use crate::outcome::{Outcome, Results};
use crate::suite::Transcript;

/// A test is called by its number: descriptions have addresses and times.
pub fn parse(item: &str, attempt: &Attempt) -> Transcript {
    let mut results = Results::new();
    let mut plan = None;
    let mut last = 0;
    for line in attempt.text.lines() {
        if let Some(rest) = line.strip_prefix("1..") {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
            plan = plan.or(digits.and_then(|digits| digits.parse::<usize>().ok()));
        }
        let (is_good, rest) = match (line.strip_prefix("ok"), line.strip_prefix("not ok")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => continue,
        };
        if !rest.is_empty() && !rest.starts_with(' ') {
            continue;
        }
        let number = rest.split_whitespace().next().and_then(|n| n.parse().ok());
        last = number.unwrap_or(last + 1);
        let has = |word: &str| rest.to_ascii_lowercase().contains(word);
        let outcome = if has("# skip") {
            Outcome::Skipped
        } else if is_good || has("# todo") {
            // What is known not to work is not judged.
            Outcome::Passed
        } else {
            Outcome::Failed
        };
        results.insert(format!("{item} {last}"), outcome);
    }
    let has_failed = results.values().any(|outcome| *outcome == Outcome::Failed);
    let code = attempt.status.and_then(|status| status.code());
    let is_complete = plan == Some(results.len());
    if plan == Some(0) {
        results.insert(item.into(), Outcome::Skipped);
    }
    Transcript {
        is_complete,
        has_ended: code == Some(0) || (has_failed && code.is_some()),
        results,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    fn parsed(text: &str, code: i32) -> Transcript {
        let attempt = Attempt {
            text: text.into(),
            status: Some(ExitStatus::from_raw(code << 8)),
        };
        parse("a.t", &attempt)
    }

    #[test]
    fn a_line_is_a_test() {
        let text = "1..5\nok 1 - # one\nok\nnot ok 3 - three # TODO later\nokay\n# ok 9\nnot ok 4\nok 5 # skip none\n";
        let transcript = parsed(text, 1);
        let outcomes: Vec<Outcome> = transcript.results.into_values().collect();
        let (passed, failed, skipped) = (Outcome::Passed, Outcome::Failed, Outcome::Skipped);
        assert_eq!(outcomes, [passed, passed, passed, failed, skipped]);
        assert!(transcript.is_complete && transcript.has_ended);
    }

    #[test]
    fn what_is_planned_has_to_come() {
        assert!(!parsed("1..2\nok 1\n", 0).is_complete);
        assert!(!parsed("ok 1\n", 0).is_complete);
        assert!(!parsed("ok 1\n1..1\n", 7).has_ended);
        let skipped = parsed("1..0 # SKIP not here\n", 0);
        assert_eq!(skipped.results.get("a.t"), Some(&Outcome::Skipped));
        assert!(skipped.is_complete && skipped.has_ended);
    }
}
