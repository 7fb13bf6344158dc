//! Stop: a signal, a grace that later calls can only shorten, then SIGKILL every second until the process is gone.

use std::time::{Duration, Instant};

use super::messages::{Done, State, StopAsk};
use super::shim::{Caller, Shim};
use crate::frame::FrameError;

/// Time between one SIGKILL and the next.
const AGAIN: Duration = Duration::from_secs(1);

/// Longest grace, in milliseconds; longer ones count as this (a hundred years).
const MAX_GRACE_MS: u64 = 100 * 365 * 86_400_000;

impl Shim {
    pub fn stop(&mut self, caller: Caller, ask: &StopAsk) -> Result<(), FrameError> {
        let container = self.find("stop", &ask.container)?;
        if container.state == State::Creating {
            return container.require("stop", &[State::Created, State::Running]);
        }
        if !(0..=64).contains(&ask.signal) {
            return Err(FrameError::new("invalid", format!("stop container {}: signal {}", ask.container, ask.signal)));
        }
        let serial = container.serial;
        if container.ended.is_none() {
            let now = Instant::now();
            // A process that has not executed its program yet knows no signal but SIGKILL.
            let grace_ms = if container.state == State::Created { 0 } else { ask.grace_ms.min(MAX_GRACE_MS) };
            let kill_at = now + Duration::from_millis(grace_ms);
            let first = container.kill_at.is_none();
            container.kill_at = Some(container.kill_at.map_or(kill_at, |before| before.min(kill_at)));
            if first && grace_ms > 0 {
                self.signal(serial, ask.signal);
            }
            self.container_due(serial, now);
        } else {
            // Its exit waits for a run of the runtime that has nothing to do any more.
            self.abort_runs(serial);
        }
        self.reply(caller, &Done {});
        Ok(())
    }

    /// Does what a container's deadlines ask for by now.
    pub fn container_due(&mut self, serial: u32, now: Instant) {
        let Some(container) = self.container(serial) else { return };
        if container.kill_at.is_some_and(|at| at <= now) {
            container.killed = true;
            container.kill_at = Some(now + AGAIN);
            container.cgroup.kill();
            self.signal(serial, libc::SIGKILL);
            self.abort_runs(serial);
        }
        let Some(container) = self.container(serial) else { return };
        if let Some(log) = &mut container.log
            && log.deadline().is_some_and(|at| at <= now)
        {
            log.flush();
        }
        if container.creator.is_some_and(|(_, until)| until <= now) {
            return self.fail_create(serial, "timeout", "the disk does not answer");
        }
        if container.discarding.as_ref().is_some_and(|discarding| discarding.again_at <= now) {
            return self.clear_discarded(serial, now);
        }
        if container.force_at.is_some_and(|at| at <= now) {
            self.run_delete(serial);
        }
        if self.container(serial).is_some_and(|container| container.stalled_until.is_some_and(|at| at <= now)) {
            self.drop_slow(serial);
        }
        self.announce_if_drained(serial);
    }
}
