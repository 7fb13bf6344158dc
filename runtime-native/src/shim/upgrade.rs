//! Upgrade: the shim becomes another build of its program, in place. It stays the process and so the parent of its
//! containers; every descriptor stays open; what it knows goes through a file in memory (`kept`). The other program
//! first shows, as a child, that it can read that: one that cannot, or is none, changes nothing.

use std::ffi::CString;
use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create};

use super::container::Container;
use super::descriptors::{Descriptors, become_program};
use super::exec::Exec;
use super::kept::{KeptShim, KeptWatch, STATE};
use super::messages::UpgradeAsk;
use super::resume::CAN_TAKE_OVER;
use super::runtime::{Ended, Run};
use super::shim::{Caller, Shim, Then};
use super::signals;
use super::spawn::{self, Program};
use super::start::failed;
use crate::frame::FrameError;

/// An upgrade that was asked for.
pub struct Upgrade {
    caller: Caller,
    path: String,
    program: OwnedFd,
    /// When it is given up: the rehearsal, then the wait for a quiet moment.
    expires_at: Instant,
    quiet_limit: Duration,
    /// The program as a child that reads the state; 0 once it has.
    rehearsal: i32,
    /// When it is looked at again whether the log writer has come to an end.
    again_at: Option<Instant>,
}

/// How long a program may take to show that it can take over.
const REHEARSAL_LIMIT: Duration = Duration::from_secs(10);

/// How long the loop waits for the log writer, and how often.
const WRITER_PATIENCE: Duration = Duration::from_millis(20);
const AGAIN: Duration = Duration::from_millis(200);

impl Upgrade {
    pub fn deadline(&self) -> Instant {
        self.again_at.map_or(self.expires_at, |at| at.min(self.expires_at))
    }
}

impl Shim {
    /// Begins the rehearsal; `rehearsed` goes on when that has ended.
    pub fn upgrade(&mut self, caller: Caller, ask: UpgradeAsk) -> Result<(), FrameError> {
        if self.upgrade.is_some() {
            return Err(refusal(&ask.path, "wrong-state", "another upgrade is on its way"));
        }
        let program = rustix::fs::open(&ask.path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| refusal(&ask.path, "invalid", &error.to_string()))?;
        let state = self.write_state(caller, &mut Descriptors::default())?;
        let rehearsal = rehearse(&program, &state, &self.pod.dev_null)
            .map_err(|error| refusal(&ask.path, "unsupported", &error))?;
        let (expires_at, quiet_limit) = (Instant::now() + REHEARSAL_LIMIT, Duration::from_millis(ask.timeout_ms));
        let path = ask.path;
        self.upgrade = Some(Upgrade { caller, path, program, expires_at, quiet_limit, rehearsal, again_at: None });
        Ok(())
    }

    /// True when that was the end of the rehearsal.
    pub fn rehearsed(&mut self, pid: i32, ended: Ended) -> bool {
        let Some(upgrade) = self.upgrade.as_mut().filter(|upgrade| upgrade.rehearsal == pid) else { return false };
        upgrade.rehearsal = 0;
        upgrade.expires_at = Instant::now() + upgrade.quiet_limit;
        if ended.code != i32::from(CAN_TAKE_OVER) {
            let why =
                format!("it cannot take over a state of version {STATE} (its rehearsal ended with {})", ended.code);
            self.refuse_upgrade("unsupported", &why);
        }
        true
    }

    /// Becomes the other program if one is to be, has shown that it can, and nothing is under way that it could not go
    /// on with. Does not return then.
    pub fn upgrade_when_quiet(&mut self, now: Instant) {
        let Some(upgrade) = &self.upgrade else { return };
        let (rehearsing, over) = (upgrade.rehearsal > 0, upgrade.expires_at <= now);
        if rehearsing {
            if over {
                signals::send(upgrade.rehearsal, libc::SIGKILL);
                self.refuse_upgrade("unsupported", "its rehearsal does not come to an end");
            }
            return;
        }
        // The writer's thread ends with the exec, so it may have nothing in hand.
        let quiet = self.is_quiet() && self.writer.settle(WRITER_PATIENCE);
        if quiet {
            let error = self.become_next();
            self.refuse_upgrade(&error.kind, &error.message);
        } else if over {
            self.refuse_upgrade("wrong-state", "a call is under way all the time; it can be asked again");
        } else if let Some(upgrade) = &mut self.upgrade {
            upgrade.again_at = Some(now + AGAIN);
        }
    }

    fn is_quiet(&self) -> bool {
        let waits_on = |run: &Run<Then>| matches!(run.then, Then::Watch { .. });
        let runtime = self.runs.iter().all(waits_on) && self.execs.iter().all(Exec::can_be_kept);
        runtime && self.containers.iter().all(Container::can_be_kept) && self.dials.is_empty() && !self.quitting
    }

    fn become_next(&mut self) -> FrameError {
        let Some(upgrade) = &self.upgrade else { return FrameError::new("internal", "no upgrade") };
        let mut descriptors = Descriptors::default();
        let own = rustix::fs::open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let ready = own.map_err(failed("open the program of now"));
        let ready = ready.and_then(|own| Ok((own, self.write_state(upgrade.caller, &mut descriptors)?)));
        let (own, state) = match ready {
            Ok(ready) => ready,
            Err(error) => return error,
        };
        let (state, own) = (descriptors.keep(&state).to_string(), descriptors.keep(&own).to_string());
        let error = become_program(&upgrade.program, &["berth-shim", "shim", "resume", &state, &own], &descriptors);
        FrameError::new("internal", error.to_string())
    }

    fn write_state(&self, caller: Caller, descriptors: &mut Descriptors) -> Result<File, FrameError> {
        let file = memfd_create("berth-state", MemfdFlags::CLOEXEC).map(File::from);
        let mut file = file.map_err(failed("make a file for the state"))?;
        let kept = self.keep(caller, descriptors);
        let mut writer = BufWriter::new(&mut file);
        serde_json::to_writer(&mut writer, &kept).map_err(failed("write the state"))?;
        writer.flush().map_err(failed("write the state"))?;
        drop(writer);
        file.rewind().map_err(failed("write the state"))?;
        Ok(file)
    }

    fn keep(&self, caller: Caller, descriptors: &mut Descriptors) -> KeptShim {
        let watch = |run: &Run<Then>| match run.then {
            Then::Watch { container } => Some(KeptWatch { pid: run.pid, container, began_at_ns: run.began_at_ns }),
            _ => None,
        };
        let mut kept = KeptShim {
            state: STATE,
            descriptors: Vec::new(),
            caller,
            pod: self.pod.keep(descriptors),
            connections: self.connections.iter().map(|it| it.keep(descriptors)).collect(),
            containers: self.containers.iter().map(|it| it.keep(descriptors)).collect(),
            execs: self.execs.iter().map(|it| it.keep(descriptors)).collect(),
            watches: self.runs.iter().filter_map(watch).collect(),
            tunnels: self.tunnels.iter().map(|it| it.keep(descriptors)).collect(),
            log_files: self.writer.keep(descriptors),
            left_network: self.left_network,
            last_event: self.events.last(),
            events: self.events.kept(),
            strangers: self.strangers.clone(),
            last_serial: self.last_serial,
        };
        kept.descriptors.clone_from(&descriptors.0);
        kept
    }

    fn refuse_upgrade(&mut self, kind: &str, why: &str) {
        if let Some(upgrade) = self.upgrade.take() {
            self.refuse(upgrade.caller, &refusal(&upgrade.path, kind, why));
        }
    }
}

/// Starts the program as a child that does nothing but read the state.
fn rehearse(program: &OwnedFd, state: &File, dev_null: &OwnedFd) -> Result<i32, String> {
    let path = CString::new(format!("/proc/self/fd/{}", program.as_raw_fd())).map_err(|error| error.to_string())?;
    let argv = ["berth-shim", "shim", "rehearse"].map(|word| CString::new(word).unwrap_or_default());
    let stdio = [state.as_fd(), dev_null.as_fd(), dev_null.as_fd()];
    spawn::spawn(&Program { path: &path, argv: &argv, stdio, network: None }).map_err(|error| error.to_string())
}

fn refusal(path: &str, kind: &str, why: &str) -> FrameError {
    FrameError::new(kind, format!("become {path}: {why}"))
}
