//! Start and update of a container, and how a verb without stdio of its own is run: one at a time for each container.

use std::fs;
use std::os::fd::AsFd;

use super::clock;
use super::messages::{Done, StartReply, State, TimedAsk, UpdateAsk};
use super::runtime::{self, Run, Verb};
use super::shim::{Caller, Shim, Then};
use super::signals;
use super::start::failed;
use super::stdio::ChildStdio;
use crate::frame::FrameError;

impl Shim {
    pub fn start(&mut self, caller: Caller, ask: &TimedAsk) -> Result<(), FrameError> {
        let container = self.find("start", &ask.container)?;
        container.require("start", &[State::Created])?;
        let serial = container.serial;
        self.run_verb(serial, "start", &[], ask.timeout_ms, Then::Start { container: serial, caller })
    }

    /// The runtime's `start` has ended.
    pub fn started(&mut self, serial: u32, caller: Caller, outcome: Result<(), FrameError>) {
        let sandboxed = self.container(serial).is_some_and(|container| container.runtime.sandboxed);
        let outcome = outcome.and_then(|()| if sandboxed { self.watch(serial) } else { Ok(()) });
        let Some(container) = self.container(serial) else { return };
        container.busy = false;
        container.child = ChildStdio::default();
        match outcome {
            Ok(()) => {
                container.state = State::Running;
                let now = clock::now_ns();
                container.started_at_ns = container.ended.map_or(now, |ended| now.min(ended.at_ns));
                let started_at_ns = container.started_at_ns.to_string();
                self.reply(caller, &StartReply { started_at_ns });
            }
            Err(error) => {
                // Whether its process has begun is not known: as nobody will start it again, it ends.
                container.killed = true;
                signals::send(container.pid, libc::SIGKILL);
                container.cgroup.kill();
                self.refuse(caller, &error);
            }
        }
        self.catch_up(serial);
    }

    pub fn update(&mut self, caller: Caller, ask: &UpdateAsk) -> Result<(), FrameError> {
        let container = self.find("update", &ask.container)?;
        container.require("update", &[State::Created, State::Running])?;
        let serial = container.serial;
        let file = container.resources_file();
        fs::write(&file, ask.resources.get()).map_err(failed("write resources"))?;
        let then = Then::Update { container: serial, caller };
        self.run_verb(serial, "update", &["--resources", &file], ask.timeout_ms, then)
    }

    /// The runtime's `update` has ended.
    pub fn updated(&mut self, serial: u32, caller: Caller, outcome: Result<(), FrameError>) {
        let Some(container) = self.container(serial) else { return };
        container.busy = false;
        let _ = fs::remove_file(container.resources_file());
        match outcome {
            Ok(()) => self.reply(caller, &Done {}),
            Err(error) => self.refuse(caller, &error),
        }
        self.catch_up(serial);
    }

    /// Runs a verb on a container that is not busy, with the stdio that is kept for `start`, else none.
    pub fn run_verb(
        &mut self,
        serial: u32,
        verb: &'static str,
        words: &[&str],
        timeout_ms: u64,
        then: Then,
    ) -> Result<(), FrameError> {
        let Some(container) = self.containers.iter_mut().find(|found| found.serial == serial) else { return Ok(()) };
        if container.busy {
            let message = format!("{verb} container {}: another change is on its way", container.id);
            return Err(FrameError::new("wrong-state", message));
        }
        let words: Vec<&str> = words.iter().copied().chain([container.id.as_str()]).collect();
        let run = runtime::run(
            Verb {
                runtime: &container.runtime,
                verb,
                words: &words,
                log: container.runtime_log(),
                stdio: container.child.fds(&self.pod.dev_null),
                network: self.pod.host_network.as_fd(),
                limits: container.cgroup.process_limits(),
                timeout_ms,
            },
            then,
        )?;
        container.busy = true;
        self.runs.push(run);
        Ok(())
    }

    /// Kills the runs of the runtime that are on their way for a container; each then ends as `cancelled`.
    pub fn abort_runs(&mut self, serial: u32) {
        self.runs.iter_mut().filter(|run| run.then.changes(serial)).for_each(Run::abort);
    }

    /// Sees to what happened while the runtime ran: a delete that waits, an end that came early.
    pub fn catch_up(&mut self, serial: u32) {
        let Some(container) = self.container(serial) else { return };
        let (ended, delete) = (container.ended, !container.deleters.is_empty());
        if ended.is_some() {
            self.announce_if_drained(serial);
        }
        if delete {
            self.run_delete(serial);
        }
    }
}
