//! Measures servers and other real programs of the distribution, natively, under km and under
//! gVisor, each driven in the same way: operations a second, the system calls that an operation
//! makes, and how often it leaves the virtual machine.

mod app;
mod figures;
mod programs;
mod starter;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use km_bench::bare::{BareVm, Error as BareError, Registers};
use km_bench::image::Trap;
use km_bench::report::{Host, chain, write_json};
use km_bench::sample::median;
use serde_json::json;

use app::{App, Error, Load, Place};
use figures::{Column, Figures};
use programs::APPS;
use starter::{Counts, Starter};

/// The length of a run in seconds.
const RUN: f64 = 1.0;
const QUICK_RUN: f64 = 0.3;
/// Of the two runs whose difference is counted.
const COUNTED_RUNS: [f64; 2] = [0.2, 2.0];

/// Measures real programs natively, under km and under runsc, in turns.
///
/// Prints a table in Markdown. Exit codes: 0 all that is installed was measured; 1 a run natively
/// or under km failed; 2 wrong use.
#[derive(Debug, Parser)]
#[command(name = "km-bench-apps", version)]
struct Options {
    /// Only these; the names are in the table
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = APPS.map(|app| app.name))]
    only: Vec<String>,

    /// Runs of each kind, of a second each
    #[arg(long, default_value_t = 3)]
    rounds: u32,

    /// One short run of each kind
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,

    /// Where the figures go, with every single sample
    #[arg(long, value_name = "PATH", default_value = "build/bench-apps.json")]
    json: PathBuf,

    /// The km to measure [default: the one built next to this program]
    #[arg(long, value_name = "PATH")]
    km: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let own = || Some(std::env::current_exe().ok()?.with_file_name("km"));
    let Some(km) = options.km.clone().or_else(own).filter(|km| km.is_file()) else {
        eprintln!("km-bench-apps: km is not built, or --km names no file");
        return ExitCode::from(2);
    };
    let place = match Place::new() {
        Ok(place) => place,
        Err(error) => {
            eprintln!("km-bench-apps: {error}");
            return ExitCode::from(2);
        }
    };
    let mut round_trips = RoundTrips::default();
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    let mut failed = false;
    println!("{}", figures::HEADING);
    for app in &APPS {
        if !options.only.is_empty() && !options.only.iter().any(|name| name == app.name) {
            continue;
        }
        eprintln!("measuring: {}", app.title);
        round_trips.sample();
        match measure(app, &place, &km, &options) {
            Ok(figures) => {
                println!("{}", figures.row(app));
                notes.extend(figures.notes(app));
                rows.push(figures.json(app));
            }
            Err(error) => {
                failed |= !matches!(error, Error::Missing(_));
                println!("{}", figures::row_without_figures(app));
                notes.push(format!("{}: {error}", app.name));
            }
        }
    }
    let host = Host::describe(round_trips.describe());
    println!(
        "\n{}, {} CPUs, Linux {}, KVM: {}",
        host.cpu, host.cpus, host.kernel, host.kvm
    );
    for note in notes {
        println!("{note}");
    }
    let all = json!({
        "host": host,
        "quick": options.quick,
        "round_trip_ns": round_trips.samples,
        "apps": rows,
    });
    if let Err(error) = write_json(&options.json, &all) {
        eprintln!("km-bench-apps: {error}");
        return ExitCode::from(2);
    }
    ExitCode::from(u8::from(failed))
}

/// Natively, under km and under runsc in turns; then with counters.
fn measure(app: &App, place: &Place, km: &Path, options: &Options) -> Result<Figures, Error> {
    app.check_installed()?;
    let seconds = if options.quick { QUICK_RUN } else { RUN };
    let rounds = if options.quick { 1 } else { options.rounds };
    let mut columns = [
        Column::new(Ok(Starter::Native)),
        Column::new(Ok(Starter::Km(km.to_owned()))),
        Column::new(Starter::runsc()),
    ];
    for column in &mut columns {
        column.warm_up(app, place, seconds);
    }
    for _ in 0..rounds {
        for column in &mut columns {
            column.sample(app, place);
        }
    }
    let [native, km_column, runsc] = columns;
    let (native, under_km) = (native.samples?, km_column.samples?);
    let counted = |starter: &Starter, samples: &[f64]| {
        let rate = median(samples).unwrap_or_default();
        counts_per_operation(app, place, starter, rate)
    };
    Ok(Figures {
        runsc: runsc.samples,
        calls: Starter::watched().and_then(|starter| counted(&starter, &native)),
        exits: counted(&Starter::Counted(km.to_owned()), &under_km)?,
        native,
        km: under_km,
    })
}

/// The difference of two runs, so that start and end do not count.
fn counts_per_operation(
    app: &App,
    place: &Place,
    starter: &Starter,
    rate: f64,
) -> Result<Counts, Error> {
    let run = |seconds| app.run_counted(place, starter, Load::lasting(seconds, rate));
    let [short, long] = COUNTED_RUNS;
    let ((fewer_operations, fewer), (operations, counts)) = (run(short)?, run(long)?);
    Ok(counts.per_operation(&fewer, operations - fewer_operations))
}

/// Those of the bare VM, over the time of all measurements.
#[derive(Default)]
struct RoundTrips {
    samples: Vec<f64>,
    error: Option<String>,
    entry: &'static str,
}

impl RoundTrips {
    fn sample(&mut self) {
        let mut once = || -> Result<(), BareError> {
            let mut vm = BareVm::new(Trap::SyscallOut, Registers::Synced)?;
            self.entry = vm.entry().name();
            self.samples
                .push(vm.round_trip(Duration::from_millis(100))?);
            Ok(())
        };
        if let Err(error) = once() {
            self.error = Some(chain(&error));
        }
    }

    fn describe(&self) -> String {
        match (median(&self.samples), &self.error) {
            (Some(ns), None) => format!("{}, a round trip takes {:.0} µs", self.entry, ns / 1e3),
            (_, Some(why)) => why.clone(),
            (None, None) => "not measured".to_owned(),
        }
    }
}
