//! run: a program run to its end, fed and read at once, killed with its process group when its time is over. What one
//! that failed leaves of its group ends with it.

use super::call::{Call, Victim, kill};
use super::child::ends_with_us;
use super::errors::{cancelled, failed};
use super::messages::{RunAsk, RunReply};
use crate::frame::FrameError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is kept of stdout and of stderr; the rest is read and dropped.
const OUTPUT_MAX_BYTES: usize = 1 << 20;
/// What others still write to the program's output is waited for this long after its exit.
const DRAIN: Duration = Duration::from_millis(100);
/// A killed program that does not end within this is stuck in the kernel and is left to itself.
const KILL_WAIT: Duration = Duration::from_secs(2);
/// How much of stderr an error message carries.
const TAIL_BYTES: usize = 1024;

/// Runs the program with exactly this environment. One that fails is a reply; `timeout` and `cancelled` are errors.
pub fn run(ask: &RunAsk, call: &Call) -> Result<RunReply, FrameError> {
    let mut child = start(ask).map_err(|error| failed(format!("run {}", ask.path), error))?;
    let pid = Pid::from_child(&child);
    call.kills(Victim::Group(pid));
    let mut talk = match Talk::new(&mut child, pid, ask.stdin.as_bytes()) {
        Ok(talk) => talk,
        Err(error) => {
            kill(&Victim::Group(pid));
            call.spare();
            let _ = child.wait();
            return Err(failed(format!("watch {}", ask.path), error));
        }
    };
    let ended = talk.until(Instant::now() + Duration::from_millis(ask.timeout_ms));
    if !ended {
        kill(&Victim::Group(pid));
        if !talk.until(Instant::now() + KILL_WAIT) {
            call.spare();
            call.engine.outbox.log("error", format!("{} (pid {}) does not end on SIGKILL", ask.path, child.id()));
            return Err(timeout(ask, &talk));
        }
    }
    call.spare();
    if !ended_well(pid) {
        kill(&Victim::Group(pid));
    }
    let status = child.wait().map_err(|error| failed(format!("wait for {}", ask.path), error))?;
    if call.check().is_err() {
        return Err(cancelled());
    }
    if !ended {
        return Err(timeout(ask, &talk));
    }
    talk.drain();
    let signal = status.signal().unwrap_or(0);
    let exit_code = status.code().unwrap_or(128 + signal);
    Ok(RunReply { exit_code, signal, stdout: text(&talk.stdout.kept), stderr: text(&talk.stderr.kept) })
}

/// Asked before the program is reaped, so that its number is still its own. What one that failed leaves running, such as
/// the address management of a CNI plugin that was killed, must not go on beside what undoes its work.
fn ended_well(pid: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::Pid(pid), options), Ok(Some(status)) if status.exit_status() == Some(0))
}

fn start(ask: &RunAsk) -> std::io::Result<Child> {
    let mut command = Command::new(&ask.path);
    command.args(&ask.args).env_clear().envs(&ask.env).current_dir("/").process_group(0);
    ends_with_us(&mut command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

fn timeout(ask: &RunAsk, talk: &Talk) -> FrameError {
    let tail = &talk.stderr.kept[talk.stderr.kept.len().saturating_sub(TAIL_BYTES)..];
    let message =
        format!("{} did not end within {} ms and was killed; stderr: {}", ask.path, ask.timeout_ms, text(tail).trim());
    FrameError::new("timeout", message)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The conversation with a running program.
struct Talk<'a> {
    pidfd: OwnedFd,
    stdin: Option<OwnedFd>,
    unsent: &'a [u8],
    stdout: Output,
    stderr: Output,
}

/// One stream of the program; `pipe` is there until its end.
struct Output {
    pipe: Option<OwnedFd>,
    kept: Vec<u8>,
}

impl<'a> Talk<'a> {
    fn new(child: &mut Child, pid: Pid, unsent: &'a [u8]) -> std::io::Result<Self> {
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let stdin: Option<OwnedFd> = child.stdin.take().map(Into::into).filter(|_| !unsent.is_empty());
        let stdout = Output { pipe: child.stdout.take().map(Into::into), kept: Vec::new() };
        let stderr = Output { pipe: child.stderr.take().map(Into::into), kept: Vec::new() };
        for pipe in [&stdin, &stdout.pipe, &stderr.pipe].into_iter().flatten() {
            ioctl_fionbio(pipe, true)?;
        }
        Ok(Self { pidfd, stdin, unsent, stdout, stderr })
    }

    /// Feeds and reads until the program has ended (true) or the deadline has passed (false).
    fn until(&mut self, deadline: Instant) -> bool {
        loop {
            match self.step(deadline, true) {
                Step::Ended => return true,
                Step::Late => return false,
                Step::Moved => {}
            }
        }
    }

    /// Reads what is there after the exit, and what comes until both streams end or a short time has passed.
    fn drain(&mut self) {
        let deadline = Instant::now() + DRAIN;
        self.stdin = None;
        while self.stdout.pipe.is_some() || self.stderr.pipe.is_some() {
            if matches!(self.step(deadline, false), Step::Late) {
                return;
            }
        }
    }

    /// One wait and what it brings. The clock is looked at first, for a program may write without end.
    fn step(&mut self, deadline: Instant, mind_exit: bool) -> Step {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Step::Late;
        }
        let timeout = Timespec::try_from(left).unwrap_or_default();
        let ready = {
            let streams =
                [(&self.stdin, PollFlags::OUT), (&self.stdout.pipe, PollFlags::IN), (&self.stderr.pipe, PollFlags::IN)];
            let mut fds: Vec<PollFd> =
                streams.iter().filter_map(|(fd, flags)| Some(PollFd::new(fd.as_ref()?, *flags))).collect();
            if mind_exit {
                fds.push(PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN));
            }
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) => return Step::Late,
                Ok(_) => mind_exit && fds.last().is_some_and(|exit| !exit.revents().is_empty()),
                Err(_) => false,
            }
        };
        self.feed();
        self.stdout.read();
        self.stderr.read();
        if ready { Step::Ended } else { Step::Moved }
    }

    fn feed(&mut self) {
        let Some(stdin) = &self.stdin else { return };
        match rustix::io::write(stdin, self.unsent) {
            Ok(count) => self.unsent = &self.unsent[count..],
            Err(Errno::AGAIN | Errno::INTR) => {}
            // It reads no more; how it ends will tell.
            Err(_) => self.unsent = &[],
        }
        if self.unsent.is_empty() {
            self.stdin = None;
        }
    }
}

enum Step {
    Moved,
    Ended,
    Late,
}

impl Output {
    /// Reads a bounded share of what is there, so that both streams and the clock get their turn.
    fn read(&mut self) {
        let mut chunk = [0; 16 << 10];
        for _ in 0..16 {
            let Some(pipe) = &self.pipe else { return };
            match rustix::io::read(pipe, &mut chunk) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    let room = OUTPUT_MAX_BYTES - self.kept.len();
                    self.kept.extend_from_slice(&chunk[..count.min(room)]);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.pipe = None,
            }
        }
    }
}
