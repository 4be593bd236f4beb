//! Random policies, fleets and requests: several gates and backends, nested conditions, ids that may point
//! nowhere. Windows and estimates are small and close together, so that they fit, nearly fit and do not.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use sluice::openai::Endpoint;
use sluice::policy::{
    Access, Backend, BackendId, Balance, Client, Condition, Decision, Facts, Feature, Gate, GateId,
    GateState, GateView, GateWord, HeaderOp, HeaderTest, HeaderTestId, Kind, Model, ModelId, OnClose,
    PatternId, Policy, PromptPolicy, Reason, Rule, TagId, Timeouts, View,
};

const NAMES: [&str; 4] = ["auto", "big", "small", "voice"];
const BACKENDS: usize = 5;
const GATES: usize = 3;

/// All that a decision is made from.
#[derive(Debug, Clone)]
pub struct Situation {
    pub policy: Policy,
    pub facts: Facts,
    pub view: View,
}

impl Situation {
    pub fn decide(&self) -> Decision {
        self.policy.decide(&self.facts, &self.view)
    }
}

pub fn situation() -> impl Strategy<Value = Situation> {
    (policy(), facts(), view()).prop_map(|(policy, mut facts, view)| {
        // The name and the id that the reader of a request hands over always agree.
        let names = policy.models.iter().position(|model| model.name == facts.model);
        facts.model_id = names.map(ModelId).or(facts.model_id.filter(|id| id.0 >= policy.models.len()));
        Situation { policy, facts, view }
    })
}

pub fn rule() -> impl Strategy<Value = Rule> {
    let parts = (
        option::weighted(0.8, condition()),
        backend_id(),
        option::of(vec(backend_id(), 0..4)),
        any::<bool>(),
    );
    parts.prop_map(|(when, route, fail_soft, override_gate)| Rule {
        name: "rule".into(),
        when,
        route,
        fail_soft,
        override_gate,
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    let parts = (
        mostly(vec(backend(), BACKENDS), vec(backend(), 0..BACKENDS)),
        vec(rule(), 0..6),
        models(),
        0..=GATES,
        option::of(option::of(names())),
    );
    parts.prop_map(|(backends, rules, models, gates, laptop)| Policy {
        gpus: Vec::new(),
        gates: (0..gates).map(gate).collect(),
        backends,
        clients: laptop
            .map(|models| Client { name: "laptop".into(), key: [0; 32], rate: None, models })
            .into_iter()
            .collect(),
        models,
        rules,
        prompt: PromptPolicy {
            tags: vec![("one".into(), "#one".into()), ("two".into(), "#two".into())],
            strip_tags: true,
            patterns: vec!["a".into(), "b".into()],
            image_tokens: 1_024,
        },
        header_tests: vec![
            HeaderTest { name: "x-one".into(), test: HeaderOp::Is(true) },
            HeaderTest { name: "x-two".into(), test: HeaderOp::Matches("a".into()) },
        ],
    })
}

fn backend() -> impl Strategy<Value = Backend> {
    let kind = prop_oneof![
        3 => Just(Kind::Language),
        1 => Just(Kind::Speech),
        1 => Just(Kind::External),
        1 => Just(Kind::Manual),
    ];
    let window = option::weighted(0.9, prop_oneof![9 => 8_u64..16, 1 => Just(0)]);
    let parts = (kind, option::of(gate_id()), select(vec!["m", "n"]), window, vec(backend_id(), 0..5));
    parts.prop_map(|(kind, gate, model, context_window, fail_soft)| Backend {
        name: "backend".into(),
        kind,
        gpu: None,
        gate,
        peers: Vec::new(),
        balance: Balance::LeastInFlight,
        model: model.into(),
        context_window,
        fail_soft,
        timeouts: Timeouts { connect: Duration::ZERO, first_byte: Duration::ZERO, idle: Duration::ZERO },
        health: None,
        failover_on: Vec::new(),
        access: Access::default(),
        price: None,
        budget: None,
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let endpoint = prop_oneof![
        6 => Just(Endpoint::ChatCompletions),
        2 => Just(Endpoint::Speech),
        2 => select(Endpoint::ALL.to_vec()),
    ];
    let name = prop_oneof![6 => Just("auto"), 3 => select(NAMES.to_vec()), 1 => Just("nobody")];
    let found = (places().prop_map(ids(TagId)), places().prop_map(ids(PatternId)));
    let headers = places().prop_map(ids(HeaderTestId));
    let size = (prop_oneof![19 => 0_u64..24, 1 => Just(u64::MAX)], option::of(0_u64..4));
    let has = (any::<bool>(), any::<bool>(), any::<bool>());
    let stray = option::of((0_usize..9).prop_map(ModelId));
    (endpoint, name, stray, size, found, headers, has, client()).prop_map(
        |(endpoint, model, model_id, (tokens, max_output_tokens), (tags, patterns), headers, has, client)| {
            let (stream, tools, images) = has;
            Facts {
                endpoint,
                model: model.into(),
                model_id,
                tokens,
                max_output_tokens,
                tags,
                patterns,
                headers,
                stream,
                tools,
                images,
                client,
            }
        },
    )
}

fn models() -> impl Strategy<Value = Vec<Model>> {
    let clients = option::weighted(0.3, vec(client(), 0..3));
    let pinned = vec((option::weighted(0.4, backend_id()), clients), NAMES.len());
    (pinned, mostly(Just(NAMES.len()), 0..NAMES.len())).prop_map(|(pinned, count)| {
        let models = NAMES.iter().zip(pinned).take(count);
        models.map(|(name, (backend, clients))| Model { name: (*name).into(), backend, clients }).collect()
    })
}

/// Most of the names that a client may send.
fn names() -> impl Strategy<Value = Vec<String>> {
    prop::sample::subsequence(NAMES.to_vec(), 2..=NAMES.len())
        .prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn client() -> impl Strategy<Value = String> {
    select(vec!["lan", "laptop"]).prop_map(str::to_owned)
}

fn view() -> impl Strategy<Value = View> {
    let state = || prop_oneof![2 => Just(GateState::Open), 3 => select(GateState::ALL.to_vec())];
    let gate = move || {
        (state(), prop::bool::weighted(0.7)).prop_map(|(state, available)| GateView { state, available })
    };
    let reasons = [Reason::Unhealthy, Reason::ConnectFailed, Reason::OverBudget, Reason::QueueFull];
    let backend = move || option::weighted(0.2, select(reasons.to_vec()));
    let gates = mostly(vec(gate(), GATES), vec(gate(), 0..GATES));
    let backends = mostly(vec(backend(), BACKENDS), vec(backend(), 0..BACKENDS));
    (gates, backends).prop_map(|(gates, backends)| View { gates, backends })
}

fn condition() -> impl Strategy<Value = Condition> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Condition::All),
            vec(inner.clone(), 0..4).prop_map(Condition::Any),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn leaf() -> impl Strategy<Value = Condition> {
    let words = vec![GateWord::Open, GateWord::Closed, GateWord::Unknown];
    let some_names = vec(select(NAMES.to_vec()).prop_map(String::from), 0..3);
    let bound = || option::of(0_u64..30);
    prop_oneof![
        (0_usize..3).prop_map(|id| Condition::Header(HeaderTestId(id))),
        some_names.prop_map(Condition::Model),
        places().prop_map(ids(TagId)).prop_map(Condition::Tag),
        places().prop_map(ids(PatternId)).prop_map(Condition::PromptMatches),
        (bound(), bound()).prop_map(|(at_least, below)| Condition::Tokens { at_least, below }),
        (gate_id(), vec(select(words), 0..3)).prop_map(|(gate, words)| Condition::Gate(gate, words)),
        select(vec!["lan", "laptop"]).prop_map(|name| Condition::Client(vec![name.into()])),
        vec(select(Endpoint::ALL.to_vec()), 0..4).prop_map(Condition::Path),
        vec(select(Feature::ALL.to_vec()), 0..3).prop_map(Condition::Has),
    ]
}

fn backend_id() -> impl Strategy<Value = BackendId> {
    mostly(0..BACKENDS, BACKENDS..BACKENDS + 2).prop_map(BackendId)
}

fn gate_id() -> impl Strategy<Value = GateId> {
    mostly(0..GATES, GATES..GATES + 2).prop_map(GateId)
}

/// Mostly what makes sense, sometimes what does not: an id that points nowhere, a list that is too short.
fn mostly<T: std::fmt::Debug>(
    sound: impl Strategy<Value = T>,
    odd: impl Strategy<Value = T>,
) -> impl Strategy<Value = T> {
    prop_oneof![14 => sound, 1 => odd]
}

/// Some of the first places of a list, ascending.
fn places() -> impl Strategy<Value = Vec<usize>> {
    proptest::sample::subsequence(vec![0, 1, 2], 0..=2)
}

fn ids<Id>(id: fn(usize) -> Id) -> impl Fn(Vec<usize>) -> Vec<Id> + Clone {
    move |places| places.into_iter().map(id).collect()
}

fn gate(place: usize) -> Gate {
    Gate {
        name: format!("gate{place}"),
        mode_url: None,
        poll_interval: Duration::ZERO,
        poll_timeout: Duration::ZERO,
        stale_after: Duration::ZERO,
        on_close: OnClose::Cancel,
        drain_timeout: Duration::ZERO,
    }
}
