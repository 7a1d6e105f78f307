//! Measures km: side by side with native runs, against the floor that KVM sets, and against what
//! other sandboxes are installed.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;
use km_bench::bare::{BareVm, Registers};
use km_bench::image::Trap;
use km_bench::measures::MEASURES;
use km_bench::process_floors::BARE_PROCESS;
use km_bench::report::{Host, chain, write_json};
use km_bench::runner::Runner;
use km_bench::session::{DataFile, Outcome, Session};
use km_bench::target::{FLOOR, KM, NATIVE, ROUND_TRIP, RUNTIME};
use km_bench::{costs, process_floors, report};
use serde_json::json;

/// A run failed or printed something else than it should.
const EXIT_FAILED: u8 = 1;
/// Wrong use, or files that cannot be written (clap ends with the same code).
const EXIT_USAGE: u8 = 2;
/// Not all could be measured: no `/dev/kvm`, or no km.
const EXIT_INCOMPLETE: u8 = 3;

/// Set for the copy of this program that has its own view of the cgroup file system.
const PRIVATE_MOUNTS: &str = "KM_BENCH_PRIVATE_MOUNTS";

/// Measures km against native runs, the floor that KVM sets, and other sandboxes.
///
/// Runs take turns, and ratios are medians of the ratios of neighbours, so that a machine whose
/// speed drifts does not change them. Whether a target is met is shown, never an error.
///
/// Exit codes: 0 all was measured; 1 a run under km or natively failed; 2 wrong use; 3 not
/// all was measured: km, /dev/kvm or a payload is not there.
#[derive(Debug, Parser)]
#[command(name = "km-bench", version)]
struct Options {
    /// Fewer and shorter runs
    #[arg(long)]
    quick: bool,

    /// Only these measures; the names are in the JSON file
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        value_parser = MEASURES.map(|measure| measure.name)
    )]
    only: Vec<String>,

    /// Where the figures go, with every single sample
    #[arg(long, value_name = "PATH", default_value = "build/bench.json")]
    json: PathBuf,

    /// The km to measure [default: the one built next to this program]
    #[arg(long, value_name = "PATH")]
    km: Option<PathBuf>,

    /// Where the guest programs are
    #[arg(long, value_name = "DIRECTORY", default_value = "build/bench")]
    guests: PathBuf,

    /// Where the payloads are
    #[arg(long, value_name = "DIRECTORY", default_value = "build/payloads")]
    payloads: PathBuf,

    /// Where the file to be read and written is made [default: /dev/shm]
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,

    /// In place of km, measure what KVM itself costs on this host
    #[arg(long)]
    kvm_costs: bool,
}

fn main() -> ExitCode {
    // Before the options are looked at, as that would count as part of the floor.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == BARE_PROCESS)
    {
        return process_floors::main(std::env::args().skip(2));
    }
    let options = Options::parse();
    if options.kvm_costs {
        return kvm_costs(&options);
    }
    let peers = Runner::peers();
    if peers.iter().any(|peer| matches!(peer, Runner::Crun(_))) {
        enter_private_mounts();
    }
    measure(&options, peers)
}

fn measure(options: &Options, peers: Vec<Runner>) -> ExitCode {
    let mut incomplete = Vec::new();
    let (kvm, described) = match BareVm::new(Trap::SyscallOut, Registers::Synced) {
        Ok(vm) => (true, vm.entry().name().to_owned()),
        Err(error) => {
            let why = chain(&error);
            incomplete.push(format!("km and its floors were not measured: {why}"));
            (false, why)
        }
    };
    let km = options.km.clone().or_else(|| {
        let own = std::env::current_exe().ok()?;
        Some(own.with_file_name("km"))
    });
    let km = km.filter(|path| path.is_file());
    if km.is_none() {
        incomplete.push("km was not measured: it is not built, or --km names no file".to_owned());
    }
    let peer_names: Vec<_> = peers.iter().map(Runner::name).collect();
    let scratch = match make_scratch(&options.guests) {
        Ok(scratch) => scratch,
        Err(error) => return fail(EXIT_USAGE, &error),
    };
    let session = Session {
        quick: options.quick,
        guests: options.guests.clone(),
        payloads: options.payloads.clone(),
        scratch,
        km: km.filter(|_| kvm),
        kvm,
        peers,
        data: DataFile::new(options.data.clone()),
    };

    let mut outcomes = Vec::new();
    for measure in &MEASURES {
        if !options.only.is_empty() && !options.only.iter().any(|name| name == measure.name) {
            continue;
        }
        if !session.has_program(measure) {
            let why = format!(
                "{} was not measured: its program is not built",
                measure.name
            );
            incomplete.push(why);
            continue;
        }
        eprintln!("measuring: {}", measure.title);
        match session.measure(measure) {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => return fail(EXIT_USAGE, &format!("{}: {error}", measure.name)),
        }
    }
    let host = Host::describe(described);
    println!("\n{}", report::table(&outcomes, &peer_names));
    println!(
        "{}, {} CPUs, Linux {}, KVM: {}",
        host.cpu, host.cpus, host.kernel, host.kvm
    );
    if let Err(error) = write_json(
        &options.json,
        &report::json(&host, options.quick, &outcomes),
    ) {
        return fail(EXIT_USAGE, &error);
    }
    for line in &incomplete {
        eprintln!("km-bench: {line}");
    }
    if outcomes.iter().any(went_wrong) {
        return ExitCode::from(EXIT_FAILED);
    }
    if !incomplete.is_empty() {
        return ExitCode::from(EXIT_INCOMPLETE);
    }
    ExitCode::SUCCESS
}

/// Other sandboxes may fail; native runs, km and the floors may not. Where the CPU has what the
/// guest needs, km must have it as well.
fn went_wrong(outcome: &Outcome) -> bool {
    let skipped_natively = outcome.column(NATIVE).is_some_and(|native| native.skipped);
    [NATIVE, KM, RUNTIME, FLOOR, ROUND_TRIP]
        .into_iter()
        .any(|name| {
            outcome.column(name).is_some_and(|column| {
                column.samples.is_err() && !(column.skipped && skipped_natively)
            })
        })
}

fn kvm_costs(options: &Options) -> ExitCode {
    let rounds = if options.quick { 10 } else { 40 };
    let setup = match costs::setup(rounds) {
        Ok(setup) => setup,
        Err(error) => return fail(EXIT_INCOMPLETE, &chain(&error)),
    };
    let mut all = costs::hypercalls(rounds);
    all.extend(setup);
    println!("{}", report::cost_table(&all));
    match write_json(&options.json, &json!({ "kvm_costs": all })) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(EXIT_USAGE, &error),
    }
}

fn make_scratch(guests: &Path) -> Result<PathBuf, String> {
    // Container runtimes want absolute paths.
    let scratch = guests
        .canonicalize()
        .map_err(|error| {
            format!(
                "{}: {error} (make bench builds the guests)",
                guests.display()
            )
        })?
        .join("scratch");
    fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    Ok(scratch)
}

/// crun wants `/sys/fs/cgroup` to be of one kind. Where the host mixes both, this program starts
/// again in a mount namespace of its own with the newer kind there. Where that is not possible
/// (it takes privileges), all stays as it is, and crun's column says what crun says.
fn enter_private_mounts() {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let pure = mounts
        .lines()
        .any(|line| line.contains(" /sys/fs/cgroup cgroup2 "));
    if pure || std::env::var_os(PRIVATE_MOUNTS).is_some() {
        return;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        command
    };
    let mount = "mount -t cgroup2 cgroup2 /sys/fs/cgroup";
    let possible = unshare()
        .args(["sh", "-c", &format!("{mount} 2>/dev/null")])
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let Ok(own) = std::env::current_exe() else {
        return;
    };
    if possible {
        // Only returns where it fails, and then all stays as it is.
        let error = unshare()
            .args(["sh", "-c", &format!("{mount} && exec \"$0\" \"$@\"")])
            .arg(own)
            .args(std::env::args_os().skip(1))
            .env(PRIVATE_MOUNTS, "1")
            .exec();
        eprintln!("km-bench: unshare: {error}");
    }
}

fn fail(code: u8, why: &str) -> ExitCode {
    eprintln!("km-bench: {why}");
    ExitCode::from(code)
}
