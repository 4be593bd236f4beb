//! Mistakes with clients and their keys, and with what a backend outside the house asks for.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::{POLICY, right, without, wrong};
use crate::config::load;
use crate::policy::{Budget, Kind, Money, Price, Rate};

const HASH: &str = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"; // of "key"

/// [`POLICY`] with these clients.
fn with_clients(clients: &str) -> String {
    format!("clients: {{ {clients} }}\ngpus:")
}

/// What is wrong with these clients, without file and line.
fn clients(clients: &str) -> String {
    let said = wrong("gpus:", &with_clients(clients));
    said.strip_prefix("policy.yaml:2: clients.").unwrap_or(&said).to_owned()
}

/// What is wrong with `small` when this is added to it, without file and line.
fn small(added: &str) -> String {
    let said = wrong("model: m }", &format!("model: m, {added} }}"));
    said.strip_prefix("policy.yaml:7: backends.small.").unwrap_or(&said).to_owned()
}

/// The policy beside a file `key` that holds this, with this mode.
fn beside_key(policy: &str, key: &[u8], mode: u32) -> Result<crate::policy::Policy, String> {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
    write("sluice.yaml", b"version: 1");
    write("policy.yaml", policy.as_bytes());
    write("key", key);
    let only = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(directory.path().join("key"), only).unwrap();
    let loaded = load(&directory.path().join("sluice.yaml"));
    loaded.map(|config| config.policy).map_err(|problems| without(&problems, directory.path()))
}

#[test]
fn a_client_has_one_key() {
    let help = "(write key_sha256 or key_file; sluice key new NAME makes one)";
    assert_eq!(clients("a: {}"), format!("a: the client has no key {help}"));
    let both = format!("a: {{ key_sha256: '{HASH}', key_file: k }}");
    assert_eq!(clients(&both), format!("a.key_file: the client has two keys {help}"));
    let help = "(64 digits of 0-9a-f: what `sluice key new NAME` prints)";
    for hash in [HASH.trim_start_matches('2'), &HASH.to_uppercase(), &format!("{HASH}0"), "é"] {
        let said = format!("a.key_sha256: is not a SHA-256 {help}");
        assert_eq!(clients(&format!("a: {{ key_sha256: '{hash}' }}")), said);
    }
    let said = "b: has the key of \"a\" (make one for each: sluice key new NAME)";
    assert_eq!(clients(&format!("a: {{ key_sha256: '{HASH}' }}, b: {{ key_sha256: '{HASH}' }}")), said);
    let said = "a.key_file: there is no file \"k\" (the path is taken from this file's directory)";
    assert_eq!(clients("a: { key_file: k }"), said);
}

#[test]
fn a_key_file_is_private_and_its_newline_does_not_count() {
    let policy = POLICY.replace("gpus:", &with_clients("a: { key_file: key }"));
    for key in ["key", "key\n", "key\r\n"] {
        let hash = beside_key(&policy, key.as_bytes(), 0o640).unwrap().clients[0].key;
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, HASH, "{key:?}");
    }
    let place = "policy.yaml:2: clients.a.key_file:";
    let said =
        format!("{place} everybody on this machine may read \"key\" (chmod 640 it: a key is its owner's)");
    assert_eq!(beside_key(&policy, b"key", 0o644).unwrap_err(), said);
    for key in ["", "\n", "two words", "two\nlines", "é"] {
        let said = format!("{place} \"key\" does not hold one key (write the key alone, on one line)");
        assert_eq!(beside_key(&policy, key.as_bytes(), 0o600).unwrap_err(), said, "{key:?}");
    }
}

#[test]
fn a_key_file_is_a_file_and_small() {
    let policy = POLICY.replace("gpus:", &with_clients("a: { key_file: key }"));
    let directory = tempfile::tempdir().unwrap();
    let read = || {
        let loaded = crate::config::load_policy(&directory.path().join("policy.yaml")).map(|_| ());
        loaded.map_err(|problems| without(&problems, directory.path()))
    };
    std::fs::write(directory.path().join("policy.yaml"), policy).unwrap();
    let key = directory.path().join("key");
    std::fs::create_dir(&key).unwrap();
    let said =
        "policy.yaml:2: clients.a.key_file: \"key\" is not a file (write the key into a file of its own)";
    assert_eq!(read(), Err(said.to_owned()), "nor is a pipe, which would be waited for without end");
    std::fs::remove_dir(&key).unwrap();
    std::fs::write(&key, [b'k'; 8 * 1024 + 1]).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(read().unwrap_err().contains("does not hold one key"));
}

#[test]
fn rates_and_models_of_a_client() {
    let with = |more: &str| format!("a: {{ key_sha256: '{HASH}', {more} }}");
    assert_eq!(clients(&with("rate: { per: 1m }")), "a.rate.requests: is missing (how many in each period)");
    let said = "a.rate.burst: 0 is out of range (legal: 1 to 1000000)";
    assert_eq!(clients(&with("rate: { requests: 1, burst: 0 }")), said);
    let said = "a.models[0]: there is no model \"bog\" (did you mean \"big\"?)";
    assert_eq!(clients(&with("models: [bog]")), said);
    let client = |more: &str| right("gpus:", &with_clients(&with(more))).clients.remove(0);
    let per = Duration::from_secs(60);
    assert_eq!(client("rate: { requests: 6 }").rate, Some(Rate { requests: 6, per, burst: 6 }));
    let faster = Rate { requests: 6, per: Duration::from_secs(1), burst: 2 };
    assert_eq!(client("rate: { requests: 6, per: 1s, burst: 2 }").rate, Some(faster));
    assert_eq!(client("models: [all]").models, None);
    assert_eq!(client("models: [auto, big]").models, Some(vec!["auto".into(), "big".into()]));
}

#[test]
fn a_rule_may_ask_for_a_client_that_there_is() {
    let rule = |name: &str| POLICY.replace("{ tag: [force] }", &format!("{{ client: [{name}] }}"));
    let keyed = |policy: String| {
        policy.replace("gpus:", &with_clients(&format!("tayne: {{ key_sha256: '{HASH}' }}")))
    };
    let load = |policy: String| super::load_both("version: 1", &policy).map(|_| ());
    assert_eq!(load(rule("lan")), Ok(()));
    assert_eq!(load(keyed(rule("tayne"))), Ok(()));
    let said = "policy.yaml:19: rules[0].when.client[0]: there is no client \"lan\" (clients: tayne)";
    assert_eq!(load(keyed(rule("lan"))), Err(said.to_owned()));
}

#[test]
fn a_manual_backend_is_named_by_nobody_but_its_models() {
    let manual = |from: &str, to: &str| {
        let policy = POLICY
            .replace("voice: { kind", "me: { kind: manual, peers: ['[::1]:1'], model: c }\n  voice: { kind");
        super::load_both("version: 1", &policy.replace(from, to)).unwrap_err()
    };
    let why =
        "a manual backend is reached by its model's name alone (name another; people reach it by its model)";
    assert_eq!(manual("route: big", "route: me"), format!("policy.yaml:20: rules[0].route: {why}"));
    let said = format!("policy.yaml:8: backends.big.fail_soft[0]: {why}");
    assert_eq!(manual("fail_soft: [small]", "fail_soft: [me]"), said);
    let said = format!("policy.yaml:21: rules[0].fail_soft[0]: {why}");
    assert_eq!(manual("    route: big\n", "    route: big\n    fail_soft: [me]\n"), said);
    let said =
        "policy.yaml:13: models.little: a manual backend's model must name its clients (add clients: [NAME])";
    assert_eq!(manual("{ backend: small }", "{ backend: me }"), said);
    let said = "policy.yaml:12: models.auto: who names no model asks for `auto`, and a manual backend is reached by \
                its name alone (pin another name to it)";
    let pinned = manual("models:\n", "models:\n  auto: { backend: me, clients: [lan] }\n");
    assert_eq!(pinned, said);
    let said = "policy.yaml:13: models.little.clients: the list is empty (name at least one)";
    assert_eq!(manual("{ backend: small }", "{ backend: me, clients: [] }"), said);
    let said = "policy.yaml:13: models.little.clients[0]: there is no client \"you\" (clients: lan)";
    assert_eq!(manual("{ backend: small }", "{ backend: me, clients: [you] }"), said);
}

#[test]
fn what_an_api_asks_for() {
    let said = "price.completion: is missing (US dollars per million tokens)";
    assert_eq!(small("price: { prompt: 0.6 }"), said);
    let said = "price.prompt: is out of range (write a number from 0 to 1000000)";
    assert_eq!(small("price: { prompt: -1, completion: 0 }"), said);
    assert_eq!(small("price: { prompt: .inf, completion: 0 }"), said);
    assert_eq!(small("budget: {}"), "budget: limits nothing (write usd or requests)");
    let said = "budget.usd: money cannot be counted without a price (add `price`, or count `requests`)";
    assert_eq!(small("budget: { usd: 1 }"), said);
    let said = "budget.per: 500ms is out of range (legal: 1s to 8784h)";
    assert_eq!(small("budget: { requests: 1, per: 500ms }"), said);
    for path in ["v4", "/a b", "/a//b", "/a/../b", "/a?b"] {
        let said = format!("base_path: \"{path}\" is not a path (write the API's own, such as /api/paas/v4)");
        assert_eq!(small(&format!("base_path: '{path}'")), said);
    }
    let said = "api_key_file: there is no file \"k\" (the path is taken from this file's directory)";
    assert_eq!(small("api_key_file: k"), said);
}

#[test]
fn an_apis_key_that_everybody_may_read_is_a_warning() {
    let policy = POLICY.replace("model: m }", "model: m, api_key_file: key }");
    let read = beside_key(&policy, b"sk-far", 0o644).unwrap();
    assert!(read.backends[0].access.api_key.is_some());
}

#[test]
fn what_is_outside_is_read_whole() {
    let far = "kind: external, peers: ['https://API.z.ai/', 'https://[::1]:444'], base_path: /api/v4/, \
               api_key_file: key, price: { prompt: 0.60, completion: 2 }, budget: { usd: 2.5 }";
    let policy = POLICY.replace("gpu: card, peers: ['127.0.0.1:8000']", far);
    let policy = beside_key(&policy, b"sk-far\n", 0o600).unwrap();
    let far = &policy.backends[0];
    assert_eq!((far.kind, far.health.as_ref()), (Kind::External, None), "nobody probes what is metered");
    assert_eq!(far.peers, ["https://api.z.ai", "https://[::1]:444"]);
    assert_eq!(far.access.base_path.as_deref(), Some("/api/v4"));
    assert_eq!(far.access.api_key.as_ref().map(crate::policy::Secret::reveal), Some("sk-far"));
    assert_eq!(far.price, Some(Price { prompt: Money(600_000), completion: Money(2_000_000) }));
    let day = Duration::from_secs(86_400);
    assert_eq!(far.budget, Some(Budget { money: Some(Money::of_dollars(2.5)), requests: None, per: day }));
    assert!(!format!("{policy:?}").contains("sk-far"), "a key is never shown");
    let probed = right("gpu: card, peers: ['127.0.0.1:8000']", "kind: external, health: {}, peers: ['a:1']");
    assert!(probed.backends[0].health.is_some(), "asked for is done");
}
