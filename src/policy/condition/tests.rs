//! Each condition, holding and not.

use super::*;
use crate::openai::Endpoint;
use crate::policy::{GateView, sample};

fn holds(condition: &Condition, facts: &Facts) -> bool {
    condition.holds(facts, &sample::view())
}

fn yes() -> Condition {
    Condition::All(Vec::new())
}

fn no() -> Condition {
    Condition::Any(Vec::new())
}

#[test]
fn all_any_and_not() {
    let facts = sample::facts();
    assert!(holds(&Condition::All(vec![yes(), yes()]), &facts));
    assert!(!holds(&Condition::All(vec![yes(), no()]), &facts));
    assert!(holds(&Condition::Any(vec![no(), yes()]), &facts));
    assert!(!holds(&Condition::Any(vec![no(), no()]), &facts));
    assert!(holds(&Condition::Not(Box::new(no())), &facts));
    assert!(!holds(&Condition::Not(Box::new(yes())), &facts));
}

#[test]
fn a_list_means_any_of_it() {
    let facts = Facts { tags: vec![TagId(1)], patterns: vec![PatternId(2)], ..sample::facts() };
    assert!(holds(&Condition::Tag(vec![TagId(0), TagId(1)]), &facts));
    assert!(!holds(&Condition::Tag(vec![TagId(0)]), &facts));
    assert!(holds(&Condition::PromptMatches(vec![PatternId(2), PatternId(3)]), &facts));
    assert!(!holds(&Condition::PromptMatches(vec![PatternId(3)]), &facts));
    assert!(holds(&Condition::Model(vec!["big".into(), "auto".into()]), &facts));
    assert!(!holds(&Condition::Model(vec!["big".into()]), &facts));
    assert!(holds(&Condition::Client(vec!["lan".into()]), &facts));
    assert!(!holds(&Condition::Client(vec!["laptop".into()]), &facts));
    assert!(holds(&Condition::Path(vec![Endpoint::ChatCompletions]), &facts));
    assert!(!holds(&Condition::Path(vec![Endpoint::Responses, Endpoint::Messages]), &facts));
}

#[test]
fn a_header_test_holds_when_the_facts_say_so() {
    let facts = Facts { headers: vec![HeaderTestId(3)], ..sample::facts() };
    assert!(holds(&Condition::Header(HeaderTestId(3)), &facts));
    assert!(!holds(&Condition::Header(HeaderTestId(0)), &facts));
}

#[test]
fn tokens_count_the_lower_bound_in_and_the_upper_out() {
    let at = |tokens| Facts { tokens, ..sample::facts() };
    let between = Condition::Tokens { at_least: Some(2_000), below: Some(4_000) };
    assert!(!holds(&between, &at(1_999)));
    assert!(holds(&between, &at(2_000)));
    assert!(holds(&between, &at(3_999)));
    assert!(!holds(&between, &at(4_000)));
    assert!(holds(&Condition::Tokens { at_least: None, below: None }, &at(u64::MAX)));
}

#[test]
fn requested_output_is_no_part_of_tokens() {
    let facts = Facts { tokens: 10, max_output_tokens: Some(9_000), ..sample::facts() };
    assert!(!holds(&Condition::Tokens { at_least: Some(11), below: None }, &facts));
}

#[test]
fn a_draining_gate_is_closed_to_conditions() {
    let states = [
        (GateState::Open, GateWord::Open),
        (GateState::Closed, GateWord::Closed),
        (GateState::Draining, GateWord::Closed),
        (GateState::Unknown, GateWord::Unknown),
    ];
    for (state, word) in states {
        let view = View { gates: vec![GateView { state, available: true }], backends: Vec::new() };
        for asked in [GateWord::Open, GateWord::Closed, GateWord::Unknown] {
            let condition = Condition::Gate(GateId(0), vec![asked]);
            assert_eq!(
                condition.holds(&sample::facts(), &view),
                asked == word,
                "{state:?} asked for {asked:?}"
            );
        }
    }
}

#[test]
fn a_gate_that_is_not_there_is_unknown() {
    let condition = Condition::Gate(GateId(9), vec![GateWord::Unknown]);
    assert!(holds(&condition, &sample::facts()));
}

#[test]
fn has_asks_for_one_of_the_features() {
    let facts = Facts { images: true, ..sample::facts() };
    for feature in Feature::ALL {
        assert_eq!(holds(&Condition::Has(vec![feature]), &facts), feature == Feature::Images, "{feature:?}");
    }
    assert!(holds(&Condition::Has(vec![Feature::Tools, Feature::Images]), &facts));
}
