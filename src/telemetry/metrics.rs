//! Every metric. The only module that names `prometheus`. ★
//!
//! | what | name, help, labels, buckets in |
//! |---|---|
//! | exchanges: what became of them, times, tokens | `exchanges` |
//! | backends, cards, queues | `cards` |
//! | gates | `gates` |
//! | the policy, the audit file, the process | here |
//!
//! Labels take only names from the policy and closed lists: a client cannot make a series. What is a
//! state and not a count (gates, health, in flight) is set when somebody scrapes, and what a policy no
//! longer names is gone then. A count with a closed list of labels is there before it first rises:
//! Prometheus sees no rise in a series that begins with it. docs/metrics.md lists them all; a test compares.

mod cards;
mod exchanges;
mod finished;
mod gates;
mod maker;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    CounterVec, Encoder, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};

use crate::gate::POLL_RESULTS;
use crate::policy::{GateState, Reason};
use cards::Cards;
use exchanges::{BREAKS, Exchanges, KINDS};
pub use finished::Finished;
use gates::Gates;
use maker::Maker;

/// All of them, in a registry of their own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    exchanges: Exchanges,
    cards: Cards,
    gates: Gates,
    policy_generation: IntGauge,
    reloads: IntCounterVec,
    last_reload: IntGauge,
    audit_dropped: IntCounter,
    buffered: IntGauge,
    buffered_limit: IntGauge,
    spend: CounterVec,
    budget: GaugeVec,
    /// All gauges that a scrape sets; the lock is held while one does.
    states: Mutex<Vec<IntGaugeVec>>,
}

impl Metrics {
    /// A registry with everything in it.
    ///
    /// # Errors
    /// When two metrics share a name: a mistake in this file.
    pub fn new() -> Result<Arc<Self>, prometheus::Error> {
        let registry = Registry::new();
        let make = Maker::new(&registry);
        let metrics = Self {
            exchanges: Exchanges::new(&make)?,
            cards: Cards::new(&make)?,
            gates: Gates::new(&make)?,
            policy_generation: make.gauge("sluice_policy_generation", "Counts policies since the start.")?,
            reloads: make.counters(
                "sluice_policy_reloads_total",
                "Reloads of the policy by their outcome.",
                &["result"],
            )?,
            last_reload: make
                .gauge("sluice_policy_last_reload_successful", "1 when the last reload was good.")?,
            audit_dropped: make.counter(
                "sluice_audit_dropped_total",
                "Records that the audit file did not get: its queue was full, or it could not be written.",
            )?,
            buffered: make.gauge("sluice_buffered_bytes", "Bytes of request bodies held.")?,
            buffered_limit: make
                .gauge("sluice_buffered_limit_bytes", "Bytes of request bodies that may be held.")?,
            spend: make.amounts(
                "sluice_spend_usd_total",
                "US dollars spent, as far as known.",
                &["backend"],
            )?,
            budget: make.levels(
                "sluice_budget_used_ratio",
                "How much of a budget is spent or set aside in its period, 1 for all of it.",
                &["backend"],
            )?,
            registry: registry.clone(),
            states: Mutex::default(),
        };
        make.gauges("sluice_build_info", "The version that runs.", &["version"])?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        *metrics.states.lock() = make.into_states();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        metrics.last_reload.set(1);
        metrics.begin();
        Ok(Arc::new(metrics))
    }

    /// Begins the series that need no name from a policy.
    fn begin(&self) {
        self.exchanges.overhead.with_label_values::<&str>(&[]);
        for result in [GOOD_RELOAD, BAD_RELOAD] {
            self.reloads.with_label_values(&[result]);
        }
    }

    /// Counts an exchange that is over.
    pub fn observe(&self, finished: &Finished<'_>) {
        self.exchanges.observe(finished);
    }

    /// A request has cost so many US dollars.
    pub fn spent(&self, backend: &str, dollars: f64) {
        self.spend.with_label_values(&[backend]).inc_by(dollars);
    }

    /// How much of a backend's budget is used now, 1 for all of it. What it has cost is counted from 0.
    pub fn set_budget(&self, backend: &str, used: f64) {
        self.budget.with_label_values(&[backend]).set(used);
        self.spend.with_label_values(&[backend]);
    }

    /// A request went on to another candidate.
    pub fn failover(&self, from: &str, to: &str, reason: Reason) {
        self.exchanges.failovers.with_label_values(&[from, to, reason.as_str()]).inc();
    }

    /// An exchange has waited so long for a card.
    pub fn queued(&self, gpu: &str, time: Duration) {
        self.cards.queue_wait.with_label_values(&[gpu]).observe(time.as_secs_f64());
    }

    /// A reload was taken, or refused.
    pub fn reloaded(&self, good: bool) {
        self.reloads.with_label_values(&[if good { GOOD_RELOAD } else { BAD_RELOAD }]).inc();
        self.last_reload.set(i64::from(good));
    }

    /// So many records did not get into the audit file.
    pub fn audit_dropped(&self, records: usize) {
        self.audit_dropped.inc_by(u64::try_from(records).unwrap_or(u64::MAX));
    }

    /// A mode endpoint was asked; `result` is a word of a closed list.
    pub fn polled(&self, gate: &str, result: &'static str) {
        self.gates.polls.with_label_values(&[gate, result]).inc();
    }

    /// A gate has changed its state.
    pub fn gate_settled(&self, gate: &str, to: GateState) {
        self.gates.transitions.with_label_values(&[gate, to.as_str()]).inc();
    }

    /// A forced request has passed a gate that was in this state.
    pub fn gate_overridden(&self, gate: &str, state: GateState) {
        self.gates.overrides.with_label_values(&[gate, state.as_str()]).inc();
    }

    /// How many bytes of request bodies may be held.
    pub fn set_buffered_limit(&self, bytes: usize) {
        self.buffered_limit.set(signed(bytes));
    }

    /// A backend now: the names of its card and its gate (or nothing), and what is in flight.
    pub fn set_backend(&self, backend: &str, gpu: &str, gate: &str, in_flight: usize) {
        self.cards.backend_info.with_label_values(&[backend, gpu, gate]).set(1);
        self.cards.in_flight.with_label_values(&[backend]).set(signed(in_flight));
        self.exchanges.aborts.with_label_values(&[backend]);
        KINDS.iter().for_each(|kind| drop(self.exchanges.tokens.with_label_values(&[backend, kind])));
        BREAKS.iter().for_each(|why| drop(self.exchanges.broken.with_label_values(&[backend, why])));
    }

    /// Whether a peer may be used now.
    pub fn set_healthy(&self, backend: &str, peer: &str, healthy: bool) {
        self.cards.healthy.with_label_values(&[backend, peer]).set(i64::from(healthy));
    }

    /// Exchanges on a card now, and how many it takes.
    pub fn set_gpu(&self, gpu: &str, in_flight: usize, limit: u32) {
        self.cards.gpu_in_flight.with_label_values(&[gpu]).set(signed(in_flight));
        self.cards.gpu_limit.with_label_values(&[gpu]).set(limit.into());
    }

    /// Exchanges in a card's queue now, and how many it takes.
    pub fn set_queue(&self, gpu: &str, queued: usize, limit: u32) {
        self.cards.queue_depth.with_label_values(&[gpu]).set(signed(queued));
        self.cards.queue_limit.with_label_values(&[gpu]).set(limit.into());
        self.cards.queue_wait.with_label_values(&[gpu]);
    }

    /// The state of a gate now, and what is in flight behind it.
    pub fn set_gate(&self, gate: &str, now: GateState, unforced: usize, forced: usize) {
        for state in GateState::ALL {
            self.gates.state.with_label_values(&[gate, state.as_str()]).set(i64::from(state == now));
            self.gates.transitions.with_label_values(&[gate, state.as_str()]);
            if state != GateState::Open {
                self.gates.overrides.with_label_values(&[gate, state.as_str()]);
            }
        }
        POLL_RESULTS.iter().for_each(|result| drop(self.gates.polls.with_label_values(&[gate, result])));
        self.gates.in_flight.with_label_values(&[gate, "unforced"]).set(signed(unforced));
        self.gates.in_flight.with_label_values(&[gate, "forced"]).set(signed(forced));
    }

    /// The policy in force, and the bytes of request bodies held.
    pub fn set_process(&self, generation: u64, buffered: usize) {
        self.policy_generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        self.buffered.set(signed(buffered));
    }

    /// A scrape: forgets the states that were, has `fill` set those that are, and gives everything.
    pub fn scrape(&self, fill: impl FnOnce(&Self)) -> Vec<u8> {
        let states = self.states.lock();
        states.iter().for_each(IntGaugeVec::reset);
        self.budget.reset();
        fill(self);
        self.text()
    }

    /// Everything as Prometheus reads it.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!("metrics cannot be written: {error}");
        }
        text
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

const GOOD_RELOAD: &str = "ok";
const BAD_RELOAD: &str = "rejected";
