//! Keeps a watcher for every gate and a prober for every peer of the policy in force. A reload stops
//! those of what has gone, starts those of what is new, and leaves the others alone.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::gates::Watcher;
use super::health::Prober;
use crate::fleet::{Live, LiveGate, LivePeer};
use crate::policy::{Gate, Health};
use crate::telemetry::Metrics;

/// Everything that is watched now.
pub struct Watch {
    metrics: Arc<Metrics>,
    stopping: watch::Receiver<bool>,
    running: Mutex<HashMap<Watched, JoinHandle<()>>>,
}

/// One thing to watch, and how: when either changes it is another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Watched {
    Gate(Gate),
    Peer { backend: String, address: String, health: Health },
}

impl Watch {
    /// Watches nothing yet.
    pub fn new(metrics: Arc<Metrics>, stopping: watch::Receiver<bool>) -> Self {
        Self { metrics, stopping, running: Mutex::default() }
    }

    /// Watches what this policy names, and nothing else. Returns when each new thing has been looked at
    /// once; all at one time, each with its deadline.
    pub async fn align(&self, live: &Live) {
        let mut first = JoinSet::new();
        self.replace(live, &mut first);
        while first.join_next().await.is_some() {}
    }

    fn replace(&self, live: &Live, first: &mut JoinSet<()>) {
        let mut before = self.running.lock();
        let mut now = HashMap::new();
        for (gate, configured) in live.gates.iter().zip(&live.policy.gates) {
            let watched = Watched::Gate(configured.clone());
            let known = before.remove(&watched);
            now.insert(watched, known.unwrap_or_else(|| self.watch_gate(first, gate, configured)));
        }
        for (backend, configured) in live.backends.iter().zip(&live.policy.backends) {
            let Some(health) = &configured.health else { continue };
            for peer in &backend.peers {
                let (name, address) = (backend.name.clone(), peer.address.clone());
                let watched = Watched::Peer { backend: name, address, health: health.clone() };
                let known = before.remove(&watched);
                if let Some(task) = known.or_else(|| self.watch_peer(first, &backend.name, peer, health)) {
                    now.insert(watched, task);
                }
            }
        }
        std::mem::replace(&mut *before, now).values().for_each(JoinHandle::abort);
    }

    fn watch_gate(&self, first: &mut JoinSet<()>, gate: &Arc<LiveGate>, configured: &Gate) -> JoinHandle<()> {
        let watcher = Arc::new(Watcher::new(gate.clone(), configured.clone(), self.metrics.clone()));
        let (polling, stopping) = (Arc::clone(&watcher), self.stopping.clone());
        first.spawn(async move { polling.poll().await });
        tokio::spawn(async move { watcher.run(stopping).await })
    }

    fn watch_peer(
        &self,
        first: &mut JoinSet<()>,
        backend: &str,
        peer: &Arc<LivePeer>,
        health: &Health,
    ) -> Option<JoinHandle<()>> {
        let prober = Prober::new(backend, peer.clone(), health.clone());
        let prober = prober.inspect_err(|error| tracing::error!(backend, "cannot probe: {error}")).ok()?;
        let prober = Arc::new(prober);
        let (probing, stopping) = (Arc::clone(&prober), self.stopping.clone());
        first.spawn(async move { probing.probe().await });
        Some(tokio::spawn(async move { prober.run(stopping).await }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.running.get_mut().values().for_each(JoinHandle::abort);
    }
}
