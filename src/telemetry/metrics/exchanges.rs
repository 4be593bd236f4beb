//! What is counted of exchanges: what became of them, how long they took, tokens, ends before their time.

use prometheus::{Error, HistogramVec, IntCounterVec};

use super::Finished;
use super::maker::{LONG, Maker};
use crate::openai::Usage;

/// What is counted of exchanges.
#[derive(Debug)]
pub(super) struct Exchanges {
    requests: IntCounterVec,
    duration: HistogramVec,
    first_byte: HistogramVec,
    pub(super) overhead: HistogramVec,
    pub(super) tokens: IntCounterVec,
    estimate_ratio: HistogramVec,
    pub(super) failovers: IntCounterVec,
    pub(super) aborts: IntCounterVec,
    pub(super) broken: IntCounterVec,
}

impl Exchanges {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, Error> {
        Ok(Self {
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
        })
    }

    /// Counts an exchange that is over.
    pub(super) fn observe(&self, finished: &Finished<'_>) {
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
}

/// A status as text, without a trip to the allocator.
fn decimal(status: u16, digits: &mut [u8; 3]) -> &str {
    let digit = |divisor: u16| b'0' + u8::try_from(status / divisor % 10).unwrap_or(0);
    *digits = [digit(100), digit(10), digit(1)];
    str::from_utf8(digits).unwrap_or("000")
}

/// What tokens are counted as.
pub(super) const KINDS: [&str; 2] = ["prompt", "completion"];
/// Why an answer can break off in its middle: the codes of the event that ends a stream then.
pub(super) const BREAKS: [&str; 4] = ["upstream_error", "upstream_timeout", "gate_closed", "overloaded"];
/// sluice's own work is microseconds; a millisecond is already slow.
const SHORT: [f64; 10] = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.1];
/// Around 1, at which an estimate is exact.
const RATIO: [f64; 11] = [0.25, 0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 4.0];
