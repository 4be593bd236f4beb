//! Health of a peer that nobody probes: it is left alone for a while when it has failed, or has asked for it.
//! Pure: instants are arguments.

use std::time::{Duration, Instant};

/// So many failures in a row, and the peer is left alone.
const AFTER: u32 = 2;
/// For so long; then one request may find out.
const REST: Duration = Duration::from_secs(5);
/// The longest that a peer may ask to be left alone: a wrong header must not close it for a week.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// What is known of one peer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rest {
    failures: u32,
    until: Option<Instant>,
}

impl Rest {
    /// Whether it is left alone now. The clock is looked at only where that matters.
    pub fn is_resting(&self, now: impl FnOnce() -> Instant) -> bool {
        self.until.is_some_and(|until| now() < until)
    }

    /// It could not be reached, or went away without an answer.
    pub fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= AFTER {
            self.until = Some(now + REST);
        }
    }

    /// It has answered something.
    pub fn answered(&mut self) {
        self.failures = 0;
    }

    /// It asks to be left alone for so long.
    pub fn asked_for(&mut self, time: Duration, now: Instant) {
        self.until = Some(now + time.min(LONGEST)).max(self.until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_failures_in_a_row_are_a_rest_and_one_that_follows_is_another() {
        let (mut rest, now) = (Rest::default(), Instant::now());
        rest.failed(now);
        rest.answered();
        rest.failed(now);
        assert!(!rest.is_resting(|| now), "never two in a row");
        rest.failed(now);
        assert!(rest.is_resting(|| now) && !rest.is_resting(|| now + REST));
        rest.failed(now + REST);
        assert!(rest.is_resting(|| now + REST), "the one that found out");
    }

    #[test]
    fn a_peer_is_left_alone_as_long_as_it_asks_and_no_longer_than_an_hour() {
        let (mut rest, now) = (Rest::default(), Instant::now());
        rest.asked_for(Duration::from_secs(30), now);
        rest.asked_for(Duration::from_secs(10), now);
        assert!(rest.is_resting(|| now + Duration::from_secs(29)));
        rest.asked_for(Duration::from_secs(1 << 40), now);
        assert!(!rest.is_resting(|| now + LONGEST));
    }
}
