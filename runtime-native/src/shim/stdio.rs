//! The standard streams of a container or an exec: the shim's ends, and those for the runtime to hand on.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Gid, OFlags, Uid};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::Winsize;

use super::descriptors::{Descriptors, adopt};
use super::kept::KeptStdio;
use super::messages::Resize;
use super::poll::{Poll, Source};
use crate::frame::FrameError;

/// Which output a piece of bytes came from; a terminal has only `Out`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// The shim's ends; each is gone once it is at its end.
#[derive(Default)]
pub struct Stdio {
    serial: u32,
    pub stdin: Option<OwnedFd>,
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
    /// Bytes that did not fit into stdin yet.
    unwritten: Vec<u8>,
    /// No more is to come for stdin: it closes when `unwritten` is empty.
    closing: bool,
    paused: bool,
}

/// The ends that the runtime gets as its own stdin, stdout, stderr; `None` is /dev/null.
#[derive(Default)]
pub struct ChildStdio {
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl ChildStdio {
    /// As they are handed over to the next version.
    pub fn keep(&self, descriptors: &mut Descriptors) -> [Option<i32>; 3] {
        [&self.stdin, &self.stdout, &self.stderr].map(|end| descriptors.keep_some(end.as_ref()))
    }

    pub fn resume(kept: [Option<i32>; 3]) -> Self {
        let [stdin, stdout, stderr] = kept.map(|end| end.map(adopt));
        Self { stdin, stdout, stderr }
    }

    pub fn fds<'a>(&'a self, dev_null: &'a OwnedFd) -> [BorrowedFd<'a>; 3] {
        let fd = |end: &'a Option<OwnedFd>| end.as_ref().unwrap_or(dev_null).as_fd();
        [fd(&self.stdin), fd(&self.stdout), fd(&self.stderr)]
    }
}

/// Pipes for stdout and stderr, and for stdin when asked; of this owner, who may then open them as /dev/stdout.
pub fn pipes(serial: u32, stdin: bool, owner: Option<(u32, u32)>) -> Result<(Stdio, ChildStdio), FrameError> {
    let (stdout, child_stdout) = pipe()?;
    let (stderr, child_stderr) = pipe()?;
    let (child_stdin, stdin) =
        if stdin { pipe().map(|(read, write)| (Some(read), Some(write)))? } else { (None, None) };
    for end in [Some(&stdout), Some(&stderr), stdin.as_ref()].into_iter().flatten() {
        set_nonblocking(end)?;
    }
    if let Some((user, group)) = owner {
        for end in [Some(&child_stdout), Some(&child_stderr), child_stdin.as_ref()].into_iter().flatten() {
            rustix::fs::fchown(end, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))
                .map_err(|error| FrameError::new("internal", format!("give a pipe to user {user}: {error}")))?;
        }
    }
    let ours = Stdio { serial, stdin, stdout: Some(stdout), stderr: Some(stderr), ..Stdio::default() };
    Ok((ours, ChildStdio { stdin: child_stdin, stdout: Some(child_stdout), stderr: Some(child_stderr) }))
}

/// The master end of a terminal as stdin and stdout.
pub fn terminal(serial: u32, master: OwnedFd) -> Result<Stdio, FrameError> {
    set_nonblocking(&master)?;
    let stdin = master.try_clone().map_err(|error| FrameError::new("internal", format!("terminal: {error}")))?;
    Ok(Stdio { serial, stdin: Some(stdin), stdout: Some(master), ..Stdio::default() })
}

impl Stdio {
    /// As it is handed over to the next version.
    pub fn keep(&self, descriptors: &mut Descriptors) -> KeptStdio {
        let Self { serial: _, stdin, stdout, stderr, unwritten, closing, paused } = self;
        KeptStdio {
            stdin: descriptors.keep_some(stdin.as_ref()),
            stdout: descriptors.keep_some(stdout.as_ref()),
            stderr: descriptors.keep_some(stderr.as_ref()),
            unwritten: unwritten.clone(),
            closing: *closing,
            paused: *paused,
        }
    }

    pub fn resume(serial: u32, kept: KeptStdio, poll: &Poll) -> Self {
        let [stdin, stdout, stderr] = [kept.stdin, kept.stdout, kept.stderr].map(|end| end.map(adopt));
        let KeptStdio { unwritten, closing, paused, .. } = kept;
        let mut stdio = Self { serial, stdin, stdout, stderr, unwritten, closing, paused };
        if !paused {
            stdio.listen(poll);
        }
        if let Some(stdin) = stdio.stdin.as_ref().filter(|_| !stdio.unwritten.is_empty()) {
            poll.writes(stdin, Source::Stdin(serial));
        }
        stdio
    }

    /// Reads output as it comes, until `pause`.
    pub fn listen(&mut self, poll: &Poll) {
        self.paused = false;
        for (end, source) in [(&self.stdout, Source::Stdout(self.serial)), (&self.stderr, Source::Stderr(self.serial))]
        {
            if let Some(end) = end {
                poll.reads(end, source);
            }
        }
    }

    /// Leaves output where it is until `listen`.
    pub fn pause(&mut self, poll: &Poll) {
        self.paused = true;
        [&self.stdout, &self.stderr].into_iter().flatten().for_each(|end| poll.forget(end));
    }

    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Both outputs are at their end.
    pub fn is_drained(&self) -> bool {
        self.stdout.is_none() && self.stderr.is_none()
    }

    /// Reads what is there: `Some(0)` at the end of the stream (closed then), `None` when nothing is there now.
    pub fn read(&mut self, stream: Stream, into: &mut [u8]) -> Option<usize> {
        let end = match stream {
            Stream::Out => &mut self.stdout,
            Stream::Err => &mut self.stderr,
        };
        let outcome = rustix::io::read(end.as_ref()?, into);
        match outcome {
            Err(Errno::AGAIN | Errno::INTR) => None,
            // A terminal whose other side is closed says EIO.
            Ok(0) | Err(_) => {
                *end = None;
                Some(0)
            }
            Ok(count) => Some(count),
        }
    }

    /// Writes to stdin, keeping what does not fit; false while some is kept, then the sender must wait.
    pub fn write(&mut self, poll: &Poll, bytes: &[u8]) -> bool {
        if !self.unwritten.is_empty() {
            self.unwritten.extend_from_slice(bytes);
            return false;
        }
        let Some(stdin) = &self.stdin else { return true };
        let mut rest = bytes;
        while !rest.is_empty() {
            match rustix::io::write(stdin, rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.unwritten = rest.to_vec();
                    poll.writes(stdin, Source::Stdin(self.serial));
                    return false;
                }
                Err(_) => {
                    self.stdin = None;
                    return true;
                }
            }
        }
        true
    }

    /// Writes on with what was kept; true once all of it is written.
    pub fn write_on(&mut self, poll: &Poll) -> bool {
        let kept = std::mem::take(&mut self.unwritten);
        if let Some(stdin) = &self.stdin {
            poll.forget(stdin);
        }
        let done = self.write(poll, &kept);
        if done && self.closing {
            self.stdin = None;
        }
        done
    }

    /// Closes stdin once everything is written. A terminal stays open: its stdin has no end.
    pub fn close_stdin(&mut self) {
        self.closing = true;
        let terminal = self.stdin.as_ref().is_some_and(rustix::termios::isatty);
        if self.unwritten.is_empty() && !terminal {
            self.stdin = None;
        }
    }

    /// Tells the terminal its size; nothing without one.
    pub fn resize(&self, size: Resize) {
        if let Some(master) = self.stdin.as_ref().or(self.stdout.as_ref()) {
            let size = Winsize { ws_col: size.width, ws_row: size.height, ws_xpixel: 0, ws_ypixel: 0 };
            let _ = rustix::termios::tcsetwinsize(master, size);
        }
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), FrameError> {
    pipe_with(PipeFlags::CLOEXEC).map_err(|error| FrameError::new("exhausted", format!("make a pipe: {error}")))
}

fn set_nonblocking(end: &OwnedFd) -> Result<(), FrameError> {
    let flags = rustix::fs::fcntl_getfl(end).and_then(|flags| rustix::fs::fcntl_setfl(end, flags | OFlags::NONBLOCK));
    flags.map_err(|error| FrameError::new("internal", format!("make a pipe non-blocking: {error}")))
}
