//! The words of a trace.

use super::*;
use crate::policy::{Feature, GateState, GateView, GateWord, HeaderTest, PatternId, TagId, sample};

/// Whether the condition holds for these facts in a house where all is well, and the lines that say why.
fn told(condition: Condition, facts: &Facts) -> (bool, Vec<String>) {
    told_at(condition, facts, &sample::view())
}

fn told_at(condition: Condition, facts: &Facts, view: &View) -> (bool, Vec<String>) {
    let mut policy = sample::policy();
    policy.header_tests = vec![
        HeaderTest { name: "x-force-big".into(), test: HeaderOp::Is(true) },
        HeaderTest { name: "x-quiet".into(), test: HeaderOp::Is(false) },
        HeaderTest { name: "x-team".into(), test: HeaderOp::Equals("red".into()) },
        HeaderTest { name: "x-team".into(), test: HeaderOp::Matches("^bl".into()) },
        HeaderTest { name: "x-any".into(), test: HeaderOp::Present(true) },
        HeaderTest { name: "x-old".into(), test: HeaderOp::Present(false) },
    ];
    policy.prompt.tags.push(("deep".into(), "#deep".into()));
    if let Some(rule) = policy.rules.first_mut() {
        rule.when = Some(condition);
    }
    let first = policy.trace(facts, view).swap_remove(0);
    (first.matched, first.because)
}

fn lines(condition: Condition, facts: &Facts) -> String {
    told(condition, facts).1.join(" | ")
}

#[test]
fn the_trace_of_the_contract() {
    let facts = Facts { tags: vec![TagId(0)], ..sample::facts() };
    let trace = sample::policy().trace(&facts, &sample::view());
    let told: Vec<_> =
        trace.iter().map(|rule| (rule.name.as_str(), rule.matched, rule.because.join(" | "))).collect();
    let expected = [
        ("force-big", true, "tag force_big".to_owned()),
        ("gaming", false, "gate gaming_pc is open".to_owned()),
        ("heavy-by-tokens", false, "tokens 123 < 2,000".to_owned()),
        ("heavy-by-pattern", false, r"prompt does not match (?i)\brefactor\b".to_owned()),
        ("default", true, "always".to_owned()),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_rule_that_does_not_hold_says_what_failed() {
    let first = sample::policy().trace(&sample::facts(), &sample::view()).swap_remove(0);
    assert!(!first.matched);
    let expected = ["header x-force-big is not yes", "model auto is not big", "no tag force_big"];
    assert_eq!(first.because, expected);
}

#[test]
fn of_all_only_what_failed_is_told() {
    let tokens = Condition::Tokens { at_least: Some(2_000), below: None };
    let both = Condition::All(vec![tokens, Condition::Has(vec![Feature::Tools])]);
    let long = Facts { tokens: 2_431, ..sample::facts() };
    assert_eq!(told(both.clone(), &long), (false, vec!["has no tools".to_owned()]));
    let long = Facts { tools: true, ..long };
    assert_eq!(lines(both, &long), "tokens 2,431 >= 2,000 | has tools");
}

#[test]
fn not_tells_how_its_inner_part_stands() {
    let not = |inner| Condition::Not(Box::new(inner));
    let plain = sample::facts();
    let forced = Facts { headers: vec![HeaderTestId(0)], ..sample::facts() };
    let header = || Condition::Header(HeaderTestId(0));
    assert_eq!(told(not(header()), &plain), (true, vec!["not: header x-force-big is not yes".to_owned()]));
    assert_eq!(told(not(header()), &forced), (false, vec!["not: header x-force-big is yes".to_owned()]));
    assert_eq!(lines(not(not(header())), &forced), "not: not: header x-force-big is yes");
}

#[test]
fn headers() {
    let cases = [
        ("header x-force-big is yes", "header x-force-big is not yes"),
        ("header x-quiet is not yes", "header x-quiet is yes"),
        ("header x-team is \"red\"", "header x-team is not \"red\""),
        ("header x-team matches ^bl", "header x-team does not match ^bl"),
        ("header x-any is present", "header x-any is absent"),
        ("header x-old is absent", "header x-old is present"),
    ];
    for (place, (yes, no)) in cases.into_iter().enumerate() {
        let id = HeaderTestId(place);
        let with = Facts { headers: vec![id], ..sample::facts() };
        assert_eq!(lines(Condition::Header(id), &with), yes);
        assert_eq!(lines(Condition::Header(id), &sample::facts()), no);
    }
}

#[test]
fn tokens_name_the_bound_that_decided() {
    let cases = [
        (2_431, Some(2_000), None, "tokens 2,431 >= 2,000"),
        (1_999, Some(2_000), None, "tokens 1,999 < 2,000"),
        (5, None, Some(10), "tokens 5 < 10"),
        (10, None, Some(10), "tokens 10 >= 10"),
        (3_000, Some(2_000), Some(16_000), "tokens 3,000 >= 2,000 and < 16,000"),
        (16_000, Some(2_000), Some(16_000), "tokens 16,000 >= 16,000"),
        (1, Some(2_000), Some(16_000), "tokens 1 < 2,000"),
    ];
    for (count, at_least, below, expected) in cases {
        let facts = Facts { tokens: count, ..sample::facts() };
        assert_eq!(lines(Condition::Tokens { at_least, below }, &facts), expected);
    }
}

#[test]
fn lists_show_what_was_found_or_all_that_was_asked() {
    let facts = Facts { tags: vec![TagId(1)], patterns: vec![PatternId(0)], stream: true, ..sample::facts() };
    let tags = Condition::Tag(vec![TagId(0), TagId(1)]);
    assert_eq!(lines(tags.clone(), &facts), "tag deep");
    assert_eq!(lines(tags, &sample::facts()), "no tag force_big or deep");
    let patterns = Condition::PromptMatches(vec![PatternId(0)]);
    assert_eq!(lines(patterns, &facts), r"prompt matches (?i)\brefactor\b");
    let features = Condition::Has(vec![Feature::Tools, Feature::Stream]);
    assert_eq!(lines(features.clone(), &facts), "has stream");
    assert_eq!(lines(features, &sample::facts()), "has no tools or stream");
    assert_eq!(lines(Condition::Client(vec!["a".into(), "b".into()]), &facts), "client lan is not a or b");
    assert_eq!(lines(Condition::Model(vec!["auto".into()]), &facts), "model auto");
}

#[test]
fn a_gate_is_told_by_its_own_state() {
    let view =
        View { gates: vec![GateView { state: GateState::Draining, available: true }], ..sample::view() };
    let closed = Condition::Gate(GateId(0), vec![GateWord::Closed]);
    let told = told_at(closed, &sample::facts(), &view);
    assert_eq!(told, (true, vec!["gate gaming_pc is draining".to_owned()]));
}

#[test]
fn thousands_stand_apart() {
    let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (u64::MAX, "18,446,744,073,709,551,615")];
    for (number, expected) in cases {
        assert_eq!(grouped(number), expected);
    }
}
