//! The gate watcher: asks each mode endpoint at its interval and tells the gate what it heard.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::fetch::Fetcher;
use crate::fleet::{LiveGate, Settled};
use crate::gate::{Observation, PollFault, answer};
use crate::policy::Gate;
use crate::telemetry::Metrics;

/// Watches one gate.
pub struct Watcher {
    gate: Arc<LiveGate>,
    configured: Gate,
    metrics: Arc<Metrics>,
    fetcher: Fetcher,
}

impl Watcher {
    /// A watcher of this gate.
    pub fn new(gate: Arc<LiveGate>, configured: Gate, metrics: Arc<Metrics>) -> Self {
        Self { gate, configured, metrics, fetcher: Fetcher::new() }
    }

    /// Polls until the process stops, and cuts what has not drained in time. A gate without a mode
    /// endpoint is pushed only.
    pub async fn run(&self, mut stopping: watch::Receiver<bool>) {
        let mut ticks = interval(self.configured.poll_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await; // the first poll was made before anybody was served
        let mut polling: Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = None;
        loop {
            // A poll that hangs holds nothing up: what is due by the clock happens beside it.
            let due = [self.gate.cut_overdue(&self.configured), self.gate.turns_stale()]
                .into_iter()
                .flatten()
                .min();
            tokio::select! {
                () = ended(&mut polling) => polling = None,
                _ = ticks.tick(), if polling.is_none() => polling = Some(Box::pin(self.poll())),
                () = self.gate.poll_now.notified(), if polling.is_none() => polling = Some(Box::pin(self.poll())),
                () = until(due) => settled(&self.gate, &self.metrics, self.gate.settle()),
                _ = async { stopping.wait_for(|stopping| *stopping).await.is_ok() } => return,
            }
        }
    }

    /// One poll, from the question to what follows from its answer; at most `poll_timeout`.
    pub async fn poll(&self) {
        let Some((authority, path)) = self.configured.mode_url.as_deref().and_then(split) else { return };
        let token = self.gate.poll_asked();
        let answer = self.fetcher.get(authority, path, self.configured.poll_timeout).await;
        let heard = match answer {
            Ok((200, body)) => answer::parse(&body),
            Ok((status, _)) => Err(PollFault::Status(status)),
            Err(error) => Err(if is_late(&error) { PollFault::Timeout } else { PollFault::Connect }),
        };
        self.metrics.polled(&self.gate.name, word(&heard));
        tracing::debug!(gate = self.gate.name, heard = word(&heard), "poll");
        settled(&self.gate, &self.metrics, self.gate.poll_answered(token, heard));
        settled(&self.gate, &self.metrics, self.gate.settle());
    }
}

/// Ready when the poll is over; never, where none is asked.
async fn ended(polling: &mut Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>>) {
    match polling {
        Some(poll) => poll.as_mut().await,
        None => std::future::pending().await,
    }
}

/// Never, where there is nothing to wait for.
async fn until(due: Option<std::time::Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Tells of a change of state.
pub fn settled(gate: &LiveGate, metrics: &Metrics, change: Option<Settled>) {
    if let Some(change) = change {
        metrics.gate_settled(&gate.name, change.to);
        tracing::info!(gate = gate.name, from = change.from.as_str(), to = change.to.as_str(), "gate");
    }
}

fn word(heard: &Result<Observation, PollFault>) -> &'static str {
    match heard {
        Ok(observation) => observation.mode.as_str(),
        Err(fault) => fault.as_str(),
    }
}

fn is_late(error: &pingora_error::Error) -> bool {
    use pingora_error::ErrorType::{ConnectTimedout, ReadTimedout};
    matches!(error.etype(), ConnectTimedout | ReadTimedout)
}

/// Authority (with a port) and path of an `http://` URL that `config` has checked.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    let slash = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(slash);
    Some((authority, if path.is_empty() { "/" } else { path }))
}
