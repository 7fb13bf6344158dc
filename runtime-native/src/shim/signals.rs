//! Signals as descriptors: everything is blocked, SIGCHLD is read in the loop, and no other signal touches a shim.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};

/// Blocks every signal and returns a non-blocking descriptor that becomes readable on SIGCHLD.
pub fn block_all() -> io::Result<OwnedFd> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut child = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: each set is filled by its own call before it is read; the descriptor is new and owned by us alone.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::sigemptyset(child.as_mut_ptr());
        libc::sigaddset(child.as_mut_ptr(), libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, child.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            number => Ok(OwnedFd::from_raw_fd(number)),
        }
    }
}

/// Sends signal `number` (real-time ones too) to a process; pids below 2 are never signalled.
pub fn send(pid: i32, number: i32) {
    if pid > 1 {
        // SAFETY: kill takes plain integers.
        unsafe { libc::kill(pid, number) };
    }
}
