//! A call in flight: where it stands, and how it is cancelled.

use super::Engine;
use super::errors::cancelled;
use crate::frame::FrameError;
use rustix::process::{Pid, Signal, kill_process_group, pidfd_send_signal};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// One call from its arrival to its reply.
pub struct Call {
    pub id: u64,
    pub engine: Arc<Engine>,
    /// Set once the caller has lost interest; long loops look at it.
    pub cancelled: AtomicBool,
    progress: Mutex<Progress>,
}

/// What a cancelled call kills.
pub enum Victim {
    Group(Pid),
    Process(OwnedFd),
}

enum Progress {
    Queued,
    Running(Option<Victim>),
    Answered,
}

impl Call {
    /// A call that waits for its turn.
    pub fn new(id: u64, engine: Arc<Engine>) -> Arc<Self> {
        Arc::new(Self { id, engine, cancelled: AtomicBool::new(false), progress: Mutex::new(Progress::Queued) })
    }

    /// True when the call's turn has come; false when it was cancelled (and answered) while it waited.
    pub fn begin(&self) -> bool {
        let mut progress = self.progress();
        let waits = matches!(*progress, Progress::Queued);
        if waits {
            *progress = Progress::Running(None);
        }
        waits
    }

    /// Fails as `cancelled` once the caller has lost interest.
    pub fn check(&self) -> Result<(), FrameError> {
        if self.cancelled.load(Ordering::Relaxed) { Err(cancelled()) } else { Ok(()) }
    }

    /// From now on a cancel kills `victim`; one that came before kills it at once.
    pub fn kills(&self, victim: Victim) {
        let mut progress = self.progress();
        if self.cancelled.load(Ordering::Relaxed) {
            kill(&victim);
        }
        *progress = Progress::Running(Some(victim));
    }

    /// A cancel kills nothing any more. Must come before the victim is reaped, for its number may be given anew.
    pub fn spare(&self) {
        *self.progress() = Progress::Running(None);
    }

    /// Cancels; true when the call had not begun, so that nobody else will answer it.
    pub fn cancel(&self) -> bool {
        let mut progress = self.progress();
        self.cancelled.store(true, Ordering::Relaxed);
        match &*progress {
            Progress::Queued => {
                *progress = Progress::Answered;
                true
            }
            Progress::Running(Some(victim)) => {
                kill(victim);
                false
            }
            _ => false,
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends SIGKILL; a victim that is gone already is fine.
pub fn kill(victim: &Victim) {
    let _ = match victim {
        Victim::Group(leader) => kill_process_group(*leader, Signal::KILL),
        Victim::Process(pidfd) => pidfd_send_signal(pidfd, Signal::KILL),
    };
}

/// The calls in flight by number.
#[derive(Default)]
pub struct Calls {
    in_flight: Mutex<HashMap<u64, Arc<Call>>>,
}

impl Calls {
    /// Takes the call in; false when its number is in flight already.
    pub fn add(&self, call: &Arc<Call>) -> bool {
        let mut in_flight = self.in_flight();
        let fresh = !in_flight.contains_key(&call.id);
        if fresh {
            in_flight.insert(call.id, Arc::clone(call));
        }
        fresh
    }

    /// The call with that number, if it has not been answered.
    pub fn get(&self, id: u64) -> Option<Arc<Call>> {
        self.in_flight().get(&id).cloned()
    }

    /// Forgets a call that has its answer.
    pub fn remove(&self, id: u64) {
        self.in_flight().remove(&id);
    }

    /// Cancels everything, for berthd is gone, and waits until what runs has undone its work, at most `longest`.
    pub fn cancel_all(&self, longest: Duration) {
        self.in_flight().retain(|_, call| !call.cancel());
        let deadline = Instant::now() + longest;
        while !self.in_flight().is_empty() && Instant::now() < deadline {
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn in_flight(&self) -> MutexGuard<'_, HashMap<u64, Arc<Call>>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
