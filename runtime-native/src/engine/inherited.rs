//! What the process has from its parent: the connection, and settings made fit for a small program.
#![allow(unsafe_code)]

use super::heap;
use rustix::fs::Mode;
use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

const CONNECTION: i32 = 3;

/// Names the process `berth-engine`, keeps its heap small and its umask known.
pub fn settle() {
    heap::keep_small();
    let _ = rustix::thread::set_name(c"berth-engine");
    rustix::process::umask(Mode::from_raw_mode(0o022));
}

/// The stream socket on descriptor 3, blocking and closed on exec. To be called once.
pub fn connection() -> io::Result<UnixStream> {
    // SAFETY: fcntl looks at a number only and fails on one that is not open.
    if unsafe { libc::fcntl(CONNECTION, libc::F_GETFD) } < 0 {
        return Err(io::Error::other("descriptor 3 is not open; the engine is started by berthd"));
    }
    // SAFETY: the descriptor is open and given to us by contract; nothing else in this process owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(CONNECTION) };
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    ioctl_fionbio(&socket, false)?;
    Ok(UnixStream::from(socket))
}
