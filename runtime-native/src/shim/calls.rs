//! What clients send: frames to the call they name, packets to the exec or container they belong to.

use serde::de::DeserializeOwned;

use super::connection::{Connection, Role};
use super::messages::{Call, Done, HelloAsk, HelloReply};
use super::packet::Input;
use super::shim::{Caller, Shim};
use super::{protocol, start};
use crate::frame::{self, FrameError};

impl Shim {
    /// Sends on and reads on.
    pub fn connection_ready(&mut self, serial: u32, closed: bool) {
        let Some(connection) = self.connections.iter_mut().find(|found| found.serial == serial) else { return };
        connection.flush(&self.poll);
        if closed && !connection.is_reading() {
            connection.break_off();
        }
        connection.receive(&mut self.scratch);
        self.take_input(serial);
        self.resume_output(serial);
    }

    /// Handles everything complete in a connection's input.
    pub fn take_input(&mut self, serial: u32) {
        while let Some(connection) = self.connection(serial)
            && !connection.is_held()
            && !connection.input.is_empty()
        {
            let outcome = match connection.role {
                Role::New | Role::Calls { .. } => self.take_call(serial),
                Role::Exec(_) | Role::Attach { .. } => self.take_packet(serial),
            };
            match outcome {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.cut_off(serial, &error),
            }
        }
        if let Some(connection) = self.connection(serial)
            && connection.input.is_empty()
        {
            connection.input = Vec::new();
        }
    }

    fn take_call(&mut self, serial: u32) -> Result<bool, FrameError> {
        let Some(connection) = self.connection(serial) else { return Ok(false) };
        let greeted = connection.role != Role::New;
        let Some(body) = frame::take(&mut connection.input)? else { return Ok(false) };
        let call: Call = parse(&body)?;
        if !greeted && call.call != "hello" {
            return Err(FrameError::new("invalid", format!("call {} before hello", call.call)));
        }
        let caller = Caller { connection: serial, id: call.id };
        if let Err(error) = self.dispatch(caller, &call.call, &body) {
            self.refuse(caller, &error);
        }
        Ok(true)
    }

    fn dispatch(&mut self, caller: Caller, call: &str, body: &[u8]) -> Result<(), FrameError> {
        match call {
            "hello" => self.hello(caller, &parse(body)?),
            "create" => self.create(caller, parse(body)?),
            "start" => self.start(caller, &parse(body)?),
            "stop" => self.stop(caller, &parse(body)?),
            "delete" => self.delete(caller, &parse(body)?),
            "reopenLog" => self.reopen_log(caller, &parse(body)?),
            "update" => self.update(caller, &parse(body)?),
            "exec" => self.exec(caller, &parse(body)?),
            "attach" => self.attach(caller, &parse(body)?),
            "dial" => self.dial(caller, &parse(body)?),
            "leaveNetwork" => {
                self.end_dials();
                start::leave_network(&self.pod)?;
                self.reply(caller, &Done {});
                Ok(())
            }
            "quit" => self.quit(caller),
            "upgrade" => self.upgrade(caller, parse(body)?),
            _ => Err(FrameError::new("unsupported", format!("call {call}: this shim does not know it"))),
        }
    }

    fn hello(&mut self, caller: Caller, ask: &HelloAsk) -> Result<(), FrameError> {
        let reply = HelloReply {
            protocol: protocol::common(ask)?,
            speaks: protocol::SPOKEN,
            version: protocol::RELEASE.to_owned(),
            pid: std::process::id() as i32,
            pause_pid: self.pod.pause_pid,
            seq: self.events.last(),
            containers: self.containers.iter().map(|container| container.held()).collect(),
        };
        self.reply(caller, &reply);
        let since = u64::try_from(ask.since_seq).ok();
        let exits = self.containers.iter().filter_map(|container| container.exit_event());
        let missed = since.map(|seq| self.events.since(seq, exits)).unwrap_or_default();
        if let Some(connection) = self.connections.iter_mut().find(|found| found.serial == caller.connection) {
            connection.role = Role::Calls { events: since.is_some() };
            missed.iter().for_each(|event| connection.send(&self.poll, &frame::encode(event), &[]));
        }
        Ok(())
    }

    fn quit(&mut self, caller: Caller) -> Result<(), FrameError> {
        if !self.containers.is_empty() {
            let message = format!("quit: the pod still holds {} containers; delete them first", self.containers.len());
            return Err(FrameError::new("wrong-state", message));
        }
        self.reply(caller, &Done {});
        self.quitting = true;
        Ok(())
    }

    fn take_packet(&mut self, serial: u32) -> Result<bool, FrameError> {
        let Some(connection) = self.connection(serial) else { return Ok(false) };
        let Some(input) = connection.packets.take(&mut connection.input)? else { return Ok(false) };
        let role = connection.role;
        let Some(stdio) = self.stdio_of(role) else { return Ok(true) };
        let mut keeps_up = true;
        match input {
            Input::Resize(size) => stdio.resize(size),
            Input::CloseStdin => self.close_stdin(role),
            Input::Stdin(bytes) => keeps_up = self.write_stdin(role, &bytes),
        }
        if !keeps_up && let Some(connection) = self.connections.iter_mut().find(|found| found.serial == serial) {
            connection.hold(&self.poll);
        }
        Ok(true)
    }

    /// Says what was wrong and ends the connection.
    fn cut_off(&mut self, serial: u32, error: &FrameError) {
        self.refuse(Caller { connection: serial, id: 0 }, error);
        if let Some(connection) = self.connections.iter_mut().find(|found| found.serial == serial) {
            connection.end(&self.poll);
        }
    }

    /// Lets go of what a closed connection was there for.
    pub fn connection_closed(&mut self, connection: &Connection) {
        match connection.role {
            Role::New | Role::Calls { .. } => {}
            Role::Exec(exec) => self.exec_abandoned(exec),
            Role::Attach { container, .. } => {
                self.close_stdin(connection.role);
                self.attached_took(container);
            }
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(body).map_err(|error| FrameError::new("invalid", format!("message: {error}")))
}
