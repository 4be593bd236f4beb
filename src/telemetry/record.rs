//! The decision as JSON: what `explain --json`, `POST /explain` and the audit file show.
//!
//! Facts hold the outcome of every header and pattern test that the policy has, the gates' states and the
//! backends that could not be used: with them a decision can be made again. Never prompt text, never a
//! header's value, never a key.

use serde_json::{Map, Value, json};

use crate::openai::Refused;
use crate::policy::{
    BackendId, Decision, Facts, Feature, GateId, HeaderTestId, Outcome, PatternId, Policy, Reason, RuleTrace,
    View,
};

/// How many characters of a model's name are shown: a client can send any.
const MODEL_SHOWN: usize = 128;

/// One decision. `rules`: the trace, left out where it is not wanted (the audit file). `refusal`: at least
/// `{status, code, message}` where the decision is one.
pub fn decision(
    policy: &Policy,
    facts: &Facts,
    view: &View,
    decision: &Decision,
    rules: Option<&[RuleTrace]>,
    refusal: Option<Value>,
) -> Value {
    let (outcome, backend) = match decision.outcome {
        Outcome::Route(id) => ("route", Some(policy.backend_name(id))),
        Outcome::Refuse(_) => ("refuse", None),
    };
    let rule = decision.rule_name(policy, facts);
    let mut record = Map::new();
    record.insert("outcome".into(), outcome.into());
    record.insert("backend".into(), backend.into());
    record.insert("rule".into(), if rule.is_empty() { Value::Null } else { rule.into() });
    record.insert("reason".into(), decision.reason.as_str().into());
    record.insert("facts".into(), facts_of(policy, facts, view));
    if let Some(rules) = rules {
        record.insert("rules".into(), rules.iter().map(rule_of).collect());
    }
    record.insert("candidates".into(), candidates_of(policy, decision));
    record.insert("refusal".into(), refusal.unwrap_or(Value::Null));
    record.into()
}

/// A refusal as the contract shows it.
pub fn refusal(refused: &Refused) -> Value {
    json!({"status": refused.status, "code": refused.code, "message": refused.message})
}

fn facts_of(policy: &Policy, facts: &Facts, view: &View) -> Value {
    json!({
        "path": facts.endpoint.path(),
        "model": facts.model.chars().take(MODEL_SHOWN).collect::<String>(),
        "tokens": facts.tokens,
        "max_output_tokens": facts.max_output_tokens,
        "tags": tags(policy, facts),
        "stream": facts.stream,
        "client": (!facts.client.is_empty()).then_some(&facts.client),
        "has": has(facts),
        "headers": header_tests(policy, facts),
        "patterns": patterns(policy, facts),
        "gates": gates(policy, view),
        "unusable": unusable(policy, view),
    })
}

fn tags(policy: &Policy, facts: &Facts) -> Value {
    facts.tags.iter().filter_map(|id| policy.prompt.tags.get(id.0)).map(|(name, _)| name.as_str()).collect()
}

fn has(facts: &Facts) -> Value {
    Feature::ALL.into_iter().filter(|feature| facts.has(*feature)).map(Feature::as_str).collect()
}

/// Every header test of the policy by its words, `x-force-big is true`, and whether it holds.
fn header_tests(policy: &Policy, facts: &Facts) -> Value {
    let tests = policy.header_tests.iter().enumerate();
    named(tests.map(|(place, test)| (test.to_string(), facts.headers.contains(&HeaderTestId(place)))))
}

fn patterns(policy: &Policy, facts: &Facts) -> Value {
    let sources = policy.prompt.patterns.iter().enumerate();
    named(sources.map(|(place, source)| (source.clone(), facts.patterns.contains(&PatternId(place)))))
}

fn gates(policy: &Policy, view: &View) -> Value {
    let gates = policy.gates.iter().enumerate();
    named(gates.map(|(place, gate)| (gate.name.clone(), view.gate(GateId(place)).state.as_str())))
}

/// Every backend that nobody could have used, and why. One behind a sleeping model counts as asleep,
/// whatever else ails it: the engine looks at that first.
fn unusable(policy: &Policy, view: &View) -> Value {
    let backends = policy.backends.iter().enumerate();
    named(backends.filter_map(|(place, backend)| {
        let asleep = backend.gate.is_some_and(|gate| !view.gate(gate).available);
        let reason = if asleep { Some(Reason::Asleep) } else { view.unusable(BackendId(place)) };
        Some((backend.name.clone(), reason?.as_str()))
    }))
}

fn rule_of(rule: &RuleTrace) -> Value {
    json!({ "name": rule.name, "matched": rule.matched, "because": rule.because })
}

fn candidates_of(policy: &Policy, decision: &Decision) -> Value {
    let candidates = decision.candidates.iter();
    candidates
        .map(|(id, verdict)| json!({ "backend": policy.backend_name(*id), "verdict": verdict.as_str() }))
        .collect()
}

fn named<V: Into<Value>>(members: impl Iterator<Item = (String, V)>) -> Value {
    members.map(|(name, value)| (name, value.into())).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests;
