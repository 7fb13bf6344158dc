//! Turns the process into a pod: namespaces, hostname, sysctls, pinned network, PID 1, socket. All or nothing.

use std::ffi::CString;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::mount::UnmountFlags;
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use super::messages::{Namespace, PidNamespace, ShimPod};
use super::spawn::{self, Program};
use super::{loopback, signals, sysctl};
use crate::frame::FrameError;

/// A started pod: what the shim keeps of it.
pub struct Pod {
    pub directory: String,
    pub socket: String,
    pub listener: UnixListener,
    /// The host's network namespace, where the OCI runtime runs.
    pub host_network: OwnedFd,
    /// 0 without a shared pid namespace.
    pub pause_pid: i32,
    pub dev_null: OwnedFd,
    /// Held for life on the pod's directory: one shim per pod.
    _lock: OwnedFd,
}

/// Starts the pod; on error nothing of it is left.
pub fn start(pod: &ShimPod) -> Result<Pod, FrameError> {
    let lock = lock(&pod.directory)?;
    let host_network = open("/proc/self/ns/net", OFlags::RDONLY)?;
    let dev_null = open("/dev/null", OFlags::RDWR)?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(failed("become subreaper"))?;
    adjust_oom_score(pod.oom_score_adj);
    enter_namespaces(pod)?;
    pin_network(pod)?;
    let rest = start_pause(pod, &dev_null).and_then(|pause_pid| match listen(&pod.socket) {
        Ok(listener) => Ok((pause_pid, listener)),
        Err(error) => {
            signals::send(pause_pid, libc::SIGKILL);
            Err(error)
        }
    });
    let (pause_pid, listener) = rest.inspect_err(|_| unpin_network(pod))?;
    let (directory, socket) = (pod.directory.clone(), pod.socket.clone());
    Ok(Pod { directory, socket, listener, host_network, pause_pid, dev_null, _lock: lock })
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

fn enter_namespaces(pod: &ShimPod) -> Result<(), FrameError> {
    let wanted =
        [(pod.network, UnshareFlags::NEWNET), (pod.ipc, UnshareFlags::NEWIPC), (pod.uts, UnshareFlags::NEWUTS)];
    let own = wanted.into_iter().filter(|(whose, _)| *whose == Namespace::Pod).map(|(_, flag)| flag);
    super::spawn::unshare(own.collect()).map_err(failed("unshare the pod's namespaces"))?;
    if pod.uts == Namespace::Pod && !pod.hostname.is_empty() {
        rustix::system::sethostname(pod.hostname.as_bytes())
            .map_err(|error| FrameError::new("invalid", format!("set hostname {}: {error}", pod.hostname)))?;
    }
    if pod.network == Namespace::Pod {
        loopback::up().map_err(failed("set lo up"))?;
    }
    for (name, value) in &pod.sysctls {
        let file = sysctl::file(pod, name)?;
        fs::write(&file, value)
            .map_err(|error| FrameError::new("invalid", format!("sysctl {name}={value}: {error}")))?;
    }
    Ok(())
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

fn start_pause(pod: &ShimPod, dev_null: &OwnedFd) -> Result<i32, FrameError> {
    if pod.pid != PidNamespace::Pod {
        return Ok(0);
    }
    let argv = [CString::from(c"berth-pause"), CString::from(c"pause")];
    let program = Program {
        path: c"/proc/self/exe",
        argv: &argv,
        stdio: [dev_null.as_fd(), dev_null.as_fd(), dev_null.as_fd()],
        network: None,
        new_pid_namespace: true,
    };
    spawn::spawn(&program).map_err(failed("start the pod's PID 1"))
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
pub fn failed<E: std::fmt::Display>(doing: &str) -> impl Fn(E) -> FrameError {
    let doing = doing.to_owned();
    move |error| FrameError::new("internal", format!("{doing}: {error}"))
}
