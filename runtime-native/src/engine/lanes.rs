//! Lanes: work of one kind, done by at most so many threads, so that what is stuck holds up only its own kind.
//! Threads start on demand and end when idle.

use super::heap;
use crate::frame::FrameError;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Jobs that may wait in one lane.
const QUEUE_MAX: usize = 1024;
/// A thread without work ends after this long.
const IDLE: Duration = Duration::from_secs(5);
const SMALL_STACK_BYTES: usize = 192 << 10;
/// TLS and decompression keep large frames on the stack.
const FETCH_STACK_BYTES: usize = 1 << 20;

/// Lanes that give way to others: nobody's pod may wait for the bytes of an image or for a tree's removal.
const YIELDING: [&str; 2] = ["fetch", "disk"];
/// How far they give way (setpriority(2), for each thread by itself).
const YIELDING_NICE: i32 = 10;

/// A piece of work that answers its call itself.
pub type Job = Box<dyn FnOnce() + Send>;

/// The kinds of work, each with threads of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Spawn,
    CniAdd,
    CniDel,
    CniAsk,
    Runtime,
    Disk,
    Commit,
    Fetch,
    Reads,
    Mounts,
    Release,
    Sources,
}

/// Name, most threads, stack of each thread in bytes; in the order of `Lane`.
const KINDS: [(&str, usize, usize); 12] = [
    ("spawn", 4, SMALL_STACK_BYTES),
    ("cni-add", 8, SMALL_STACK_BYTES),
    ("cni-del", 4, SMALL_STACK_BYTES),
    ("cni-ask", 2, SMALL_STACK_BYTES),
    ("runtime", 4, SMALL_STACK_BYTES),
    ("disk", 2, SMALL_STACK_BYTES),
    ("commit", 2, SMALL_STACK_BYTES),
    ("fetch", 16, FETCH_STACK_BYTES),
    ("reads", 2, SMALL_STACK_BYTES),
    ("mounts", 4, SMALL_STACK_BYTES),
    ("release", 4, SMALL_STACK_BYTES),
    // Volumes of the network hang one by one when their server is gone.
    ("sources", 32, SMALL_STACK_BYTES),
];

impl Lane {
    /// The lane that a run asks for by name; only four can be asked for.
    pub fn of_run(name: &str) -> Option<Self> {
        match name {
            "cni-add" => Some(Self::CniAdd),
            "cni-del" => Some(Self::CniDel),
            "cni-ask" => Some(Self::CniAsk),
            "runtime" => Some(Self::Runtime),
            _ => None,
        }
    }
}

/// All lanes, none with a thread yet.
pub struct Lanes(Vec<Arc<Queue>>);

impl Lanes {
    /// Every lane, empty.
    pub fn new() -> Self {
        Self(KINDS.iter().map(|&(name, cap, stack_bytes)| Arc::new(Queue::new(name, cap, stack_bytes))).collect())
    }

    /// Hands the job to its lane; `exhausted`, naming the lane, when too many wait there.
    pub fn submit(&self, lane: Lane, job: Job) -> Result<(), FrameError> {
        self.0[lane as usize].submit(job)
    }
}

struct Queue {
    name: &'static str,
    cap: usize,
    stack_bytes: usize,
    inner: Mutex<Inner>,
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl Queue {
    fn new(name: &'static str, cap: usize, stack_bytes: usize) -> Self {
        Self { name, cap, stack_bytes, inner: Mutex::default(), wake: Condvar::new() }
    }

    fn submit(self: &Arc<Self>, job: Job) -> Result<(), FrameError> {
        let mut inner = self.inner();
        if inner.jobs.len() >= QUEUE_MAX {
            return Err(FrameError::new(
                "exhausted",
                format!("lane {} is full, {QUEUE_MAX} calls wait in it", self.name),
            ));
        }
        if inner.jobs.len() >= inner.idle && inner.threads < self.cap {
            match self.start_thread() {
                Ok(()) => inner.threads += 1,
                // The threads there are will come to it.
                Err(_) if inner.threads > 0 => {}
                Err(error) => {
                    return Err(super::errors::failed(format!("start a thread of lane {}", self.name), error));
                }
            }
        }
        inner.jobs.push_back(job);
        self.wake.notify_one();
        Ok(())
    }

    fn start_thread(self: &Arc<Self>) -> std::io::Result<()> {
        let queue = Arc::clone(self);
        let thread = std::thread::Builder::new().name(format!("berth-{}", self.name)).stack_size(self.stack_bytes);
        thread.spawn(move || queue.work()).map(drop)
    }

    fn work(&self) {
        if YIELDING.contains(&self.name) {
            // What cannot be had is gone without: the lane works all the same.
            let _ = rustix::process::nice(YIELDING_NICE);
        }
        while let Some(job) = self.next() {
            job();
        }
        heap::give_back();
    }

    /// The next job; `None` once there was nothing to do for a while, the thread no longer counted.
    fn next(&self) -> Option<Job> {
        let mut inner = self.inner();
        loop {
            if let Some(job) = inner.jobs.pop_front() {
                return Some(job);
            }
            inner.idle += 1;
            let (woken, waited) = self.wake.wait_timeout(inner, IDLE).unwrap_or_else(PoisonError::into_inner);
            inner = woken;
            inner.idle -= 1;
            if waited.timed_out() && inner.jobs.is_empty() {
                inner.threads -= 1;
                return None;
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    #[test]
    fn a_lane_runs_no_more_jobs_at_once_than_its_cap() {
        let queue = Arc::new(Queue::new("test", 3, SMALL_STACK_BYTES));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (done, all_done) = mpsc::channel();
        for _ in 0..20 {
            let (now, most, done) = (Arc::clone(&now), Arc::clone(&most), done.clone());
            let job = move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
                now.fetch_sub(1, Ordering::SeqCst);
                let _ = done.send(());
            };
            queue.submit(Box::new(job)).unwrap();
        }
        (0..20).for_each(|_| all_done.recv().unwrap());
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn a_full_lane_refuses_as_exhausted_and_names_itself() {
        let queue = Arc::new(Queue::new("test", 1, SMALL_STACK_BYTES));
        let (release, wait) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let stuck = move || {
            let _ = begun.send(());
            let _ = wait.recv();
        };
        queue.submit(Box::new(stuck)).unwrap();
        has_begun.recv().unwrap();
        (0..QUEUE_MAX).for_each(|_| queue.submit(Box::new(|| ())).unwrap());
        let refusal = queue.submit(Box::new(|| ())).unwrap_err();
        assert_eq!(refusal.kind, "exhausted");
        assert!(refusal.message.contains("lane test"));
        drop(release);
    }
}
