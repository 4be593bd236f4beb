//! Gates: their state, who is behind them, who passed them all the same.

use prometheus::{Error, IntCounterVec, IntGaugeVec};

use super::maker::Maker;

/// The gates.
#[derive(Debug)]
pub(super) struct Gates {
    pub(super) state: IntGaugeVec,
    pub(super) in_flight: IntGaugeVec,
    pub(super) overrides: IntCounterVec,
    pub(super) polls: IntCounterVec,
    pub(super) transitions: IntCounterVec,
}

impl Gates {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, Error> {
        Ok(Self {
            state: make.state("sluice_gate_state", "1 for the state a gate is in.", &["gate", "state"])?,
            in_flight: make.state(
                "sluice_gate_in_flight",
                "Exchanges in flight behind a gate.",
                &["gate", "kind"],
            )?,
            overrides: make.counters(
                "sluice_gate_overrides_total",
                "Forced requests that passed a gate which was not open, by the state it was in.",
                &["gate", "state"],
            )?,
            polls: make.counters(
                "sluice_gate_polls_total",
                "Questions to a mode endpoint by their outcome.",
                &["gate", "result"],
            )?,
            transitions: make.counters(
                "sluice_gate_transitions_total",
                "Changes of a gate's state.",
                &["gate", "to"],
            )?,
        })
    }
}
