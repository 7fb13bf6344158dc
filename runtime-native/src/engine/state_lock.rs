//! Who works on a state directory: one engine at a time. A killed berthd's engine may still be at work, undoing what it
//! was about, when the next one starts.

use super::errors::failed;
use crate::frame::FrameError;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longer than an engine takes to end; one that is stuck in the kernel may not keep the node from its pods.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The hold on the state directory, let go with the process.
#[derive(Default)]
pub struct StateLock(Mutex<Option<OwnedFd>>);

impl StateLock {
    /// Takes the directory, waiting for the end of an engine that has it; false when that does not end in time.
    pub fn take(&self, dir: &str) -> Result<bool, FrameError> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            return Ok(true);
        }
        let deadline = Instant::now() + PATIENCE;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        loop {
            let folder = open(dir, flags, Mode::empty()).map_err(|error| failed(format!("open {dir}"), error))?;
            match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    *held = Some(folder);
                    return Ok(true);
                }
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(LOOK_AGAIN),
                Err(Errno::WOULDBLOCK) => return Ok(false),
                Err(error) => return Err(failed(format!("lock {dir}"), error)),
            }
        }
    }

    /// Lets go, so that the directory can be unmounted.
    pub fn let_go(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
