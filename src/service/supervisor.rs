//! What the service manager (systemd) is told, where there is one: `NOTIFY_SOCKET` of `sd_notify(3)`.
//! Elsewhere nothing is told to nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::runtime::Handle;
use tokio::time::interval;

/// Tells the service manager how the process is.
#[derive(Debug, Default)]
pub struct Supervisor {
    /// Between the start's end and the stop's beginning: a reload at another time is none of its business.
    serving: AtomicBool,
}

impl Supervisor {
    /// Nothing is told yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Everybody is served from now on.
    pub fn ready(&self) {
        self.serving.store(true, Ordering::Release);
        send(&[NotifyState::Ready, NotifyState::Status("serving")]);
    }

    /// A policy is being read. [`Self::reloaded`] must follow.
    pub fn reloading(&self) {
        if self.serving.load(Ordering::Acquire) {
            let states = NotifyState::monotonic_usec_now().map(|now| [NotifyState::Reloading, now]);
            states.map_or_else(|error| untold(&error), |states| send(&states));
        }
    }

    /// The reload is over, and this is what came of it.
    pub fn reloaded(&self, outcome: &str) {
        if self.serving.load(Ordering::Acquire) {
            send(&[NotifyState::Ready, NotifyState::Status(outcome)]);
        }
    }

    /// Nobody new is served, and the process ends within this time.
    pub fn stopping(&self, within: Duration) {
        self.serving.store(false, Ordering::Release);
        let patience = format!("EXTEND_TIMEOUT_USEC={}", within.saturating_add(MARGIN).as_micros());
        let status = NotifyState::Status("stopping: what runs may end");
        send(&[NotifyState::Stopping, NotifyState::Custom(&patience), status]);
    }
}

/// Says at twice the rate that is asked for (`WatchdogSec=`) that each runtime still runs its tasks, until it is
/// dropped. It proves that and no more: not that a backend answers.
pub async fn beat(runtimes: Vec<Handle>) {
    let asked = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero());
    let Some(limit) = asked else { return };
    let mut beats = interval(limit / 2);
    loop {
        beats.tick().await;
        all_run(&runtimes).await;
        send(&[NotifyState::Watchdog]);
    }
}

/// Returns once each of them has run a task. One that is stuck is waited for in vain, and the service manager
/// hears nothing more.
async fn all_run(runtimes: &[Handle]) {
    for runtime in runtimes {
        // An error says that it is being shut down, as it is at the end.
        let _ = runtime.spawn(async {}).await;
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        untold(&error);
    }
}

fn untold(error: &std::io::Error) {
    tracing::warn!("the service manager cannot be told: {error}");
}

/// For the last records of the audit file, after the last exchange.
const MARGIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_runtime_that_is_stuck_is_waited_for() {
        // Nobody drives it: none of its tasks is ever run.
        let stuck = Builder::new_current_thread().build().unwrap();
        let runs = Handle::current();
        all_run(&[runs.clone(), runs.clone()]).await;
        let patience = Duration::from_millis(50);
        assert!(timeout(patience, all_run(&[runs, stuck.handle().clone()])).await.is_err());
        stuck.shutdown_background();
    }
}
