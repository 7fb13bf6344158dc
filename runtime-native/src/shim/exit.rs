//! The end of a container's process: what is left of it killed, its output read, its exit announced.

use std::time::{Duration, Instant};

use super::connection::Role;
use super::container::Drain;
use super::exits;
use super::messages::{Event, ExecStatus, Exit, State};
use super::runtime::Ended;
use super::shim::Shim;
use super::stdio::Stream;

/// How long an ended process' streams must bring nothing to count as read.
pub const QUIET: Duration = Duration::from_millis(100);

/// How long they are read at most.
pub const MAX_DRAIN: Duration = Duration::from_secs(1);

impl Shim {
    /// Its first process was reaped.
    pub fn container_ended(&mut self, serial: u32, ended: Ended) {
        let sandbox_ran_out = self.sandbox_ran_out(serial);
        let Some(container) = self.container(serial) else { return };
        let now = Instant::now();
        container.ended = Some(ended);
        let stopping = container.kill_at.take().is_some();
        let running = container.state == State::Running;
        container.drain = Some(Drain { quiet_at: now + QUIET, end_at: now + MAX_DRAIN, read: false });
        let killed_by_others = ended.signal == libc::SIGKILL && !container.killed;
        container.ran_out = sandbox_ran_out || container.cgroup.ran_out_of_memory(killed_by_others);
        let ran_out = container.ran_out;
        container.cgroup.kill();
        if ran_out {
            self.containers.iter_mut().for_each(|other| other.cgroup.forget_outer_kills());
        }
        // An update of what has ended changes nothing; a start is not needed once a stop was asked for.
        if stopping || running {
            self.abort_runs(serial);
        }
        self.output_ready(serial, Stream::Out);
        self.output_ready(serial, Stream::Err);
        self.announce_if_drained(serial);
        if self.container(serial).is_some_and(|container| !container.deleters.is_empty() && !container.busy) {
            self.run_delete(serial);
        }
    }

    /// Announces an ended container's exit once its output is at its end or quiet and then is written, or has come for
    /// too long.
    pub fn announce_if_drained(&mut self, serial: u32) {
        let now = Instant::now();
        let Some(container) = self.container(serial) else { return };
        let Some(drain) = &mut container.drain else { return };
        let quiet = drain.quiet_at <= now && !container.stdio.is_paused();
        let over = drain.end_at <= now;
        if container.busy || !(over || quiet || container.stdio.is_drained()) {
            return;
        }
        match &mut container.log {
            Some(log) if !over => {
                if !std::mem::replace(&mut drain.read, true) {
                    log.finish();
                }
            }
            _ => self.announce_exit(serial),
        }
    }

    /// Announces an ended container's exit, by file and by event; once.
    pub fn announce_exit(&mut self, serial: u32) {
        let Some(at) = self.containers.iter().position(|found| found.serial == serial) else { return };
        let Some(container) = self.containers.get_mut(at) else { return };
        let Some(ended) = container.ended.filter(|_| container.exit.is_none()) else { return };
        container.drain = None;
        container.state = State::Stopped;
        container.stdio.stdin = None;
        if let Some(log) = &mut container.log {
            log.flush();
        }
        let (id, pid) = (container.id.clone(), container.pid);
        let ran_out = container.ran_out;
        let exit = exit(ended, ran_out);
        exits::write_file(&self.pod.directory, &id, &exit);
        if ran_out {
            self.announce(Event::Oom { container: id.clone() });
        }
        let seq = self.announce(Event::Exit { container: id, pid, exit: exit.clone() });
        if let Some(container) = self.containers.get_mut(at) {
            container.exit = Some((seq, exit));
        }
        self.end_attached(serial, ended);
    }

    fn end_attached(&mut self, serial: u32, ended: Ended) {
        let status = status(ended, false);
        let attached = |role: Role| matches!(role, Role::Attach { container, .. } if container == serial);
        for connection in self.connections.iter_mut().filter(|connection| attached(connection.role)) {
            connection.send_status(&self.poll, &status);
        }
    }
}

/// The status packet of a process' end.
pub fn status(ended: Ended, timed_out: bool) -> ExecStatus {
    ExecStatus { exit_code: ended.code, signal: ended.signal, timed_out, message: None, kind: None }
}

fn exit(ended: Ended, ran_out_of_memory: bool) -> Exit {
    Exit {
        exit_code: ended.code,
        signal: ended.signal,
        oom_killed: ran_out_of_memory && ended.code == 128 + libc::SIGKILL,
        finished_at_ns: ended.at_ns.to_string(),
    }
}
