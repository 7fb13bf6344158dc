//! A layer's tar as it comes: one thread fetches, sums and inflates the blob, the other sums and reads what it made.
//!
//! The fetching thread owns all it needs and touches nothing on disk, so a reader that gives up need not wait for it:
//! it tells the thread through [`Flow`], and a thread stuck in a connect or a name lookup ends when that does.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::digest::{Digest, Sum};
use super::fault;
use super::fetch::Sources;
use super::maker::Maker;
use super::messages::FetchLayerAsk;
use super::throttle::Account;
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
    /// Whether parts of the blob may be asked for by their range, and whether any were.
    pub ranges_allowed: bool,
    pub ranges_used: AtomicBool,
}

/// What the fetching thread hands over.
pub enum Part {
    Bytes(Vec<u8>),
    /// All of the tar has been handed over, and the blob has the digest and size asked for.
    End,
    Failed(FrameError),
}

/// The reading end. An error wrapped by [`fault`] comes out of `fill_buf`.
pub struct TarStream<'a> {
    parts: Receiver<Part>,
    used: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    position: usize,
    /// Of the tar handed out; `None` once it is proven right.
    sum: Option<Sum>,
    bytes: u64,
    flow: Arc<Flow>,
    progress: &'a dyn Fn(u64),
    reported: Instant,
    cancelled: &'a AtomicBool,
    account: Account,
}

impl<'a> TarStream<'a> {
    /// Starts to fetch the blob of `ask`; what is told by `flow` is of this stream alone.
    pub fn start(
        ask: &FetchLayerAsk,
        sources: Arc<dyn Sources>,
        flow: Arc<Flow>,
        progress: &'a dyn Fn(u64),
        cancelled: &'a AtomicBool,
    ) -> Result<Self, FrameError> {
        let (part_sender, parts) = sync_channel(CHUNKS_AHEAD);
        let (used, used_chunks) = channel();
        let sum = Digest::parse(&ask.diff_id)?.sum();
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
            sum: Some(sum),
            bytes: 0,
            flow,
            progress,
            reported: Instant::now(),
            cancelled,
            account: Account::of_unpacking(),
        })
    }

    /// Reads on to the end and returns the tar's size in bytes, once every digest is proven right.
    pub fn finish(mut self) -> Result<u64, FrameError> {
        loop {
            let left = self.fill_buf().map_err(fault::unwrap)?.len();
            if left == 0 && self.sum.is_none() {
                (self.progress)(self.flow.blob_bytes.load(Ordering::Relaxed));
                return Ok(self.bytes);
            }
            self.consume(left);
        }
    }

    fn take_in(&mut self, chunk: Vec<u8>) {
        self.bytes += chunk.len() as u64;
        if let Some(sum) = &mut self.sum {
            sum.update(&chunk);
        }
        self.chunk = chunk;
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
        if self.position == self.chunk.len() && self.sum.is_some() {
            let _ = self.used.send(std::mem::take(&mut self.chunk));
            self.position = 0;
            self.account.pay();
            match self.next_part().map_err(fault::wrap)? {
                Part::Bytes(chunk) => self.take_in(chunk),
                Part::End => {
                    let proven = self.sum.take().map_or(Ok(()), |sum| sum.check("diffID"));
                    proven.map_err(|error| fault::wrap(fault::of_the_image(error)))?;
                }
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
