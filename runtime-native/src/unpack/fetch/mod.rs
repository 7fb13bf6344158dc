//! A layer's blob as a plain reader: exactly its declared bytes, whatever the connection does meanwhile.

mod ahead;
mod hunger;
mod location;
mod pace;
mod request;
mod retry_after;
mod trust;
mod wire;

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use self::ahead::{Ahead, Held, Next, PART_BYTES};
use self::hunger::Hunger;
use self::request::{Request, Trouble};
use super::fault;
use super::messages::{BlobSource, FetchLayerAsk};
use super::stream::Flow;
use crate::frame::FrameError;

/// Attempts in a row that may bring less than [`FRESH_BYTES`] each.
const ATTEMPTS: u32 = 5;
/// A connection that brought so much makes the count of attempts start anew.
const FRESH_BYTES: u64 = 1 << 20;
/// Parts that must be left for further connections to be worth while.
const LEAST_PARTS: u64 = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// A pause that a registry asks for is kept up to this; one that wants more has to be asked later.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Who knows where else a blob may be had.
pub trait Sources: Send + Sync {
    /// Another source in place of one that failed with `error` after `offset` bytes of the blob; `None`: there is none.
    /// May take long; ends early once `abandoned` is set.
    fn instead(&self, error: &FrameError, offset: u64, abandoned: &AtomicBool) -> Option<BlobSource>;
}

/// Reads the blob; a broken or stalled connection is replaced by another one from the next byte on, and a source that
/// gives no more (an expired token, a mirror that went away) by another source. A connection that is waited for gets
/// others beside it.
pub struct Blob {
    ask: FetchLayerAsk,
    request: Arc<Request>,
    sources: Arc<dyn Sources>,
    size_bytes: u64,
    offset: u64,
    /// What is read now ends before this byte; what comes from there on others may have taken on.
    until: u64,
    body: Option<Body>,
    /// Bytes that came ahead, read before all else.
    held: Option<Held>,
    ahead: Option<Ahead>,
    hunger: Hunger,
    /// When the last read ended.
    last_read: Instant,
    /// Failed attempts in a row, and where the present one began.
    failures: u32,
    attempt_offset: u64,
    flow: Arc<Flow>,
}

/// What a connection brings, up to the byte before `end`.
struct Body {
    source: Box<dyn Read + Send>,
    end: u64,
}

impl Blob {
    /// Prepares to fetch the blob of `ask`; the first read connects.
    pub fn new(ask: &FetchLayerAsk, sources: Arc<dyn Sources>, flow: Arc<Flow>) -> Result<Self, FrameError> {
        Ok(Self {
            ask: ask.clone(),
            request: Arc::new(Request::new(ask, flow.clone())?),
            sources,
            size_bytes: ask.size_bytes,
            offset: 0,
            until: ask.size_bytes,
            body: None,
            held: None,
            ahead: None,
            hunger: Hunger::default(),
            last_read: Instant::now(),
            failures: 0,
            attempt_offset: 0,
            flow,
        })
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> Result<usize, Trouble> {
        if self.offset == self.until && self.until < self.size_bytes {
            self.go_on().map_err(Trouble::Final)?;
        }
        let count = match &mut self.held {
            Some(held) => held.read(buffer),
            None => self.read_body(buffer)?,
        };
        self.offset += count as u64;
        self.flow.blob_bytes.store(self.offset, Ordering::Relaxed);
        Ok(count)
    }

    /// Finds out who has what comes now.
    fn go_on(&mut self) -> Result<(), FrameError> {
        self.held = None;
        if let Some(mut body) = self.body.take_if(|body| body.end == self.until) {
            // Read to its very end, the connection is free for what comes next.
            let _ = body.source.read(&mut [0]);
        }
        match self.ahead.as_ref().map(|ahead| ahead.next(self.offset)).transpose()? {
            Some(Next::Held(held)) => {
                self.body = None;
                self.until = self.offset + held.len();
                self.held = Some(held);
            }
            Some(Next::Until(until)) => self.until = until,
            None => self.until = self.size_bytes,
        }
        Ok(())
    }

    fn read_body(&mut self, buffer: &mut [u8]) -> Result<usize, Trouble> {
        if self.body.is_none() {
            self.attempt_offset = self.offset;
            self.body = Some(self.open()?);
        }
        let Some(Body { source, .. }) = &mut self.body else { return Ok(0) };
        let left = self.until - self.offset;
        // One byte more than is left of the blob, so that a longer one shows.
        let most = if self.until == self.size_bytes { left + 1 } else { left };
        let wanted = buffer.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        let began = Instant::now();
        let count = match source.read(&mut buffer[..wanted]) {
            Ok(count) => count,
            // All is here; what broke off is the connection's own ending.
            Err(_) if left == 0 => 0,
            Err(error) => {
                let (offset, size) = (self.offset, self.size_bytes);
                let message = format!("the connection broke off after {offset} of {size} bytes: {error}");
                return Err(Trouble::passing(message));
            }
        };
        if count as u64 > left {
            let message = format!("blob should have {} bytes, the registry sends more", self.size_bytes);
            return Err(Trouble::Final(FrameError::new("corrupt", message)));
        }
        if count == 0 && left > 0 {
            let message = format!("the connection ended after {} of {} bytes", self.offset, self.size_bytes);
            return Err(Trouble::passing(message));
        }
        self.weigh(began, count as u64);
        Ok(count)
    }

    /// The rest of the blob, or of what the reader has taken on; where ranges do not work, the rest.
    fn open(&self) -> Result<Body, Trouble> {
        if let Some(ahead) = &self.ahead
            && self.until < self.size_bytes
        {
            match self.request.open_range(self.offset, self.until) {
                Ok(source) => return Ok(Body { source: Box::new(source), end: self.until }),
                Err(_) => ahead.give_up(),
            }
        }
        Ok(Body { source: Box::new(self.request.open(self.offset)?), end: self.size_bytes })
    }

    /// Gets further connections when this one is waited for and much is left.
    fn weigh(&mut self, began: Instant, count: u64) {
        let (worked, waited) = (began - self.last_read, began.elapsed());
        self.last_read = Instant::now();
        let from = self.offset + count + PART_BYTES;
        if self.ahead.is_none()
            && self.flow.ranges_allowed
            && self.hunger.grows(worked, waited, count)
            && from + LEAST_PARTS * PART_BYTES <= self.size_bytes
        {
            self.flow.ranges_used.store(true, Ordering::Relaxed);
            self.ahead = Some(Ahead::start(&self.request, self.size_bytes, &self.flow, from));
            self.until = from;
        }
    }

    /// Waits before the next attempt; the error again when it was the last one.
    fn back_off(&mut self, error: FrameError, asked: Duration) -> Result<(), FrameError> {
        self.body = None;
        if self.offset - self.attempt_offset >= FRESH_BYTES {
            self.failures = 0;
        }
        self.failures += 1;
        if self.failures >= ATTEMPTS {
            let message = format!("{} (attempt {} of {ATTEMPTS})", error.message, self.failures);
            return Err(FrameError::new(&error.kind, message));
        }
        if asked > LONGEST_PAUSE {
            let message = format!("{}, and asks for a pause of {} s", error.message, asked.as_secs());
            return Err(FrameError::new(&error.kind, message));
        }
        let pause = asked.max(FIRST_BACKOFF * 2u32.pow(self.failures - 1));
        let started = Instant::now();
        while started.elapsed() < pause {
            if self.flow.abandoned.load(Ordering::Relaxed) {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Goes on with another source from the next byte on; the error again when there is none.
    fn replace_source(&mut self, error: FrameError) -> Result<(), FrameError> {
        self.body = None;
        let Some(source) = self.sources.instead(&error, self.offset, &self.flow.abandoned) else { return Err(error) };
        self.ask.source = source;
        self.request = Arc::new(Request::new(&self.ask, self.flow.clone())?);
        self.ahead.as_ref().inspect(|ahead| ahead.give_up());
        self.failures = 0;
        Ok(())
    }
}

impl Read for Blob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.try_read(buffer) {
                Ok(count) => return Ok(count),
                Err(Trouble::Final(error)) => return Err(fault::wrap(error)),
                Err(Trouble::Source(error)) => self.replace_source(error).map_err(fault::wrap)?,
                Err(Trouble::Passing(error, pause)) => {
                    if let Err(error) = self.back_off(error, pause) {
                        self.replace_source(error).map_err(fault::wrap)?;
                    }
                }
            }
        }
    }
}
