//! The kubelet's questions, and the answers.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::{Notify, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::api::device_plugin::device_plugin_server::DevicePlugin;
use crate::api::{
    AllocateRequest, AllocateResponse, ContainerAllocateResponse, Device, DevicePluginOptions,
    DeviceSpec, Empty, HEALTHY, ListAndWatchResponse, Mount, PreStartContainerRequest,
    PreStartContainerResponse, PreferredAllocationRequest, PreferredAllocationResponse, UNHEALTHY,
};
use crate::options::Options;
use crate::state::State;

/// What the kubelet is told of the calls: the two that nothing is to be done
/// in are not to be made.
pub const OPTIONS: DevicePluginOptions = DevicePluginOptions {
    pre_start_required: false,
    get_preferred_allocation_available: false,
};

/// The service, from one registration to the next.
#[derive(Debug)]
pub struct Plugin {
    state: Arc<State>,
    /// What a container gets.
    container: ContainerAllocateResponse,
    ids: HashSet<String>,
    /// Closed when the service ends.
    end: watch::Receiver<()>,
    /// Told when the kubelet does not listen any more.
    deaf: Arc<Notify>,
}

impl Plugin {
    pub fn new(
        options: &Options,
        state: &Arc<State>,
        end: watch::Receiver<()>,
        deaf: Arc<Notify>,
    ) -> Plugin {
        // KVM wants to be read and written; the node is made by the container runtime.
        let device = DeviceSpec {
            container_path: options.device.clone(),
            host_path: options.device.clone(),
            permissions: "rw".to_owned(),
        };
        let mount = options.runtime_dir.iter().map(|folder| Mount {
            container_path: folder.clone(),
            host_path: folder.clone(),
            read_only: true,
        });
        Plugin {
            state: Arc::clone(state),
            container: ContainerAllocateResponse {
                devices: vec![device],
                mounts: mount.collect(),
                ..ContainerAllocateResponse::default()
            },
            ids: ids(state.devices).collect(),
            end,
            deaf,
        }
    }

    fn answer(&self, request: &AllocateRequest) -> Result<AllocateResponse, Status> {
        if !*self.state.healthy.borrow() {
            return Err(Status::unavailable("the device is not there"));
        }
        let mut wanted = request
            .container_requests
            .iter()
            .flat_map(|container| &container.devices_ids);
        if let Some(unknown) = wanted.find(|id| !self.ids.contains(*id)) {
            return Err(Status::invalid_argument(format!("no device {unknown:?}")));
        }
        let containers = request.container_requests.iter();
        Ok(AllocateResponse {
            container_responses: containers.map(|_| self.container.clone()).collect(),
        })
    }
}

fn ids(devices: u32) -> impl Iterator<Item = String> {
    (0..devices).map(|number| format!("kvm{number}"))
}

/// All devices are the same one.
fn list(devices: u32, healthy: bool) -> ListAndWatchResponse {
    let health = if healthy { HEALTHY } else { UNHEALTHY };
    let device = |id| Device {
        id,
        health: health.to_owned(),
        topology: None,
    };
    ListAndWatchResponse {
        devices: ids(devices).map(device).collect(),
    }
}

#[tonic::async_trait]
impl DevicePlugin for Plugin {
    async fn get_device_plugin_options(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<DevicePluginOptions>, Status> {
        Ok(Response::new(OPTIONS))
    }

    type ListAndWatchStream = ReceiverStream<Result<ListAndWatchResponse, Status>>;

    async fn list_and_watch(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::ListAndWatchStream>, Status> {
        let (sender, receiver) = mpsc::channel(1);
        let devices = self.state.devices;
        let mut healthy = self.state.healthy.subscribe();
        let mut end = self.end.clone();
        let deaf = Arc::clone(&self.deaf);
        tokio::spawn(async move {
            loop {
                let now = *healthy.borrow_and_update();
                if sender.send(Ok(list(devices, now))).await.is_err() {
                    break;
                }
                tokio::select! {
                    changed = healthy.changed() => if changed.is_err() { break },
                    _ = end.changed() => break,
                    () = sender.closed() => break,
                }
            }
            deaf.notify_one();
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn get_preferred_allocation(
        &self,
        _: Request<PreferredAllocationRequest>,
    ) -> Result<Response<PreferredAllocationResponse>, Status> {
        Err(Status::unimplemented("any device is as good as another"))
    }

    async fn allocate(
        &self,
        request: Request<AllocateRequest>,
    ) -> Result<Response<AllocateResponse>, Status> {
        match self.answer(request.get_ref()) {
            Ok(response) => {
                let containers = response.container_responses.len() as u64;
                self.state.allocations.fetch_add(containers, Relaxed);
                log::debug!("the device for {containers} containers");
                Ok(Response::new(response))
            }
            Err(status) => {
                self.state.failed_allocations.fetch_add(1, Relaxed);
                log::warn!("no device for a pod: {}", status.message());
                Err(status)
            }
        }
    }

    async fn pre_start_container(
        &self,
        _: Request<PreStartContainerRequest>,
    ) -> Result<Response<PreStartContainerResponse>, Status> {
        Err(Status::unimplemented(
            "nothing is to be done before a container starts",
        ))
    }
}
