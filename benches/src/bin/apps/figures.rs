//! What came of a program: its line in the table, and its part of the file for programs.

use km_bench::sample::{median, median_of_rounds};
use serde_json::{Map, Value, json};

use crate::app::{App, Error, Load, Place};
use crate::starter::{Counts, Starter};

pub const HEADING: &str = "\
| program (`--only`) | native, 1/s | km, 1/s | runsc, 1/s | km of native | runsc of native \
| own calls an operation | km's exits an operation | of these no calls |
|---|---:|---:|---:|---:|---:|---:|---:|---:|";

/// Kinds of exits that fewer than one operation in a hundred makes are left out.
const FEW: f64 = 0.01;

/// One way of running a program, and what it gave.
pub struct Column {
    starter: Option<Starter>,
    load: Load,
    pub samples: Result<Vec<f64>, Error>,
}

impl Column {
    pub fn new(starter: Result<Starter, Error>) -> Column {
        let (starter, samples) = match starter {
            Ok(starter) => (Some(starter), Ok(Vec::new())),
            Err(error) => (None, Err(error)),
        };
        let load = Load {
            operations: 0,
            seconds: 0,
        };
        Column {
            starter,
            load,
            samples,
        }
    }

    /// A run that does not count, but tells how many operations take `seconds`.
    pub fn warm_up(&mut self, app: &App, place: &Place, seconds: f64) {
        self.load = Load {
            operations: app.operations,
            seconds: 1,
        };
        if let Some(rate) = self.run(app, place) {
            self.load = Load::lasting(seconds, rate);
        }
    }

    pub fn sample(&mut self, app: &App, place: &Place) {
        let rate = self.run(app, place);
        if let (Ok(samples), Some(rate)) = (&mut self.samples, rate) {
            samples.push(rate);
        }
    }

    /// Nothing once a run has failed.
    fn run(&mut self, app: &App, place: &Place) -> Option<f64> {
        let starter = self.starter.as_ref().filter(|_| self.samples.is_ok())?;
        match app.run(place, starter, self.load) {
            Ok(done) => Some(done.rate),
            Err(error) => {
                self.samples = Err(error);
                None
            }
        }
    }
}

/// What came of one program: operations a second, and what an operation takes.
pub struct Figures {
    pub native: Vec<f64>,
    pub km: Vec<f64>,
    pub runsc: Result<Vec<f64>, Error>,
    /// The program's own calls, natively.
    pub calls: Result<Counts, Error>,
    pub exits: Counts,
}

impl Figures {
    /// The median of the ratios of neighbours.
    fn of_native(&self, samples: &[f64]) -> Option<f64> {
        median_of_rounds(samples, &self.native, &self.native, |it, native, _| {
            it / native
        })
    }

    pub fn row(&self, app: &App) -> String {
        let runsc = self.runsc.as_deref().unwrap_or_default();
        cells(
            app,
            [
                median(&self.native).map(rate),
                median(&self.km).map(rate),
                median(runsc).map(rate),
                self.of_native(&self.km).map(hundredths),
                self.of_native(runsc).map(hundredths),
                self.calls.as_ref().ok().map(|own| hundredths(own.calls)),
                Some(hundredths(self.exits.all())),
                Some(hundredths(self.exits.others)),
            ],
        )
    }

    /// Why there are cells with nothing.
    pub fn notes(&self, app: &App) -> Vec<String> {
        let runsc = self.runsc.as_ref().err().map(|error| ("runsc", error));
        let calls = self.calls.as_ref().err().map(|error| ("own calls", error));
        let note = |(column, error)| format!("{}, {column}: {error}", app.name);
        runsc.into_iter().chain(calls).map(note).collect()
    }

    pub fn json(&self, app: &App) -> Value {
        let column = |samples: &[f64]| {
            json!({
                "per_second": median(samples),
                "of_native": self.of_native(samples),
                "samples": samples,
            })
        };
        let error = |error: &Error| json!({ "error": error.to_string() });
        json!({
            "name": app.name,
            "title": app.title,
            "native": column(&self.native),
            "km": column(&self.km),
            "runsc": self.runsc.as_deref().map_or_else(error, column),
            "calls_per_operation": self.calls.as_ref().map_or_else(error, |own| json!(own.calls)),
            "exits_per_operation": exits_json(&self.exits),
        })
    }
}

pub fn row_without_figures(app: &App) -> String {
    cells(app, [const { None }; 8])
}

fn cells(app: &App, cells: [Option<String>; 8]) -> String {
    let cells = cells.map(|cell| cell.unwrap_or_else(|| "–".to_owned()));
    format!("| {} (`{}`) | {} |", app.title, app.name, cells.join(" | "))
}

fn rate(value: f64) -> String {
    format!("{value:.0}")
}

/// Without the sign that a difference just below nothing would have.
fn hundredths(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    format!("{:.2}", if rounded == 0.0 { 0.0 } else { rounded })
}

fn exits_json(exits: &Counts) -> Value {
    let kinds: Map<String, Value> = exits
        .kinds
        .iter()
        .filter(|(_, count)| **count >= FEW)
        .map(|(name, count)| (name.clone(), json!(count)))
        .collect();
    json!({ "all": exits.all(), "no_calls": exits.others, "kinds": kinds })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        Figures {
            native: vec![100.0, 10.0, 1000.0],
            km: vec![50.0, 6.0, 400.0],
            runsc: Err(Error::Missing("runsc".to_owned())),
            calls: Ok(Counts {
                calls: 2.0,
                ..Counts::default()
            }),
            exits: Counts {
                calls: 2.101,
                others: -0.001,
                ..Counts::default()
            },
        }
    }

    fn app() -> App {
        App {
            name: "it",
            title: "It",
            needs: &[],
            operations: 1,
            work: |_, _| Err(Error::Missing("it".to_owned())),
        }
    }

    #[test]
    fn a_ratio_is_that_of_neighbours() {
        let figures = figures();
        assert_eq!(figures.of_native(&figures.km), Some(0.5));
    }

    #[test]
    fn a_row_has_as_many_cells_as_the_heading() {
        let (row, none) = (figures().row(&app()), row_without_figures(&app()));
        assert_eq!(
            row,
            "| It (`it`) | 100 | 50 | – | 0.50 | – | 2.00 | 2.10 | 0.00 |"
        );
        for line in HEADING.lines() {
            assert_eq!(line.matches('|').count(), row.matches('|').count());
            assert_eq!(line.matches('|').count(), none.matches('|').count());
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(
            figures().notes(&app()),
            ["it, runsc: runsc is not installed"]
        );
    }
}
