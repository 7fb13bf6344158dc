//! The two descriptors that the engine hands a starting shim.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{BorrowedFd, FromRawFd};

use rustix::io::{FdFlags, fcntl_setfd};

use super::messages::{Ready, ShimPod};
use crate::frame::FrameError;

const POD: i32 = 3;
const READY: i32 = 4;

/// Largest description of a pod, in bytes.
const MAX_POD_BYTES: u64 = 1 << 20;

/// The pod as the engine wrote it to descriptor 3, which is closed then.
pub fn read_pod() -> Result<ShimPod, FrameError> {
    let unreadable = |error: &dyn std::fmt::Display| FrameError::new("invalid", format!("read the pod: {error}"));
    let file = take(POD).map_err(|error| unreadable(&error))?;
    let mut text = Vec::new();
    file.take(MAX_POD_BYTES).read_to_end(&mut text).map_err(|error| unreadable(&error))?;
    serde_json::from_slice(&text).map_err(|error| unreadable(&error))
}

/// Tells the engine on descriptor 4 how the start went, and closes it. An engine that is gone is fine.
pub fn tell(outcome: &Result<Ready, FrameError>) {
    let line = match outcome {
        Ok(ready) => serde_json::to_string(ready),
        Err(error) => serde_json::to_string(&serde_json::json!({ "error": error })),
    };
    if let (Ok(mut file), Ok(line)) = (take(READY), line) {
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}

/// Keeps the descriptors from every program the shim starts.
pub fn close_on_exec() {
    for number in [POD, READY] {
        // SAFETY: only borrowed for this one call, which fails harmlessly on a number that is not open.
        let _ = fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::CLOEXEC);
    }
}

fn take(number: i32) -> std::io::Result<File> {
    // SAFETY: borrowed for one call only, which fails harmlessly on a number that is not open.
    rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number) })?;
    // SAFETY: the engine passes these numbers for us to own; each is taken once, before anything else is opened on it.
    Ok(unsafe { File::from_raw_fd(number) })
}
