//! A tunnel: bytes between a client and a socket in the pod's network, both ways, each way ending by itself.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown};

use super::connection::Connection;
use super::descriptors::{Descriptors, adopt};
use super::kept::{KeptTunnel, KeptWay};
use super::poll::{Poll, Source};
use super::shim::Shim;

pub struct Tunnel {
    pub serial: u32,
    client: UnixStream,
    target: OwnedFd,
    up: Way,
    down: Way,
}

/// One direction. It reads only while nothing waits, so that it never holds more than one read.
#[derive(Default)]
struct Way {
    waiting: Vec<u8>,
    /// The sender has said that no more comes.
    ended: bool,
    /// The receiver knows.
    passed_on: bool,
}

/// Reads of one direction before others get their turn.
const READS_PER_TURN: usize = 8;

impl Tunnel {
    /// Takes over a client's connection with the bytes that are on their way in it.
    pub fn new(serial: u32, client: Connection, target: OwnedFd) -> Self {
        let (client, received, unsent) = client.into_parts();
        let way = |waiting| Way { waiting, ..Way::default() };
        Self { serial, client, target, up: way(received), down: way(unsent) }
    }

    /// As it is handed over to the next version.
    pub fn keep(&self, descriptors: &mut Descriptors) -> KeptTunnel {
        let Self { serial, client, target, up, down } = self;
        let (client, target) = (descriptors.keep(client), descriptors.keep(target));
        KeptTunnel { serial: *serial, client, target, up: up.keep(), down: down.keep() }
    }

    pub fn resume(kept: KeptTunnel, poll: &Poll) -> Self {
        let KeptTunnel { serial, client, target, up, down } = kept;
        let (up, down) = (Way::resume(up), Way::resume(down));
        let tunnel = Self { serial, client: adopt(client).into(), target: adopt(target), up, down };
        tunnel.watch(poll);
        tunnel
    }

    /// Moves what can be moved; false when the tunnel is over.
    fn carry(&mut self, scratch: &mut [u8]) -> bool {
        self.up.carry(&self.client, &self.target, scratch);
        self.down.carry(&self.target, &self.client, scratch);
        !(self.up.passed_on && self.down.passed_on)
    }

    fn watch(&self, poll: &Poll) {
        let (to_client, to_target) = (!self.down.waiting.is_empty(), !self.up.waiting.is_empty());
        let from_client = !self.up.ended && !to_target;
        let from_target = !self.down.ended && !to_client;
        // A client that sends no more may still go away: its end is always waited for.
        if from_client || to_client || self.up.ended {
            poll.waits(&self.client, Source::Client(self.serial), from_client, to_client);
        } else {
            poll.forget(&self.client);
        }
        if from_target || to_target {
            poll.waits(&self.target, Source::Target(self.serial), from_target, to_target);
        } else {
            poll.forget(&self.target);
        }
    }
}

impl Way {
    fn keep(&self) -> KeptWay {
        let Self { waiting, ended, passed_on } = self;
        KeptWay { waiting: waiting.clone(), ended: *ended, passed_on: *passed_on }
    }

    fn resume(kept: KeptWay) -> Self {
        let KeptWay { waiting, ended, passed_on } = kept;
        Self { waiting, ended, passed_on }
    }

    /// Moves what can be moved. An error on either side ends this direction only: the other may still bring an answer.
    fn carry(&mut self, from: impl AsFd, to: impl AsFd, scratch: &mut [u8]) {
        if self.try_carry(&from, &to, scratch).is_err() {
            *self = Self { ended: true, passed_on: true, ..Self::default() };
            let _ = rustix::net::shutdown(&to, Shutdown::Write);
        }
    }

    fn try_carry(&mut self, from: impl AsFd, to: impl AsFd, scratch: &mut [u8]) -> Result<(), Errno> {
        for _ in 0..READS_PER_TURN {
            if !self.waiting.is_empty() {
                let sent = send(&to, &self.waiting)?;
                self.waiting.drain(..sent);
                if !self.waiting.is_empty() {
                    return Ok(());
                }
                self.waiting = Vec::new();
            }
            if self.ended {
                return self.pass_end_on(&to);
            }
            match rustix::io::read(&from, &mut *scratch) {
                // At once, also in the last read of a turn: nothing would wake this way for it later.
                Ok(0) => {
                    self.ended = true;
                    return self.pass_end_on(&to);
                }
                Ok(count) => {
                    let read = scratch.get(..count).unwrap_or_default();
                    let sent = send(&to, read)?;
                    self.waiting.extend_from_slice(read.get(sent..).unwrap_or_default());
                }
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn pass_end_on(&mut self, to: impl AsFd) -> Result<(), Errno> {
        if std::mem::replace(&mut self.passed_on, true) { Ok(()) } else { rustix::net::shutdown(&to, Shutdown::Write) }
    }
}

fn send(to: impl AsFd, bytes: &[u8]) -> Result<usize, Errno> {
    match rustix::net::send(to, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        outcome => outcome,
    }
}

impl Shim {
    /// One end of a tunnel has something to read or room to write, or the client is `gone`.
    pub fn tunnel_ready(&mut self, serial: u32, gone: bool) {
        let Some(at) = self.tunnels.iter().position(|tunnel| tunnel.serial == serial) else { return };
        let Some(tunnel) = self.tunnels.get_mut(at) else { return };
        if tunnel.carry(&mut self.scratch) && !(gone && tunnel.up.ended) {
            tunnel.watch(&self.poll);
        } else {
            self.tunnels.swap_remove(at);
        }
    }
}
