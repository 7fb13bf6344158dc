//! Limits of processes (pids cgroups) around a container and around this shim. A runtime that meets one may end without
//! a word, or with one that does not tell it; the kernel counts what it has refused.

use std::fs;
use std::path::{Path, PathBuf};

use crate::frame::FrameError;

/// The cgroups whose limits count for a run of the runtime, and what they had refused before it.
#[derive(Default)]
pub struct ProcessLimits(Vec<Group>);

struct Group {
    dir: PathBuf,
    refused: u64,
}

/// Causes of which a runtime tells by itself.
const OTHERS: [&str; 5] =
    ["no such file", "not found", "permission denied", "no space left on device", "too many open files"];

impl ProcessLimits {
    /// Of each path below `mount`, where pids cgroups are, and of all above it.
    pub fn below(mount: &Path, paths: &[PathBuf]) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for path in paths {
            for dir in path.ancestors().take_while(|dir| *dir != mount) {
                if !groups.iter().any(|known| known.dir == dir) {
                    groups.push(Group { dir: dir.to_owned(), refused: refused(dir) });
                }
            }
        }
        Self(groups)
    }

    /// The error of a run, as `exhausted` and with the limit where one was met meanwhile, unless it has another cause.
    pub fn explain(&self, error: FrameError) -> FrameError {
        let message = error.message.to_lowercase();
        let open =
            matches!(error.kind.as_str(), "internal" | "exhausted") && !OTHERS.iter().any(|it| message.contains(it));
        match self.met().filter(|_| open) {
            Some(limit) => FrameError::new("exhausted", format!("{}; {limit}", error.message)),
            None => error,
        }
    }

    /// Version 1 counts a refusal where the fork was, version 2 where the limit is: the tightest is told.
    fn met(&self) -> Option<String> {
        let rooms: Vec<(u64, u64, &Group)> = self.0.iter().filter_map(room).collect();
        let (left, max, tightest) = rooms.iter().min_by_key(|(left, ..)| *left)?;
        let refused_since = || self.0.iter().any(|group| refused(&group.dir) > group.refused);
        (*left == 0 || refused_since()).then(|| {
            format!("the limit of processes of cgroup {} is reached (pids.max, {max})", tightest.dir.display())
        })
    }
}

/// How many more processes a group may have, and its limit; `None` without one.
fn room(group: &Group) -> Option<(u64, u64, &Group)> {
    let max = number(&group.dir.join("pids.max"))?;
    let current = number(&group.dir.join("pids.current"))?;
    Some((max.saturating_sub(current), max, group))
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn refused(dir: &Path) -> u64 {
    let text = fs::read_to_string(dir.join("pids.events")).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("max ")?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pod of 10 processes at most with a container in it, made of plain files.
    fn pod(name: &str) -> (PathBuf, PathBuf) {
        let mount = std::env::temp_dir().join(format!("berth-limit-{name}-{}", std::process::id()));
        let container = mount.join("pod/c");
        fs::create_dir_all(&container).unwrap();
        write(&mount.join("pod"), "10", "8", "max 0");
        write(&container, "max", "8", "max 3");
        (mount, container)
    }

    fn write(dir: &Path, max: &str, current: &str, events: &str) {
        for (file, text) in [("pids.max", max), ("pids.current", current), ("pids.events", events)] {
            fs::write(dir.join(file), format!("{text}\n")).unwrap();
        }
    }

    fn told(limits: &ProcessLimits, message: &str) -> (String, bool) {
        let error = limits.explain(FrameError::new("internal", message));
        (error.kind.clone(), error.message.contains("/pod is reached (pids.max, 10)"))
    }

    #[test]
    fn a_refusal_since_the_start_or_a_full_group_is_the_cause_and_names_the_tightest_limit() {
        let (mount, container) = pod("met");
        let limits = ProcessLimits::below(&mount, &[container.clone()]);
        assert_eq!(told(&limits, "no word"), ("internal".into(), false));
        fs::write(container.join("pids.events"), "max 4\n").unwrap();
        assert_eq!(told(&limits, "no word"), ("exhausted".into(), true));
        let later = ProcessLimits::below(&mount, &[container]);
        assert_eq!(told(&later, "no word"), ("internal".into(), false));
        fs::write(mount.join("pod/pids.current"), "10\n").unwrap();
        assert_eq!(told(&later, "no word"), ("exhausted".into(), true));
        fs::remove_dir_all(mount).unwrap();
    }

    #[test]
    fn what_the_runtime_tells_of_another_cause_stays() {
        let (mount, container) = pod("other");
        fs::write(mount.join("pod/pids.current"), "10\n").unwrap();
        let limits = ProcessLimits::below(&mount, &[container]);
        assert_eq!(told(&limits, "exec: \"x\": No such file or directory"), ("internal".into(), false));
        assert_eq!(limits.explain(FrameError::new("timeout", "late")).kind, "timeout");
        fs::remove_dir_all(mount).unwrap();
    }
}
