//! Every metric: name, help, labels, buckets. One struct; the only file that names `prometheus`. ★
//!
//! Labels take only names from the policy and closed lists: a client cannot make a series. What is a
//! state and not a count (gates, health, in flight) is set when somebody scrapes, and what a policy no
//! longer names is gone then. A count with a closed list of labels is there before it first rises:
//! Prometheus sees no rise in a series that begins with it. docs/metrics.md lists them all; a test compares.

mod finished;
mod maker;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};

use crate::gate::POLL_RESULTS;
use crate::openai::Usage;
use crate::policy::{GateState, Reason};
pub use finished::Finished;
use maker::Maker;

/// All of them, in a registry of their own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
    first_byte: HistogramVec,
    overhead: HistogramVec,
    tokens: IntCounterVec,
    estimate_ratio: HistogramVec,
    in_flight: IntGaugeVec,
    backend_info: IntGaugeVec,
    gpu_in_flight: IntGaugeVec,
    gpu_limit: IntGaugeVec,
    queue_depth: IntGaugeVec,
    queue_limit: IntGaugeVec,
    queue_wait: HistogramVec,
    gate_state: IntGaugeVec,
    gate_in_flight: IntGaugeVec,
    gate_overrides: IntCounterVec,
    gate_polls: IntCounterVec,
    gate_transitions: IntCounterVec,
    healthy: IntGaugeVec,
    failovers: IntCounterVec,
    aborts: IntCounterVec,
    broken: IntCounterVec,
    policy_generation: IntGauge,
    reloads: IntCounterVec,
    last_reload: IntGauge,
    audit_dropped: IntCounter,
    buffered: IntGauge,
    buffered_limit: IntGauge,
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
            requests: make.counters(
                "sluice_requests_total",
                "Requests by what became of them.",
                &["backend", "rule", "reason", "status"],
            )?,
            duration: make.histograms(
                "sluice_request_duration_seconds",
                "From the first byte in to the last byte out.",
                &["backend"],
                &LONG,
            )?,
            first_byte: make.histograms(
                "sluice_time_to_first_byte_seconds",
                "From the first byte in to the first byte of the answer's body.",
                &["backend"],
                &LONG,
            )?,
            overhead: make.histograms(
                "sluice_overhead_seconds",
                "Time spent in sluice before the upstream is asked, waiting left out.",
                &[],
                &SHORT,
            )?,
            tokens: make.counters(
                "sluice_tokens_total",
                "Tokens as the backends reported them.",
                &["backend", "kind"],
            )?,
            estimate_ratio: make.histograms(
                "sluice_token_estimate_ratio",
                "Estimated prompt tokens over those that the backend reported.",
                &["backend"],
                &RATIO,
            )?,
            in_flight: make.state("sluice_in_flight", "Exchanges in flight.", &["backend"])?,
            backend_info: make.state(
                "sluice_backend_info",
                "1 for each backend: the card it works on and the gate it stands behind.",
                &["backend", "gpu", "gate"],
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
            gate_state: make.state(
                "sluice_gate_state",
                "1 for the state a gate is in.",
                &["gate", "state"],
            )?,
            gate_in_flight: make.state(
                "sluice_gate_in_flight",
                "Exchanges in flight behind a gate.",
                &["gate", "kind"],
            )?,
            gate_overrides: make.counters(
                "sluice_gate_overrides_total",
                "Forced requests that passed a gate which was not open, by the state it was in.",
                &["gate", "state"],
            )?,
            gate_polls: make.counters(
                "sluice_gate_polls_total",
                "Questions to a mode endpoint by their outcome.",
                &["gate", "result"],
            )?,
            gate_transitions: make.counters(
                "sluice_gate_transitions_total",
                "Changes of a gate's state.",
                &["gate", "to"],
            )?,
            healthy: make.state(
                "sluice_backend_healthy",
                "1 for a peer that may be used.",
                &["backend", "peer"],
            )?,
            failovers: make.counters(
                "sluice_failovers_total",
                "Requests that went on to another candidate.",
                &["from", "to", "reason"],
            )?,
            aborts: make.counters(
                "sluice_client_aborts_total",
                "Clients that went away before the end.",
                &["backend"],
            )?,
            broken: make.counters(
                "sluice_broken_answers_total",
                "Answers that broke off after some of them had reached the client.",
                &["backend", "reason"],
            )?,
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
        self.overhead.with_label_values::<&str>(&[]);
        for result in [GOOD_RELOAD, BAD_RELOAD] {
            self.reloads.with_label_values(&[result]);
        }
    }

    /// Counts an exchange that is over.
    pub fn observe(&self, finished: &Finished<'_>) {
        let (backend, rule) = (finished.backend, finished.rule.as_ref());
        let mut digits = [0_u8; 3];
        let status = decimal(finished.status, &mut digits);
        self.requests.with_label_values(&[backend, rule, finished.reason, status]).inc();
        self.duration.with_label_values(&[backend]).observe(finished.total.as_secs_f64());
        if let Some(overhead) = finished.overhead {
            self.overhead.with_label_values::<&str>(&[]).observe(overhead.as_secs_f64());
        }
        if let Some(first_byte) = finished.first_byte {
            self.first_byte.with_label_values(&[backend]).observe(first_byte.as_secs_f64());
        }
        if finished.aborted {
            self.aborts.with_label_values(&[backend]).inc();
        }
        if let Some(reason) = finished.broken {
            self.broken.with_label_values(&[backend, reason]).inc();
        }
        if let Some(usage) = finished.usage {
            self.usage(backend, usage, finished.estimate);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    fn usage(&self, backend: &str, usage: Usage, estimate: Option<u64>) {
        self.tokens.with_label_values(&[backend, "prompt"]).inc_by(usage.prompt.unwrap_or(0));
        self.tokens.with_label_values(&[backend, "completion"]).inc_by(usage.completion.unwrap_or(0));
        if let (Some(estimate), Some(reported @ 1..)) = (estimate, usage.prompt) {
            self.estimate_ratio.with_label_values(&[backend]).observe(estimate as f64 / reported as f64);
        }
    }

    /// A request went on to another candidate.
    pub fn failover(&self, from: &str, to: &str, reason: Reason) {
        self.failovers.with_label_values(&[from, to, reason.as_str()]).inc();
    }

    /// An exchange has waited so long for a card.
    pub fn queued(&self, gpu: &str, time: Duration) {
        self.queue_wait.with_label_values(&[gpu]).observe(time.as_secs_f64());
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
        self.gate_polls.with_label_values(&[gate, result]).inc();
    }

    /// A gate has changed its state.
    pub fn gate_settled(&self, gate: &str, to: GateState) {
        self.gate_transitions.with_label_values(&[gate, to.as_str()]).inc();
    }

    /// A forced request has passed a gate that was in this state.
    pub fn gate_overridden(&self, gate: &str, state: GateState) {
        self.gate_overrides.with_label_values(&[gate, state.as_str()]).inc();
    }

    /// How many bytes of request bodies may be held.
    pub fn set_buffered_limit(&self, bytes: usize) {
        self.buffered_limit.set(signed(bytes));
    }

    /// A backend now: the names of its card and its gate (or nothing), and what is in flight.
    pub fn set_backend(&self, backend: &str, gpu: &str, gate: &str, in_flight: usize) {
        self.backend_info.with_label_values(&[backend, gpu, gate]).set(1);
        self.in_flight.with_label_values(&[backend]).set(signed(in_flight));
        self.aborts.with_label_values(&[backend]);
        KINDS.iter().for_each(|kind| drop(self.tokens.with_label_values(&[backend, kind])));
        BREAKS.iter().for_each(|why| drop(self.broken.with_label_values(&[backend, why])));
    }

    /// Whether a peer may be used now.
    pub fn set_healthy(&self, backend: &str, peer: &str, healthy: bool) {
        self.healthy.with_label_values(&[backend, peer]).set(i64::from(healthy));
    }

    /// Exchanges on a card now, and how many it takes.
    pub fn set_gpu(&self, gpu: &str, in_flight: usize, limit: u32) {
        self.gpu_in_flight.with_label_values(&[gpu]).set(signed(in_flight));
        self.gpu_limit.with_label_values(&[gpu]).set(limit.into());
    }

    /// Exchanges in a card's queue now, and how many it takes.
    pub fn set_queue(&self, gpu: &str, queued: usize, limit: u32) {
        self.queue_depth.with_label_values(&[gpu]).set(signed(queued));
        self.queue_limit.with_label_values(&[gpu]).set(limit.into());
        self.queue_wait.with_label_values(&[gpu]);
    }

    /// The state of a gate now, and what is in flight behind it.
    pub fn set_gate(&self, gate: &str, now: GateState, unforced: usize, forced: usize) {
        for state in GateState::ALL {
            self.gate_state.with_label_values(&[gate, state.as_str()]).set(i64::from(state == now));
            self.gate_transitions.with_label_values(&[gate, state.as_str()]);
            if state != GateState::Open {
                self.gate_overrides.with_label_values(&[gate, state.as_str()]);
            }
        }
        POLL_RESULTS.iter().for_each(|result| drop(self.gate_polls.with_label_values(&[gate, result])));
        self.gate_in_flight.with_label_values(&[gate, "unforced"]).set(signed(unforced));
        self.gate_in_flight.with_label_values(&[gate, "forced"]).set(signed(forced));
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

/// A status as text, without a trip to the allocator.
fn decimal(status: u16, digits: &mut [u8; 3]) -> &str {
    let digit = |divisor: u16| b'0' + u8::try_from(status / divisor % 10).unwrap_or(0);
    *digits = [digit(100), digit(10), digit(1)];
    str::from_utf8(digits).unwrap_or("000")
}

const GOOD_RELOAD: &str = "ok";
const BAD_RELOAD: &str = "rejected";
/// What tokens are counted as.
const KINDS: [&str; 2] = ["prompt", "completion"];
/// Why an answer can break off in its middle: the codes of the event that ends a stream then.
const BREAKS: [&str; 4] = ["upstream_error", "upstream_timeout", "gate_closed", "overloaded"];
/// From a cached short answer to a long generation.
const LONG: [f64; 14] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// sluice's own work is microseconds; a millisecond is already slow.
const SHORT: [f64; 10] = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.1];
/// Around 1, at which an estimate is exact.
const RATIO: [f64; 11] = [0.25, 0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0];
