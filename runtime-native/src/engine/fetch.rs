//! fetchLayer, unpackLayer and packLayer: how far they are, told at a bounded rate, and where to go on when a source
//! fails; the work is done in `unpack` and `pack`.

use super::Engine;
use super::call::Call;
use super::messages::Done;
use crate::frame::FrameError;
use crate::pack::{self, PackLayerAsk, PackedLayer};
use crate::unpack::{
    self, BlobSource, FetchLayerAsk, FetchedLayer, GiveSourceAsk, ProgressEvent, SourceLostEvent, Sources,
    UnpackLayerAsk,
};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Ten events a second at most.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// How late a fetch that waits for another source may notice that nobody wants the layer any more.
const LOOK_UP_EVERY: Duration = Duration::from_millis(250);

/// Fetches, verifies and unpacks one layer.
pub fn fetch_layer(ask: &FetchLayerAsk, call: &Call) -> Result<FetchedLayer, FrameError> {
    let sources = Asked { engine: Arc::clone(&call.engine), call: call.id };
    unpack::fetch_layer(ask, Arc::new(sources), &progress(call), &call.cancelled)
}

/// Verifies and unpacks one layer out of an archive.
pub fn unpack_layer(ask: &UnpackLayerAsk, call: &Call) -> Result<FetchedLayer, FrameError> {
    unpack::unpack_layer(ask, &progress(call), &call.cancelled)
}

/// Makes one layer a tar again.
pub fn pack_layer(ask: &PackLayerAsk, call: &Call) -> Result<PackedLayer, FrameError> {
    pack::pack_layer(ask, &|| call.check())
}

fn progress(call: &Call) -> impl Fn(u64) + use<'_> {
    let due = Cell::new(Instant::now() + PROGRESS_EVERY);
    move |bytes: u64| {
        let now = Instant::now();
        if now >= due.get() {
            due.set(now + PROGRESS_EVERY);
            call.engine.outbox.event("progress", &ProgressEvent { of: call.id, bytes: bytes.to_string() });
        }
    }
}

/// berthd as the one who knows other sources for what a call fetches.
struct Asked {
    engine: Arc<Engine>,
    call: u64,
}

impl Sources for Asked {
    fn instead(&self, error: &FrameError, offset: u64, abandoned: &AtomicBool) -> Option<BlobSource> {
        let given = self.engine.given_sources.wait(self.call);
        let (kind, message) = (error.kind.clone(), error.message.clone());
        self.engine
            .outbox
            .event("sourceLost", &SourceLostEvent { of: self.call, bytes: offset.to_string(), kind, message });
        loop {
            match given.recv_timeout(LOOK_UP_EVERY) {
                Ok(source) => return source,
                Err(RecvTimeoutError::Timeout) if !abandoned.load(Ordering::Relaxed) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Fetches that wait for another source, by their calls.
#[derive(Default)]
pub struct GivenSources {
    waiting: Mutex<HashMap<u64, Sender<Option<BlobSource>>>>,
}

impl GivenSources {
    fn wait(&self, call: u64) -> Receiver<Option<BlobSource>> {
        let (sender, receiver) = channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(call, sender);
        receiver
    }

    /// Hands the source on to the fetch that waits for it; one that has ended meanwhile wants none.
    pub fn give(&self, ask: GiveSourceAsk) -> Done {
        let waiter = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&ask.of);
        if let Some(waiter) = waiter {
            let _ = waiter.send(ask.source);
        }
        Done {}
    }
}
