//! What is printed, and `docs/stress.md`.

use std::fmt::Write;

use crate::stressors::{CLASSES, LEFT_OUT, reason};
use crate::{Comparison, Failure};

const NATIVELY: &str = "\n## Not counted\n
These do not succeed natively on the machine where it was run.\n\n";
const LEFT: &str = "\n## Left out\n\nThese would reach for what is not theirs alone.\n\n";
const UNDER_KM: &str = "\n## Fails only under km\n
| stressor | how | last line | why |\n|---|---|---|---|\n";

/// A stressor in one line.
pub fn line(name: &str, (native, km): &(Option<Failure>, Option<Failure>)) -> String {
    match (native, km) {
        (Some(Failure { how, line }), _) => format!("{name}: natively {how}: {line}"),
        (None, None) => format!("{name}: passed"),
        (None, Some(Failure { how, line })) => {
            let reason = reason(name).unwrap_or("not known");
            format!("{name}: ONLY UNDER KM {how}: {line} ({reason})")
        }
    }
}

pub fn summary(comparisons: &[Comparison]) -> String {
    let native = comparisons.iter().filter(|(_, (n, _))| n.is_none()).count();
    let km = comparisons.iter().filter(|(_, (_, k))| k.is_some()).count();
    format!(
        "{native} succeed natively, {} of them under km",
        native - km
    )
}

pub fn page(version: &str, comparisons: &[Comparison]) -> String {
    let mut page = format!(
        "\
# Stress

The stressors of stress-ng's classes {}: one worker for
a second, with `--verify` and without capabilities, natively and under km, one after the other. `make stress` runs them and
writes this page; `make stress ONLY=\"futex pipe\"` runs single ones and leaves the page as it is. A stressor that does not
succeed natively is not counted.

With {version}: {}.
{UNDER_KM}",
        CLASSES.replace(' ', ", "),
        summary(comparisons)
    );
    for (name, (_, km)) in comparisons {
        let Some(Failure { how, line }) = km else {
            continue;
        };
        let line = line.replace('|', "\\|");
        let why = reason(name).unwrap_or("not known");
        let _ = writeln!(page, "| {name} | {how} | {line} | {why} |");
    }
    page.push_str(NATIVELY);
    for (name, (native, _)) in comparisons {
        if let Some(Failure { how, .. }) = native {
            let _ = writeln!(page, "- `{name}`: {how}");
        }
    }
    page.push_str(LEFT);
    for (what, names) in LEFT_OUT {
        let _ = writeln!(page, "- {what}: {}", names.replace(' ', ", "));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_counts_and_names() {
        let failure = || {
            let (how, line) = ("fails".into(), "a | b".into());
            Some(Failure { how, line })
        };
        let comparisons = [
            ("pipe".into(), (None, None)),
            ("aiol".into(), (None, failure())),
            ("cap".into(), (failure(), None)),
        ];
        let page = page("stress-ng 1", &comparisons);
        assert!(page.contains("With stress-ng 1: 2 succeed natively, 1 of them under km.\n"));
        assert!(page.contains("\n| aiol | fails | a \\| b | `io_setup` is `ENOSYS` |\n"));
        assert!(page.contains("\n- `cap`: fails\n"), "{page}");
    }
}
