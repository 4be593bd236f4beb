//! The two configuration files of the demo: the contract's example with local peers and quick probes.

use std::net::SocketAddr;

/// The small backend's model.
pub(super) const SMALL_MODEL: &str = "qwen3-coder-7b";
/// Tokens of its context window.
pub(super) const SMALL_CONTEXT: u64 = 16_384;
/// The big backend's model.
pub(super) const BIG_MODEL: &str = "qwen3-coder-14b";
/// Tokens of its context window.
pub(super) const BIG_CONTEXT: u64 = 32_768;
/// The speech backend's model.
pub(super) const SPEECH_MODEL: &str = "chatterbox-turbo";

/// `sluice.yaml`: this machine alone may ask. `policy.yaml` lies beside it.
pub fn settings_yaml(proxy_port: u16, admin_port: u16) -> String {
    format!(
        "\
version: 1
listen:
  proxy: 127.0.0.1:{proxy_port}
  admin: 127.0.0.1:{admin_port}
policy: policy.yaml
log: {{ level: warn, format: text }}
shutdown_grace: 1s
"
    )
}

/// `policy.yaml`: the rules of the two-GPU home, its backends at these addresses.
pub fn policy_yaml(small: SocketAddr, big: SocketAddr, tts: SocketAddr, mode: SocketAddr) -> String {
    let health = "{ path: /health, interval: 500ms, timeout: 400ms, unhealthy_after: 2, healthy_after: 1 }";
    format!(
        "\
version: 1

gpus:
  rtx3070: {{ max_in_flight: 8, max_queue: 64, queue_timeout: 60s, exclusive: [tts], exclusive_wait: 10s }}
  rtx3090: {{ max_in_flight: 1, max_queue: 16, queue_timeout: 60s }}

gates:
  gaming_pc:
    mode_url: http://{mode}/
    poll_interval: 250ms
    poll_timeout: 250ms
    stale_after: 2s
    on_close: cancel
    drain_timeout: 5s

backends:
  small:
    gpu: rtx3070
    peers: ['{small}']
    model: {SMALL_MODEL}
    context_window: {SMALL_CONTEXT}
    health: {health}
  big:
    gpu: rtx3090
    gate: gaming_pc
    peers: ['{big}']
    model: {BIG_MODEL}
    context_window: {BIG_CONTEXT}
    health: {health}
    fail_soft: [small]
  tts:
    gpu: rtx3070
    kind: speech
    peers: ['{tts}']
    model: {SPEECH_MODEL}
    health: {health}

clients: {{}}

models:
  auto: {{}}
  big: {{}}
  small: {{ backend: small }}
  {SMALL_MODEL}: {{ backend: small }}
  {BIG_MODEL}: {{ backend: big }}
  {SPEECH_MODEL}: {{ backend: tts }}
  tts-1: {{ backend: tts }}

{RULES}"
    )
}

const RULES: &str = r"prompt:
  tags: { force_big: '(?i)#force_big\b' }
  strip_tags: true

rules:
  - name: force-big
    when:
      any:
        - header: { name: X-Force-Big, is: true }
        - model: [big]
        - tag: [force_big]
    route: big
    override_gate: true
  - name: gaming
    when: { gate: { gaming_pc: [closed, unknown] } }
    route: small
  - name: heavy-by-tokens
    when: { tokens: { at_least: 2000 } }
    route: big
  - name: heavy-by-pattern
    when: { prompt_matches: ['(?i)\brefactor\b'] }
    route: big
  - name: default
    route: small
";

#[cfg(test)]
mod tests {
    use serde_yaml::Value;

    use super::*;

    #[test]
    fn the_settings_are_yaml_for_this_machine_alone() {
        let settings: Value = serde_yaml::from_str(&settings_yaml(8080, 8081)).unwrap();
        assert_eq!(settings["listen"]["proxy"], "127.0.0.1:8080");
        assert_eq!(settings["listen"]["admin"], "127.0.0.1:8081");
        assert_eq!(settings["policy"], "policy.yaml");
    }

    #[test]
    fn the_policy_is_yaml_and_names_every_address() {
        let addr = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let policy: Value = serde_yaml::from_str(&policy_yaml(addr(1), addr(2), addr(3), addr(4))).unwrap();
        assert_eq!(policy["backends"]["small"]["peers"][0], "127.0.0.1:1");
        assert_eq!(policy["backends"]["big"]["peers"][0], "127.0.0.1:2");
        assert_eq!(policy["backends"]["tts"]["peers"][0], "127.0.0.1:3");
        assert_eq!(policy["gates"]["gaming_pc"]["mode_url"], "http://127.0.0.1:4/");
        assert_eq!(policy["prompt"]["tags"]["force_big"], r"(?i)#force_big\b");
        let rules: Vec<_> = policy["rules"].as_sequence().unwrap().iter().map(|rule| &rule["name"]).collect();
        assert_eq!(rules, ["force-big", "gaming", "heavy-by-tokens", "heavy-by-pattern", "default"]);
    }
}
