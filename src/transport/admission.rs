//! What may be held at one time: exchanges, and bytes of request bodies. Counted by guards.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The counters behind `limits.requests` and `limits.buffered`.
#[derive(Debug)]
pub struct Admission {
    exchanges: Counter,
    buffered: Counter,
}

#[derive(Debug)]
struct Counter {
    now: AtomicUsize,
    limit: usize,
}

/// What one exchange holds; gives it back when dropped.
#[derive(Debug)]
pub struct Held {
    admission: Arc<Admission>,
    exchange: bool,
    bytes: usize,
}

impl Admission {
    /// Counters with these limits: exchanges in flight, and bytes of bodies held.
    pub fn new(exchanges: usize, buffered: usize) -> Arc<Self> {
        let counter = |limit| Counter { now: AtomicUsize::new(0), limit };
        Arc::new(Self { exchanges: counter(exchanges), buffered: counter(buffered) })
    }

    /// Exchanges in flight.
    pub fn exchanges(&self) -> usize {
        self.exchanges.now.load(Ordering::Relaxed)
    }

    /// Bytes of request bodies held.
    pub fn buffered(&self) -> usize {
        self.buffered.now.load(Ordering::Relaxed)
    }

    /// A guard that holds nothing yet.
    pub fn hold(self: &Arc<Self>) -> Held {
        Held { admission: Arc::clone(self), exchange: false, bytes: 0 }
    }
}

impl Held {
    /// Counts as an exchange; false past the limit.
    #[must_use]
    pub fn enter(&mut self) -> bool {
        if !self.exchange {
            self.exchange = self.admission.exchanges.take(1);
        }
        self.exchange
    }

    /// Counts this many more bytes; false past the limit.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let taken = self.admission.buffered.take(bytes);
        self.bytes += if taken { bytes } else { 0 };
        taken
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.admission.buffered.give(self.bytes);
        self.admission.exchanges.give(usize::from(self.exchange));
    }
}

impl Counter {
    fn take(&self, count: usize) -> bool {
        let within = |now: usize| now.checked_add(count).filter(|sum| *sum <= self.limit);
        self.now.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok()
    }

    fn give(&self, count: usize) {
        self.now.fetch_sub(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_and_everything_comes_back() {
        let admission = Admission::new(1, 10);
        let mut first = admission.hold();
        let mut second = admission.hold();
        assert!(first.enter() && first.enter(), "entering twice is entering once");
        assert!(!second.enter(), "the limit is one");
        assert!(first.grow(8) && !second.grow(3) && second.grow(2));
        assert_eq!((admission.exchanges(), admission.buffered()), (1, 10));
        drop((first, second));
        assert_eq!((admission.exchanges(), admission.buffered()), (0, 0));
    }
}
