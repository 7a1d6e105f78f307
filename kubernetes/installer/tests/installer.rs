//! The program on nodes of all kinds, each a folder.

mod node;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use node::Node;

const CONTAINERD: &str = "/etc/containerd/config.toml";
const CRIO: &str = "/etc/crio/crio.conf.d/50-kontain-krun.conf";
const RESTART_DUE: &str = "/run/km-installer-restart";
const K3S: &str = "/var/lib/rancher/k3s/agent/etc/containerd";

const VERSION_2: &str = r#"# of this node's administrator
version = 2
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    sandbox_image = "registry.example/pause:3"  # never lost
    [plugins."io.containerd.grpc.v1.cri".containerd]
      default_runtime_name = "runc"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
        runtime_type = "io.containerd.runc.v2"
        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
          SystemdCgroup = true
[debug]
  level = "info""#;

const VERSION_3: &str = "version = 3\n\
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\n\
    runtime_type = 'io.containerd.runc.v2'\n";

fn config(node: &Node, path: &str) -> toml::Table {
    node.read(path).parse().unwrap()
}

/// What a path of names leads to.
fn at<'a>(table: &'a toml::Table, names: &[&str]) -> Option<&'a toml::Value> {
    let (first, rest) = names.split_first()?;
    let value = table.get(*first)?;
    rest.iter().try_fold(value, |value, name| value.get(name))
}

fn krun<'a>(config: &'a toml::Table, plugin: &str) -> &'a toml::Value {
    at(
        config,
        &["plugins", plugin, "containerd", "runtimes", "krun"],
    )
    .unwrap()
}

/// Installs, looks, installs again, uninstalls twice.
fn round(node: &Node, runtime: &str, look: impl FnOnce(&Node)) {
    let runtime = &*format!("--runtime={runtime}");
    let before = node.snapshot();
    let said = node.does(&["install", runtime, "--dry-run", "--no-restart"]);
    assert!(
        said.lines().all(|line| line.starts_with("would ")),
        "{said}"
    );
    assert_eq!(node.snapshot(), before, "after a dry run");

    node.does(&["install", runtime, "--no-restart"]);
    assert_eq!(node.read("/opt/kontain/bin/krun"), "this is krun");
    look(node);
    let installed = node.snapshot();
    assert_ne!(installed, before);
    assert_eq!(
        node.does(&["install", runtime, "--no-restart"]),
        "the configuration is as it is to be\n"
    );
    assert_eq!(node.snapshot(), installed, "twice");

    node.does(&["uninstall", runtime, "--no-restart", "--dry-run=true"]);
    assert_eq!(node.snapshot(), installed, "after a dry run");
    for _ in 0..2 {
        node.does(&["uninstall", runtime, "--no-restart"]);
        let mut after = node.snapshot();
        // The folder of others' software stays.
        after.remove(&node.path("/opt"));
        assert_eq!(after, before, "after uninstall");
    }
}

#[test]
fn containerd_version_2_keeps_all_else() {
    let node = Node::new();
    node.write(CONTAINERD, VERSION_2);
    round(&node, "containerd", |node| {
        assert!(node.read(CONTAINERD).starts_with(VERSION_2));
        let config = config(node, CONTAINERD);
        let krun = krun(&config, "io.containerd.grpc.v1.cri");
        assert_eq!(krun["runtime_type"].as_str(), Some("io.containerd.runc.v2"));
        assert_eq!(krun["pod_annotations"][0].as_str(), Some("app.kontain.*"));
        let options = &krun["options"];
        let name = options["BinaryName"].as_str();
        assert_eq!(name, Some("/opt/kontain/bin/krun"));
        assert_eq!(options["SystemdCgroup"].as_bool(), Some(true));
    });
}

#[test]
fn containerd_version_3() {
    let node = Node::new();
    node.write(CONTAINERD, VERSION_3);
    round(&node, "containerd", |node| {
        let config = config(node, CONTAINERD);
        let krun = krun(&config, "io.containerd.cri.v1.runtime");
        assert_eq!(krun["options"].get("SystemdCgroup"), None);
    });
}

#[test]
fn containerd_without_runtimes_keeps_its_own() {
    for text in [None, Some("# nothing\n"), Some(""), Some("version = 2\n")] {
        let node = Node::new();
        fs::create_dir_all(node.path("/etc/containerd")).unwrap();
        if let Some(text) = text {
            node.write(CONTAINERD, text);
        }
        round(&node, "containerd", |node| {
            let config = config(node, CONTAINERD);
            assert_eq!(config["version"].as_integer(), Some(2));
            let plugin = ["plugins", "io.containerd.grpc.v1.cri", "containerd"];
            let runtimes = at(&config, &plugin).unwrap()["runtimes"].as_table();
            let names: Vec<_> = runtimes.unwrap().keys().collect();
            assert_eq!(names, ["krun", "runc"]);
        });
    }
}

#[test]
fn containerd_configurations_that_are_refused() {
    let krun =
        "\nversion = 2\n[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.krun]\nx = 1\n";
    let inline = "version = 2\n\
        plugins = { 'io.containerd.grpc.v1.cri' = { containerd = { runtimes = {} } } }\n";
    for (text, reason) in [
        ("version = ", "not TOML"),
        ("version = 2\nversion = 2\n", "not TOML"),
        ("version = 1\n", "version 1"),
        ("disabled_plugins = ['cri']\n", "version 1"),
        ("version = 4\n", "version 4"),
        ("version = 'x'\n", "version 0"),
        (krun, "there is a runtime krun already"),
        (inline, "not TOML as it should be"),
        ("# begin km-installer\n", "damaged"),
    ] {
        let node = Node::new();
        node.write(CONTAINERD, text);
        let said = node.refuses(&["install", "--runtime=containerd", "--no-restart"]);
        assert!(said.contains(reason), "{text}: {said}");
    }
    let node = Node::new();
    fs::create_dir_all(node.path("/etc/containerd")).unwrap();
    fs::write(node.path(CONTAINERD), b"version = 2 # \xff\n").unwrap();
    node.refuses(&["install", "--runtime=containerd", "--no-restart"]);
    fs::remove_file(node.path(CONTAINERD)).unwrap();
    symlink("elsewhere", node.path(CONTAINERD)).unwrap();
    let said = node.refuses(&["install", "--runtime=containerd", "--no-restart"]);
    assert!(said.contains("a link"), "{said}");
}

/// Secrets of a registry are in it, for one user to read.
fn make_private(node: &Node) {
    let path = node.path(CONTAINERD);
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    if rustix::process::geteuid().is_root() {
        chown(&path, Some(1), Some(2)).unwrap();
    }
}

/// Mode and owner.
fn access(node: &Node) -> (u32, u32, u32) {
    let metadata = fs::metadata(node.path(CONTAINERD)).unwrap();
    (metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
}

#[test]
fn the_configuration_keeps_its_mode_and_owner() {
    let node = Node::new();
    node.write(CONTAINERD, VERSION_2);
    make_private(&node);
    let before = access(&node);
    assert_eq!(before.0, 0o600);
    // As a run leaves it that was interrupted.
    let left = node.path(CONTAINERD).with_extension("toml.km-new");
    symlink("/etc/hostname", &left).unwrap();
    for action in ["install", "uninstall"] {
        node.does(&[action, "--runtime=containerd", "--no-restart"]);
        assert_eq!(access(&node), before, "{action}");
    }
    assert_eq!(node.read(CONTAINERD), VERSION_2);
    assert!(fs::symlink_metadata(left).is_err());
}

#[test]
fn what_others_add_meanwhile_stays() {
    let node = Node::new();
    node.write(CONTAINERD, VERSION_3);
    node.does(&["install", "--runtime=containerd", "--no-restart"]);
    let edited = node.read(CONTAINERD) + "[debug]\nlevel = 'warn'\n";
    node.write(CONTAINERD, &edited);
    node.does(&["uninstall", "--runtime=containerd", "--no-restart"]);
    let expected = format!("{VERSION_3}[debug]\nlevel = 'warn'\n");
    assert_eq!(node.read(CONTAINERD), expected);
}

#[test]
fn cri_o() {
    let node = Node::new();
    node.write("/etc/crio/crio.conf.d/10-crio.conf", "[crio.runtime]\n");
    round(&node, "cri-o", |node| {
        let config = config(node, CRIO);
        let krun = at(&config, &["crio", "runtime", "runtimes", "krun"]).unwrap();
        assert_eq!(krun["runtime_path"].as_str(), Some("/opt/kontain/bin/krun"));
        assert_eq!(krun["runtime_type"].as_str(), Some("oci"));
    });
    node.write(CRIO, "# of another\n");
    let said = node.refuses(&["install", "--runtime=cri-o", "--no-restart"]);
    assert!(said.contains("not of km"), "{said}");
    node.does(&["uninstall", "--runtime=cri-o", "--no-restart"]);
    assert_eq!(node.read(CRIO), "# of another\n");
}

#[test]
fn k3s() {
    let v2 = format!("{K3S}/config.toml.tmpl");
    let v3 = format!("{K3S}/config-v3.toml.tmpl");
    for (written, existing, path, plugin) in [
        ("version = 2\n", None, &v2, "io.containerd.grpc.v1.cri"),
        ("version = 3\n", None, &v3, "io.containerd.cri.v1.runtime"),
        ("version = 2\n", Some(&v2), &v2, "io.containerd.grpc.v1.cri"),
        (
            "version = 3\n",
            Some(&v3),
            &v3,
            "io.containerd.cri.v1.runtime",
        ),
    ] {
        let node = Node::new();
        node.write(&format!("{K3S}/config.toml"), written);
        let template = "{{ template \"base\" . }}\n# more\n";
        if let Some(path) = existing {
            node.write(path, template);
        }
        round(&node, "k3s", |node| {
            let text = node.read(path);
            assert_eq!(text.matches("{{ template \"base\" . }}").count(), 1);
            let rendered = text
                .replace("{{ template \"base\" . }}", written)
                .replace("{{ .SystemdCgroup }}", "false");
            let config = rendered.parse().unwrap();
            let options = &krun(&config, plugin)["options"];
            assert_eq!(options["SystemdCgroup"].as_bool(), Some(false));
        });
    }
    let node = Node::new();
    node.write(&v2, "[plugins.x.containerd.runtimes.\"krun\"]\n");
    node.refuses(&["install", "--runtime=k3s", "--no-restart"]);
    let node = Node::new();
    node.write(&format!("{K3S}/config.toml"), "");
    node.refuses(&["install", "--runtime=k3s", "--no-restart"]);
}

/// First with containerd 1.7, later with 2.
#[test]
fn k3s_that_was_updated() {
    let node = Node::new();
    let written = format!("{K3S}/config.toml");
    let v2 = format!("{K3S}/config.toml.tmpl");
    let v3 = format!("{K3S}/config-v3.toml.tmpl");
    node.write(&written, "version = 2\n");
    node.does(&["install", "--runtime=k3s", "--no-restart"]);
    let template = "{{ template \"base\" . }}\n";
    node.write(&v3, template);
    node.does(&["install", "--runtime=k3s", "--no-restart"]);
    for path in [&v2, &v3] {
        assert!(node.read(path).contains("krun"), "{path}");
    }
    node.does(&["uninstall", "--runtime=k3s", "--no-restart"]);
    assert!(!node.path(&v2).exists());
    assert_eq!(node.read(&v3), template);
}

#[test]
fn a_node_without_that_runtime() {
    let node = Node::new();
    for runtime in ["containerd", "cri-o", "k3s"] {
        let runtime = format!("--runtime={runtime}");
        let said = node.refuses(&["install", &runtime, "--no-restart"]);
        assert!(said.contains("is this a node with"), "{said}");
        let before = node.snapshot();
        node.does(&["uninstall", &runtime, "--no-restart"]);
        assert_eq!(node.snapshot(), before);
    }
}

#[test]
fn files_are_updated_and_those_of_others_stay() {
    let node = Node::new();
    node.write(CONTAINERD, VERSION_3);
    node.write("/opt/kontain/notes", "mine");
    node.does(&["install", "--runtime=containerd", "--no-restart"]);
    let list = node.read("/opt/kontain/share/km/files");
    assert_eq!(
        list,
        "bin/\nbin/km\nbin/krun\nruntime/\nruntime/ld.so\nruntime/libc.so\nshare/\nshare/km/\n"
    );
    let mode = fs::metadata(node.path("/opt/kontain/bin/km")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o7777, 0o755);

    // The next version has another km, one file more and one fewer.
    fs::write(node.files().join("bin/km"), "a newer km").unwrap();
    fs::remove_file(node.files().join("runtime/ld.so")).unwrap();
    fs::write(node.files().join("runtime/new.so"), "new").unwrap();
    node.does(&["install", "--runtime=containerd", "--no-restart"]);
    assert_eq!(node.read("/opt/kontain/bin/km"), "a newer km");
    assert!(!node.path("/opt/kontain/runtime/ld.so").exists());
    assert_eq!(node.read("/opt/kontain/runtime/new.so"), "new");

    node.does(&["uninstall", "--runtime=containerd", "--no-restart"]);
    let left: Vec<_> = fs::read_dir(node.path("/opt/kontain")).unwrap().collect();
    assert_eq!(left.len(), 1);
    assert_eq!(node.read("/opt/kontain/notes"), "mine");
}

#[test]
fn a_file_of_others_is_in_the_way() {
    let node = Node::new();
    node.write(CONTAINERD, VERSION_3);
    node.write("/opt/kontain/bin/km", "mine");
    let said = node.refuses(&["install", "--runtime=containerd", "--no-restart"]);
    assert!(
        said.contains("/opt/kontain/bin/km is there and not of km"),
        "{said}"
    );
}

#[test]
fn a_damaged_list_is_not_followed() {
    for line in [
        "../../etc/hostname",
        "/etc/hostname",
        "bin//km",
        "bin/./km",
        "",
    ] {
        let node = Node::new();
        node.write(CONTAINERD, VERSION_3);
        node.write("/opt/kontain/share/km/files", &format!("{line}\n"));
        for action in ["install", "uninstall"] {
            let said = node.refuses(&[action, "--runtime=containerd", "--no-restart"]);
            assert!(said.contains("is damaged"), "{line}: {said}");
        }
    }
}

/// As systems have it whose `/opt` is elsewhere: the link is the node's.
#[test]
fn links_stay_on_the_node() {
    let node = Node::new();
    node.write(CONTAINERD, VERSION_3);
    fs::create_dir_all(node.path("/var/opt")).unwrap();
    symlink("/var/opt", node.path("/opt")).unwrap();
    node.does(&["install", "--runtime=containerd", "--no-restart"]);
    assert_eq!(node.read("/var/opt/kontain/bin/km"), "this is km");
}

#[test]
fn without_km_there_is_nothing_to_install() {
    let node = Node::new();
    node.write(CONTAINERD, VERSION_3);
    fs::remove_file(node.files().join("bin/krun")).unwrap();
    let said = node.refuses(&["install", "--runtime=containerd", "--no-restart"]);
    assert!(said.contains("krun"), "{said}");
}

/// The stand-in of systemctl in the node's root, which only root may enter.
fn with_systemctl() -> Option<Node> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root may change its root folder");
        return None;
    }
    let node = Node::new();
    let built = Path::new(env!("CARGO_BIN_EXE_km-installer"));
    let stand_in = built.with_file_name("examples").join("systemctl");
    fs::create_dir_all(node.path("/usr/bin")).unwrap();
    fs::create_dir(node.path("/run")).unwrap();
    fs::copy(stand_in, node.path("/usr/bin/systemctl")).unwrap();
    Some(node)
}

#[test]
fn the_runtime_is_restarted_when_something_has_changed() {
    let Some(node) = with_systemctl() else {
        return;
    };
    node.write(CONTAINERD, VERSION_3);
    node.does(&["install", "--runtime=containerd", "--dry-run"]);
    assert!(!node.path("/asked").exists());
    for _ in 0..2 {
        node.does(&["install", "--runtime=containerd"]);
        assert_eq!(node.read("/asked"), "restart containerd\n");
    }
    node.does(&["uninstall", "--runtime=containerd", "--service=other"]);
    assert_eq!(node.read("/asked"), "restart containerd\nrestart other\n");

    node.write(&format!("{K3S}/config.toml"), "version = 3\n");
    node.write("/etc/systemd/system/k3s-agent.service", "");
    node.does(&["install", "--runtime=k3s"]);
    assert!(node.read("/asked").ends_with("restart k3s-agent\n"));
}

#[test]
fn a_runtime_that_does_not_start_gets_its_configuration_back() {
    let Some(node) = with_systemctl() else {
        return;
    };
    node.write(CONTAINERD, VERSION_2);
    make_private(&node);
    let access_before = access(&node);
    node.write("/broken", "");
    let output = node.run(&["install", "--runtime=containerd"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cannot restart containerd"), "{said}");
    assert_eq!(node.read(CONTAINERD), VERSION_2);
    assert_eq!(access(&node), access_before);
    let asked = "restart containerd\nrestart containerd\n";
    assert_eq!(node.read("/asked"), asked);
    assert!(!node.path(RESTART_DUE).exists());
}

/// A run that ends when it restarts the runtime.
fn is_killed(node: &Node, action: &str) {
    node.write("/deadly", "");
    let output = node.run(&[action, "--runtime=containerd"]);
    assert_eq!(output.status.code(), None, "{action}: {output:?}");
    for path in ["/deadly", "/asked"] {
        fs::remove_file(node.path(path)).unwrap();
    }
}

#[test]
fn a_restart_that_was_interrupted_is_made_by_the_next_run() {
    let Some(node) = with_systemctl() else {
        return;
    };
    node.write(CONTAINERD, VERSION_3);
    for action in ["install", "uninstall"] {
        is_killed(&node, action);
        let said = node.does(&[action, "--runtime=containerd", "--dry-run"]);
        assert!(
            said.contains(
                "would restart containerd
"
            ),
            "{said}"
        );
        for _ in 0..2 {
            node.does(&[action, "--runtime=containerd"]);
            assert_eq!(
                node.read("/asked"),
                "restart containerd
",
                "{action}"
            );
        }
        assert!(!node.path(RESTART_DUE).exists());
    }
    assert_eq!(node.read(CONTAINERD), VERSION_3);
    assert!(!node.path("/opt/kontain").exists());

    // Others have made it.
    is_killed(&node, "install");
    node.does(&["install", "--runtime=containerd", "--no-restart"]);
    node.does(&["install", "--runtime=containerd"]);
    assert!(!node.path("/asked").exists());
}

#[test]
fn after_an_interrupted_restart_the_old_configuration_is_still_known() {
    let Some(node) = with_systemctl() else {
        return;
    };
    node.write(CONTAINERD, VERSION_2);
    is_killed(&node, "install");
    assert!(node.read(CONTAINERD).contains("krun"));
    node.write("/broken", "");
    let output = node.run(&["install", "--runtime=containerd"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(node.read(CONTAINERD), VERSION_2);
    assert!(!node.path(RESTART_DUE).exists());
}

#[test]
fn a_runtime_that_starts_with_neither_configuration() {
    let Some(node) = with_systemctl() else {
        return;
    };
    node.write(CONTAINERD, VERSION_2);
    node.write("/dead", "");
    let output = node.run(&["install", "--runtime=containerd"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "km-installer: cannot restart containerd: dead, 1; \
        then, with the old configuration: cannot restart containerd: dead, 2\n";
    assert_eq!(said, expected);
    assert_eq!(node.read(CONTAINERD), VERSION_2);

    // It runs again once it can, whatever is to be done.
    fs::remove_file(node.path("/asked")).unwrap();
    fs::remove_file(node.path("/dead")).unwrap();
    node.does(&["uninstall", "--runtime=containerd"]);
    assert_eq!(
        node.read("/asked"),
        "restart containerd
"
    );
}

#[test]
fn bad_options() {
    for args in [
        &["install"][..],
        &["install", "--runtime=docker"],
        &["install", "--runtime=containerd", "--dry-run=perhaps"],
        &["remove"],
        &[],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_km-installer"));
        let output = command.args(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_km-installer"));
    command.args(["uninstall", "--runtime=k3s", "--host-root=/not/there"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("km-installer: /not/there: "), "{said}");
}

/// The options in the manifest are options, with what the overlays fill in.
#[test]
fn the_manifests_name_its_options() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(folder.join("runtime/installer.yaml")).unwrap();
    let (_, args) = text.split_once("args:\n").unwrap();
    let args = args
        .lines()
        .map_while(|line| line.trim().strip_prefix("- "));
    for runtime in ["containerd", "cri-o", "k3s"] {
        let patch = folder.join("overlays").join(runtime).join("runtime.yaml");
        let patch = fs::read_to_string(patch).unwrap();
        assert!(patch.contains(&format!("name: RUNTIME\n              value: {runtime}\n")));
        let args = args.clone().map(|arg| {
            arg.replace("$(ACTION)", "install")
                .replace("$(DRY_RUN)", "false")
                .replace("$(RUNTIME)", runtime)
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_km-installer"));
        let output = command.args(args).arg("--help").output().unwrap();
        assert!(output.status.success(), "{runtime}: {output:?}");
    }
}
