//! What of the budgets is used, in a small file: it survives a restart, also one that nobody planned.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::fleet::{Account, Ledger};

/// Its name, in the directory for what must survive a restart.
pub const NAME: &str = "budgets.json";

/// Reads what the last process left. A file that cannot be understood is put aside, and said so: it is no
/// reason not to start.
pub fn load(path: &Path) -> BTreeMap<String, Account> {
    let known = match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return BTreeMap::new(),
        Err(error) => Err(error),
    };
    known.unwrap_or_else(|error| {
        tracing::error!("{}: {error}; it is put aside and the budgets begin anew", path.display());
        let _ = std::fs::rename(path, path.with_extension("json.bad"));
        BTreeMap::new()
    })
}

/// Writes the file after each change, until the process is over; the last change too.
pub async fn keep(ledger: Arc<Ledger>, path: PathBuf, mut over: watch::Receiver<bool>) {
    let mut changes = ledger.listen();
    if !ledger.accounts().is_empty() {
        changes.mark_changed(); // what a restart has settled, and what was faster than this task
    }
    loop {
        let last = tokio::select! {
            changed = changes.changed() => changed.is_err(),
            _ = async { over.wait_for(|over| *over).await.is_ok() } => true,
        };
        if !last || changes.has_changed().unwrap_or(false) {
            changes.mark_unchanged();
            write(&ledger, &path).await;
        }
        if last {
            return;
        }
    }
}

async fn write(ledger: &Ledger, path: &Path) {
    let (accounts, path) = (ledger.accounts(), path.to_owned());
    let shown = path.clone();
    let written = tokio::task::spawn_blocking(move || store(&accounts, &path)).await;
    if let Err(error) = written.unwrap_or_else(|error| Err(io::Error::other(error))) {
        tracing::error!("{}: {error}; what is spent now is forgotten at a restart", shown.display());
        sleep(PATIENCE).await;
    }
}

/// Whole or not at all: beside it, then in its place.
fn store(accounts: &BTreeMap<String, Account>, path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".budgets").tempfile_in(directory)?;
    serde_json::to_writer_pretty(&mut file, accounts)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// After a write that failed: the next one may too.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Budget, Money};

    #[tokio::test]
    async fn what_was_spent_is_known_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        assert!(load(&path).is_empty());
        let (over, ended) = watch::channel(false);
        let ledger = Ledger::new(load(&path));
        let keeper = tokio::spawn(keep(Arc::clone(&ledger), path.clone(), ended));
        let budget =
            Budget { money: Some(Money(100)), requests: None, per: Duration::from_secs(86_400 * 366) };
        ledger.reserve("glm", &budget, Money(70)).unwrap().settle(Money(60));
        let runs = ledger.reserve("glm", &budget, Money(30)).unwrap();
        over.send_replace(true);
        keeper.await.unwrap();
        let used = Ledger::new(load(&path)).used("glm", &budget);
        assert_eq!((used.spent, used.reserved, used.requests), (Money(90), Money(0), 2), "what ran counts");
        drop(runs);
    }

    #[test]
    fn a_file_that_is_none_is_put_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        std::fs::write(&path, "{\"glm\": 1}").unwrap();
        assert!(load(&path).is_empty());
        assert!(!path.exists() && path.with_extension("json.bad").exists());
    }
}
