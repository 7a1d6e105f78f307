//! What is told by HTTP: `/metrics` for Prometheus, `/healthz` and `/readyz`
//! for the kubelet's probes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::state::State;

/// Answers for ever; without a listener it only waits.
pub async fn serve(listener: Option<TcpListener>, state: &Arc<State>) -> io::Result<()> {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    log::info!("metrics at http://{}/metrics", listener.local_addr()?);
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(Arc::clone(state));
    axum::serve(listener, router).await
}

async fn metrics(state: extract::State<Arc<State>>) -> impl IntoResponse {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text(&state))
}

/// Whether the kubelet knows of the plugin.
async fn readyz(state: extract::State<Arc<State>>) -> (StatusCode, &'static str) {
    if state.registered.load(Relaxed) {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not registered\n")
    }
}

/// The text format of Prometheus.
fn text(state: &State) -> String {
    let healthy = if *state.healthy.borrow() {
        state.devices
    } else {
        0
    };
    let rows = [
        (
            "devices",
            "gauge",
            "Devices the kubelet is told of.",
            u64::from(state.devices),
        ),
        (
            "devices_healthy",
            "gauge",
            "Those of them that can be used.",
            u64::from(healthy),
        ),
        (
            "registered",
            "gauge",
            "Whether the kubelet knows of the plugin.",
            u64::from(state.registered.load(Relaxed)),
        ),
        (
            "registrations_total",
            "counter",
            "Registrations with the kubelet.",
            state.registrations.load(Relaxed),
        ),
        (
            "registration_failures_total",
            "counter",
            "Registrations that failed.",
            state.failed_registrations.load(Relaxed),
        ),
        (
            "allocations_total",
            "counter",
            "Containers that were given the device.",
            state.allocations.load(Relaxed),
        ),
        (
            "allocation_failures_total",
            "counter",
            "Requests for the device that were refused.",
            state.failed_allocations.load(Relaxed),
        ),
    ];
    let mut text = String::new();
    for (name, kind, help, value) in rows {
        text.push_str(&head(name, kind, help));
        text.push_str(&format!("km_device_plugin_{name} {value}\n"));
    }
    text.push_str(&head("build_info", "gauge", "The plugin's version."));
    text.push_str(&format!(
        "km_device_plugin_build_info{{version=\"{}\"}} 1\n",
        env!("CARGO_PKG_VERSION")
    ));
    text
}

fn head(name: &str, kind: &str, help: &str) -> String {
    format!("# HELP km_device_plugin_{name} {help}\n# TYPE km_device_plugin_{name} {kind}\n")
}
