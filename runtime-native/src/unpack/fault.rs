//! A `FrameError` on its way through `std::io`, whose readers know only `io::Error`.

use std::{error, fmt, io};

use crate::frame::FrameError;

#[derive(Debug)]
struct Fault(FrameError);

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.message)
    }
}

impl error::Error for Fault {}

/// Wraps `error` so that it can pass through a reader; [`unwrap`] takes it out again.
pub fn wrap(error: FrameError) -> io::Error {
    io::Error::other(Fault(error))
}

/// The error inside `error`, or one of kind `corrupt`: a decoder that fails by itself met bytes it cannot read.
pub fn unwrap(error: io::Error) -> FrameError {
    match error.downcast::<Fault>() {
        Ok(fault) => fault.0,
        Err(error) => FrameError::new("corrupt", format!("cannot decompress: {error}")),
    }
}

/// The same fault of a blob that is the one asked for: `inconsistent`, as no registry has another.
pub fn of_the_image(error: FrameError) -> FrameError {
    FrameError::new("inconsistent", format!("{}, and the blob is the one that the manifest names", error.message))
}
