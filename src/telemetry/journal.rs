//! Decisions as they happen, for whoever listens. Nobody listening costs nothing.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::broadcast;

/// A line to those who listen.
#[derive(Debug)]
pub struct Journal {
    sender: broadcast::Sender<Arc<Value>>,
}

impl Journal {
    /// A journal that nobody reads yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { sender: broadcast::Sender::new(KEPT) })
    }

    /// Tells a record; it is made only when somebody listens.
    pub fn tell(&self, record: impl FnOnce() -> Option<Value>) {
        if self.sender.receiver_count() > 0
            && let Some(record) = record()
        {
            // The last listener may have gone in between.
            let _ = self.sender.send(Arc::new(record));
        }
    }

    /// Listens from now on; a listener that is too slow misses some.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Value>> {
        self.sender.subscribe()
    }
}

/// Records that a slow listener may be behind.
const KEPT: usize = 256;
