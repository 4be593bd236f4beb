//! The policy is hot: a changed file, SIGHUP or `POST /reload` puts a new one in force, whole or not at all.
//!
//! The file is looked at twice a second by its metadata: that sees editors that replace it as well as
//! those that write it in place, on every file system. A change counts once it has stood still for
//! one look, so that half a file is not read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::changes;
use super::supervisor::Supervisor;
use super::watch::Watch;
use crate::config::{self, Problems};
use crate::fleet::Fleet;
use crate::telemetry::Metrics;

/// Puts policies in force.
pub struct Reloader {
    fleet: Arc<Fleet>,
    path: PathBuf,
    metrics: Arc<Metrics>,
    watch: Watch,
    supervisor: Arc<Supervisor>,
    /// One at a time, from reading the file to watching what it names.
    turn: tokio::sync::Mutex<()>,
    last_error: Mutex<Option<String>>,
}

/// What of a file's metadata changes with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    length: u64,
    inode: u64,
}

impl Reloader {
    /// A reloader of the policy at `path`.
    pub fn new(
        fleet: Arc<Fleet>,
        path: PathBuf,
        metrics: Arc<Metrics>,
        watch: Watch,
        supervisor: Arc<Supervisor>,
    ) -> Arc<Self> {
        let (turn, last_error) = (tokio::sync::Mutex::new(()), Mutex::new(None));
        Arc::new(Self { fleet, path, metrics, watch, supervisor, turn, last_error })
    }

    /// Looks at everything that the first policy names.
    pub async fn begin(&self) {
        self.watch.align(&self.fleet.live()).await;
    }

    /// Why the last reload was refused; `None` when it was not.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }

    /// Reads the file and puts it in force. The generation that is in force then.
    ///
    /// # Errors
    /// Everything that is wrong with the file; the policy in force stays in force.
    pub async fn reload(&self) -> Result<u64, Problems> {
        let _turn = self.turn.lock().await;
        self.supervisor.reloading();
        let outcome = self.replace().await;
        self.supervisor.reloaded(&match &outcome {
            Ok(generation) => format!("serving, policy {generation}"),
            Err(_) => "serving; the latest policy was refused, the one before it is in force".to_owned(),
        });
        outcome
    }

    async fn replace(&self) -> Result<u64, Problems> {
        let outcome = self.swap();
        self.metrics.reloaded(outcome.is_ok());
        *self.last_error.lock() = outcome.as_ref().err().map(ToString::to_string);
        let generation =
            outcome.inspect_err(|problems| tracing::error!("the policy is refused:\n{problems}"))?;
        self.watch.align(&self.fleet.live()).await;
        Ok(generation)
    }

    fn swap(&self) -> Result<u64, Problems> {
        let loaded = config::load_policy(&self.path)?;
        let before = self.fleet.live();
        // The same text may read other keys from their files.
        if before.hash == loaded.hash && before.policy == loaded.policy {
            return Ok(before.generation);
        }
        // New probers and watchers read them again.
        config::check_roots().map_err(|bad| Problems::of(&self.path, &bad))?;
        let changes = changes::between(&before.policy, &loaded.policy);
        let generation = self
            .fleet
            .replace(loaded.policy, loaded.hash)
            .map_err(|unfit| Problems::of(&self.path, &unfit))?;
        tracing::info!(generation, "policy: {}", changes.join("; "));
        Ok(generation)
    }

    /// Reloads whenever the file changes, until the process stops.
    pub async fn follow(&self, mut stopping: watch::Receiver<bool>) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut loaded = stamp(&self.path);
        let mut before = loaded.clone();
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                _ = async { stopping.wait_for(|stopping| *stopping).await.is_ok() } => return,
            }
            let now = stamp(&self.path);
            if now.is_some() && now != loaded && now == before {
                loaded.clone_from(&now);
                // What is wrong has been told.
                let _ = self.reload().await;
            }
            before = now;
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp { modified: metadata.modified().ok()?, length: metadata.len(), inode: metadata.ino() })
}

/// Between two looks at the file; a change is in force after two of them at most.
const LOOK: Duration = Duration::from_millis(250);
