//! The program beside a stand-in of the kubelet, which speaks the published
//! protocol over sockets in a folder of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use km_device_plugin::api::device_plugin::device_plugin_client::DevicePluginClient;
use km_device_plugin::api::registration::registration_server::{Registration, RegistrationServer};
use km_device_plugin::api::{
    AllocateRequest, ContainerAllocateRequest, DevicePluginOptions, DeviceSpec, Empty,
    ListAndWatchResponse, Mount, PreStartContainerRequest, PreferredAllocationRequest,
    RegisterRequest,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status, Streaming};

const SOCKET: &str = "kontain.app-kvm.sock";
/// Long enough for anything that happens at all.
const LIMIT: Duration = Duration::from_secs(60);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, what)
        .await
        .expect("it happens at all")
}

/// A node: the kubelet's folder, and one for its devices.
struct Node {
    scratch: TempDir,
}

impl Node {
    fn new() -> Node {
        let scratch = TempDir::new().unwrap();
        fs::create_dir(scratch.path().join("plugins")).unwrap();
        fs::create_dir(scratch.path().join("dev")).unwrap();
        let node = Node { scratch };
        node.make_device();
        node
    }

    fn plugins(&self) -> PathBuf {
        self.scratch.path().join("plugins")
    }

    fn socket(&self) -> PathBuf {
        self.plugins().join(SOCKET)
    }

    fn device(&self) -> PathBuf {
        self.scratch.path().join("dev/kvm")
    }

    /// Any character device will do.
    fn make_device(&self) {
        symlink("/dev/null", self.device()).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_km-device-plugin"));
        command
            .arg("--kubelet-dir")
            .arg(self.plugins())
            .arg("--host-root")
            .arg(self.scratch.path())
            .stderr(Stdio::piped());
        command
    }

    fn start(&self, args: &[&str]) -> Plugin {
        let mut child = self.command().args(args).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in stderr.lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        Plugin { child, lines }
    }

    /// The plugin's service, as the kubelet calls it.
    async fn client(&self) -> DevicePluginClient<Channel> {
        self.client_at(SOCKET).await
    }

    async fn client_at(&self, socket: &str) -> DevicePluginClient<Channel> {
        let endpoint = format!("unix:{}", self.plugins().join(socket).display());
        let channel = Endpoint::from_shared(endpoint).unwrap().connect().await;
        DevicePluginClient::new(channel.unwrap())
    }
}

/// The program, which ends with the test.
struct Plugin {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Plugin {
    /// The next line it logs that has this in it.
    async fn logs(&mut self, text: &str) -> String {
        loop {
            let line = soon(self.lines.recv()).await;
            let line = line.unwrap_or_else(|| panic!("it ended without saying {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    fn end(mut self, signal: Signal) -> ExitStatus {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The kubelet's side of the protocol.
struct Kubelet {
    socket: PathBuf,
    registered: mpsc::UnboundedReceiver<RegisterRequest>,
    server: JoinHandle<()>,
}

struct Registrar {
    registered: mpsc::UnboundedSender<RegisterRequest>,
    /// How many requests it refuses first.
    refuses: std::sync::atomic::AtomicU32,
}

#[tonic::async_trait]
impl Registration for Registrar {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<Empty>, Status> {
        use std::sync::atomic::Ordering::Relaxed;
        let left = self.refuses.load(Relaxed);
        if left > 0 {
            self.refuses.store(left - 1, Relaxed);
            return Err(Status::unknown("not now"));
        }
        self.registered.send(request.into_inner()).unwrap();
        Ok(Response::new(Empty {}))
    }
}

impl Kubelet {
    /// As the kubelet does it: what is in its folder goes first.
    fn start(folder: &Path, refuses: u32) -> Kubelet {
        for entry in fs::read_dir(folder).unwrap() {
            // The plugin may remove its own at the same time.
            let _ = fs::remove_file(entry.unwrap().path());
        }
        let socket = folder.join("kubelet.sock");
        // It listens from the moment it is seen.
        let hidden = folder.join("hidden.sock");
        let listener = UnixListener::bind(&hidden).unwrap();
        fs::rename(&hidden, &socket).unwrap();
        let (sender, registered) = mpsc::unbounded_channel();
        let registrar = Registrar {
            registered: sender,
            refuses: refuses.into(),
        };
        let server = Server::builder()
            .add_service(RegistrationServer::new(registrar))
            .serve_with_incoming(UnixListenerStream::new(listener));
        let server = tokio::spawn(async move { server.await.unwrap() });
        Kubelet {
            socket,
            registered,
            server,
        }
    }

    async fn request(&mut self) -> RegisterRequest {
        soon(self.registered.recv()).await.unwrap()
    }

    fn stop(self) {
        self.server.abort();
        fs::remove_file(&self.socket).unwrap();
    }
}

async fn next(stream: &mut Streaming<ListAndWatchResponse>) -> ListAndWatchResponse {
    soon(stream.message()).await.unwrap().unwrap()
}

async fn watch(client: &mut DevicePluginClient<Channel>) -> Streaming<ListAndWatchResponse> {
    client.list_and_watch(Empty {}).await.unwrap().into_inner()
}

/// The health of all devices, and how many there are.
fn health(list: &ListAndWatchResponse) -> (&str, usize) {
    let health = &list.devices[0].health;
    assert!(list.devices.iter().all(|device| device.health == *health));
    (health, list.devices.len())
}

fn allocate(ids: &[&[&str]]) -> AllocateRequest {
    let container = |ids: &&[&str]| ContainerAllocateRequest {
        devices_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    AllocateRequest {
        container_requests: ids.iter().map(container).collect(),
    }
}

/// What an HTTP server answers: status line and headers, body.
fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn it_registers_and_answers() {
    let node = Node::new();
    let mut kubelet = Kubelet::start(&node.plugins(), 0);
    let _plugin = node.start(&["--devices", "3"]);
    let options = DevicePluginOptions::default();
    let expected = RegisterRequest {
        version: "v1beta1".into(),
        endpoint: SOCKET.into(),
        resource_name: "kontain.app/kvm".into(),
        options: Some(options.clone()),
    };
    assert_eq!(kubelet.request().await, expected);

    let mut client = node.client().await;
    let said = client.get_device_plugin_options(Empty {}).await.unwrap();
    assert_eq!(said.into_inner(), options);

    let list = next(&mut watch(&mut client).await).await;
    assert_eq!(health(&list), ("Healthy", 3));
    let ids: Vec<_> = list.devices.iter().map(|device| &device.id).collect();
    assert_eq!(ids, ["kvm0", "kvm1", "kvm2"]);

    let answer = client.allocate(allocate(&[&["kvm0"], &["kvm2"]])).await;
    let containers = answer.unwrap().into_inner().container_responses;
    assert_eq!(containers.len(), 2);
    for container in containers {
        let device = DeviceSpec {
            container_path: "/dev/kvm".into(),
            host_path: "/dev/kvm".into(),
            permissions: "rw".into(),
        };
        assert_eq!(container.devices, [device]);
        assert_eq!(container.mounts, []);
    }
    let refused = client.allocate(allocate(&[&["kvm3"]])).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);

    let request = PreferredAllocationRequest::default();
    let refused = client.get_preferred_allocation(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    let request = PreStartContainerRequest::default();
    let refused = client.pre_start_container(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}

#[tokio::test]
async fn the_folder_of_km_and_another_resource() {
    let node = Node::new();
    let mut kubelet = Kubelet::start(&node.plugins(), 0);
    let args = ["--resource=example.com/v", "--runtime-dir=/opt/kontain"];
    let _plugin = node.start(&args);
    let request = kubelet.request().await;
    assert_eq!(request.resource_name, "example.com/v");
    assert_eq!(request.endpoint, "example.com-v.sock");
    let mut client = node.client_at("example.com-v.sock").await;
    let answer = client.allocate(allocate(&[&["kvm999"]])).await.unwrap();
    let mount = Mount {
        container_path: "/opt/kontain".into(),
        host_path: "/opt/kontain".into(),
        read_only: true,
    };
    assert_eq!(answer.into_inner().container_responses[0].mounts, [mount]);
}

#[tokio::test]
async fn the_device_vanishes_and_returns() {
    let node = Node::new();
    let mut kubelet = Kubelet::start(&node.plugins(), 0);
    let _plugin = node.start(&["--devices=2"]);
    kubelet.request().await;
    let mut client = node.client().await;
    let mut stream = watch(&mut client).await;
    assert_eq!(health(&next(&mut stream).await), ("Healthy", 2));

    fs::remove_file(node.device()).unwrap();
    assert_eq!(health(&next(&mut stream).await), ("Unhealthy", 2));
    let refused = client.allocate(allocate(&[&["kvm0"]])).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);

    node.make_device();
    assert_eq!(health(&next(&mut stream).await), ("Healthy", 2));
    client.allocate(allocate(&[&["kvm0"]])).await.unwrap();

    // What is no device does not count.
    fs::remove_file(node.device()).unwrap();
    assert_eq!(health(&next(&mut stream).await), ("Unhealthy", 2));
    fs::write(node.device(), "").unwrap();
    fs::rename(node.device(), node.device().with_extension("old")).unwrap();
    node.make_device();
    assert_eq!(health(&next(&mut stream).await), ("Healthy", 2));
}

#[tokio::test]
async fn without_a_device_at_first() {
    let node = Node::new();
    fs::remove_file(node.device()).unwrap();
    let mut kubelet = Kubelet::start(&node.plugins(), 0);
    let _plugin = node.start(&["--devices=1"]);
    kubelet.request().await;
    let mut client = node.client().await;
    let mut stream = watch(&mut client).await;
    assert_eq!(health(&next(&mut stream).await), ("Unhealthy", 1));
    node.make_device();
    assert_eq!(health(&next(&mut stream).await), ("Healthy", 1));
}

#[tokio::test]
async fn the_kubelet_restarts() {
    let node = Node::new();
    let mut kubelet = Kubelet::start(&node.plugins(), 0);
    let mut plugin = node.start(&[]);
    let request = kubelet.request().await;

    // It stays away for a while.
    kubelet.stop();
    plugin.logs("waiting for").await;
    let mut kubelet = Kubelet::start(&node.plugins(), 0);
    assert_eq!(kubelet.request().await, request);

    // It is followed by another at once.
    let mut kubelet = Kubelet::start(&node.plugins(), 0);
    assert_eq!(kubelet.request().await, request);
    let mut client = node.client().await;
    let list = next(&mut watch(&mut client).await).await;
    assert_eq!(health(&list), ("Healthy", 1000));
}

#[tokio::test]
async fn the_plugin_comes_first() {
    let node = Node::new();
    fs::remove_dir(node.plugins()).unwrap();
    let mut plugin = node.start(&[]);
    plugin.logs("waiting for").await;
    fs::create_dir(node.plugins()).unwrap();
    let mut kubelet = Kubelet::start(&node.plugins(), 0);
    kubelet.request().await;
}

#[tokio::test]
async fn its_socket_is_removed() {
    let node = Node::new();
    let mut kubelet = Kubelet::start(&node.plugins(), 0);
    let _plugin = node.start(&[]);
    kubelet.request().await;
    fs::remove_file(node.socket()).unwrap();
    kubelet.request().await;
    let mut client = node.client().await;
    client.get_device_plugin_options(Empty {}).await.unwrap();
}

#[tokio::test]
async fn the_kubelet_listens_no_more() {
    let node = Node::new();
    let mut kubelet = Kubelet::start(&node.plugins(), 0);
    let _plugin = node.start(&[]);
    kubelet.request().await;
    let mut client = node.client().await;
    let mut stream = watch(&mut client).await;
    next(&mut stream).await;
    drop((stream, client));
    kubelet.request().await;
}

#[tokio::test]
async fn the_kubelet_refuses_at_first() {
    let node = Node::new();
    let mut kubelet = Kubelet::start(&node.plugins(), 2);
    let mut plugin = node.start(&[]);
    plugin
        .logs("not registered: the kubelet refuses: not now")
        .await;
    plugin
        .logs("not registered: the kubelet refuses: not now")
        .await;
    kubelet.request().await;
    plugin.logs("registered kontain.app/kvm").await;
}

#[tokio::test]
async fn a_socket_of_an_earlier_run_is_replaced_and_a_file_is_not() {
    let node = Node::new();
    let mut kubelet = Kubelet::start(&node.plugins(), 0);
    drop(std::os::unix::net::UnixListener::bind(node.socket()).unwrap());
    let plugin = node.start(&[]);
    kubelet.request().await;
    drop(plugin);

    fs::remove_file(node.socket()).unwrap();
    fs::write(node.socket(), "precious").unwrap();
    let mut plugin = node.start(&[]);
    plugin.logs("there, and not a socket").await;
    assert_eq!(fs::read(node.socket()).unwrap(), b"precious");
}

#[tokio::test]
async fn a_signal_ends_it_and_its_socket() {
    for signal in [Signal::TERM, Signal::INT] {
        let node = Node::new();
        let mut kubelet = Kubelet::start(&node.plugins(), 0);
        let plugin = node.start(&[]);
        kubelet.request().await;
        let mut client = node.client().await;
        let mut stream = watch(&mut client).await;
        next(&mut stream).await;
        assert!(node.socket().exists());
        assert_eq!(plugin.end(signal).code(), Some(0));
        assert!(!node.socket().exists());
    }
    let node = Node::new();
    let mut plugin = node.start(&[]);
    plugin.logs("waiting for").await;
    assert_eq!(plugin.end(Signal::TERM).code(), Some(0));
}

/// Each line is a comment or a sample, each sample's metric was described.
fn check_metrics(text: &str) {
    let mut described = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            described = rest.split_once(' ').map(|(name, _)| name);
            assert!(described.is_some(), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(Some(name), described, "{line}");
            let is_total = name.ends_with("_total");
            assert_eq!(kind, if is_total { "counter" } else { "gauge" }, "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next();
            assert_eq!(name, described, "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(text.ends_with('\n'));
}

#[tokio::test]
async fn metrics_and_probes() {
    let node = Node::new();
    let mut plugin = node.start(&["--devices=7", "--metrics=127.0.0.1:0"]);
    let line = plugin.logs("metrics at http://").await;
    let address = line.split("http://").nth(1).unwrap();
    let address = address.split('/').next().unwrap().to_owned();

    assert!(get(&address, "/healthz").0.contains(" 200 "));
    assert!(get(&address, "/readyz").0.contains(" 503 "));
    assert!(get(&address, "/else").0.contains(" 404 "));

    let mut kubelet = Kubelet::start(&node.plugins(), 0);
    kubelet.request().await;
    plugin.logs("registered kontain.app/kvm").await;
    assert!(get(&address, "/readyz").0.contains(" 200 "));
    let mut client = node.client().await;
    let mut stream = watch(&mut client).await;
    next(&mut stream).await;
    client
        .allocate(allocate(&[&["kvm0"], &["kvm1"]]))
        .await
        .unwrap();
    client.allocate(allocate(&[&["what"]])).await.unwrap_err();

    let (head, text) = get(&address, "/metrics");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    check_metrics(&text);
    for line in [
        "km_device_plugin_devices 7",
        "km_device_plugin_devices_healthy 7",
        "km_device_plugin_registered 1",
        "km_device_plugin_registrations_total 1",
        "km_device_plugin_registration_failures_total 0",
        "km_device_plugin_allocations_total 2",
        "km_device_plugin_allocation_failures_total 1",
        concat!(
            "km_device_plugin_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"} 1"
        ),
    ] {
        assert!(text.lines().any(|printed| printed == line), "{line}");
    }
    fs::remove_file(node.device()).unwrap();
    next(&mut stream).await;
    let text = get(&address, "/metrics").1;
    assert!(text.contains("km_device_plugin_devices_healthy 0\n"));
}

#[test]
fn bad_options() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("--metrics={}", taken.local_addr().unwrap());
    for (option, code, text) in [
        ("--resource=kvm", 2, "DOMAIN/NAME"),
        ("--resource=kubernetes.io/kvm", 2, "is not ours"),
        ("--devices=0", 2, "1..=10000"),
        ("--devices=many", 2, "many"),
        ("--device=kvm", 2, "not an absolute path"),
        ("--runtime-dir=opt", 2, "not an absolute path"),
        ("--metrics=here", 2, "here"),
        ("--what", 2, "--what"),
        ("what", 2, "what"),
        (taken.as_str(), 1, "cannot listen on 127.0.0.1:"),
    ] {
        let node = Node::new();
        let mut command = node.command();
        let output = command.arg("--log=off").arg(option).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{option}: {said}");
        assert!(said.starts_with("km-device-plugin: "), "{said}");
        assert!(said.contains(text), "{option}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

/// The options in the manifests are options: `--help` after them is reached.
#[test]
fn the_manifests_name_its_options() {
    for manifest in ["base/device-plugin.yaml", "runtime/installer.yaml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(manifest);
        let text = fs::read_to_string(path).unwrap();
        let (_, plugin) = text.split_once("name: device-plugin\n").unwrap();
        let (_, args) = plugin.split_once("args:\n").unwrap();
        let args = args
            .lines()
            .map_while(|line| line.trim().strip_prefix("- "));
        let args: Vec<_> = args.collect();
        assert!(args.contains(&"--host-root=/host"), "{args:?}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_km-device-plugin"));
        let output = command.args(args).arg("--help").output().unwrap();
        assert!(output.status.success(), "{manifest}: {output:?}");
    }
}
