//! A registry that answers several connections side by side and keeps them open, as real ones do.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::server::{Request, read_request};

/// What was asked, and on which connection.
#[derive(Debug, Clone)]
pub struct Asked {
    pub connection: usize,
    /// First and last byte of a range that has both.
    pub range: Option<(usize, usize)>,
}

/// Listens until dropped.
pub struct Crowd {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    closing: Arc<AtomicBool>,
}

impl Crowd {
    /// `answer` writes to the connection, which closes when that is false.
    pub fn start(answer: impl Fn(&Asked, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, closing) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, stop, answer) = (asked.clone(), closing.clone(), Arc::new(answer));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (log, answer, mut stream) = (log.clone(), answer.clone(), stream.unwrap());
                thread::spawn(move || {
                    while let Some(request) = read_request(&mut stream) {
                        let one = Asked { connection, range: range_of(&request) };
                        log.lock().unwrap().push(one.clone());
                        if !answer(&one, &mut stream) {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, asked, closing }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn range_of(request: &Request) -> Option<(usize, usize)> {
    let (first, last) = request.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// Answers the bytes from `first` to `last` of `blob`, as a good registry does.
pub fn part(blob: &[u8], first: usize, last: usize, connection: &mut TcpStream) -> bool {
    head("206 Partial Content", last - first + 1, Some((first, last, blob.len())), connection)
        && connection.write_all(&blob[first..=last]).is_ok()
}

/// Answers a head that promises `length` bytes.
pub fn head(status: &str, length: usize, range: Option<(usize, usize, usize)>, connection: &mut TcpStream) -> bool {
    let range =
        range.map_or(String::new(), |(first, last, all)| format!("Content-Range: bytes {first}-{last}/{all}\r\n"));
    connection.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{range}\r\n").as_bytes()).is_ok()
}
