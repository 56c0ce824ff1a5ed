// SPDX-License-Identifier: Apache-2.0

//! The agent's job done with kube-rs: registers a node with one POST, watches it and the pods bound to it, renews its lease
//! and writes its status. See ../README.md for what every peer does.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

type Fault = Box<dyn std::error::Error>;

struct Counting;

static HEAP_CALLS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP_CALLS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HEAP_CALLS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LEASE_PERIOD: Duration = Duration::from_secs(10);
const STATUS_PERIOD: Duration = Duration::from_secs(300);
const LEASE_NAMESPACE: &str = "kube-node-lease";

#[derive(Default)]
struct Options {
    kubeconfig: String,
    node: String,
    report: String,
    /// Only a cache of all pods: no node, no lease.
    pods_only: bool,
}

fn options() -> Result<Options, Fault> {
    let mut options = Options::default();
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        if flag == "--pods-only" {
            options.pods_only = true;
            continue;
        }
        let value = args.next().ok_or("a flag without its value")?;
        match flag.as_str() {
            "--kubeconfig" => options.kubeconfig = value,
            "--node-name" => options.node = value,
            "--report" => options.report = value,
            _ => return Err(format!("unknown flag {flag}").into()),
        }
    }
    Ok(options)
}

fn line_of(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(key))?;
    Some(line.trim_start_matches(':').trim().to_string())
}

fn status() -> Value {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": "measured by the system",
               "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    let cpus = std::thread::available_parallelism().map_or(1, |n| n.get());
    let memory = line_of("/proc/meminfo", "MemTotal").unwrap_or_default().replace(" kB", "Ki");
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_string();
    let size = json!({"cpu": cpus.to_string(), "memory": memory, "pods": "0"});
    json!({
        "capacity": size, "allocatable": size,
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "conditions": [
            condition("Ready", "True", "AgentReady"),
            condition("MemoryPressure", "False", "Enough"),
            condition("DiskPressure", "False", "Enough"),
            condition("PIDPressure", "False", "Enough"),
        ],
        "nodeInfo": {
            "machineID": read("/etc/machine-id"), "bootID": read("/proc/sys/kernel/random/boot_id"), "systemUUID": "",
            "kernelVersion": read("/proc/sys/kernel/osrelease"), "osImage": "Linux", "containerRuntimeVersion": "",
            "kubeletVersion": "v1.36.0-bench", "kubeProxyVersion": "", "operatingSystem": "linux",
            "architecture": std::env::consts::ARCH,
        },
    })
}

fn node_object(name: &str) -> Result<Node, Fault> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {
            "kubernetes.io/arch": std::env::consts::ARCH,
            "topology.kubernetes.io/region": "kubemote-devices",
            "node.kubernetes.io/exclude-from-external-load-balancers": "true",
        }},
        "spec": {"taints": [{"key": "kubemote.io/device", "effect": "NoSchedule"}]},
        "status": status(),
    }))?)
}

async fn write_status(nodes: &Api<Node>, name: &str) -> Result<Node, kube::Error> {
    nodes.patch_status(name, &PatchParams::default(), &Patch::Strategic(json!({"status": status()}))).await
}

/// The Node's uid, after the server accepted a Ready status.
async fn register(nodes: &Api<Node>, name: &str) -> Result<String, Fault> {
    let node = match nodes.create(&PostParams::default(), &node_object(name)?).await {
        Err(kube::Error::Api(status)) if status.code == 409 => write_status(nodes, name).await?,
        other => other?,
    };
    node.metadata.uid.ok_or_else(|| "a node without a uid".into())
}

fn lease_object(name: &str, uid: &str) -> Result<Lease, Fault> {
    let renewed = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    Ok(serde_json::from_value(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "namespace": LEASE_NAMESPACE, "ownerReferences": [
            {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}]},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": renewed},
    }))?)
}

/// Renews by update, as client-go does: what the server answered last carries the resourceVersion.
async fn renew(leases: &Api<Lease>, name: &str, uid: &str, held: Option<Lease>) -> Result<Lease, Fault> {
    let mut lease = lease_object(name, uid)?;
    let Some(held) = held else {
        return match leases.create(&PostParams::default(), &lease).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {
                lease.metadata.resource_version = leases.get(name).await?.metadata.resource_version;
                Ok(leases.replace(name, &PostParams::default(), &lease).await?)
            }
            other => Ok(other?),
        };
    };
    lease.metadata.resource_version = held.metadata.resource_version;
    Ok(leases.replace(name, &PostParams::default(), &lease).await?)
}

async fn keep_lease(leases: Api<Lease>, name: &str, uid: &str) {
    let mut held = None;
    loop {
        held = renew(&leases, name, uid, held.take()).await.ok();
        tokio::time::sleep(LEASE_PERIOD).await;
    }
}

async fn keep_status(nodes: Api<Node>, name: &str) {
    loop {
        tokio::time::sleep(STATUS_PERIOD).await;
        if let Err(fault) = write_status(&nodes, name).await {
            eprintln!("status: {fault}");
        }
    }
}

async fn keep_cache<K>(api: Api<K>, config: watcher::Config)
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let (_reader, writer) = reflector::store();
    let mut events = reflector(writer, watcher(api, config.streaming_lists())).default_backoff().applied_objects().boxed_local();
    while events.next().await.is_some() {}
}

async fn report(path: &str) -> Result<(), Fault> {
    let mut asked = signal(SignalKind::user_defined1())?;
    while asked.recv().await.is_some() {
        let calls = HEAP_CALLS.load(Ordering::Relaxed);
        let part = format!("{path}.part");
        std::fs::write(&part, json!({"heap_calls": calls}).to_string())?;
        std::fs::rename(&part, path)?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Fault> {
    let began = SystemTime::now();
    let options = options()?;
    let kubeconfig = Kubeconfig::read_from(&options.kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    if options.pods_only {
        keep_cache(Api::<Pod>::all(client), watcher::Config::default()).await;
        return Ok(());
    }
    let nodes: Api<Node> = Api::all(client.clone());
    let pods: Api<Pod> = Api::all(client.clone());
    let leases: Api<Lease> = Api::namespaced(client, LEASE_NAMESPACE);
    let name = options.node.as_str();
    let uid = register(&nodes, name).await?;
    eprintln!("ready after {} ms", began.elapsed()?.as_millis());
    let (_, _, _, _, told) = futures::join!(
        keep_cache(nodes.clone(), watcher::Config::default().fields(&format!("metadata.name={name}"))),
        keep_cache(pods, watcher::Config::default().fields(&format!("spec.nodeName={name}"))),
        keep_lease(leases, name, &uid),
        keep_status(nodes, name),
        report(&options.report),
    );
    told
}
