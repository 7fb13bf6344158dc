//! A container as it is handed over to the next version of the shim, between two runs of the OCI runtime.

use super::cgroup::{Cgroup, SubCgroup};
use super::clock::{instant, monotonic_ns};
use super::container::{Container, Drain};
use super::descriptors::Descriptors;
use super::kept::{KeptContainer, KeptDrain};
use super::log::Log;
use super::messages::{CgroupDirs, State};
use super::poll::Poll;
use super::stdio::{ChildStdio, Stdio};
use super::writer::Writer;

impl Container {
    /// Nothing is under way for it that only this version could go on with.
    pub fn can_be_kept(&self) -> bool {
        let waits = self.creator.is_some() || self.discarding.is_some() || !self.reopeners.is_empty();
        self.state != State::Creating && !waits && !self.busy && self.console.is_none()
    }

    pub fn keep(&self, descriptors: &mut Descriptors) -> KeptContainer {
        KeptContainer {
            serial: self.serial,
            id: self.id.clone(),
            bundle: self.bundle.clone(),
            runtime: self.runtime.clone(),
            cgroup: self.cgroup.keep(),
            state: self.state,
            pid: self.pid,
            started_at_ns: self.started_at_ns,
            tty: self.tty,
            stdin_once: self.stdin_once,
            stdio: self.stdio.keep(descriptors),
            child: self.child.keep(descriptors),
            log: self.log.as_ref().map(Log::keep),
            ended: self.ended,
            ran_out: self.ran_out,
            drain: self.drain.map(|drain| KeptDrain {
                quiet_at: monotonic_ns(drain.quiet_at),
                end_at: monotonic_ns(drain.end_at),
                read: drain.read,
            }),
            exit: self.exit.clone(),
            kill_at: self.kill_at.map(monotonic_ns),
            killed: self.killed,
            deleters: self.deleters.clone(),
            delete_timeout_ms: self.delete_timeout_ms,
            delete_refused: self.delete_refused,
            force_at: self.force_at.map(monotonic_ns),
            stalled_until: self.stalled_until.map(monotonic_ns),
            leftover: self.leftover.iter().map(SubCgroup::keep).collect(),
        }
    }

    pub fn resume(kept: KeptContainer, poll: &Poll, writer: &Writer) -> Self {
        Self {
            serial: kept.serial,
            id: kept.id,
            bundle: kept.bundle,
            runtime: kept.runtime,
            cgroup: Cgroup::resume(kept.cgroup),
            cgroup_dirs: CgroupDirs::new(),
            state: kept.state,
            pid: kept.pid,
            started_at_ns: kept.started_at_ns,
            tty: kept.tty,
            stdin_once: kept.stdin_once,
            stdio: Stdio::resume(kept.serial, kept.stdio, poll),
            child: ChildStdio::resume(kept.child),
            console: None,
            log: kept.log.map(|log| Log::resume(writer, kept.serial, log)),
            log_opened: Some(Ok(())),
            reopeners: Vec::new(),
            creator: None,
            discarding: None,
            busy: false,
            ended: kept.ended,
            ran_out: kept.ran_out,
            drain: kept.drain.map(|drain| Drain {
                quiet_at: instant(drain.quiet_at),
                end_at: instant(drain.end_at),
                read: drain.read,
            }),
            exit: kept.exit,
            kill_at: kept.kill_at.map(instant),
            killed: kept.killed,
            deleters: kept.deleters,
            delete_timeout_ms: kept.delete_timeout_ms,
            delete_refused: kept.delete_refused,
            force_at: kept.force_at.map(instant),
            stalled_until: kept.stalled_until.map(instant),
            leftover: kept.leftover.into_iter().map(SubCgroup::resume).collect(),
        }
    }
}
