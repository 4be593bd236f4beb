//! The single exit of an exchange: what it held is given back, what it was is told.

use std::time::SystemTime;

use pingora_error::{Error, ErrorSource};
use pingora_proxy::Session;
use tokio::time::Instant;

use super::Gateway;
use super::exchange::Exchange;
use crate::policy::BackendId;
use crate::telemetry::{Finished, record};

impl Gateway {
    /// Called once for every exchange, however it ended.
    pub(super) fn finish(&self, session: &Session, error: Option<&Error>, exchange: &mut Exchange) {
        let aborted =
            exchange.refused.is_none() && error.is_some_and(|error| error.esource == ErrorSource::Downstream);
        let written = session.response_written().map(|head| head.status.as_u16());
        let status = if aborted { CLIENT_GONE } else { written.unwrap_or(BROKEN) };
        if let Some(arrival) = &exchange.arrival {
            arrival.control.clear();
        }
        // Given back before anything is told: who waits for a place need not wait for our bookkeeping.
        let backend = exchange.attempt.take().map(|attempt| attempt.backend);
        let received = exchange.arrival.take().map_or(exchange.began, |arrival| arrival.received);
        let finished = exchange.finished(status, aborted, backend, received);
        self.metrics.observe(&finished);
        tell(&finished, exchange, error);
        if let Some(record) = exchange.record(&finished) {
            self.journal.tell(record);
        }
    }
}

impl Exchange {
    fn finished(
        &self,
        status: u16,
        aborted: bool,
        backend: Option<BackendId>,
        received: Instant,
    ) -> Finished<'_> {
        let now = Instant::now();
        let backend = backend.filter(|_| self.refused.is_none());
        let first_byte = self.relay.first_byte.map(|at| at - self.began);
        Finished {
            backend: backend.map_or("", |id| self.backend_name(id)),
            rule: self.rule(),
            reason: self.reason(),
            status,
            aborted,
            attempts: self.attempts,
            total: now - self.began,
            first_byte,
            overhead: self.asked.map(|asked| (asked - received).saturating_sub(self.queued)),
            queued: self.queued,
            estimate: self.facts.as_ref().map(|facts| facts.tokens),
            usage: self.relay.usage(),
        }
    }

    /// The decision's reason, or the refusal's code where no decision was made.
    fn reason(&self) -> &'static str {
        match (&self.decision, &self.refused) {
            (Some(decision), _) => decision.reason.as_str(),
            (None, Some(refused)) => refused.code,
            (None, None) => "",
        }
    }

    /// The exchange as a record: the decision as `explain` shows it, and what came of it. Model lists and
    /// health questions have none.
    fn record(&self, finished: &Finished<'_>) -> Option<serde_json::Value> {
        self.endpoint?;
        let decision = match (&self.facts, &self.decision, &self.seen) {
            (Some(facts), Some(decision), Some(seen)) => {
                let refusal = self.refused.as_ref().map(record::refusal);
                record::decision(&self.live.policy, facts, seen, decision, None, refusal)
            }
            _ => record::undecided(self.refused.as_ref()),
        };
        Some(record::exchange(decision, finished, &self.request_id, SystemTime::now()))
    }
}

/// One line a request, for the person who runs the house. Nothing of the prompt.
fn tell(finished: &Finished<'_>, exchange: &Exchange, error: Option<&Error>) {
    let path = exchange.endpoint.map_or("", crate::openai::Endpoint::path);
    if path.is_empty() && finished.status < 400 {
        return; // model lists and health questions
    }
    tracing::info!(
        request_id = exchange.request_id,
        path,
        backend = finished.backend,
        rule = finished.rule.as_ref(),
        reason = finished.reason,
        status = finished.status,
        attempts = finished.attempts,
        tokens = finished.estimate,
        total_ms = finished.total.as_secs_f64() * 1000.0,
        error = error.map(tracing::field::display),
        "exchange"
    );
}

/// The status of an exchange whose client went away; in logs and metrics alone.
const CLIENT_GONE: u16 = 499;
/// The status of an exchange that ended without an answer for another reason.
const BROKEN: u16 = 502;
