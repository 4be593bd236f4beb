//! One attempt: a peer, the head it gets, the body it gets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST};
use http::{HeaderValue, Uri};
use pingora_core::protocols::Digest;
use pingora_core::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use pingora_error::{Error, ErrorType, OrErr, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use tokio::time::{Instant, timeout};

use super::Gateway;
use super::exchange::Exchange;
use super::fare::Fare;
use super::lease::Slotted;
use super::relay::Relay;
use crate::fleet::{GatePass, Held, LivePeer, Slot};
use crate::openai::Endpoint;
use crate::policy::{Backend, BackendId, Kind, Reason};
use crate::prompt::Forwarded;
use crate::transport::{Cut, OneWrite, rewind};
use crate::wire::forward;

/// The attempt that runs.
pub struct Attempt {
    /// The backend.
    pub backend: BackendId,
    /// The place at one of its peers.
    pub slot: Slot,
    /// The place behind its gate, once it is connected.
    pub pass: Option<GatePass>,
    /// When its connection stood.
    pub connected: Option<Instant>,
    /// The body as this backend gets it.
    pub body: Forwarded,
    /// What Pingora gets for the body, where its connection has the body itself.
    pub stand_in: Option<Bytes>,
    /// What it may cost, where it costs something.
    pub fare: Option<Fare>,
    /// The status of its answer, where that sends the request on.
    pub failed_with: Option<u16>,
}

impl Gateway {
    /// Takes a place at a peer of the decided backend; decides again where that is no longer possible.
    pub(super) async fn choose_peer(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
    ) -> Result<Box<HttpPeer>> {
        exchange.begin_anew(session).await?;
        let mut restless = 0;
        while restless < MAX_RESTLESS {
            let began = Instant::now();
            self.renew(session, exchange).map_err(|refused| exchange.refuse(refused))?;
            let decided = self.decide(exchange).map_err(|refused| exchange.refuse(refused))?;
            if exchange.hear_of_probe(decided).await {
                continue;
            }
            let Slotted::Ready(backend, lease) = self.slot(session, exchange, decided).await? else {
                // A wait that a gate or a peer has ended is no fault, however often it happens.
                restless += u32::from(began.elapsed() < NO_WAIT);
                continue;
            };
            let Some(slot) = exchange.place(backend, lease) else {
                restless += 1;
                continue;
            };
            let Some(fare) = exchange.fare(backend) else { continue };
            let body = exchange.forwarded(backend);
            let peer = slot.peer().clone();
            exchange.attempts += 1;
            tracing::debug!(
                request_id = exchange.request_id,
                attempt = exchange.attempts,
                backend = exchange.backend_name(backend),
                peer = peer.address,
                "asks"
            );
            exchange.attempt = Some(Attempt {
                backend,
                slot,
                pass: None,
                connected: None,
                body,
                stand_in: None,
                fare,
                failed_with: None,
            });
            exchange.asked.get_or_insert_with(Instant::now);
            let Some(configured) = exchange.asked_backend() else { break };
            match resolve(&peer, configured.timeouts.connect).await {
                Some(address) => return Ok(Box::new(peer_of(address, &peer, configured, exchange.stale))),
                None => self.next_after_failed_connect(exchange)?,
            }
        }
        Err(exchange.refuse(super::refuse::restless()))
    }

    /// The connection stands: an unforced exchange goes on only if its gate is open now. Only here it
    /// passes the gate, so that a gate is drained also while somebody still waits for a connect.
    pub(super) fn connected(&self, exchange: &mut Exchange, digest: Option<&Digest>) -> Result<()> {
        if !exchange.pass_gate() {
            exchange.end_attempt();
            return Err(again("the gate closed while the connection was made"));
        }
        if let Some(attempt) = &mut exchange.attempt {
            attempt.connected = Some(Instant::now());
            attempt.stand_in = OneWrite::hand_over(digest, attempt.body.pieces());
            attempt.fare.iter_mut().for_each(Fare::send);
            if let Some((gate, state)) = attempt.pass.as_ref().and_then(GatePass::overridden) {
                self.metrics.gate_overridden(gate, state);
            }
        }
        exchange.outside |= exchange.asked_backend().is_some_and(|backend| backend.kind == Kind::External);
        if let (Some(backend), Some(arrival)) = (exchange.asked_backend(), &exchange.arrival) {
            arrival.control.expect_within(backend.timeouts.first_byte, Cut::FirstByte);
        }
        Ok(())
    }
}

impl Exchange {
    /// What the operator wrote of the backend that is being asked.
    pub fn asked_backend(&self) -> Option<&Backend> {
        self.live.policy.backends.get(self.attempt.as_ref()?.backend.0)
    }

    /// Waits until a probe has spoken for the backend, where all of its peers have failed in traffic. A probe
    /// that hangs is not waited for: then the backend is not for this request. False: there was no need.
    async fn hear_of_probe(&mut self, id: BackendId) -> bool {
        let Some(backend) = self.live.backends.get(id.0).filter(|it| it.awaits_probe(&self.tried)) else {
            return false;
        };
        let mut news = self.live.news.listen();
        let spoken = async { while backend.awaits_probe(&self.tried) && news.changed().await.is_ok() {} };
        if timeout(PROBE_SPEAKS, spoken).await.is_err() {
            self.excluded.push((id, Reason::Unhealthy));
        }
        true
    }

    fn place(&self, backend: BackendId, lease: Option<Held>) -> Option<Slot> {
        self.live.slot(backend, self.conversation(), &self.tried, lease)
    }

    /// Passes the gate that the backend stands behind, if it stands behind one and it lets pass.
    fn pass_gate(&mut self) -> bool {
        let forced = self.decision.as_ref().is_some_and(|decision| decision.forced);
        let (Some(attempt), Some(arrival)) = (&mut self.attempt, &self.arrival) else { return false };
        let Some(gate) = self.live.gate_of(attempt.backend) else { return true };
        let control = Arc::clone(&arrival.control);
        attempt.pass = gate.enter(forced, Box::new(move || control.cut(Cut::Gate)));
        attempt.pass.is_some()
    }

    /// Forgets the answer of an attempt that failed, of which only a head has come.
    pub async fn begin_anew(&mut self, session: &mut Session) -> Result<()> {
        if let Some(arrival) = &self.arrival {
            arrival.control.clear();
        }
        if self.relay.status.is_some() && !self.relay.released {
            rewind(session.as_downstream_mut()).await?;
        }
        self.relay = Relay::default();
        Ok(())
    }

    /// The card is free for the next; the place at the peer is kept until the exchange is over.
    pub fn end_lease(&mut self) {
        if let Some(attempt) = &mut self.attempt {
            attempt.slot.end_lease();
        }
    }

    /// Sets aside what the request may cost there; `None`: there is no room for it, and the backend is not
    /// for this request.
    fn fare(&mut self, backend: BackendId) -> Option<Option<Fare>> {
        let facts = self.facts.as_ref()?;
        let reserved = Fare::reserve(&self.live, backend, facts);
        reserved.map_err(|reason| self.excluded.push((backend, reason))).ok()
    }

    fn forwarded(&self, id: BackendId) -> Forwarded {
        let (Some(prompt), Some(backend)) = (&self.prompt, self.live.policy.backends.get(id.0)) else {
            return Forwarded::default();
        };
        if self.adds_usage(backend) {
            return prompt.forwarded_with_usage(&self.body, &backend.model);
        }
        prompt.forwarded(&self.body, &backend.model)
    }

    /// Whether usage is asked for in a stream whose client did not: what is billed must be counted.
    pub fn adds_usage(&self, backend: &Backend) -> bool {
        let billed = backend.kind == Kind::External && backend.price.is_some();
        let knows = matches!(self.endpoint, Some(Endpoint::ChatCompletions | Endpoint::Completions));
        billed && knows && self.prompt.as_ref().is_some_and(|prompt| prompt.stream && !prompt.include_usage)
    }

    /// The body of this attempt, or what stands for it.
    pub fn outgoing_body(&self) -> Option<Bytes> {
        let attempt = self.attempt.as_ref()?;
        Some(attempt.stand_in.clone().unwrap_or_else(|| attempt.body.whole()))
    }

    /// Makes the head that the peer gets out of the client's: everything that is not for it is taken
    /// out, the framing is that of the body as forwarded.
    pub fn write_head(&self, head: &mut RequestHeader) -> Result<()> {
        let Some(attempt) = &self.attempt else { return Err(again("no attempt runs")) };
        let dropped: Vec<_> =
            head.headers.keys().filter(|name| !forward::is_forwarded(name.as_str())).cloned().collect();
        for name in &dropped {
            head.remove_header(name);
        }
        head.insert_header(HOST, attempt.slot.peer().host())?;
        head.insert_header(CONTENT_LENGTH, HeaderValue::from(attempt.body.len()))?;
        head.insert_header("x-request-id", &self.request_id)?;
        let access = self.asked_backend().map(|backend| &backend.access);
        if let Some(base) = access.and_then(|access| access.base_path.as_deref()) {
            head.set_uri(below(base, &head.uri)?);
        }
        if let Some(key) = access.and_then(|access| access.api_key.as_ref()) {
            let mut value = HeaderValue::try_from(format!("Bearer {}", key.reveal()))
                .or_err(ErrorType::InvalidHTTPHeader, "the backend's key")?;
            value.set_sensitive(true);
            head.insert_header(AUTHORIZATION, value)?;
        }
        Ok(())
    }

    /// Notes a refusal and makes the error that ends the exchange with it.
    pub fn refuse(&mut self, refused: crate::openai::Refused) -> Box<Error> {
        let error = Error::explain(ErrorType::HTTPStatus(refused.status), refused.code);
        self.end_attempt();
        self.refused = Some(refused);
        error
    }
}

/// An error after which Pingora asks for a peer again.
pub fn again(why: &'static str) -> Box<Error> {
    let mut error = Error::explain(ErrorType::ConnectError, why);
    error.set_retry(true);
    error
}

/// The target with `base` in the place of `/v1`.
fn below(base: &str, uri: &Uri) -> Result<Uri> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let rest = target.strip_prefix("/v1").unwrap_or(target);
    format!("{base}{rest}").parse().or_err(ErrorType::InvalidHTTPHeader, "a target below base_path")
}

/// `fresh`: over a connection of its own, whatever is pooled.
fn peer_of(address: SocketAddr, live: &LivePeer, backend: &Backend, fresh: bool) -> HttpPeer {
    // The certificate must be good and have this name: that is the default.
    let mut peer = HttpPeer::new(address, live.tls_name.is_some(), live.tls_name.clone().unwrap_or_default());
    peer.options.connection_timeout = Some(backend.timeouts.connect);
    peer.options.total_connection_timeout = Some(backend.timeouts.connect);
    peer.options.idle_timeout = Some(POOLED_IDLE);
    if fresh {
        // A group that no pooled connection belongs to, and none will: it is closed after its use.
        peer.group_key = FRESH.fetch_add(1, Ordering::Relaxed);
        peer.options.idle_timeout = Some(Duration::from_millis(1));
    }
    if live.tls_name.is_none() {
        peer.options.alpn = OneWrite::alpn();
    }
    peer.options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
    peer
}

/// The peer's address; a name is looked up, within the time a connect may take.
async fn resolve(peer: &LivePeer, limit: Duration) -> Option<SocketAddr> {
    match peer.literal {
        Some(address) => Some(address),
        None => timeout(limit, tokio::net::lookup_host(&peer.target)).await.ok()?.ok()?.next(),
    }
}

/// Groups of one connection each; 0 is everybody's.
static FRESH: AtomicU64 = AtomicU64::new(1);
/// Below uvicorn's keep-alive of 5 s: a pooled connection is given up before the server closes it.
const POOLED_IDLE: Duration = Duration::from_secs(4);
/// Decisions in a row that led nowhere at once: a mistake of ours, or a fleet that changes faster than
/// anybody could follow.
const MAX_RESTLESS: u32 = 64;
/// Less than this is no wait.
const NO_WAIT: Duration = Duration::from_millis(1);
/// A probe of a server that lives takes a few milliseconds; one that takes longer than this says enough.
const PROBE_SPEAKS: Duration = Duration::from_millis(250);
