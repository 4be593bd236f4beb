//! The single exit of an exchange: what it held is given back, what it was is told.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pingora_error::{Error, ErrorSource};
use pingora_proxy::Session;
use tokio::time::Instant;

use super::Gateway;
use super::exchange::Exchange;
use super::fare::{Cost, Fare, Outcome};
use super::refuse;
use super::upstream::Attempt;
use crate::openai::{Endpoint, Usage};
use crate::policy::BackendId;
use crate::telemetry::{Fault, Finished, record};

/// How an exchange ended.
struct End {
    status: u16,
    aborted: bool,
    /// Why the answer broke off in its middle, where it did.
    broken: Option<&'static str>,
    /// The backend whose answer it was.
    backend: Option<BackendId>,
    /// When all of the request was there.
    received: Instant,
    at: Instant,
    time: SystemTime,
    usage: Option<Usage>,
    cost: Option<Cost>,
}

impl Gateway {
    /// Called once for every exchange, however it ended.
    pub(super) fn finish(&self, session: &Session, error: Option<&Error>, exchange: &mut Exchange) {
        let end = exchange.end(session, error);
        exchange.costs.iter().for_each(|(backend, cost)| self.metrics.spent(backend, cost.money.dollars()));
        let finished = exchange.finished(&end);
        self.metrics.observe(&finished);
        tell(&finished, exchange, error);
        if exchange.endpoint.is_some() {
            let told = exchange.take_out();
            self.journal.tell(Box::new(move || told.record(&end)));
        }
    }
}

impl Exchange {
    /// The attempt that runs is over: its places are given back, and what it has cost is settled. What was
    /// never sent costs nothing. Whose it was.
    pub(super) fn end_attempt(&mut self) -> Option<BackendId> {
        let Attempt { backend, fare, failed_with, .. } = self.attempt.take()?;
        if let Some(fare) = fare.filter(Fare::is_sent) {
            let cost = fare.settle(Outcome { status: failed_with.or(self.relay.status), ..self.outcome() });
            self.costs.push((self.backend_name(backend).to_owned(), cost));
        }
        Some(backend)
    }

    /// What is known of the answer. Where nothing is written only the prompt is paid for.
    fn outcome(&self) -> Outcome {
        let writes = self.endpoint.is_some_and(Endpoint::writes);
        let unwritten = |usage: Usage| Usage { completion: usage.completion.or(Some(0)), ..usage };
        let usage = self.relay.usage();
        Outcome {
            status: self.relay.status,
            usage: if writes { usage } else { usage.map(unwritten) },
            seen: if writes { self.relay.guessed_tokens() } else { 0 },
            whole: self.relay.is_whole(),
        }
    }

    /// Gives back what was held, before anything is told: who waits for a place need not wait for our
    /// bookkeeping.
    fn end(&mut self, session: &Session, error: Option<&Error>) -> End {
        let aborted =
            self.refused.is_none() && error.is_some_and(|error| error.esource == ErrorSource::Downstream);
        let written = session.response_written().map(|head| head.status.as_u16());
        if let Some(arrival) = &self.arrival {
            arrival.control.clear();
        }
        let backend = self.end_attempt();
        let cost = self.costs.iter().map(|(_, cost)| *cost).reduce(Cost::plus);
        End {
            status: if aborted { CLIENT_GONE } else { written.unwrap_or(BROKEN) },
            aborted,
            broken: (error.is_some() && !aborted).then(|| self.broke_off()).flatten(),
            backend: backend.filter(|_| self.refused.is_none()),
            received: self.arrival.take().map_or(self.began, |arrival| arrival.received),
            at: Instant::now(),
            time: SystemTime::now(),
            usage: self.relay.usage(),
            cost,
        }
    }

    /// What a record is made of, in case that somebody asks for it; without the body and what else is large.
    fn take_out(&mut self) -> Self {
        let mut told = std::mem::replace(self, Self::new(Arc::clone(&self.live)));
        (told.body, told.prompt) = (bytes::Bytes::new(), None);
        told.relay.forget();
        told.tried.clear();
        told
    }

    fn finished(&self, end: &End) -> Finished<'_> {
        Finished {
            backend: end.backend.map_or("", |id| self.backend_name(id)),
            rule: self.rule(),
            reason: self.reason(),
            status: end.status,
            aborted: end.aborted,
            broken: end.broken,
            attempts: self.attempts,
            total: end.at - self.began,
            first_byte: self.relay.first_byte.map(|at| at - self.began),
            overhead: self.asked.map(|asked| (asked - end.received).saturating_sub(self.queued)),
            queued: self.queued,
            estimate: self.facts.as_ref().map(|facts| facts.tokens),
            usage: end.usage,
            cost: end.cost.map(|cost| (cost.money.dollars(), cost.estimated)),
            leaves_the_house: self.outside,
        }
    }

    /// Why the client has a part of the answer and will not get the rest.
    fn broke_off(&self) -> Option<&'static str> {
        let begun = self.relay.released && !self.relay.complete && self.refused.is_none();
        begun.then(|| refuse::broke_off(self.cut).0)
    }

    /// The decision's reason, or the refusal's code where no decision was made.
    pub(super) fn reason(&self) -> &'static str {
        match (&self.decision, &self.refused) {
            (Some(decision), _) => decision.reason.as_str(),
            (None, Some(refused)) => refused.code,
            (None, None) => "",
        }
    }

    /// The exchange as a record: the decision as `explain` shows it, and what came of it.
    fn record(&self, end: &End) -> serde_json::Value {
        let decision = match (&self.facts, &self.decision, &self.seen) {
            (Some(facts), Some(decision), Some(seen)) => {
                let refusal = self.refused.as_ref().map(record::refusal);
                record::decision(&self.live.policy, facts, seen, decision, None, refusal)
            }
            _ => {
                let path = self.endpoint.map(Endpoint::path);
                record::undecided(self.refused.as_ref(), path, self.client.as_deref())
            }
        };
        record::exchange(decision, &self.finished(end), &self.request_id, end.time)
    }
}

/// One line a request, for the person who runs the house. Nothing of the prompt.
fn tell(finished: &Finished<'_>, exchange: &Exchange, error: Option<&Error>) {
    let path = exchange.endpoint.map_or("", Endpoint::path);
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
        queued_ms = (!finished.queued.is_zero()).then(|| ms(finished.queued)),
        first_byte_ms = finished.first_byte.map(ms),
        total_ms = ms(finished.total),
        error = error.map(|error| tracing::field::display(Fault(error))),
        "exchange"
    );
}

/// Milliseconds to a tenth: what a person can compare.
fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

/// The status of an exchange whose client went away; in logs and metrics alone.
const CLIENT_GONE: u16 = 499;
/// The status of an exchange that ended without an answer for another reason.
const BROKEN: u16 = 502;
