//! Status, code and words of every error that sluice makes. One table; the contract's section 3.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use pingora_error::{Error, ErrorSource, ErrorType, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::{FailToProxy, Session};

use super::exchange::Exchange;
use super::marks::REQUEST_ID;
use super::peek::Unread;
use super::route::Received;
use super::{Gateway, cors};
use crate::fleet::Live;
use crate::openai::{self, Refused, Shape};
use crate::policy::{BackendId, Decision, Facts, Policy, Reason, Refusal, Verdict};
use crate::prompt;
use crate::transport::{Cut, Fault};
use crate::wire::FaultKind;

// === The table: by the head alone ===

/// 404
pub fn unknown_path() -> Refused {
    Refused::new(404, "unknown_path", "there is nothing at this path; GET /v1/models lists the models")
}

/// 405
pub fn method_not_allowed(allowed: &'static str) -> Refused {
    Refused::new(405, "method_not_allowed", format!("this path takes {allowed} alone")).allow(allowed)
}

/// 415
pub fn not_json() -> Refused {
    Refused::new(415, "unsupported_media_type", "the Content-Type must be application/json")
}

/// 415
pub fn coded() -> Refused {
    Refused::new(415, "unsupported_media_type", "the body must be sent as it is, without a Content-Encoding")
}

/// 401
pub fn no_key() -> Refused {
    Refused::new(
        401,
        "invalid_api_key",
        "an API key is asked for here: send it as `Authorization: Bearer KEY` or `x-api-key: KEY`",
    )
}

/// 401
pub fn invalid_key() -> Refused {
    Refused::new(401, "invalid_api_key", "the API key is nobody's here; ask who runs sluice for one")
}

/// 403
pub fn not_allowed() -> Refused {
    Refused::new(403, "not_allowed", "this client may not use this model").param("model")
}

/// 429: `wait` until there is a place again.
pub fn rate_limited(wait: Duration) -> Refused {
    let seconds = whole_seconds(wait);
    Refused::new(429, "rate_limited", format!("this client asks too often; try again in {seconds} s"))
        .retry_after(seconds)
}

/// Seconds, rounded up.
fn whole_seconds(time: Duration) -> u32 {
    let up = u64::from(time.subsec_nanos() > 0);
    u32::try_from(time.as_secs() + up).unwrap_or(u32::MAX).max(1)
}

// === By what was read of the request ===

/// A request that the connection could not take.
pub fn fault(fault: Fault) -> Refused {
    match fault {
        Fault::Head(head) => match head.kind {
            FaultKind::BadRequest => Refused::new(400, "invalid_request", head.message),
            FaultKind::TooLarge => Refused::new(431, "headers_too_large", head.message),
            FaultKind::MethodNotAllowed => {
                Refused::new(405, "method_not_allowed", head.message).allow("GET, POST")
            }
        },
        Fault::Framing(framing) => Refused::new(400, "invalid_request", framing.to_string()),
        Fault::Turned(refused) => refused,
        Fault::TooLarge(limit) => Refused::new(
            413,
            "body_too_large",
            format!("the body is larger than the {limit} bytes that are taken"),
        ),
        Fault::Timeout(limit) => {
            Refused::new(408, "body_timeout", format!("the body did not come within {}", seconds(limit)))
        }
        Fault::Overloaded => {
            Refused::new(503, "overloaded", "sluice holds as many requests as it may; try again soon")
        }
    }
}

/// A body or header that cannot be read without guessing.
pub fn unread(unread: Unread) -> Refused {
    let words = unread.to_string();
    match unread {
        Unread::Header(_) => Refused::new(400, "invalid_header", words),
        Unread::Body(prompt::Fault::InvalidJson { .. }) => Refused::new(400, "invalid_json", words),
        Unread::Body(body @ prompt::Fault::InvalidRequest { .. }) => {
            let refused = Refused::new(400, "invalid_request", words);
            body.param().map_or(refused.clone(), |param| refused.param(param))
        }
    }
}

/// Our own fault: a hook was called out of its order.
pub fn no_arrival() -> Refused {
    Refused::new(500, "internal_error", "sluice lost track of this request; its log says more")
}

// === By decision ===

/// What the engine's refusal means for the client.
pub fn refused(policy: &Policy, facts: &Facts, refusal: &Refusal) -> Refused {
    match refusal {
        Refusal::UnknownModel => unknown_model(policy, &facts.model, &facts.client),
        Refusal::WrongEndpoint => wrong_endpoint(facts),
        Refusal::ContextLengthExceeded { window } => over_context(facts, *window),
        Refusal::NoCandidate(reason) => no_candidate(*reason),
    }
}

/// 404, with the names that this client may send.
pub fn unknown_model(policy: &Policy, asked: &str, client: &str) -> Refused {
    let allowed = policy.models.iter().filter(|model| policy.allows(client, model));
    let names: Vec<_> = allowed.map(|model| model.name.as_str()).collect();
    let asked: String = asked.chars().take(MAX_NAME_SHOWN).collect();
    let words = format!("the model {asked:?} does not exist; there are: {}", names.join(", "));
    Refused::new(404, "model_not_found", words).param("model")
}

fn wrong_endpoint(facts: &Facts) -> Refused {
    let speech = facts.endpoint == openai::Endpoint::Speech;
    let words = if speech {
        "this model does not speak"
    } else {
        "this model only speaks: ask it at /v1/audio/speech"
    };
    Refused::new(400, "invalid_request", words).param("model")
}

/// The words by which clients know it stand in the message.
fn over_context(facts: &Facts, window: u64) -> Refused {
    let (prompt, output) = (facts.tokens, facts.max_output_tokens.unwrap_or(0));
    let words = format!(
        "the maximum context length is {window} tokens, but the request needs about {} ({prompt} of prompt, \
         {output} of requested output); shorten it or ask for less",
        facts.needed(),
    );
    Refused::new(400, "context_length_exceeded", words)
}

fn no_candidate(reason: Reason) -> Refused {
    match reason {
        Reason::ConnectFailed => upstream_error("no connection to a model server could be made"),
        Reason::UpstreamError => upstream_error("the model server failed before it answered"),
        Reason::UpstreamTimeout => {
            Refused::new(504, "upstream_timeout", "the model server did not answer in time")
        }
        Reason::QueueFull => Refused::new(429, "queue_full", "the queue for the GPU is full"),
        Reason::QueueTimeout => Refused::new(504, "queue_timeout", "no slot on the GPU became free in time"),
        Reason::NotAllowed => not_allowed(),
        Reason::OverBudget => Refused::new(429, "over_budget", "the budget of this backend is used up"),
        Reason::GateClosed | Reason::GateUnknown => {
            nobody_for("the gate before the model server is not open")
        }
        Reason::Asleep => nobody_for("the model is asleep"),
        Reason::Unhealthy | Reason::OverContext | Reason::Matched => nobody_for("no model server is healthy"),
    }
}

/// A refusal for want of budget says when the first of them opens again.
pub fn with_reset(refused: Refused, live: &Live, decision: &Decision) -> Refused {
    let spent = |(id, verdict): &(BackendId, Verdict)| {
        let backend = live.policy.backends.get(id.0)?;
        (*verdict == Verdict::Not(Reason::OverBudget)).then_some(())?;
        Some(live.ledger.used(&backend.name, &backend.budget?))
    };
    let first = decision.candidates.iter().filter_map(spent).min_by_key(|used| used.resets_at);
    let Some(used) = first.filter(|_| refused.code == "over_budget") else { return refused };
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(used.resets_at);
    let words = format!("{}; it opens again at {}", refused.message, humantime::format_rfc3339_seconds(at));
    let seconds = u32::try_from(used.reset_in()).unwrap_or(u32::MAX).max(1);
    Refused { message: words, ..refused }.retry_after(seconds)
}

/// 503: nobody can take it.
pub fn nobody() -> Refused {
    nobody_for("no model server can be used now")
}

fn nobody_for(why: &str) -> Refused {
    Refused::new(503, "no_backend_available", format!("{why}, and there is no other for this request"))
        .retry_after(5)
}

/// 503: the fleet changes too fast.
pub fn restless() -> Refused {
    Refused::new(503, "overloaded", "gates and model servers change faster than a request can be placed")
}

/// 503: the process stops, and what waits is not begun.
pub fn stopping() -> Refused {
    Refused::new(503, "overloaded", "sluice is stopping; try again soon")
}

/// 502: it is not sent to a third.
pub fn died_twice() -> Refused {
    upstream_error("two model servers died under this request; it is not sent to another")
}

fn upstream_error(words: &str) -> Refused {
    Refused::new(502, "upstream_error", words)
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

// === Writing it ===

impl Gateway {
    /// Answers what the request filter came to; false where a backend is to be asked.
    pub(super) async fn answer(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        outcome: Result<Received, Refused>,
    ) -> Result<bool> {
        self.close_when_stopping(session);
        match outcome {
            Ok(Received::Proxy) => return Ok(false),
            Ok(Received::Own(status, value)) => {
                let head = self.own_head(exchange, status)?;
                exchange.relay.status = Some(status);
                exchange.answered = true;
                write(session, head, value.to_string().into()).await?;
            }
            Ok(Received::Preflight) => {
                let mut head = cors::preflight(session.req_header(), exchange.origin.as_ref())?;
                self.origins.mark(exchange.origin.as_ref(), &mut head)?;
                head.insert_header(REQUEST_ID, &exchange.request_id)?;
                exchange.relay.status = Some(204);
                exchange.answered = true;
                session
                    .write_response_header(Box::new(head), true)
                    .await
                    .map_err(|error| error.into_down())?;
            }
            Err(refused) => {
                exchange.refused = Some(refused);
                self.write_refusal(session, exchange).await?;
            }
        }
        Ok(true)
    }

    /// An answer promises no connection that is about to be closed.
    pub(super) fn close_when_stopping(&self, session: &mut Session) {
        if *self.stopping.borrow() {
            session.set_keepalive(None);
        }
    }

    /// Pingora has given the exchange up. What the client is told depends on how much it has already.
    pub(super) async fn give_up(
        &self,
        session: &mut Session,
        error: &Error,
        exchange: &mut Exchange,
    ) -> FailToProxy {
        let client_gone = error.esource == ErrorSource::Downstream && exchange.refused.is_none();
        if client_gone || exchange.answered {
            return LOST;
        }
        if exchange.relay.released {
            exchange.write_last_event(session).await;
            return LOST;
        }
        if exchange.begin_anew(session).await.is_err() {
            return LOST;
        }
        self.close_when_stopping(session);
        let refused = exchange.refused.get_or_insert_with(|| of_error(error));
        let error_code = refused.status;
        let written = self.write_refusal(session, exchange).await.is_ok();
        if let Some(arrival) =
            exchange.arrival.as_ref().filter(|_| written && session.get_keepalive().is_some())
        {
            arrival.control.go_on();
        }
        FailToProxy { error_code, can_reuse_downstream: written }
    }
}

impl Gateway {
    fn own_head(&self, exchange: &Exchange, status: u16) -> Result<ResponseHeader> {
        let mut head = ResponseHeader::build(status, Some(16))?;
        head.insert_header("content-type", "application/json")?;
        exchange.add_marks(None);
        self.origins.mark(exchange.origin.as_ref(), &mut head)?;
        Ok(head)
    }

    async fn write_refusal(&self, session: &mut Session, exchange: &mut Exchange) -> Result<()> {
        let Some(refused) = exchange.refused.clone() else { return Ok(()) };
        exchange.answered = true;
        if exchange.unread {
            session.set_keepalive(None);
        }
        let mut head = self.own_head(exchange, refused.status)?;
        if let Some(seconds) = refused.retry_after {
            head.insert_header("retry-after", seconds.to_string())?;
        }
        if let Some(methods) = refused.allow {
            head.insert_header("allow", methods)?;
        }
        let shape = Shape::of(exchange.endpoint);
        let body = openai::error::body(shape, refused.status, refused.code, &refused.message, refused.param);
        write(session, head, body.into()).await
    }
}

impl Exchange {
    /// An answer broke in its middle. A stream of events gets one more, which says so; of anything else
    /// nothing more is written, so that it cannot be taken for whole.
    async fn write_last_event(&mut self, session: &mut Session) {
        if !self.relay.is_events() || self.relay.announced || self.relay.complete {
            return;
        }
        let (code, words) = broke_off(self.cut);
        let event = openai::error::last_event(Shape::of(self.endpoint), code, words);
        // A client that is gone cannot be told.
        let _ = session.write_response_body(Some(event.into()), true).await;
    }
}

/// Whatever fails here is the client's side.
async fn write(session: &mut Session, mut head: ResponseHeader, body: Bytes) -> Result<()> {
    head.insert_header("content-length", body.len())?;
    let head = session.write_response_header(Box::new(head), false).await;
    head.map_err(|error| error.into_down())?;
    session.write_response_body(Some(body), true).await.map_err(|error| error.into_down())
}

/// Code and words for an answer that broke in its middle.
pub const fn broke_off(cut: Option<Cut>) -> (&'static str, &'static str) {
    match cut {
        Some(Cut::Stop) => ("overloaded", "sluice stops and the answer was cut"),
        Some(Cut::Gate) => ("gate_closed", "the gaming PC's gate has closed and the answer was cut"),
        Some(Cut::FirstByte | Cut::Idle) => {
            ("upstream_timeout", "the model server fell silent in mid answer")
        }
        None => ("upstream_error", "the model server broke off in mid answer"),
    }
}

/// What an error means that nobody has dealt with.
fn of_error(error: &Error) -> Refused {
    match error.etype() {
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => no_candidate(Reason::UpstreamTimeout),
        ErrorType::ConnectTimedout | ErrorType::ConnectRefused => no_candidate(Reason::ConnectFailed),
        _ if error.esource == ErrorSource::Upstream => no_candidate(Reason::UpstreamError),
        _ => no_arrival(),
    }
}

/// Nothing more is to be said on this connection.
const LOST: FailToProxy = FailToProxy { error_code: 0, can_reuse_downstream: false };
/// How much of a name that does not exist is repeated to the client.
const MAX_NAME_SHOWN: usize = 128;
