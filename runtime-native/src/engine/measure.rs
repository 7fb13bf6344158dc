//! measure: files of cgroups as they are, and what the processes in them hold open.

use super::call::Call;
use super::cgroup::UNIFIED;
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

fn text(mounts: &CgroupDirs, controller: &str, path: &str, name: &str) -> String {
    let read = || fs::read_to_string(format!("{}{path}/{name}", mounts.get(controller)?)).ok();
    read().filter(|text| text.len() <= TEXT_MAX).unwrap_or_default()
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
