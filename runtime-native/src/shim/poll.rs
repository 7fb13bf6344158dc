//! What the loop waits on: an epoll set whose entries say by themselves whom they concern.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

/// Whom a ready descriptor concerns. The numbers are serials, used once in a shim's life, so that a late event of
/// something gone finds nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Listener,
    Signals,
    Writer,
    Connection(u32),
    Stdin(u32),
    Stdout(u32),
    Stderr(u32),
    Console(u32),
    Dial(u32),
    Client(u32),
    Target(u32),
}

impl Source {
    fn token(self) -> u64 {
        let (kind, serial) = match self {
            Self::Listener => (0_u64, 0),
            Self::Signals => (1, 0),
            Self::Connection(serial) => (2, serial),
            Self::Stdin(serial) => (3, serial),
            Self::Stdout(serial) => (4, serial),
            Self::Stderr(serial) => (5, serial),
            Self::Console(serial) => (6, serial),
            Self::Dial(serial) => (7, serial),
            Self::Client(serial) => (8, serial),
            Self::Target(serial) => (9, serial),
            Self::Writer => (10, 0),
        };
        kind << 32 | u64::from(serial)
    }

    fn of_token(token: u64) -> Option<Self> {
        let serial = token as u32;
        Some(match token >> 32 {
            0 => Self::Listener,
            1 => Self::Signals,
            2 => Self::Connection(serial),
            3 => Self::Stdin(serial),
            4 => Self::Stdout(serial),
            5 => Self::Stderr(serial),
            6 => Self::Console(serial),
            7 => Self::Dial(serial),
            8 => Self::Client(serial),
            9 => Self::Target(serial),
            10 => Self::Writer,
            _ => return None,
        })
    }
}

/// A handle to an epoll set, level-triggered.
#[derive(Clone)]
pub struct Poll {
    epoll: Rc<OwnedFd>,
}

/// Events taken from the kernel at once.
const BATCH: usize = 16;

impl Poll {
    pub fn new() -> rustix::io::Result<Self> {
        Ok(Self { epoll: Rc::new(epoll::create(CreateFlags::CLOEXEC)?) })
    }

    /// Waits for `fd` to become readable (or closed).
    pub fn reads(&self, fd: impl AsFd, source: Source) {
        self.set(fd, source, EventFlags::IN);
    }

    /// Waits for `fd` to become writable (or closed).
    pub fn writes(&self, fd: impl AsFd, source: Source) {
        self.set(fd, source, EventFlags::OUT);
    }

    /// Waits for either as asked; with neither, for the other side's end alone.
    pub fn waits(&self, fd: impl AsFd, source: Source, read: bool, write: bool) {
        let flag = |wanted, flag| if wanted { flag } else { EventFlags::empty() };
        self.set(fd, source, flag(read, EventFlags::IN) | flag(write, EventFlags::OUT));
    }

    /// Waits for `fd` no more; fine when it was not waited for.
    pub fn forget(&self, fd: impl AsFd) {
        let _ = epoll::delete(&*self.epoll, fd);
    }

    /// What is ready, and whether its other side is closed, after at most the time until `deadline`.
    pub fn wait(&self, deadline: Option<Instant>) -> impl Iterator<Item = (Source, bool)> + use<> {
        let timeout = deadline.map(|at| timespec(at.saturating_duration_since(Instant::now())));
        let mut events = [epoll::Event { flags: EventFlags::empty(), data: EventData::new_u64(u64::MAX) }; BATCH];
        let count = epoll::wait(&*self.epoll, &mut events, timeout.as_ref()).unwrap_or(0);
        events.into_iter().take(count).filter_map(|event| {
            let flags = event.flags;
            let closed = flags.intersects(EventFlags::HUP | EventFlags::ERR);
            Source::of_token(event.data.u64()).map(|source| (source, closed))
        })
    }

    fn set(&self, fd: impl AsFd, source: Source, flags: EventFlags) {
        let data = EventData::new_u64(source.token());
        if epoll::add(&*self.epoll, &fd, data, flags) == Err(Errno::EXIST) {
            let _ = epoll::modify(&*self.epoll, &fd, data, flags);
        }
    }
}

fn timespec(left: Duration) -> Timespec {
    Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) }
}
