//! Bytes between streams and clients: container output to its log and everyone attached, exec output to its client
//! with back-pressure, stdin from clients.

use super::connection::Role;
use super::messages::packet;
use super::packet::{HEAD_BYTES, head};
use super::shim::Shim;
use super::stdio::{self, Stdio, Stream};

/// Output is left in the pipe while more than this waits for an exec's client, in bytes.
const MAX_EXEC_WAITING_BYTES: usize = 64 << 10;

/// Reads of one stream before others get their turn.
const READS_PER_TURN: usize = 8;

impl Shim {
    /// Something can be read from an output of a container or exec.
    pub fn output_ready(&mut self, serial: u32, stream: Stream) {
        for _ in 0..READS_PER_TURN {
            if self.stdio(serial).is_none_or(|stdio| stdio.is_paused()) {
                return;
            }
            let mut scratch = std::mem::take(&mut self.scratch);
            let count = scratch.get_mut(HEAD_BYTES..).and_then(|room| self.stdio(serial)?.read(stream, room));
            if let Some(packet) = count.and_then(|count| scratch.get_mut(..HEAD_BYTES + count))
                && packet.len() > HEAD_BYTES
            {
                self.pass_on(serial, stream, packet);
            }
            self.scratch = scratch;
            match count {
                Some(0) => return self.output_ended(serial),
                Some(_) => {}
                None => return,
            }
        }
    }

    /// Hands on output that lies in `packet` behind the room for its head.
    fn pass_on(&mut self, serial: u32, stream: Stream, packet: &mut [u8]) {
        let kind = if stream == Stream::Out { packet::STDOUT } else { packet::STDERR };
        let (front, body) = packet.split_at_mut(HEAD_BYTES);
        front.copy_from_slice(&head(kind, body.len()));
        if let Some(container) = self.containers.iter_mut().find(|found| found.serial == serial) {
            if container.log.as_mut().is_some_and(|log| log.write(stream, body)) {
                container.stdio.pause(&self.poll);
            }
            if let Some(drain) = &mut container.drain {
                drain.quiet_at = std::time::Instant::now() + super::exit::QUIET;
            }
            self.pass_to_attached(serial, stream, packet);
        } else if let Some(exec) = self.execs.iter_mut().find(|found| found.serial == serial)
            && let Some(connection) = self.connections.iter_mut().find(|found| Some(found.serial) == exec.connection)
        {
            connection.send(&self.poll, packet, &[]);
            if connection.waiting_bytes() > MAX_EXEC_WAITING_BYTES {
                exec.stdio.pause(&self.poll);
            }
        }
    }

    fn output_ended(&mut self, serial: u32) {
        self.announce_if_drained(serial);
        self.settle_exec(serial);
    }

    /// A client has taken bytes: an exec or container that waited for it may go on.
    pub fn resume_output(&mut self, connection: u32) {
        let Some(found) = self.connections.iter().find(|found| found.serial == connection) else { return };
        if let Role::Attach { container, .. } = found.role {
            return self.attached_took(container);
        }
        if let Role::Exec(serial) = found.role
            && found.waiting_bytes() <= MAX_EXEC_WAITING_BYTES / 2
            && let Some(exec) = self.execs.iter_mut().find(|exec| exec.serial == serial)
            && exec.stdio.is_paused()
        {
            exec.stdio.listen(&self.poll);
            // What it wrote before its end may still lie in the pipes.
            if let Some((_, since)) = &mut exec.ended {
                *since = std::time::Instant::now();
            }
        }
    }

    /// The streams that a connection of this role sends to.
    pub fn stdio_of(&mut self, role: Role) -> Option<&mut Stdio> {
        match role {
            Role::Exec(serial) | Role::Attach { container: serial, .. } => self.stdio(serial),
            Role::New | Role::Calls { .. } => None,
        }
    }

    fn stdio(&mut self, serial: u32) -> Option<&mut Stdio> {
        let containers = self.containers.iter_mut().map(|container| (container.serial, &mut container.stdio));
        let execs = self.execs.iter_mut().map(|exec| (exec.serial, &mut exec.stdio));
        containers.chain(execs).find(|(found, _)| *found == serial).map(|(_, stdio)| stdio)
    }

    /// Writes for a client; false when it must wait until stdin takes more.
    pub fn write_stdin(&mut self, role: Role, bytes: &[u8]) -> bool {
        if matches!(role, Role::Attach { stdin: false, .. }) {
            return true;
        }
        let poll = self.poll.clone();
        self.stdio_of(role).is_none_or(|stdio| stdio.write(&poll, bytes))
    }

    /// A client sends no more. A container's stdin ends only with the first client, and only if it was asked to.
    pub fn close_stdin(&mut self, role: Role) {
        if let Role::Attach { container, stdin, .. } = role
            && !(stdin && self.container(container).is_some_and(|container| container.stdin_once))
        {
            return;
        }
        if let Some(stdio) = self.stdio_of(role) {
            stdio.close_stdin();
        }
    }

    /// Stdin takes bytes again: what was kept is written, and the clients that waited are read from.
    pub fn stdin_ready(&mut self, serial: u32) {
        let poll = self.poll.clone();
        if !self.stdio(serial).is_some_and(|stdio| stdio.write_on(&poll)) {
            return;
        }
        let concerns = |role: Role| match role {
            Role::Exec(found) | Role::Attach { container: found, .. } => found == serial,
            Role::New | Role::Calls { .. } => false,
        };
        let held = self.connections.iter_mut().filter(|connection| concerns(connection.role) && connection.is_held());
        let waiting: Vec<u32> = held
            .map(|connection| {
                connection.release(&poll);
                connection.serial
            })
            .collect();
        waiting.into_iter().for_each(|connection| self.take_input(connection));
    }

    /// The runtime may have sent the terminal of a container or exec.
    pub fn console_ready(&mut self, serial: u32) {
        let containers = self.containers.iter_mut().map(|it| (it.serial, &mut it.console, &mut it.stdio));
        let execs = self.execs.iter_mut().map(|it| (it.serial, &mut it.console, &mut it.stdio));
        let found = containers.chain(execs).find(|(found, ..)| *found == serial);
        if let Some((_, Some(console), stdio)) = found
            && let Some(master) = console.receive(&self.poll, serial)
            && let Ok(terminal) = stdio::terminal(serial, master)
        {
            *stdio = terminal;
        }
    }
}
