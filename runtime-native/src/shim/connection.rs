//! One client: its socket, what it is there for, and what is on its way to and from it.

use std::io::{IoSlice, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown};
use serde::{Deserialize, Serialize};

use super::clock;
use super::descriptors::{Descriptors, adopt};
use super::kept::KeptConnection;
use super::messages::{ExecStatus, packet as kind};
use super::packet;
use super::poll::{Poll, Source};

/// What a connection is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Has not said hello.
    New,
    Calls {
        events: bool,
    },
    Exec(u32),
    Attach {
        container: u32,
        stdin: bool,
        stdout: bool,
        stderr: bool,
    },
}

/// Most that waits for a client of calls and events before it counts as stuck, in bytes.
const MAX_WAITING_BYTES: usize = 32 << 20;

/// How long a client may take for the last bytes of a connection that ends, and to close its side.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Connection {
    pub serial: u32,
    pub role: Role,
    pub input: Vec<u8>,
    pub packets: packet::Reader,
    socket: UnixStream,
    waiting: Vec<u8>,
    held: bool,
    end_at: Option<Instant>,
    /// The client was told that nothing more comes.
    said_all: bool,
    broken: bool,
}

impl Connection {
    pub fn new(serial: u32, socket: UnixStream, poll: &Poll) -> Self {
        let connection = Self {
            serial,
            role: Role::New,
            input: Vec::new(),
            packets: packet::Reader::default(),
            socket,
            waiting: Vec::new(),
            held: false,
            end_at: None,
            said_all: false,
            broken: false,
        };
        connection.watch(poll);
        connection
    }

    /// As it is handed over to the next version.
    pub fn keep(&self, descriptors: &mut Descriptors) -> KeptConnection {
        KeptConnection {
            serial: self.serial,
            role: self.role,
            socket: descriptors.keep(&self.socket),
            input: self.input.clone(),
            stdin_left: self.packets.stdin_left(),
            waiting: self.waiting.clone(),
            held: self.held,
            end_at: self.end_at.map(clock::monotonic_ns),
            said_all: self.said_all,
            broken: self.broken,
        }
    }

    pub fn resume(kept: KeptConnection, poll: &Poll) -> Self {
        let connection = Self {
            serial: kept.serial,
            role: kept.role,
            input: kept.input,
            packets: packet::Reader::new(kept.stdin_left),
            socket: adopt(kept.socket).into(),
            waiting: kept.waiting,
            held: kept.held,
            end_at: kept.end_at.map(clock::instant),
            said_all: kept.said_all,
            broken: kept.broken,
        };
        connection.watch(poll);
        connection
    }

    /// Appends what the client sent to `input`, or drops it once the connection ends; `broken` at its end.
    pub fn receive(&mut self, scratch: &mut [u8]) {
        if !self.is_reading() {
            return;
        }
        match self.socket.read(scratch) {
            Ok(0) => self.broken = true,
            Ok(_) if self.end_at.is_some() => {}
            Ok(count) => self.input.extend_from_slice(scratch.get(..count).unwrap_or_default()),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted) => {}
            Err(_) => self.broken = true,
        }
    }

    /// Sends a frame, or a packet as head and body; what the socket does not take at once waits.
    pub fn send(&mut self, poll: &Poll, head: &[u8], body: &[u8]) {
        let total = head.len() + body.len();
        let sent = if self.waiting.is_empty() { self.try_send(&[IoSlice::new(head), IoSlice::new(body)]) } else { 0 };
        if self.broken || sent == total {
            return;
        }
        self.waiting.extend(head.iter().chain(body).skip(sent));
        if self.waiting.len() > MAX_WAITING_BYTES {
            self.broken = true;
        }
        self.watch(poll);
    }

    /// Sends a stream's last packet and ends the connection; once.
    pub fn send_status(&mut self, poll: &Poll, status: &ExecStatus) {
        if self.end_at.is_some() {
            return;
        }
        let body = serde_json::to_vec(status).unwrap_or_default();
        self.send(poll, &packet::head(kind::STATUS, body.len()), &body);
        self.end(poll);
    }

    /// Sends what waits.
    pub fn flush(&mut self, poll: &Poll) {
        if self.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.waiting);
        let sent = self.try_send(&[IoSlice::new(&waiting)]);
        if sent < waiting.len() {
            self.waiting = waiting;
            self.waiting.drain(..sent);
        }
        self.say_all();
        self.watch(poll);
    }

    /// Closes our side once an ending connection has sent everything. The client's side stays open until it closes it
    /// too: what it is still writing would fail otherwise, and with that it could lose what was sent to it.
    fn say_all(&mut self) {
        if self.end_at.is_some() && self.waiting.is_empty() && !self.said_all {
            self.said_all = true;
            let _ = rustix::net::shutdown(&self.socket, Shutdown::Write);
        }
    }

    /// Bytes that wait for the client.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.len()
    }

    /// Takes no more input until `release`.
    pub fn hold(&mut self, poll: &Poll) {
        self.held = true;
        self.watch(poll);
    }

    pub fn release(&mut self, poll: &Poll) {
        self.held = false;
        self.watch(poll);
    }

    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Its end would be seen by reading.
    pub fn is_reading(&self) -> bool {
        !self.held || self.end_at.is_some()
    }

    /// Takes no more input, and closes when everything is sent and the client has closed its side.
    pub fn end(&mut self, poll: &Poll) {
        self.input = Vec::new();
        self.end_at.get_or_insert_with(|| Instant::now() + PATIENCE);
        self.say_all();
        self.watch(poll);
    }

    /// The socket with what was received and not handled, and what was not sent yet.
    pub fn into_parts(self) -> (UnixStream, Vec<u8>, Vec<u8>) {
        (self.socket, self.input, self.waiting)
    }

    /// The other side is gone.
    pub fn break_off(&mut self) {
        self.broken = true;
    }

    /// It can be closed now.
    pub fn is_over(&self, now: Instant) -> bool {
        self.broken || self.end_at.is_some_and(|at| at <= now)
    }

    /// When it closes whatever its client does.
    pub fn deadline(&self) -> Option<Instant> {
        self.end_at
    }

    fn try_send(&mut self, parts: &[IoSlice]) -> usize {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let mut control = rustix::net::SendAncillaryBuffer::default();
        match rustix::net::sendmsg(&self.socket, parts, &mut control, flags) {
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(_) => {
                self.broken = true;
                0
            }
        }
    }

    fn watch(&self, poll: &Poll) {
        poll.waits(&self.socket, Source::Connection(self.serial), self.is_reading(), !self.waiting.is_empty());
    }
}
