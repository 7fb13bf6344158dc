//! Attach: clients that share a container's output and may write to its stdin.

use std::time::{Duration, Instant};

use super::connection::{Connection, Role};
use super::messages::{AttachAsk, AttachReply, ExecStatus, State};
use super::shim::{Caller, Shim};
use super::stdio::Stream;
use crate::frame::FrameError;

/// Output is left in the pipe while more than this waits for an attached client, in bytes.
const MAX_ATTACH_WAITING_BYTES: usize = 256 << 10;

/// How long it is left there; a client that has not taken half of that by then is dropped.
const ATTACH_PATIENCE: Duration = Duration::from_millis(500);

impl Shim {
    pub fn attach(&mut self, caller: Caller, ask: &AttachAsk) -> Result<(), FrameError> {
        self.room_for_stream("attach")?;
        let container = self.find("attach to", &ask.container)?;
        container.require("attach to", &[State::Created, State::Running])?;
        let (tty, serial) = (container.tty, container.serial);
        self.reply(caller, &AttachReply { tty });
        if let Some(connection) = self.connection(caller.connection) {
            let AttachAsk { stdin, stdout, stderr, .. } = *ask;
            connection.role = Role::Attach { container: serial, stdin, stdout, stderr };
        }
        Ok(())
    }

    /// Sends a packet of output to everyone attached, and reads no more while one of them is too far behind.
    pub fn pass_to_attached(&mut self, serial: u32, stream: Stream, packet: &[u8]) {
        for connection in &mut self.connections {
            let Role::Attach { stdout, stderr, .. } = connection.role else { continue };
            let wanted = if stream == Stream::Out { stdout } else { stderr };
            if wanted && is_attached(connection, serial) {
                connection.send(&self.poll, packet, &[]);
            }
        }
        if self.is_one_behind(serial, MAX_ATTACH_WAITING_BYTES)
            && let Some(container) = self.containers.iter_mut().find(|found| found.serial == serial)
        {
            container.stdio.pause(&self.poll);
            container.stalled_until.get_or_insert_with(|| Instant::now() + ATTACH_PATIENCE);
        }
    }

    /// Attached clients have taken bytes or are gone: when all have caught up, output is read again.
    pub fn attached_took(&mut self, serial: u32) {
        let stalled = self.container(serial).is_some_and(|container| container.stalled_until.is_some());
        if stalled && !self.is_one_behind(serial, MAX_ATTACH_WAITING_BYTES / 2) {
            self.end_stall(serial);
        }
    }

    /// Drops those who have not caught up in time, with a notice.
    pub fn drop_slow(&mut self, serial: u32) {
        for connection in self.connections.iter_mut().filter(|it| is_attached(it, serial)) {
            if connection.waiting_bytes() > MAX_ATTACH_WAITING_BYTES / 2 {
                connection.send_status(&self.poll, &too_slow());
            }
        }
        self.end_stall(serial);
    }

    fn end_stall(&mut self, serial: u32) {
        let log_is_full = self.writer.is_full();
        let Some(container) = self.containers.iter_mut().find(|found| found.serial == serial) else { return };
        container.stalled_until = None;
        if !(container.log.is_some() && log_is_full) {
            container.stdio.listen(&self.poll);
        }
    }

    fn is_one_behind(&self, serial: u32, bytes: usize) -> bool {
        self.connections.iter().any(|it| is_attached(it, serial) && it.waiting_bytes() > bytes)
    }
}

/// It is there for this container, and not at its end.
fn is_attached(connection: &Connection, serial: u32) -> bool {
    let is_of_it = matches!(connection.role, Role::Attach { container, .. } if container == serial);
    is_of_it && connection.deadline().is_none()
}

fn too_slow() -> ExecStatus {
    let message = Some("attach: the client was too slow and is dropped".to_owned());
    ExecStatus { exit_code: 0, signal: 0, timed_out: false, message, kind: Some("exhausted".to_owned()) }
}
