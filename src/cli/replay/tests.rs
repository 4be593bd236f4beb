//! What is compared, and how it is shown.

use serde_json::json;

use super::*;
use crate::policy::{View, sample};
use crate::telemetry::record;

/// A line of the audit file.
fn line(policy: &Policy, facts: &Facts, view: &View, id: usize) -> Vec<u8> {
    let made = policy.decide(facts, view);
    let refusal = match &made.outcome {
        Outcome::Route(_) => None,
        Outcome::Refuse(refusal) => Some(record::refusal(&explain::refused(policy, facts, refusal))),
    };
    let mut told = record::decision(policy, facts, view, &made, None, refusal);
    told["time"] = format!("2026-11-24T12:00:0{id}.000Z").into();
    told["request_id"] = format!("id-{id}").into();
    told.to_string().into_bytes()
}

/// A short and a long request, one for an unknown model, one that could not be read, and one that could be
/// decided about and got no answer.
fn lines() -> Vec<Vec<u8>> {
    let (policy, view) = (sample::policy(), sample::view());
    let long = Facts { tokens: 2_500, ..sample::facts() };
    let unknown = Facts { model: "nobody".into(), model_id: None, ..sample::facts() };
    let mut lines: Vec<_> = [&sample::facts(), &long, &unknown]
        .iter()
        .enumerate()
        .map(|(id, it)| line(&policy, it, &view, id))
        .collect();
    lines.push(json!({"time": "2026-11-24T12:00:03Z", "facts": null}).to_string().into_bytes());
    let mut died: Value = serde_json::from_slice(&lines[1]).unwrap();
    died["outcome"] = "refuse".into();
    died["refusal"] = json!({"status": 502, "code": "upstream_error", "message": "two died"});
    lines.push(died.to_string().into_bytes());
    lines
}

fn replayed(policy: &Policy) -> Report {
    let mut report = Report::default();
    for line in lines() {
        one(&line, policy, &mut report).unwrap();
    }
    report
}

#[test]
fn under_the_same_policy_all_is_the_same() {
    let report = replayed(&sample::policy());
    assert_eq!(report.text(), "5 records: 4 the same, 1 never decided about\n");
    assert_eq!(report.json()["same"], 4);
    assert_eq!(report.json()["changes"], json!([]));
}

#[test]
fn changes_are_shown_each_and_by_kind() {
    let mut policy = sample::policy();
    policy.rules.remove(2);
    policy.rules[3].name = "rest".into();
    let report = replayed(&policy);
    let wanted = "\
time                      request id  model  tokens  was -> would be  rule
2026-11-24T12:00:00.000Z  id-0        auto   123     small -> small   default -> rest
2026-11-24T12:00:01.000Z  id-1        auto   2,500   big -> small     heavy-by-tokens -> rest
2026-11-24T12:00:01.000Z  id-1        auto   2,500   big -> small     heavy-by-tokens -> rest

changes
  2 x  big -> small    heavy-by-tokens -> rest
  1 x  small -> small  default -> rest

5 records: 1 the same, 3 would change, 1 never decided about
";
    assert_eq!(report.text(), wanted);
    let json = report.json();
    assert_eq!((&json["changed"], &json["undecidable"]), (&json!(3), &json!(0)));
    let first = json!({
        "count": 2, "was": {"backend": "big", "rule": "heavy-by-tokens", "refusal": null},
        "would_be": {"backend": "small", "rule": "rest", "refusal": null}, "needs": [],
    });
    assert_eq!(json["transitions"][0], first);
    assert_eq!(json["changes"][1]["request_id"], "id-1");
}

#[test]
fn what_cannot_be_decided_is_never_the_same() {
    let mut policy = sample::policy();
    policy.prompt.tags[0].1 = "#big".into();
    let report = replayed(&policy);
    assert_eq!((report.json()["undecidable"].as_u64(), report.json()["same"].as_u64()), (Some(3), Some(1)));
    let words = "small -> undecidable  default -> ? (not recorded: tag force_big as #big)\n";
    assert!(report.text().contains(words), "{}", report.text());
    assert_eq!(report.json()["changes"][0]["needs"], json!(["tag force_big as #big"]));
}

#[test]
fn a_refusal_is_compared_by_its_code() {
    let mut policy = sample::policy();
    policy.models.retain(|model| model.name != "auto");
    let text = replayed(&policy).text();
    assert!(text.contains("small -> model_not_found  default -> -\n"), "{text}");
    let mut policy = sample::policy();
    policy.models.push(crate::policy::Model { name: "nobody".into(), backend: None, clients: None });
    let text = replayed(&policy).text();
    assert!(text.contains("model_not_found -> small  - -> default\n"), "{text}");
}

#[test]
fn lines_that_are_no_records_say_why() {
    let mut report = Report::default();
    for (line, why) in [
        ("{\"half", "no JSON"),
        ("7", "no audit record"),
        ("{\"time\": 1}", "no audit record"),
        ("{\"facts\": {}}", "no facts of a request"),
    ] {
        let problem = one(line.as_bytes(), &sample::policy(), &mut report).unwrap_err();
        assert!(problem.contains(why), "{line}: {problem}");
    }
    assert_eq!(report.records, 0);
}
