//! What happened unasked: numbered events kept for those who connect later, and the exit file of each container.

use std::collections::VecDeque;
use std::fs;

use super::messages::{Event, Exit, NumberedEvent};

/// Events kept besides the exits that held containers carry themselves.
const KEPT: usize = 64;

#[derive(Default)]
pub struct Events {
    last: u64,
    kept: VecDeque<NumberedEvent>,
}

impl Events {
    /// Number of the newest event, 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Those that are kept, in order.
    pub fn kept(&self) -> Vec<NumberedEvent> {
        self.kept.iter().cloned().collect()
    }

    pub fn resume(last: u64, kept: Vec<NumberedEvent>) -> Self {
        Self { last, kept: kept.into() }
    }

    /// Numbers and keeps an event.
    pub fn add(&mut self, event: Event) -> NumberedEvent {
        self.last += 1;
        let numbered = NumberedEvent { seq: self.last, event };
        if self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(numbered.clone());
        numbered
    }

    /// Every known event after `seq`, in order; `exits` are those that held containers carry.
    pub fn since(&self, seq: u64, exits: impl Iterator<Item = NumberedEvent>) -> Vec<NumberedEvent> {
        let oldest = self.kept.front().map_or(u64::MAX, |event| event.seq);
        let mut found: Vec<_> = exits.filter(|event| event.seq < oldest).chain(self.kept.iter().cloned()).collect();
        found.retain(|event| event.seq > seq);
        found.sort_by_key(|event| event.seq);
        found
    }
}

/// Writes `<directory>/exits/<container>`, whole or not at all; a failure leaves the event alone to tell.
pub fn write_file(directory: &str, container: &str, exit: &Exit) {
    let folder = format!("{directory}/exits");
    let _ = fs::create_dir(&folder);
    let temporary = format!("{folder}/.{container}");
    if let Ok(text) = serde_json::to_vec(exit)
        && fs::write(&temporary, text).is_ok()
    {
        let _ = fs::rename(&temporary, format!("{folder}/{container}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oom(container: usize) -> Event {
        Event::Oom { container: container.to_string() }
    }

    #[test]
    fn events_after_a_number_come_again_in_order() {
        let mut events = Events::default();
        (0..5).for_each(|number| drop(events.add(oom(number))));
        let seqs: Vec<u64> = events.since(3, std::iter::empty()).iter().map(|event| event.seq).collect();
        assert_eq!((events.last(), seqs), (5, vec![4, 5]));
    }

    #[test]
    fn the_exit_of_a_held_container_is_never_forgotten_nor_doubled() {
        let mut events = Events::default();
        let first = events.add(oom(0));
        let held = || std::iter::once(first.clone());
        assert_eq!(events.since(0, held()).len(), 1);
        (0..2 * KEPT).for_each(|number| drop(events.add(oom(number))));
        let again = events.since(0, held());
        assert_eq!((again.len(), again[0].seq), (KEPT + 1, 1));
    }
}
