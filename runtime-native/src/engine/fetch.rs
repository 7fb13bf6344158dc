//! fetchLayer: how far it is, told at a bounded rate; the work is done in `unpack`.

use super::call::Call;
use super::messages::ProgressEvent;
use crate::frame::FrameError;
use crate::unpack::{self, FetchLayerAsk, FetchedLayer};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Ten events a second at most.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Fetches, verifies and unpacks one layer.
pub fn fetch_layer(ask: &FetchLayerAsk, call: &Call) -> Result<FetchedLayer, FrameError> {
    let due = Cell::new(Instant::now() + PROGRESS_EVERY);
    let progress = |bytes: u64| {
        let now = Instant::now();
        if now >= due.get() {
            due.set(now + PROGRESS_EVERY);
            call.engine.outbox.event("progress", &ProgressEvent { of: call.id, bytes: bytes.to_string() });
        }
    };
    unpack::fetch_layer(ask, &progress, &call.cancelled)
}
