//! Whether more connections may help: when the one there is is waited for, and what it brings is less than a disk takes.

use std::time::Duration;

/// How long is looked at before a judgement, and then anew.
const WINDOW: Duration = Duration::from_millis(250);
/// A connection that brings more than this in a second is fast enough by itself.
const FAST_BYTES: u64 = 80 << 20;

/// A running measure of one connection's reader.
#[derive(Debug, Default)]
pub struct Hunger {
    waited: Duration,
    worked: Duration,
    bytes: u64,
}

impl Hunger {
    /// Notes that `bytes` came after `waited`, the reader having `worked` before; true when it goes hungry.
    pub fn grows(&mut self, worked: Duration, waited: Duration, bytes: u64) -> bool {
        self.waited += waited;
        self.worked += worked;
        self.bytes += bytes;
        let all = self.waited + self.worked;
        if all < WINDOW {
            return false;
        }
        let per_second = (self.bytes as f64 / all.as_secs_f64()) as u64;
        let hungry = self.waited > 2 * self.worked && per_second < FAST_BYTES;
        *self = Self::default();
        hungry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENTH: Duration = Duration::from_millis(100);

    #[test]
    fn a_reader_that_waits_for_a_slow_wire_is_hungry() {
        let mut hunger = Hunger::default();
        assert!(!hunger.grows(Duration::ZERO, TENTH, 1 << 20));
        assert!(!hunger.grows(Duration::ZERO, TENTH, 1 << 20));
        assert!(hunger.grows(Duration::ZERO, TENTH, 1 << 20));
        assert!(!hunger.grows(Duration::ZERO, TENTH, 1 << 20));
    }

    #[test]
    fn one_that_is_slow_itself_or_has_a_fast_wire_is_not() {
        let mut slow = Hunger::default();
        assert!((0..9).all(|_| !slow.grows(TENTH, TENTH, 1 << 20)));
        let mut fast = Hunger::default();
        assert!((0..9).all(|_| !fast.grows(Duration::ZERO, TENTH, 20 << 20)));
    }
}
