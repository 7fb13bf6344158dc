//! The loop: waits, finds whom each event concerns, keeps deadlines. All state of a pod hangs here.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::SendFlags;
use rustix::process::{Pid, WaitOptions};
use serde::{Deserialize, Serialize};

use super::connection::{Connection, Role};
use super::container::Container;
use super::dial::Dial;
use super::exec::Exec;
use super::exits::Events;
use super::messages::Refusal;
use super::poll::{Poll, Source};
use super::runtime::{Ended, Run};
use super::start::Pod;
use super::stdio::Stream;
use super::tunnel::Tunnel;
use super::upgrade::Upgrade;
use super::writer::Writer;
use crate::frame::{self, FrameError};
use crate::used_up::kind_of;

/// Who waits for the answer to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub connection: u32,
    pub id: u64,
}

/// What a run of the OCI runtime is for; containers and execs by serial.
pub enum Then {
    Create {
        container: u32,
        caller: Caller,
    },
    /// The delete after a failed create.
    Discard {
        container: u32,
        caller: Caller,
        error: FrameError,
    },
    Start {
        container: u32,
        caller: Caller,
    },
    Update {
        container: u32,
        caller: Caller,
    },
    Delete {
        container: u32,
    },
    Exec {
        exec: u32,
        caller: Caller,
    },
    Signal,
    Watch {
        container: u32,
    },
}

impl Then {
    /// It makes the container, or changes what it is.
    pub fn changes(&self, serial: u32) -> bool {
        matches!(self,
            Self::Create { container, .. } | Self::Start { container, .. } | Self::Update { container, .. }
            if *container == serial)
    }
}

/// Most clients at a time: streams, tunnels not among them, and those with calls.
const MAX_CONNECTIONS: usize = 1024;

/// Most execs and attached clients at a time; others could not be called to stop them if these took every connection.
const MAX_STREAMS: usize = 512;

/// How long no client is taken when there was no descriptor for the last.
const REST: Duration = Duration::from_millis(200);

/// Most ends of processes nobody knows yet that are remembered.
const MAX_STRANGERS: usize = 64;

/// How long the last log records may take when the shim ends.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Bytes read at a time.
const SCRATCH_BYTES: usize = 16 << 10;

pub struct Shim {
    pub pod: Pod,
    pub poll: Poll,
    pub connections: Vec<Connection>,
    pub containers: Vec<Container>,
    pub execs: Vec<Exec>,
    pub runs: Vec<Run<Then>>,
    pub dials: Vec<Dial>,
    pub tunnels: Vec<Tunnel>,
    /// It is back in the host's network, the pod's may be gone.
    pub left_network: bool,
    pub events: Events,
    pub scratch: Vec<u8>,
    pub quitting: bool,
    pub writer: Writer,
    pub upgrade: Option<Upgrade>,
    signals: OwnedFd,
    /// When clients are taken again; none are before.
    accept_again_at: Option<Instant>,
    /// Ends seen before the runtime named the process.
    pub strangers: Vec<(i32, Ended)>,
    pub last_serial: u32,
}

impl Shim {
    pub fn new(pod: Pod, poll: Poll, signals: OwnedFd, writer: Writer) -> Self {
        poll.reads(&writer, Source::Writer);
        poll.reads(&signals, Source::Signals);
        poll.reads(&pod.listener, Source::Listener);
        Self {
            pod,
            poll,
            connections: Vec::new(),
            containers: Vec::new(),
            execs: Vec::new(),
            runs: Vec::new(),
            dials: Vec::new(),
            tunnels: Vec::new(),
            left_network: false,
            events: Events::default(),
            scratch: vec![0; SCRATCH_BYTES],
            quitting: false,
            writer,
            upgrade: None,
            signals,
            accept_again_at: None,
            strangers: Vec::new(),
            last_serial: 0,
        }
    }

    /// Serves until it is told to quit.
    pub fn serve(mut self) {
        while !(self.quitting && self.connections.iter().all(|connection| connection.waiting_bytes() == 0)) {
            for (source, closed) in self.poll.wait(self.next_deadline()) {
                self.ready(source, closed);
            }
            let now = Instant::now();
            self.keep_deadlines(now);
            self.close_connections(now);
            self.upgrade_when_quiet(now);
        }
        self.writer.settle(LAST_WRITES);
        let _ = std::fs::remove_file(&self.pod.socket);
        super::signals::send(self.pod.pause_pid, libc::SIGKILL);
    }

    fn ready(&mut self, source: Source, closed: bool) {
        match source {
            Source::Listener => self.accept(),
            Source::Signals => self.reap(),
            Source::Writer => self.writer_ready(),
            Source::Connection(serial) => self.connection_ready(serial, closed),
            Source::Stdin(serial) => self.stdin_ready(serial),
            Source::Stdout(serial) => self.output_ready(serial, Stream::Out),
            Source::Stderr(serial) => self.output_ready(serial, Stream::Err),
            Source::Console(serial) => self.console_ready(serial),
            Source::Dial(serial) => self.dial_ready(serial),
            Source::Client(serial) => self.tunnel_ready(serial, closed),
            Source::Target(serial) => self.tunnel_ready(serial, false),
        }
    }

    fn accept(&mut self) {
        loop {
            let socket = match self.pod.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if kind_of(&error) == "exhausted" && error.kind() != ErrorKind::WouldBlock => {
                    return self.rest();
                }
                Err(_) => return,
            };
            if self.connections.len() >= MAX_CONNECTIONS {
                turn_away(&socket);
            } else if socket.set_nonblocking(true).is_ok() {
                let serial = self.next_serial();
                self.connections.push(Connection::new(serial, socket, &self.poll));
            }
        }
    }

    /// No descriptor is left for a client: it waits a while, and the loop is not busy with it.
    fn rest(&mut self) {
        self.poll.forget(&self.pod.listener);
        self.accept_again_at = Some(Instant::now() + REST);
    }

    /// Refuses one stream too many.
    pub fn room_for_stream(&self, doing: &str) -> Result<(), FrameError> {
        let is_stream = |it: &&Connection| matches!(it.role, Role::Exec(_) | Role::Attach { .. });
        if self.connections.iter().filter(is_stream).count() < MAX_STREAMS {
            return Ok(());
        }
        let message = format!("{doing}: too many execs and attached clients (limit MAX_STREAMS, {MAX_STREAMS})");
        Err(FrameError::new("exhausted", message))
    }

    /// Collects every ended child and tells whom it concerns.
    pub fn reap(&mut self) {
        while rustix::io::read(&self.signals, &mut self.scratch[..]).is_ok() {}
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            self.ended(pid.as_raw_nonzero().get(), Ended::now(status));
        }
        let oldest = self.runs.iter().map(|run| run.began_at_ns).min().unwrap_or(u64::MAX);
        self.strangers.retain(|(_, ended)| ended.at_ns >= oldest);
    }

    fn ended(&mut self, pid: i32, ended: Ended) {
        if let Some(at) = self.runs.iter().position(|run| run.pid == pid) {
            let run = self.runs.swap_remove(at);
            self.run_ended(run, ended);
        } else if let Some(container) = self.containers.iter().find(|container| container.lives_as(pid)) {
            self.container_ended(container.serial, ended);
        } else if let Some(exec) = self.execs.iter().find(|exec| exec.lives_as(pid)) {
            self.exec_ended(exec.serial, ended);
        } else if self.rehearsed(pid, ended) {
        } else if !self.runs.is_empty() && self.strangers.len() < MAX_STRANGERS {
            self.strangers.push((pid, ended));
        }
    }

    fn run_ended(&mut self, run: Run<Then>, ended: Ended) {
        let outcome = run.outcome(ended);
        match run.then {
            Then::Create { container, caller } => self.created(container, caller, outcome),
            Then::Discard { container, caller, error } => self.discarded(container, caller, error),
            Then::Start { container, caller } => self.started(container, caller, outcome),
            Then::Update { container, caller } => self.updated(container, caller, outcome),
            Then::Delete { container } => self.deleted(container, outcome),
            Then::Exec { exec, caller } => self.exec_started(exec, caller, outcome),
            Then::Signal => {}
            Then::Watch { container } => self.watched(container),
        }
    }

    /// The end of a process that the runtime has named just now, if it has ended before that.
    pub fn early_end(&mut self, pid: i32) -> Option<Ended> {
        if let Some(at) = self.strangers.iter().position(|(stranger, _)| *stranger == pid) {
            return Some(self.strangers.swap_remove(at).1);
        }
        match rustix::process::waitpid(Pid::from_raw(pid), WaitOptions::NOHANG) {
            Ok(None) => None,
            Ok(Some((_, status))) => Some(Ended::now(status)),
            // No child of ours: its end was missed, or the runtime named somebody else.
            Err(_) => Some(Ended::unseen()),
        }
    }

    /// A number nobody had before.
    pub fn next_serial(&mut self) -> u32 {
        self.last_serial = self.last_serial.wrapping_add(1);
        self.last_serial
    }

    fn next_deadline(&self) -> Option<Instant> {
        let runs = self.runs.iter().filter_map(Run::deadline);
        let containers = self.containers.iter().filter_map(Container::deadline);
        let execs = self.execs.iter().filter_map(Exec::deadline);
        let connections = self.connections.iter().filter_map(Connection::deadline);
        let dials = self.dials.iter().map(|dial| dial.expires_at);
        let upgrade = self.upgrade.iter().map(Upgrade::deadline);
        runs.chain(containers)
            .chain(execs)
            .chain(connections)
            .chain(dials)
            .chain(self.accept_again_at)
            .chain(upgrade)
            .min()
    }

    fn keep_deadlines(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        self.runs.iter_mut().filter(|run| due(run.deadline())).for_each(Run::expire);
        let containers: Vec<u32> = self.containers.iter().filter(|it| due(it.deadline())).map(|it| it.serial).collect();
        containers.into_iter().for_each(|serial| self.container_due(serial, now));
        let execs: Vec<u32> = self.execs.iter().filter(|it| due(it.deadline())).map(|it| it.serial).collect();
        execs.into_iter().for_each(|serial| self.exec_due(serial, now));
        self.dials_due(now);
        if due(self.accept_again_at) {
            self.accept_again_at = None;
            self.poll.reads(&self.pod.listener, Source::Listener);
        }
    }

    fn close_connections(&mut self, now: Instant) {
        while let Some(at) = self.connections.iter().position(|connection| connection.is_over(now)) {
            let connection = self.connections.swap_remove(at);
            self.connection_closed(&connection);
        }
    }
}

/// Says why before it is closed.
fn turn_away(socket: &UnixStream) {
    let message = format!("shim: too many clients (limit MAX_CONNECTIONS, {MAX_CONNECTIONS})");
    let refusal = Refusal { id: 0, error: &FrameError::new("exhausted", message) };
    let _ = rustix::net::send(socket, &frame::encode(&refusal), SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
}
