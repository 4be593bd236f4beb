//! The metrics against docs/metrics.md and the contract: names, types, labels, closed lists of values.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::*;
use crate::gate::{Mode, PollFault};
use crate::openai::Usage;

/// What users were promised: name and labels.
const CONTRACT: [(&str, &[&str]); 23] = [
    ("sluice_requests_total", &["backend", "rule", "reason", "status"]),
    ("sluice_request_duration_seconds", &["backend"]),
    ("sluice_time_to_first_byte_seconds", &["backend"]),
    ("sluice_overhead_seconds", &[]),
    ("sluice_tokens_total", &["backend", "kind"]),
    ("sluice_token_estimate_ratio", &["backend"]),
    ("sluice_in_flight", &["backend"]),
    ("sluice_gpu_in_flight", &["gpu"]),
    ("sluice_queue_depth", &["gpu"]),
    ("sluice_queue_wait_seconds", &["gpu"]),
    ("sluice_gate_state", &["gate", "state"]),
    ("sluice_gate_polls_total", &["gate", "result"]),
    ("sluice_gate_transitions_total", &["gate", "to"]),
    ("sluice_backend_healthy", &["backend", "peer"]),
    ("sluice_failovers_total", &["from", "to", "reason"]),
    ("sluice_client_aborts_total", &["backend"]),
    ("sluice_policy_generation", &[]),
    ("sluice_policy_reloads_total", &["result"]),
    ("sluice_policy_last_reload_successful", &[]),
    ("sluice_audit_dropped_total", &[]),
    ("sluice_buffered_bytes", &[]),
    ("sluice_spend_usd_total", &["backend"]),
    ("sluice_build_info", &["version"]),
];

/// A metric's type and its labels.
type Shape = (String, BTreeSet<String>);

fn set<'w>(words: impl IntoIterator<Item = &'w str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

/// Metrics of which every family has a series.
fn everything() -> String {
    let metrics = Metrics::new().unwrap();
    let usage = Some(Usage { prompt: Some(10), completion: Some(2) });
    let (first_byte, overhead) = (Some(Duration::ZERO), Some(Duration::ZERO));
    let finished = Finished { broken: Some("upstream_error"), usage, first_byte, ..Finished::nobody() };
    metrics.observe(&Finished { estimate: Some(11), overhead, ..finished });
    metrics.failover("a", "b", Reason::UpstreamError);
    metrics.spent("a", 0.5);
    String::from_utf8(metrics.scrape(fill)).unwrap()
}

fn fill(metrics: &Metrics) {
    metrics.set_backend("a", "card", "door", 1);
    metrics.set_healthy("a", "127.0.0.1:1", true);
    metrics.set_budget("a", 0.5);
    metrics.set_gpu("card", 1, 2);
    metrics.set_queue("card", 1, 2);
    metrics.set_gate("door", GateState::Open, 1, 2);
}

/// Every family of sluice's own in the exposition.
fn exposed(text: &str) -> BTreeMap<String, Shape> {
    let (kind, label) =
        (Regex::new(r"(?m)^# TYPE (sluice_\w+) (\w+)$").unwrap(), Regex::new(r#"[{,](\w+)=""#).unwrap());
    let of = |family: &str| {
        let lines = text.lines().filter(|line| line.starts_with(family));
        let labels: BTreeSet<_> =
            lines.flat_map(|line| label.captures_iter(line).map(|found| found[1].to_owned())).collect();
        labels.into_iter().filter(|label| label != "le").collect()
    };
    kind.captures_iter(text)
        .map(|found| (found[1].to_owned(), (found[2].to_owned(), of(&found[1]))))
        .collect()
}

fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md")).unwrap()
}

/// Every row of the table.
fn documented() -> BTreeMap<String, Shape> {
    let row = Regex::new(r"(?m)^\| `(sluice_\w+)` \| (\w+) \|([^|]*)\|").unwrap();
    let labels = |cell: &str| set(cell.split(',').map(str::trim).filter(|label| !label.is_empty()));
    row.captures_iter(&document())
        .map(|found| (found[1].to_owned(), (found[2].to_owned(), labels(&found[3]))))
        .collect()
}

/// The words of a row of the list of values.
fn words(label: &str) -> BTreeSet<String> {
    let document = document();
    let row = document.lines().find_map(|line| line.strip_prefix(&format!("| {label} |"))).unwrap();
    Regex::new(r"`(\w+)`").unwrap().captures_iter(row).map(|found| found[1].to_owned()).collect()
}

#[test]
fn the_document_lists_what_is_there() {
    assert_eq!(exposed(&everything()), documented());
}

#[test]
fn what_was_promised_is_there() {
    let (exposed, documented) = (exposed(&everything()), documented());
    for (name, labels) in CONTRACT {
        let Some((_, found)) = documented.get(name) else { panic!("{name} is not documented") };
        assert_eq!(found, &set(labels.iter().copied()), "{name}");
        assert!(exposed.contains_key(name), "{name} is there");
    }
}

#[test]
fn closed_lists_are_documented_whole() {
    let states = || GateState::ALL.iter().map(|state| state.as_str());
    assert_eq!(words("state, to (gate)"), set(states()));
    assert_eq!(words("result (polls)"), set(POLL_RESULTS));
    assert_eq!(words("result (reloads)"), set([GOOD_RELOAD, BAD_RELOAD]));
    assert_eq!(words("kind (tokens)"), set(KINDS));
    assert_eq!(words("reason (broken answers)"), set(BREAKS));
    assert_eq!(words("reason (decided)"), set(Reason::ALL.iter().map(|reason| reason.as_str())));
}

#[test]
fn every_refusals_code_is_documented() {
    let code = Regex::new(r#"Refused::new\(\s*\d+,\s*"(\w+)""#).unwrap();
    let source = include_str!("../../proxy/refuse.rs");
    let codes: BTreeSet<_> = code.captures_iter(source).map(|found| found[1].to_owned()).collect();
    assert!(codes.len() > 10, "{codes:?}");
    // These follow a decision, whose reason is counted.
    let decided = &words("reason (decided)") | &set(["context_length_exceeded"]);
    let missing: Vec<_> =
        codes.difference(&decided).filter(|code| !words("reason (undecided)").contains(*code)).collect();
    assert!(missing.is_empty(), "not in docs/metrics.md: {missing:?}");
}

#[test]
fn every_outcome_of_a_poll_is_in_the_list() {
    use PollFault::{Available, Connect, Json, Mode as Word, Status, Timeout, TooLarge};
    let faults = [Connect, Timeout, Status(500), TooLarge, Json, Word, Available];
    let modes = [Mode::Normal, Mode::Gaming].map(Mode::as_str);
    let outcomes = set(modes.into_iter().chain(faults.iter().map(|fault| fault.as_str())));
    assert_eq!(outcomes, set(POLL_RESULTS));
}

#[test]
fn counts_are_there_before_they_rise() {
    let text = String::from_utf8(Metrics::new().unwrap().scrape(fill)).unwrap();
    for series in [
        r#"sluice_policy_reloads_total{result="rejected"}"#,
        r#"sluice_gate_overrides_total{gate="door",state="closed"}"#,
        r#"sluice_gate_polls_total{gate="door",result="timeout"}"#,
        r#"sluice_broken_answers_total{backend="a",reason="upstream_timeout"}"#,
        r#"sluice_client_aborts_total{backend="a"}"#,
        r#"sluice_tokens_total{backend="a",kind="prompt"}"#,
        r#"sluice_queue_wait_seconds_count{gpu="card"}"#,
        "sluice_overhead_seconds_count",
    ] {
        assert!(text.contains(&format!("\n{series} 0\n")), "{series} is 0:\n{text}");
    }
    assert!(!text.contains(r#"sluice_gate_overrides_total{gate="door",state="open"}"#));
}

#[test]
fn a_state_that_a_policy_no_longer_names_is_gone() {
    let metrics = Metrics::new().unwrap();
    let before = String::from_utf8(metrics.scrape(fill)).unwrap();
    let after =
        String::from_utf8(metrics.scrape(|metrics| metrics.set_healthy("b", "127.0.0.1:2", false))).unwrap();
    let states = [
        "in_flight",
        "backend_info",
        "gpu_in_flight",
        "gpu_limit",
        "queue_depth",
        "queue_limit",
        "gate_state",
        "budget_used_ratio",
    ];
    for state in states {
        let series = format!("\nsluice_{state}{{");
        assert!(before.contains(&series) && !after.contains(&series), "{state}:\n{after}");
    }
    assert!(!after.contains("127.0.0.1:1") && after.contains("127.0.0.1:2"), "{after}");
    assert!(after.contains("\nsluice_build_info{"), "what is no state stays: {after}");
}

#[test]
fn the_process_is_shown() {
    let text = everything();
    for name in
        ["process_open_fds", "process_max_fds", "process_resident_memory_bytes", "process_start_time_seconds"]
    {
        assert!(text.contains(&format!("\n{name} ")), "{name}");
        assert!(document().contains(&format!("`{name}`")), "{name} is documented");
    }
}
