//! What a decision costs, by the number of rules: near flat, since a rule is a few comparisons.

#![expect(clippy::expect_used, reason = "a benchmark without its input is over")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sluice::config;
use sluice::openai::Endpoint;
use sluice::policy::{Condition, Facts, GateState, GateView, Policy, View};

/// The shipped policy, with rules before its last that all have to be looked at and do not hold.
fn policy(rules: usize) -> Policy {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/policy.yaml");
    let mut policy = config::load_policy(path.as_ref()).expect("the shipped policy is good").policy;
    let template = policy.rules.last().cloned().expect("the shipped policy has rules");
    let before_last = policy.rules.len() - 1;
    for number in policy.rules.len()..rules {
        let mut rule = template.clone();
        rule.name = format!("rule-{number}");
        rule.when = Some(Condition::All(vec![
            Condition::Tokens { at_least: Some(1_000_000), below: None },
            Condition::Model(vec!["nobody".to_owned()]),
        ]));
        policy.rules.insert(before_last, rule);
    }
    policy
}

fn facts(policy: &Policy) -> Facts {
    Facts {
        endpoint: Endpoint::ChatCompletions,
        model: "auto".to_owned(),
        model_id: policy.model_id("auto"),
        tokens: 123,
        max_output_tokens: None,
        tags: Vec::new(),
        patterns: Vec::new(),
        headers: Vec::new(),
        stream: false,
        tools: false,
        images: false,
        client: "lan".to_owned(),
    }
}

fn decide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for rules in [10, 100, 1_000] {
        let policy = policy(rules);
        let facts = facts(&policy);
        let open = GateView { state: GateState::Open, available: true };
        let view =
            View { gates: vec![open; policy.gates.len()], backends: vec![None; policy.backends.len()] };
        group.bench_function(BenchmarkId::from_parameter(rules), |bencher| {
            bencher.iter(|| policy.decide(black_box(&facts), black_box(&view)));
        });
    }
    group.finish();
}

criterion_group!(benches, decide);
criterion_main!(benches);
