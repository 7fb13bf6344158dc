//! A container's log file in the CRI's format. A log that cannot be written loses records; it never stops the pod.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use super::clock;
use super::records::Partial;
use super::start::failed;
use super::stdio::Stream;
use crate::frame::FrameError;

/// How long an unfinished line is kept before it is written as it is.
const PATIENCE: Duration = Duration::from_secs(1);

pub struct Log {
    path: String,
    /// The file was not there before.
    made: bool,
    file: File,
    out: Partial,
    err: Partial,
    flush_at: Option<Instant>,
}

impl Log {
    /// Opens the file for appending; it is made when missing, its folder is not.
    pub fn open(path: &str) -> Result<Self, FrameError> {
        let made = !std::fs::exists(path).unwrap_or(true);
        let file = open(path)?;
        Ok(Self { path: path.to_owned(), made, file, out: Partial::default(), err: Partial::default(), flush_at: None })
    }

    /// Opens the same path again, for a file that was renamed away.
    pub fn reopen(&mut self) -> Result<(), FrameError> {
        self.file = open(&self.path)?;
        Ok(())
    }

    /// Removes the file of a container that could not be created, unless it was there before.
    pub fn discard(&self) {
        if self.made {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    pub fn write(&mut self, stream: Stream, chunk: &[u8]) {
        let mut records = Vec::new();
        let partial = match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        partial.feed(stream, &clock::rfc3339(clock::now_ns()), chunk, &mut records);
        let kept = !self.out.is_empty() || !self.err.is_empty();
        self.flush_at = kept.then(|| Instant::now() + PATIENCE);
        self.append(&records);
    }

    /// Writes unfinished lines as they are.
    pub fn flush(&mut self) {
        let mut records = Vec::new();
        let stamp = clock::rfc3339(clock::now_ns());
        self.out.flush(Stream::Out, &stamp, &mut records);
        self.err.flush(Stream::Err, &stamp, &mut records);
        self.flush_at = None;
        self.append(&records);
    }

    /// When `flush` is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.flush_at
    }

    fn append(&mut self, records: &[u8]) {
        let _ = self.file.write_all(records);
    }
}

fn open(path: &str) -> Result<File, FrameError> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path).map_err(failed(&format!("open log {path}")))
}
