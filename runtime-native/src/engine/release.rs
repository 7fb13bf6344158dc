//! What is left of a pod or container when it has ended. Each step is idempotent; all are tried, then all errors told.

use super::call::Call;
use super::messages::{Done, ReleasePodAsk, RemoveCgroupAsk, RemoveCgroupReply, UnpinNetnsAsk};
use super::{cgroup_remove, end, errors, mount, tree};
use crate::frame::FrameError;
use std::path::Path;
use std::time::Duration;

/// A shim that was told to quit needs no longer.
const SHIM_END: Duration = Duration::from_secs(2);

/// Unmounts the pod's shm, unpins its network namespace, kills and removes its shim's cgroup, removes its socket and
/// directory. Empty paths are skipped, what is gone already is fine.
pub fn release_pod(ask: &ReleasePodAsk, call: &Call) -> Result<Done, FrameError> {
    let check = || call.check();
    let given =
        |path: &str, step: &dyn Fn(&str) -> Result<(), FrameError>| if path.is_empty() { Ok(()) } else { step(path) };
    let steps = [
        cgroup_remove::remove(&ask.cgroup, SHIM_END, &check),
        given(&ask.shm, &mount::unmount),
        given(&ask.netns_path, &mount::unpin),
        given(&ask.socket, &mount::remove_file),
        given(&ask.directory, &|path| tree::remove_tree(Path::new(path), &check)),
    ];
    errors::all(steps.into_iter().filter_map(Result::err).collect()).map(|()| Done {})
}

/// Unpins a network namespace.
pub fn unpin_netns(ask: &UnpinNetnsAsk, _call: &Call) -> Result<Done, FrameError> {
    mount::unpin(&ask.path).map(|()| Done {})
}

/// Kills every process of a cgroup and removes it with its children; tells how the process that was asked for ended.
pub fn remove_cgroup(ask: &RemoveCgroupAsk, call: &Call) -> Result<RemoveCgroupReply, FrameError> {
    let held = if ask.pid > 0 { end::hold(ask.pid, &ask.dirs) } else { None };
    cgroup_remove::remove(&ask.dirs, Duration::from_millis(ask.timeout_ms), &|| call.check())?;
    Ok(RemoveCgroupReply { end: held.as_ref().and_then(end::of) })
}
