//! Kills a process with all that it started, for where no cgroup holds exactly those.

use std::fs;

use super::signals;

/// Most processes of one tree that a kill looks at.
const MAX_PROCESSES: usize = 4096;

/// Stops and kills `root` and its descendants; processes that left the tree by being orphaned are not found.
pub fn kill(root: i32) {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(&pid) = found.get(at) {
        at += 1;
        signals::send(pid, libc::SIGSTOP);
        if found.len() < MAX_PROCESSES {
            found.extend(children(pid));
        }
    }
    found.iter().for_each(|pid| signals::send(*pid, libc::SIGKILL));
}

/// The children of a process, of all its threads (proc(5), `/proc/PID/task/TID/children`).
pub fn children(pid: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>()).collect()
}
