//! What the sentences say, and that they say something whatever is missing.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn record() -> Value {
    json!({
        "time": "2026-11-24T12:01:07.123Z", "outcome": "route", "backend": "small", "rule": "default",
        "reason": "matched", "status": 200, "total": 412, "attempts": 1, "aborted": false,
        "facts": {
            "model": "auto", "tokens": 9, "tags": [], "stream": false,
            "headers": {"x-force-big is true": false}, "patterns": {r"(?i)\brefactor\b": false},
            "gates": {"gaming_pc": "open"},
        },
        "candidates": [{"backend": "small", "verdict": "chosen"}], "refusal": null,
    })
}

fn with(changes: &[(&str, Value)]) -> String {
    let mut record = record();
    for (pointer, value) in changes {
        *record.pointer_mut(pointer).unwrap() = value.clone();
    }
    sentence(&record)
}

#[test]
fn a_light_question_is_nothing_special() {
    assert_eq!(
        sentence(&record()),
        "12:01:07  small  default           \"auto\", 9 tokens: no rule asked for more. 200 in 412 ms"
    );
}

#[test]
fn a_forced_one_tells_how_it_passed() {
    let forced = [("/backend", json!("big")), ("/rule", json!("force-big"))];
    let header = [("/facts/headers", json!({"x-force-big is true": true}))];
    let shut = [("/facts/gates/gaming_pc", json!("closed"))];
    assert_eq!(
        with(&[&forced[..], &header[..], &shut[..]].concat()),
        "12:01:07  big    force-big         \"auto\", 9 tokens: header x-force-big is true, which passes the closed \
         gate. 200 in 412 ms"
    );
    let tagged = with(&[&forced[..], &[("/facts/tags", json!(["force_big"]))]].concat());
    assert!(tagged.contains(": tag force_big. 200"), "{tagged}");
    let named = with(&[&forced[..], &[("/facts/model", json!("big"))]].concat());
    assert!(named.contains("\"big\", 9 tokens: asked for by name."), "{named}");
}

#[test]
fn a_rules_own_trace_is_preferred() {
    let mut record = record();
    record["rule"] = json!("heavy-by-tokens");
    record["rules"] = json!([
        {"name": "force-big", "matched": false, "because": ["no tag force_big"]},
        {"name": "heavy-by-tokens", "matched": true, "because": ["tokens 2,431, at least 2,000"]}]);
    assert!(sentence(&record).contains(": tokens 2,431, at least 2,000. 200"), "{}", sentence(&record));
}

#[test]
fn one_that_fell_back_tells_why() {
    let fallen = with(&[
        ("/rule", json!("heavy-by-pattern")),
        ("/reason", json!("connect_failed")),
        ("/candidates", json!([{"backend": "big", "verdict": "connect_failed"}])),
        ("/attempts", json!(2)),
    ]);
    assert!(fallen.ends_with(": big took no connection. 200 in 412 ms, 2 attempts"), "{fallen}");
}

#[test]
fn a_refusal_gives_its_message() {
    let refused = with(&[
        ("/outcome", json!("refuse")),
        ("/backend", Value::Null),
        ("/rule", Value::Null),
        ("/status", json!(404)),
        ("/facts/model", json!("nope\u{1b}[2J")),
        (
            "/refusal",
            json!({"status": 404, "code": "model_not_found", "message": "no model is named `nope`."}),
        ),
        ("/total", json!(0.4)),
    ]);
    let end =
        "  -      -                 \"nope?[2J\", 9 tokens: refused, no model is named `nope`. 404 in 0 ms";
    assert!(refused.ends_with(end), "{refused}");
}

#[test]
fn a_client_that_left_is_said_to_have() {
    let left = with(&[("/aborted", json!(true)), ("/facts/stream", json!(true))]);
    assert!(
        left.ends_with("9 tokens, streamed: no rule asked for more. The client left after 412 ms"),
        "{left}"
    );
}

#[test]
fn an_empty_record_is_still_a_sentence() {
    assert_eq!(sentence(&json!({})), "          -      -                 \"?\": its condition holds.");
    assert!(!sentence(&Value::Null).is_empty());
}

proptest! {
    #[test]
    fn no_member_is_needed_and_none_breaks_the_line(
        gone in proptest::sample::subsequence(
            vec!["time", "outcome", "backend", "rule", "reason", "status", "total", "facts", "candidates", "refusal"],
            0..=10),
        words in "\\PC{0,60}|[\\x00-\\x1f]{0,9}",
    ) {
        let mut record = record();
        for name in gone {
            record.as_object_mut().unwrap().remove(name);
        }
        record["facts"]["model"] = json!(words);
        record["refusal"] = json!({"message": words});
        prop_assert!(!sentence(&record).chars().any(char::is_control));
    }
}
