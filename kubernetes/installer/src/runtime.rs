//! The container runtimes, and how each is told of krun.
//!
//! What is not a file of its own is a block of lines at the end of one, which
//! is all that is ever changed: the rest of the file, comments included, stays
//! as it is, and without the block it is what it was, to the byte.

use clap::ValueEnum;
use toml::{Table, Value};

use crate::error::Error;
use crate::host::{Change, Host};

const KRUN: &str = "/opt/kontain/bin/krun";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Runtime {
    Containerd,
    #[value(name = "cri-o")]
    CriO,
    K3s,
}

impl Runtime {
    /// Its systemd service.
    pub fn service(self, host: &Host) -> &'static str {
        match self {
            Runtime::Containerd => "containerd",
            Runtime::CriO => "crio",
            // The name on nodes without a control plane.
            Runtime::K3s if host.exists("/etc/systemd/system/k3s-agent.service") => "k3s-agent",
            Runtime::K3s => "k3s",
        }
    }

    /// Where krun goes, in the versions of it that this node may have.
    fn config(self, host: &Host, given: Option<&str>) -> Result<String, Error> {
        if let Some(path) = given {
            return Ok(path.to_owned());
        }
        Ok(match self {
            Runtime::Containerd => "/etc/containerd/config.toml".to_owned(),
            Runtime::CriO => "/etc/crio/crio.conf.d/50-kontain-krun.conf".to_owned(),
            Runtime::K3s => k3s_template(host)?,
        })
    }
}

/// What makes krun known; nothing where it is.
pub fn add(runtime: Runtime, host: &Host, given: Option<&str>) -> Result<Option<Change>, Error> {
    let path = runtime.config(host, given)?;
    let old = text(host, &path)?;
    let rest = match &old {
        Some(text) => without_block(&path, text)?,
        None => None,
    };
    let new = match runtime {
        Runtime::Containerd => containerd(&path, rest.as_deref())?,
        Runtime::CriO => {
            require(host, "/etc/crio/crio.conf.d", "CRI-O")?;
            if rest.is_some() {
                return Err(Error::NotOurs(path));
            }
            block(None, &crio())
        }
        Runtime::K3s => k3s(&path, rest.as_deref())?,
    };
    if runtime == Runtime::Containerd {
        require(host, folder_of(&path), "containerd")?;
    }
    Ok((old.as_deref() != Some(&*new)).then(|| Change::write(&path, new)))
}

/// What makes it unknown again.
pub fn remove(runtime: Runtime, host: &Host, given: Option<&str>) -> Result<Vec<Change>, Error> {
    let paths = match (runtime, given) {
        // k3s may have been updated since, and krun be in both.
        (Runtime::K3s, None) => K3S_TEMPLATES.map(|name| format!("{K3S}/{name}")).into(),
        _ => vec![runtime.config(host, given)?],
    };
    let mut changes = Vec::new();
    for path in paths {
        let Some(old) = text(host, &path)? else {
            continue;
        };
        match without_block(&path, &old)? {
            None => changes.push(Change::Remove(path)),
            Some(rest) if rest != old => changes.push(Change::write(&path, rest)),
            Some(_) => {}
        }
    }
    Ok(changes)
}

fn text(host: &Host, path: &str) -> Result<Option<String>, Error> {
    let Some(bytes) = host.read(path)? else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes);
    text.map(Some).map_err(|_| Error::config(path, "not UTF-8"))
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("/", |(folder, _)| folder)
}

fn require(host: &Host, folder: &str, what: &str) -> Result<(), Error> {
    if host.exists(folder) {
        return Ok(());
    }
    Err(Error::config(
        folder,
        format!("not there: is this a node with {what}?"),
    ))
}

const BEGIN: &str = "# begin km-installer";
const END: &str = "# end km-installer\n";
/// On the first line, where the file is made by it.
const NEW_FILE: &str = " (a new file)";

/// The file with the block at its end; `rest` is what it is without.
fn block(rest: Option<&str>, lines: &str) -> String {
    match rest {
        Some(rest) => format!("{rest}\n{BEGIN}\n{lines}{END}"),
        None => format!("{BEGIN}{NEW_FILE}\n{lines}{END}"),
    }
}

/// What the file is without the block: nothing where the block has made it.
fn without_block(path: &str, text: &str) -> Result<Option<String>, Error> {
    let Some((before, rest)) = text.split_once(BEGIN) else {
        return Ok(Some(text.to_owned()));
    };
    let damaged = || Error::config(path, "the lines of km-installer are damaged: remove them");
    let (lines, after) = rest.split_once(END).ok_or_else(damaged)?;
    if lines.starts_with(NEW_FILE) && before.is_empty() && after.is_empty() {
        return Ok(None);
    }
    let before = match before.strip_suffix('\n') {
        Some(before) => before,
        None if before.is_empty() => before,
        None => return Err(damaged()),
    };
    Ok(Some(format!("{before}{after}")))
}

/// The plugin that has the runtimes, in this version of the configuration.
fn plugin(version: i64) -> Option<&'static str> {
    match version {
        2 => Some("io.containerd.grpc.v1.cri"),
        3 => Some("io.containerd.cri.v1.runtime"),
        _ => None,
    }
}

/// containerd's `config.toml`. A drop-in file would not do: before version 2.0
/// what is imported takes the place of all that is said of the plugin.
fn containerd(path: &str, rest: Option<&str>) -> Result<String, Error> {
    let parse = |text: &str| {
        text.parse::<Table>().map_err(|error| {
            let reason = error.message();
            Error::config(path, format!("not TOML as it should be: {reason}"))
        })
    };
    let old = parse(rest.unwrap_or_default())?;
    let version = match old.get("version") {
        Some(version) => version.as_integer().unwrap_or_default(),
        None if old.is_empty() => 2,
        None => 1,
    };
    let Some(plugin) = plugin(version) else {
        let text = format!("version {version} of the configuration: krun can be added to 2 and 3");
        return Err(Error::config(path, text));
    };
    let cri = old.get("plugins").and_then(|plugins| plugins.get(plugin));
    let cri = cri.and_then(|cri| cri.get("containerd"));
    let runtimes = cri.and_then(|cri| cri.get("runtimes"));
    if runtimes.and_then(|runtimes| runtimes.get("krun")).is_some() {
        return Err(Error::config(
            path,
            "there is a runtime krun already: remove it",
        ));
    }
    let name = cri.and_then(|cri| cri.get("default_runtime_name"));
    let name = name.and_then(Value::as_str).unwrap_or("runc");
    let default = runtimes.and_then(|runtimes| runtimes.get(name));
    let cgroup = default
        .and_then(|runtime| runtime.get("options")?.get("SystemdCgroup"))
        .and_then(Value::as_bool);

    let mut lines = String::new();
    if old.is_empty() {
        lines.push_str("version = 2\n");
    }
    if runtimes.is_none() {
        // The one that containerd has by itself is gone once another is named.
        lines.push_str(&format!(
            "[plugins.\"{plugin}\".containerd.runtimes.runc]\n\
             runtime_type = \"io.containerd.runc.v2\"\n"
        ));
    }
    let cgroup = cgroup.map(|systemd| systemd.to_string());
    lines.push_str(&krun(plugin, cgroup.as_deref()));
    let new = block(rest, &lines);
    // A table that is written in one line cannot be added to.
    parse(&new)?;
    Ok(new)
}

/// krun in containerd's configuration: its cgroups are made as the default
/// runtime's are.
fn krun(plugin: &str, systemd_cgroup: Option<&str>) -> String {
    let cgroup = systemd_cgroup.map(|value| format!("SystemdCgroup = {value}\n"));
    format!(
        "[plugins.\"{plugin}\".containerd.runtimes.krun]\n\
         runtime_type = \"io.containerd.runc.v2\"\n\
         pod_annotations = [\"app.kontain.*\"]\n\
         [plugins.\"{plugin}\".containerd.runtimes.krun.options]\n\
         BinaryName = \"{KRUN}\"\n\
         {}",
        cgroup.unwrap_or_default()
    )
}

/// CRI-O's drop-in file. It passes on all annotations but its own, and does
/// not start where others than its own are named in `allowed_annotations`.
fn crio() -> String {
    format!(
        "[crio.runtime.runtimes.krun]\n\
         runtime_path = \"{KRUN}\"\n\
         runtime_type = \"oci\"\n\
         runtime_root = \"/run/krun\"\n"
    )
}

const K3S: &str = "/var/lib/rancher/k3s/agent/etc/containerd";
/// The first that is there counts, for k3s as here; the second is for version
/// 2 of containerd's configuration.
const K3S_TEMPLATES: [&str; 2] = ["config-v3.toml.tmpl", "config.toml.tmpl"];

/// k3s writes containerd's configuration itself, from a template that is its
/// own unless there is one.
fn k3s_template(host: &Host) -> Result<String, Error> {
    require(host, K3S, "k3s")?;
    let [v3, v2] = K3S_TEMPLATES.map(|name| format!("{K3S}/{name}"));
    for path in [&v3, &v2] {
        if host.exists(path) {
            return Ok(path.clone());
        }
    }
    let path = format!("{K3S}/config.toml");
    let written = text(host, &path)?.unwrap_or_default();
    let written = written.parse::<Table>().unwrap_or_default();
    let version = written.get("version").and_then(Value::as_integer);
    match version {
        Some(2) => Ok(v2),
        Some(3) => Ok(v3),
        _ => Err(Error::config(
            &path,
            "k3s has not written version 2 or 3 of it",
        )),
    }
}

fn k3s(path: &str, rest: Option<&str>) -> Result<String, Error> {
    let version = if path.ends_with("-v3.toml.tmpl") {
        3
    } else {
        2
    };
    let name = |line: &str| line.replace(['"', '\''], "").contains(".runtimes.krun]");
    if rest.is_some_and(|rest| rest.lines().any(name)) {
        return Err(Error::config(
            path,
            "there is a runtime krun already: remove it",
        ));
    }
    let lines = krun(
        plugin(version).unwrap_or_default(),
        Some("{{ .SystemdCgroup }}"),
    );
    Ok(match rest {
        Some(_) => block(rest, &lines),
        None => block(None, &format!("{{{{ template \"base\" . }}}}\n{lines}")),
    })
}
