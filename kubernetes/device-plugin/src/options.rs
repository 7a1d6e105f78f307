//! The command line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Parser;
use log::LevelFilter;

/// Offers /dev/kvm to the pods of this node, as a resource that they ask for.
#[derive(Debug, Parser)]
#[command(name = "km-device-plugin", version)]
pub struct Options {
    /// The resource's name, as pods ask for it
    #[arg(long, value_name = "NAME", default_value = "kontain.app/kvm", value_parser = resource)]
    pub resource: String,

    /// How many containers of the node may have the device at once, 1 to 10000
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub devices: u32,

    /// The device on the node, and in the container
    #[arg(long, value_name = "PATH", default_value = "/dev/kvm", value_parser = absolute)]
    pub device: String,

    /// Where the node's files are seen from here
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub host_root: PathBuf,

    /// A folder of the node that each container gets as well, to read: that of km
    #[arg(long, value_name = "DIR", value_parser = absolute)]
    pub runtime_dir: Option<String>,

    /// The kubelet's folder of plugins
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/var/lib/kubelet/device-plugins"
    )]
    pub kubelet_dir: PathBuf,

    /// Answer /metrics, /healthz and /readyz by HTTP there: 127.0.0.1:9100, [::]:9100
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,

    /// What is logged: off, error, warn, info, debug
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: LevelFilter,
}

impl Options {
    pub fn from_args() -> Result<Options, clap::Error> {
        Options::try_parse()
    }

    /// The name of the plugin's socket: one for each resource.
    pub fn socket_name(&self) -> String {
        format!("{}.sock", self.resource.replace('/', "-"))
    }
}

/// What pods may ask for as an extended resource: a DNS domain that is not
/// Kubernetes' own, and a name of at most 63 characters.
fn resource(text: &str) -> Result<String, String> {
    let label = |text: &str, more: &[char]| {
        let inner = |c: char| c.is_ascii_alphanumeric() || more.contains(&c);
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        (1..=63).contains(&text.len())
            && text.chars().all(inner)
            && ends(text.chars().next())
            && ends(text.chars().next_back())
    };
    let (domain, name) = text.split_once('/').unwrap_or_default();
    let is_domain = domain.len() <= 253
        && domain.split('.').all(|part| label(part, &['-']))
        && !domain.contains(|c: char| c.is_ascii_uppercase());
    if !is_domain || !label(name, &['-', '_', '.']) {
        return Err("not of the form DOMAIN/NAME".to_owned());
    }
    if domain == "kubernetes.io" || domain.ends_with(".kubernetes.io") {
        return Err("the domain kubernetes.io is not ours".to_owned());
    }
    Ok(text.to_owned())
}

fn absolute(text: &str) -> Result<String, String> {
    if Path::new(text).is_absolute() {
        Ok(text.to_owned())
    } else {
        Err("not an absolute path".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::resource;

    #[test]
    fn names_of_resources() {
        for name in [
            "kontain.app/kvm",
            "a/b",
            "devices.kubevirt.io/kvm",
            "x-1.y/K_v.m",
        ] {
            assert!(resource(name).is_ok(), "{name}");
        }
        let long = format!("a/{}", "b".repeat(64));
        for name in [
            "",
            "kvm",
            "/kvm",
            "a/",
            "a/b/c",
            "A.b/kvm",
            "a..b/kvm",
            "-a/kvm",
            "a/-kvm",
            "a/k m",
            "kubernetes.io/kvm",
            "x.kubernetes.io/kvm",
            &long,
        ] {
            assert!(resource(name).is_err(), "{name}");
        }
    }
}
