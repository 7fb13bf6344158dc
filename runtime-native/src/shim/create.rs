//! Create: the container's stdio and log are made, the runtime's `create` is run, what it made is taken over.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::console::Console;
use super::container::{Container, check_name};
use super::log::Log;
use super::log_place::LogPlace;
use super::messages::{CreateAsk, Done, PidReply, State};
use super::runtime::{self, Verb};
use super::shim::{Caller, Shim, Then};
use super::start::failed;
use super::stdio::{self, ChildStdio};
use crate::frame::FrameError;

impl Shim {
    /// Runs `create` with pipes or a console socket as its stdio; `created` goes on when the runtime has ended.
    pub fn create(&mut self, caller: Caller, ask: CreateAsk) -> Result<(), FrameError> {
        check_name("container", &ask.container)?;
        if self.containers.iter().any(|container| container.id == ask.container) {
            return Err(FrameError::new("exists", format!("create container {}: it exists", ask.container)));
        }
        let serial = self.next_serial();
        let mut container = Container::new(serial, &ask);
        let child = if ask.tty {
            container.console = Some(Console::new(&container.bundle, serial)?);
            ChildStdio::default()
        } else {
            let (ours, child) = stdio::pipes(serial, ask.stdin, self.pod.owner)?;
            container.stdio = ours;
            child
        };
        self.run_create(&container, &child, ask.timeout_ms, caller)?;
        if container.runtime.sandboxed {
            container.child = child;
        }
        match ask.log_path.as_str() {
            "" => container.log_opened = Some(Ok(())),
            path => {
                let place = LogPlace::new(&ask.log_directory, path);
                container.log = Some(Log::open(&self.writer, serial, place));
            }
        }
        if let Some(console) = &container.console {
            console.listen(&self.poll, serial);
        }
        // The runtime itself may write more than a pipe holds.
        container.stdio.listen(&self.poll);
        self.containers.push(container);
        Ok(())
    }

    fn run_create(
        &mut self,
        it: &Container,
        child: &ChildStdio,
        timeout_ms: u64,
        caller: Caller,
    ) -> Result<(), FrameError> {
        let pid_file = it.pid_file();
        let _ = fs::remove_file(&pid_file);
        let mut words = vec!["--bundle", &it.bundle, "--pid-file", &pid_file];
        if let Some(console) = &it.console {
            words.extend(["--console-socket", console.path()]);
        }
        words.push(&it.id);
        let run = runtime::run(
            Verb {
                runtime: &it.runtime,
                verb: "create",
                words: &words,
                log: it.runtime_log(),
                stdio: child.fds(&self.pod.dev_null),
                network: self.pod.host_network.as_fd(),
                limits: it.cgroup.process_limits(),
                timeout_ms,
            },
            Then::Create { container: it.serial, caller },
        )?;
        self.runs.push(run);
        Ok(())
    }

    /// The runtime's `create` has ended.
    pub fn created(&mut self, serial: u32, caller: Caller, outcome: Result<(), FrameError>) {
        self.console_ready(serial);
        let Some(container) = self.containers.iter_mut().find(|found| found.serial == serial) else { return };
        let pid_file = container.pid_file();
        let named = outcome.and_then(|()| read_pid(&pid_file));
        let _ = fs::remove_file(pid_file);
        let unfit = container.console.take().is_some() && container.stdio.is_drained();
        match named {
            Ok(_) if unfit => self.discard(serial, caller, FrameError::new("internal", "create: no terminal came")),
            Err(error) => self.discard(serial, caller, error),
            // The pid is that of the sandbox process, which is another container's.
            Ok(_) if container.runtime.sandboxed => self.finish_create(serial, caller),
            Ok(pid) => {
                container.pid = pid;
                container.cgroup.look_inside(pid);
                if let Some(ended) = self.early_end(pid) {
                    self.container_ended(serial, ended);
                }
                self.finish_create(serial, caller);
            }
        }
    }

    /// The runtime has created it: all that can be missing is the log.
    pub fn finish_create(&mut self, serial: u32, caller: Caller) {
        let Some(container) = self.containers.iter_mut().find(|found| found.serial == serial) else { return };
        match container.log_opened.clone() {
            None => container.creator = Some((caller, Instant::now() + LOG_PATIENCE)),
            Some(Err(error)) => self.discard(serial, caller, error),
            Some(Ok(())) => {
                container.busy = false;
                container.state = State::Created;
                container.cgroup_dirs.clear();
                if !container.stdio.is_paused() {
                    container.stdio.listen(&self.poll);
                }
                let pid = container.pid;
                self.reply(caller, &PidReply { pid });
                self.catch_up(serial);
            }
        }
    }

    /// Ends a create that waits for its log alone, if it does.
    pub fn fail_create(&mut self, serial: u32, kind: &str, why: &str) {
        let Some(container) = self.container(serial) else { return };
        if let Some((caller, _)) = container.creator.take() {
            let path = container.log.as_ref().map_or_else(String::new, Log::path);
            let error = FrameError::new(kind, format!("create container {}: log {path}: {why}", container.id));
            self.discard(serial, caller, error);
        }
    }

    /// Removes what a failed create left, then says why it failed.
    fn discard(&mut self, serial: u32, caller: Caller, error: FrameError) {
        let Some(container) = self.container(serial) else { return };
        container.busy = false;
        container.cgroup.kill();
        if let Some(log) = container.log.take() {
            log.discard();
        }
        let then = Then::Discard { container: serial, caller, error: error.clone() };
        if self.run_verb(serial, "delete", &["--force"], DISCARD_TIMEOUT_MS, then).is_err() {
            self.discarded(serial, caller, error);
        }
    }

    /// The delete after a failed create has ended; how does not matter.
    pub fn discarded(&mut self, serial: u32, caller: Caller, error: FrameError) {
        let Some(container) = self.container(serial) else { return };
        let now = Instant::now();
        container.discarding = Some(Discarding { caller, error, again_at: now, until: now + CLEAR_PATIENCE });
        self.clear_discarded(serial, now);
    }

    /// Kills what is left in the cgroup of a failed create and removes it; again while the killed have not ended.
    pub fn clear_discarded(&mut self, serial: u32, now: Instant) {
        let Some(at) = self.containers.iter().position(|found| found.serial == serial) else { return };
        let Some(container) = self.containers.get_mut(at) else { return };
        let Some(discarding) = &mut container.discarding else { return };
        let is_left = |dir: &String| fs::remove_dir(dir).is_err_and(|error| error.kind() == ErrorKind::ResourceBusy);
        let left = container.cgroup_dirs.values().filter(|dir| is_left(dir)).count() > 0;
        if left && now < discarding.until {
            discarding.again_at = now + CLEAR_AGAIN;
            container.cgroup.kill();
            return;
        }
        let container = self.containers.swap_remove(at);
        // A runtime that could not create may be unable to delete too: what it noted would stay.
        if !container.runtime.sandboxed {
            let _ = fs::remove_dir_all(Path::new(&container.runtime.root).join(&container.id));
        }
        if let Some(Discarding { caller, error, .. }) = container.discarding {
            self.refuse(caller, &error);
        }
        container.deleters.into_iter().for_each(|deleter| self.reply(deleter, &Done {}));
    }
}

/// A failed create whose cgroup is being cleared away.
pub struct Discarding {
    caller: Caller,
    error: FrameError,
    pub again_at: Instant,
    until: Instant,
}

/// How long the processes of a failed create may take to end, and how often that is looked at.
const CLEAR_PATIENCE: Duration = Duration::from_secs(2);
const CLEAR_AGAIN: Duration = Duration::from_millis(10);

/// How long the delete after a failed create may take.
const DISCARD_TIMEOUT_MS: u64 = 10_000;

/// How long the disk may take to open a log, once the runtime has done its part.
const LOG_PATIENCE: Duration = Duration::from_secs(10);

/// The pid that the runtime wrote.
pub fn read_pid(file: &str) -> Result<i32, FrameError> {
    let text = fs::read_to_string(file).map_err(failed(&format!("read {file}")))?;
    text.trim().parse().map_err(failed(&format!("read {file}: {text:?}")))
}
