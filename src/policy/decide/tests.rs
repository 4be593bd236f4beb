//! What a decision says beside its outcome, and ids that fit nothing.
//! The routing table and the guarantees are golden files: `tests/cases/`.

use super::*;
use crate::policy::{Backend, GateState};
use crate::policy::{Condition, GateId, GateView, ModelId, sample};

const SMALL: BackendId = BackendId(0);
const BIG: BackendId = BackendId(1);
const TTS: BackendId = BackendId(2);

fn tokens(tokens: u64) -> Facts {
    Facts { tokens, ..sample::facts() }
}

fn pinned(model: &str, id: usize, tokens: u64) -> Facts {
    Facts { model: model.into(), model_id: Some(ModelId(id)), tokens, ..sample::facts() }
}

fn down(id: BackendId, reason: Reason) -> View {
    let mut view = sample::view();
    view.backends[id.0] = Some(reason);
    view
}

#[test]
fn the_first_candidate_is_matched_and_the_rest_is_not_needed() {
    let decision = sample::policy().decide(&tokens(2_000), &sample::view());
    let expected = Decision {
        decided_by: Some(DecidedBy::Rule(RuleId(2))),
        outcome: Outcome::Route(BIG),
        reason: Reason::Matched,
        forced: false,
        candidates: vec![(BIG, Verdict::Chosen), (SMALL, Verdict::NotNeeded)],
    };
    assert_eq!(decision, expected);
}

#[test]
fn the_reason_is_the_first_candidates_own() {
    let decision = sample::policy().decide(&tokens(2_000), &down(BIG, Reason::ConnectFailed));
    assert_eq!(decision.outcome, Outcome::Route(SMALL));
    assert_eq!(decision.reason, Reason::ConnectFailed);
    let expected = [(BIG, Verdict::Not(Reason::ConnectFailed)), (SMALL, Verdict::Chosen)];
    assert_eq!(decision.candidates, expected);
}

#[test]
fn after_one_that_nearly_fits_nothing_is_needed() {
    let mut policy = sample::policy();
    policy.backends[SMALL.0].fail_soft = vec![BIG];
    policy.backends[BIG.0].context_window = Some(8_192);
    let decision = policy.decide(&pinned("small", 2, 18_000), &sample::view());
    assert_eq!(decision.outcome, Outcome::Route(SMALL));
    assert_eq!(decision.reason, Reason::Matched);
    assert_eq!(decision.candidates, [(SMALL, Verdict::Chosen), (BIG, Verdict::NotNeeded)]);
}

#[test]
fn a_quarter_over_is_the_limit() {
    let fits = |needed| sample::policy().decide(&pinned("small", 2, needed), &sample::view()).outcome;
    assert_eq!(fits(20_480), Outcome::Route(SMALL));
    let refusal = Refusal::ContextLengthExceeded { window: 16_384 };
    assert_eq!(fits(20_481), Outcome::Refuse(refusal));
}

#[test]
fn huge_numbers_do_not_wrap() {
    let mut policy = sample::policy();
    policy.backends[SMALL.0].context_window = Some(u64::MAX - 1);
    let facts = Facts { max_output_tokens: Some(u64::MAX), ..pinned("small", 2, u64::MAX) };
    assert_eq!(policy.decide(&facts, &sample::view()).outcome, Outcome::Route(SMALL));
    policy.backends[SMALL.0].context_window = Some(u64::MAX / 2);
    assert!(matches!(policy.decide(&facts, &sample::view()).outcome, Outcome::Refuse(_)));
}

#[test]
fn a_chain_is_not_followed_further_and_counts_each_once() {
    let mut policy = sample::policy();
    policy.backends.push(Backend { fail_soft: vec![TTS], ..sample::backend("far", "m", None) });
    let far = BackendId(3);
    policy.backends[SMALL.0].fail_soft = vec![far];
    policy.backends[BIG.0].fail_soft = vec![SMALL, BIG, TTS, SMALL];
    let decision = policy.decide(&tokens(2_000), &down(BIG, Reason::Unhealthy));
    let ids: Vec<_> = decision.candidates.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [BIG, SMALL]);
}

#[test]
fn a_refusal_before_any_candidate_has_none() {
    let decision = sample::policy().decide(&Facts { model_id: None, ..sample::facts() }, &sample::view());
    let expected = Decision {
        decided_by: None,
        outcome: Outcome::Refuse(Refusal::UnknownModel),
        reason: Reason::Matched,
        forced: false,
        candidates: Vec::new(),
    };
    assert_eq!(decision, expected);
}

#[test]
fn ids_that_fit_nothing_are_nobody() {
    let mut policy = sample::policy();
    let nowhere = Facts { model_id: Some(ModelId(99)), ..sample::facts() };
    let unknown = policy.decide(&nowhere, &sample::view()).outcome;
    assert_eq!(unknown, Outcome::Refuse(Refusal::UnknownModel));

    policy.models[2].backend = Some(BackendId(99));
    let pinned = policy.decide(&pinned("small", 2, 1), &sample::view()).outcome;
    assert_eq!(pinned, Outcome::Refuse(Refusal::NoCandidate(Reason::Unhealthy)));

    policy.backends[SMALL.0].gate = Some(GateId(99));
    let gated = policy.decide(&sample::facts(), &sample::view()).outcome;
    assert_eq!(gated, Outcome::Refuse(Refusal::NoCandidate(Reason::GateUnknown)));
}

#[test]
fn without_a_rule_that_holds_nobody_gets_it() {
    let mut policy = sample::policy();
    policy.rules.retain(|rule| rule.when.is_some());
    let decision = policy.decide(&sample::facts(), &sample::view());
    assert_eq!(decision.decided_by, None);
    assert_eq!(decision.outcome, Outcome::Refuse(Refusal::NoCandidate(Reason::Unhealthy)));
}

#[test]
fn a_rule_that_names_speech_names_nobody() {
    let mut policy = sample::policy();
    policy.rules[0].when = Some(Condition::All(Vec::new()));
    policy.rules[0].route = TTS;
    let decision = policy.decide(&sample::facts(), &sample::view());
    assert_eq!(decision.candidates, []);
    assert_eq!(decision.outcome, Outcome::Refuse(Refusal::NoCandidate(Reason::Unhealthy)));
}

#[test]
fn speech_goes_to_all_that_serve_the_model_then_to_the_chain() {
    let mut policy = sample::policy();
    let speech =
        |name: &str, model: &str| Backend { kind: Kind::Speech, ..sample::backend(name, model, None) };
    policy.backends.push(speech("piper", "piper"));
    policy.backends.push(speech("tts2", "chatterbox-turbo"));
    let (piper, second) = (BackendId(3), BackendId(4));
    policy.backends[TTS.0].fail_soft = vec![SMALL, piper];
    let view = View { backends: vec![None; 5], ..sample::view() };
    let ids = |model: &str, id| {
        let facts = Facts { endpoint: Endpoint::Speech, ..pinned(model, id, 0) };
        let decision = policy.decide(&facts, &view);
        assert_eq!(decision.decided_by, Some(DecidedBy::Path));
        decision.candidates.iter().map(|(id, _)| *id).collect::<Vec<_>>()
    };
    assert_eq!(ids("tts-1", 6), [TTS, second, piper]);
    assert_eq!(ids("auto", 0), [TTS, piper, second]);
    assert_eq!(ids("small", 2), []);
    assert_eq!(ids("big", 1), []);
}

#[test]
fn auto_is_no_speech_model_where_nothing_speaks() {
    let mut policy = sample::policy();
    policy.backends.truncate(2);
    let facts = Facts { endpoint: Endpoint::Speech, ..sample::facts() };
    let outcome = policy.decide(&facts, &sample::view()).outcome;
    assert_eq!(outcome, Outcome::Refuse(Refusal::WrongEndpoint));
}

#[test]
fn forced_is_what_the_rule_grants_not_what_the_gate_needed() {
    let facts = pinned("big", 1, 1);
    for state in GateState::ALL {
        let gates = vec![GateView { state, available: true }];
        let decision = sample::policy().decide(&facts, &View { gates, ..sample::view() });
        assert!(decision.forced, "{state:?}");
        assert_eq!(decision.outcome, Outcome::Route(BIG), "{state:?}");
    }
    assert!(!sample::policy().decide(&sample::facts(), &sample::view()).forced);
}

#[test]
fn names_of_what_decided() {
    let policy = sample::policy();
    let name = |facts: &Facts| policy.decide(facts, &sample::view()).rule_name(&policy, facts).into_owned();
    assert_eq!(name(&sample::facts()), "default");
    assert_eq!(name(&pinned("qwen3-coder-14b", 4, 1)), "model:qwen3-coder-14b");
    assert_eq!(name(&Facts { endpoint: Endpoint::Speech, ..pinned("tts-1", 6, 0) }), "path");
    assert_eq!(name(&pinned("tts-1", 6, 0)), "model:tts-1");
    assert_eq!(name(&Facts { model_id: None, ..sample::facts() }), "");
}
