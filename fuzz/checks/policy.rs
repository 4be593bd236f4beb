//! A policy file: any text is a policy or a list of problems with their lines, and a policy compiles and decides.

use std::path::Path;

use sluice::config::{self, LoadedPolicy, Problem};
use sluice::openai::Endpoint;
use sluice::policy::{
    BackendId, Facts, GateId, GateState, GateView, HeaderTestId, ModelId, Outcome, PatternId, Policy, Reason,
    TagId, View,
};
use sluice::prompt::{self, Patterns};
use sluice::wire::HeaderTests;

/// The name that problems must carry.
const FILE: &str = "the/policy.yaml";

/// Checks these bytes as the content of `policy.yaml`.
pub fn check(bytes: &[u8]) {
    let read = config::parse_policy(Path::new(FILE), bytes);
    assert_eq!(read, config::parse_policy(Path::new(FILE), bytes), "the same text, the same answer");
    match &read {
        Ok(loaded) => accepted(loaded, bytes),
        Err(problems) => {
            assert!(problems.len() > 0, "refused for nothing");
            problems.iter().for_each(|problem| sound(problem, bytes));
        }
    }
    line_ends(bytes, &read);
}

/// A problem names the file, a line that it has, and says something in one line.
fn sound(problem: &Problem, bytes: &[u8]) {
    assert_eq!(problem.file, Path::new(FILE));
    let lines = 1 + String::from_utf8_lossy(bytes).replace("\r\n", "\n").matches(['\n', '\r']).count();
    assert!((1..=lines).contains(&problem.line), "of {lines} lines: {problem}");
    assert!(
        ![&problem.path, &problem.problem, &problem.help].iter().any(|text| text.is_empty()),
        "{problem}"
    );
    assert!(!problem.to_string().contains(char::is_control), "{problem:?}");
}

/// How lines end is nobody's meaning.
fn line_ends(bytes: &[u8], read: &Result<LoadedPolicy, config::Problems>) {
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\r')) else { return };
    match (config::parse_policy(Path::new(FILE), text.replace('\n', "\r\n").as_bytes()), read) {
        (Ok(other), Ok(read)) => assert_eq!(other.policy, read.policy, "with CRLF"),
        (Err(_), Err(_)) => {}
        (other, _) => panic!("with LF {read:?}, with CRLF {other:?}"),
    }
}

fn accepted(loaded: &LoadedPolicy, bytes: &[u8]) {
    loaded.warnings.iter().for_each(|warning| sound(warning, bytes));
    let policy = &loaded.policy;
    let patterns = Patterns::new(&policy.prompt).expect("the patterns compile");
    HeaderTests::new(&policy.header_tests).expect("the header tests compile");
    let body = br##"{"messages":[{"role":"user","content":"please #force_big \u0023think refactor"}]}"##;
    prompt::read(body, Endpoint::ChatCompletions, &patterns).expect("a plain request is read");
    assert!(!policy.backends.is_empty() && !policy.rules.is_empty(), "a policy leads somewhere");
    for facts in requests(policy) {
        views(policy).iter().for_each(|view| decided(policy, &facts, view));
    }
}

/// A request with everything and one with nothing, for every model and for none, on every path.
fn requests(policy: &Policy) -> Vec<Facts> {
    let models = (0..policy.models.len()).take(8).map(|at| Some(ModelId(at))).chain([None]);
    let of = |model_id: Option<ModelId>| {
        let name = model_id.map_or("nobody", |id| &policy.models[id.0].name);
        let paths = Endpoint::ALL.into_iter();
        paths
            .flat_map(move |endpoint| [true, false].map(|all| request(policy, endpoint, model_id, name, all)))
    };
    models.flat_map(of).collect()
}

fn request(policy: &Policy, endpoint: Endpoint, model_id: Option<ModelId>, model: &str, all: bool) -> Facts {
    let some = |length: usize| 0..if all { length } else { 0 };
    Facts {
        endpoint,
        model: model.to_owned(),
        model_id,
        tokens: if all { 20_000 } else { 1 },
        max_output_tokens: all.then_some(u64::MAX),
        tags: some(policy.prompt.tags.len()).map(TagId).collect(),
        patterns: some(policy.prompt.patterns.len()).map(PatternId).collect(),
        headers: some(policy.header_tests.len()).map(HeaderTestId).collect(),
        stream: all,
        tools: all,
        images: all,
        client: "lan".to_owned(),
    }
}

/// All is well; every gate shut in some way; every backend down.
fn views(policy: &Policy) -> Vec<View> {
    let gate = |state, available| vec![GateView { state, available }; policy.gates.len()];
    let up = vec![None; policy.backends.len()];
    let mut views: Vec<View> = GateState::ALL
        .map(|state| View { gates: gate(state, true), backends: up.clone() })
        .into_iter()
        .collect();
    views.push(View { gates: gate(GateState::Open, false), backends: up });
    let down = vec![Some(Reason::Unhealthy); policy.backends.len()];
    views.push(View { gates: gate(GateState::Open, true), backends: down });
    views
}

/// A decision keeps the guarantees, and can be told.
fn decided(policy: &Policy, facts: &Facts, view: &View) {
    let decision = policy.decide(facts, view);
    assert_eq!(decision, policy.decide(facts, view), "the same request, the same decision");
    let rule = decision.rule_name(policy, facts);
    let overrides = policy.rules.iter().any(|known| known.name == *rule && known.override_gate);
    assert!(!decision.forced || overrides, "forced by {rule}");
    if let Outcome::Route(BackendId(at)) = decision.outcome {
        let backend = policy.backends.get(at).expect("a backend of the policy");
        assert!(view.backends[at].is_none(), "{} is down", backend.name);
        if let Some(gate) = backend.gate.map(|GateId(at)| view.gates[at]) {
            assert!(gate.available, "{} sleeps", backend.name);
            assert!(gate.state == GateState::Open || decision.forced, "{} is behind a gate", backend.name);
        }
    }
    assert_eq!(policy.trace(facts, view).len(), policy.rules.len());
}
