//! Every metric: name, help, labels, buckets. One struct; the only file that names `prometheus`. ★
//!
//! Labels take only names from the policy and closed lists: a client cannot make a series. What is a
//! state and not a count (gates, health, in flight) is set when somebody scrapes.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use prometheus::{
    CounterVec, Encoder, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder, core::Collector,
};

use crate::openai::Usage;
use crate::policy::{GateState, Reason};

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
    gpu_in_flight: IntGaugeVec,
    queue_depth: IntGaugeVec,
    queue_wait: HistogramVec,
    gate_state: IntGaugeVec,
    gate_polls: IntCounterVec,
    gate_transitions: IntCounterVec,
    healthy: IntGaugeVec,
    failovers: IntCounterVec,
    aborts: IntCounterVec,
    policy_generation: IntGauge,
    reloads: IntCounterVec,
    last_reload: IntGauge,
    audit_dropped: IntCounter,
    buffered: IntGauge,
    spend: CounterVec,
}

/// One exchange when it is over.
#[derive(Debug)]
pub struct Finished<'e> {
    /// The backend that answered, or nothing.
    pub backend: &'e str,
    /// What decided.
    pub rule: Cow<'e, str>,
    /// Why not the first candidate, or a refusal's code.
    pub reason: &'static str,
    /// The client's status; 499 when it went away.
    pub status: u16,
    /// Whether it went away.
    pub aborted: bool,
    /// Attempts made.
    pub attempts: u32,
    /// From the first byte in to the last byte out.
    pub total: Duration,
    /// From the first byte in to the first byte of the answer's body.
    pub first_byte: Option<Duration>,
    /// From the last byte in to the first attempt, waiting left out.
    pub overhead: Option<Duration>,
    /// Time spent in queues.
    pub queued: Duration,
    /// Estimated prompt tokens.
    pub estimate: Option<u64>,
    /// What the backend reported.
    pub usage: Option<Usage>,
    /// What it cost in US dollars, and whether that is a guess.
    pub cost: Option<(f64, bool)>,
    /// Whether its prompt went to a service outside the house.
    pub leaves_the_house: bool,
}

impl Metrics {
    /// A registry with everything in it.
    ///
    /// # Errors
    /// When two metrics share a name: a mistake in this file.
    pub fn new() -> Result<Arc<Self>, prometheus::Error> {
        let registry = Registry::new();
        let make = Maker { registry: &registry };
        let metrics = Self {
            requests: make.counters(
                "sluice_requests_total",
                "Requests by what became of them.",
                &["backend", "rule", "reason", "status"],
            )?,
            duration: make.seconds(
                "sluice_request_duration_seconds",
                "From the first byte in to the last byte out.",
                &["backend"],
                &LONG,
            )?,
            first_byte: make.seconds(
                "sluice_time_to_first_byte_seconds",
                "From the first byte in to the first byte of the answer's body.",
                &["backend"],
                &LONG,
            )?,
            overhead: make.seconds(
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
            estimate_ratio: make.seconds(
                "sluice_token_estimate_ratio",
                "Estimated prompt tokens over those that the backend reported.",
                &["backend"],
                &RATIO,
            )?,
            in_flight: make.gauges("sluice_in_flight", "Exchanges in flight.", &["backend"])?,
            gpu_in_flight: make.gauges("sluice_gpu_in_flight", "Exchanges in flight on a card.", &["gpu"])?,
            queue_depth: make.gauges(
                "sluice_queue_depth",
                "Exchanges that wait for a slot on a card.",
                &["gpu"],
            )?,
            queue_wait: make.seconds(
                "sluice_queue_wait_seconds",
                "Time spent waiting for a slot on a card.",
                &["gpu"],
                &LONG,
            )?,
            gate_state: make.gauges(
                "sluice_gate_state",
                "1 for the state a gate is in.",
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
            healthy: make.gauges(
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
            spend: make.amounts(
                "sluice_spend_usd_total",
                "US dollars spent, as far as known.",
                &["backend"],
            )?,
            registry: registry.clone(),
        };
        make.gauges("sluice_build_info", "The version that runs.", &["version"])?
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        metrics.last_reload.set(1);
        Ok(Arc::new(metrics))
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

    /// A request has cost so many US dollars.
    pub fn spent(&self, backend: &str, dollars: f64) {
        self.spend.with_label_values(&[backend]).inc_by(dollars);
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
        self.reloads.with_label_values(&[if good { "ok" } else { "rejected" }]).inc();
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

    /// Exchanges in flight at a backend now.
    pub fn set_in_flight(&self, backend: &str, count: usize) {
        self.in_flight.with_label_values(&[backend]).set(signed(count));
    }

    /// Whether a peer may be used now.
    pub fn set_healthy(&self, backend: &str, peer: &str, healthy: bool) {
        self.healthy.with_label_values(&[backend, peer]).set(i64::from(healthy));
    }

    /// Exchanges on a card and in its queue now.
    pub fn set_gpu(&self, gpu: &str, in_flight: usize, queued: usize) {
        self.gpu_in_flight.with_label_values(&[gpu]).set(signed(in_flight));
        self.queue_depth.with_label_values(&[gpu]).set(signed(queued));
    }

    /// The state of a gate now.
    pub fn set_gate(&self, gate: &str, now: GateState) {
        for state in GateState::ALL {
            self.gate_state.with_label_values(&[gate, state.as_str()]).set(i64::from(state == now));
        }
    }

    /// The policy in force, and the bytes of request bodies held.
    pub fn set_process(&self, generation: u64, buffered: usize) {
        self.policy_generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
        self.buffered.set(signed(buffered));
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

impl Finished<'_> {
    /// A client that went away before anything was decided.
    pub fn nobody() -> Self {
        Self {
            backend: "",
            rule: "".into(),
            reason: "",
            status: 499,
            aborted: true,
            attempts: 0,
            total: Duration::ZERO,
            first_byte: None,
            overhead: None,
            queued: Duration::ZERO,
            estimate: None,
            usage: None,
            cost: None,
            leaves_the_house: false,
        }
    }
}

/// Makes metrics in one registry.
struct Maker<'r> {
    registry: &'r Registry,
}

impl Maker<'_> {
    fn add<C: Collector + Clone + 'static>(&self, made: C) -> Result<C, prometheus::Error> {
        self.registry.register(Box::new(made.clone()))?;
        Ok(made)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.add(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn amounts(&self, name: &str, help: &str, labels: &[&str]) -> Result<CounterVec, prometheus::Error> {
        self.add(CounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn seconds(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        self.add(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.add(IntCounter::new(name, help)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.add(IntGauge::new(name, help)?)
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

/// From a cached short answer to a long generation.
const LONG: [f64; 14] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// sluice's own work is microseconds; a millisecond is already slow.
const SHORT: [f64; 10] = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.1];
/// Around 1, at which an estimate is exact.
const RATIO: [f64; 11] = [0.25, 0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0];
