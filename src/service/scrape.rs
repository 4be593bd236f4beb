//! What a scrape shows of states: read from the fleet at that moment.

use crate::fleet::Live;
use crate::telemetry::Metrics;

/// Sets every gauge from the live state.
pub fn read(live: &Live, buffered: usize, metrics: &Metrics) {
    for backend in &live.backends {
        metrics.set_in_flight(&backend.name, backend.in_flight());
        for peer in &backend.peers {
            metrics.set_healthy(&backend.name, &peer.address, peer.is_healthy());
        }
    }
    for gpu in &live.gpus {
        let load = gpu.load();
        metrics.set_gpu(&gpu.name, load.in_flight, load.queued);
    }
    for gate in &live.gates {
        metrics.set_gate(&gate.name, gate.view().state);
    }
    metrics.set_process(live.generation, buffered);
}
