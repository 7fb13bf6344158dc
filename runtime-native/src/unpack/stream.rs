//! A layer's tar as it comes: one thread fetches, sums and inflates, the other reads what it made.
//!
//! The fetching thread owns all it needs and touches nothing on disk, so a reader that gives up need not wait for it:
//! it tells the thread through [`Flow`], and a thread stuck in a connect or a name lookup ends when that does.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::digest::{Digest, Summed};
use super::fault;
use super::fetch::Blob;
use super::inflate::Inflate;
use super::limits::Limits;
use super::messages::FetchLayerAsk;
use crate::frame::FrameError;

/// Bytes handed over at once.
const CHUNK_BYTES: usize = 128 << 10;
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

enum Part {
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
        limits: Limits,
        progress: &'a dyn Fn(u64),
        cancelled: &'a AtomicBool,
    ) -> Result<Self, FrameError> {
        let (part_sender, parts) = sync_channel(CHUNKS_AHEAD);
        let (used, used_chunks) = channel();
        let flow = Arc::new(Flow::default());
        let maker = Maker { parts: part_sender, used: used_chunks, limits };
        let blob = Blob::new(ask, flow.clone())?;
        let (blob_digest, diff_id) = (Digest::parse(&ask.digest)?, Digest::parse(&ask.diff_id)?);
        let compression = ask.compression;
        thread::Builder::new()
            .name("layer-fetch".to_owned())
            .spawn(move || {
                let blob = Summed::new(blob, &blob_digest);
                let ending = match Inflate::new(compression, blob).map_err(fault::unwrap) {
                    Ok(tar) => maker.run(tar, &diff_id),
                    Err(error) => Part::Failed(error),
                };
                let _ = maker.parts.send(ending);
            })
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

/// Undecodable bytes are most often a blob that is not the one asked for, and its digest says so best.
fn blame(error: FrameError, mut blob: Summed<Blob>) -> FrameError {
    if error.kind == "corrupt" && io::copy(&mut blob, &mut io::sink()).is_ok() {
        return blob.into_sum().check("blob").err().unwrap_or(error);
    }
    error
}

/// The fetching end.
struct Maker {
    parts: SyncSender<Part>,
    used: Receiver<Vec<u8>>,
    limits: Limits,
}

impl Maker {
    /// Hands over the whole tar and returns how it ended.
    fn run(&self, mut tar: Inflate<Summed<Blob>>, diff_id: &Digest) -> Part {
        let mut tar_sum = diff_id.sum();
        loop {
            let chunk = match self.fill(&mut tar) {
                Ok(chunk) => chunk,
                Err(error) => return Part::Failed(blame(fault::unwrap(error), tar.into_source())),
            };
            if chunk.is_empty() {
                break;
            }
            tar_sum.update(&chunk);
            if let Err(error) = self.limits.check_growth(tar_sum.bytes(), tar.source().bytes()) {
                return Part::Failed(error);
            }
            if self.parts.send(Part::Bytes(chunk)).is_err() {
                return Part::Failed(FrameError::new("cancelled", "nobody reads any more"));
            }
        }
        let bytes = tar_sum.bytes();
        let checked = tar.into_source().into_sum().check("blob").and_then(|()| tar_sum.check("diffID"));
        checked.map_or_else(Part::Failed, |()| Part::Verified(bytes))
    }

    /// A full chunk, a shorter last one, or an empty one at the end.
    fn fill(&self, tar: &mut impl Read) -> io::Result<Vec<u8>> {
        let mut chunk = self.used.try_recv().unwrap_or_default();
        chunk.resize(CHUNK_BYTES, 0);
        let mut filled = 0;
        while filled < CHUNK_BYTES {
            match tar.read(&mut chunk[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        chunk.truncate(filled);
        Ok(chunk)
    }
}
