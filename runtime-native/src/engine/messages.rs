//! Every message between berthd and the engine, as declared in `api/engine.ts`. Unknown fields are ignored,
//! 64-bit counters are decimal strings.

pub use super::figures::*;
use crate::selinux::Labels;
use crate::user_namespace::IdMappings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Directories of one cgroup by controller on version 1; the one key `unified` on version 2.
pub type CgroupDirs = BTreeMap<String, String>;

/// What every call begins with.
#[derive(Debug, Deserialize)]
pub struct Ask {
    pub id: u64,
    pub call: String,
}

/// The answer of calls that have nothing to say but that they are done.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {}

#[derive(Debug, Deserialize)]
pub struct HelloAsk {
    pub protocol: u32,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct HelloReply {
    pub protocol: u32,
    pub version: String,
    pub pid: u32,
}

#[derive(Debug, Deserialize)]
pub struct CancelAsk {
    pub of: u64,
}

#[derive(Debug, Deserialize)]
pub struct StateAsk {
    pub dir: String,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct PrepareStateReply {
    pub mounted: bool,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct ReleaseStateReply {
    pub released: bool,
}

/// What a shim is told at its start; passed on to it as it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShimPod {
    pub id: String,
    pub socket: String,
    pub directory: String,
    pub network: String,
    pub netns_path: String,
    pub ipc: String,
    pub uts: String,
    pub pid: String,
    pub hostname: String,
    pub sysctls: BTreeMap<String, String>,
    pub user: Option<IdMappings>,
    pub shm: Option<Shm>,
    pub selinux: Option<Labels>,
    pub cgroup: CgroupDirs,
    pub oom_score_adj: i32,
}
/// The tmpfs of a pod's /dev/shm.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shm {
    pub path: String,
    pub size_bytes: u64,
}

#[derive(Debug, Deserialize)]
pub struct SpawnShimAsk {
    pub pod: ShimPod,
}
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpawnShimReply {
    pub pid: i32,
    pub pause_pid: i32,
    pub user_namespace: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleasePodAsk {
    pub shm: String,
    pub netns_path: String,
    pub cgroup: CgroupDirs,
    pub directory: String,
    pub socket: String,
}

#[derive(Debug, Deserialize)]
pub struct UnpinNetnsAsk {
    pub path: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunAsk {
    pub path: String,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub stdin: String,
    pub timeout_ms: u64,
}
/// The part of a run that chooses where it queues.
#[derive(Debug, Deserialize)]
pub struct RunLane {
    pub lane: String,
}
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReply {
    pub exit_code: i32,
    pub signal: i32,
    pub stdout: String,
    pub stderr: String,
}

#[derive(Debug, Deserialize)]
pub struct MountRootfsAsk {
    pub target: String,
    pub lower: Vec<String>,
    pub upper: String,
    pub work: String,
    pub idmap: Option<LayersIdmap>,
    pub label: String,
    pub read: Vec<String>,
}
/// Whose ids the layers are to show, and an unused path to lay them out on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayersIdmap {
    pub user_namespace: String,
    pub stage: String,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct MountRootfsReply {
    pub files: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MountImageAsk {
    pub target: String,
    pub lower: Vec<String>,
    pub idmap: Option<LayersIdmap>,
    pub label: String,
    pub sub_path: String,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct MountImageReply {
    pub path: String,
}

#[derive(Debug, Deserialize)]
pub struct FindSourcesAsk {
    pub sources: Vec<Source>,
}
/// A host path of a mount.
#[derive(Debug, Deserialize)]
pub struct Source {
    pub path: String,
    pub make: bool,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct FindSourcesReply {
    pub found: Vec<FoundSource>,
}
/// Where a host path leads to, or why it cannot be used.
#[derive(Debug, Serialize, Deserialize)]
pub struct FoundSource {
    pub path: String,
    pub error: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadTextsAsk {
    pub paths: Vec<String>,
    pub max_bytes: u64,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct ReadTextsReply {
    pub texts: Vec<TextRead>,
}
/// The text of a file, or why it cannot be read.
#[derive(Debug, Serialize, Deserialize)]
pub struct TextRead {
    pub text: String,
    pub error: String,
}

#[derive(Debug, Deserialize)]
pub struct MakeVolumesAsk {
    pub rootfs: String,
    pub volumes: Vec<String>,
    pub uid: u32,
    pub gid: u32,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct MakeVolumesReply {
    pub paths: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct RelabelAsk {
    pub trees: Vec<String>,
    pub label: String,
}

#[derive(Debug, Deserialize)]
pub struct TryIdmapAsk {
    pub dir: String,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct TryIdmapReply {
    pub obstacle: String,
}

#[derive(Debug, Deserialize)]
pub struct RemoveTreesAsk {
    pub unmount: Vec<String>,
    pub remove: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoveCgroupAsk {
    pub dirs: CgroupDirs,
    pub timeout_ms: u64,
    /// A process in it whose end is wanted; 0 for none.
    #[serde(default)]
    pub pid: i32,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct RemoveCgroupReply {
    pub end: Option<End>,
}

/// How a process ended; `exit_code` is 128 + `signal` when one killed it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    pub exit_code: i32,
    pub signal: i32,
}

#[derive(Debug, Deserialize)]
pub struct NotifyAsk {
    pub socket: String,
    pub pid: i32,
    pub state: String,
}

#[derive(Debug, Deserialize)]
pub struct DiskUsageAsk {
    pub paths: Vec<String>,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct DiskUsageReply {
    pub usage: Vec<Option<TreeUsage>>,
}
/// A layer's directory, and the file with the sums that were kept of it.
#[derive(Debug, Deserialize)]
pub struct VerifyLayerAsk {
    pub directory: String,
    pub sums: String,
}
/// `verified`: whether sums were there to compare with; `missing` and `damaged` count files, `names` has some of the latter.
#[derive(Debug, Default, Serialize)]
pub struct VerifyLayerReply {
    pub verified: bool,
    pub files: u64,
    pub missing: u64,
    pub damaged: u64,
    pub names: Vec<String>,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct TreeUsage {
    pub bytes: String,
    pub inodes: String,
}

/// Unpacking gives way to others for that many milliseconds from now on.
#[derive(Debug, Deserialize)]
pub struct GiveWayAsk {
    pub ms: u32,
}

#[derive(Debug, Deserialize)]
pub struct StatfsAsk {
    pub path: String,
}
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatfsReply {
    pub total_bytes: String,
    pub free_bytes: String,
    pub total_inodes: String,
    pub free_inodes: String,
    pub r#type: String,
}

#[derive(Debug, Deserialize)]
pub struct CommitLayersAsk {
    pub moves: Vec<LayerMove>,
}
#[derive(Debug, Deserialize)]
pub struct LayerMove {
    pub from: String,
    pub to: String,
    /// Directories that no entry of the layer names.
    pub implied: Vec<String>,
    /// The layers below it, the topmost first, where they will be.
    pub below: Vec<String>,
}

/// A line for berthd's log; `level` is `error`, `warn`, `info` or `debug`.
#[derive(Debug, Serialize, Deserialize)]
pub struct LogEvent {
    pub level: String,
    pub message: String,
}
