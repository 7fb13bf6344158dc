//! What the shim says: answers to calls, events to all who want them.

use serde::Serialize;

use super::connection::{Connection, Role};
use super::messages::{Event, Refusal, Reply};
use super::shim::{Caller, Shim};
use crate::frame::{self, FrameError};

impl Shim {
    pub fn reply<T: Serialize>(&mut self, caller: Caller, ok: &T) {
        self.send(caller.connection, &frame::encode(&Reply { id: caller.id, ok }));
    }

    pub fn refuse(&mut self, caller: Caller, error: &FrameError) {
        self.send(caller.connection, &frame::encode(&Refusal { id: caller.id, error }));
    }

    /// Numbers an event, keeps it, tells everyone who wants events.
    pub fn announce(&mut self, event: Event) -> u64 {
        let numbered = self.events.add(event);
        let frame = frame::encode(&numbered);
        for connection in &mut self.connections {
            if connection.role == (Role::Calls { events: true }) {
                connection.send(&self.poll, &frame, &[]);
            }
        }
        numbered.seq
    }

    pub fn connection(&mut self, serial: u32) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.serial == serial)
    }

    fn send(&mut self, connection: u32, frame: &[u8]) {
        if let Some(connection) = self.connections.iter_mut().find(|found| found.serial == connection) {
            connection.send(&self.poll, frame, &[]);
        }
    }
}
