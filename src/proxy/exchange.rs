//! One exchange: everything that is known of a request and its answer, filled phase by phase.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use pingora_http::RequestHeader;
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
    /// Whether an answer of our own was begun: there is no second.
    pub answered: bool,
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
            answered: false,
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
}

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
