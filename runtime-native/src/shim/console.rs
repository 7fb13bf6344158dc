//! The socket on which an OCI runtime hands over the master end of a new terminal (`--console-socket`).

use std::fs;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::poll::{Poll, Source};
use super::start::failed;
use crate::frame::FrameError;

/// A listening console socket; its file goes with it.
pub struct Console {
    listener: UnixListener,
    /// The runtime's connection; the terminal comes on it some time later.
    runtime: Option<UnixStream>,
    _folder: OwnedFd,
    path: String,
}

impl Console {
    /// Listens in `folder`. The path goes through `/proc`, so that it fits a socket address however deep that is.
    pub fn new(folder: &str, serial: u32) -> Result<Self, FrameError> {
        let doing = format!("make a console socket in {folder}");
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(folder, flags, Mode::empty()).map_err(failed(&doing))?;
        let path = format!("/proc/{}/fd/{}/tty{serial}", std::process::id(), folder.as_raw_fd());
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path).map_err(failed(&doing))?;
        listener.set_nonblocking(true).map_err(failed(&doing))?;
        Ok(Self { listener, runtime: None, _folder: folder, path })
    }

    /// Where the runtime connects to.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Waits for the runtime in the loop, as `Source::Console`.
    pub fn listen(&self, poll: &Poll, serial: u32) {
        poll.reads(&self.listener, Source::Console(serial));
    }

    /// The terminal, once the runtime has sent it; never waits.
    pub fn receive(&mut self, poll: &Poll, serial: u32) -> Option<OwnedFd> {
        if let Ok((socket, _)) = self.listener.accept() {
            poll.reads(&socket, Source::Console(serial));
            self.runtime = Some(socket);
        }
        let received = receive_descriptor(self.runtime.as_ref()?);
        if !matches!(received, Err(Errno::AGAIN)) {
            self.runtime = None;
        }
        received.ok()?
    }
}

fn receive_descriptor(socket: &UnixStream) -> Result<Option<OwnedFd>, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut name = [0; 64];
    let mut into = [IoSliceMut::new(&mut name)];
    recvmsg(socket, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT)?;
    Ok(control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    }))
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
