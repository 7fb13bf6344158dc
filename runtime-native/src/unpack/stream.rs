//! A layer's tar as it comes: one thread fetches, sums and inflates, the other reads what it made.
//!
//! The fetching thread owns all it needs and touches nothing on disk, so a reader that gives up need not wait for it:
//! it tells the thread through [`Flow`], and a thread stuck in a connect or a name lookup ends when that does.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::fault;
use super::fetch::Sources;
use super::maker::Maker;
use super::messages::FetchLayerAsk;
use crate::frame::FrameError;

/// Chunks that may wait for the reader.
const CHUNKS_AHEAD: usize = 8;
/// How often the reader reports progress, and looks at `cancelled` when nothing comes.
const TICK: Duration = Duration::from_millis(100);

/// What the two threads tell each other besides the bytes.
#[derive(Debug, Default)]
pub struct Flow {
    /// Bytes of the blob so far.
    pub blob_bytes: AtomicU64,
    /// Set when nobody reads any more.
    pub abandoned: AtomicBool,
}

/// What the fetching thread hands over.
pub enum Part {
    Bytes(Vec<u8>),
    /// Blob digest, size and diffID are all right; this many bytes of tar have been handed over.
    Verified(u64),
    Failed(FrameError),
}

/// The reading end. An error wrapped by [`fault`] comes out of `fill_buf`.
pub struct TarStream<'a> {
    parts: Receiver<Part>,
    used: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    position: usize,
    verified: Option<u64>,
    flow: Arc<Flow>,
    progress: &'a dyn Fn(u64),
    reported: Instant,
    cancelled: &'a AtomicBool,
}

impl<'a> TarStream<'a> {
    /// Starts to fetch the blob of `ask`.
    pub fn start(
        ask: &FetchLayerAsk,
        sources: Arc<dyn Sources>,
        progress: &'a dyn Fn(u64),
        cancelled: &'a AtomicBool,
    ) -> Result<Self, FrameError> {
        let (part_sender, parts) = sync_channel(CHUNKS_AHEAD);
        let (used, used_chunks) = channel();
        let flow = Arc::new(Flow::default());
        let maker = Maker::new(ask, sources, flow.clone(), used_chunks)?;
        thread::Builder::new()
            .name("layer-fetch".to_owned())
            .spawn(move || maker.run(&part_sender))
            .map_err(|error| FrameError::new("exhausted", format!("cannot start a thread: {error}")))?;
        Ok(Self {
            parts,
            used,
            chunk: Vec::new(),
            position: 0,
            verified: None,
            flow,
            progress,
            reported: Instant::now(),
            cancelled,
        })
    }

    /// Reads on to the end and returns the tar's size in bytes, once every digest is proven right.
    pub fn finish(mut self) -> Result<u64, FrameError> {
        loop {
            let left = self.fill_buf().map_err(fault::unwrap)?.len();
            if let (0, Some(bytes)) = (left, self.verified) {
                (self.progress)(self.flow.blob_bytes.load(Ordering::Relaxed));
                return Ok(bytes);
            }
            self.consume(left);
        }
    }

    fn next_part(&mut self) -> Result<Part, FrameError> {
        loop {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(FrameError::new("cancelled", "cancelled by the caller"));
            }
            if self.reported.elapsed() >= TICK {
                (self.progress)(self.flow.blob_bytes.load(Ordering::Relaxed));
                self.reported = Instant::now();
            }
            match self.parts.recv_timeout(TICK) {
                Ok(part) => return Ok(part),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(FrameError::new("internal", "the fetching thread ended without a word"));
                }
            }
        }
    }
}

impl BufRead for TarStream<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position == self.chunk.len() && self.verified.is_none() {
            let _ = self.used.send(std::mem::take(&mut self.chunk));
            self.position = 0;
            match self.next_part().map_err(fault::wrap)? {
                Part::Bytes(chunk) => self.chunk = chunk,
                Part::Verified(bytes) => self.verified = Some(bytes),
                Part::Failed(error) => return Err(fault::wrap(error)),
            }
        }
        Ok(&self.chunk[self.position..])
    }

    fn consume(&mut self, count: usize) {
        self.position += count;
    }
}

impl Read for TarStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl Drop for TarStream<'_> {
    fn drop(&mut self) {
        self.flow.abandoned.store(true, Ordering::Relaxed);
    }
}
