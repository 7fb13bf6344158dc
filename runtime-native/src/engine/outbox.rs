//! The one way out: replies and events, whole frames in turn.

use super::messages::LogEvent;
use crate::frame::{self, FrameError};
use serde::Serialize;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;

/// The writing half of the connection to berthd, shared by all threads.
pub struct Outbox {
    turn: Mutex<Turn>,
}

struct Turn {
    stream: UnixStream,
    seq: u64,
}

#[derive(Serialize)]
struct Ok<'a, R> {
    id: u64,
    ok: &'a R,
}
#[derive(Serialize)]
struct Failed<'a> {
    id: u64,
    error: &'a FrameError,
}
#[derive(Serialize)]
struct Event<'a, E> {
    event: &'a str,
    seq: u64,
    #[serde(flatten)]
    body: &'a E,
}

impl Outbox {
    /// An outbox that writes to `stream`.
    pub fn new(stream: UnixStream) -> Self {
        Self { turn: Mutex::new(Turn { stream, seq: 0 }) }
    }

    /// Sends the one answer to call `id`.
    pub fn reply<R: Serialize>(&self, id: u64, result: &Result<R, FrameError>) {
        let mut frame = match result {
            Result::Ok(ok) => frame::encode(&Ok { id, ok }),
            Err(error) => frame::encode(&Failed { id, error }),
        };
        if frame.len() > frame::MAX_FRAME_BYTES {
            let error = FrameError::new("exhausted", format!("the answer takes {} bytes, too many", frame.len()));
            frame = frame::encode(&Failed { id, error: &error });
        }
        let Result::Ok(mut turn) = self.turn.lock() else { return };
        write(&mut turn.stream, &frame);
    }

    /// Sends an event with the next sequence number.
    pub fn event<E: Serialize>(&self, event: &str, body: &E) {
        let Result::Ok(mut turn) = self.turn.lock() else { return };
        turn.seq += 1;
        let frame = frame::encode(&Event { event, seq: turn.seq, body });
        write(&mut turn.stream, &frame);
    }

    /// Sends a line for berthd's log.
    pub fn log(&self, level: &str, message: impl Into<String>) {
        self.event("log", &LogEvent { level: level.to_owned(), message: message.into() });
    }
}

/// A berthd that is gone is noticed by the reader, which ends the process; there is no one to tell here.
fn write(stream: &mut UnixStream, frame: &[u8]) {
    let _ = stream.write_all(frame);
}
