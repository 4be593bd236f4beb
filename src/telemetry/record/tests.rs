//! The record against the contract's example, and what it must never hold.

use super::*;
use crate::policy::{GateState, GateView, TagId, sample};

fn record(facts: &Facts, view: &View) -> Value {
    let policy = sample::policy();
    let made = policy.decide(facts, view);
    decision(&policy, facts, view, &made, Some(&policy.trace(facts, view)), None)
}

#[test]
fn the_example_of_the_contract() {
    let facts = Facts { tags: vec![TagId(0)], client: String::new(), ..sample::facts() };
    let told = record(&facts, &sample::view());
    let expected = json!({
        "outcome": "route", "backend": "big", "rule": "force-big", "reason": "matched",
        "facts": {
            "path": "/v1/chat/completions", "model": "auto", "tokens": 123, "max_output_tokens": null,
            "tags": ["force_big"], "stream": false, "client": null,
            "has": [], "headers": {"x-force-big is true": false},
            "patterns": {"(?i)\\brefactor\\b": false}, "tag_patterns": {"(?i)#force_big\\b": true},
            "gates": {"gaming_pc": "open"}, "unusable": {}
        },
        "rules": [
            {"name": "force-big", "matched": true, "because": ["tag force_big"]},
            {"name": "gaming", "matched": false, "because": ["gate gaming_pc is open"]},
            {"name": "heavy-by-tokens", "matched": false, "because": ["tokens 123 < 2,000"]},
            {"name": "heavy-by-pattern", "matched": false,
             "because": ["prompt does not match (?i)\\brefactor\\b"]},
            {"name": "default", "matched": true, "because": ["always"]}
        ],
        "candidates": [
            {"backend": "big", "verdict": "chosen"}, {"backend": "small", "verdict": "not_needed"}
        ],
        "refusal": null
    });
    assert_eq!(told, expected);
    let order: Vec<_> = told.as_object().into_iter().flat_map(Map::keys).collect();
    let wanted = ["outcome", "backend", "rule", "reason", "facts", "rules", "candidates", "refusal"];
    assert_eq!(order, wanted);
}

#[test]
fn a_refusal_has_no_backend() {
    let policy = sample::policy();
    let (facts, view) =
        (sample::facts(), View { backends: vec![Some(Reason::Unhealthy); 3], ..sample::view() });
    let made = policy.decide(&facts, &view);
    let words = json!({ "status": 503, "code": "no_backend_available", "message": "small: unhealthy" });
    let told = decision(&policy, &facts, &view, &made, None, Some(words.clone()));
    assert_eq!(told["outcome"], "refuse");
    assert_eq!(told["backend"], Value::Null);
    assert_eq!(told["reason"], "unhealthy");
    assert_eq!(told["refusal"], words);
    assert_eq!(told["candidates"], json!([{ "backend": "small", "verdict": "unhealthy" }]));
    assert_eq!(told.get("rules"), None);
    let down = json!({ "small": "unhealthy", "big": "unhealthy", "tts": "unhealthy" });
    assert_eq!(told["facts"]["unusable"], down);
}

#[test]
fn what_sleeps_is_unusable() {
    let gates = vec![GateView { state: GateState::Draining, available: false }];
    let told = record(&sample::facts(), &View { gates, ..sample::view() });
    assert_eq!(told["facts"]["gates"], json!({ "gaming_pc": "draining" }));
    assert_eq!(told["facts"]["unusable"], json!({ "big": "asleep" }));
}

#[test]
fn every_test_of_the_policy_has_its_outcome() {
    let facts = Facts {
        headers: vec![HeaderTestId(0)],
        patterns: vec![PatternId(0)],
        tools: true,
        stream: true,
        max_output_tokens: Some(512),
        ..sample::facts()
    };
    let facts = record(&facts, &sample::view())["facts"].clone();
    assert_eq!(facts["headers"], json!({ "x-force-big is true": true }));
    assert_eq!(facts["patterns"], json!({ "(?i)\\brefactor\\b": true }));
    assert_eq!(facts["tag_patterns"], json!({ "(?i)#force_big\\b": false }));
    assert_eq!(facts["has"], json!(["tools", "stream"]));
    assert_eq!(facts["max_output_tokens"], 512);
    assert_eq!(facts["client"], "lan");
}

#[test]
fn nothing_decided_is_no_rule_and_a_long_name_is_cut() {
    let facts = Facts { model: "ü".repeat(5_000), model_id: None, ..sample::facts() };
    let told = record(&facts, &sample::view());
    assert_eq!(told["rule"], Value::Null);
    assert_eq!(told["candidates"], json!([]));
    assert_eq!(told["facts"]["model"], "ü".repeat(128));
}

#[test]
fn an_exchange_is_its_decision_and_what_came_of_it() {
    let finished = Finished {
        backend: "big",
        rule: "default".into(),
        reason: "matched",
        status: 200,
        aborted: false,
        broken: None,
        attempts: 1,
        total: Duration::from_micros(1_234_567),
        first_byte: Some(Duration::from_millis(5)),
        overhead: None,
        queued: Duration::ZERO,
        estimate: Some(123),
        usage: Some(crate::openai::Usage { prompt: Some(120), completion: None }),
        cost: None,
        leaves_the_house: false,
    };
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_123);
    let decided = json!({"outcome": "route", "facts": {"tokens": 123}});
    let told = exchange(decided, &finished, "id-1", time);
    let wanted = json!({
        "time": "2027-01-15T08:00:00.123Z", "request_id": "id-1", "outcome": "route", "facts": {"tokens": 123},
        "status": 200, "attempts": 1, "tokens": {"prompt": 120, "completion": null}, "queued": 0.0,
        "first_byte": 5.0, "total": 1234.567, "aborted": false, "broken": null, "external": false,
    });
    assert_eq!(told, wanted);
    let billed = Finished { cost: Some((0.25, true)), leaves_the_house: true, ..finished };
    let told = exchange(json!({}), &billed, "id-1", time);
    assert_eq!((&told["external"], &told["cost"]), (&json!(true), &json!({"usd": 0.25, "estimated": true})));
}

#[test]
fn what_was_never_decided_has_no_facts() {
    let told =
        undecided(Some(&Refused::new(400, "invalid_json", "no JSON")), Some("/v1/messages"), Some("tayne"));
    assert_eq!((&told["outcome"], &told["reason"]), (&json!("refuse"), &json!("invalid_json")));
    assert_eq!((&told["facts"], &told["candidates"]), (&Value::Null, &json!([])));
    assert_eq!(told["refusal"]["status"], 400);
    assert_eq!((&told["path"], &told["client"]), (&json!("/v1/messages"), &json!("tayne")));
}

#[test]
fn a_route_that_got_no_answer_is_a_refusal() {
    let policy = sample::policy();
    let made = policy.decide(&sample::facts(), &sample::view());
    let refusal = json!({"status": 502, "code": "upstream_error", "message": "it died"});
    let told = decision(&policy, &sample::facts(), &sample::view(), &made, None, Some(refusal));
    assert_eq!((&told["outcome"], &told["backend"]), (&json!("refuse"), &Value::Null));
    assert_eq!(told["candidates"][0]["verdict"], "chosen", "which it was, and is still to be seen");
}
