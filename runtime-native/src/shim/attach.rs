//! Attach: clients that share a container's output and may write to its stdin.

use super::connection::Role;
use super::messages::{AttachAsk, AttachReply, ExecStatus, State};
use super::shim::{Caller, Shim};
use super::stdio::Stream;
use crate::frame::FrameError;

/// An attached client that is this far behind is dropped, in bytes.
const MAX_ATTACH_WAITING_BYTES: usize = 256 << 10;

impl Shim {
    pub fn attach(&mut self, caller: Caller, ask: &AttachAsk) -> Result<(), FrameError> {
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

    /// Sends a packet of output to everyone attached; who is too far behind is dropped with a notice.
    pub fn pass_to_attached(&mut self, serial: u32, stream: Stream, packet: &[u8]) {
        for connection in &mut self.connections {
            let Role::Attach { container, stdout, stderr, .. } = connection.role else { continue };
            let wanted = if stream == Stream::Out { stdout } else { stderr };
            if container != serial || !wanted || connection.deadline().is_some() {
                continue;
            }
            connection.send(&self.poll, packet, &[]);
            if connection.waiting_bytes() > MAX_ATTACH_WAITING_BYTES {
                connection.send_status(&self.poll, &too_slow());
            }
        }
    }
}

fn too_slow() -> ExecStatus {
    let message = Some("attach: the client was too slow and is dropped".to_owned());
    ExecStatus { exit_code: 0, signal: 0, timed_out: false, message, kind: Some("exhausted".to_owned()) }
}
