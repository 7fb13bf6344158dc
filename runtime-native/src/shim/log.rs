//! A container's log in the CRI's format. A log that cannot be written loses records; it never stops the pod.

use std::time::{Duration, Instant};

use super::clock;
use super::kept::KeptLog;
use super::log_place::LogPlace;
use super::records::Partial;
use super::stdio::Stream;
use super::writer::Writer;

/// How long an unfinished line is kept before it is written as it is.
const PATIENCE: Duration = Duration::from_secs(1);

pub struct Log {
    serial: u32,
    place: LogPlace,
    writer: Writer,
    out: Partial,
    err: Partial,
    flush_at: Option<Instant>,
}

impl Log {
    /// Has the file opened for appending; it is made when missing, its folder is not.
    pub fn open(writer: &Writer, serial: u32, place: LogPlace) -> Self {
        writer.open(serial, place.clone());
        let (out, err) = (Partial::default(), Partial::default());
        Self { serial, place, writer: writer.clone(), out, err, flush_at: None }
    }

    /// As it is handed over to the next version; the open file is the writer's.
    pub fn keep(&self) -> KeptLog {
        let Self { serial: _, place, writer: _, out, err, flush_at } = self;
        let (folder, below) = place.parts();
        let (out, err) = (out.bytes().to_vec(), err.bytes().to_vec());
        KeptLog { folder, below, out, err, flush_at: flush_at.map(clock::monotonic_ns) }
    }

    pub fn resume(writer: &Writer, serial: u32, kept: KeptLog) -> Self {
        let place = LogPlace::of_parts(kept.folder, kept.below);
        let (out, err) = (Partial::new(kept.out), Partial::new(kept.err));
        Self { serial, place, writer: writer.clone(), out, err, flush_at: kept.flush_at.map(clock::instant) }
    }

    /// Has the same place opened again, for a file that was renamed away.
    pub fn reopen(&self) {
        self.writer.open(self.serial, self.place.clone());
    }

    pub fn path(&self) -> String {
        self.place.path()
    }

    /// Removes the file of a container that could not be created, unless it was there before.
    pub fn discard(self) {
        self.writer.discard(self.serial);
    }

    /// Logs output; true when no more should be read until the writer has news.
    pub fn write(&mut self, stream: Stream, chunk: &[u8]) -> bool {
        let mut records = Vec::new();
        let partial = match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        };
        partial.feed(stream, &clock::rfc3339(clock::now_ns()), chunk, &mut records);
        let kept = !self.out.is_empty() || !self.err.is_empty();
        self.flush_at = kept.then(|| Instant::now() + PATIENCE);
        self.append(records);
        self.writer.is_full()
    }

    /// Logs unfinished lines as they are.
    pub fn flush(&mut self) {
        let mut records = Vec::new();
        let stamp = clock::rfc3339(clock::now_ns());
        self.out.flush(Stream::Out, &stamp, &mut records);
        self.err.flush(Stream::Err, &stamp, &mut records);
        self.flush_at = None;
        self.append(records);
    }

    /// Logs unfinished lines, and asks for the news that everything is written.
    pub fn finish(&mut self) {
        self.flush();
        self.writer.tell(self.serial);
    }

    /// When `flush` is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.flush_at
    }

    fn append(&self, records: Vec<u8>) {
        if !records.is_empty() {
            self.writer.write(self.serial, records);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.writer.close(self.serial);
    }
}
