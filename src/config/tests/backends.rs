//! Mistakes with backends.

use super::{right, wrong};
use crate::policy::BackendId;

/// What is wrong with `small` when this is added to it, without file and line.
fn small(added: &str) -> String {
    let said = wrong("model: m }", &format!("model: m, {added} }}"));
    said.strip_prefix("policy.yaml:7: backends.small.").unwrap_or(&said).to_owned()
}

#[test]
fn peers_and_model_must_be_there() {
    let said = "policy.yaml:7: backends.small.peers: is missing (write [host:port])\n\
                policy.yaml:7: backends.small.model: is missing (the name under which the server serves its model)";
    assert_eq!(wrong("peers: ['127.0.0.1:8000'], model: m", ""), said);
    let said = "policy.yaml:7: backends.small.peers: the list is empty (name at least one)";
    assert_eq!(wrong("peers: ['127.0.0.1:8000']", "peers: []"), said);
}

#[test]
fn peers_are_host_and_port() {
    let help = "(write 192.168.1.50:8000, name:8000 or [::1]:8000, without a scheme)";
    for peer in [
        "pc",
        "pc:",
        "pc:0",
        "pc:65536",
        "pc:+1",
        ":80",
        "::1:80",
        "[::1]",
        "http://pc:80",
        "pc:80/v1",
        "a b:1",
    ] {
        let said = format!("policy.yaml:7: backends.small.peers[0]: \"{peer}\" is not host:port {help}");
        assert_eq!(wrong("127.0.0.1:8000", peer), said);
    }
    for peer in ["https://", "https://api.z.ai/v4", "https://api.z.ai:0", "https://a b"] {
        let said = format!(
            "policy.yaml:7: backends.small.peers[0]: \"{peer}\" is not https://host:port \
             (write https://api.example.com; a path goes into base_path)"
        );
        assert_eq!(wrong("127.0.0.1:8000", peer), said);
    }
    let said = "policy.yaml:7: backends.small.peers[1]: \"pc:1\" stands twice (remove one of them)";
    assert_eq!(wrong("127.0.0.1:8000", "PC:1', 'pc:1"), said);
    let said =
        "policy.yaml:7: backends.small.peers[0]: expected a text, found the number 8000 (put it in quotes)";
    assert_eq!(wrong("'127.0.0.1:8000'", "8000"), said);
    assert_eq!(
        right("127.0.0.1:8000", "no-such-host.invalid:1").backends[0].peers,
        ["no-such-host.invalid:1"]
    );
}

#[test]
fn cards_and_gates_must_exist() {
    let said = "policy.yaml:7: backends.small.gpu: there is no gpu \"cart\" (did you mean \"card\"?)";
    assert_eq!(wrong("small: { gpu: card", "small: { gpu: cart"), said);
    assert_eq!(small("gate: tower"), "gate: there is no gate \"tower\" (gates: pc)");
}

#[test]
fn chains_lead_to_others_of_the_same_kind() {
    assert_eq!(small("fail_soft: [small]"), "fail_soft[0]: a backend cannot stand in for itself (remove it)");
    assert_eq!(small("fail_soft: [big, big]"), "fail_soft[1]: the backend stands twice (remove one of them)");
    assert_eq!(
        small("fail_soft: [voice]"),
        "fail_soft[0]: speech and language backends cannot stand in for each other (name one of the same kind)"
    );
    assert_eq!(
        small("fail_soft: [bog]"),
        "fail_soft[0]: there is no backend \"bog\" (did you mean \"big\"?)"
    );
    let policy = right("model: m }", "model: m, fail_soft: [big] }");
    assert_eq!(policy.backends[0].fail_soft, [BackendId(1)]);
}

#[test]
fn numbers_and_words() {
    assert_eq!(small("context_window: 0"), "context_window: 0 is out of range (legal: 1 to 1000000000)");
    assert_eq!(
        small("balance: least_in_fligth"),
        "balance: \"least_in_fligth\" is not a legal value (did you mean \"least_in_flight\"?)"
    );
    assert_eq!(
        small("timeouts: { connect: 10 }"),
        "timeouts.connect: expected a duration, found the number 10 (write 500ms, 2s, 5m; legal: 50ms to 24h)"
    );
    assert_eq!(
        small("health: { healthy_after: 0 }"),
        "health.healthy_after: 0 is out of range (legal: 1 to 100)"
    );
    assert_eq!(
        small("health: { path: health }"),
        "health.path: \"health\" is not a path (write a path such as /health)"
    );
    assert_eq!(small("failover_on: [200]"), "failover_on[0]: 200 is out of range (legal: 400 to 599)");
    assert_eq!(small("failover_on: [429, 429]"), "failover_on[1]: 429 stands twice (remove one of them)");
    assert!(right("model: m }", "model: m, failover_on: [] }").backends[0].failover_on.is_empty());
}

#[test]
fn there_must_be_backends() {
    let said = crate::config::tests::load_both("version: 1", "version: 1\nrules: []\n").unwrap_err();
    let backends = "policy.yaml:1: backends: is missing (name at least one model server)";
    let rules = "policy.yaml:2: rules: the list is empty (name at least one)";
    assert_eq!(said, format!("{backends}\n{rules}"));
}
