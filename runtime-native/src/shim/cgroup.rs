//! A container's cgroup, version 1 or 2: who is in it, killing all of it, its OOM count, sub-cgroups for execs.

use std::fs;
use std::path::{Path, PathBuf};

use super::kept::{KeptCgroup, KeptSubCgroup};
use super::messages::CgroupDirs;
use super::process_limit::ProcessLimits;
use super::signals;

/// The directories of one container's cgroup that a shim needs.
pub struct Cgroup {
    /// Where membership is read; empty when no directory was given.
    members: PathBuf,
    /// Controller of `members` on version 1, empty on version 2.
    controller: &'static str,
    memory: PathBuf,
    /// Where its first process is: `members`, or below that where the runtime divides it.
    inner: PathBuf,
    /// OOM kills of the cgroup around it (version 2 counts them there too) that are not its own.
    outer_kills: u64,
}

/// Hierarchies of version 1 by how well they tell membership; each process is in all of them.
const BY_PREFERENCE: [&str; 4] = ["freezer", "pids", "memory", "cpu"];

impl Cgroup {
    pub fn new(dirs: &CgroupDirs) -> Self {
        let path = |key: &str| dirs.get(key).map(PathBuf::from);
        let preferred = || BY_PREFERENCE.into_iter().find_map(|key| path(key).map(|dir| (key, dir)));
        let (controller, members) = path("unified").map(|dir| ("", dir)).or_else(preferred).unwrap_or_default();
        let memory = path("memory").or(path("unified")).unwrap_or_default();
        let mut cgroup = Self { inner: members.clone(), members, controller, memory, outer_kills: 0 };
        cgroup.forget_outer_kills();
        cgroup
    }

    /// As it is handed over to the next version.
    pub fn keep(&self) -> KeptCgroup {
        let Self { members, controller, memory, inner, outer_kills } = self;
        KeptCgroup {
            members: members.clone(),
            controller: (*controller).to_owned(),
            memory: memory.clone(),
            inner: inner.clone(),
            outer_kills: *outer_kills,
        }
    }

    pub fn resume(kept: KeptCgroup) -> Self {
        let controller = BY_PREFERENCE.into_iter().find(|name| *name == kept.controller).unwrap_or_default();
        let KeptCgroup { members, memory, inner, outer_kills, .. } = kept;
        Self { members, controller, memory, inner, outer_kills }
    }

    /// Looks where below it the runtime has put the first process (crun under systemd divides scopes).
    pub fn look_inside(&mut self, pid: i32) {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        if let Some(name) = self.members.file_name().and_then(|name| name.to_str())
            && let Some(rest) = path_below(&groups, self.controller, name)
        {
            self.inner = self.members.join(rest);
        }
    }

    /// Sends SIGKILL to every process in it and below; false when there was none.
    pub fn kill(&self) -> bool {
        let killed = kill(&self.members);
        if killed && self.controller == "freezer" {
            let _ = fs::write(self.members.join("freezer.state"), "THAWED");
        }
        killed
    }

    /// The kernel has killed a process in it for want of memory. To be asked at once when its first process has ended:
    /// systemd removes a cgroup that is empty, and then only the kills around it tell; they count when
    /// `killed_by_others`, a SIGKILL that nobody here has sent.
    pub fn ran_out_of_memory(&self, killed_by_others: bool) -> bool {
        match oom_kills(&self.memory, self.controller) {
            Some(kills) => kills > 0,
            None => killed_by_others && self.outer_kills_now() > self.outer_kills,
        }
    }

    /// What was killed around it until now was not its own.
    pub fn forget_outer_kills(&mut self) {
        self.outer_kills = self.outer_kills_now();
    }

    fn outer_kills_now(&self) -> u64 {
        let outer = self.memory.parent().filter(|_| self.controller.is_empty());
        outer.and_then(|dir| oom_kills(dir, self.controller)).unwrap_or(0)
    }

    /// Removes the empty cgroups below it, on version 1 in every hierarchy. A runtime may fail to delete a container for
    /// them, those too that it made itself: youki reads `--cgroup` of an exec otherwise on version 1 than runc.
    pub fn clear_below(&self) {
        if self.members.as_os_str().is_empty() {
            return;
        }
        remove_below(&self.members);
        let Some((top, inside)) = self.divided().filter(|_| !self.controller.is_empty()) else { return };
        for hierarchy in top.parent().and_then(|all| fs::read_dir(all).ok()).into_iter().flatten().flatten() {
            remove_below(&hierarchy.path().join(inside));
        }
    }

    /// The limits of processes around it and around this shim.
    pub fn process_limits(&self) -> ProcessLimits {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let Some((mount, inside)) = self.divided() else { return ProcessLimits::default() };
        let (controller, mount) = match self.controller {
            "" => ("", mount.to_owned()),
            _ => ("pids", mount.with_file_name("pids")),
        };
        let shim = path_of(&own, controller).map(|path| mount.join(path.trim_start_matches('/')));
        let paths: Vec<PathBuf> = [mount.join(inside)].into_iter().chain(shim).collect();
        ProcessLimits::below(&mount, &paths)
    }

    /// Where its hierarchy is mounted, and its path there.
    fn divided(&self) -> Option<(&Path, &Path)> {
        let is_mount = |dir: &&Path| match self.controller {
            "" => !dir.parent().is_some_and(|above| above.join("cgroup.procs").exists()),
            controller => dir.ends_with(controller),
        };
        let mount = self.members.ancestors().find(is_mount)?;
        Some((mount, self.members.strip_prefix(mount).ok()?))
    }

    /// Makes a sub-cgroup (in one hierarchy only on version 1); `None` where that cannot be.
    pub fn make_sub(&self, name: &str) -> Option<SubCgroup> {
        if self.members.as_os_str().is_empty() {
            return None;
        }
        let dir = self.inner.join(name);
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
    /// As it is handed over to the next version.
    pub fn keep(&self) -> KeptSubCgroup {
        KeptSubCgroup { dir: self.dir.clone(), argument: self.argument.clone() }
    }

    pub fn resume(kept: KeptSubCgroup) -> Self {
        Self { dir: kept.dir, argument: kept.argument }
    }

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

fn remove_below(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_below(&entry.path());
            let _ = fs::remove_dir(entry.path());
        }
    }
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

/// The path of a process below the cgroup `name`, out of its `/proc/PID/cgroup`; `None` when it is not below it.
fn path_below<'a>(groups: &'a str, controller: &str, name: &str) -> Option<&'a str> {
    let (_, rest) = path_of(groups, controller)?.split_once(&format!("/{name}/"))?;
    (!rest.is_empty() && !rest.contains("..")).then_some(rest)
}

/// The path of a process in the hierarchy of a controller, out of its `/proc/PID/cgroup`.
fn path_of<'a>(groups: &'a str, controller: &str) -> Option<&'a str> {
    let mut lines = groups.lines().filter_map(|line| line.splitn(3, ':').nth(1).zip(line.splitn(3, ':').nth(2)));
    lines.find(|(controllers, _)| controllers.split(',').any(|found| found == controller)).map(|(_, path)| path)
}

fn oom_kills(memory: &Path, controller: &str) -> Option<u64> {
    let file = if controller.is_empty() { "memory.events" } else { "memory.oom_control" };
    Some(counter(&fs::read_to_string(memory.join(file)).ok()?, "oom_kill"))
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
    fn a_process_is_found_below_its_cgroup_where_the_runtime_divides_it() {
        let divided = "0::/system.slice/crio-a.scope/container\n";
        assert_eq!(path_below(divided, "", "crio-a.scope"), Some("container"));
        assert_eq!(path_below("0::/pods/crio-a\n", "", "crio-a"), None);
        assert_eq!(path_below("3:cpu,cpuacct:/p/crio-a/x\n2:freezer:/p/crio-a\n", "freezer", "crio-a"), None);
    }

    #[test]
    fn kills_around_a_cgroup_that_is_gone_count_when_nobody_else_has_killed() {
        let outer = std::env::temp_dir().join(format!("berth-outer-{}", std::process::id()));
        fs::create_dir_all(&outer).unwrap();
        fs::write(outer.join("memory.events"), "oom_kill 2\n").unwrap();
        let gone = outer.join("crio-a").to_string_lossy().into_owned();
        let cgroup = Cgroup::new(&CgroupDirs::from([("unified".to_owned(), gone)]));
        assert!(!cgroup.ran_out_of_memory(true));
        fs::write(outer.join("memory.events"), "oom_kill 3\n").unwrap();
        assert!(cgroup.ran_out_of_memory(true));
        assert!(!cgroup.ran_out_of_memory(false));
        fs::remove_dir_all(outer).unwrap();
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
        assert!(!none.ran_out_of_memory(true));
        assert!(none.make_sub("x").is_none());
    }
}
