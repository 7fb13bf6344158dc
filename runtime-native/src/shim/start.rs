//! Turns the process into a pod: namespaces, pinned network, PID 1, socket. All or nothing.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::mount::UnmountFlags;
use rustix::thread::LinkNameSpaceType;

use super::descriptors::{Descriptors, adopt};
use super::kept::KeptPod;
use super::messages::{Namespace, ShimPod};
use super::{namespaces, pid_one, signals};
use crate::frame::FrameError;
use crate::used_up::kind_of;
use crate::user_namespace::IdMappings;

/// A started pod: what the shim keeps of it.
pub struct Pod {
    pub directory: String,
    pub socket: String,
    pub listener: UnixListener,
    /// The host's network namespace, where the OCI runtime runs.
    pub host_network: OwnedFd,
    /// The pod's own user namespace, which nobody else may be in, and its path; empty with the host's.
    user_namespace: Option<OwnedFd>,
    pub user_namespace_path: String,
    /// Its root's user and group on the host.
    pub owner: Option<(u32, u32)>,
    /// 0 without a shared pid namespace.
    pub pause_pid: i32,
    pub dev_null: OwnedFd,
    /// Held for life on the pod's directory: one shim per pod.
    lock: OwnedFd,
}

impl Pod {
    /// As it is handed over to the next version. The number of the user namespace is part of its path.
    pub fn keep(&self, descriptors: &mut Descriptors) -> KeptPod {
        KeptPod {
            directory: self.directory.clone(),
            socket: self.socket.clone(),
            listener: descriptors.keep(&self.listener),
            host_network: descriptors.keep(&self.host_network),
            user_namespace: descriptors.keep_some(self.user_namespace.as_ref()),
            user_namespace_path: self.user_namespace_path.clone(),
            owner: self.owner,
            pause_pid: self.pause_pid,
            dev_null: descriptors.keep(&self.dev_null),
            lock: descriptors.keep(&self.lock),
        }
    }

    pub fn resume(kept: KeptPod) -> Self {
        Self {
            directory: kept.directory,
            socket: kept.socket,
            listener: adopt(kept.listener).into(),
            host_network: adopt(kept.host_network),
            user_namespace: kept.user_namespace.map(adopt),
            user_namespace_path: kept.user_namespace_path,
            owner: kept.owner,
            pause_pid: kept.pause_pid,
            dev_null: adopt(kept.dev_null),
            lock: adopt(kept.lock),
        }
    }
}

/// Starts the pod; on error nothing of it is left.
pub fn start(pod: &ShimPod) -> Result<Pod, FrameError> {
    let lock = lock(&pod.directory)?;
    let host_network = open("/proc/self/ns/net", OFlags::RDONLY)?;
    let dev_null = open("/dev/null", OFlags::RDWR)?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(failed("become subreaper"))?;
    adjust_oom_score(pod.oom_score_adj);
    let user_namespace = namespaces::enter(pod)?;
    pin_network(pod)?;
    let rest =
        pid_one::start(pod, user_namespace.as_ref(), &dev_null).and_then(|pause_pid| match listen(&pod.socket) {
            Ok(listener) => Ok((pause_pid, listener)),
            Err(error) => {
                signals::send(pause_pid, libc::SIGKILL);
                Err(error)
            }
        });
    let (pause_pid, listener) = rest.inspect_err(|_| unpin_network(pod))?;
    let user = user_namespace.as_ref().map(|held| name_user_namespace(pod, held)).transpose().inspect_err(|_| {
        signals::send(pause_pid, libc::SIGKILL);
        let _ = fs::remove_file(&pod.socket);
        unpin_network(pod);
    })?;
    let (directory, socket) = (pod.directory.clone(), pod.socket.clone());
    let owner = pod.user.as_ref().and_then(IdMappings::root);
    Ok(Pod {
        directory,
        socket,
        listener,
        host_network,
        user_namespace,
        user_namespace_path: user.unwrap_or_default(),
        owner,
        pause_pid,
        dev_null,
        lock,
    })
}

/// A link to the shim's descriptor, for the engine and the OCI runtime. They are not given the path in /proc, which runc
/// takes for that of a process in the namespace, and reads the ids of that one.
fn name_user_namespace(pod: &ShimPod, held: &OwnedFd) -> Result<String, FrameError> {
    let path = format!("{}/user", pod.directory);
    let _ = fs::remove_file(&path);
    std::os::unix::fs::symlink(format!("/proc/{}/fd/{}", std::process::id(), held.as_raw_fd()), &path)
        .map_err(failed(&format!("make {path}")))?;
    Ok(path)
}

fn lock(directory: &str) -> Result<OwnedFd, FrameError> {
    let folder = open(directory, OFlags::RDONLY | OFlags::DIRECTORY)?;
    match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(folder),
        Err(_) => Err(FrameError::new("exists", format!("lock {directory}: the pod has a shim already"))),
    }
}

/// Raises or lowers the score as far as the kernel lets us; a wish it refuses is dropped.
fn adjust_oom_score(wanted: i32) {
    let _ = fs::write("/proc/self/oom_score_adj", wanted.clamp(-1000, 1000).to_string());
}

fn pin_network(pod: &ShimPod) -> Result<(), FrameError> {
    if pod.network == Namespace::Host || pod.netns_path.is_empty() {
        return Ok(());
    }
    let path = &pod.netns_path;
    let doing = format!("pin the network namespace at {path}");
    fs::OpenOptions::new().create(true).append(true).open(path).map_err(failed(&doing))?;
    rustix::mount::mount_bind("/proc/self/ns/net", path).map_err(failed(&doing)).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}

fn unpin_network(pod: &ShimPod) {
    if pod.network == Namespace::Pod && !pod.netns_path.is_empty() {
        let _ = rustix::mount::unmount(&pod.netns_path, UnmountFlags::DETACH);
        let _ = fs::remove_file(&pod.netns_path);
    }
}

/// Listens with mode 0600. The lock is held, so a socket that is there already has no living owner.
fn listen(path: &str) -> Result<UnixListener, FrameError> {
    let _ = fs::remove_file(path);
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(before);
    let doing = format!("listen on {path}");
    let listener = listener.map_err(failed(&doing))?;
    listener.set_nonblocking(true).map_err(failed(&doing))?;
    Ok(listener)
}

/// Goes back to the host's network namespace.
pub fn leave_network(pod: &Pod) -> Result<(), FrameError> {
    rustix::thread::move_into_link_name_space(pod.host_network.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(failed("leave the pod's network namespace"))
}

fn open(path: &str, flags: OFlags) -> Result<OwnedFd, FrameError> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty()).map_err(failed(&format!("open {path}")))
}

/// An `internal` error of what was being done.
pub fn failed<E: std::error::Error + 'static>(doing: &str) -> impl Fn(E) -> FrameError {
    let doing = doing.to_owned();
    move |error| FrameError::new(kind_of(&error), format!("{doing}: {error}"))
}
