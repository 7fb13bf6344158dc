//! sample: the counters of many cgroups and network namespaces in one call.

use super::call::Call;
use super::cgroup::UNIFIED;
use super::messages::{
    CgroupDirs, CgroupSample, GroupAsk, NetworkAsk, NetworkSample, Pressures, SampleAsk, SampleReply,
};
use super::open_groups::{OpenGroup, OpenGroups};
use super::readout::{fields, interfaces, limit, number, pressure};
use crate::frame::FrameError;
use rustix::io::pread;
use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::os::fd::OwnedFd;
use std::time::{SystemTime, UNIX_EPOCH};

/// More than any of the files has.
const FILE_BYTES: usize = 16 << 10;

/// Reads every group and network asked for; those that are gone are left out.
pub fn sample(ask: &SampleAsk, call: &Call) -> Result<SampleReply, FrameError> {
    let open = &call.engine.open_groups;
    let mut buffer = vec![0; FILE_BYTES];
    let groups = ask.groups.iter().filter_map(|group| sample_group(&ask.mounts, group, open, &mut buffer)).collect();
    open.forget_unused();
    call.check()?;
    Ok(SampleReply { groups, networks: ask.networks.iter().filter_map(network).collect() })
}

/// The group by the files that are open already; those of a group that was made anew are of no use, so it is opened again.
fn sample_group(mounts: &CgroupDirs, ask: &GroupAsk, open: &OpenGroups, buffer: &mut [u8]) -> Option<CgroupSample> {
    let known = open.take(&ask.id, &ask.path);
    let read = |group: OpenGroup, buffer: &mut [u8]| {
        let counters = counters(mounts, &group.files, buffer)?;
        open.put(&ask.id, group);
        Some(counters)
    };
    let counters = known.and_then(|group| read(group, buffer)).or_else(|| {
        let path = |(controller, name): &(&str, &str)| Some(format!("{}{}/{name}", mounts.get(*controller)?, ask.path));
        let files: &[_] = if mounts.contains_key(UNIFIED) { &VERSION_2 } else { &VERSION_1 };
        read(OpenGroup::open(&ask.path, files.iter().map(path)), buffer)
    })?;
    Some(written(ask, counters))
}

fn written(ask: &GroupAsk, counters: Counters) -> CgroupSample {
    let at_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let monotonic = clock_gettime(ClockId::Monotonic);
    let monotonic_ns = monotonic.tv_sec as u64 * 1_000_000_000 + monotonic.tv_nsec as u64;
    let text = |value: u64| value.to_string();
    CgroupSample {
        id: ask.id.clone(),
        at_ns: at_ns.to_string(),
        monotonic_ns: text(monotonic_ns),
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
        pressure: counters.pressure,
    }
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
    pressure: Option<Pressures>,
}

/// Controller and name of each file that is read, in the order in which `version1` reads them.
const VERSION_1: [(&str, &str); 7] = [
    ("cpuacct", "cpuacct.usage"),
    ("memory", "memory.usage_in_bytes"),
    ("memory", "memory.stat"),
    ("memory", "memory.limit_in_bytes"),
    ("memory", "memory.memsw.limit_in_bytes"),
    ("pids", "pids.current"),
    ("memory", "memory.oom_control"),
];

/// The same for `version2`; the last two are of the part (`DIVIDED`) that crun may limit in place of the whole.
const VERSION_2: [(&str, &str); 13] = [
    (UNIFIED, "cpu.stat"),
    (UNIFIED, "memory.current"),
    (UNIFIED, "memory.stat"),
    (UNIFIED, "memory.swap.current"),
    (UNIFIED, "memory.max"),
    (UNIFIED, "memory.swap.max"),
    (UNIFIED, "pids.current"),
    (UNIFIED, "memory.events"),
    (UNIFIED, "cpu.pressure"),
    (UNIFIED, "memory.pressure"),
    (UNIFIED, "io.pressure"),
    (UNIFIED, "container/memory.max"),
    (UNIFIED, "container/memory.swap.max"),
];

fn counters(mounts: &CgroupDirs, opened: &[Option<OwnedFd>], buffer: &mut [u8]) -> Option<Counters> {
    let files: Vec<Option<&OwnedFd>> = opened.iter().map(Option::as_ref).collect();
    if mounts.contains_key(UNIFIED) { version2(&files, buffer) } else { version1(&files, buffer) }
}

/// Text of an open file from its beginning; `None` when the group has been removed.
fn text<'a>(file: Option<&OwnedFd>, buffer: &'a mut [u8]) -> Option<&'a str> {
    let length = pread(file?, &mut *buffer, 0).ok()?;
    std::str::from_utf8(&buffer[..length]).ok()
}

/// Version 1: one directory per controller; a group is gone when its memory and its CPU time are.
fn version1(files: &[Option<&OwnedFd>], buffer: &mut [u8]) -> Option<Counters> {
    let &[usage, memory, stat, memory_limit, memsw_limit, pids, oom_control] = files else { return None };
    let cpu_usage = text(usage, buffer).map(number);
    let memory_usage = text(memory, buffer).map(number);
    if cpu_usage.is_none() && memory_usage.is_none() {
        return None;
    }
    let keys = ["total_inactive_file", "total_rss", "total_pgfault", "total_pgmajfault", "total_swap"];
    let [inactive_file, rss, page_faults, major_page_faults, swap_usage] =
        text(stat, buffer).map_or([0; 5], |stat| fields(stat, keys));
    let memory_limit = text(memory_limit, buffer).map_or(0, limit);
    Some(Counters {
        cpu_usage_ns: cpu_usage.unwrap_or(0),
        memory_usage: memory_usage.unwrap_or(0),
        inactive_file,
        rss,
        page_faults,
        major_page_faults,
        swap_usage,
        memory_limit,
        // memsw counts memory and swap together.
        swap_limit: text(memsw_limit, buffer).map_or(0, limit).saturating_sub(memory_limit),
        pids: text(pids, buffer).map_or(0, number),
        oom_kills: text(oom_control, buffer).map_or(0, |events| fields(events, ["oom_kill"])[0]),
        pressure: None,
    })
}

fn version2(files: &[Option<&OwnedFd>], buffer: &mut [u8]) -> Option<Counters> {
    let &[cpu, memory, stat, swap, memory_max, swap_max, pids, events, ref more @ ..] = files else { return None };
    let &[cpu_psi, memory_psi, io_psi, inner_max, inner_swap_max] = more else { return None };
    let [cpu_usage_us] = fields(text(cpu, buffer)?, ["usage_usec"]);
    let keys = ["inactive_file", "anon", "pgfault", "pgmajfault"];
    let [inactive_file, rss, page_faults, major_page_faults] =
        text(stat, buffer).map_or([0; 4], |stat| fields(stat, keys));
    let mut psi = |file| text(file, buffer).map(pressure);
    let pressure = match (psi(cpu_psi), psi(memory_psi), psi(io_psi)) {
        (Some(cpu), Some(memory), Some(io)) => Some(Pressures { cpu, memory, io }),
        _ => None,
    };
    Some(Counters {
        cpu_usage_ns: cpu_usage_us * 1000,
        memory_usage: text(memory, buffer).map_or(0, number),
        inactive_file,
        rss,
        page_faults,
        major_page_faults,
        swap_usage: text(swap, buffer).map_or(0, number),
        memory_limit: tightest([memory_max, inner_max], buffer),
        swap_limit: tightest([swap_max, inner_swap_max], buffer),
        pids: text(pids, buffer).map_or(0, number),
        oom_kills: text(events, buffer).map_or(0, |events| fields(events, ["oom_kill"])[0]),
        pressure,
    })
}

/// The limit that counts of a group and the part of it that crun limits in its place; 0 for none.
fn tightest(files: [Option<&OwnedFd>; 2], buffer: &mut [u8]) -> u64 {
    let limits = files.map(|file| text(file, buffer).map_or(0, limit));
    limits.into_iter().filter(|&limit| limit > 0).min().unwrap_or(0)
}

fn network(ask: &NetworkAsk) -> Option<NetworkSample> {
    let text = fs::read_to_string(format!("/proc/{}/net/dev", ask.pid)).ok()?;
    Some(NetworkSample { id: ask.id.clone(), interfaces: interfaces(&text) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// A group of version 2 made of plain files, with what `limits` says in it.
    fn sampled(dir: &Path, limits: &[(&str, &str)]) -> CgroupSample {
        fs::create_dir_all(dir.join("c/container")).unwrap();
        let usage = [("cpu.stat", "usage_usec 1\n"), ("memory.current", "10\n")];
        usage.iter().chain(limits).for_each(|(name, text)| fs::write(dir.join("c").join(name), text).unwrap());
        let mounts = CgroupDirs::from([(UNIFIED.to_owned(), dir.to_string_lossy().into_owned())]);
        let ask = GroupAsk { id: "c".to_owned(), path: "/c".to_owned() };
        let sample = sample_group(&mounts, &ask, &OpenGroups::new(), &mut vec![0; FILE_BYTES]).unwrap();
        fs::remove_dir_all(dir).unwrap();
        sample
    }

    #[test]
    fn the_pressure_of_a_group_is_read_where_the_kernel_tells_it() {
        let mount = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
            .into_iter()
            .find(|path| Path::new(path).join("cgroup.controllers").exists());
        let Some(mount) = mount else { return eprintln!("no cgroup2 is mounted: its pressure is not read") };
        let name = format!("berth-pressure-{}", std::process::id());
        let group = Path::new(mount).join(&name);
        fs::create_dir(&group).unwrap();
        let told = group.join("cpu.pressure").exists();
        let mounts = CgroupDirs::from([(UNIFIED.to_owned(), mount.to_owned())]);
        let ask = GroupAsk { id: "c".to_owned(), path: format!("/{name}") };
        let sample = sample_group(&mounts, &ask, &OpenGroups::new(), &mut vec![0; FILE_BYTES]);
        fs::remove_dir(&group).unwrap();
        let pressure = sample.unwrap().pressure;
        assert_eq!(pressure.is_some(), told);
        assert!(pressure.is_none_or(|pressure| pressure.cpu.some.total.parse::<u64>().is_ok()));
    }

    #[test]
    fn the_tighter_limit_of_a_group_and_of_the_part_that_is_limited_in_its_place_counts() {
        let dir = std::env::temp_dir().join(format!("berth-sample-{}", std::process::id()));
        let inner = [("memory.max", "max\n"), ("container/memory.max", "64\n"), ("container/memory.swap.max", "8\n")];
        let divided = sampled(&dir, &inner);
        assert_eq!([divided.memory_limit_bytes, divided.swap_limit_bytes], ["64", "8"]);
        let whole = sampled(&dir, &[("memory.max", "64\n"), ("container/memory.max", "96\n")]);
        assert_eq!([whole.memory_limit_bytes, whole.swap_limit_bytes], ["64", "0"]);
        assert_eq!(sampled(&dir, &[("memory.max", "max\n")]).memory_limit_bytes, "0");
    }
}
