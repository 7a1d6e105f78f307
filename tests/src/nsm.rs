//! The security module: what a run with one needs, which is options and a
//! certificate authority in the scratch directory, and trials of what it
//! answers and of the commands around it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use km_nsm::authority::Authority;
use km_nsm::message::{Options, Request, Response};
use libtest_mimic::{Completion, Failed, Trial};
use serde_json::Value;

use crate::case::Session;
use crate::guest::LINKS;
use crate::job::{Content, End, File, Job, Outcome};
use crate::locations::Locations;
use crate::process;

/// The authority's name in the scratch directory.
const DIRECTORY: &str = "authority";

/// km's options for a module of this mode.
pub fn options(mode: &str) -> Vec<String> {
    vec![format!("--nsm={mode}"), format!("--nsm-ca={DIRECTORY}")]
}

/// The files of an authority, the same for all runs; none where it cannot be
/// made, which the runs tell.
pub fn files() -> Vec<File> {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(|| make().unwrap_or_default()).clone()
}

fn make() -> Option<Vec<File>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let name = format!("km-tests-authority.{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    Authority::create(&directory, now.ok()?).ok()?;
    let read = read(&directory);
    // It is only in the way.
    let _ = fs::remove_dir_all(&directory);
    read
}

fn read(directory: &Path) -> Option<Vec<File>> {
    let entries = fs::read_dir(directory).ok()?;
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.ok()?.path();
        Some(File {
            name: format!("{DIRECTORY}/{}", path.file_name()?.to_str()?),
            content: fs::read(&path).ok()?,
            mode: fs::metadata(&path).ok()?.permissions().mode() & 0o7777,
        })
    };
    entries.map(file).collect()
}

/// Where the protocol's vectors are, for who has them.
const VECTORS: &str = "../shared/nsm/vectors.json";

/// Fails a trial, with what came of the run.
macro_rules! check {
    ($outcome:expr, $condition:expr) => {
        if !$condition {
            let text = String::from_utf8_lossy(&$outcome.stdout);
            let errors = String::from_utf8_lossy(&$outcome.stderr);
            return Err(format!(
                "not so: {}\n{}\n{text}\n{errors}",
                stringify!($condition),
                $outcome.end
            )
            .into());
        }
    };
}

type Check = fn(&Bench) -> Result<(), Failed>;

const CHECKS: &[(&str, Check)] = &[
    ("a-launch-is-measured", launch_is_measured),
    (
        "what-is-measured-changes-the-registers",
        changes_are_measured,
    ),
    ("debugging-zeroes-the-registers", debugging_shows),
    ("a-signed-program", signed_program),
    ("a-document-holds", document_holds),
    ("without-one", without),
    ("what-cannot-be", refusals),
];

/// The trials.
pub fn trials(session: &Arc<Session>, locations: &Locations) -> Vec<Trial> {
    let bench = |session: &Session, name: &str, link: &str| Bench {
        km: session.km.to_string_lossy().into_owned(),
        guest: locations.guests().join(link).join("nsm_ask"),
        scratch: session.scratch.join(format!("nsm-{name}")),
    };
    let check = |(name, check): &(&'static str, Check)| {
        let (name, check) = (*name, *check);
        let bench = bench(session, name, "static-musl");
        session.kvm_trial(format!("nsm::{name}::kvm"), move |_| {
            check(&bench)?;
            Ok(Completion::Completed)
        })
    };
    let vectors = locations.root.join(VECTORS);
    let vectors_of = |link: &&'static str| {
        let bench = bench(session, link, link);
        let (name, path) = (format!("nsm::vectors::{link}::kvm"), vectors.clone());
        session.kvm_trial(name.clone(), move |session| {
            let Ok(text) = fs::read_to_string(&path) else {
                return Ok(session.skip(&name, "the protocol's vectors are not here"));
            };
            let vectors = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            for way in ["ioctl", "call"] {
                session_of_vectors(&bench, &vectors, way)?;
                odd_vectors(&bench, &vectors, way)?;
            }
            Ok(Completion::Completed)
        })
    };
    let checks = CHECKS.iter().map(check);
    checks.chain(LINKS.iter().map(vectors_of)).collect()
}

/// A monitor and a program that asks.
struct Bench {
    km: String,
    guest: PathBuf,
    scratch: PathBuf,
}

impl Bench {
    fn run(&self, args: &[&str], stdin: &str) -> Outcome {
        let job = Job {
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            stdin: Some(stdin.into()),
            files: files(),
            ..Job::new(self.km.clone())
        };
        process::run(&job, &self.scratch)
    }

    fn guest(&self) -> &str {
        self.guest.to_str().unwrap_or_default()
    }

    /// Asks a module that km is given these options for.
    fn ask(&self, options: &[&str], requests: &[Request]) -> Outcome {
        let lines = requests.iter().map(|request| hex(&request.encode()) + "\n");
        let args = [EMULATED, options, &[self.guest(), "ioctl"]].concat();
        self.run(&args, &lines.collect::<String>())
    }

    /// The registers that `km measure` prints.
    fn measured(&self, args: &[&str]) -> Result<Registers, Failed> {
        let args = [&["measure", AUTHORITY], args].concat();
        let outcome = self.run(&args, "");
        check!(outcome, outcome.end == End::Exit(0));
        let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
        let line = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            let index = name.strip_prefix("PCR")?.parse().ok()?;
            Some((index, value.to_owned()))
        };
        Ok(text.lines().filter_map(line).collect())
    }
}

const AUTHORITY: &str = "--nsm-ca=authority";
const EMULATED: &[&str] = &["--nsm=emulated", AUTHORITY];

/// Index and value.
type Registers = Vec<(u16, String)>;

fn value(registers: &Registers, index: u16) -> &str {
    let found = registers.iter().find(|(other, _)| *other == index);
    found.map_or("", |(_, value)| value)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(digits: &str) -> Vec<u8> {
    let pair = |at| digits.get(at..at + 2);
    let pairs = (0..digits.len()).step_by(2).filter_map(pair);
    pairs
        .filter_map(|p| u8::from_str_radix(p, 16).ok())
        .collect()
}

fn lines(outcome: &Outcome) -> Vec<String> {
    let text = String::from_utf8_lossy(&outcome.stdout);
    text.lines().map(str::to_owned).collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn each<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
    vectors[name].as_array().map_or(&[], Vec::as_slice)
}

/// Each entry of a list of the vectors', and what a fresh module answers to its request.
fn answered<'a>(
    bench: &Bench,
    entries: &'a [Value],
    way: &str,
) -> Result<Vec<(&'a Value, String)>, Failed> {
    let requests = entries
        .iter()
        .map(|entry| text(entry, "request_hex").to_owned() + "\n");
    let args = [EMULATED, &[bench.guest(), way]].concat();
    let outcome = bench.run(&args, &requests.collect::<String>());
    let answers = lines(&outcome);
    check!(
        outcome,
        !entries.is_empty() && answers.len() == entries.len()
    );
    Ok(entries.iter().zip(answers).collect())
}

/// The vectors' session with a fresh module.
fn session_of_vectors(bench: &Bench, vectors: &Value, way: &str) -> Result<(), Failed> {
    let steps = each(vectors, "session_on_fresh_device");
    for (step, answer) in answered(bench, steps, way)? {
        let wanted = text(step, "response_hex");
        if !wanted.is_empty() {
            if answer != wanted {
                return Err(format!("{way}: {step}: {answer}").into());
            }
            continue;
        }
        let is_right = match Response::decode(&bytes(&answer)) {
            Ok(Response::DescribeNsm(about)) => about.locked_pcrs == Vec::from_iter(0..16),
            Ok(Response::Attestation { document }) => document.len() > 5000,
            Ok(Response::GetRandom { random }) => random.len() == 256,
            _ => false,
        };
        if !is_right {
            return Err(format!("{way}: {step}: {answer}").into());
        }
    }
    Ok(())
}

/// The vectors' malformed and odd inputs.
fn odd_vectors(bench: &Bench, vectors: &Value, way: &str) -> Result<(), Failed> {
    const EINVAL: &str = "error 22";
    const EMSGSIZE: &str = "error 90";
    let inputs = each(vectors, "robustness");
    for (input, answer) in answered(bench, inputs, way)? {
        let expect = text(input, "expect");
        let error = |name: &str| matches!(Response::decode(&bytes(&answer)), Ok(Response::Error(code)) if code.name() == name);
        let is_right = if expect.contains("EINVAL") {
            answer == EINVAL
        } else if expect.contains("EMSGSIZE") {
            answer == EMSGSIZE
        } else if expect.contains("InvalidOperation") {
            error("InvalidOperation")
        } else if expect.contains("InvalidIndex") {
            error("InvalidIndex")
        } else {
            let answer = Response::decode(&bytes(&answer));
            matches!(answer, Ok(answer) if !matches!(answer, Response::Error(_)))
        };
        if !is_right {
            return Err(format!("{way}: {input}: {answer}").into());
        }
    }
    Ok(())
}

/// The values of these registers, as the payload is told them.
fn told(outcome: &Outcome) -> Vec<String> {
    let register = |line: &String| match Response::decode(&bytes(line)) {
        Ok(Response::DescribePcr { data, .. }) => hex(&data),
        _ => line.clone(),
    };
    lines(outcome).iter().map(register).collect()
}

fn describe(indices: &[u16]) -> Vec<Request> {
    let request = |index: &u16| Request::DescribePcr { index: *index };
    indices.iter().map(request).collect()
}

fn launch_is_measured(bench: &Bench) -> Result<(), Failed> {
    let indices = [0, 1, 2, 4];
    let measured = bench.measured(&[bench.guest(), "--", "ioctl"])?;
    let wanted: Vec<&str> = indices.iter().map(|i| value(&measured, *i)).collect();
    for _ in 0..2 {
        let outcome = bench.ask(&["--nsm-manifest=log"], &describe(&indices));
        check!(outcome, told(&outcome) == wanted && measured.len() == 4);
        let log = outcome.files.iter().find(|entry| entry.path == "log");
        let log: Option<Value> = match log.map(|entry| &entry.content) {
            Some(Content::Bytes(text)) => serde_json::from_slice(text).ok(),
            _ => None,
        };
        let log = log.unwrap_or_default();
        for (index, value) in &measured {
            check!(outcome, log["pcrs"][index.to_string()] == *value);
        }
        for manifest in each(&log, "manifests") {
            let content = bytes(text(manifest, "cbor"));
            let digest = km_nsm::pcr::Digest::of([&content[..]]);
            check!(outcome, digest.to_string() == text(manifest, "sha384"));
        }
    }
    Ok(())
}

fn changes_are_measured(bench: &Bench) -> Result<(), Failed> {
    let guest = bench.guest();
    let plain = bench.measured(&["-e", "A=1", guest, "x"])?;
    let same = bench.measured(&["-e", "A=1", guest, "--", "x"])?;
    let differs = |args: &[&str], indices: &[u16]| -> Result<(), Failed> {
        let other = bench.measured(args)?;
        for index in [0, 1, 2, 3] {
            let differs = value(&other, index) != value(&plain, index);
            if differs != indices.contains(&index) {
                return Err(format!("{args:?}: PCR{index}").into());
            }
        }
        Ok(())
    };
    if plain != same {
        return Err("it is not the same twice".into());
    }
    differs(&["-e", "A=2", guest, "x"], &[0, 2])?;
    differs(&["-e", "A=1", guest, "y"], &[0, 2])?;
    differs(&["-e", "A=1", guest, "x", "y"], &[0, 2])?;
    differs(&["-e", "A=1", "--memory", "1G", guest, "x"], &[0, 1])?;
    differs(&["-e", "A=1", "--nsm-role", "r", guest, "x"], &[3])?;
    differs(
        &["-e", "A=1", "--nsm-files", "authority", guest, "x"],
        &[0, 2],
    )?;
    differs(
        &[
            "-e",
            "A=1",
            "-e",
            "B=1",
            "--nsm-env-exclude",
            "B",
            guest,
            "x",
        ],
        &[0, 2],
    )?;
    let one = bench.measured(&["-e", "B=1", "--nsm-env-exclude", "B", guest])?;
    let other = bench.measured(&["-e", "B=2", "--nsm-env-exclude", "B", guest])?;
    if one != other {
        return Err("what is excluded is measured".into());
    }
    // Another program: one byte more.
    let mut program = fs::read(&bench.guest).map_err(|error| error.to_string())?;
    let measure = |program: &[u8]| {
        let copy = File {
            name: "copy".to_owned(),
            content: program.to_vec(),
            mode: 0o755,
        };
        let args = ["measure", AUTHORITY, "-e", "A=1", "./copy"];
        let job = Job {
            args: args.map(str::to_owned).to_vec(),
            files: files().into_iter().chain([copy]).collect(),
            ..Job::new(bench.km.clone())
        };
        lines(&process::run(&job, &bench.scratch))
    };
    let before = measure(&program);
    program.push(0);
    let after = measure(&program);
    let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
    if before.len() != 4 || changed != 2 {
        return Err(format!("{before:?}\n{after:?}").into());
    }
    Ok(())
}

fn debugging_shows(bench: &Bench) -> Result<(), Failed> {
    let zero = "0".repeat(96);
    for option in ["--strace", "--dump-shutdown"] {
        let outcome = bench.ask(&[option], &describe(&[0, 1, 2, 8, 4]));
        let told = told(&outcome);
        check!(
            outcome,
            told.len() == 5 && told[..4].iter().all(|v| *v == zero)
        );
        check!(outcome, told[4] != zero);
    }
    Ok(())
}

fn signed_program(bench: &Bench) -> Result<(), Failed> {
    let script = "set -e; km=$1; guest=$2; \
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -subj /CN=signer \
            -keyout key -out certificate 2>/dev/null; \
        openssl dgst -sha384 -sign key -out signature \"$guest\"; \
        openssl dgst -sha384 -sign key -out other /etc/passwd; \
        $km measure --nsm-ca=authority --nsm-signer certificate --nsm-signature signature \"$guest\"; \
        if $km measure --nsm-signer certificate --nsm-signature other \"$guest\" 2>message; then exit 1; fi; \
        grep -c 'not of this program' message; rm key certificate signature other message";
    let args = ["-c", script, "sh", &bench.km, bench.guest()];
    let job = Job {
        args: args.map(str::to_owned).to_vec(),
        files: files(),
        ..Job::new("/bin/sh")
    };
    let outcome = process::run(&job, &bench.scratch);
    let lines = lines(&outcome);
    check!(outcome, outcome.end == End::Exit(0));
    check!(outcome, lines.iter().any(|line| line.starts_with("PCR8 ")));
    check!(outcome, lines.last().is_some_and(|line| line == "1"));
    Ok(())
}

fn document_holds(bench: &Bench) -> Result<(), Failed> {
    let request = Request::Attestation(Options {
        nonce: Some(b"nonce".to_vec()),
        ..Options::default()
    });
    let register = Request::DescribePcr { index: 2 };
    let outcome = bench.ask(&[], &[request, register]);
    let answers = lines(&outcome);
    let [document, _] = answers.as_slice() else {
        return Err(format!("{answers:?}").into());
    };
    let Ok(Response::Attestation { document }) = Response::decode(&bytes(document)) else {
        return Err("no document".into());
    };
    let pcr = format!("2={}", told(&outcome)[1]);
    let document = hex(&document);
    let verify = |args: &[&str]| bench.run(&[&["verify", "-"], args].concat(), &document);
    let root = ["--dev-root", "authority/root.pem"];
    let nonce = ["--nonce", "6e6f6e6365"];
    let held = verify(&[&root[..], &nonce, &["--pcr", &pcr, "--max-age", "600"]].concat());
    check!(held, held.end == End::Exit(3));
    check!(
        held,
        String::from_utf8_lossy(&held.stdout).contains("EMULATED")
    );
    let json = verify(&[&root[..], &["--json"]].concat());
    let report: Value = serde_json::from_slice(&json.stdout).unwrap_or_default();
    check!(json, report["emulated"] == true && json.end == End::Exit(3));
    let zero = format!("2={}", "0".repeat(96));
    for (args, code) in [
        (&["--at-document-time"][..], 1),
        (&[&root[..], &["--nonce", "00"]].concat(), 1),
        (&[&root[..], &["--pcr", &zero]].concat(), 1),
        (&[&root[..], &["--pcr", "2"]].concat(), 2),
        (&["--dev-root", "missing"], 2),
        (&["--no-such-option"], 2),
    ] {
        let outcome = verify(args);
        check!(outcome, outcome.end == End::Exit(code));
    }
    Ok(())
}

/// Without the option, and for who has no authority of his own.
fn without(bench: &Bench) -> Result<(), Failed> {
    let outcome = bench.run(&[bench.guest(), "ioctl"], "");
    check!(outcome, outcome.stdout == b"open: error 2\n");
    let request = hex(&Request::GetRandom.encode());
    let outcome = bench.run(&[bench.guest(), "call"], &request);
    check!(outcome, outcome.stdout == b"error 19\n");
    let outcome = bench.run(&["--nsm=auto", AUTHORITY, bench.guest(), "call"], &request);
    check!(outcome, outcome.end == End::Exit(0));
    check!(
        outcome,
        Path::new("/dev/nsm").exists() || outcome.stdout.len() > 500
    );
    Ok(())
}

fn refusals(bench: &Bench) -> Result<(), Failed> {
    let guest = bench.guest();
    for (args, culprit) in [
        (
            &["--nsm=emulated", "--nsm-ca=missing", guest][..],
            "km nsm init",
        ),
        (
            &["--nsm=emulated", "--nsm-ca=/etc", guest],
            "/etc/intermediate.key",
        ),
        (&["--nsm=some", guest], "--nsm"),
        (&["--nsm-role=x", guest], "--nsm=MODE"),
        (&["--nsm=host", "--nsm-device=/missing", guest], "/missing"),
        (&["--nsm=host", "--nsm-device=/dev/null", guest], "--nsm"),
        (
            &["--nsm=emulated", AUTHORITY, "--nsm-files=missing", guest],
            "missing",
        ),
        (
            &["--nsm=emulated", AUTHORITY, "--nsm-signer=x", guest],
            "--nsm-signature",
        ),
        (
            &["--nsm=emulated", AUTHORITY, "--nsm-manifest=no/such", guest],
            "no/such",
        ),
        (&["nsm", "init", "--dir", "authority"], "authority"),
        (&["measure"], "no payload"),
    ] {
        let outcome = bench.run(args, "");
        let errors = String::from_utf8_lossy(&outcome.stderr).into_owned();
        check!(outcome, outcome.end == End::Exit(125));
        check!(
            outcome,
            errors.lines().count() == 1 && errors.contains(culprit)
        );
    }
    Ok(())
}
