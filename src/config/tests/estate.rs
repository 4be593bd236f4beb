//! Mistakes with GPUs, gates, models, clients and prompts.

use super::{right, warnings, wrong};
use crate::policy::{GpuId, OnClose};

#[test]
fn a_card_needs_its_number() {
    let said = "policy.yaml:3: gpus.card.max_in_flight: is missing (how many requests the card takes at one time, 1 to 1024)";
    assert_eq!(wrong("max_in_flight: 4, ", ""), said);
}

#[test]
fn exclusive_names_backends_of_the_card() {
    let said = "policy.yaml:3: gpus.card.exclusive[0]: the backend does not run on this card (give it this `gpu`, or remove it here)";
    assert_eq!(wrong("exclusive: [voice]", "exclusive: [big]"), said);
    let said =
        "policy.yaml:3: gpus.card.exclusive[0]: there is no backend \"vioce\" (did you mean \"voice\"?)";
    assert_eq!(wrong("exclusive: [voice]", "exclusive: [vioce]"), said);
    let said = "policy.yaml:3: gpus.card.exclusive[1]: the backend stands twice (remove one of them)";
    assert_eq!(wrong("exclusive: [voice]", "exclusive: [voice, voice]"), said);
}

#[test]
fn names_are_plain() {
    let said = "policy.yaml:5: gates.\"gaming pc\": \"gaming pc\" cannot be a name (1 to 64 letters, digits and . _ -)\n\
                policy.yaml:8: backends.big.gate: there is no gate \"pc\" (gates: gaming pc)";
    assert_eq!(wrong("pc: {}", "gaming pc: {}"), said);
}

#[test]
fn a_mode_url_is_http() {
    let gate = |url: &str| wrong("pc: {}", &format!("pc: {{ mode_url: '{url}' }}"));
    let help = "(write http://host:port/path)";
    let said = format!("policy.yaml:5: gates.pc.mode_url: an https mode_url cannot be polled {help}");
    assert_eq!(gate("https://pc/"), said);
    for url in [
        "pc:18000",
        "http://",
        "http://pc:0/",
        "http://pc:99999/",
        "http://a b/",
        "http://u@pc/",
        "http://pc?x",
        "http://pc/#x",
    ] {
        let said = format!("policy.yaml:5: gates.pc.mode_url: \"{url}\" is not an http:// URL {help}");
        assert_eq!(gate(url), said);
    }
    for url in ["http://pc", "http://pc:18000", "http://[::1]:18000/mode?x=1", "http://10.0.0.1/"] {
        let policy = right("pc: {}", &format!("pc: {{ mode_url: '{url}', on_close: drain }}"));
        assert_eq!(policy.gates[0].mode_url.as_deref(), Some(url));
        assert_eq!(policy.gates[0].on_close, OnClose::Drain);
    }
}

#[test]
fn a_gate_that_grows_stale_between_polls_is_a_warning() {
    let said = "5: gates.pc: stale_after is shorter than poll_interval and poll_timeout together \
                (the gate can become unknown between two good polls)";
    assert_eq!(warnings("pc: {}", "pc: { mode_url: 'http://pc/', stale_after: 1s }"), [said]);
}

#[test]
fn what_is_never_used_is_a_warning() {
    let said = "5: gates.old: no backend stands behind this gate: \"old\" (give a backend this `gate`)";
    assert_eq!(warnings("pc: {}", "old: {}\n  pc: {}"), [said]);
    let said = "4: gpus.spare: no backend runs on this card: \"spare\" (give a backend this `gpu`)";
    assert_eq!(warnings("gates:", "  spare: { max_in_flight: 1 }\ngates:"), [said]);
    let said = "10: backends.idle: nothing leads to this backend: \"idle\" (name it in a rule, a model or a fail_soft)";
    assert_eq!(warnings("models:", "  idle: { peers: ['a:1'], model: i }\nmodels:"), [said]);
}

#[test]
fn a_backend_needs_no_card() {
    let policy = right("small: { gpu: card,", "small: {");
    assert_eq!((policy.backends[0].gpu, policy.backends[2].gpu), (None, Some(GpuId(0))));
}

#[test]
fn models_name_backends() {
    let said =
        "policy.yaml:12: models.little.backend: there is no backend \"smal\" (did you mean \"small\"?)";
    assert_eq!(wrong("backend: small", "backend: smal"), said);
    let said = "policy.yaml:12: models.little.clients[0]: there is no client \"a\" (clients: lan)";
    assert_eq!(wrong("backend: small", "backend: small, clients: [a]"), said);
    let said = "policy.yaml:11: models.\"big one\": \"big one\" cannot be a model's name (1 to 256 visible ASCII characters)";
    assert_eq!(wrong("  big: {}\n", "  big one: {}\n"), said);
}

#[test]
fn auto_stays_where_the_file_has_it() {
    let policy = right("  big: {}\n", "  big: {}\n  auto: {}\n");
    let names: Vec<&str> = policy.models.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["big", "auto", "little", "voice"]);
}

#[test]
fn tags_are_patterns() {
    let said = "policy.yaml:15: prompt.tags.force: is not a regular expression: unclosed group at character 2 \
                (the syntax is the regex crate's)";
    assert_eq!(wrong("'#force'", "'#(force'"), said);
    let said = "policy.yaml:15: prompt.tags.force: the pattern takes more than 1 MiB compiled (use smaller repetitions)";
    assert_eq!(wrong("'#force'", "'\\w{500}'"), said);
    let said = "policy.yaml:15: prompt.tags.force: the pattern is too long (at most 2000 characters)";
    assert_eq!(wrong("'#force'", &"x".repeat(2001)), said);
    let said =
        "15: prompt.tags.force: the pattern matches nothing at all too (every message will have this tag)";
    assert_eq!(warnings("'#force'", "'x*'"), [said]);
    let said = "policy.yaml:16: prompt.image_tokens: 100001 is out of range (legal: 0 to 100000)";
    assert_eq!(wrong("rules:", "  image_tokens: 100001\nrules:"), said);
}
