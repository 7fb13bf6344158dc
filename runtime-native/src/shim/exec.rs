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
use super::exit::{QUIET, status};
use super::messages::{ExecAsk, PidReply, State};
use super::runtime::{self, Ended, Verb};
use super::shim::{Caller, Shim, Then};
use super::start::failed;
use super::stdio::{self, ChildStdio, Stdio, Stream};
use super::{signals, tree};
use crate::frame::FrameError;

pub struct Exec {
    pub serial: u32,
    pub stdio: Stdio,
    pub console: Option<Console>,
    /// `None` once its client is gone.
    pub connection: Option<u32>,
    container: u32,
    name: String,
    /// Files for the runtime: the process, its pid, its log.
    files: [String; 3],
    sub: Option<SubCgroup>,
    /// 0 before the runtime has named it.
    pid: i32,
    ended: Option<(Ended, Instant)>,
    /// When it is killed for taking too long.
    expires_at: Option<Instant>,
    timed_out: bool,
    killing: Option<Killing>,
}

/// A kill under way: repeated until nothing is left, or for so long.
struct Killing {
    again_at: Instant,
    until: Instant,
}

/// Time between one kill of a whole exec and the next.
const AGAIN: Duration = Duration::from_millis(10);

/// How long killed processes are waited for before the answer.
const MAX_KILL: Duration = Duration::from_secs(2);

/// How long the runtime may take to start an exec without a limit of its own, in milliseconds.
const START_TIMEOUT_MS: u64 = 120_000;

/// Most sub-cgroups kept for another try at removing them.
const MAX_LEFTOVER: usize = 64;

impl Exec {
    /// Its process is `pid`, and not reaped yet.
    pub fn lives_as(&self, pid: i32) -> bool {
        self.pid == pid && self.ended.is_none()
    }

    pub fn deadline(&self) -> Option<Instant> {
        let kill = self.killing.as_ref().map(|killing| killing.again_at);
        let settles = self.killing.is_none() && !self.stdio.is_paused();
        let drained = self.ended.filter(|_| settles).map(|(_, at)| at + QUIET);
        [kill, drained, self.expires_at.filter(|_| self.pid > 0)].into_iter().flatten().min()
    }

    /// Kills all of it once; false when nothing was left.
    fn kill(&self) -> bool {
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
            let (stdio, child) = stdio::pipes(serial, ask.stdin)?;
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
            files,
            sub: None,
            pid: 0,
            ended: None,
            expires_at: limit.and_then(|limit| Instant::now().checked_add(limit)),
            timed_out: false,
            killing: None,
        };
        if let Err(error) = self.run_exec(&mut exec, ask, &child, caller) {
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

    fn run_exec(&mut self, it: &mut Exec, ask: &ExecAsk, child: &ChildStdio, caller: Caller) -> Result<(), FrameError> {
        let Some(container) = self.containers.iter().find(|found| found.serial == it.container) else { return Ok(()) };
        let [process_file, pid_file, log] = &it.files;
        write_process(process_file, ask.process.get(), ask.tty)?;
        it.sub = container.cgroup.make_sub(&format!("exec-{}", it.name));
        let mut words = vec!["--detach", "--process", process_file, "--pid-file", pid_file];
        if let Some(sub) = &it.sub {
            words.extend(["--cgroup", &sub.argument]);
        }
        if let Some(console) = &it.console {
            console.listen(&self.poll, it.serial);
            words.extend(["--console-socket", console.path()]);
        }
        words.push(&container.id);
        let run = runtime::run(
            &Verb {
                runtime: &container.runtime,
                verb: "exec",
                words: &words,
                log: log.clone(),
                stdio: child.fds(&self.pod.dev_null),
                network: self.pod.host_network.as_fd(),
                timeout_ms: if ask.timeout_ms > 0 { ask.timeout_ms } else { START_TIMEOUT_MS },
            },
            Then::Exec { exec: it.serial, caller },
        )?;
        self.runs.push(run);
        Ok(())
    }

    /// The runtime's `exec` has ended: the process runs, or never will.
    pub fn exec_started(&mut self, serial: u32, caller: Caller, outcome: Result<(), FrameError>) {
        self.console_ready(serial);
        let Some(at) = self.execs.iter().position(|exec| exec.serial == serial) else { return };
        let Some(exec) = self.execs.get_mut(at) else { return };
        let started = outcome.and_then(|()| read_pid(&exec.files[1])).and_then(|pid| match exec.console.take() {
            Some(_) if exec.stdio.is_drained() => Err(FrameError::new("internal", "exec: no terminal came")),
            _ => Ok(pid),
        });
        exec.files.iter().for_each(|file| drop(fs::remove_file(file)));
        match started {
            Err(error) => {
                let exec = self.execs.swap_remove(at);
                exec.kill();
                self.forget_exec(exec);
                self.refuse(caller, &error);
                self.release(caller.connection, Role::Calls { events: false });
            }
            Ok(pid) => {
                exec.pid = pid;
                exec.stdio.listen(&self.poll);
                let abandoned = exec.connection.is_none();
                self.reply(caller, &PidReply { pid });
                if let Some(ended) = self.take_stranger(pid) {
                    self.exec_ended(serial, ended);
                }
                if abandoned {
                    self.exec_abandoned(serial);
                }
                self.release(caller.connection, Role::Exec(serial));
            }
        }
    }

    fn release(&mut self, connection: u32, role: Role) {
        if let Some(found) = self.connections.iter_mut().find(|found| found.serial == connection) {
            found.role = role;
            found.release(&self.poll);
        }
        self.take_input(connection);
    }

    /// Its process was reaped.
    pub fn exec_ended(&mut self, serial: u32, ended: Ended) {
        let Some(exec) = self.execs.iter_mut().find(|exec| exec.serial == serial) else { return };
        exec.ended = Some((ended, Instant::now()));
        exec.expires_at = None;
        self.output_ready(serial, Stream::Out);
        self.output_ready(serial, Stream::Err);
        self.settle_exec(serial);
    }

    /// Its client is gone: nobody is left to run it for.
    pub fn exec_abandoned(&mut self, serial: u32) {
        if let Some(exec) = self.execs.iter_mut().find(|exec| exec.serial == serial) {
            exec.connection = None;
            exec.stdio = Stdio::default();
        }
        self.kill_exec(serial);
    }

    /// Kills every exec of a container.
    pub fn end_execs(&mut self, container: u32) {
        let of_it = self.execs.iter().filter(|exec| exec.container == container).map(|exec| exec.serial);
        of_it.collect::<Vec<u32>>().into_iter().for_each(|serial| self.kill_exec(serial));
    }

    /// Does what an exec's deadlines ask for by now.
    pub fn exec_due(&mut self, serial: u32, now: Instant) {
        let Some(exec) = self.execs.iter_mut().find(|exec| exec.serial == serial) else { return };
        if exec.expires_at.is_some_and(|at| at <= now) {
            exec.timed_out = true;
            exec.expires_at = None;
            self.kill_exec(serial);
        } else if let Some(killing) = exec.killing.as_mut().filter(|killing| killing.again_at <= now) {
            killing.again_at = now + AGAIN;
            let until = killing.until;
            if !exec.kill() || until <= now {
                exec.killing = None;
            }
        }
        self.output_ready(serial, Stream::Out);
        self.output_ready(serial, Stream::Err);
        self.settle_exec(serial);
    }

    fn kill_exec(&mut self, serial: u32) {
        let Some(exec) = self.execs.iter_mut().find(|exec| exec.serial == serial) else { return };
        let now = Instant::now();
        exec.killing.get_or_insert(Killing { again_at: now + AGAIN, until: now + MAX_KILL });
        if exec.pid == 0 {
            let concerns = |then: &Then| matches!(then, Then::Exec { exec, .. } if *exec == serial);
            self.runs.iter_mut().filter(|run| concerns(&run.then)).for_each(|run| run.abort());
        }
        exec.kill();
    }

    /// Answers and forgets an exec once its process has ended, its output is read, and what was to be killed is gone.
    pub fn settle_exec(&mut self, serial: u32) {
        let Some(at) = self.execs.iter().position(|exec| exec.serial == serial) else { return };
        let Some(exec) = self.execs.get(at) else { return };
        let Some((ended, ended_at)) = exec.ended else { return };
        let quiet = !exec.stdio.is_paused() && ended_at.elapsed() >= QUIET;
        if exec.killing.is_some() || !(exec.stdio.is_drained() || quiet) {
            return;
        }
        let exec = self.execs.swap_remove(at);
        let status = status(ended, exec.timed_out);
        if let Some(connection) = self.connections.iter_mut().find(|found| Some(found.serial) == exec.connection) {
            connection.send_status(&self.poll, &status);
        }
        self.forget_exec(exec);
    }

    /// Removes what an exec has in the file system; a sub-cgroup that is not empty is tried again after the next one.
    fn forget_exec(&mut self, exec: Exec) {
        exec.files.iter().for_each(|file| drop(fs::remove_file(file)));
        let Some(container) = self.container(exec.container) else { return };
        container.leftover.extend(exec.sub);
        container.leftover.retain(|sub| !sub.remove());
        container.leftover.truncate(MAX_LEFTOVER);
    }
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
