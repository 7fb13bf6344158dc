//! The thread that writes logs. A disk that hangs holds up this thread alone: the loop hands over bytes and paths, and
//! is told by an event descriptor when a file is open, when there is room again, and when everything is written.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::EventfdFlags;

use super::descriptors::Descriptors;
use super::kept::KeptLogFile;
use super::log_files::LogFiles;
use super::log_place::LogPlace;

/// What is queued beyond which nothing more should be read for logs, in bytes.
const FULL_BYTES: usize = 256 << 10;

/// Stack of the thread, in bytes.
const STACK_BYTES: usize = 32 << 10;

/// A handle to the writer; logs are named by serials.
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Locked by the thread while it works.
    files: Mutex<LogFiles>,
    work: Condvar,
    idle: Condvar,
    /// Readable when the loop has to look.
    news: OwnedFd,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Bytes handed over and not written yet.
    bytes: usize,
    working: bool,
    was_full: bool,
    news: Vec<News>,
}

/// What the thread is to do for a log.
pub enum Job {
    Open(u32, LogPlace),
    Write(u32, Vec<u8>),
    /// Says `Written`, after all that was handed over before.
    Tell(u32),
    Close(u32),
    /// Closes, and removes the file if it was made by opening it.
    Discard(u32),
}

/// What has come of what was asked for a log, in the order asked.
pub enum News {
    Opened(u32, io::Result<()>),
    /// Everything up to a `tell` is written, or lost.
    Written(u32),
    /// So many records were lost, and why.
    Lost(u32, u64, String),
}

impl Writer {
    /// Starts the thread. It keeps the namespaces of now: one that enters the pod's later must not hold them by it.
    pub fn start() -> io::Result<Self> {
        let news = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let queue = Mutex::new(Queue::default());
        let files = Mutex::new(LogFiles::default());
        let shared = Arc::new(Shared { queue, files, work: Condvar::new(), idle: Condvar::new(), news });
        let thread = Arc::clone(&shared);
        let builder = std::thread::Builder::new().name("berth-log".to_owned()).stack_size(STACK_BYTES);
        builder.spawn(move || write_for_ever(&thread))?;
        Ok(Self { shared })
    }

    /// Opens (again) the file of a log for appending, made when missing; the answer comes as `News::Opened`.
    pub fn open(&self, log: u32, place: LogPlace) {
        self.hand_over(Job::Open(log, place), 0);
    }

    pub fn write(&self, log: u32, records: Vec<u8>) {
        let bytes = records.len();
        self.hand_over(Job::Write(log, records), bytes);
    }

    /// Asks for `News::Written`.
    pub fn tell(&self, log: u32) {
        self.hand_over(Job::Tell(log), 0);
    }

    pub fn close(&self, log: u32) {
        self.hand_over(Job::Close(log), 0);
    }

    pub fn discard(&self, log: u32) {
        self.hand_over(Job::Discard(log), 0);
    }

    /// So much waits that no more should be read until there is news.
    pub fn is_full(&self) -> bool {
        let mut queue = self.shared.lock();
        queue.was_full |= queue.bytes > FULL_BYTES;
        queue.was_full
    }

    /// The news since the last call.
    pub fn take_news(&self) -> Vec<News> {
        let _ = rustix::io::read(&self.shared.news, &mut [0_u8; 8]);
        std::mem::take(&mut self.shared.lock().news)
    }

    /// Waits until everything is written, at most so long; true when there is no news of it either.
    pub fn settle(&self, limit: Duration) -> bool {
        let queue = self.shared.lock();
        let waited = self.shared.idle.wait_timeout_while(queue, limit, |queue| !queue.is_idle());
        waited.is_ok_and(|(queue, _)| queue.is_idle() && queue.news.is_empty())
    }

    /// The open files as they are handed over to the next version; only of a writer that has settled, others may wait.
    pub fn keep(&self, descriptors: &mut Descriptors) -> Vec<KeptLogFile> {
        self.shared.files.lock().unwrap_or_else(PoisonError::into_inner).keep(descriptors)
    }

    /// Goes on with the files of the version before.
    pub fn resume(&self, kept: Vec<KeptLogFile>) {
        *self.shared.files.lock().unwrap_or_else(PoisonError::into_inner) = LogFiles::resume(kept);
    }

    fn hand_over(&self, job: Job, bytes: usize) {
        let mut queue = self.shared.lock();
        queue.bytes += bytes;
        queue.jobs.push_back(job);
        self.shared.work.notify_one();
    }
}

impl AsFd for Writer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.news.as_fd()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_idle(&self) -> bool {
        self.jobs.is_empty() && !self.working
    }
}

fn write_for_ever(shared: &Shared) {
    loop {
        let job = next_job(shared);
        let bytes = if let Job::Write(_, records) = &job { records.len() } else { 0 };
        let news = shared.files.lock().unwrap_or_else(PoisonError::into_inner).work(job);
        let mut queue = shared.lock();
        queue.bytes = queue.bytes.saturating_sub(bytes);
        queue.working = false;
        let has_room = queue.was_full && queue.bytes <= FULL_BYTES / 4;
        queue.was_full &= !has_room;
        let told = !news.is_empty();
        queue.news.extend(news);
        if queue.is_idle() {
            queue.jobs = VecDeque::new();
            shared.idle.notify_all();
        }
        drop(queue);
        if told || has_room {
            let _ = rustix::io::write(&shared.news, &1_u64.to_ne_bytes());
        }
    }
}

fn next_job(shared: &Shared) -> Job {
    let mut queue = shared.lock();
    loop {
        if let Some(job) = queue.jobs.pop_front() {
            queue.working = true;
            return job;
        }
        queue = shared.work.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}
