//! sample: the counters of many cgroups and network namespaces in one call.

use super::call::Call;
use super::cgroup::UNIFIED;
use super::messages::{CgroupDirs, CgroupSample, GroupAsk, NetworkAsk, NetworkSample, SampleAsk, SampleReply};
use super::readout::{field, interfaces, limit, number};
use crate::frame::FrameError;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Reads every group and network asked for; those that are gone are left out.
pub fn sample(ask: &SampleAsk, call: &Call) -> Result<SampleReply, FrameError> {
    let groups = ask.groups.iter().filter_map(group).collect();
    call.check()?;
    Ok(SampleReply { groups, networks: ask.networks.iter().filter_map(network).collect() })
}

fn group(ask: &GroupAsk) -> Option<CgroupSample> {
    let counters = match ask.dirs.get(UNIFIED) {
        Some(dir) => version2(Path::new(dir))?,
        None => version1(&ask.dirs)?,
    };
    let at_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let text = |value: u64| value.to_string();
    Some(CgroupSample {
        id: ask.id.clone(),
        at_ns: at_ns.to_string(),
        cpu_usage_ns: text(counters.cpu_usage_ns),
        memory_usage_bytes: text(counters.memory_usage),
        working_set_bytes: text(counters.memory_usage.saturating_sub(counters.inactive_file)),
        rss_bytes: text(counters.rss),
        page_faults: text(counters.page_faults),
        major_page_faults: text(counters.major_page_faults),
        swap_usage_bytes: text(counters.swap_usage),
        memory_limit_bytes: text(counters.memory_limit),
        swap_limit_bytes: text(counters.swap_limit),
        pids: text(counters.pids),
        oom_kills: text(counters.oom_kills),
    })
}

#[derive(Default)]
struct Counters {
    cpu_usage_ns: u64,
    memory_usage: u64,
    inactive_file: u64,
    rss: u64,
    page_faults: u64,
    major_page_faults: u64,
    swap_usage: u64,
    memory_limit: u64,
    swap_limit: u64,
    pids: u64,
    oom_kills: u64,
}

/// Version 1: one directory per controller; a group is gone when its memory and its CPU time are.
fn version1(dirs: &CgroupDirs) -> Option<Counters> {
    let read = |controller: &str, file: &str| fs::read_to_string(Path::new(dirs.get(controller)?).join(file)).ok();
    let cpu = read("cpuacct", "cpuacct.usage");
    let memory = read("memory", "memory.usage_in_bytes");
    if cpu.is_none() && memory.is_none() {
        return None;
    }
    let or_empty = |controller: &str, file: &str| read(controller, file).unwrap_or_default();
    let stat = or_empty("memory", "memory.stat");
    let memory_limit = limit(&or_empty("memory", "memory.limit_in_bytes"));
    Some(Counters {
        cpu_usage_ns: cpu.map_or(0, |text| number(&text)),
        memory_usage: memory.map_or(0, |text| number(&text)),
        inactive_file: field(&stat, "total_inactive_file"),
        rss: field(&stat, "total_rss"),
        page_faults: field(&stat, "total_pgfault"),
        major_page_faults: field(&stat, "total_pgmajfault"),
        swap_usage: field(&stat, "total_swap"),
        memory_limit,
        // memsw counts memory and swap together.
        swap_limit: limit(&or_empty("memory", "memory.memsw.limit_in_bytes")).saturating_sub(memory_limit),
        pids: number(&or_empty("pids", "pids.current")),
        oom_kills: field(&or_empty("memory", "memory.oom_control"), "oom_kill"),
    })
}

fn version2(dir: &Path) -> Option<Counters> {
    let cpu = fs::read_to_string(dir.join("cpu.stat")).ok()?;
    let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap_or_default();
    let stat = read("memory.stat");
    Some(Counters {
        cpu_usage_ns: field(&cpu, "usage_usec") * 1000,
        memory_usage: number(&read("memory.current")),
        inactive_file: field(&stat, "inactive_file"),
        rss: field(&stat, "anon"),
        page_faults: field(&stat, "pgfault"),
        major_page_faults: field(&stat, "pgmajfault"),
        swap_usage: number(&read("memory.swap.current")),
        memory_limit: limit(&read("memory.max")),
        swap_limit: limit(&read("memory.swap.max")),
        pids: number(&read("pids.current")),
        oom_kills: field(&read("memory.events"), "oom_kill"),
    })
}

fn network(ask: &NetworkAsk) -> Option<NetworkSample> {
    let text = fs::read_to_string(format!("/proc/{}/net/dev", ask.pid)).ok()?;
    Some(NetworkSample { id: ask.id.clone(), interfaces: interfaces(&text) })
}
