//! A registry of a few lines: each connection is answered by the test's own function.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A request's first line and headers, names in lower case.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub path: String,
    pub headers: Vec<(String, String)>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// First byte that a `Range` header asks for, 0 without one.
    pub fn start(&self) -> usize {
        let range = self.header("range").unwrap_or("bytes=0-");
        range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap()
    }
}

/// Listens until dropped, and remembers what it was asked.
pub struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// `answer` gets the count of earlier requests, the request and the connection, which closes when it returns.
    pub fn start(answer: impl Fn(usize, &Request, &mut dyn ReadWrite) + Send + 'static) -> Self {
        Self::start_wrapped(|stream| Some(Box::new(stream)), answer)
    }

    /// As `start`, with each connection wrapped (in TLS) first.
    pub fn start_wrapped(
        wrap: impl Fn(std::net::TcpStream) -> Option<Box<dyn ReadWrite>> + Send + 'static,
        answer: impl Fn(usize, &Request, &mut dyn ReadWrite) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, closing) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, stop) = (asked.clone(), closing.clone());
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let Some(mut connection) = wrap(stream.unwrap()) else { continue };
                let Some(request) = read_request(&mut *connection) else { continue };
                let count = log.lock().unwrap().len();
                log.lock().unwrap().push(request.clone());
                answer(count, &request, &mut *connection);
                let _ = connection.flush();
            }
        });
        Self { address, asked, closing, thread: Some(thread) }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        let _ = std::net::TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

pub trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

pub fn read_request(connection: &mut dyn ReadWrite) -> Option<Request> {
    let mut lines = BufReader::new(connection).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let headers = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
        .collect();
    Some(Request { path, headers })
}

/// Answers `blob` from the byte asked for on, as a good registry does.
pub fn serve(blob: &[u8], request: &Request, connection: &mut dyn ReadWrite) {
    let start = request.start();
    respond_length(blob, start, blob.len() - start, connection);
}

/// Answers only the first `count` bytes of what was asked for, having promised all.
pub fn respond_length(blob: &[u8], start: usize, count: usize, connection: &mut dyn ReadWrite) {
    let (status, total) = (if start > 0 { "206 Partial Content" } else { "200 OK" }, blob.len());
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{total}\r\n\r\n",
        total - start,
        total - 1,
    );
    let _ = connection.write_all(head.as_bytes());
    let _ = connection.write_all(&blob[start..start + count]);
}

/// Answers a head and nothing more.
pub fn respond(head: &str, connection: &mut dyn ReadWrite) {
    let _ = connection.write_all(format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n").as_bytes());
}
