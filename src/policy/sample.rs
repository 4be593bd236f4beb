//! The example policy of the manual, built in code, and a plain request to a house where all is well: for tests.
//! `tests/cases.rs` includes this file too: it has `openai` and `policy` at its root, as the crate does.

use std::time::Duration;

use crate::openai::Endpoint;
use crate::policy::{
    Access, Backend, BackendId, Balance, Condition, Facts, Gate, GateId, GateState, GateView, GateWord, Gpu,
    GpuId, HeaderOp, HeaderTest, HeaderTestId, Health, Kind, Model, ModelId, OnClose, PatternId, Policy,
    PromptPolicy, Rule, TagId, Timeouts, View,
};

/// small, big behind the gate `gaming_pc`, and tts; the five rules.
pub fn policy() -> Policy {
    let (small, big, tts) = (BackendId(0), BackendId(1), BackendId(2));
    Policy {
        gpus: vec![gpu("rtx3070", 8, vec![tts]), gpu("rtx3090", 1, Vec::new())],
        gates: vec![gaming_pc()],
        backends: vec![
            Backend { gpu: Some(GpuId(0)), ..backend("small", "qwen3-coder-7b", Some(16_384)) },
            Backend {
                gpu: Some(GpuId(1)),
                gate: Some(GateId(0)),
                fail_soft: vec![small],
                ..backend("big", "qwen3-coder-14b", Some(32_768))
            },
            Backend { kind: Kind::Speech, gpu: Some(GpuId(0)), ..backend("tts", "chatterbox-turbo", None) },
        ],
        clients: Vec::new(),
        models: vec![
            model("auto", None),
            model("big", None),
            model("small", Some(small)),
            model("qwen3-coder-7b", Some(small)),
            model("qwen3-coder-14b", Some(big)),
            model("chatterbox-turbo", Some(tts)),
            model("tts-1", Some(tts)),
        ],
        rules: rules(small, big),
        prompt: PromptPolicy {
            tags: vec![("force_big".into(), r"(?i)#force_big\b".into())],
            strip_tags: true,
            patterns: vec![r"(?i)\brefactor\b".into()],
            image_tokens: 1_024,
        },
        header_tests: vec![HeaderTest { name: "x-force-big".into(), test: HeaderOp::Is(true) }],
    }
}

/// A short chat request for `auto`, without any signal.
pub fn facts() -> Facts {
    Facts {
        endpoint: Endpoint::ChatCompletions,
        model: "auto".into(),
        model_id: Some(ModelId(0)),
        tokens: 123,
        max_output_tokens: None,
        tags: Vec::new(),
        patterns: Vec::new(),
        headers: Vec::new(),
        stream: false,
        tools: false,
        images: false,
        client: "lan".into(),
    }
}

/// The gate open, everything healthy.
pub fn view() -> View {
    View { gates: vec![GateView { state: GateState::Open, available: true }], backends: vec![None; 3] }
}

/// A language model outside any card and gate.
pub fn backend(name: &str, model: &str, context_window: Option<u64>) -> Backend {
    Backend {
        name: name.into(),
        kind: Kind::Language,
        gpu: None,
        gate: None,
        peers: vec!["127.0.0.1:8000".into()],
        balance: Balance::LeastInFlight,
        model: model.into(),
        context_window,
        fail_soft: Vec::new(),
        timeouts: Timeouts { connect: secs(1), first_byte: secs(300), idle: secs(120) },
        health: Some(Health {
            path: "/health".into(),
            interval: secs(2),
            timeout: secs(1),
            unhealthy_after: 2,
            healthy_after: 1,
        }),
        failover_on: vec![502, 503, 504],
        access: Access::default(),
        price: None,
        budget: None,
    }
}

fn rules(small: BackendId, big: BackendId) -> Vec<Rule> {
    let forced = vec![
        Condition::Header(HeaderTestId(0)),
        Condition::Model(vec!["big".into()]),
        Condition::Tag(vec![TagId(0)]),
    ];
    let shut = Condition::Gate(GateId(0), vec![GateWord::Closed, GateWord::Unknown]);
    let long = Condition::Tokens { at_least: Some(2_000), below: None };
    vec![
        Rule { override_gate: true, ..rule("force-big", Some(Condition::Any(forced)), big) },
        rule("gaming", Some(shut), small),
        rule("heavy-by-tokens", Some(long), big),
        rule("heavy-by-pattern", Some(Condition::PromptMatches(vec![PatternId(0)])), big),
        rule("default", None, small),
    ]
}

fn rule(name: &str, when: Option<Condition>, route: BackendId) -> Rule {
    Rule { name: name.into(), when, route, fail_soft: None, override_gate: false }
}

fn gpu(name: &str, max_in_flight: u32, exclusive: Vec<BackendId>) -> Gpu {
    Gpu {
        name: name.into(),
        max_in_flight,
        max_queue: 64,
        queue_timeout: secs(60),
        exclusive,
        exclusive_wait: secs(10),
    }
}

fn gaming_pc() -> Gate {
    Gate {
        name: "gaming_pc".into(),
        mode_url: Some("http://192.168.1.50:18000/".into()),
        poll_interval: secs(1),
        poll_timeout: Duration::from_millis(500),
        stale_after: secs(5),
        on_close: OnClose::Cancel,
        drain_timeout: secs(30),
    }
}

fn model(name: &str, backend: Option<BackendId>) -> Model {
    Model { name: name.into(), backend, clients: None }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
