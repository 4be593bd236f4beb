//! The text of whole decisions.

use serde_json::json;

use super::*;
use crate::policy::{Facts, Reason, TagId, View, sample};
use crate::telemetry::record;

/// The text without its colours.
fn plain(decision: &Value) -> String {
    anstream::adapter::strip_str(&render(decision)).to_string()
}

fn rendered(facts: &Facts, view: &View, refusal: Option<Value>) -> String {
    let policy = sample::policy();
    let decision = policy.decide(facts, view);
    let rules = policy.trace(facts, view);
    plain(&record::decision(&policy, facts, view, &decision, Some(&rules), refusal))
}

#[test]
fn a_route() {
    let facts = Facts { tokens: 2_431, max_output_tokens: Some(512), stream: true, ..sample::facts() };
    let mut view = sample::view();
    view.backends[1] = Some(Reason::Unhealthy);
    let expected = r"-> small, by rule heavy-by-tokens (unhealthy)

facts
  path      /v1/chat/completions
  model     auto
  tokens    2,431, and up to 512 of output
  has       stream
  client    lan
  headers   x-force-big is true: no
  patterns  (?i)\brefactor\b: no
  gates     gaming_pc open
  unusable  big unhealthy

rules (the first that holds decides)
  no   force-big         header x-force-big is not yes; model auto is not big; no tag force_big
  no   gaming            gate gaming_pc is open
> yes  heavy-by-tokens   tokens 2,431 >= 2,000
  no   heavy-by-pattern  prompt does not match (?i)\brefactor\b
  yes  default           always

candidates (the first that can be used is chosen)
  big    no peer of it is healthy
> small  chosen
";
    assert_eq!(rendered(&facts, &view, None), expected);
}

#[test]
fn a_refusal_says_its_status_first() {
    let view = View { backends: vec![Some(Reason::Unhealthy); 3], ..sample::view() };
    let words = json!({ "status": 503, "code": "no_backend_available", "message": "small is unhealthy" });
    let text = rendered(&sample::facts(), &view, Some(words));
    let first = "-> refused with 503 no_backend_available, by rule default: small is unhealthy";
    assert_eq!(text.lines().next(), Some(first));
    assert!(text.ends_with("\n  small  no peer of it is healthy\n"), "{text}");
}

#[test]
fn a_pinned_model_and_the_path_are_no_rules() {
    let decided = |rule: &str| {
        let decision = json!({ "outcome": "route", "backend": "b", "rule": rule, "reason": "matched" });
        plain(&decision).lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(decided("model:small"), "-> b, by model small (matched)");
    assert_eq!(decided("path"), "-> b, by path (matched)");
    assert_eq!(decided("heavy"), "-> b, by rule heavy (matched)");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let facts = Facts { model: "a\u{1b}[2J\nb".into(), model_id: None, ..sample::facts() };
    let text = rendered(&facts, &sample::view(), None);
    assert!(text.starts_with("-> refused\n"), "{text}");
    assert!(text.contains("  model     a?[2J?b\n"), "{text}");
}

#[test]
fn every_verdict_has_words_of_its_own() {
    let reasons = [
        Reason::GateClosed,
        Reason::GateUnknown,
        Reason::Asleep,
        Reason::Unhealthy,
        Reason::ConnectFailed,
        Reason::UpstreamError,
        Reason::UpstreamTimeout,
        Reason::OverContext,
        Reason::QueueFull,
        Reason::QueueTimeout,
        Reason::NotAllowed,
        Reason::OverBudget,
    ];
    for reason in reasons {
        assert!(verdict_in_words(reason.as_str()).contains(' '), "{}", reason.as_str());
    }
}

#[test]
fn tags_are_shown_by_name() {
    let facts = Facts { tags: vec![TagId(0)], ..sample::facts() };
    assert!(rendered(&facts, &sample::view(), None).contains("  tags      force_big\n"));
}

#[test]
fn whatever_the_json_is_there_is_a_text() {
    for value in [json!(null), json!([1]), json!({ "rules": 3, "facts": [], "refusal": "x" })] {
        assert!(plain(&value).starts_with("-> refused\n"));
    }
}
