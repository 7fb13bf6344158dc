//! What the shim holds of one container.

use std::time::Instant;

use super::cgroup::{Cgroup, SubCgroup};
use super::console::Console;
use super::create::Discarding;
use super::log::Log;
use super::messages::{CgroupDirs, CreateAsk, Event, Exit, HeldContainer, NumberedEvent, OciRuntime, State};
use super::runtime::Ended;
use super::shim::{Caller, Shim};
use super::stdio::{ChildStdio, Stdio};
use crate::frame::FrameError;

pub struct Container {
    pub serial: u32,
    pub id: String,
    pub bundle: String,
    pub runtime: OciRuntime,
    pub cgroup: Cgroup,
    /// Every directory of the cgroup, until the create succeeds.
    pub cgroup_dirs: CgroupDirs,
    pub state: State,
    /// 0 before the runtime has named it.
    pub pid: i32,
    pub started_at_ns: u64,
    pub tty: bool,
    pub stdin_once: bool,
    pub stdio: Stdio,
    /// What `start` is given, for a runtime that hands it on only then.
    pub child: ChildStdio,
    pub console: Option<Console>,
    pub log: Option<Log>,
    /// How the first opening of the log went, once it is known.
    pub log_opened: Option<Result<(), FrameError>>,
    /// Who waits for the log to be opened again, in order.
    pub reopeners: Vec<Caller>,
    /// Who waits for a create that waits for its log alone, and until when.
    pub creator: Option<(Caller, Instant)>,
    /// Its create failed, what that left is being cleared away.
    pub discarding: Option<Discarding>,
    /// A run of the runtime is on its way for it.
    pub busy: bool,
    /// Its process ended; `exit` follows when its output is read.
    pub ended: Option<Ended>,
    /// The kernel killed in it for want of memory.
    pub ran_out: bool,
    pub drain: Option<Drain>,
    pub exit: Option<(u64, Exit)>,
    /// When SIGKILL is sent (again), once a stop was asked for.
    pub kill_at: Option<Instant>,
    /// SIGKILL was sent.
    pub killed: bool,
    /// Who waits for its delete, and how long that may take, in milliseconds.
    pub deleters: Vec<Caller>,
    pub delete_timeout_ms: u64,
    /// The runtime refused a plain delete: the next one is forced.
    pub delete_refused: bool,
    /// When the delete is run though the killed process has not ended.
    pub force_at: Option<Instant>,
    /// Until when attached clients may hold its output up.
    pub stalled_until: Option<Instant>,
    /// Sub-cgroups of ended execs that were not empty yet.
    pub leftover: Vec<SubCgroup>,
}

/// How long the rest of the output is waited for, once the process has ended.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    /// No output came since long enough.
    pub quiet_at: Instant,
    /// However much comes.
    pub end_at: Instant,
    /// It was read, and what was read is being written.
    pub read: bool,
}

impl Container {
    /// A container whose create is asked for.
    pub fn new(serial: u32, ask: &CreateAsk) -> Self {
        Self {
            serial,
            id: ask.container.clone(),
            bundle: ask.bundle.clone(),
            runtime: ask.runtime.clone(),
            cgroup: Cgroup::new(&ask.cgroup),
            cgroup_dirs: ask.cgroup.clone(),
            state: State::Creating,
            pid: 0,
            started_at_ns: 0,
            tty: ask.tty,
            stdin_once: ask.stdin_once,
            stdio: Stdio::default(),
            child: ChildStdio::default(),
            console: None,
            log: None,
            log_opened: None,
            reopeners: Vec::new(),
            creator: None,
            discarding: None,
            busy: true,
            ended: None,
            ran_out: false,
            drain: None,
            exit: None,
            kill_at: None,
            killed: false,
            deleters: Vec::new(),
            delete_timeout_ms: 0,
            delete_refused: false,
            force_at: None,
            stalled_until: None,
            leftover: Vec::new(),
        }
    }

    pub fn pid_file(&self) -> String {
        format!("{}/pid", self.bundle)
    }

    pub fn resources_file(&self) -> String {
        format!("{}/resources.json", self.bundle)
    }

    /// The runtime's own log, of every verb but exec.
    pub fn runtime_log(&self) -> String {
        format!("{}/runtime.log", self.bundle)
    }

    /// Where the runtime prints how a container inside a sandbox process ended.
    pub fn end_file(&self) -> String {
        format!("{}/end.json", self.bundle)
    }

    /// Its process is `pid`, and not reaped yet.
    pub fn lives_as(&self, pid: i32) -> bool {
        self.pid == pid && self.ended.is_none()
    }

    pub fn deadline(&self) -> Option<Instant> {
        let waits = |drain: &Drain| drain.read || self.stdio.is_paused();
        let next = |drain: Drain| if waits(&drain) { drain.end_at } else { drain.quiet_at.min(drain.end_at) };
        let drain = self.drain.filter(|_| !self.busy).map(next);
        let flush = self.log.as_ref().and_then(Log::deadline);
        let create = self.creator.map(|(_, until)| until);
        let discard = self.discarding.as_ref().map(|discarding| discarding.again_at);
        [self.kill_at, drain, flush, create, discard, self.force_at, self.stalled_until].into_iter().flatten().min()
    }

    pub fn held(&self) -> HeldContainer {
        HeldContainer {
            id: self.id.clone(),
            state: self.state,
            pid: self.pid,
            started_at_ns: self.started_at_ns.to_string(),
            exit: self.exit.as_ref().map(|(_, exit)| exit.clone()),
        }
    }

    /// Its exit as the event that was sent.
    pub fn exit_event(&self) -> Option<NumberedEvent> {
        let (seq, exit) = self.exit.clone()?;
        Some(NumberedEvent { seq, event: Event::Exit { container: self.id.clone(), pid: self.pid, exit } })
    }

    /// Refuses what does not fit its state; `wanted` are the states that do.
    pub fn require(&self, doing: &str, wanted: &[State]) -> Result<(), FrameError> {
        if wanted.contains(&self.state) && self.ended.is_none() && self.deleters.is_empty() {
            return Ok(());
        }
        let state = if self.ended.is_some() { State::Stopped } else { self.state };
        let message = format!("{doing} container {}: it is {}", self.id, format!("{state:?}").to_lowercase());
        Err(FrameError::new("wrong-state", message))
    }
}

impl Shim {
    /// The container of that id; `not-found` when the shim holds none.
    pub fn find(&mut self, doing: &str, id: &str) -> Result<&mut Container, FrameError> {
        let found = self.containers.iter_mut().find(|container| container.id == id);
        found.ok_or_else(|| FrameError::new("not-found", format!("{doing} container {id}: this pod has none such")))
    }

    pub fn container(&mut self, serial: u32) -> Option<&mut Container> {
        self.containers.iter_mut().find(|container| container.serial == serial)
    }
}

/// Refuses names that would not be one component of a path.
pub fn check_name(what: &str, name: &str) -> Result<(), FrameError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    match name.bytes().all(fits) && !name.is_empty() && !name.starts_with('.') && name.len() <= 128 {
        true => Ok(()),
        false => Err(FrameError::new("invalid", format!("{what} {name:?}: not a name of letters, digits, - _ ."))),
    }
}
