//! Says that something has changed which a waiting exchange must know: a gate, a peer's health, the policy.

use std::sync::Arc;

use tokio::sync::watch;

/// One bell for the whole fleet.
#[derive(Debug, Clone)]
pub struct News {
    changes: Arc<watch::Sender<u64>>,
}

impl News {
    /// A bell that has not rung yet.
    pub fn new() -> Self {
        Self { changes: Arc::new(watch::Sender::new(0)) }
    }

    /// Wakes everybody who waits.
    pub fn ring(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Hears of everything that changes from now on.
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Default for News {
    fn default() -> Self {
        Self::new()
    }
}
