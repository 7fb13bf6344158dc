//! Exec: a further process in a container, in a cgroup of its own so that it can be killed whole, its stdio carried
//! by the connection that asked for it.

use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use super::cgroup::SubCgroup;
use super::connection::Role;
use super::console::Console;
use super::container::check_name;
use super::create::read_pid;
use super::descriptors::Descriptors;
use super::exit::QUIET;
use super::kept::KeptExec;
use super::messages::{ExecAsk, PidReply, State};
use super::poll::Poll;
use super::runtime::{self, Ended, Verb};
use super::shim::{Caller, Shim, Then};
use super::start::failed;
use super::stdio::{self, ChildStdio, Stdio};
use super::{clock, signals, tree};
use crate::frame::FrameError;

pub struct Exec {
    pub serial: u32,
    pub stdio: Stdio,
    pub console: Option<Console>,
    /// `None` once its client is gone.
    pub connection: Option<u32>,
    pub container: u32,
    name: String,
    /// What the runtime is given, until it has started the process.
    child: ChildStdio,
    /// Files for the runtime: the process, its pid, its log.
    pub files: [String; 3],
    pub sub: Option<SubCgroup>,
    /// 0 before the runtime has named it.
    pub pid: i32,
    pub ended: Option<(Ended, Instant)>,
    /// When it is killed for taking too long.
    pub expires_at: Option<Instant>,
    pub timed_out: bool,
    pub killing: Option<Killing>,
}

/// A kill under way: repeated until nothing is left, or for so long.
pub struct Killing {
    pub again_at: Instant,
    pub until: Instant,
}

/// How long the runtime may take to start an exec without a limit of its own, in milliseconds.
const START_TIMEOUT_MS: u64 = 120_000;

impl Exec {
    /// Its process is `pid`, and not reaped yet.
    pub fn lives_as(&self, pid: i32) -> bool {
        self.pid == pid && self.ended.is_none()
    }

    /// The runtime has started it.
    pub fn can_be_kept(&self) -> bool {
        self.pid > 0 && self.console.is_none()
    }

    /// As it is handed over to the next version.
    pub fn keep(&self, descriptors: &mut Descriptors) -> KeptExec {
        KeptExec {
            serial: self.serial,
            stdio: self.stdio.keep(descriptors),
            connection: self.connection,
            container: self.container,
            name: self.name.clone(),
            files: self.files.clone(),
            sub: self.sub.as_ref().map(SubCgroup::keep),
            pid: self.pid,
            ended: self.ended.map(|(ended, at)| (ended, clock::monotonic_ns(at))),
            expires_at: self.expires_at.map(clock::monotonic_ns),
            timed_out: self.timed_out,
            killing: self.killing.as_ref().map(|it| (clock::monotonic_ns(it.again_at), clock::monotonic_ns(it.until))),
        }
    }

    pub fn resume(kept: KeptExec, poll: &Poll) -> Self {
        Self {
            serial: kept.serial,
            stdio: Stdio::resume(kept.serial, kept.stdio, poll),
            console: None,
            connection: kept.connection,
            container: kept.container,
            name: kept.name,
            child: ChildStdio::default(),
            files: kept.files,
            sub: kept.sub.map(SubCgroup::resume),
            pid: kept.pid,
            ended: kept.ended.map(|(ended, at)| (ended, clock::instant(at))),
            expires_at: kept.expires_at.map(clock::instant),
            timed_out: kept.timed_out,
            killing: kept
                .killing
                .map(|(again_at, until)| Killing { again_at: clock::instant(again_at), until: clock::instant(until) }),
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        let kill = self.killing.as_ref().map(|killing| killing.again_at);
        let settles = self.killing.is_none() && !self.stdio.is_paused();
        let drained = self.ended.filter(|_| settles).map(|(_, at)| at + QUIET);
        [kill, drained, self.expires_at.filter(|_| self.pid > 0)].into_iter().flatten().min()
    }

    /// Kills all of it once; false when nothing was left.
    pub fn kill(&self) -> bool {
        let killed = self.sub.as_ref().is_some_and(SubCgroup::kill);
        if killed || self.ended.is_some() || self.pid == 0 {
            return killed;
        }
        match self.sub {
            Some(_) => signals::send(self.pid, libc::SIGKILL),
            None => tree::kill(self.pid),
        }
        true
    }
}

impl Shim {
    /// Runs the runtime's detached `exec`; `exec_started` goes on when that has ended.
    pub fn exec(&mut self, caller: Caller, ask: &ExecAsk) -> Result<(), FrameError> {
        check_name("exec", &ask.exec)?;
        self.room_for_stream("exec")?;
        let serial = self.next_serial();
        let container = self.find("exec in", &ask.container)?;
        container.require("exec in", &[State::Running])?;
        if container.killed {
            let message = format!("exec in container {}: it is being killed", ask.container);
            return Err(FrameError::new("wrong-state", message));
        }
        let (container, bundle) = (container.serial, container.bundle.clone());
        if self.execs.iter().any(|exec| exec.container == container && exec.name == ask.exec) {
            return Err(FrameError::new("exists", format!("exec {}: one of that name runs", ask.exec)));
        }
        let (stdio, child, console) = if ask.tty {
            (Stdio::default(), ChildStdio::default(), Some(Console::new(&bundle, serial)?))
        } else {
            let (stdio, child) = stdio::pipes(serial, ask.stdin, self.pod.owner)?;
            (stdio, child, None)
        };
        let files = ["json", "pid", "log"].map(|kind| format!("{bundle}/exec-{}.{kind}", ask.exec));
        let limit = (ask.timeout_ms > 0).then(|| Duration::from_millis(ask.timeout_ms));
        let mut exec = Exec {
            serial,
            stdio,
            console,
            connection: Some(caller.connection),
            container,
            name: ask.exec.clone(),
            child,
            files,
            sub: None,
            pid: 0,
            ended: None,
            expires_at: limit.and_then(|limit| Instant::now().checked_add(limit)),
            timed_out: false,
            killing: None,
        };
        if let Err(error) = self.prepare_exec(&mut exec, ask).and_then(|()| self.run_exec(&exec, caller)) {
            self.forget_exec(exec);
            return Err(error);
        }
        self.execs.push(exec);
        if let Some(connection) = self.connections.iter_mut().find(|found| found.serial == caller.connection) {
            connection.role = Role::Exec(serial);
            connection.hold(&self.poll);
        }
        Ok(())
    }

    fn prepare_exec(&mut self, it: &mut Exec, ask: &ExecAsk) -> Result<(), FrameError> {
        let Some(container) = self.container(it.container) else { return Ok(()) };
        if !container.runtime.sandboxed {
            it.sub = container.cgroup.make_sub(&format!("exec-{}", it.name));
        }
        if let Some(console) = &it.console {
            console.listen(&self.poll, it.serial);
        }
        let [process_file, ..] = &it.files;
        write_process(process_file, ask.process.get(), ask.tty)
    }

    fn run_exec(&mut self, it: &Exec, caller: Caller) -> Result<(), FrameError> {
        let Some(container) = self.containers.iter().find(|found| found.serial == it.container) else { return Ok(()) };
        let [process_file, pid_file, log] = &it.files;
        let mut words = vec!["--detach", "--process", process_file, "--pid-file", pid_file];
        if let Some(sub) = &it.sub {
            words.extend(["--cgroup", &sub.argument]);
        }
        if let Some(console) = &it.console {
            words.extend(["--console-socket", console.path()]);
        }
        words.push(&container.id);
        let left = it.expires_at.map(|at| at.saturating_duration_since(Instant::now()).as_millis() as u64);
        let verb = Verb {
            runtime: &container.runtime,
            verb: "exec",
            words: &words,
            log: log.clone(),
            stdio: it.child.fds(&self.pod.dev_null),
            network: self.pod.host_network.as_fd(),
            limits: container.cgroup.process_limits(),
            timeout_ms: left.map_or(START_TIMEOUT_MS, |left| left.max(1)),
        };
        self.runs.push(runtime::run(verb, Then::Exec { exec: it.serial, caller })?);
        Ok(())
    }

    /// The runtime's `exec` has ended: the process runs, or never will.
    pub fn exec_started(&mut self, serial: u32, caller: Caller, outcome: Result<(), FrameError>) {
        self.console_ready(serial);
        let Some(at) = self.execs.iter().position(|exec| exec.serial == serial) else { return };
        let mut exec = self.execs.swap_remove(at);
        let outcome = match outcome {
            Err(error) if exec.sub.is_some() && exec.killing.is_none() && may_lack_sub_cgroups(&error) => {
                exec.sub = exec.sub.take().filter(|sub| !sub.remove());
                match self.run_exec(&exec, caller) {
                    Ok(()) => return self.execs.push(exec),
                    Err(error) => Err(error),
                }
            }
            outcome => outcome,
        };
        let [_, pid_file, _] = &exec.files;
        let started = outcome.and_then(|()| read_pid(pid_file)).and_then(|pid| match exec.console.take() {
            Some(_) if exec.stdio.is_drained() => Err(FrameError::new("internal", "exec: no terminal came")),
            _ => Ok(pid),
        });
        match started {
            Err(error) => {
                exec.kill();
                self.forget_exec(exec);
                self.refuse(caller, &error);
                self.release(caller.connection, Role::Calls { events: false });
            }
            Ok(pid) => self.take_exec_over(Exec { pid, child: ChildStdio::default(), ..exec }, caller),
        }
    }

    fn take_exec_over(&mut self, mut exec: Exec, caller: Caller) {
        let (serial, pid, abandoned) = (exec.serial, exec.pid, exec.connection.is_none());
        exec.files.iter().for_each(|file| drop(fs::remove_file(file)));
        exec.stdio.listen(&self.poll);
        self.execs.push(exec);
        self.reply(caller, &PidReply { pid });
        if let Some(ended) = self.early_end(pid) {
            self.exec_ended(serial, ended);
        }
        if abandoned {
            self.exec_abandoned(serial);
        }
        self.release(caller.connection, Role::Exec(serial));
    }

    fn release(&mut self, connection: u32, role: Role) {
        if let Some(found) = self.connections.iter_mut().find(|found| found.serial == connection) {
            found.role = role;
            found.release(&self.poll);
        }
        self.take_input(connection);
    }
}

/// The runtime may have refused the sub-cgroup, or not know the option for it; without its word nobody knows.
fn may_lack_sub_cgroups(error: &FrameError) -> bool {
    let words = ["cgroup", "no word", "not defined", "unknown", "unexpected argument", "unrecognized"];
    error.kind == "internal" && words.iter().any(|word| error.message.contains(word))
}

/// Writes the process for the runtime (runtime specification, config.md, Process), with `terminal` added to it.
fn write_process(file: &str, process: &str, terminal: bool) -> Result<(), FrameError> {
    let refusal = || FrameError::new("invalid", "exec: process is not an object");
    let members = process.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or_else(refusal)?;
    let comma = if members.trim().is_empty() { "" } else { "," };
    let text = format!("{{{members}{comma}\"terminal\":{terminal}}}");
    let file_of_ours = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    file_of_ours.and_then(|mut opened| opened.write_all(text.as_bytes())).map_err(failed(&format!("write {file}")))
}
