//! Deciding about a request that nobody sent, with the reading and the engine of live traffic.

use std::collections::BTreeMap;

use pingora_http::RequestHeader;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::identify::OPEN_LAN;
use super::peek;
use super::refuse;
use crate::fleet::Live;
use crate::openai::{Endpoint, Refused};
use crate::policy::{Facts, GateState, GateView, Outcome, Policy, Reason, Refusal, View};
use crate::telemetry::record;

/// What to decide about.
#[derive(Debug, Clone)]
pub struct Question {
    /// The endpoint that is asked.
    pub endpoint: Endpoint,
    /// Headers in order, as a client would send them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The client's name.
    pub client: String,
}

/// Why a question cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unaskable {
    /// A header's name or value is none.
    #[error("{0:?} is not a header")]
    Header(String),
    /// The policy has no such gate.
    #[error("the policy has no gate {0:?}")]
    Gate(String),
    /// A gate has no such state.
    #[error("a gate is open, closed or unknown, not {0:?}")]
    State(String),
    /// The policy has no such backend.
    #[error("the policy has no backend {0:?}")]
    Backend(String),
    /// The policy has no such client.
    #[error("the policy has no client {0:?}")]
    Client(String),
    /// No such path is decided about.
    #[error("{0:?} is none of the paths that are decided about: {all}", all = all_paths())]
    Path(String),
}

/// The decision with its whole trace, as the contract shows it.
///
/// # Errors
/// A header that is none, or a client that nobody is.
pub fn explain(live: &Live, view: &View, question: &Question) -> Result<Value, Unaskable> {
    known(&live.policy, &question.client)?;
    let head = head(question)?;
    let read = peek::facts(live, question.endpoint, &head, &question.body, &question.client);
    let (facts, _) = match read {
        Ok(read) => read,
        Err(unread) => return Ok(unreadable(&refuse::unread(unread))),
    };
    let decision = live.policy.decide(&facts, view);
    let refusal = match &decision.outcome {
        Outcome::Route(_) => None,
        Outcome::Refuse(refusal) => Some(record::refusal(&refused(&live.policy, &facts, refusal))),
    };
    let rules = live.policy.trace(&facts, view);
    Ok(record::decision(&live.policy, &facts, view, &decision, Some(&rules), refusal))
}

/// In a house that asks for keys only those who have one are asked about, or nobody in particular.
fn known(policy: &Policy, client: &str) -> Result<(), Unaskable> {
    let is_nobody = policy.clients.is_empty() || client == OPEN_LAN;
    let known = is_nobody || policy.clients.iter().any(|known| known.name == client);
    known.then_some(()).ok_or_else(|| Unaskable::Client(client.to_owned()))
}

/// What a client is told of a refusal.
pub fn refused(policy: &Policy, facts: &Facts, refusal: &Refusal) -> Refused {
    refuse::refused(policy, facts, refusal)
}

/// What `POST /explain` asks. The body stays as it was written: a key that stands twice is seen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked<'a> {
    path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(borrow)]
    body: &'a RawValue,
    client: Option<String>,
    assume: Option<Assumed>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Assumed {
    #[serde(default)]
    gates: BTreeMap<String, String>,
    #[serde(default)]
    down: Vec<String>,
}

/// Answers `POST /explain`. Without `assume` the state is the live one.
///
/// # Errors
/// 400 where the question is none.
pub fn answer(live: &Live, asked: &[u8]) -> Result<Value, Refused> {
    let asked: Asked<'_> = serde_json::from_slice(asked).map_err(|error| {
        let code = if error.is_data() { "invalid_request" } else { "invalid_json" };
        Refused::new(400, code, format!("not a question: {error}"))
    })?;
    let unaskable = |error: Unaskable| Refused::new(400, "invalid_request", error.to_string());
    let path = asked.path.as_deref().unwrap_or(Endpoint::ChatCompletions.path());
    let question = Question {
        endpoint: endpoint(path).map_err(unaskable)?,
        headers: asked.headers.into_iter().collect(),
        body: asked.body.get().as_bytes().to_vec(),
        client: asked.client.unwrap_or_else(|| OPEN_LAN.to_owned()),
    };
    let view = match asked.assume {
        None => live.view(None, &[]),
        Some(Assumed { gates, down }) => {
            let gates: Vec<_> = gates.into_iter().collect();
            assume(live, &gates, &down).map_err(unaskable)?
        }
    };
    explain(live, &view, &question).map_err(unaskable)
}

/// The endpoint of a path.
///
/// # Errors
/// A path that is none.
pub fn endpoint(path: &str) -> Result<Endpoint, Unaskable> {
    Endpoint::of_path(path).ok_or_else(|| Unaskable::Path(path.to_owned()))
}

/// Every gate open and every backend up, but for what is said here.
///
/// # Errors
/// A name or a state that does not exist.
pub fn assume(live: &Live, gates: &[(String, String)], down: &[String]) -> Result<View, Unaskable> {
    let policy = &live.policy;
    let open = GateView { state: GateState::Open, available: true };
    let mut view =
        View { gates: vec![open; policy.gates.len()], backends: vec![None; policy.backends.len()] };
    for (name, state) in gates {
        let mut known = policy.gates.iter().zip(&mut view.gates);
        let (_, seen) =
            known.find(|(gate, _)| gate.name == *name).ok_or_else(|| Unaskable::Gate(name.clone()))?;
        seen.state = state_of(state).ok_or_else(|| Unaskable::State(state.clone()))?;
    }
    for name in down {
        let mut known = policy.backends.iter().zip(&mut view.backends);
        let found = known.find(|(backend, _)| backend.name == *name);
        *found.ok_or_else(|| Unaskable::Backend(name.clone()))?.1 = Some(Reason::Unhealthy);
    }
    Ok(view)
}

fn head(question: &Question) -> Result<RequestHeader, Unaskable> {
    let unaskable = |name: &str| Unaskable::Header(name.to_owned());
    let path = question.endpoint.path();
    let mut head = RequestHeader::build("POST", path.as_bytes(), None).map_err(|_error| unaskable(path))?;
    for (name, value) in &question.headers {
        head.append_header(name.clone(), value).map_err(|_error| unaskable(name))?;
    }
    Ok(head)
}

/// A request that is refused before anything is decided.
fn unreadable(refused: &Refused) -> Value {
    json!({
        "outcome": "refuse", "backend": null, "rule": null, "reason": refused.code, "facts": null,
        "rules": [], "candidates": [], "refusal": record::refusal(refused),
    })
}

fn state_of(word: &str) -> Option<GateState> {
    [GateState::Open, GateState::Closed, GateState::Unknown].into_iter().find(|state| state.as_str() == word)
}

fn all_paths() -> String {
    Endpoint::ALL.map(Endpoint::path).join(", ")
}
