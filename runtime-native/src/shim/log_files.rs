//! The files that the log writer has open, and what it does with them.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

use super::descriptors::{Descriptors, adopt};
use super::kept::KeptLogFile;
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
    /// The last record was cut short and could not be taken back; the next starts a line of its own.
    torn: bool,
    lost: Lost,
}

/// Records that the disk did not take, and that nobody was told of yet.
#[derive(Default)]
struct Lost {
    records: u64,
    /// Of the last of them.
    reason: String,
    told_at: Option<Instant>,
}

/// Shortest time between two tellings of lost records of one log.
const BETWEEN: Duration = Duration::from_secs(1);

impl LogFiles {
    /// As they are handed over to the next version.
    pub fn keep(&self, descriptors: &mut Descriptors) -> Vec<KeptLogFile> {
        let kept = self.0.iter().map(|LogFile { log, place, made, file, torn, lost }| {
            let (folder, below) = place.parts();
            KeptLogFile {
                log: *log,
                folder,
                below,
                made: *made,
                file: descriptors.keep(file),
                torn: *torn,
                lost_records: lost.records,
                lost_reason: lost.reason.clone(),
            }
        });
        kept.collect()
    }

    pub fn resume(kept: Vec<KeptLogFile>) -> Self {
        let files = kept.into_iter().map(|it| {
            let lost = Lost { records: it.lost_records, reason: it.lost_reason, told_at: None };
            let (place, file) = (LogPlace::of_parts(it.folder, it.below), File::from(adopt(it.file)));
            LogFile { log: it.log, place, made: it.made, file, torn: it.torn, lost }
        });
        Self(files.collect())
    }

    /// Does one job; blocks as long as the disk does.
    pub fn work(&mut self, job: Job) -> Vec<News> {
        let files = &mut self.0;
        match job {
            Job::Open(log, place) => {
                let outcome = place.open().map(|(file, made)| {
                    files.retain(|known| known.log != log);
                    files.push(LogFile { log, place, made, file, torn: false, lost: Lost::default() });
                });
                return vec![News::Opened(log, outcome)];
            }
            Job::Tell(log) => {
                let known = files.iter_mut().find(|known| known.log == log);
                return known.and_then(|known| known.lost.news(log)).into_iter().chain([News::Written(log)]).collect();
            }
            Job::Write(log, records) => {
                if let Some(known) = files.iter_mut().find(|known| known.log == log) {
                    known.append(&records);
                    return known.lost.news_in_time(log).into_iter().collect();
                }
            }
            Job::Close(log) => files.retain(|known| known.log != log),
            Job::Discard(log) => {
                let made = files.iter().filter(|known| known.log == log && known.made);
                made.for_each(|known| drop(known.place.remove()));
                files.retain(|known| known.log != log);
            }
        }
        Vec::new()
    }
}

impl Lost {
    fn add(&mut self, unwritten: &[u8], error: &io::Error) {
        self.records += unwritten.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.reason = error.to_string();
    }

    /// Now and then, so that a disk that stays full costs no more than one that is.
    fn news_in_time(&mut self, log: u32) -> Option<News> {
        if self.told_at.is_some_and(|at| at.elapsed() < BETWEEN) { None } else { self.news(log) }
    }

    fn news(&mut self, log: u32) -> Option<News> {
        if self.records == 0 {
            return None;
        }
        self.told_at = Some(Instant::now());
        Some(News::Lost(log, std::mem::take(&mut self.records), std::mem::take(&mut self.reason)))
    }
}

impl LogFile {
    /// Appends, or loses the records when the disk takes none; one that was cut short is taken back.
    fn append(&mut self, records: &[u8]) {
        let ready = if self.torn { write_all(&mut self.file, b"\n").map_err(|(_, error)| (0, error)) } else { Ok(()) };
        self.torn &= ready.is_err();
        if let Err((written, error)) = ready.and_then(|()| write_all(&mut self.file, records)) {
            let whole = records.iter().take(written).rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
            self.torn |= written > whole && self.take_back(written - whole).is_err();
            self.lost.add(records.get(whole..).unwrap_or_default(), &error);
        }
    }

    /// Takes the last bytes away again: cut short they would look like a record.
    fn take_back(&self, bytes: usize) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        self.file.set_len(length.saturating_sub(bytes as u64))
    }
}

/// Writes all bytes; on error, how many of them were written.
fn write_all(file: &mut File, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
            Ok(0) => return Err((written, ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_the_disk_does_not_take_are_counted_and_told_before_the_end() {
        let mut files = LogFiles::default();
        files.work(Job::Open(1, LogPlace::new("/dev", "/dev/full")));
        let first = files.work(Job::Write(1, b"one\ntwo\n".to_vec()));
        assert!(matches!(&first[..], [News::Lost(1, 2, reason)] if reason.contains("No space left")));
        assert!(files.work(Job::Write(1, b"three\n".to_vec())).is_empty());
        let last = files.work(Job::Tell(1));
        assert!(matches!(&last[..], [News::Lost(1, 1, _), News::Written(1)]));
    }

    #[test]
    fn nothing_is_told_of_a_disk_that_takes_all() {
        let mut files = LogFiles::default();
        files.work(Job::Open(1, LogPlace::new("/dev", "/dev/null")));
        assert!(files.work(Job::Write(1, b"one\n".to_vec())).is_empty());
        assert!(matches!(&files.work(Job::Tell(1))[..], [News::Written(1)]));
    }
}
