//! Recorded facts as a policy sees them: every name is looked up, and what is not there is noted.

use serde_json::Value;

use crate::openai::Endpoint;
use crate::policy::{
    Facts, Feature, GateId, GateState, GateView, HeaderOp, HeaderTest, HeaderTestId, PatternId, Policy,
    Reason, TagId, View,
};

/// Facts that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no facts of a request: {0}")]
pub struct Unreadable(pub String);

/// Facts and what was seen of the fleet, by the ids of a policy.
#[derive(Debug)]
pub(super) struct Recorded {
    pub facts: Facts,
    pub view: View,
    pub missing: Missing,
}

/// What the policy may ask and nobody recorded.
#[derive(Debug, Default)]
pub(super) struct Missing {
    pub headers: Vec<HeaderTestId>,
    pub tags: Vec<TagId>,
    pub patterns: Vec<PatternId>,
    pub gates: Vec<GateId>,
}

impl Recorded {
    /// Reads facts for `policy`.
    pub(super) fn read(policy: &Policy, recorded: &Value) -> Result<Self, Unreadable> {
        let mut missing = Missing::default();
        let (headers, patterns) = (member(recorded, "headers")?, member(recorded, "patterns")?);
        let header = |test: &HeaderTest| outcome(headers, test);
        // A tag and a pattern with the same source look for the same.
        let tags = recorded.get("tag_patterns").unwrap_or(&Value::Null);
        let pattern =
            |source: &str| patterns.get(source).or_else(|| tags.get(source)).and_then(Value::as_bool);
        let model = text(recorded, "model")?;
        let facts = Facts {
            endpoint: endpoint(text(recorded, "path")?)?,
            model: model.to_owned(),
            model_id: policy.model_id(model),
            tokens: number(recorded, "tokens").ok_or_else(|| wrong("tokens"))?,
            max_output_tokens: number(recorded, "max_output_tokens"),
            tags: sort(policy.prompt.tags.iter().map(|(_, it)| pattern(it)), TagId, &mut missing.tags),
            patterns: sort(
                policy.prompt.patterns.iter().map(|it| pattern(it)),
                PatternId,
                &mut missing.patterns,
            ),
            headers: sort(policy.header_tests.iter().map(header), HeaderTestId, &mut missing.headers),
            stream: has(recorded, Feature::Stream)?,
            tools: has(recorded, Feature::Tools)?,
            images: has(recorded, Feature::Images)?,
            client: recorded.get("client").and_then(Value::as_str).unwrap_or_default().to_owned(),
        };
        let view = view(policy, recorded, &mut missing.gates)?;
        Ok(Self { facts, view, missing })
    }
}

/// The ids of what holds; those of which nothing is known are added to `missing`.
fn sort<Id>(
    outcomes: impl Iterator<Item = Option<bool>>,
    id: fn(usize) -> Id,
    missing: &mut Vec<Id>,
) -> Vec<Id> {
    let mut holding = Vec::new();
    for (place, outcome) in outcomes.enumerate() {
        match outcome {
            Some(true) => holding.push(id(place)),
            Some(false) => {}
            None => missing.push(id(place)),
        }
    }
    holding
}

/// How a header test came out: by its own words, or by those of its opposite.
fn outcome(recorded: &Value, test: &HeaderTest) -> Option<bool> {
    let known = |test: &HeaderTest| recorded.get(test.to_string()).and_then(Value::as_bool);
    let opposite = match test.test {
        HeaderOp::Is(yes) => HeaderOp::Is(!yes),
        HeaderOp::Present(there) => HeaderOp::Present(!there),
        HeaderOp::Equals(_) | HeaderOp::Matches(_) => return known(test),
    };
    let opposite = HeaderTest { name: test.name.clone(), test: opposite };
    known(test).or_else(|| known(&opposite).map(|held| !held))
}

fn view(policy: &Policy, recorded: &Value, missing: &mut Vec<GateId>) -> Result<View, Unreadable> {
    let (states, unusable) = (member(recorded, "gates")?, member(recorded, "unusable")?);
    let mut view = View::default();
    for (place, gate) in policy.gates.iter().enumerate() {
        let state = match states.get(&gate.name) {
            Some(word) => state(word)?,
            None => {
                missing.push(GateId(place));
                GateState::Open
            }
        };
        view.gates.push(GateView { state, available: true });
    }
    for backend in &policy.backends {
        let reason = unusable.get(&backend.name).map(reason).transpose()?;
        // A model that sleeps is looked at before its gate's state: so does the engine.
        if reason == Some(Reason::Asleep)
            && let Some(gate) = backend.gate.and_then(|id| view.gates.get_mut(id.0))
        {
            gate.available = false;
        }
        view.backends.push(reason);
    }
    Ok(view)
}

fn state(word: &Value) -> Result<GateState, Unreadable> {
    GateState::ALL.into_iter().find(|state| *word == *state.as_str()).ok_or_else(|| wrong("gates"))
}

fn reason(word: &Value) -> Result<Reason, Unreadable> {
    Reason::ALL.into_iter().find(|reason| *word == *reason.as_str()).ok_or_else(|| wrong("unusable"))
}

fn endpoint(path: &str) -> Result<Endpoint, Unreadable> {
    Endpoint::of_path(path).ok_or_else(|| wrong("path"))
}

fn has(recorded: &Value, feature: Feature) -> Result<bool, Unreadable> {
    let words = recorded.get("has").and_then(Value::as_array).ok_or_else(|| wrong("has"))?;
    Ok(words.iter().any(|word| *word == *feature.as_str()))
}

fn text<'v>(recorded: &'v Value, name: &str) -> Result<&'v str, Unreadable> {
    recorded.get(name).and_then(Value::as_str).ok_or_else(|| wrong(name))
}

fn number(recorded: &Value, name: &str) -> Option<u64> {
    recorded.get(name).and_then(Value::as_u64)
}

/// A member that is an object.
fn member<'v>(recorded: &'v Value, name: &str) -> Result<&'v Value, Unreadable> {
    recorded.get(name).filter(|value| value.is_object()).ok_or_else(|| wrong(name))
}

fn wrong(member: &str) -> Unreadable {
    Unreadable(format!("`{member}` is missing, or not what it should be"))
}
