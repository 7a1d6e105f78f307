//! What the security module costs: its requests beside a round trip, and beside
//! the signature that a document needs.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Instant, SystemTime};

use clap::Parser;
use km_bench::sample::median;
use km_nsm::authority::Authority;
use p384::ecdsa::signature::Signer;
use p384::ecdsa::{Signature, SigningKey};

/// Measures requests to the emulated security module.
#[derive(Debug, Parser)]
struct Options {
    /// The monitor.
    #[arg(long, default_value = "target/x86_64-unknown-linux-gnu/release/km")]
    km: PathBuf,
    /// The program that asks.
    #[arg(long, default_value = "build/bench/nsm")]
    guest: PathBuf,
    /// How often everything is measured, in turns.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

/// Requests in a row.
const REQUESTS: u32 = 100;
/// As long as a document's content.
const CONTENT: [u8; 3000] = [0x5a; 3000];

fn main() -> ExitCode {
    let options = Options::parse();
    match measure(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("km-bench-nsm: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<(), String> {
    let authority = std::env::temp_dir().join(format!("km-bench-nsm.{}", std::process::id()));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Authority::create(&authority, now.unwrap_or_default()).map_err(|error| error.to_string())?;
    let figures = rounds(options, &authority);
    // It is only in the way.
    let _ = std::fs::remove_dir_all(&authority);
    let [trip, random, attestation, signature] = figures?;
    println!("round trip                {:8.1} us", trip / 1e3);
    println!("GetRandom                 {:8.1} us", random / 1e3);
    println!("P-384 signature, natively {:8.1} us", signature / 1e3);
    println!("Attestation               {:8.1} us", attestation / 1e3);
    println!(
        "GetRandom / round trip    {:8.2}    at most 1.3",
        random / trip
    );
    let ratio = (attestation - trip) / signature;
    println!("(Attestation - round trip) / signature {ratio:.2}, at most 3");
    Ok(())
}

/// Medians of the round trip, a random number, a document and a signature, in
/// nanoseconds.
fn rounds(options: &Options, authority: &Path) -> Result<[f64; 4], String> {
    let mut samples: [Vec<f64>; 4] = Default::default();
    for _ in 0..options.rounds {
        let ask = |what| ask(options, authority, what);
        let round = [ask("getppid")?, ask("random")?, ask("attest")?, sign()?];
        for (samples, sample) in samples.iter_mut().zip(round) {
            samples.push(sample);
        }
    }
    let medians = samples.map(|samples| median(&samples).unwrap_or_default());
    Ok(medians)
}

fn ask(options: &Options, authority: &Path, what: &str) -> Result<f64, String> {
    let output = Command::new(&options.km)
        .arg("--nsm=emulated")
        .arg("--nsm-ca")
        .arg(authority)
        .arg(&options.guest)
        .args([what, &REQUESTS.to_string()])
        .output();
    let output = output.map_err(|error| format!("{}: {error}", options.km.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .map_err(|_| format!("{what}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// A signature by a key that is at hand.
fn sign() -> Result<f64, String> {
    let key = SigningKey::from_slice(&[7; 48]).map_err(|error| error.to_string())?;
    let start = Instant::now();
    for _ in 0..REQUESTS {
        let signature: Signature = key.sign(&CONTENT);
        std::hint::black_box(signature);
    }
    Ok(start.elapsed().as_nanos() as f64 / f64::from(REQUESTS))
}
