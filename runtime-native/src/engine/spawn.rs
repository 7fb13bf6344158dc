//! spawnShim: what the shim needs is made, it is started, and it says when it listens. On error all is undone.

use super::call::{Call, Victim, kill};
use super::errors::failed;
use super::launch::{Launch, launch};
use super::messages::{ShimPod, SpawnShimAsk, SpawnShimReply};
use super::{cgroup, cgroup_remove, dirs, mount};
use crate::frame::FrameError;
use crate::selinux::and_context;
use crate::user_namespace::IdMappings;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use rustix::mount::MountFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::Deserialize;
use std::ffi::CString;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const READY_TIMEOUT: Duration = Duration::from_secs(10);
const UNDO_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest line a shim may send before it is ready.
const LINE_MAX_BYTES: usize = 16 << 10;

/// What was made for the pod, to be undone.
#[derive(Default)]
struct Made {
    dirs: Vec<PathBuf>,
    cgroups: Vec<PathBuf>,
    shm: bool,
}

/// Starts the pod's shim, detached from us, and waits until it listens.
/// A pod whose shim runs already is refused as `exists` and left as it is.
pub fn spawn_shim(ask: &SpawnShimAsk, call: &Call) -> Result<SpawnShimReply, FrameError> {
    let pod = &ask.pod;
    if UnixStream::connect(&pod.socket).is_ok() {
        return Err(FrameError::new("exists", format!("a shim of pod {} listens on {} already", pod.id, pod.socket)));
    }
    let mut made = Made::default();
    let mut process = None;
    let started = prepare(pod, &mut made).and_then(|entrance| start(pod, &entrance, call, &mut process));
    call.spare();
    started.map_err(|error| {
        undo(pod, &made, process, call);
        FrameError::new(&error.kind, format!("shim of pod {}: {}", pod.id, error.message))
    })
}

fn prepare(pod: &ShimPod, made: &mut Made) -> Result<cgroup::Entrance, FrameError> {
    let make = |dir: &Path, mode, made: &mut Made| {
        dirs::make(dir, mode, &mut made.dirs).map_err(|error| failed(format!("make {}", dir.display()), error))
    };
    make(&Path::new(&pod.directory).join("exits"), 0o700, made)?;
    if let Some(folder) = Path::new(&pod.netns_path).parent().filter(|_| !pod.netns_path.is_empty()) {
        make(folder, 0o755, made)?;
    }
    if let Some(shm) = &pod.shm {
        make(Path::new(&shm.path), 0o700, made)?;
        if !mount::is_mount_point(&shm.path).map_err(|error| failed(format!("look at {}", shm.path), error))? {
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            mount::tmpfs(&shm.path, flags, &shm_options(pod, shm.size_bytes))?;
            made.shm = true;
        }
    }
    cgroup::make(&pod.cgroup, &mut made.cgroups)
}

/// A user namespace's own root owns the directory.
fn shm_options(pod: &ShimPod, size_bytes: u64) -> String {
    let owner = pod.user.as_ref().and_then(IdMappings::root).map(|(user, group)| format!(",uid={user},gid={group}"));
    let context = pod.selinux.as_ref().map(|labels| and_context(&labels.mount));
    format!("mode=1777,size={size_bytes}{}{}", owner.unwrap_or_default(), context.unwrap_or_default())
}

/// Launches the process and reads its two lines: its number, then how it went.
fn start(
    pod: &ShimPod,
    entrance: &cgroup::Entrance,
    call: &Call,
    process: &mut Option<OwnedFd>,
) -> Result<SpawnShimReply, FrameError> {
    let exe = call.engine.exe.as_os_str().as_bytes();
    if exe.ends_with(b" (deleted)") {
        let message = "berth-native was replaced while it ran; restart berthd to start pods with the new one";
        return Err(FrameError::new("unavailable", message));
    }
    let exe = CString::new(exe).map_err(|error| FrameError::new("internal", error.to_string()))?;
    let told = memory_file(pod).map_err(|error| failed("write the pod into a memfd", error))?;
    let (ready, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(|error| failed("make a pipe", error))?;
    launch(&Launch { exe: &exe, pod: told.as_fd(), ready: writer.as_fd(), entrance })
        .map_err(|error| failed("fork", error))?;
    drop(writer);

    let mut lines = Lines { pipe: ready, pending: Vec::new(), deadline: Instant::now() + READY_TIMEOUT };
    let pid = lines.next(call)?.trim().parse().ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| FrameError::new("internal", "the new process did not tell its number"))?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| failed("hold the new process", error))?;
    if let Ok(second) = pidfd.try_clone() {
        call.kills(Victim::Process(second));
    }
    *process = Some(pidfd);
    outcome(&lines.next(call)?)
}

fn memory_file(pod: &ShimPod) -> std::io::Result<File> {
    let mut file = File::from(memfd_create("berth-pod", MemfdFlags::CLOEXEC)?);
    file.write_all(&serde_json::to_vec(pod)?)?;
    file.rewind()?;
    Ok(file)
}

/// Lines of the ready pipe.
struct Lines {
    pipe: OwnedFd,
    pending: Vec<u8>,
    deadline: Instant,
}

impl Lines {
    fn next(&mut self, call: &Call) -> Result<String, FrameError> {
        loop {
            if let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
                let rest = self.pending.split_off(end + 1);
                let line = std::mem::replace(&mut self.pending, rest);
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.wait()?;
            let mut chunk = [0; 1024];
            let count =
                rustix::io::read(&self.pipe, &mut chunk).map_err(|error| failed("read the ready pipe", error))?;
            call.check()?;
            if count == 0 || self.pending.len() > LINE_MAX_BYTES {
                return Err(FrameError::new("internal", "it ended before it listened, without saying why"));
            }
            self.pending.extend_from_slice(&chunk[..count]);
        }
    }

    fn wait(&self) -> Result<(), FrameError> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).unwrap_or_default();
            match poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], Some(&timeout)) {
                Ok(0) => {
                    let message = format!("it did not listen within {} s and was killed", READY_TIMEOUT.as_secs());
                    return Err(FrameError::new("timeout", message));
                }
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(failed("wait for the ready pipe", error)),
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Outcome {
    Failed { error: FrameError },
    Ready(SpawnShimReply),
}

fn outcome(line: &str) -> Result<SpawnShimReply, FrameError> {
    match serde_json::from_str(line) {
        Ok(Outcome::Ready(reply)) => Ok(reply),
        Ok(Outcome::Failed { error }) => Err(error),
        Err(error) => Err(FrameError::new("internal", format!("it answered what cannot be read ({error}): {line}"))),
    }
}

fn undo(pod: &ShimPod, made: &Made, process: Option<OwnedFd>, call: &Call) {
    if let Some(pidfd) = process {
        kill(&Victim::Process(pidfd));
    }
    let shm = pod.shm.as_ref().filter(|_| made.shm);
    let steps = [
        cgroup_remove::remove(&pod.cgroup, UNDO_TIMEOUT, &|| Ok(())),
        if pod.netns_path.is_empty() { Ok(()) } else { mount::unpin(&pod.netns_path) },
        mount::remove_file(&pod.socket),
        shm.map_or(Ok(()), |shm| mount::unmount(&shm.path)),
    ];
    for error in steps.into_iter().filter_map(Result::err) {
        call.engine.outbox.log("warn", format!("undoing the start of pod {}: {}", pod.id, error.message));
    }
    dirs::unmake(&made.dirs);
    dirs::unmake(&made.cgroups);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_is_ready_with_two_numbers() {
        let reply = outcome("{\"pid\":7,\"pausePid\":0,\"userNamespace\":\"\"}\n").unwrap();
        assert_eq!((reply.pid, reply.pause_pid), (7, 0));
    }

    #[test]
    fn a_shim_tells_why_it_could_not_start() {
        let error = outcome("{\"error\":{\"kind\":\"denied\",\"message\":\"no\"}}\n").unwrap_err();
        assert_eq!(error, FrameError::new("denied", "no"));
    }

    #[test]
    fn an_answer_that_is_neither_is_an_internal_error() {
        assert_eq!(outcome("{}\n").unwrap_err().kind, "internal");
    }
}
