//! The schema of the kinds of object that the manifests have, as the types of
//! k8s-openapi have it, which are made from Kubernetes' published one.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::autoscaling::v1::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use k8s_openapi::api::node::v1::RuntimeClass;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What of kustomize is used: all that the one in kubectl 1.20 knows.
const KUSTOMIZATION: [&str; 7] = [
    "apiVersion",
    "kind",
    "namespace",
    "bases",
    "resources",
    "patchesStrategicMerge",
    "images",
];

pub fn check(document: &Value) -> Result<(), String> {
    let kind = |key: &str| document[key].as_str().ok_or(format!("no {key}"));
    match (kind("apiVersion")?, kind("kind")?) {
        ("v1", "Namespace") => typed::<Namespace>(document),
        ("v1", "Pod") => typed::<Pod>(document),
        ("v1", "Service") => typed::<Service>(document),
        ("apps/v1", "DaemonSet") => daemon_set(document),
        ("apps/v1", "Deployment") => typed::<Deployment>(document),
        ("autoscaling/v1", "HorizontalPodAutoscaler") => typed::<HorizontalPodAutoscaler>(document),
        ("node.k8s.io/v1", "RuntimeClass") => typed::<RuntimeClass>(document),
        ("kustomize.config.k8s.io/v1beta1", "Kustomization") => {
            let keys = document.as_object().into_iter().flat_map(|map| map.keys());
            match keys
                .into_iter()
                .find(|key| !KUSTOMIZATION.contains(&key.as_str()))
            {
                Some(key) => Err(format!("{key} is not known to kubectl 1.20")),
                None => Ok(()),
            }
        }
        (version, kind) => Err(format!("no schema for {kind} of {version}")),
    }
}

/// A patch may leave out what is required of the whole.
fn daemon_set(document: &Value) -> Result<(), String> {
    let mut whole = document.clone();
    if document.pointer("/spec/selector").is_none() {
        whole["spec"]["selector"] = serde_json::json!({});
    }
    if document.pointer("/spec/template/spec/containers").is_none() {
        whole["spec"]["template"]["spec"]["containers"] = serde_json::json!([]);
    }
    typed::<DaemonSet>(&whole)
}

/// What is read and written again has lost nothing: each field is known, and
/// of the right type.
fn typed<T: DeserializeOwned + Serialize>(document: &Value) -> Result<(), String> {
    let object: T = T::deserialize(document).map_err(|error| error.to_string())?;
    let back = serde_json::to_value(object).map_err(|error| error.to_string())?;
    lost(document, &back, "")
}

fn lost(before: &Value, after: &Value, path: &str) -> Result<(), String> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            before.iter().try_for_each(|(key, value)| {
                let path = format!("{path}/{key}");
                match after.get(key) {
                    Some(there) => lost(value, there, &path),
                    None => Err(format!("{path} is not a field")),
                }
            })
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => before
            .iter()
            .zip(after)
            .enumerate()
            .try_for_each(|(i, (b, a))| lost(b, a, &format!("{path}/{i}"))),
        _ if before == after => Ok(()),
        _ => Err(format!("{path}: {before} was read as {after}")),
    }
}
