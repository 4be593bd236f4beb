//! Deciding about a request that nobody sent, with the reading and the engine of live traffic.

use pingora_http::RequestHeader;
use serde_json::{Value, json};

use super::peek;
use super::refuse;
use super::route::OPEN_LAN;
use crate::fleet::Live;
use crate::openai::{Endpoint, Refused};
use crate::policy::{GateState, GateView, Outcome, Reason, View};
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
    /// No such path is decided about.
    #[error("{0:?} is none of the paths that are decided about: {all}", all = all_paths())]
    Path(String),
}

/// The decision with its whole trace, as the contract shows it.
///
/// # Errors
/// A header that is none.
pub fn explain(live: &Live, view: &View, question: &Question) -> Result<Value, Unaskable> {
    let head = head(question)?;
    let read = peek::facts(live, question.endpoint, &head, &question.body, &question.client);
    let (facts, _) = match read {
        Ok(read) => read,
        Err(unread) => return Ok(unreadable(&refuse::unread(unread))),
    };
    let decision = live.policy.decide(&facts, view);
    let refusal = match &decision.outcome {
        Outcome::Route(_) => None,
        Outcome::Refuse(refusal) => Some(record::refusal(&refuse::refused(&live.policy, &facts, refusal))),
    };
    let rules = live.policy.trace(&facts, view);
    Ok(record::decision(&live.policy, &facts, view, &decision, Some(&rules), refusal))
}

/// Answers `POST /explain`: `{path?, headers?, body, client?, assume?: {gates: {}, down: []}}`. Without
/// `assume` the state is the live one.
///
/// # Errors
/// 400 where the question is none.
pub fn answer(live: &Live, asked: &Value) -> Result<Value, Refused> {
    let bad = |words: String| Refused::new(400, "invalid_request", words);
    let Some(asked) = asked.as_object() else { return Err(bad("the question is not an object".to_owned())) };
    let known = ["path", "headers", "body", "client", "assume"];
    if let Some(key) = asked.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(bad(format!("unknown member {key:?}; known are {}", known.join(", "))));
    }
    let body =
        asked.get("body").ok_or_else(|| bad("`body`, the request to decide about, is missing".to_owned()))?;
    let text = |name: &str, default: &str| match asked.get(name) {
        None | Some(Value::Null) => Ok(default.to_owned()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(bad(format!("`{name}` is not a string"))),
    };
    let path = text("path", Endpoint::ChatCompletions.path())?;
    let unaskable = |error: Unaskable| bad(error.to_string());
    let question = Question {
        endpoint: endpoint(&path).map_err(unaskable)?,
        headers: texts(asked.get("headers"))
            .ok_or_else(|| bad("`headers` is not an object of strings".to_owned()))?,
        body: body.to_string().into_bytes(),
        client: text("client", OPEN_LAN)?,
    };
    let view = match asked.get("assume") {
        None | Some(Value::Null) => live.view(&[]),
        Some(assumed) => view_of(live, assumed).map_err(unaskable)?,
    };
    explain(live, &view, &question).map_err(unaskable)
}

fn view_of(live: &Live, assumed: &Value) -> Result<View, Unaskable> {
    let gates =
        texts(assumed.get("gates")).ok_or_else(|| Unaskable::State("what is not a word".to_owned()))?;
    let down = assumed.get("down").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let down: Vec<_> = down.iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect();
    assume(live, &gates, &down)
}

/// An object of strings; none where there is nothing.
fn texts(value: Option<&Value>) -> Option<Vec<(String, String)>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Object(members)) => {
            members.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        }
        Some(_) => None,
    }
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
