//! The screen, as it is, and that nothing makes it fall over.

use serde_json::json;

use super::*;

/// The screen without its colours.
fn plain(status: &Value, now: SystemTime) -> String {
    anstream::adapter::strip_str(&render(status, now)).to_string()
}

fn noon() -> SystemTime {
    humantime::parse_rfc3339("2026-11-24T12:00:00Z").unwrap()
}

#[test]
fn the_house_on_one_screen() {
    let peer = |address: &str, healthy: bool| json!({"address": address, "healthy": healthy, "in_flight": 1});
    let status = json!({
        "version": "0.1.0",
        "policy": {"generation": 3, "hash": "54b1ff0c2a11", "loaded_at": "2026-11-24T09:55:00Z", "last_error": null},
        "gates": {"gaming_pc": {
            "state": "closed", "mode": "GAMING", "since": "2026-11-24T11:55:58Z", "source": "push",
            "available": true, "in_flight": 0, "forced": 2,
        }},
        "gpus": {"rtx3070": {"in_flight": 2, "limit": 8, "queued": 1}},
        "backends": {
            "small": {"available": true, "peers": [peer("10.0.0.1:8000", true), peer("10.0.0.2:8000", false)]},
            "big": {"available": false, "peers": [peer("10.0.0.3:8000", false)]},
        },
    });
    let wanted = "\
sluice 0.1.0, policy 3 (54b1ff0c2a11) for 2h 5m

gates
  gaming_pc  closed  for 4m 2s, GAMING by push  0 unforced and 2 forced in flight

cards
  rtx3070  2 of 8 slots  1 waiting

backends
  small  available  10.0.0.1:8000  healthy  1 in flight
                    10.0.0.2:8000  DOWN     1 in flight
  big    DOWN       10.0.0.3:8000  DOWN     1 in flight
";
    assert_eq!(plain(&status, noon()), wanted);
}

#[test]
fn a_refused_policy_and_a_silent_gate_are_told() {
    let status = json!({
        "policy": {"last_error": "policy.yaml:3: bad\npolicy.yaml:9: worse"},
        "gates": {"gaming_pc": {"state": "unknown", "mode": null, "available": false}},
    });
    let shown = plain(&status, noon());
    assert!(shown.contains("refused") && shown.contains("  policy.yaml:9: worse\n"), "{shown}");
    assert!(shown.contains("unknown, asleep  for ?, nobody has said a mode"), "{shown}");
}

#[test]
fn whatever_is_said_there_is_a_screen() {
    for status in [json!(null), json!([]), json!({"gates": 7, "backends": {"x": {"peers": {}}}})] {
        assert!(plain(&status, noon()).starts_with("sluice ?"), "{status}");
    }
}

#[test]
fn an_age_has_two_units_at_most() {
    for (time, wanted) in [
        ("2026-11-24T12:00:00Z", "0s"),
        ("2026-11-24T11:59:18Z", "42s"),
        ("2026-11-22T10:58:57Z", "2days 1h"),
        ("2026-11-24T12:00:09Z", "0s"),
        ("yesterday", "?"),
    ] {
        assert_eq!(age(&json!(time), noon()), wanted);
    }
}
