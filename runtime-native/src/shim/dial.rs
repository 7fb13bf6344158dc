//! Dial: a TCP connection to a port of the pod, made here because the shim is in the pod's network. Once it stands, the
//! client's connection carries it on as a `Tunnel`.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::messages::{DialAsk, Done};
use super::poll::Source;
use super::shim::{Caller, Shim};
use super::tunnel::Tunnel;
use crate::frame::FrameError;

/// A connection under way.
pub struct Dial {
    serial: u32,
    caller: Caller,
    port: u16,
    socket: OwnedFd,
    /// Tried when this one is refused.
    next: Option<SocketAddr>,
    pub expires_at: Instant,
}

/// How long a port may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most connections into the pod at a time.
const MAX_TUNNELS: usize = 256;

impl Shim {
    /// Connects to the port on 127.0.0.1, then on ::1; `dial_ready` goes on when that has come to something.
    pub fn dial(&mut self, caller: Caller, ask: &DialAsk) -> Result<(), FrameError> {
        let refuse = |kind: &str, why: &str| Err(FrameError::new(kind, format!("dial port {}: {why}", ask.port)));
        if self.left_network {
            return refuse("wrong-state", "the pod has no network any more");
        }
        if self.dials.len() + self.tunnels.len() >= MAX_TUNNELS {
            let why = format!("too many connections into the pod (limit MAX_TUNNELS, {MAX_TUNNELS})");
            return refuse("exhausted", &why);
        }
        let next = Some(SocketAddr::from((Ipv6Addr::LOCALHOST, ask.port)));
        let socket = match start(SocketAddr::from((Ipv4Addr::LOCALHOST, ask.port))) {
            Ok(socket) => socket,
            Err(error) => return refuse("unavailable", &error.to_string()),
        };
        let serial = self.next_serial();
        self.poll.writes(&socket, Source::Dial(serial));
        let expires_at = Instant::now() + PATIENCE;
        self.dials.push(Dial { serial, caller, port: ask.port, socket, next, expires_at });
        if let Some(connection) = self.connections.iter_mut().find(|found| found.serial == caller.connection) {
            connection.hold(&self.poll);
        }
        Ok(())
    }

    /// A connection stands or was refused.
    pub fn dial_ready(&mut self, serial: u32) {
        let Some(at) = self.dials.iter().position(|dial| dial.serial == serial) else { return };
        let mut dial = self.dials.swap_remove(at);
        let Err(error) = sockopt::socket_error(&dial.socket).and_then(|outcome| outcome) else {
            return self.open_tunnel(dial);
        };
        match dial.next.take().map(start) {
            Some(Ok(socket)) => {
                self.poll.writes(&socket, Source::Dial(serial));
                self.dials.push(Dial { socket, ..dial });
            }
            _ => self.dial_failed(&dial, error),
        }
    }

    /// Gives up on what takes too long.
    pub fn dials_due(&mut self, now: Instant) {
        while let Some(at) = self.dials.iter().position(|dial| dial.expires_at <= now) {
            let dial = self.dials.swap_remove(at);
            self.dial_failed(&dial, Errno::TIMEDOUT);
        }
    }

    /// Ends every connection into the pod, so that its network can end too.
    pub fn end_dials(&mut self) {
        self.left_network = true;
        self.tunnels.clear();
        while let Some(dial) = self.dials.pop() {
            self.dial_failed(&dial, Errno::NETDOWN);
        }
    }

    fn open_tunnel(&mut self, dial: Dial) {
        self.reply(dial.caller, &Done {});
        let Some(at) = self.connections.iter().position(|found| found.serial == dial.caller.connection) else { return };
        let client = self.connections.swap_remove(at);
        self.tunnels.push(Tunnel::new(dial.serial, client, dial.socket));
        self.tunnel_ready(dial.serial, false);
    }

    fn dial_failed(&mut self, dial: &Dial, error: Errno) {
        let message = format!("dial port {} of the pod on 127.0.0.1 and ::1: {error}", dial.port);
        self.refuse(dial.caller, &FrameError::new("unavailable", message));
        if let Some(connection) = self.connections.iter_mut().find(|it| it.serial == dial.caller.connection) {
            connection.release(&self.poll);
        }
        self.take_input(dial.caller.connection);
    }
}

fn start(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}
