//! Rotation of logs, and what the log writer tells.

use super::container::Container;
use super::log::Log;
use super::messages::{ContainerAsk, Done, Event, State};
use super::shim::{Caller, Shim};
use super::start::failed;
use super::writer::News;
use crate::frame::FrameError;

impl Shim {
    /// Has the log opened again; the answer follows when the new file is there.
    pub fn reopen_log(&mut self, caller: Caller, ask: &ContainerAsk) -> Result<(), FrameError> {
        let container = self.find("reopen the log of", &ask.container)?;
        container.require("reopen the log of", &[State::Created, State::Running])?;
        match &container.log {
            Some(log) => {
                log.reopen();
                container.reopeners.push(caller);
            }
            None => self.reply(caller, &Done {}),
        }
        Ok(())
    }

    /// The log writer has opened files, written what ended containers said, or has room again.
    pub fn writer_ready(&mut self) {
        for news in self.writer.take_news() {
            match news {
                News::Opened(serial, outcome) => self.log_opened(serial, outcome),
                News::Written(serial) => self.announce_exit(serial),
                News::Lost(serial, records, reason) => self.log_lost(serial, records, reason),
            }
        }
        if !self.writer.is_full() {
            let waits = |container: &&mut Container| container.stdio.is_paused() && container.stalled_until.is_none();
            self.containers.iter_mut().filter(waits).for_each(|container| container.stdio.listen(&self.poll));
        }
    }

    fn log_lost(&mut self, serial: u32, records: u64, reason: String) {
        let Some(container) = self.container(serial) else { return };
        let container = container.id.clone();
        self.announce(Event::LogLost { container, records, reason });
    }

    fn log_opened(&mut self, serial: u32, outcome: std::io::Result<()>) {
        let Some(container) = self.container(serial) else { return };
        let path = container.log.as_ref().map_or_else(String::new, Log::path);
        let outcome = outcome.map_err(failed(&format!("open log {path}")));
        if container.log_opened.is_none() {
            container.log_opened = Some(outcome);
            if let Some((caller, _)) = container.creator.take() {
                self.finish_create(serial, caller);
            }
        } else if !container.reopeners.is_empty() {
            let caller = container.reopeners.remove(0);
            match outcome {
                Ok(()) => self.reply(caller, &Done {}),
                Err(error) => self.refuse(caller, &error),
            }
        }
    }
}
