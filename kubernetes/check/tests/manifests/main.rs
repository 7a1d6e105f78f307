//! Every manifest is one that Kubernetes takes, and keeps what the
//! documentation promises of it.

mod api_server;
mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

const OVERLAYS: [&str; 3] = ["containerd", "cri-o", "k3s"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut trials = vec![
        Trial::test("schema::refuses", schema_refuses),
        Trial::test("examples::all", {
            let folder = folder.clone();
            move || examples(&folder)
        }),
    ];
    for file in files(&folder) {
        let name = file.strip_prefix(&folder).unwrap_or(&file);
        let name = format!("schema::{}", name.display());
        trials.push(Trial::test(name, move || {
            let text = fs::read_to_string(&file)?;
            lint(&text)?;
            // What is only a patch has no more than the fields it changes.
            documents(&text)?.iter().try_for_each(check)
        }));
    }

    let missing = Command::new("kubectl").arg("options").output().is_err();
    let mut builds = vec![folder.join("base"), folder.join("runtime")];
    builds.extend(OVERLAYS.map(|name| folder.join("overlays").join(name)));
    for build in builds {
        let name = build.strip_prefix(&folder).unwrap_or(&build);
        let name = format!("kustomize::{}", name.display());
        let trial = Trial::test(name, move || {
            let text = kustomize(&build)?;
            let documents = documents(&text)?;
            documents.iter().try_for_each(check)?;
            documents.iter().try_for_each(promises)?;
            api_server::create_dry(&text, documents.len())
        });
        trials.push(trial.with_ignored_flag(missing));
    }
    let examples = folder.join("examples");
    let trial = Trial::test("create::examples", move || {
        for file in files(&examples) {
            let text = fs::read_to_string(file)?;
            api_server::create_dry(&text, documents(&text)?.len())?;
        }
        Ok(())
    });
    trials.push(trial.with_ignored_flag(missing));
    if missing && !arguments.list {
        println!("skipped: kustomize::*, create::*: kubectl is not installed");
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// All YAML files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// How the files are written.
fn lint(text: &str) -> Result<(), Failed> {
    for (number, line) in text.lines().enumerate() {
        let ends_bare = line.trim_end() == line;
        if !ends_bare || line.contains('\t') || line.contains('\r') {
            return Err(format!("line {}: a tabulator, or spaces at its end", number + 1).into());
        }
    }
    if !text.ends_with('\n') || text.ends_with("\n\n") {
        return Err("it ends with one line end, no more".into());
    }
    Ok(())
}

fn documents(text: &str) -> Result<Vec<Value>, Failed> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    if documents.is_empty() {
        return Err("nothing is in it".into());
    }
    Ok(documents)
}

fn check(document: &Value) -> Result<(), Failed> {
    schema::check(document).map_err(Failed::from)
}

fn kustomize(folder: &Path) -> Result<String, Failed> {
    let output = Command::new("kubectl")
        .arg("kustomize")
        .arg(folder)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The schema check itself can fail.
fn schema_refuses() -> Result<(), Failed> {
    for (text, reason) in [
        (
            "apiVersion: v1\nkind: Pod\nspec: {contaners: []}",
            "contaners",
        ),
        (
            "apiVersion: v1\nkind: Pod\nspec: {containers: [{nam: x}]}",
            "/nam is not",
        ),
        (
            "apiVersion: v1\nkind: Service\nspec: {ports: [{port: http}]}",
            "i32",
        ),
        ("apiVersion: v1\nkind: Nothing", "Nothing"),
        ("apiVersion: v2\nkind: Pod", "v2"),
        ("kind: Pod", "apiVersion"),
        (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\ncomponents: [a]",
            "components",
        ),
    ] {
        match schema::check(&documents(text)?[0]) {
            Ok(()) => return Err(format!("taken: {text}").into()),
            Err(error) if error.contains(reason) => {}
            Err(error) => return Err(format!("not for {reason}: {error}").into()),
        }
    }
    if lint("a: b \n").is_ok() || lint("a:\tb\n").is_ok() || lint("a: b").is_ok() {
        return Err("the lint takes everything".into());
    }
    Ok(())
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The specification of a document's pods.
fn pod(document: &Value) -> Option<&Value> {
    match document["kind"].as_str()? {
        "Pod" => document.get("spec"),
        "Deployment" | "DaemonSet" => document.pointer("/spec/template/spec"),
        _ => None,
    }
}

/// What is said of every pod: no privileges, bounded, probed, and its
/// selector is its own.
fn promises(document: &Value) -> Result<(), Failed> {
    let Some(pod) = pod(document) else {
        return Ok(());
    };
    let containers = list(pod, "/initContainers")
        .iter()
        .chain(list(pod, "/containers"));
    for container in containers {
        let name = &container["name"];
        let security = &container["securityContext"];
        let kept = security["privileged"].as_bool().unwrap_or(false)
            || security["allowPrivilegeEscalation"] != false
            || security["readOnlyRootFilesystem"] != true
            || security.pointer("/capabilities/drop/0") != Some(&"ALL".into());
        if kept {
            return Err(format!("{name} has privileges").into());
        }
        let profile = "/seccompProfile/type";
        let profile = security
            .pointer(profile)
            .or(pod["securityContext"].pointer(profile));
        if profile != Some(&"RuntimeDefault".into()) {
            return Err(format!("{name} has no seccomp profile").into());
        }
        for amount in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
            if container["resources"].pointer(amount).is_none() {
                return Err(format!("{name} has no {amount}").into());
            }
        }
    }
    if ["hostPID", "hostNetwork", "hostIPC"]
        .iter()
        .any(|key| pod.get(key).is_some())
    {
        return Err("it sees the node's processes or network".into());
    }
    let is_server = document["kind"] != "Pod";
    for container in list(pod, "/containers").iter().filter(|_| is_server) {
        if container.get("readinessProbe").is_none() {
            return Err("no readiness probe".into());
        }
        let selector = document.pointer("/spec/selector/matchLabels");
        let labels = document.pointer("/spec/template/metadata/labels");
        let wanted = selector.and_then(Value::as_object).ok_or("no selector")?;
        if !wanted
            .iter()
            .all(|(key, value)| labels.and_then(|l| l.get(key)) == Some(value))
        {
            return Err("it does not select its own pods".into());
        }
    }
    Ok(())
}

/// The examples fit the rest: images of this tree, the runtime class and the
/// resource that there are, Services that select something.
fn examples(folder: &Path) -> Result<(), Failed> {
    let mut resources = BTreeSet::new();
    let mut classes = BTreeSet::new();
    for file in files(&folder.join("examples")) {
        let documents = documents(&fs::read_to_string(&file)?)?;
        for document in &documents {
            promises(document)?;
            if document["kind"] == "Service" {
                let selector = &document["spec"]["selector"];
                let selected = documents
                    .iter()
                    .any(|other| other.pointer("/spec/template/metadata/labels") == Some(selector));
                if !selected {
                    return Err(format!("{}: its Service selects nothing", file.display()).into());
                }
            }
            let Some(pod) = pod(document) else {
                continue;
            };
            classes.extend(pod["runtimeClassName"].as_str().map(str::to_owned));
            let containers = list(pod, "/initContainers")
                .iter()
                .chain(list(pod, "/containers"));
            for container in containers {
                let image = container["image"].as_str().ok_or("no image")?;
                if let Some(name) = image.strip_prefix("km/") {
                    let image = folder.join("../docker").join(name).join("Dockerfile");
                    if !image.exists() {
                        return Err(format!("there is no docker/{name}").into());
                    }
                }
                let limits = container.pointer("/resources/limits");
                let limits = limits.and_then(Value::as_object).ok_or("no limits")?;
                resources.extend(limits.keys().filter(|name| name.contains('/')).cloned());
            }
        }
    }
    let expected = ["devices.kubevirt.io/kvm", "kontain.app/kvm"].map(str::to_owned);
    if resources != expected.into() {
        return Err(format!("resources: {resources:?}").into());
    }
    let class = fs::read_to_string(folder.join("runtime/runtime-class.yaml"))?;
    let class = &documents(&class)?[0];
    let name = class.pointer("/metadata/name").and_then(Value::as_str);
    if class["handler"] != "krun" || classes.iter().map(String::as_str).ne(name) {
        return Err(format!("runtime classes: {classes:?}").into());
    }
    Ok(())
}
