//! Measures servers and other real programs of the distribution, natively and
//! under km, each driven in the same way: operations a second, and how often an
//! operation leaves the virtual machine.

mod app;
mod programs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use serde_json::{Value, json};

use app::{App, Error, Starter};
use programs::APPS;

/// Measures real programs natively and under km, in turns.
///
/// Exit codes: 0 all that is installed was measured; 1 a run failed; 2 wrong use.
#[derive(Debug, Parser)]
#[command(name = "km-bench-apps", version)]
struct Options {
    /// Only these; the names are in the table
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = APPS.map(|app| app.name))]
    only: Vec<String>,

    /// Runs of each kind
    #[arg(long, default_value_t = 3)]
    rounds: u32,

    /// Where the figures go, with every single sample
    #[arg(long, value_name = "PATH", default_value = "build/bench-apps.json")]
    json: PathBuf,

    /// The km to measure [default: the one built next to this program]
    #[arg(long, value_name = "PATH")]
    km: Option<PathBuf>,
}

/// What came of one program.
struct Figures {
    native: Vec<f64>,
    km: Vec<f64>,
    exits: f64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let own = || Some(std::env::current_exe().ok()?.with_file_name("km"));
    let Some(km) = options.km.clone().or_else(own).filter(|km| km.is_file()) else {
        eprintln!("km-bench-apps: km is not built, or --km names no file");
        return ExitCode::from(2);
    };
    let mut rows = Vec::new();
    let mut failed = false;
    println!("| program (`--only`) | native, 1/s | km, 1/s | of native | exits an operation |");
    println!("|---|---:|---:|---:|---:|");
    for app in &APPS {
        if !options.only.is_empty() && !options.only.iter().any(|name| name == app.name) {
            continue;
        }
        match measure(app, &km, options.rounds) {
            Ok(figures) => {
                println!("{}", row(app, &figures));
                rows.push(row_json(app, &figures));
            }
            Err(Error::Missing(what)) => println!("| {} | not installed: {what} | | | |", app.name),
            Err(error) => {
                failed = true;
                println!("| {} | failed: {error} | | | |", app.name);
            }
        }
    }
    if let Err(error) = write(&options.json, &json!({ "apps": rows })) {
        eprintln!("km-bench-apps: {}: {error}", options.json.display());
        return ExitCode::from(2);
    }
    ExitCode::from(u8::from(failed))
}

/// Natively and under km in turns; then twice with counters, so that the exits
/// of start and end can be taken off.
fn measure(app: &App, km: &Path, rounds: u32) -> Result<Figures, Error> {
    app.check_installed()?;
    eprintln!("measuring: {}", app.title);
    let (native, under_km) = (Starter::native(), Starter::km(km));
    let mut figures = Figures {
        native: Vec::new(),
        km: Vec::new(),
        exits: 0.0,
    };
    for _ in 0..rounds {
        figures.native.push(app.run(&native, app.operations)?.rate);
        figures.km.push(app.run(&under_km, app.operations)?.rate);
    }
    let counted = Starter::counting(km);
    let few = app.operations / 10;
    let exits = |operations| Ok(app.run(&counted, operations)?.exits);
    let (all, start) = (exits(app.operations)?, exits(few)?);
    figures.exits = (all - start) / f64::from(app.operations - few);
    Ok(figures)
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median of the ratios of neighbours.
fn ratio(figures: &Figures) -> f64 {
    let pairs = figures.native.iter().zip(&figures.km);
    median(&pairs.map(|(native, km)| km / native).collect::<Vec<_>>())
}

fn row(app: &App, figures: &Figures) -> String {
    let number = |value: f64| {
        let places = if value < 10.0 { 2 } else { 0 };
        format!("{value:.places$}")
    };
    format!(
        "| {} (`{}`) | {} | {} | {:.2} | {} |",
        app.title,
        app.name,
        number(median(&figures.native)),
        number(median(&figures.km)),
        ratio(figures),
        number(figures.exits),
    )
}

fn row_json(app: &App, figures: &Figures) -> Value {
    json!({
        "name": app.name,
        "title": app.title,
        "operations": app.operations,
        "native_per_second": figures.native,
        "km_per_second": figures.km,
        "ratio": ratio(figures),
        "exits_per_operation": figures.exits,
    })
}

fn write(path: &Path, value: &Value) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, format!("{value:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_of_neighbours() {
        let figures = Figures {
            native: vec![100.0, 10.0, 1000.0],
            km: vec![50.0, 6.0, 400.0],
            exits: 1.0,
        };
        assert!((ratio(&figures) - 0.5).abs() < 1e-9);
    }
}
