//! The table for people and the file for programs.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::costs::Cost;
use crate::measures::Sample;
use crate::sample::{median, median_of_rounds};
use crate::session::Outcome;
use crate::target::{FLOOR, KM, NATIVE, ROUND_TRIP, RUNTIME, Target};

/// An error and its causes on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// What the figures depend on.
#[derive(Debug, Serialize)]
pub struct Host {
    pub kernel: String,
    pub cpu: String,
    pub cpus: usize,
    /// How `/dev/kvm` behaves, or why it cannot be used.
    pub kvm: String,
}

impl Host {
    pub fn describe(kvm: String) -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or("unknown", |(_, name)| name.trim());
        Self {
            kernel: kernel.trim().to_owned(),
            cpu: cpu.to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            kvm,
        }
    }
}

/// A promise with what became of it; `None` where a column it speaks of was not measured.
fn judge(outcome: &Outcome, target: Target) -> Option<(f64, bool)> {
    let subject = outcome.samples(target.subject())?;
    let column = |name: Option<&str>, otherwise: f64| match name {
        Some(name) => outcome.samples(name).map(<[f64]>::to_vec),
        None => Some(vec![otherwise; subject.len()]),
    };
    let (base, scale) = (column(target.base(), 0.0)?, column(target.scale(), 1.0)?);
    let value = median_of_rounds(subject, &base, &scale, |subject, base, scale| {
        target.combine(subject, base, scale)
    })?;
    Some((value, target.met(value)))
}

pub fn table(outcomes: &[Outcome], peers: &[&'static str]) -> String {
    // Behind the promises, the columns that are no side of every comparison.
    let mut others = vec![RUNTIME, FLOOR];
    let has_round_trip = |outcome: &Outcome| outcome.column(ROUND_TRIP).is_some();
    others.extend(outcomes.iter().any(has_round_trip).then_some(ROUND_TRIP));
    others.extend(peers);
    let mut header = vec!["measure", NATIVE, KM, "ratio", "target", "met"];
    header.extend(&others);
    let mut rows = vec![header.iter().map(|word| (*word).to_owned()).collect()];
    for outcome in outcomes {
        rows.extend(table_rows(outcome, &others));
    }
    let mut text = aligned(&rows);
    for outcome in outcomes {
        for column in &outcome.columns {
            if let Err(why) = &column.samples {
                text.push_str(&format!(
                    "\n{}, {}: {why}",
                    outcome.measure.name, column.name
                ));
            }
        }
    }
    text
}

fn table_rows(outcome: &Outcome, others: &[&'static str]) -> Vec<Vec<String>> {
    let measure = outcome.measure;
    let nothing = || "–".to_owned();
    let cell = |name: &str| {
        let Some(column) = outcome.column(name) else {
            return nothing();
        };
        match &column.samples {
            Ok(samples) => median(samples).map_or_else(nothing, |value| measure.unit.show(value)),
            Err(_) if column.skipped => "skipped".to_owned(),
            Err(_) => "failed".to_owned(),
        }
    };
    // What comes of a promise, its text, and whether it is kept.
    let promise = |target: Target| {
        let (value, met) = match judge(outcome, target) {
            Some((value, met)) => (
                target.show_value(measure.unit, value),
                if met { "yes" } else { "NO" }.to_owned(),
            ),
            None => (nothing(), nothing()),
        };
        [value, target.show(measure.unit), met]
    };
    let first = measure.targets.first();
    let mut row = vec![measure.title.to_owned(), cell(NATIVE), cell(KM)];
    row.extend(first.map_or_else(
        || [nothing(), nothing(), nothing()],
        |first| promise(*first),
    ));
    row.extend(others.iter().map(|name| cell(name)));

    let mut rows = vec![row];
    for target in measure.targets.iter().skip(1) {
        if judge(outcome, *target).is_some() {
            let mut row = vec![String::new(); 3];
            row.extend(promise(*target));
            rows.push(row);
        }
    }
    rows
}

/// The first column to the left, the others to the right, but for the words among the numbers.
fn aligned(rows: &[Vec<String>]) -> String {
    const LEFT: [usize; 2] = [0, 4];
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if LEFT.contains(&column) {
                line.push_str(&format!("{cell:<width$}  "));
            } else {
                line.push_str(&format!("{cell:>width$}  "));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub fn json(host: &Host, quick: bool, outcomes: &[Outcome]) -> Value {
    json!({
        "host": host,
        "quick": quick,
        "measures": outcomes.iter().map(measure_json).collect::<Vec<_>>(),
    })
}

fn measure_json(outcome: &Outcome) -> Value {
    let measure = outcome.measure;
    let columns: Map<String, Value> = outcome
        .columns
        .iter()
        .map(|column| {
            let value = match &column.samples {
                Ok(samples) => json!({ "median": median(samples), "samples": samples }),
                Err(why) => json!({ "error": why }),
            };
            (column.name.to_owned(), value)
        })
        .collect();
    let targets: Vec<Value> = measure
        .targets
        .iter()
        .map(|target| {
            let judged = judge(outcome, *target);
            json!({
                "target": target.show(measure.unit),
                "value": judged.map(|(value, _)| value),
                "met": judged.map(|(_, met)| met),
            })
        })
        .collect();
    json!({
        "name": measure.name,
        "title": measure.title,
        "unit": if measure.sample == Sample::IdleMemory { "KiB" } else { "ns" },
        "columns": columns,
        "targets": targets,
    })
}

/// Writes the file for programs.
pub fn write_json(path: &Path, value: &Value) -> Result<(), String> {
    let in_path = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(directory) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs::create_dir_all(directory).map_err(in_path)?;
    }
    let mut text = serde_json::to_string_pretty(value).map_err(|error| in_path(error.into()))?;
    text.push('\n');
    fs::write(path, text).map_err(in_path)
}

pub fn cost_table(costs: &[Cost]) -> String {
    let mut rows = vec![vec![
        "what KVM costs here, µs".to_owned(),
        "median".to_owned(),
        "least".to_owned(),
    ]];
    for cost in costs {
        let show =
            |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |us| format!("{us:.1}"));
        rows.push(vec![
            cost.what.clone(),
            show(cost.median_us),
            show(cost.min_us),
        ]);
    }
    let mut text = aligned(&rows);
    for cost in costs {
        if let Some(note) = &cost.note {
            text.push_str(&format!("\n{}: {note}", cost.what.trim()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures::MEASURES;
    use crate::session::Column;

    fn outcome(km: &[f64]) -> Outcome {
        let column = |name, samples: &[f64]| Column {
            name,
            samples: Ok(samples.to_vec()),
            skipped: false,
        };
        Outcome {
            measure: &MEASURES[0],
            columns: vec![
                column("native", &[1e6, 2e6, 3e6]),
                column("km", km),
                column("crun", &[10e6]),
            ],
        }
    }

    #[test]
    fn a_promise_is_judged_round_by_round() {
        let good = outcome(&[3e6, 4e6, 5e6]);
        assert_eq!(judge(&good, Target::Above(2.5e6)), Some((2e6, true)));
        let bad = outcome(&[4e6, 5e6, 6e6]);
        assert_eq!(judge(&bad, Target::Above(2.5e6)), Some((3e6, false)));
        assert_eq!(
            judge(&good, Target::TimesPeer("crun", 0.5)),
            Some((0.3, true))
        );
        assert_eq!(judge(&good, Target::TimesPeer("runsc", 0.5)), None);
        assert_eq!(judge(&outcome(&[]), Target::Times(1.0)), None);
    }

    #[test]
    fn the_table_has_a_line_a_promise() {
        let text = table(&[outcome(&[3e6, 4e6, 5e6])], &["crun"]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[1].contains("+2.00 ms"), "{text}");
        assert!(lines[1].ends_with("10.00 ms"), "{text}");
        assert!(lines[2].contains("0.300"), "{text}");
    }
}
