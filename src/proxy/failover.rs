//! What happens to this exchange when a peer fails: another peer, the next candidate, or none.
//! What happens to the next exchanges is `service::health`'s.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use pingora_error::{Error, ErrorSource, ErrorType, Result};
use pingora_http::ResponseHeader;

use super::exchange::Exchange;
use super::upstream::again;
use super::{Gateway, refuse};
use crate::fleet::LivePeer;
use crate::policy::{BackendId, Reason};
use crate::telemetry::Fault;
use crate::transport::Cut;
use crate::wire;

impl Gateway {
    /// No connection could be made: nothing was sent, anything may be tried again.
    pub(super) fn connect_failed(&self, exchange: &mut Exchange, error: Box<Error>) -> Box<Error> {
        tracing::warn!(request_id = exchange.request_id, "connect failed: {}", Fault(&error));
        match self.next_after_failed_connect(exchange) {
            Ok(()) => again("the next candidate"),
            Err(error) => error,
        }
    }

    /// A failed connect counts as a failed probe, and the peer is probed at once.
    pub(super) fn next_after_failed_connect(&self, exchange: &mut Exchange) -> Result<()> {
        exchange.suspect_peer();
        self.next(exchange, Reason::ConnectFailed)
    }

    /// Gives up the attempt's peer, and its backend when it has no other; says whether there is
    /// another candidate.
    fn next(&self, exchange: &mut Exchange, reason: Reason) -> Result<()> {
        let peer = exchange.attempt.as_ref().map(|attempt| attempt.slot.peer().clone());
        exchange.tried.extend(peer);
        let Some(backend) = exchange.end_attempt() else { return Err(exchange.refuse(refuse::nobody())) };
        if !exchange.has_another_peer(backend, &exchange.tried) {
            exchange.excluded.push((backend, reason));
        }
        let next = self.decide(exchange).map_err(|refused| exchange.refuse(refused))?;
        if next != backend {
            let (from, to) = (exchange.backend_name(backend), exchange.backend_name(next));
            self.metrics.failover(from, to, reason);
        }
        Ok(())
    }

    /// A status that sends the request on, before anything of it has reached the client. The last
    /// candidate's passes through.
    pub(super) fn judge_status(&self, exchange: &mut Exchange, head: &ResponseHeader) -> Result<()> {
        let status = head.status.as_u16();
        if status == 101 {
            return Error::e_explain(ErrorType::InvalidHTTPHeader, "a tunnel that nobody asked for")
                .map_err(|e| e.into_up());
        }
        let Some(attempt) = &exchange.attempt else { return Ok(()) };
        let Some(backend) = exchange.live.policy.backends.get(attempt.backend.0) else { return Ok(()) };
        if !backend.kind.may_be_asked_again() {
            heed(attempt.slot.peer(), head);
        }
        if !backend.failover_on.contains(&status) || !self.has_another(exchange, Reason::UpstreamError) {
            return Ok(());
        }
        let mut error =
            Error::explain(ErrorType::HTTPStatus(status), "the backend's status sends the request on");
        error.as_up();
        error.set_retry(true);
        exchange.attempt.iter_mut().for_each(|attempt| attempt.failed_with = Some(status));
        self.next(exchange, Reason::UpstreamError)?;
        Err(error)
    }

    /// Whether the exchange would go somewhere if this attempt failed.
    fn has_another(&self, exchange: &Exchange, reason: Reason) -> bool {
        let (Some(attempt), Some(facts)) = (&exchange.attempt, &exchange.facts) else { return false };
        let mut tried = exchange.tried.clone();
        tried.push(attempt.slot.peer().clone());
        if exchange.has_another_peer(attempt.backend, &tried) {
            return true;
        }
        let mut excluded = exchange.excluded.clone();
        excluded.push((attempt.backend, reason));
        let decision = exchange.live.policy.decide(facts, &exchange.live.view(Some(facts), &excluded));
        matches!(decision.outcome, crate::policy::Outcome::Route(_))
    }

    /// The exchange broke while it ran.
    pub(super) fn broke(
        &self,
        exchange: &mut Exchange,
        mut error: Box<Error>,
        client_reused: bool,
    ) -> Box<Error> {
        if exchange.attempt.is_none() {
            return error; // already dealt with: `judge_status`, `connected`
        }
        let cut = exchange.arrival.as_ref().and_then(|arrival| arrival.control.take_cut());
        if cut.is_some() {
            error.as_up();
            exchange.cut = cut;
        }
        error.set_retry(false);
        if error.esource != ErrorSource::Upstream || exchange.relay.released {
            return error;
        }
        let again_allowed = exchange.asked_backend().is_some_and(|it| it.kind.may_be_asked_again());
        let was_stale =
            again_allowed && cut.is_none() && client_reused && exchange.was_closed_at_once(&error);
        if was_stale && exchange.ask_again() {
            return again("the pooled connection was closed under the request");
        }
        if cut.is_none() && !client_reused && exchange.relay.status.is_none() {
            exchange.suspect_peer();
        }
        self.died(exchange, error, cut)
    }

    /// The peer failed after the request was sent and before the client got anything.
    fn died(&self, exchange: &mut Exchange, error: Box<Error>, cut: Option<Cut>) -> Box<Error> {
        tracing::warn!(request_id = exchange.request_id, "the backend failed: {}", Fault(&error));
        let reason = match cut {
            Some(Cut::Gate) => return exchange.decide_again(),
            Some(Cut::Stop) => return exchange.refuse(refuse::stopping()),
            Some(Cut::FirstByte | Cut::Idle) => Reason::UpstreamTimeout,
            None => Reason::UpstreamError,
        };
        if cut.is_none() {
            exchange.note_death();
        }
        if exchange.dead.len() >= MAX_DEATHS {
            let refused = refuse::died_twice();
            return exchange.refuse(refused);
        }
        match self.next(exchange, reason) {
            Ok(()) => again("the next candidate"),
            Err(error) => error,
        }
    }
}

/// What a peer that is asked once says of itself: it lives, or it asks to be left alone for a while.
fn heed(peer: &LivePeer, head: &ResponseHeader) {
    peer.answered();
    if !matches!(head.status.as_u16(), 429 | 503) {
        return;
    }
    let asked = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    if let Some(time) = asked.and_then(|asked| wire::retry_after(asked, SystemTime::now())) {
        peer.leave_alone(time);
    }
}

impl Exchange {
    /// Whether the backend has another peer for this request. What is metered or meant for a person is asked
    /// once.
    fn has_another_peer(&self, id: BackendId, tried: &[Arc<LivePeer>]) -> bool {
        let again = self.live.policy.backends.get(id.0).is_some_and(|it| it.kind.may_be_asked_again());
        again && self.live.backends.get(id.0).is_some_and(|backend| backend.has_untried(tried))
    }

    /// The peer failed in traffic: that counts, and it is not asked again until a probe says so.
    fn suspect_peer(&self) {
        if let (Some(attempt), Some(backend)) = (&self.attempt, self.asked_backend()) {
            attempt.slot.peer().suspect(backend.health.as_ref());
        }
    }

    /// A candidate that died under this request counts once, however many of its peers did.
    fn note_death(&mut self) {
        if let Some(backend) = self.attempt.as_ref().map(|attempt| attempt.backend)
            && !self.dead.contains(&backend)
        {
            self.dead.push(backend);
        }
    }

    /// The gate closed under an unforced exchange of which the client has seen nothing.
    fn decide_again(&mut self) -> Box<Error> {
        self.end_attempt();
        again("the gate closed before the answer began")
    }

    /// Whether the connection was closed under the request: a reset, a failed write or its end, within
    /// a round trip. What comes later comes from a server that has read the request.
    fn was_closed_at_once(&self, error: &Error) -> bool {
        let closed = matches!(
            error.etype(),
            ErrorType::WriteError | ErrorType::ReadError | ErrorType::ConnectionClosed
        );
        let connected = self.attempt.as_ref().and_then(|attempt| attempt.connected);
        closed && self.relay.status.is_none() && connected.is_some_and(|at| at.elapsed() < STALE_SHOWS)
    }

    /// Allows the same peer once more, on a fresh connection: its pooled one was closed under the request.
    fn ask_again(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.stale, true);
        if first {
            self.end_attempt();
        }
        first
    }
}

/// A connection that the server had closed shows it within this time: far more than a round trip in a
/// home, far less than a model takes to die.
const STALE_SHOWS: Duration = Duration::from_millis(200);
/// A request under which so many backends have died is sent to no other: it may be what kills them.
const MAX_DEATHS: usize = 2;
