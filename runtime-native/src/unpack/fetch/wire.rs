//! The TCP connection below HTTP and TLS: to given addresses, in short waits, given up when it stalls.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};

use super::location::port;
use super::pace::Pace;
use crate::unpack::stream::Flow;

/// Longest single wait for the peer; bounds how late an abandoned fetch is noticed.
const WAIT: Duration = Duration::from_millis(250);
/// Longest wait for one address to accept.
const CONNECT: Duration = Duration::from_secs(10);
const INPUT_BYTES: usize = 128 << 10;
const OUTPUT_BYTES: usize = 16 << 10;

/// The given addresses for one host, the proxy's where there is one; any other (a redirect's) is looked up by libc.
///
/// In a static glibc binary that lookup uses its own `files` and `dns`; other NSS modules need the same libc installed.
#[derive(Debug)]
pub struct Addresses {
    pub host: String,
    pub given: Vec<IpAddr>,
}

impl Resolver for Addresses {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let found: Vec<SocketAddr> = if host == self.host && !self.given.is_empty() {
            self.given.iter().map(|address| SocketAddr::new(*address, port(uri))).collect()
        } else {
            format!("{host}:{}", port(uri)).to_socket_addrs()?.collect()
        };
        if found.is_empty() {
            return Err(ureq::Error::HostNotFound);
        }
        let mut addresses = self.empty();
        found.into_iter().take(16).for_each(|address| addresses.push(address));
        Ok(addresses)
    }
}

/// Opens [`Wire`]s.
#[derive(Debug)]
pub struct WireConnector {
    pub min_bytes: u64,
    pub stall: Duration,
    pub flow: Arc<Flow>,
}

impl<In: Transport> Connector<In> for WireConnector {
    type Out = Either<In, Wire>;

    /// A connection that is there already, a proxy's tunnel, is handed on.
    fn connect(&self, details: &ConnectionDetails, there: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        if let Some(tunnel) = there {
            return Ok(Some(Either::A(tunnel)));
        }
        let mut refusal = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in &details.addrs {
            if self.flow.abandoned.load(Ordering::Relaxed) {
                return Err(abandoned().into());
            }
            match TcpStream::connect_timeout(address, self.stall.clamp(WAIT, CONNECT)) {
                Ok(stream) => return Ok(Some(Either::B(self.wire(stream)?))),
                Err(error) => refusal = io::Error::new(error.kind(), format!("{address}: {error}")),
            }
        }
        Err(refusal.into())
    }
}

impl WireConnector {
    fn wire(&self, stream: TcpStream) -> io::Result<Wire> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(WAIT))?;
        stream.set_write_timeout(Some(self.stall.max(WAIT)))?;
        Ok(Wire {
            stream,
            buffers: LazyBuffers::new(INPUT_BYTES, OUTPUT_BYTES),
            pace: Pace::new(self.min_bytes, self.stall),
            flow: self.flow.clone(),
        })
    }
}

/// One TCP connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    buffers: LazyBuffers,
    pace: Pace,
    flow: Arc<Flow>,
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        loop {
            if self.flow.abandoned.load(Ordering::Relaxed) {
                return Err(abandoned().into());
            }
            let started = Instant::now();
            let outcome = self.stream.read(self.buffers.input_append_buf());
            let bytes = match outcome {
                Ok(count) => Some(count),
                Err(error) if is_wait(&error) => None,
                Err(error) => return Err(error.into()),
            };
            if !self.pace.keeps_up(bytes.unwrap_or(0) as u64, started.elapsed()) {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the connection has stalled").into());
            }
            if let Some(count) = bytes {
                self.buffers.input_appended(count);
                return Ok(count > 0);
            }
        }
    }

    /// Whether the peer keeps it open and silent, as it does between two ranges.
    fn is_open(&mut self) -> bool {
        let silent = |stream: &TcpStream| matches!(stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        let open = self.stream.set_nonblocking(true).is_ok() && silent(&self.stream);
        open && self.stream.set_nonblocking(false).is_ok()
    }
}

fn is_wait(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

fn abandoned() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "nobody reads any more")
}
