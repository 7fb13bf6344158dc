//! When a connection is too slow to be kept. Only time spent waiting for the peer counts: a slow disk is not its fault.

use std::time::Duration;

/// A running measure of one connection.
#[derive(Debug)]
pub struct Pace {
    min_bytes: u64,
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// At least `min_bytes` must come in each `window` of waiting.
    pub fn new(min_bytes: u64, window: Duration) -> Self {
        Self { min_bytes, window, waited: Duration::ZERO, bytes: 0 }
    }

    /// Notes that `bytes` came after `waited`; false when the connection has stalled.
    pub fn keeps_up(&mut self, bytes: u64, waited: Duration) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < self.window {
            return true;
        }
        let enough = self.bytes >= self.min_bytes.max(1);
        self.waited = Duration::ZERO;
        self.bytes = 0;
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_stalls_and_a_steady_flow_does_not() {
        let second = Duration::from_secs(1);
        let mut steady = Pace::new(100, 3 * second);
        assert!((0..9).all(|_| steady.keeps_up(40, second)));
        let mut trickle = Pace::new(100, 3 * second);
        assert!(trickle.keeps_up(10, second) && trickle.keeps_up(10, second));
        assert!(!trickle.keeps_up(10, second));
    }

    #[test]
    fn silence_stalls_even_where_no_minimum_is_asked() {
        assert!(!Pace::new(0, Duration::from_secs(1)).keeps_up(0, Duration::from_secs(1)));
    }
}
