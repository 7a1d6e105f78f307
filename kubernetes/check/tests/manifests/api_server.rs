//! As much of an API server, on loopback, as `kubectl create --dry-run=client`
//! asks for: which kinds of object there are.

use std::io::Write;
use std::process::{Command, Stdio};

use axum::routing::get;
use axum::{Json, Router};
use libtest_mimic::Failed;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Group, version, kind, its name in paths, and whether it is in a namespace.
const KINDS: [(&str, &str, &str, &str, bool); 7] = [
    ("", "v1", "Namespace", "namespaces", false),
    ("", "v1", "Pod", "pods", true),
    ("", "v1", "Service", "services", true),
    ("apps", "v1", "DaemonSet", "daemonsets", true),
    ("apps", "v1", "Deployment", "deployments", true),
    (
        "autoscaling",
        "v1",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        true,
    ),
    ("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", false),
];

/// kubectl takes each object, and says so.
pub fn create_dry(manifest: &str, objects: usize) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                result = async { axum::serve(listener, router()).await } => result,
                _ = stopped => Ok(()),
            }
        })
    });
    let home = tempfile::TempDir::new()?;
    let mut kubectl = Command::new("kubectl")
        .arg(format!("--server=http://{address}"))
        .args(["create", "--dry-run=client", "--validate=false", "-f", "-"])
        .env("HOME", home.path())
        .env("KUBECONFIG", home.path().join("none"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = kubectl.stdin.take() {
        stdin.write_all(manifest.as_bytes())?;
    }
    let output = kubectl.wait_with_output()?;
    drop(stop);
    server.join().map_err(|_| "the server panicked")??;
    let said = String::from_utf8(output.stdout)?;
    if output.status.success()
        && said
            .lines()
            .filter(|l| l.ends_with("created (dry run)"))
            .count()
            == objects
    {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("kubectl: {}\n{said}{complaint}", output.status).into())
}

fn router() -> Router {
    let answer = |value: Value| get(move || async move { Json(value) });
    let groups: Vec<&str> = {
        let mut groups: Vec<_> = KINDS.iter().map(|kind| kind.0).collect();
        groups.dedup();
        groups
    };
    let described: Vec<Value> = groups
        .iter()
        .filter(|group| !group.is_empty())
        .map(|group| {
            let version = json!({"groupVersion": format!("{group}/v1"), "version": "v1"});
            json!({"name": group, "versions": [version], "preferredVersion": version})
        })
        .collect();
    let mut router = Router::new()
        .route(
            "/api",
            answer(json!({"kind": "APIVersions", "versions": ["v1"]})),
        )
        .route(
            "/apis",
            answer(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": described})),
        );
    for group in groups {
        let resources: Vec<Value> = KINDS
            .iter()
            .filter(|kind| kind.0 == group)
            .map(|(_, _, kind, name, namespaced)| {
                json!({
                    "name": name,
                    "singularName": kind.to_lowercase(),
                    "namespaced": namespaced,
                    "kind": kind,
                    "verbs": ["create", "get", "list"],
                })
            })
            .collect();
        let (path, version) = match group {
            "" => ("/api/v1".to_owned(), "v1".to_owned()),
            _ => (format!("/apis/{group}/v1"), format!("{group}/v1")),
        };
        let list = json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": version,
            "resources": resources,
        });
        router = router.route(&path, answer(list));
    }
    router
}
