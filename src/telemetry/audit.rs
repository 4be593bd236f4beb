//! The audit file: one record an exchange, a JSON line each, written by a thread of its own.
//!
//! A request never waits for it. Records wait in a bounded queue; what finds it full, and what the disk
//! does not take, is counted in `sluice_audit_dropped_total` and lost.

mod file;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Metrics;
use super::journal::Entry;
use file::RotatedFile;

/// Where records are written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file; `-` is standard output.
    pub path: PathBuf,
    /// Bytes at which a file is put aside, its name with `.1` behind it, and a new one begun.
    pub max_size: u64,
    /// How many files put aside are kept.
    pub keep: u32,
}

/// The way to the audit file.
#[derive(Debug)]
pub struct Audit {
    queue: mpsc::Sender<Message>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
enum Message {
    Record(Arc<Entry>),
    /// Everything before it is to be written, and that it is be told.
    Close(oneshot::Sender<()>),
}

impl Audit {
    /// Starts the thread that writes. A file that cannot be written is no reason not to start: it is told
    /// in the log, and tried again.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(place: Place, metrics: Arc<Metrics>) -> io::Result<Self> {
        let (queue, records) = mpsc::channel(QUEUE);
        let dropped = Arc::clone(&metrics);
        let sink = Sink::at(place);
        thread::Builder::new().name("audit".into()).spawn(move || write_all(records, sink, &dropped))?;
        Ok(Self { queue, metrics })
    }

    /// Takes a record, or counts it as dropped when too many wait.
    pub fn write(&self, record: Arc<Entry>) {
        if self.queue.try_send(Message::Record(record)).is_err() {
            self.metrics.audit_dropped(1);
        }
    }

    /// Returns when all that was taken is written; a disk that hangs is not waited for long.
    pub async fn close(&self) {
        let (written, wait) = oneshot::channel();
        let closed = async {
            if self.queue.send(Message::Close(written)).await.is_ok() {
                let _ = wait.await; // an error is the thread's end, too
            }
        };
        if timeout(PATIENCE, closed).await.is_err() {
            tracing::error!("the audit file does not take its last records");
        }
    }
}

/// Writes what comes, until it is closed and nothing waits any more.
fn write_all(mut queue: mpsc::Receiver<Message>, mut sink: Sink, metrics: &Metrics) {
    let (mut lines, mut closed) = (Vec::new(), None);
    while let Some(message) = queue.blocking_recv() {
        let mut next = Some(message);
        // What waits already goes along: a write for each would be slower than the requests can be.
        while let Some(message) = next {
            match message {
                Message::Record(record) => lines.push(format!("{}\n", **record)),
                Message::Close(written) => {
                    closed = Some(written);
                    queue.close();
                }
            }
            next = if lines.len() < BATCH { queue.try_recv().ok() } else { None };
        }
        metrics.audit_dropped(sink.write(&lines));
        lines.clear();
    }
    if let Some(written) = closed {
        let _ = written.send(()); // nobody waits any more
    }
}

/// What takes the lines.
#[derive(Debug)]
enum Sink {
    Stdout,
    File(RotatedFile),
}

impl Sink {
    fn at(place: Place) -> Self {
        if place.path == Path::new("-") { Self::Stdout } else { Self::File(RotatedFile::new(place)) }
    }

    /// Writes lines; how many of them were lost.
    fn write(&mut self, lines: &[String]) -> usize {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                let written = out.write_all(lines.concat().as_bytes()).and_then(|()| out.flush());
                if written.is_ok() { 0 } else { lines.len() }
            }
            Self::File(file) => file.write(lines),
        }
    }
}

/// Records that may wait: some megabytes of memory at most.
const QUEUE: usize = 4096;
/// Lines of one write.
const BATCH: usize = 256;
/// For the last records, when the process stops.
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
