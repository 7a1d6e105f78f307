//! `docs/compatibility.md`.

use std::fmt::Write;

use crate::compare::{Comparison, Counts};

const INTRODUCTION: &str = "\
# Compatibility

CPython's own regression suite, as Debian packages it, natively and under km. `make compatibility` runs it and writes this
page; `make compatibility ONLY=test_fcntl` runs single modules and leaves the page as it is. A test that does not end is
counted as failed.
";

pub fn page(version: &str, comparisons: &[Comparison]) -> String {
    let mut page =
        format!("{INTRODUCTION}\nWith {version}, each as passed / failed / skipped:\n\n");
    page.push_str("| module | natively | under km | fails only under km |\n|---|---|---|---|\n");
    let mut only = 0;
    for comparison in comparisons {
        only += comparison.only_under_km().len();
        let km = comparison
            .km
            .as_ref()
            .map_or("not run".into(), |km| cell(&Counts::of(km)));
        let _ = writeln!(
            page,
            "| {} | {} | {km} | {} |",
            comparison.module,
            cell(&Counts::of(&comparison.native)),
            comparison.only_under_km().len()
        );
    }
    let _ = writeln!(page, "\nTests that fail only under km: {only}.");
    let named = |(id, how): (&str, &str)| format!("`{id}` {how}");
    let plain = |id: &str| format!("`{id}`");
    section(
        &mut page,
        "Fails only under km",
        comparisons,
        |comparison| comparison.only_under_km().into_iter().map(named).collect(),
    );
    section(
        &mut page,
        "Skipped only under km",
        comparisons,
        |comparison| {
            comparison
                .skipped_under_km()
                .into_iter()
                .map(plain)
                .collect()
        },
    );
    section(&mut page, "Fails natively", comparisons, |comparison| {
        comparison
            .failed_natively()
            .into_iter()
            .map(plain)
            .collect()
    });
    page
}

fn cell(counts: &Counts) -> String {
    format!("{} / {} / {}", counts.passed, counts.failed, counts.skipped)
}

/// A list of tests under a title; nothing, if there is none.
fn section(
    page: &mut String,
    title: &str,
    comparisons: &[Comparison],
    lines: impl Fn(&Comparison) -> Vec<String>,
) {
    let lines: Vec<String> = comparisons.iter().flat_map(lines).collect();
    if !lines.is_empty() {
        let _ = writeln!(page, "\n## {title}\n");
    }
    for line in lines {
        let _ = writeln!(page, "- {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tests::example;

    #[test]
    fn the_page_counts_and_names() {
        let page = page("Python 3", &[example()]);
        let wanted = "\
With Python 3, each as passed / failed / skipped:

| module | natively | under km | fails only under km |
|---|---|---|---|
| test_x | 4 / 1 / 1 | 1 / 4 / 2 | 3 |

Tests that fail only under km: 3.

## Fails only under km

- `b` failed
- `c` did not end
- `g` failed

## Skipped only under km

- `f`

## Fails natively

- `d`
";
        assert!(page.ends_with(wanted), "{page}");
    }
}
