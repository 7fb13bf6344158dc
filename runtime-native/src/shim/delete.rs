//! Delete: whatever runs is killed, the runtime's `delete` is run, the container is forgotten. It is forced only when it
//! has to be: runc waits 100 ms at least before it looks whether a forced delete has killed anything.

use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions, waitpid};

use super::messages::{Done, TimedAsk};
use super::runtime::Ended;
use super::shim::{Caller, Shim, Then};
use super::signals;
use crate::frame::FrameError;

/// How long a killed process is waited for before the runtime is made to try, too.
const KILL_PATIENCE: Duration = Duration::from_secs(2);

impl Shim {
    /// Deletes a container in any state; a second call joins the first, an unknown container is deleted already.
    pub fn delete(&mut self, caller: Caller, ask: &TimedAsk) -> Result<(), FrameError> {
        let Ok(container) = self.find("delete", &ask.container) else {
            self.reply(caller, &Done {});
            return Ok(());
        };
        container.deleters.push(caller);
        container.delete_timeout_ms = ask.timeout_ms;
        let (serial, busy, first) = (container.serial, container.busy, container.deleters.len() == 1);
        if first && busy {
            self.fail_create(serial, "cancelled", "it is deleted before it opens");
            self.abort_runs(serial);
        } else if first {
            self.run_delete(serial);
        }
        Ok(())
    }

    /// Kills what is left, and runs the delete once that has ended; `container_ended` comes back here.
    pub fn run_delete(&mut self, serial: u32) {
        let Some(container) = self.container(serial) else { return };
        // Inside a sandbox process it is the delete itself that kills.
        let alive = container.ended.is_none() && !container.runtime.sandboxed;
        if alive {
            signals::send(container.pid, libc::SIGKILL);
        }
        container.killed = true;
        container.cgroup.kill();
        if alive && container.force_at.is_none() {
            container.force_at = Some(Instant::now() + KILL_PATIENCE);
            return self.end_execs(serial);
        }
        container.force_at = None;
        let timeout_ms = container.delete_timeout_ms;
        let words: &[&str] = if container.ended.is_some() && !container.delete_refused { &[] } else { &["--force"] };
        self.end_execs(serial);
        if let Err(error) = self.run_verb(serial, "delete", words, timeout_ms, Then::Delete { container: serial }) {
            self.answer_deleters(serial, Err(error));
        }
    }

    /// The runtime's `delete` has ended.
    pub fn deleted(&mut self, serial: u32, outcome: Result<(), FrameError>) {
        let outcome = outcome.or_else(|error| if error.kind == "not-found" { Ok(()) } else { Err(error) });
        let Some(container) = self.container(serial) else { return };
        let pid = Pid::from_raw(container.pid).filter(|_| container.ended.is_none());
        if let Some(Ok(Some((_, status)))) = pid.map(|pid| waitpid(Some(pid), WaitOptions::NOHANG)) {
            self.container_ended(serial, Ended::now(status));
        }
        if outcome.is_ok() && self.container(serial).is_some_and(|found| found.runtime.sandboxed) {
            self.watched(serial);
        }
        if let Some(container) = self.container(serial) {
            container.busy = false;
        }
        if outcome.is_ok() {
            self.announce_exit(serial);
        } else if let Some(container) = self.container(serial).filter(|found| !found.delete_refused) {
            container.delete_refused = true;
            container.cgroup.clear_below();
            self.run_delete(serial);
            return;
        }
        self.answer_deleters(serial, outcome);
    }

    fn answer_deleters(&mut self, serial: u32, outcome: Result<(), FrameError>) {
        let Some(at) = self.containers.iter().position(|found| found.serial == serial) else { return };
        let Some(container) = self.containers.get_mut(at) else { return };
        let deleters = std::mem::take(&mut container.deleters);
        let alive = container.ended.is_none().then(|| {
            let message = format!("delete container {}: its process {} does not end", container.id, container.pid);
            FrameError::new("internal", message)
        });
        let refusal = outcome.err().or(alive);
        if refusal.is_none() {
            for sub in &container.leftover {
                sub.remove();
            }
            self.containers.swap_remove(at);
        }
        for deleter in deleters {
            match &refusal {
                Some(error) => self.refuse(deleter, error),
                None => self.reply(deleter, &Done {}),
            }
        }
    }
}
