//! A client of a shim's socket, blocking.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

pub const STDIN: u8 = 0;
pub const STDOUT: u8 = 1;
const STDERR: u8 = 2;
pub const STATUS: u8 = 3;
pub const RESIZE: u8 = 4;

pub struct Client {
    pub socket: UnixStream,
    pub hello: Value,
    /// Events that came while something else was waited for.
    events: Vec<Value>,
    last_id: u64,
}

/// What a stream brought until its status packet.
#[derive(Debug, Default)]
pub struct Stream {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub status: Value,
}

impl Client {
    pub fn new(socket: &Path) -> Self {
        Self::over(UnixStream::connect(socket).unwrap())
    }

    pub fn over(socket: UnixStream) -> Self {
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { socket, hello: Value::Null, events: Vec::new(), last_id: 0 }
    }

    /// Sends a call without waiting for its answer.
    pub fn ask(&mut self, call: &str, mut ask: Value) -> u64 {
        self.last_id += 1;
        ask["id"] = json!(self.last_id);
        ask["call"] = json!(call);
        let body = ask.to_string();
        self.socket.write_all(&(body.len() as u32).to_le_bytes()).unwrap();
        self.socket.write_all(body.as_bytes()).unwrap();
        self.last_id
    }

    /// The answer to a call: `ok`, or `error` as `Err`.
    pub fn answer(&mut self, id: u64) -> Result<Value, Value> {
        loop {
            let frame = self.frame().expect("an answer");
            if frame.get("event").is_some() {
                self.events.push(frame);
            } else if frame["id"] == id {
                return frame.get("ok").cloned().ok_or_else(|| frame["error"].clone());
            }
        }
    }

    pub fn call(&mut self, call: &str, ask: Value) -> Result<Value, Value> {
        let id = self.ask(call, ask);
        self.answer(id)
    }

    /// The next event, kept ones first.
    pub fn event(&mut self) -> Value {
        if self.events.is_empty() { self.frame().expect("an event") } else { self.events.remove(0) }
    }

    /// The exit event of a container; others before it are dropped.
    pub fn exit(&mut self, container: &str) -> Value {
        loop {
            let event = self.event();
            if event["event"] == "exit" && event["container"] == container {
                return event;
            }
        }
    }

    /// One frame, `None` at the end of the connection.
    pub fn frame(&mut self) -> Option<Value> {
        let mut head = [0; 4];
        self.socket.read_exact(&mut head).ok()?;
        let mut body = vec![0; u32::from_le_bytes(head) as usize];
        self.socket.read_exact(&mut body).ok()?;
        Some(serde_json::from_slice(&body).unwrap())
    }

    pub fn send_packet(&mut self, kind: u8, body: &[u8]) {
        self.socket.write_all(&[kind]).unwrap();
        self.socket.write_all(&(body.len() as u32).to_le_bytes()).unwrap();
        self.socket.write_all(body).unwrap();
    }

    pub fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.socket.read_exact(&mut head).ok()?;
        let mut body = vec![0; u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize];
        self.socket.read_exact(&mut body).ok()?;
        Some((head[0], body))
    }

    /// Everything until the status packet, after which the connection must end.
    pub fn stream(&mut self) -> Stream {
        let mut stream = Stream::default();
        while let Some((kind, body)) = self.packet() {
            match kind {
                STDOUT => stream.stdout.extend(body),
                STDERR => stream.stderr.extend(body),
                STATUS => {
                    stream.status = serde_json::from_slice(&body).unwrap();
                    assert_eq!(self.packet(), None);
                    return stream;
                }
                other => panic!("packet of kind {other}"),
            }
        }
        panic!("the stream ended without a status: {stream:?}")
    }
}
