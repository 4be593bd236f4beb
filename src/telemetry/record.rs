//! The decision as JSON: what `explain --json`, `POST /explain` and the audit file show.
//!
//! Facts hold the outcome of every header and pattern test that the policy has, those of the tags too, the
//! gates' states and the backends that could not be used: with them a decision can be made again, which
//! `replay` does. Never prompt text, never a header's value, never a key.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::Finished;
use crate::openai::Refused;
use crate::policy::{
    BackendId, Decision, Facts, Feature, GateId, HeaderTestId, Outcome, PatternId, Policy, Reason, RuleTrace,
    TagId, View,
};

/// How many characters of a model's name are shown: a client can send any.
const MODEL_SHOWN: usize = 128;

/// One decision. `rules`: the trace, left out where it is not wanted (the audit file). `refusal`: at least
/// `{status, code, message}` where nobody answers.
pub fn decision(
    policy: &Policy,
    facts: &Facts,
    view: &View,
    decision: &Decision,
    rules: Option<&[RuleTrace]>,
    refusal: Option<Value>,
) -> Value {
    let (outcome, backend) = match (&decision.outcome, &refusal) {
        (Outcome::Route(id), None) => ("route", Some(policy.backend_name(*id))),
        // Also a request that was decided about, and got no answer.
        (Outcome::Route(_), Some(_)) | (Outcome::Refuse(_), _) => ("refuse", None),
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

/// A request that was refused before anything was decided: it could not be read. In place of facts there are
/// its path and, where its key was somebody's, the client's name.
pub fn undecided(refused: Option<&Refused>, path: Option<&str>, client: Option<&str>) -> Value {
    json!({
        "outcome": "refuse", "backend": null, "rule": null, "reason": refused.map_or("", |refused| refused.code),
        "facts": null, "path": path, "client": client, "candidates": [], "refusal": refused.map(refusal),
    })
}

/// An exchange that ended at `time`: its decision, and what came of it. Times are milliseconds, all of them
/// counted from the first byte in but `queued`; `tokens` are those that the backend reported.
pub fn exchange(decision: Value, finished: &Finished<'_>, request_id: &str, time: SystemTime) -> Value {
    let mut record = Map::new();
    record.insert("time".into(), humantime::format_rfc3339_millis(time).to_string().into());
    record.insert("request_id".into(), request_id.into());
    if let Value::Object(members) = decision {
        record.extend(members);
    }
    let tokens = finished.usage.map(|usage| json!({"prompt": usage.prompt, "completion": usage.completion}));
    record.insert("status".into(), finished.status.into());
    record.insert("attempts".into(), finished.attempts.into());
    record.insert("tokens".into(), tokens.into());
    record.insert("queued".into(), milliseconds(finished.queued).into());
    record.insert("first_byte".into(), finished.first_byte.map(milliseconds).into());
    record.insert("total".into(), milliseconds(finished.total).into());
    record.insert("aborted".into(), finished.aborted.into());
    record.insert("broken".into(), finished.broken.into());
    record.insert("external".into(), finished.leaves_the_house.into());
    if let Some((usd, estimated)) = finished.cost {
        record.insert("cost".into(), json!({"usd": usd, "estimated": estimated}));
    }
    record.into()
}

/// With three places behind the point.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
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
        "tag_patterns": tag_patterns(policy, facts),
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

/// Every tag that was looked for, by its pattern: its name alone would not say what it meant then.
fn tag_patterns(policy: &Policy, facts: &Facts) -> Value {
    let tags = policy.prompt.tags.iter().enumerate();
    named(tags.map(|(place, (_, source))| (source.clone(), facts.tags.contains(&TagId(place)))))
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
