//! The same policy decides the same; another one is decided under, or says what it needs.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::openai::Endpoint;
use crate::policy::{
    BackendId, Gate, GateId, GateView, GateWord, HeaderOp, HeaderTest, HeaderTestId, Outcome, PatternId,
    Reason, Rule, TagId, sample,
};
use crate::telemetry::record;

/// The facts of a record that is made and read as the audit file's are.
fn recorded(policy: &Policy, facts: &Facts, view: &View) -> Value {
    let made = policy.decide(facts, view);
    let line = record::decision(policy, facts, view, &made, None, None).to_string();
    serde_json::from_str::<Value>(&line).unwrap()["facts"].take()
}

fn plain() -> Value {
    recorded(&sample::policy(), &sample::facts(), &sample::view())
}

/// The sample policy with another rule in front of the others.
fn with_rule(when: Condition, route: usize) -> Policy {
    let mut policy = sample::policy();
    let rule = Rule {
        name: "new".into(),
        when: Some(when),
        route: BackendId(route),
        fail_soft: None,
        override_gate: false,
    };
    policy.rules.insert(0, rule);
    policy
}

fn routed(again: &Again) -> Option<(usize, usize)> {
    match again {
        Again::Decided { decision: Decision { outcome: Outcome::Route(to), decided_by, .. }, .. } => {
            let Some(DecidedBy::Rule(rule)) = decided_by else { return None };
            Some((to.0, rule.0))
        }
        _ => None,
    }
}

fn needs(policy: &Policy, facts: &Value) -> Vec<String> {
    match decide(policy, facts).unwrap() {
        Again::Undecidable(needs) => needs,
        decided @ Again::Decided { .. } => panic!("{decided:?}"),
    }
}

fn new_header() -> (HeaderTest, &'static str) {
    (HeaderTest { name: "x-team".into(), test: HeaderOp::Equals("red".into()) }, "header x-team equals red")
}

#[test]
fn another_bound_changes_the_route() {
    let policy = with_rule(Condition::Tokens { at_least: Some(100), below: None }, 1);
    assert_eq!(routed(&decide(&sample::policy(), &plain()).unwrap()), Some((0, 4)));
    assert_eq!(routed(&decide(&policy, &plain()).unwrap()), Some((1, 0)));
}

#[test]
fn a_new_header_test_is_not_guessed() {
    let (test, words) = new_header();
    let mut policy = with_rule(Condition::Header(HeaderTestId(1)), 1);
    policy.header_tests.push(test);
    assert_eq!(needs(&policy, &plain()), [words]);
    policy.rules[0].when = Some(Condition::Not(Box::new(Condition::Header(HeaderTestId(1)))));
    assert_eq!(needs(&policy, &plain()), [words]);
}

#[test]
fn what_is_missing_and_does_not_matter_is_no_trouble() {
    let (test, _) = new_header();
    let new = || Condition::Header(HeaderTestId(1));
    let long = || Condition::Tokens { at_least: Some(1_000), below: None };
    let short = || Condition::Tokens { at_least: None, below: Some(1_000) };
    for (when, rule) in [
        (Condition::All(vec![new(), long()]), 5),
        (Condition::Any(vec![new(), short()]), 0),
        (Condition::Not(Box::new(Condition::Any(vec![new(), short()]))), 5),
    ] {
        let mut policy = with_rule(when, 0);
        policy.header_tests.push(test.clone());
        assert_eq!(routed(&decide(&policy, &plain()).unwrap()), Some((0, rule)), "{:?}", policy.rules[0]);
    }
    let mut policy = sample::policy();
    let after = with_rule(new(), 1).rules.remove(0);
    policy.rules.insert(5, after);
    policy.header_tests.push(test);
    assert_eq!(
        routed(&decide(&policy, &plain()).unwrap()),
        Some((0, 4)),
        "it stands behind the one that decides"
    );
}

#[test]
fn the_opposite_of_a_recorded_header_test_is_known() {
    let mut policy = with_rule(Condition::Header(HeaderTestId(1)), 1);
    policy.header_tests.push(HeaderTest { name: "x-force-big".into(), test: HeaderOp::Is(false) });
    assert_eq!(routed(&decide(&policy, &plain()).unwrap()), Some((1, 0)));
}

#[test]
fn new_patterns_and_tags_and_changed_ones_are_not_guessed() {
    let mut policy = with_rule(Condition::PromptMatches(vec![PatternId(0), PatternId(1)]), 1);
    policy.prompt.patterns.push("(?i)urgent".into());
    assert_eq!(needs(&policy, &plain()), ["pattern (?i)urgent"]);
    let hit = Facts { patterns: vec![PatternId(0)], ..sample::facts() };
    let hit = recorded(&sample::policy(), &hit, &sample::view());
    assert_eq!(routed(&decide(&policy, &hit).unwrap()), Some((1, 0)), "one that was found is enough");

    let mut policy = sample::policy();
    policy.prompt.tags[0].1 = "#big".into();
    assert_eq!(needs(&policy, &plain()), ["tag force_big as #big"]);
    policy.prompt.tags[0] = ("renamed".into(), sample::policy().prompt.tags[0].1.clone());
    assert_eq!(routed(&decide(&policy, &plain()).unwrap()), Some((0, 4)), "a tag is what it looks for");
}

#[test]
fn ids_may_stand_elsewhere() {
    let tagged = Facts { tags: vec![TagId(0)], ..sample::facts() };
    let recorded = recorded(&sample::policy(), &tagged, &sample::view());
    let mut policy = sample::policy();
    policy.prompt.tags.insert(0, ("other".into(), "#other".into()));
    policy.rules[0].when = Some(Condition::Tag(vec![TagId(1)]));
    assert_eq!(routed(&decide(&policy, &recorded).unwrap()), Some((1, 0)));
}

#[test]
fn a_new_gate_is_not_guessed() {
    let gate = Gate { name: "laptop".into(), ..sample::policy().gates.remove(0) };
    let mut policy = with_rule(Condition::Gate(GateId(1), vec![GateWord::Open]), 1);
    policy.gates.push(gate.clone());
    assert_eq!(needs(&policy, &plain()), ["gate laptop"], "a condition sees it");
    let mut policy = sample::policy();
    policy.gates.push(gate);
    assert_eq!(routed(&decide(&policy, &plain()).unwrap()), Some((0, 4)), "nobody asks for it");
    policy.backends[0].gate = Some(GateId(1));
    assert_eq!(needs(&policy, &plain()), ["gate laptop"], "the candidate stands behind it");
}

#[test]
fn what_was_unusable_stays_so() {
    let gates = vec![GateView { state: GateState::Open, available: false }];
    let forced = Facts { tags: vec![TagId(0)], ..sample::facts() };
    let asleep = recorded(&sample::policy(), &forced, &View { gates, ..sample::view() });
    let down = View { backends: vec![None, Some(Reason::ConnectFailed), None], ..sample::view() };
    let down = recorded(&sample::policy(), &forced, &down);
    for (facts, reason) in [(asleep, Reason::Asleep), (down, Reason::ConnectFailed)] {
        let again = decide(&sample::policy(), &facts).unwrap();
        assert_eq!(routed(&again), Some((0, 0)), "small, softly");
        let Again::Decided { decision, .. } = again else { panic!("{again:?}") };
        assert_eq!(decision.reason, reason);
    }
}

#[test]
fn what_are_no_facts_is_said() {
    for (change, wanted) in [
        ("path", json!("/nowhere")),
        ("tokens", json!("many")),
        ("gates", json!({"gaming_pc": "ajar"})),
        ("unusable", json!({"big": "tired"})),
        ("headers", json!(null)),
    ] {
        let mut facts = plain();
        facts[change] = wanted;
        let error = decide(&sample::policy(), &facts).unwrap_err();
        assert!(error.to_string().contains(change), "{error}");
    }
    assert!(decide(&sample::policy(), &json!(null)).is_err());
}

fn facts() -> impl Strategy<Value = Facts> {
    let policy = sample::policy();
    let models: Vec<_> =
        policy.models.iter().map(|model| model.name.clone()).chain(["nobody".into()]).collect();
    let flags = prop::array::uniform6(any::<bool>());
    let numbers = (0_u64..50_000, prop::option::of(0_u64..40_000));
    (prop::sample::select(models), prop::sample::select(Endpoint::ALL.to_vec()), numbers, flags).prop_map(
        move |(
            model,
            endpoint,
            (tokens, max_output_tokens),
            [tag, pattern, header, stream, tools, images],
        )| Facts {
            endpoint,
            model_id: policy.model_id(&model),
            model,
            tokens,
            max_output_tokens,
            tags: tag.then_some(TagId(0)).into_iter().collect(),
            patterns: pattern.then_some(PatternId(0)).into_iter().collect(),
            headers: header.then_some(HeaderTestId(0)).into_iter().collect(),
            stream,
            tools,
            images,
            client: "lan".into(),
        },
    )
}

fn view() -> impl Strategy<Value = View> {
    let state = prop::sample::select(GateState::ALL.to_vec());
    // That a model sleeps is said of its gate, never of a backend.
    let reasons: Vec<_> = Reason::ALL.into_iter().filter(|reason| *reason != Reason::Asleep).collect();
    let reasons = prop::sample::select(reasons);
    let backends = prop::collection::vec(prop::option::weighted(0.3, reasons), 3);
    (state, any::<bool>(), backends).prop_map(|(state, available, backends)| View {
        gates: vec![GateView { state, available }],
        backends,
    })
}

proptest! {
    /// Whatever was decided is decided again by the same policy, to the last verdict.
    #[test]
    fn the_same_policy_decides_the_same(facts in facts(), view in view()) {
        let policy = sample::policy();
        let again = decide(&policy, &recorded(&policy, &facts, &view)).unwrap();
        let wanted = Again::Decided { decision: policy.decide(&facts, &view), facts: Box::new(facts) };
        prop_assert_eq!(again, wanted);
    }
}
