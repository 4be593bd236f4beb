//! One exchange: everything that is known of a request and its answer, filled phase by phase.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use pingora_http::{RequestHeader, ResponseHeader};
use tokio::time::Instant;

use super::fare::Cost;
use super::relay::Relay;
use super::upstream::Attempt;
use crate::fleet::{Live, LivePeer};
use crate::openai::{Endpoint, Refused};
use crate::policy::{BackendId, Decision, Facts, Reason, View};
use crate::prompt::Prompt;
use crate::transport::{Arrival, Cut};

/// Per-request state, Pingora's `CTX`.
pub struct Exchange {
    /// The policy and the live state it is decided under.
    pub live: Arc<Live>,
    /// How it arrived; there from the first hook on.
    pub arrival: Option<Arrival>,
    /// When it began, also where there is no arrival.
    pub began: Instant,
    /// The client's id or one of ours.
    pub request_id: String,
    /// The client's own name for the conversation, where it gives one.
    pub session: Option<String>,
    /// The origin of a browser's page that may call.
    pub origin: Option<HeaderValue>,
    /// Which endpoint was asked, once that is known.
    pub endpoint: Option<Endpoint>,
    /// The client's name, once its key is known to be somebody's.
    pub client: Option<String>,
    /// The client's body, as it came.
    pub body: Bytes,
    /// Where the body's interesting parts stand.
    pub prompt: Option<Prompt>,
    /// What the rules see.
    pub facts: Option<Facts>,
    /// The latest decision.
    pub decision: Option<Decision>,
    /// What that decision saw of the fleet.
    pub seen: Option<View>,
    /// Backends that this exchange has found wanting, and why.
    pub excluded: Vec<(BackendId, Reason)>,
    /// Peers already tried.
    pub tried: Vec<Arc<LivePeer>>,
    /// The attempt that runs.
    pub attempt: Option<Attempt>,
    /// Attempts made.
    pub attempts: u32,
    /// Whether it was sent to a backend outside the house, whoever answered in the end.
    pub outside: bool,
    /// What its attempts have cost so far, by the backend's name.
    pub costs: Vec<(String, Cost)>,
    /// Candidates that died under this request.
    pub dead: Vec<BackendId>,
    /// Why it was cut from outside, where it was.
    pub cut: Option<Cut>,
    /// Whether a dead pooled connection was met already.
    pub stale: bool,
    /// Whether the client's request was not read to its end: its connection cannot be used again.
    pub unread: bool,
    /// Why there is no answer from a backend.
    pub refused: Option<Refused>,
    /// What is known of the answer.
    pub relay: Relay,
    /// Time spent in queues.
    pub queued: Duration,
    /// When the upstream was first asked.
    pub asked: Option<Instant>,
}

impl Exchange {
    /// An exchange of which nothing is known yet.
    pub fn new(live: Arc<Live>) -> Self {
        Self {
            live,
            arrival: None,
            began: Instant::now(),
            request_id: String::new(),
            session: None,
            origin: None,
            endpoint: None,
            client: None,
            body: Bytes::new(),
            prompt: None,
            facts: None,
            decision: None,
            seen: None,
            excluded: Vec::new(),
            tried: Vec::new(),
            attempt: None,
            attempts: 0,
            outside: false,
            costs: Vec::new(),
            dead: Vec::new(),
            cut: None,
            stale: false,
            unread: false,
            refused: None,
            relay: Relay::default(),
            queued: Duration::ZERO,
            asked: None,
        }
    }

    /// Takes over what the connection has read.
    pub fn take_over(&mut self, arrival: Box<dyn Any + Send + Sync>) {
        if let Ok(arrival) = arrival.downcast::<Arrival>() {
            self.began = arrival.began;
            self.arrival = Some(*arrival);
        }
    }

    /// The name of the rule (or the like) that decided, for headers and metrics.
    pub fn rule(&self) -> std::borrow::Cow<'_, str> {
        match (&self.decision, &self.facts) {
            (Some(decision), Some(facts)) => decision.rule_name(&self.live.policy, facts),
            _ => "".into(),
        }
    }

    /// The backend's name.
    pub fn backend_name(&self, id: BackendId) -> &str {
        self.live.policy.backends.get(id.0).map_or("", |backend| &backend.name)
    }

    /// What tells this conversation from another: its name, else its beginning.
    pub fn conversation(&self) -> &[u8] {
        match (&self.session, &self.prompt) {
            (Some(name), _) => name.as_bytes(),
            (None, Some(prompt)) => prompt.beginning(&self.body),
            (None, None) => &[],
        }
    }

    /// The header that says every gate's state: `gaming_pc=open,…`.
    fn gates(&self) -> String {
        let mut states = String::new();
        for gate in &self.live.gates {
            let comma = if states.is_empty() { "" } else { "," };
            states.extend([comma, &gate.name, "=", gate.view().state.as_str()]);
        }
        states
    }

    /// Puts `x-request-id` and the `x-sluice-*` headers on an answer, as far as there is something to say;
    /// for Anthropic's clients `request-id` too, where the backend gave none.
    pub fn mark(&self, head: &mut ResponseHeader) -> pingora_error::Result<()> {
        head.insert_header(REQUEST_ID, &self.request_id)?;
        let anthropic = self.endpoint.is_some_and(Endpoint::is_anthropic);
        if anthropic && !head.headers.contains_key(ANTHROPIC_REQUEST_ID) {
            head.insert_header(ANTHROPIC_REQUEST_ID, &self.request_id)?;
        }
        if self.endpoint.is_none() && self.refused.is_none() {
            return Ok(()); // a model list or a health question: nothing was routed
        }
        if let Some(attempt) = self.attempt.as_ref().filter(|_| self.refused.is_none()) {
            head.insert_header(BACKEND, self.backend_name(attempt.backend))?;
        }
        if let Some(decision) = &self.decision {
            if decision.decided_by.is_some() {
                head.insert_header(RULE, self.rule().as_ref())?;
            }
            head.insert_header(REASON, HeaderValue::from_static(decision.reason.as_str()))?;
        }
        if !self.live.gates.is_empty() {
            head.insert_header(GATE, self.gates())?;
        }
        if let Some(facts) = &self.facts {
            head.insert_header(TOKENS, HeaderValue::from(facts.tokens))?;
        }
        head.insert_header(ATTEMPTS, HeaderValue::from(self.attempts))
    }
}

// As text: Pingora copies a `HeaderName`, and takes a static text as it is.
const REQUEST_ID: &str = "x-request-id";
/// Where Anthropic's clients look for the id.
const ANTHROPIC_REQUEST_ID: &str = "request-id";
const BACKEND: &str = "x-sluice-backend";
const RULE: &str = "x-sluice-rule";
const REASON: &str = "x-sluice-reason";
const GATE: &str = "x-sluice-gate";
const TOKENS: &str = "x-sluice-tokens";
const ATTEMPTS: &str = "x-sluice-attempts";

/// The conversation as the client names it.
pub fn session_id(head: &RequestHeader) -> Option<String> {
    let named = |name: &str| {
        head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    named("x-session-id").or_else(|| named("x-session-affinity"))
}

/// The request's id: the client's where it is one, otherwise made.
pub fn request_id(head: &RequestHeader) -> String {
    let sent = head.headers.get("x-request-id").and_then(|value| value.to_str().ok());
    match sent.filter(|id| crate::wire::request_id::is_valid(id)) {
        Some(id) => id.to_owned(),
        None => format!("{:032x}", rand::random::<u128>()),
    }
}
