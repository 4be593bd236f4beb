//! A card as it is now: exchanges on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One card.
#[derive(Debug)]
pub struct LiveGpu {
    /// The card's name.
    pub name: String,
    in_flight: AtomicUsize,
}

impl LiveGpu {
    /// The card with what runs on it already.
    pub fn new(name: &str, before: Option<&Arc<Self>>) -> Arc<Self> {
        before
            .cloned()
            .unwrap_or_else(|| Arc::new(Self { name: name.to_owned(), in_flight: AtomicUsize::new(0) }))
    }

    /// Exchanges in flight on the card.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
