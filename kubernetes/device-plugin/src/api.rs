//! The kubelet's device-plugin API, v1beta1: its messages, and the clients and
//! servers of its services, which `build.rs` generates.
//!
//! Source: `api.proto` and `constants.go` in `k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1`.

use std::collections::HashMap;

use prost::Message;

/// The version that is registered.
pub const VERSION: &str = "v1beta1";
/// What `Device::health` says.
pub const HEALTHY: &str = "Healthy";
pub const UNHEALTHY: &str = "Unhealthy";
/// The kubelet's own socket, beside which each plugin puts its own.
pub const KUBELET_SOCKET: &str = "kubelet.sock";

#[derive(Clone, PartialEq, Message)]
pub struct Empty {}

#[derive(Clone, PartialEq, Message)]
pub struct DevicePluginOptions {
    #[prost(bool, tag = "1")]
    pub pre_start_required: bool,
    #[prost(bool, tag = "2")]
    pub get_preferred_allocation_available: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct RegisterRequest {
    #[prost(string, tag = "1")]
    pub version: String,
    /// The name of the plugin's socket, without folder.
    #[prost(string, tag = "2")]
    pub endpoint: String,
    #[prost(string, tag = "3")]
    pub resource_name: String,
    #[prost(message, optional, tag = "4")]
    pub options: Option<DevicePluginOptions>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ListAndWatchResponse {
    #[prost(message, repeated, tag = "1")]
    pub devices: Vec<Device>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Device {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub health: String,
    #[prost(message, optional, tag = "3")]
    pub topology: Option<TopologyInfo>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TopologyInfo {
    #[prost(message, repeated, tag = "1")]
    pub nodes: Vec<NumaNode>,
}

#[derive(Clone, PartialEq, Message)]
pub struct NumaNode {
    #[prost(int64, tag = "1")]
    pub id: i64,
}

#[derive(Clone, PartialEq, Message)]
pub struct PreStartContainerRequest {
    #[prost(string, repeated, tag = "1")]
    pub devices_ids: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct PreStartContainerResponse {}

#[derive(Clone, PartialEq, Message)]
pub struct PreferredAllocationRequest {
    #[prost(message, repeated, tag = "1")]
    pub container_requests: Vec<ContainerPreferredAllocationRequest>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ContainerPreferredAllocationRequest {
    #[prost(string, repeated, tag = "1")]
    pub available_device_ids: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub must_include_device_ids: Vec<String>,
    #[prost(int32, tag = "3")]
    pub allocation_size: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct PreferredAllocationResponse {
    #[prost(message, repeated, tag = "1")]
    pub container_responses: Vec<ContainerPreferredAllocationResponse>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ContainerPreferredAllocationResponse {
    #[prost(string, repeated, tag = "1")]
    pub device_ids: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AllocateRequest {
    #[prost(message, repeated, tag = "1")]
    pub container_requests: Vec<ContainerAllocateRequest>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ContainerAllocateRequest {
    #[prost(string, repeated, tag = "1")]
    pub devices_ids: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AllocateResponse {
    #[prost(message, repeated, tag = "1")]
    pub container_responses: Vec<ContainerAllocateResponse>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ContainerAllocateResponse {
    #[prost(map = "string, string", tag = "1")]
    pub envs: HashMap<String, String>,
    #[prost(message, repeated, tag = "2")]
    pub mounts: Vec<Mount>,
    #[prost(message, repeated, tag = "3")]
    pub devices: Vec<DeviceSpec>,
    #[prost(map = "string, string", tag = "4")]
    pub annotations: HashMap<String, String>,
    #[prost(message, repeated, tag = "5")]
    pub cdi_devices: Vec<CdiDevice>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Mount {
    #[prost(string, tag = "1")]
    pub container_path: String,
    #[prost(string, tag = "2")]
    pub host_path: String,
    #[prost(bool, tag = "3")]
    pub read_only: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct DeviceSpec {
    #[prost(string, tag = "1")]
    pub container_path: String,
    #[prost(string, tag = "2")]
    pub host_path: String,
    /// Of the device's cgroup rule: of `r`, `w` and `m`.
    #[prost(string, tag = "3")]
    pub permissions: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct CdiDevice {
    #[prost(string, tag = "1")]
    pub name: String,
}

/// The kubelet's service, at its own socket.
pub mod registration {
    include!(concat!(env!("OUT_DIR"), "/v1beta1.Registration.rs"));
}

/// The plugin's service, at its socket.
pub mod device_plugin {
    include!(concat!(env!("OUT_DIR"), "/v1beta1.DevicePlugin.rs"));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of the wire format that has a length: its tag, wire type 2.
    fn field(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag << 3 | 2, content.len() as u8];
        bytes.extend_from_slice(content);
        bytes
    }

    #[test]
    fn a_registration_has_the_published_field_numbers() {
        let message = RegisterRequest {
            version: "v1beta1".into(),
            endpoint: "km.sock".into(),
            resource_name: "kontain.app/kvm".into(),
            options: Some(DevicePluginOptions {
                pre_start_required: true,
                get_preferred_allocation_available: true,
            }),
        };
        let bytes =
            b"\x0a\x07v1beta1\x12\x07km.sock\x1a\x0fkontain.app/kvm\x22\x04\x08\x01\x10\x01";
        assert_eq!(message.encode_to_vec(), bytes);
        assert_eq!(RegisterRequest::decode(&bytes[..]), Ok(message));
    }

    #[test]
    fn a_list_has_the_published_field_numbers() {
        let message = ListAndWatchResponse {
            devices: vec![Device {
                id: "kvm0".into(),
                health: "Healthy".into(),
                topology: Some(TopologyInfo {
                    nodes: vec![NumaNode { id: 3 }],
                }),
            }],
        };
        let topology = field(3, &field(1, b"\x08\x03"));
        let device = [field(1, b"kvm0"), field(2, b"Healthy"), topology].concat();
        assert_eq!(message.encode_to_vec(), field(1, &device));
    }

    #[test]
    fn an_allocation_has_the_published_field_numbers() {
        let request = AllocateRequest {
            container_requests: vec![ContainerAllocateRequest {
                devices_ids: vec!["a".into(), "b".into()],
            }],
        };
        let ids = [field(1, b"a"), field(1, b"b")].concat();
        assert_eq!(request.encode_to_vec(), field(1, &ids));

        let response = AllocateResponse {
            container_responses: vec![ContainerAllocateResponse {
                envs: HashMap::from([("K".into(), "V".into())]),
                mounts: vec![Mount {
                    container_path: "/c".into(),
                    host_path: "/h".into(),
                    read_only: true,
                }],
                devices: vec![DeviceSpec {
                    container_path: "/c".into(),
                    host_path: "/h".into(),
                    permissions: "rw".into(),
                }],
                annotations: HashMap::from([("k".into(), "v".into())]),
                cdi_devices: vec![CdiDevice { name: "n".into() }],
            }],
        };
        let paths = [field(1, b"/c"), field(2, b"/h")].concat();
        let container = [
            field(1, &[field(1, b"K"), field(2, b"V")].concat()),
            field(2, &[&paths[..], b"\x18\x01"].concat()),
            field(3, &[&paths[..], &field(3, b"rw")].concat()),
            field(4, &[field(1, b"k"), field(2, b"v")].concat()),
            field(5, &field(1, b"n")),
        ];
        assert_eq!(response.encode_to_vec(), field(1, &container.concat()));
    }

    #[test]
    fn the_calls_that_are_not_offered_have_the_published_field_numbers() {
        let request = PreferredAllocationRequest {
            container_requests: vec![ContainerPreferredAllocationRequest {
                available_device_ids: vec!["a".into()],
                must_include_device_ids: vec!["b".into()],
                allocation_size: 2,
            }],
        };
        let container = [&field(1, b"a")[..], &field(2, b"b"), b"\x18\x02"].concat();
        assert_eq!(request.encode_to_vec(), field(1, &container));
        let request = PreStartContainerRequest {
            devices_ids: vec!["a".into()],
        };
        assert_eq!(request.encode_to_vec(), field(1, b"a"));
    }
}
