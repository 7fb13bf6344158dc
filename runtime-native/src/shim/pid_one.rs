//! PID 1 of a pod with a shared pid namespace: `berth-native pause`, known to be locked in before anyone meets it.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, waitpid};

use super::messages::{PidNamespace, ShimPod};
use super::signals;
use super::spawn::{self, Program};
use super::start::failed;
use crate::frame::FrameError;
use crate::pause::LOCKED_IN;

/// Starts it in the pod's user namespace and gives its pid; 0 for a pod without a shared pid namespace.
pub fn start(pod: &ShimPod, user_namespace: Option<&OwnedFd>, dev_null: &OwnedFd) -> Result<i32, FrameError> {
    if pod.pid != PidNamespace::Pod {
        return Ok(0);
    }
    let (process, mount) = pod.selinux.as_ref().map_or(("", ""), |labels| (&labels.process, &labels.mount));
    match begin([process, mount], user_namespace, dev_null) {
        // A policy may not let its program be run with the label of a pod: then it keeps ours, locked in as it is.
        Err(_) if !process.is_empty() => begin(["", mount], user_namespace, dev_null),
        outcome => outcome,
    }
}

fn begin(labels: [&str; 2], user_namespace: Option<&OwnedFd>, dev_null: &OwnedFd) -> Result<i32, FrameError> {
    let (said, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(failed("make a pipe"))?;
    let words = ["berth-pause", "pause", "outside", labels[0], labels[1]].map(CString::new);
    let argv =
        words.into_iter().collect::<Result<Vec<_>, _>>().map_err(|_| failed("start the pod's PID 1")(Errno::INVAL))?;
    let stdin = user_namespace.unwrap_or(dev_null).as_fd();
    let program = Program {
        path: c"/proc/self/exe",
        argv: &argv,
        stdio: [stdin, writer.as_fd(), dev_null.as_fd()],
        network: None,
    };
    let starter = spawn::spawn(&program).map_err(failed("start the pod's PID 1"))?;
    drop(writer);
    let mut text = String::new();
    let heard = File::from(said).take(1024).read_to_string(&mut text);
    let _ = waitpid(Pid::from_raw(starter), WaitOptions::empty());
    heard.map_err(failed("hear from the pod's PID 1"))?;
    read(&text)
}

/// What the starter (a pid) and PID 1 say, a line each in any order, ends when PID 1 is locked in, or with them.
fn read(text: &str) -> Result<i32, FrameError> {
    let pid = text.lines().find_map(|line| line.parse().ok());
    match pid {
        Some(pid) if text.lines().any(|line| line == LOCKED_IN) => Ok(pid),
        started => {
            started.into_iter().for_each(|pid| signals::send(pid, libc::SIGKILL));
            Err(FrameError::new("internal", format!("the pod's PID 1 cannot be locked in: {}", text.trim())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_one_counts_once_it_is_locked_in() {
        assert_eq!(read("71\nlocked in\n").unwrap(), 71);
        assert_eq!(read("locked in\n71\n").unwrap(), 71);
        assert!(read("mount a tmpfs: no").unwrap_err().message.ends_with("mount a tmpfs: no"));
        assert!(read("").is_err());
    }
}
