//! The end of a cgroup: everything in it killed, its directories removed, children first.

use super::cgroup::UNIFIED;
use super::errors::failed;
use super::messages::CgroupDirs;
use crate::frame::FrameError;
use rustix::fs::statfs;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Type numbers of both cgroup file systems (statfs(2)).
const CGROUP_MAGIC: u64 = 0x0027_e0eb;
const CGROUP2_MAGIC: u64 = 0x6367_7270;
const FIRST_WAIT: Duration = Duration::from_micros(500);
/// Most processes that an error names.
const TOLD: usize = 4;
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// Kills every process in the cgroup and below until it is empty, then removes it; `timeout` when processes remain.
/// One that is gone already is fine; the root of a hierarchy is refused.
pub fn remove(
    cgroup: &CgroupDirs,
    timeout: Duration,
    check: &dyn Fn() -> Result<(), FrameError>,
) -> Result<(), FrameError> {
    cgroup.values().try_for_each(|dir| refuse_root(dir))?;
    let deadline = Instant::now() + timeout;
    let mut wait = FIRST_WAIT;
    loop {
        check()?;
        match attempt(cgroup)? {
            None => return Ok(()),
            Some(busy) if Instant::now() >= deadline => {
                let (group, left) = (busy.display(), described(&processes(&busy)));
                return Err(FrameError::new("timeout", format!("cgroup {group} still has {left} after SIGKILL")));
            }
            Some(_) => std::thread::sleep(wait),
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// A directory inside a cgroup file system has a parent in it; only then may its processes be killed.
fn refuse_root(dir: &str) -> Result<(), FrameError> {
    let is_cgroup = |path: &Path| match statfs(path) {
        Ok(found) => [CGROUP_MAGIC, CGROUP2_MAGIC].contains(&(found.f_type as u64)),
        Err(_) => true,
    };
    let path = Path::new(dir);
    match path.parent() {
        Some(parent) if path.is_absolute() && is_cgroup(path) && is_cgroup(parent) => Ok(()),
        _ => Err(FrameError::new("invalid", format!("{dir:?} is no cgroup below the root of a hierarchy"))),
    }
}

/// Kills what is there and removes what is empty; the directory that still has processes, if one has.
fn attempt(cgroup: &CgroupDirs) -> Result<Option<PathBuf>, FrameError> {
    let mut groups = BTreeSet::new();
    for dir in cgroup.values() {
        subtree(PathBuf::from(dir), &mut groups).map_err(|error| failed(format!("list cgroup {dir}"), error))?;
    }
    kill_all(cgroup, &groups);
    let mut busy = None;
    // A path sorts before what lies below it.
    for group in groups.iter().rev() {
        match fs::remove_dir(group) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::ResourceBusy => busy = Some(group.clone()),
            Err(error) => return Err(failed(format!("remove cgroup {}", group.display()), error)),
        }
    }
    Ok(busy)
}

fn subtree(top: PathBuf, groups: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let mut unread = vec![top];
    while let Some(dir) = unread.pop() {
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        // A cgroup that ends while it is read has no children left.
        unread.extend(entries.flatten().filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()));
        groups.insert(dir);
    }
    Ok(())
}

fn kill_all(cgroup: &CgroupDirs, groups: &BTreeSet<PathBuf>) {
    if let Some(dir) = cgroup.get(UNIFIED)
        && fs::write(Path::new(dir).join("cgroup.kill"), "1").is_ok()
    {
        return;
    }
    let mut pids: BTreeSet<i32> = groups.iter().flat_map(|group| processes(group)).collect();
    if pids.is_empty() {
        return;
    }
    // What is frozen cannot fork while the list is read again.
    let freezer = cgroup.get("freezer").map(|dir| Path::new(dir).join("freezer.state"));
    if let Some(state) = &freezer {
        let _ = fs::write(state, "FROZEN");
        pids.extend(groups.iter().flat_map(|group| processes(group)));
    }
    let own = std::process::id() as i32;
    for pid in pids.into_iter().filter(|&pid| pid > 1 && pid != own).filter_map(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
    if let Some(state) = &freezer {
        let _ = fs::write(state, "THAWED");
    }
}

/// Names some of the processes, each with its state and with where in the kernel it waits.
fn described(pids: &[i32]) -> String {
    let told = pids.iter().take(TOLD).map(|pid| {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let status = read("status");
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim();
        format!("process {pid} ({}) in state {} at {}", field("Name:"), field("State:"), read("wchan"))
    });
    format!("{} processes: {}", pids.len(), told.collect::<Vec<_>>().join(", "))
}

/// Processes of one cgroup; none when it is gone. Those outside our pid namespace are listed as 0.
fn processes(group: &Path) -> Vec<i32> {
    let list = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    list.lines().filter_map(|line| line.parse().ok()).collect()
}
