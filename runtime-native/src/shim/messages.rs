//! Every message of the shim's socket and of its start, as `api/shim.ts` and `api/engine.ts` declare them.
//! Unknown fields are ignored, 64-bit integers are decimal strings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::selinux::Labels;
use crate::user_namespace::IdMappings;

/// Directories of one cgroup by controller on version 1; the one key `unified` on version 2.
pub type CgroupDirs = BTreeMap<String, String>;

/// Whose network, ipc or uts namespace a pod uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Namespace {
    Pod,
    Host,
}

/// Whose pid namespace the containers of a pod use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PidNamespace {
    Pod,
    Container,
    Host,
}

/// What a shim is told at its start, by the engine.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShimPod {
    pub socket: String,
    pub directory: String,
    pub network: Namespace,
    pub netns_path: String,
    pub ipc: Namespace,
    pub uts: Namespace,
    pub pid: PidNamespace,
    pub hostname: String,
    pub sysctls: BTreeMap<String, String>,
    /// The pod's own user namespace; `None` is the host's.
    pub user: Option<IdMappings>,
    pub selinux: Option<Labels>,
    pub oom_score_adj: i32,
}

/// The one line a started shim writes to the engine.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    pub pid: i32,
    pub pause_pid: i32,
    /// Where the pod's user namespace is found; empty with the host's.
    pub user_namespace: String,
}

/// The OCI runtime as the shim calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OciRuntime {
    pub path: String,
    pub args: Vec<String>,
    pub root: String,
    pub systemd_cgroup: bool,
    /// Its containers are inside the sandbox process of their pod.
    #[serde(default)]
    pub sandboxed: bool,
}

/// How a container's first process ended; `exit_code` is 128 + `signal` when one killed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exit {
    pub exit_code: i32,
    pub signal: i32,
    pub oom_killed: bool,
    pub finished_at_ns: String,
}

/// Any call: its number and name; the rest is read by name.
#[derive(Debug, Deserialize)]
pub struct Call {
    pub id: u64,
    pub call: String,
}

/// Versions of the protocol that one side speaks, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocols {
    pub oldest: u32,
    pub newest: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelloAsk {
    /// The oldest that the caller speaks, and with a berthd that names no range the only one.
    pub protocol: u32,
    #[serde(default)]
    pub speaks: Option<Protocols>,
    pub since_seq: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelloReply {
    pub protocol: u32,
    pub speaks: Protocols,
    pub version: String,
    pub pid: i32,
    pub pause_pid: i32,
    pub seq: u64,
    pub containers: Vec<HeldContainer>,
}

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    Creating,
    Created,
    Running,
    Stopped,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldContainer {
    pub id: String,
    pub state: State,
    pub pid: i32,
    pub started_at_ns: String,
    pub exit: Option<Exit>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateAsk {
    pub container: String,
    pub bundle: String,
    pub runtime: OciRuntime,
    pub log_path: String,
    /// Missing from a berthd of before it was told.
    #[serde(default)]
    pub log_directory: String,
    pub tty: bool,
    pub stdin: bool,
    pub stdin_once: bool,
    pub cgroup: CgroupDirs,
    pub timeout_ms: u64,
}

/// Reply of `create` and `exec`.
#[derive(Debug, Serialize, Deserialize)]
pub struct PidReply {
    pub pid: i32,
}

/// Ask of `start` and `delete`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimedAsk {
    pub container: String,
    pub timeout_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartReply {
    pub started_at_ns: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopAsk {
    pub container: String,
    pub signal: i32,
    pub grace_ms: u64,
}

/// Ask of `reopenLog`.
#[derive(Debug, Deserialize)]
pub struct ContainerAsk {
    pub container: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateAsk {
    pub container: String,
    pub resources: Box<RawValue>,
    pub timeout_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecAsk {
    pub container: String,
    pub exec: String,
    pub process: Box<RawValue>,
    pub tty: bool,
    pub stdin: bool,
    pub timeout_ms: u64,
}

#[derive(Debug, Deserialize)]
pub struct AttachAsk {
    pub container: String,
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
}

#[derive(Debug, Deserialize)]
pub struct DialAsk {
    pub port: u16,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeAsk {
    pub path: String,
    pub timeout_ms: u64,
}

/// What the shim is from now on.
#[derive(Debug, Serialize, Deserialize)]
pub struct UpgradeReply {
    pub version: String,
    pub speaks: Protocols,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct AttachReply {
    pub tty: bool,
}

/// Reply of the calls that have nothing to say.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {}

/// Body of a stream's last packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecStatus {
    pub exit_code: i32,
    pub signal: i32,
    pub timed_out: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// Body of a `resize` packet, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resize {
    pub width: u16,
    pub height: u16,
}

/// The unasked messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum Event {
    Exit {
        container: String,
        pid: i32,
        #[serde(flatten)]
        exit: Exit,
    },
    Oom {
        container: String,
    },
    /// Records of its log could not be written.
    LogLost {
        container: String,
        records: u64,
        reason: String,
    },
}

/// An event with its place in the order of all events of this shim, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedEvent {
    pub seq: u64,
    #[serde(flatten)]
    pub event: Event,
}

/// An answer that is no error.
#[derive(Debug, Serialize)]
pub struct Reply<'a, T> {
    pub id: u64,
    pub ok: &'a T,
}

/// An answer that is an error.
#[derive(Debug, Serialize)]
pub struct Refusal<'a> {
    pub id: u64,
    pub error: &'a crate::frame::FrameError,
}

/// Kinds of the packets of a stream connection.
pub mod packet {
    pub const STDIN: u8 = 0;
    pub const STDOUT: u8 = 1;
    pub const STDERR: u8 = 2;
    pub const STATUS: u8 = 3;
    pub const RESIZE: u8 = 4;
}
