//! The files that the log writer has open, and what it does with them.

use std::fs::File;
use std::io::Write;

use super::log_place::LogPlace;
use super::writer::{Job, News};

/// Open logs, by serial.
#[derive(Default)]
pub struct LogFiles(Vec<LogFile>);

struct LogFile {
    log: u32,
    place: LogPlace,
    made: bool,
    file: File,
    /// The last record was cut short.
    torn: bool,
}

impl LogFiles {
    /// Does one job; blocks as long as the disk does.
    pub fn work(&mut self, job: Job) -> Option<News> {
        let files = &mut self.0;
        match job {
            Job::Open(log, place) => {
                let outcome = place.open().map(|(file, made)| {
                    files.retain(|known| known.log != log);
                    files.push(LogFile { log, place, made, file, torn: false });
                });
                return Some(News::Opened(log, outcome));
            }
            Job::Tell(log) => return Some(News::Written(log)),
            Job::Write(log, records) => {
                if let Some(known) = files.iter_mut().find(|known| known.log == log) {
                    known.append(&records);
                }
            }
            Job::Close(log) => files.retain(|known| known.log != log),
            Job::Discard(log) => {
                let made = files.iter().filter(|known| known.log == log && known.made);
                made.for_each(|known| drop(known.place.remove()));
                files.retain(|known| known.log != log);
            }
        }
        None
    }
}

impl LogFile {
    /// Appends, or loses the records when the disk takes none. After a cut record the next starts a line of its own.
    fn append(&mut self, records: &[u8]) {
        let ready = !self.torn || self.file.write_all(b"\n").is_ok();
        self.torn = !ready || self.file.write_all(records).is_err();
    }
}
