//! Messages of sample and measure: what cgroups, their processes and network interfaces count.

use super::messages::CgroupDirs;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
pub struct SampleAsk {
    pub mounts: CgroupDirs,
    pub groups: Vec<GroupAsk>,
    pub networks: Vec<NetworkAsk>,
}
#[derive(Debug, Deserialize)]
pub struct GroupAsk {
    pub id: String,
    pub path: String,
}
#[derive(Debug, Deserialize)]
pub struct NetworkAsk {
    pub id: String,
    pub pid: u32,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct SampleReply {
    pub groups: Vec<CgroupSample>,
    pub networks: Vec<NetworkSample>,
}
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CgroupSample {
    pub id: String,
    /// By the wall clock.
    pub at_ns: String,
    /// The same moment by the clock that is never set, for rates.
    pub monotonic_ns: String,
    pub cpu_usage_ns: String,
    pub memory_usage_bytes: String,
    pub working_set_bytes: String,
    pub rss_bytes: String,
    pub page_faults: String,
    pub major_page_faults: String,
    pub swap_usage_bytes: String,
    pub memory_limit_bytes: String,
    pub swap_limit_bytes: String,
    pub pids: String,
    pub oom_kills: String,
    pub pressure: Option<Pressures>,
}
/// Pressure stall information of a cgroup of version 2.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub struct Pressures {
    pub cpu: Pressure,
    pub memory: Pressure,
    pub io: Pressure,
}
/// One pressure file: time in which some, or all, tasks were stalled.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub struct Pressure {
    pub some: Stall,
    pub full: Stall,
}
/// Shares in percent over 10, 60 and 300 seconds, and microseconds in all.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub struct Stall {
    pub avg10: f64,
    pub avg60: f64,
    pub avg300: f64,
    pub total: String,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct NetworkSample {
    pub id: String,
    pub interfaces: Vec<InterfaceSample>,
}
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceSample {
    pub name: String,
    pub rx_bytes: String,
    pub rx_packets: String,
    pub rx_errors: String,
    pub rx_dropped: String,
    pub tx_bytes: String,
    pub tx_packets: String,
    pub tx_errors: String,
    pub tx_dropped: String,
}

#[derive(Debug, Deserialize)]
pub struct MeasureAsk {
    pub mounts: CgroupDirs,
    pub groups: Vec<MeasuredGroup>,
    pub files: Vec<(String, String)>,
}
#[derive(Debug, Deserialize)]
pub struct MeasuredGroup {
    pub id: String,
    pub path: String,
    pub pid: u32,
}
#[derive(Debug, Serialize, Deserialize)]
pub struct MeasureReply {
    pub groups: Vec<GroupMeasure>,
}
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupMeasure {
    pub id: String,
    pub texts: Vec<String>,
    pub processes: u32,
    pub file_descriptors: u32,
    pub sockets: u32,
    pub limits: String,
}
