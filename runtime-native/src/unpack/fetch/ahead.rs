//! Parts of a blob that further connections fetch before their turn comes, each by its range (RFC 9110 §14).
//!
//! A part is taken on by a helper, who keeps it until it is read, or by the reader itself, who never waits for what
//! nobody has begun: that needs no memory and cannot be stuck. How many parts helpers hold is bounded, for all blobs
//! together too.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::request::{Request, Trouble};
use crate::frame::FrameError;
use crate::unpack::stream::Flow;

/// Bytes of one part.
pub const PART_BYTES: u64 = 4 << 20;
/// Connections besides the reader's own.
const HELPERS: usize = 3;
/// Parts that helpers hold of one blob, and of all blobs together.
const HELD_MAX: usize = 5;
const HELD_OF_ALL_MAX: usize = 8;
/// How often who waits looks whether anybody still reads.
const TICK: Duration = Duration::from_millis(100);
/// A range that failed by the connection is asked for once more.
const ATTEMPTS: usize = 2;

static HELD_OF_ALL: AtomicUsize = AtomicUsize::new(0);

/// What the reader is to do at an offset.
pub enum Next {
    /// These bytes come next.
    Held(Held),
    /// Read by itself until there.
    Until(u64),
}

/// The helpers of one blob; they end when it is dropped.
pub struct Ahead(Arc<Shared>);

struct Shared {
    request: Arc<Request>,
    size_bytes: u64,
    flow: Arc<Flow>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// From here on nobody has taken on anything.
    next: u64,
    /// What helpers have taken on, by its first byte.
    parts: BTreeMap<u64, Part>,
    /// False once a range was not answered as it should: nothing more is taken on.
    working: bool,
}

enum Part {
    Coming,
    Here(Held),
    Failed,
}

impl Ahead {
    /// Starts helpers for all from byte `from` on.
    pub fn start(request: &Arc<Request>, size_bytes: u64, flow: &Arc<Flow>, from: u64) -> Self {
        let state = Mutex::new(State { next: from, parts: BTreeMap::new(), working: true });
        let (request, flow) = (request.clone(), flow.clone());
        let shared = Arc::new(Shared { request, size_bytes, flow, state, changed: Condvar::new() });
        for _ in 0..HELPERS {
            let shared = shared.clone();
            // Without a thread there is one helper less.
            let _ = thread::Builder::new().name("layer-range".to_owned()).spawn(move || shared.help());
        }
        Self(shared)
    }

    /// What comes at `offset`, once it is there; an error when nobody reads any more.
    pub fn next(&self, offset: u64) -> Result<Next, FrameError> {
        let mut state = self.0.state();
        loop {
            match state.parts.remove(&offset) {
                Some(Part::Here(held)) => {
                    self.0.changed.notify_all();
                    return Ok(Next::Held(held));
                }
                Some(Part::Coming) => {
                    state.parts.insert(offset, Part::Coming);
                    if self.0.is_abandoned() {
                        return Err(FrameError::new("cancelled", "nobody reads any more"));
                    }
                    state = self.0.wait(state);
                }
                Some(Part::Failed) | None => return Ok(Next::Until(state.take_on(offset, self.0.size_bytes))),
            }
        }
    }

    /// Nothing more is asked for by its range; what has come is still read.
    pub fn give_up(&self) {
        self.0.state().working = false;
        self.0.changed.notify_all();
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl State {
    /// The reader takes on what comes at `offset` itself, to the end of the part or to where a helper's begins.
    fn take_on(&mut self, offset: u64, size_bytes: u64) -> u64 {
        if self.working && offset == self.next {
            self.next = size_bytes.min(offset + PART_BYTES);
            return self.next;
        }
        self.parts.range(offset..).next().map_or(size_bytes, |(first, _)| *first)
    }
}

impl Shared {
    /// Takes on one part after the other until all are, or ranges turn out not to work.
    fn help(&self) {
        while let Some((from, permit)) = self.take_on() {
            let to = self.size_bytes.min(from + PART_BYTES);
            let outcome = self.fetch(from, to);
            let mut state = self.state();
            let part = match outcome {
                Ok(bytes) => Part::Here(Held { bytes, read: 0, _permit: permit }),
                Err(()) => {
                    state.working = false;
                    Part::Failed
                }
            };
            state.parts.insert(from, part);
            self.changed.notify_all();
        }
    }

    fn take_on(&self) -> Option<(u64, Permit)> {
        let mut state = self.state();
        loop {
            if !state.working || state.next >= self.size_bytes || self.is_abandoned() {
                return None;
            }
            if state.parts.len() < HELD_MAX
                && let Some(permit) = Permit::take()
            {
                let from = state.next;
                state.next = self.size_bytes.min(from + PART_BYTES);
                state.parts.insert(from, Part::Coming);
                return Some((from, permit));
            }
            state = self.wait(state);
        }
    }

    fn fetch(&self, from: u64, to: u64) -> Result<Vec<u8>, ()> {
        for _ in 0..ATTEMPTS {
            match self.try_fetch(from, to) {
                Ok(bytes) => return Ok(bytes),
                Err(Trouble::Passing(..)) if !self.is_abandoned() => {}
                Err(_) => return Err(()),
            }
        }
        Err(())
    }

    fn try_fetch(&self, from: u64, to: u64) -> Result<Vec<u8>, Trouble> {
        let mut body = self.request.open_range(from, to)?;
        let mut bytes = Vec::with_capacity((to - from) as usize);
        // One byte more, so that a longer answer shows; at its end the connection is free for the next part.
        match (&mut body).take(to - from + 1).read_to_end(&mut bytes) {
            Ok(count) if count as u64 == to - from => Ok(bytes),
            _ => Err(Trouble::passing("the connection broke off")),
        }
    }

    fn is_abandoned(&self) -> bool {
        self.flow.abandoned.load(Ordering::Relaxed)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of a part that a helper has brought.
pub struct Held {
    bytes: Vec<u8>,
    read: usize,
    _permit: Permit,
}

impl Held {
    /// Moves what fits into `buffer`; 0 when all is read.
    pub fn read(&mut self, buffer: &mut [u8]) -> usize {
        let left = &self.bytes[self.read..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.read += count;
        count
    }

    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// The right to hold one part.
struct Permit;

impl Permit {
    fn take() -> Option<Self> {
        let more = |held: usize| (held < HELD_OF_ALL_MAX).then_some(held + 1);
        // Made only when it is granted: to drop one gives it back.
        HELD_OF_ALL.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Self)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        HELD_OF_ALL.fetch_sub(1, Ordering::Relaxed);
    }
}
