//! Servers: a script of `tests/servers` each, which starts them, is their
//! client, and stops them; compilers, a script of `tests/toolchain` each, which
//! builds programs and runs them; clients of the security module, a script of
//! `tests/nsm` each; and containers, a script of `tests/containers` each. The
//! script itself always runs natively, in namespaces of its own; under km it is
//! told to start its servers, programs or containers by that.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::case::{Absence, Case, Host};
use crate::job::{End, Job};
use crate::locations::Locations;
use crate::machine::{NAMESPACES, is_need};

/// What comes first is used by the others.
const SHARED: &str = "lib.sh";
const SETTING: &str = "# km-test:";
/// Tells a script what starts a server.
const STARTER: &str = "RUN";
/// Tells it where km's C library and compilers are.
const RUNTIME: &str = "KONTAIN";
/// Tells it which monitor is to be installed and packed.
const MONITOR: &str = "KM";
/// Tells it where the OCI runtime under test is.
const CONTAINER_RUNTIME: &str = "KRUN";
/// Tells it where all is that was built.
const BUILT: &str = "BUILD";
/// How a need begins that is a path below that.
const NEED_BUILT: &str = "build/";
const TIMEOUT: Duration = Duration::from_secs(60);
/// With a daemon and all its containers.
const CONTAINER_TIMEOUT: Duration = Duration::from_secs(180);

/// The cases of all scripts, by name.
pub fn cases(locations: &Locations) -> io::Result<Vec<Case>> {
    let runtime = locations.build.join("kontain");
    let mut cases = Vec::new();
    for (kind, folder) in [
        ("server", "servers"),
        ("toolchain", "toolchain"),
        ("nsm", "nsm"),
        ("container", "containers"),
    ] {
        for path in scripts(&locations.root.join("tests").join(folder))? {
            let error = |reason| io::Error::other(format!("{}: {reason}", path.display()));
            let text = fs::read_to_string(&path)?;
            let mut case = parse(kind, &path, &text, &locations.build).map_err(error)?;
            let runtime = runtime.to_string_lossy().into_owned();
            if kind == "toolchain" {
                let monitor = locations.km.to_string_lossy().into_owned();
                case.job.env.push((MONITOR.into(), monitor));
            }
            if kind == "container" {
                let krun = locations.km.with_file_name("krun");
                let krun = krun.to_string_lossy().into_owned();
                case.job.env.push((CONTAINER_RUNTIME.into(), krun));
                case.job.timeout = CONTAINER_TIMEOUT;
            }
            if matches!(kind, "nsm" | "container") {
                let built = locations.build.to_string_lossy().into_owned();
                case.job.env.push((BUILT.into(), built));
            }
            case.job.env.push((RUNTIME.into(), runtime));
            cases.push(case);
        }
    }
    Ok(cases)
}

fn scripts(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut scripts: Vec<_> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    scripts.retain(|path| {
        path.extension().is_some_and(|extension| extension == "sh") && !path.ends_with(SHARED)
    });
    scripts.sort();
    Ok(scripts)
}

fn parse(kind: &str, path: &Path, text: &str, build: &Path) -> Result<Case, String> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let [program, options @ ..] = NAMESPACES;
    let script = path.to_string_lossy().into_owned();
    let mut args: Vec<String> = options.map(String::from).to_vec();
    args.extend(["/bin/bash".into(), script]);
    let mut job = Job {
        args,
        starter: Some(STARTER.into()),
        timeout: TIMEOUT,
        ..Job::new(program)
    };
    for setting in text.lines().filter_map(|line| line.strip_prefix(SETTING)) {
        match setting.trim().split_once('=') {
            Some(("needs", needs)) => {
                let place = |need: &str| match need.strip_prefix(NEED_BUILT) {
                    Some(path) => build.join(path).to_string_lossy().into_owned(),
                    None => need.into(),
                };
                job.needs = needs.split(',').map(place).collect();
            }
            _ => return Err(format!("what is {setting:?}?")),
        }
    }
    if let Some(need) = job.needs.iter().find(|need| !is_need(need)) {
        return Err(format!("{need:?} is not known here"));
    }
    Ok(Case {
        name: format!("{kind}::{name}"),
        job,
        truth: None,
        end: End::Exit(0),
        stdout: None,
        hosts: vec![Host::Native, Host::Kvm],
        absence: Absence::Skips(format!("{program} is not there")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_what_it_needs() {
        let text = "# About it.\n# km-test: needs=root,/usr/sbin/nginx,build/x/y\n. lib.sh\n";
        let build = Path::new("/b");
        let case = parse("server", Path::new("/t/nginx.sh"), text, build).expect("clear");
        assert_eq!(case.name, "server::nginx");
        assert_eq!(case.job.needs, ["root", "/usr/sbin/nginx", "/b/x/y"]);
        assert_eq!(case.job.args.last().expect("the script"), "/t/nginx.sh");
        for line in ["needs=luck", "colour=red"] {
            let text = format!("# km-test: {line}\n");
            assert!(parse("server", Path::new("x.sh"), &text, build).is_err());
        }
    }
}
