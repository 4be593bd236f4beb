//! Backends and the cards they work on: what runs, what waits, who is healthy.

use prometheus::{Error, HistogramVec, IntGaugeVec};

use super::maker::{LONG, Maker};

/// Backends and the cards they work on.
#[derive(Debug)]
pub(super) struct Cards {
    pub(super) in_flight: IntGaugeVec,
    pub(super) backend_info: IntGaugeVec,
    pub(super) healthy: IntGaugeVec,
    pub(super) gpu_in_flight: IntGaugeVec,
    pub(super) gpu_limit: IntGaugeVec,
    pub(super) queue_depth: IntGaugeVec,
    pub(super) queue_limit: IntGaugeVec,
    pub(super) queue_wait: HistogramVec,
}

impl Cards {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, Error> {
        Ok(Self {
            in_flight: make.state("sluice_in_flight", "Exchanges in flight.", &["backend"])?,
            backend_info: make.state(
                "sluice_backend_info",
                "1 for each backend: the card it works on and the gate it stands behind.",
                &["backend", "gpu", "gate"],
            )?,
            healthy: make.state(
                "sluice_backend_healthy",
                "1 for a peer that may be used.",
                &["backend", "peer"],
            )?,
            gpu_in_flight: make.state("sluice_gpu_in_flight", "Exchanges in flight on a card.", &["gpu"])?,
            gpu_limit: make.state(
                "sluice_gpu_limit",
                "Exchanges that a card takes at one time.",
                &["gpu"],
            )?,
            queue_depth: make.state(
                "sluice_queue_depth",
                "Exchanges that wait for a slot on a card.",
                &["gpu"],
            )?,
            queue_limit: make.state("sluice_queue_limit", "Exchanges that may wait for a card.", &["gpu"])?,
            queue_wait: make.histograms(
                "sluice_queue_wait_seconds",
                "Time spent waiting for a slot on a card.",
                &["gpu"],
                &LONG,
            )?,
        })
    }
}
