//! Containers inside the sandbox process of their pod (gVisor, Kata by command line): no process of theirs is the
//! shim's child, so the runtime itself is asked to wait for their end and to send signals.

use std::fs::{self, File};
use std::os::fd::AsFd;

use serde::Deserialize;

use super::clock;
use super::container::Container;
use super::process_limit::ProcessLimits;
use super::runtime::{self, Ended, Verb};
use super::shim::{Shim, Then};
use super::signals;
use super::start::failed;
use crate::frame::FrameError;

/// How long the runtime may take to send a signal, in milliseconds.
const SIGNAL_TIMEOUT_MS: u64 = 10_000;

impl Shim {
    /// Sends a signal to a container's first process; one that cannot be sent is as good as lost.
    pub fn signal(&mut self, serial: u32, number: i32) {
        let Some(container) = self.containers.iter().find(|found| found.serial == serial) else { return };
        if !container.runtime.sandboxed {
            return signals::send(container.pid, number);
        }
        let number = number.to_string();
        let words = [container.id.as_str(), &number];
        let verb = Verb {
            runtime: &container.runtime,
            verb: "kill",
            words: &words,
            log: container.runtime_log(),
            stdio: [self.pod.dev_null.as_fd(); 3],
            network: self.pod.host_network.as_fd(),
            limits: ProcessLimits::default(),
            timeout_ms: SIGNAL_TIMEOUT_MS,
        };
        if let Ok(run) = runtime::run(verb, Then::Signal) {
            self.runs.push(run);
        }
    }

    /// Has the runtime wait for the end of a container that has just been started.
    pub fn watch(&mut self, serial: u32) -> Result<(), FrameError> {
        let Some(container) = self.containers.iter().find(|found| found.serial == serial) else { return Ok(()) };
        let answer = File::create(container.end_file()).map_err(failed("make the file for a container's end"))?;
        let null = self.pod.dev_null.as_fd();
        let verb = Verb {
            runtime: &container.runtime,
            verb: "wait",
            words: &[&container.id],
            log: container.runtime_log(),
            stdio: [null, answer.as_fd(), null],
            network: self.pod.host_network.as_fd(),
            limits: ProcessLimits::default(),
            timeout_ms: 0,
        };
        self.runs.push(runtime::run(verb, Then::Watch { container: serial })?);
        Ok(())
    }

    /// The runtime's `wait` has ended: so has the container, or the sandbox process with all in it.
    pub fn watched(&mut self, serial: u32) {
        let Some(container) = self.container(serial) else { return };
        let text = fs::read(container.end_file()).unwrap_or_default();
        let killed = container.killed;
        if container.ended.is_none() {
            self.container_ended(serial, end_in(&text, killed));
        }
    }

    /// True for a container in a sandbox process that the kernel has killed for want of memory, and so all in it.
    pub fn sandbox_ran_out(&self, serial: u32) -> bool {
        let inside = |found: &Container| found.serial == serial && found.runtime.sandboxed && !found.killed;
        let mut sandboxes = self.containers.iter().filter(|found| !found.runtime.sandboxed);
        self.containers.iter().any(inside) && sandboxes.any(|sandbox| sandbox.cgroup.ran_out_of_memory(false))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WaitReply {
    exit_status: i32,
}

/// The end that `wait` printed; without one the sandbox process ended first, which kills.
fn end_in(text: &[u8], killed: bool) -> Ended {
    let code = serde_json::from_slice::<WaitReply>(text).map_or(128 + libc::SIGKILL, |reply| reply.exit_status);
    let signal = if killed && code == 128 + libc::SIGKILL { libc::SIGKILL } else { 0 };
    Ended { code, signal, at_ns: clock::now_ns() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_what_the_runtime_printed_or_else_a_kill() {
        let end = |text: &[u8], killed| {
            let ended = end_in(text, killed);
            (ended.code, ended.signal)
        };
        assert_eq!(end(br#"{"id":"a","exitStatus":3}"#, false), (3, 0));
        assert_eq!(end(br#"{"id":"a","exitStatus":137}"#, true), (137, 9));
        assert_eq!(end(b"", true), (137, 9));
        assert_eq!(end(b"no container", false), (137, 0));
    }
}
