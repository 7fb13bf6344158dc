//! Failed system calls as errors that name the entry.

use rustix::io::Errno;

use crate::frame::FrameError;
use crate::unpack::tar::quoted;

/// The error for a system call that failed while doing `doing` to `path`.
pub fn failed<'a>(doing: &'a str, path: &'a [u8]) -> impl Fn(Errno) -> FrameError + 'a {
    move |errno| {
        let kind = match errno {
            Errno::NOSPC | Errno::DQUOT | Errno::MLINK | Errno::FBIG => "exhausted",
            Errno::NAMETOOLONG
            | Errno::NOTDIR
            | Errno::LOOP
            | Errno::INVAL
            | Errno::XDEV
            | Errno::TOOBIG
            | Errno::RANGE => "invalid",
            _ => "internal",
        };
        FrameError::new(kind, format!("cannot {doing} {}: {errno}", quoted(path)))
    }
}
