//! System errors as the failures that berthd understands.

use crate::frame::FrameError;
use crate::used_up::is_used_up;
use rustix::io::Errno;
use std::io;

/// The failure of `doing` (a phrase such as `mount tmpfs on /x`), its kind chosen by the system's error code.
pub fn failed(doing: impl std::fmt::Display, error: impl Into<io::Error>) -> FrameError {
    let error = error.into();
    FrameError::new(kind(&error), format!("could not {doing}: {error}"))
}

/// The failure of a call that was cancelled by berthd.
pub fn cancelled() -> FrameError {
    FrameError::new("cancelled", "cancelled by the caller")
}

/// One failure out of the several that a teardown met while it went through all of its steps.
pub fn all(failures: Vec<FrameError>) -> Result<(), FrameError> {
    let Some(first) = failures.first() else { return Ok(()) };
    let messages: Vec<&str> = failures.iter().map(|failure| failure.message.as_str()).collect();
    Err(FrameError::new(&first.kind, messages.join("; ")))
}

fn kind(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NODEV) => "not-found",
        Some(Errno::EXIST) => "exists",
        Some(Errno::BUSY) => "in-use",
        Some(Errno::ACCESS | Errno::PERM) => "denied",
        Some(errno) if is_used_up(errno) => "exhausted",
        Some(Errno::NOSYS | Errno::OPNOTSUPP) => "unsupported",
        Some(Errno::TIMEDOUT) => "timeout",
        Some(Errno::NAMETOOLONG | Errno::NOTDIR | Errno::LOOP) => "invalid",
        _ => "internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_counts_as_exhausted_and_names_what_was_tried() {
        let failure = failed("write /x", Errno::NOSPC);
        assert_eq!(failure.kind, "exhausted");
        assert!(failure.message.starts_with("could not write /x: "));
    }

    #[test]
    fn several_failures_are_told_together() {
        let failure = all(vec![failed("a", Errno::BUSY), failed("b", Errno::IO)]).unwrap_err();
        assert_eq!(failure.kind, "in-use");
        assert!(failure.message.contains("could not a") && failure.message.contains("could not b"));
    }
}
