//! The one place where records go: the latest are kept, whoever listens hears them, the audit file gets them.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::broadcast;

use super::audit::Audit;

/// A record that is made when somebody first looks at it: most are looked at by nobody.
pub type Entry = LazyLock<Value, Make>;

/// Makes a record.
pub type Make = Box<dyn FnOnce() -> Value + Send>;

/// The records of the exchanges that are over.
#[derive(Debug)]
pub struct Journal {
    latest: Mutex<VecDeque<Arc<Entry>>>,
    listeners: broadcast::Sender<Arc<Entry>>,
    audit: Option<Audit>,
}

impl Journal {
    /// A journal without records; `audit` gets each one too.
    pub fn new(audit: Option<Audit>) -> Arc<Self> {
        let latest = Mutex::new(VecDeque::with_capacity(KEPT));
        Arc::new(Self { latest, listeners: broadcast::Sender::new(KEPT), audit })
    }

    /// Takes a record. Waits for nobody.
    pub fn tell(&self, make: Make) {
        let record = Arc::new(Entry::new(make));
        if let Some(audit) = &self.audit {
            audit.write(Arc::clone(&record));
        }
        let mut latest = self.latest.lock();
        latest.truncate(KEPT - 1);
        latest.push_front(Arc::clone(&record));
        // Under the lock, so that listeners hear them in the order in which they are kept. Nobody listening
        // is no fault.
        let _ = self.listeners.send(record);
    }

    /// The latest records, at most so many, the newest first.
    pub fn latest(&self, limit: usize) -> Vec<Arc<Entry>> {
        self.latest.lock().iter().take(limit).cloned().collect()
    }

    /// Listens from now on; a listener that is too slow misses some.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Entry>> {
        self.listeners.subscribe()
    }

    /// Nothing more comes: returns when the audit file has all that was told.
    pub async fn close(&self) {
        if let Some(audit) = &self.audit {
            audit.close().await;
        }
    }
}

/// Records that are kept, and that a slow listener may be behind.
pub const KEPT: usize = 256;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(count: usize) -> Arc<Journal> {
        let journal = Journal::new(None);
        (0..count).for_each(|number| journal.tell(Box::new(move || json!(number))));
        journal
    }

    fn numbers(records: &[Arc<Entry>]) -> Vec<u64> {
        records.iter().filter_map(|record| record.as_u64()).collect()
    }

    #[test]
    fn the_newest_come_first() {
        assert_eq!(numbers(&told(3).latest(10)), [2, 1, 0]);
        assert_eq!(numbers(&told(3).latest(2)), [2, 1]);
        assert!(told(0).latest(10).is_empty());
    }

    #[test]
    fn old_ones_make_room() {
        let latest = told(KEPT + 10).latest(usize::MAX);
        assert_eq!(latest.len(), KEPT);
        assert_eq!(numbers(&latest).last(), Some(&10));
    }

    #[test]
    fn listeners_hear_what_comes_after_they_began() {
        let journal = told(2);
        let mut listener = journal.listen();
        journal.tell(Box::new(|| json!(7)));
        assert_eq!(**listener.try_recv().unwrap(), json!(7));
        assert!(listener.try_recv().is_err());
    }
}
