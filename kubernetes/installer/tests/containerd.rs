//! What the real containerd makes of the configurations.

mod node;

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use node::Node;

const CONFIG: &str = "/etc/containerd/config.toml";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let missing = Command::new("containerd")
        .arg("--version")
        .output()
        .is_err();
    let trials = [
        ("no-configuration", None),
        ("empty", Some("")),
        ("only-a-version", Some("version = 2\n")),
        (
            "another-runtime",
            Some(
                "version = 2\n\
                 [plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc]\n\
                 runtime_type = 'io.containerd.runc.v2'\n\
                 [plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc.options]\n\
                 SystemdCgroup = true\n",
            ),
        ),
    ];
    let trials = trials.map(|(name, text)| {
        let trial = Trial::test(format!("containerd::{name}"), move || dumped(text));
        trial.with_ignored_flag(missing)
    });
    if missing && !arguments.list {
        println!("skipped: containerd::*: containerd is not installed");
    }
    libtest_mimic::run(&arguments, trials.into()).exit_code()
}

/// containerd itself says what it has read.
fn dumped(text: Option<&str>) -> Result<(), Failed> {
    let node = Node::new();
    node.write("/etc/containerd/other", "");
    if let Some(text) = text {
        node.write(CONFIG, text);
    }
    node.does(&["install", "--runtime=containerd", "--no-restart"]);
    let output = Command::new("containerd")
        .arg("--config")
        .arg(node.path(CONFIG))
        .args(["config", "dump"])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let config: toml::Table = String::from_utf8(output.stdout)?.parse()?;
    let plugins = &config["plugins"];
    let cri = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"]
        .iter()
        .find_map(|name| plugins.get(name)?.get("containerd"))
        .ok_or("no runtimes")?;
    let runtimes = &cri["runtimes"];
    let runc = runtimes.get("runc").ok_or("runc is lost")?;
    let krun = runtimes.get("krun").ok_or("krun is not there")?;
    let name = krun["options"]["BinaryName"].as_str();
    if name != Some("/opt/kontain/bin/krun") {
        return Err(format!("BinaryName is {name:?}").into());
    }
    if krun["runtime_type"] != runc["runtime_type"] {
        return Err("it is another kind of runtime than runc".into());
    }
    let systemd = |runtime: &toml::Value| {
        let value = runtime["options"].get("SystemdCgroup")?;
        value.as_bool()
    };
    if systemd(krun).unwrap_or(false) != systemd(runc).unwrap_or(false) {
        return Err("their cgroups are made in two ways".into());
    }
    if krun["pod_annotations"][0].as_str() != Some("app.kontain.*") {
        return Err("the annotations are not passed on".into());
    }
    Ok(())
}
