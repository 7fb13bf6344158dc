//! A leaf cgroup made in every hierarchy, and the way into it for a process that is about to start.

use super::dirs;
use super::errors::failed;
use super::messages::CgroupDirs;
use crate::frame::FrameError;
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The key of `CgroupDirs` on version 2.
pub const UNIFIED: &str = "unified";
/// The part of a container's scope that holds its processes and limits where crun divides it (1.8 under systemd does).
pub const DIVIDED: &str = "container";
/// Others remove empty parents while we make ours.
const ATTEMPTS: usize = 8;

/// How a new process gets into its cgroup.
pub struct Entrance {
    /// Directory on version 2, for CLONE_INTO_CGROUP.
    pub unified: Option<OwnedFd>,
    /// Files into which a process writes `0` to enter, one per hierarchy: `tasks` on version 1, which costs a
    /// thousandth of `cgroup.procs`; `cgroup.procs` on version 2 for kernels that cannot clone into a cgroup.
    pub joins: Vec<OwnedFd>,
}

/// Makes the cgroup with all its parents, cpuset filled from above at every level (cpuset(7)), and opens its entrance.
/// What was made is appended to `made`.
pub fn make(cgroup: &CgroupDirs, made: &mut Vec<PathBuf>) -> Result<Entrance, FrameError> {
    let mut entrance = Entrance { unified: None, joins: Vec::new() };
    for (controller, dir) in cgroup {
        with_retry(|| make_one(controller, Path::new(dir), made))
            .map_err(|error| failed(format!("make cgroup {dir}"), error))?;
    }
    let unified = cgroup.get(UNIFIED);
    let joins: BTreeSet<PathBuf> = cgroup.values().map(|dir| join_file(Path::new(dir), Some(dir) == unified)).collect();
    for file in joins {
        let opened = openat(CWD, &file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
        entrance.joins.push(opened.map_err(|error| failed(format!("open {}", file.display()), error))?);
    }
    if let Some(dir) = unified {
        let opened = openat(CWD, dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        entrance.unified = Some(opened.map_err(|error| failed(format!("open {dir}"), error))?);
    }
    Ok(entrance)
}

fn with_retry(mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => return result,
        }
    }
    attempt()
}

fn make_one(controller: &str, dir: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    dirs::make(dir, 0o755, made)?;
    if controller == "cpuset" { fill_cpuset(dir) } else { Ok(()) }
}

fn join_file(dir: &Path, unified: bool) -> PathBuf {
    dir.join(if unified { "cgroup.procs" } else { "tasks" })
}

/// A new version 1 cpuset has no CPUs and no memory nodes and admits nobody until it is given its parent's.
fn fill_cpuset(dir: &Path) -> io::Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if !fs::read_to_string(dir.join(file))?.trim().is_empty() {
            continue;
        }
        let Some(parent) = dir.parent().filter(|parent| parent.join(file).exists()) else { continue };
        fill_cpuset(parent)?;
        fs::write(dir.join(file), fs::read_to_string(parent.join(file))?)?;
    }
    Ok(())
}
