//! measure: files of cgroups as they are, and what the processes in them hold open.

use super::call::Call;
use super::cgroup::{DIVIDED, UNIFIED};
use super::messages::{CgroupDirs, GroupMeasure, MeasureAsk, MeasureReply, MeasuredGroup};
use crate::frame::FrameError;
use std::fs;
use std::path::{Path, PathBuf};

/// Most processes of a group whose descriptors are counted.
const PROCESSES_MAX: usize = 1024;
/// Longest text of one file, in bytes; the kernel's are far shorter.
const TEXT_MAX: usize = 64 << 10;

/// Reads every group asked for; those that are gone are left out.
pub fn measure(ask: &MeasureAsk, call: &Call) -> Result<MeasureReply, FrameError> {
    let mut groups = Vec::with_capacity(ask.groups.len());
    for group in &ask.groups {
        call.check()?;
        groups.extend(measure_group(ask, group));
    }
    Ok(MeasureReply { groups })
}

fn measure_group(ask: &MeasureAsk, group: &MeasuredGroup) -> Option<GroupMeasure> {
    let pids = pids(&leader(&ask.mounts)?.join(group.path.trim_start_matches('/')))?;
    let held: Vec<Held> = pids.iter().take(PROCESSES_MAX).map(|pid| held(pid)).collect();
    Some(GroupMeasure {
        id: group.id.clone(),
        texts: ask.files.iter().map(|(controller, name)| text(&ask.mounts, controller, &group.path, name)).collect(),
        processes: pids.len() as u32,
        file_descriptors: held.iter().map(|held| held.descriptors).sum(),
        sockets: held.iter().map(|held| held.sockets).sum(),
        limits: fs::read_to_string(format!("/proc/{}/limits", group.pid)).unwrap_or_default(),
    })
}

/// A hierarchy that every process is in.
fn leader(mounts: &CgroupDirs) -> Option<PathBuf> {
    ["memory", UNIFIED].iter().find_map(|key| mounts.get(*key)).or_else(|| mounts.values().next()).map(PathBuf::from)
}

/// A file as it is; where it says that there is no limit, that of the part that is limited in place of the whole.
fn text(mounts: &CgroupDirs, controller: &str, path: &str, name: &str) -> String {
    let read = |path: &str| fs::read_to_string(format!("{}{path}/{name}", mounts.get(controller)?)).ok();
    let outer = read(path).filter(|text| text.len() <= TEXT_MAX).unwrap_or_default();
    if !outer.starts_with("max") {
        return outer;
    }
    read(&format!("{path}/{DIVIDED}")).filter(|text| text.len() <= TEXT_MAX).unwrap_or(outer)
}

/// The processes of a group and of those below it; `None` when it is gone.
fn pids(dir: &Path) -> Option<Vec<String>> {
    let mut pids: Vec<String> = fs::read_to_string(dir.join("cgroup.procs")).ok()?.lines().map(str::to_owned).collect();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            pids.extend(self::pids(&entry.path()).unwrap_or_default());
        }
    }
    Some(pids)
}

struct Held {
    descriptors: u32,
    sockets: u32,
}

/// What a process holds open; nothing when it has ended.
fn held(pid: &str) -> Held {
    let mut held = Held { descriptors: 0, sockets: 0 };
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
        held.descriptors += 1;
        let target = fs::read_link(entry.path()).unwrap_or_default();
        held.sockets += u32::from(target.to_string_lossy().starts_with("socket:"));
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_a_divided_group_are_those_of_its_part() {
        let dir = std::env::temp_dir().join(format!("berth-measure-{}", std::process::id()));
        fs::create_dir_all(dir.join("c/container")).unwrap();
        let files = [("c/pids.max", "max\n"), ("c/container/pids.max", "7\n"), ("c/cpu.max", "max 100000\n")];
        let more = [("c/memory.max", "5\n"), ("c/container/memory.max", "max\n")];
        files.iter().chain(&more).for_each(|(name, text)| fs::write(dir.join(name), text).unwrap());
        let mounts = CgroupDirs::from([(UNIFIED.to_owned(), dir.to_string_lossy().into_owned())]);
        let read = |name| text(&mounts, UNIFIED, "/c", name);
        assert_eq!([read("pids.max"), read("cpu.max"), read("memory.max")], ["7\n", "max 100000\n", "5\n"]);
        fs::remove_dir_all(dir).unwrap();
    }
}
