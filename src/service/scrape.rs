//! What a scrape shows: the counts, and the states, read from the fleet at that moment.

use crate::fleet::Live;
use crate::policy::Backend;
use crate::telemetry::Metrics;

/// Everything as Prometheus reads it; `buffered` are the bytes of request bodies held.
pub fn text(live: &Live, buffered: usize, metrics: &Metrics) -> Vec<u8> {
    metrics.scrape(|metrics| {
        backends(live, metrics);
        gpus(live, metrics);
        gates(live, metrics);
        metrics.set_process(live.generation, buffered);
    })
}

fn backends(live: &Live, metrics: &Metrics) {
    for (backend, configured) in live.backends.iter().zip(&live.policy.backends) {
        let (gpu, gate) = places(live, configured);
        metrics.set_backend(&backend.name, gpu, gate, backend.in_flight());
        if let Some(budget) = &configured.budget {
            metrics.set_budget(&backend.name, live.ledger.used(&backend.name, budget).ratio(budget));
        }
        for peer in &backend.peers {
            metrics.set_healthy(&backend.name, &peer.address, peer.is_healthy());
        }
    }
}

/// The names of a backend's card and gate; nothing where it has none.
fn places<'l>(live: &'l Live, backend: &Backend) -> (&'l str, &'l str) {
    let gpu = backend.gpu.and_then(|id| live.gpus.get(id.0)).map_or("", |gpu| &gpu.name);
    let gate = backend.gate.and_then(|id| live.gates.get(id.0)).map_or("", |gate| &gate.name);
    (gpu, gate)
}

fn gpus(live: &Live, metrics: &Metrics) {
    for (gpu, configured) in live.gpus.iter().zip(&live.policy.gpus) {
        let load = gpu.load();
        metrics.set_gpu(&gpu.name, load.in_flight, load.limit);
        metrics.set_queue(&gpu.name, load.queued, configured.max_queue);
    }
}

fn gates(live: &Live, metrics: &Metrics) {
    for gate in &live.gates {
        let status = gate.status();
        metrics.set_gate(&gate.name, status.view.state, status.in_flight, status.forced);
    }
}
