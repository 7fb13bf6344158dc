//! A container's cgroup, version 1 or 2: who is in it, killing all of it, its OOM count, sub-cgroups for execs.

use std::fs;
use std::path::{Path, PathBuf};

use super::messages::CgroupDirs;
use super::signals;

/// The directories of one container's cgroup that a shim needs.
pub struct Cgroup {
    /// Where membership is read; empty when no directory was given.
    members: PathBuf,
    /// Controller of `members` on version 1, empty on version 2.
    controller: &'static str,
    memory: PathBuf,
}

/// Hierarchies of version 1 by how well they tell membership; each process is in all of them.
const BY_PREFERENCE: [&str; 4] = ["freezer", "pids", "memory", "cpu"];

impl Cgroup {
    pub fn new(dirs: &CgroupDirs) -> Self {
        let path = |key: &str| dirs.get(key).map(PathBuf::from);
        if let Some(unified) = path("unified") {
            return Self { memory: unified.clone(), members: unified, controller: "" };
        }
        let found = BY_PREFERENCE.into_iter().find_map(|key| path(key).map(|dir| (key, dir)));
        let (controller, members) = found.unwrap_or_default();
        Self { members, controller, memory: path("memory").unwrap_or_default() }
    }

    /// Sends SIGKILL to every process in it and below; false when there was none.
    pub fn kill(&self) -> bool {
        let killed = kill(&self.members);
        if killed && self.controller == "freezer" {
            let _ = fs::write(self.members.join("freezer.state"), "THAWED");
        }
        killed
    }

    /// Processes that the kernel killed in it for want of memory, 0 when that cannot be read.
    pub fn oom_kills(&self) -> u64 {
        let file = if self.controller.is_empty() { "memory.events" } else { "memory.oom_control" };
        fs::read_to_string(self.memory.join(file)).map_or(0, |text| counter(&text, "oom_kill"))
    }

    /// Makes a sub-cgroup (in one hierarchy only on version 1); `None` where that cannot be.
    pub fn make_sub(&self, name: &str) -> Option<SubCgroup> {
        if self.members.as_os_str().is_empty() {
            return None;
        }
        let dir = self.members.join(name);
        fs::create_dir(&dir).ok()?;
        let argument = match self.controller {
            "" => format!("/{name}"),
            controller => format!("{controller}:/{name}"),
        };
        Some(SubCgroup { dir, argument })
    }
}

/// The cgroup of one exec.
pub struct SubCgroup {
    dir: PathBuf,
    /// As `runc exec --cgroup` takes it.
    pub argument: String,
}

impl SubCgroup {
    /// Sends SIGKILL to every process in it and below; false when there was none.
    pub fn kill(&self) -> bool {
        kill(&self.dir)
    }

    /// Removes it; false while something is in it.
    pub fn remove(&self) -> bool {
        match fs::remove_dir(&self.dir) {
            Ok(()) => true,
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
    }
}

fn kill(dir: &Path) -> bool {
    if dir.as_os_str().is_empty() {
        return false;
    }
    let mut pids = Vec::new();
    collect(dir, &mut pids);
    let own = std::process::id() as i32;
    if pids.is_empty() || pids.contains(&own) {
        return false;
    }
    if fs::write(dir.join("cgroup.kill"), "1").is_err() {
        pids.iter().for_each(|pid| signals::send(*pid, libc::SIGKILL));
    }
    true
}

fn collect(dir: &Path, pids: &mut Vec<i32>) {
    let procs = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    pids.extend(procs.lines().filter_map(|line| line.parse::<i32>().ok()));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), pids);
        }
    }
}

fn counter(text: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(key, _)| *key == name).and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oom_count_is_read_from_both_versions_files() {
        assert_eq!(counter("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "oom_kill"), 3);
        assert_eq!(counter("low 0\noom 1\noom_kill 2\noom_group_kill 0\n", "oom_kill"), 2);
        assert_eq!(counter("low 0\n", "oom_kill"), 0);
    }

    #[test]
    fn a_cgroup_that_holds_the_shim_itself_is_not_killed() {
        let dir = std::env::temp_dir().join(format!("berth-cgroup-{}", std::process::id()));
        fs::create_dir_all(dir.join("below")).unwrap();
        fs::write(dir.join("below/cgroup.procs"), format!("{}\n", std::process::id())).unwrap();
        let dirs = CgroupDirs::from([("unified".to_owned(), dir.to_string_lossy().into_owned())]);
        assert!(!Cgroup::new(&dirs).kill());
        assert!(!dir.join("cgroup.kill").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn without_directories_nothing_is_killed_or_made() {
        let none = Cgroup::new(&CgroupDirs::new());
        assert!(!none.kill());
        assert_eq!(none.oom_kills(), 0);
        assert!(none.make_sub("x").is_none());
    }
}
