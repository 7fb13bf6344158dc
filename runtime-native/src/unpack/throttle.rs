//! What unpacking takes of the processors while somebody waits for the daemon: no more than a quarter of their time.
//! Priorities do not do that: they count only among those who share a cgroup or, without one, a session (sched(7),
//! autogroup).

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Debts shorter than this are not worth a pause.
const LEAST_PAUSE: Duration = Duration::from_millis(1);
/// The one of this process.
static UNPACKING: Throttle = Throttle::new();

/// Has all unpacking of this process give way for so long from now on.
pub fn give_way(lasting: Duration) {
    UNPACKING.give_way(Instant::now(), lasting);
}

/// One thread's account with the throttle.
pub struct Account {
    throttle: &'static Throttle,
    /// Processor time of the thread when it last paid, while there is something to pay.
    paid: Option<Duration>,
}

impl Account {
    /// Of a thread that unpacks; opened by whoever, used by that thread alone.
    pub fn of_unpacking() -> Self {
        Self { throttle: &UNPACKING, paid: None }
    }

    /// To be called by the thread after each piece of work: pauses while others are to be given way.
    pub fn pay(&mut self) {
        let now = Instant::now();
        if !self.throttle.counts(now) {
            self.paid = None;
            return;
        }
        let used = thread_time();
        if let Some(paid) = self.paid.replace(used) {
            thread::sleep(self.throttle.charge(now, used.saturating_sub(paid), share()));
        }
    }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Processors that unpacking may use while it gives way.
fn share() -> f64 {
    static SHARE: OnceLock<f64> = OnceLock::new();
    *SHARE.get_or_init(|| thread::available_parallelism().map_or(1.0, |count| count.get() as f64) / 4.0)
}

/// What all threads used together, as time that has to pass.
struct Throttle(Mutex<State>);

struct State {
    until: Option<Instant>,
    /// When all that was used will have been due.
    even_at: Option<Instant>,
}

impl Throttle {
    const fn new() -> Self {
        Self(Mutex::new(State { until: None, even_at: None }))
    }

    fn give_way(&self, now: Instant, lasting: Duration) {
        let mut state = self.state();
        state.until = state.until.max(Some(now + lasting));
    }

    /// Whether work is to be paid for now; debts of before are forgotten when it is not.
    fn counts(&self, now: Instant) -> bool {
        let mut state = self.state();
        let counts = state.until.is_some_and(|until| now < until);
        if !counts {
            state.even_at = None;
        }
        counts
    }

    /// The pause for having `used` that much processor time, so that all together use as much as `share` processors have;
    /// not beyond the time for which it counts.
    fn charge(&self, now: Instant, used: Duration, share: f64) -> Duration {
        let mut state = self.state();
        let even_at = state.even_at.map_or(now, |at| at.max(now)) + used.div_f64(share);
        state.even_at = Some(even_at);
        let left = state.until.map_or(Duration::ZERO, |until| until - now);
        if even_at - now < LEAST_PAUSE { Duration::ZERO } else { left.min(even_at - now) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn nothing_is_paid_until_somebody_waits_and_again_once_that_is_over() {
        let (throttle, now) = (Throttle::new(), Instant::now());
        assert!(!throttle.counts(now));
        throttle.give_way(now, 100 * MS);
        throttle.give_way(now, 50 * MS);
        assert!(throttle.counts(now + 99 * MS));
        assert!(!throttle.counts(now + 100 * MS));
    }

    #[test]
    fn threads_together_use_their_share_and_no_more() {
        let (throttle, now) = (Throttle::new(), Instant::now());
        throttle.give_way(now, 1000 * MS);
        // Two threads that may use one processor together: after 4 ms of work each, 8 ms are to pass.
        assert_eq!(throttle.charge(now, 4 * MS, 1.0), 4 * MS);
        assert_eq!(throttle.charge(now, 4 * MS, 1.0), 8 * MS);
        assert_eq!(throttle.charge(now + 8 * MS, MS / 2, 1.0), Duration::ZERO);
        assert_eq!(throttle.charge(now + 8 * MS, MS, 0.5), Duration::from_micros(2500));
    }

    #[test]
    fn threads_that_never_rest_by_themselves_are_held_to_their_share() {
        static THROTTLE: Throttle = Throttle::new();
        let began = Instant::now();
        THROTTLE.give_way(began, 100 * 1000 * MS);
        let work = move || {
            let mut account = Account { throttle: &THROTTLE, paid: None };
            account.pay();
            let from = thread_time();
            while began.elapsed() < 400 * MS {
                let piece = thread_time();
                while thread_time() - piece < MS {}
                account.pay();
            }
            thread_time() - from
        };
        let threads: Vec<_> =
            (0..thread::available_parallelism().unwrap().get()).map(|_| thread::spawn(work)).collect();
        let used: Duration = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        let allowed = began.elapsed().mul_f64(share());
        // What a thread worked last is not paid for any more.
        assert!(used < allowed.mul_f64(1.2), "{used:?} were used where {allowed:?} were to be had");
    }

    #[test]
    fn pauses_and_debts_end_with_the_haste() {
        let (throttle, now) = (Throttle::new(), Instant::now());
        throttle.give_way(now, 10 * MS);
        assert_eq!(throttle.charge(now, 1000 * MS, 1.0), 10 * MS);
        assert!(!throttle.counts(now + 10 * MS));
        throttle.give_way(now + 10 * MS, 10 * MS);
        assert_eq!(throttle.charge(now + 10 * MS, 2 * MS, 1.0), 2 * MS);
    }
}
