//! Mistakes in rules and conditions, and what conditions become.

use super::{right, warnings, wrong};
use crate::openai::Endpoint;
use crate::policy::{
    BackendId, Condition, Feature, GateId, GateWord, HeaderOp, HeaderTest, HeaderTestId, PatternId, TagId,
};

/// What is wrong with this condition, without what is the same each time.
fn when(condition: &str) -> String {
    let said = wrong("{ tag: [force] }", condition);
    said.strip_prefix("policy.yaml:18: rules[0].when").unwrap_or(&said).to_owned()
}

fn condition(text: &str) -> Condition {
    right("{ tag: [force] }", text).rules[0].when.clone().unwrap()
}

#[test]
fn a_rule_needs_a_name_and_a_route() {
    let said = "policy.yaml:20: rules[1].name: is missing (it stands in headers and metrics)";
    assert_eq!(wrong("  - name: default\n    route: small", "  - route: small"), said);
    let said = "policy.yaml:20: rules[1].route: is missing (the backend of first choice)";
    assert_eq!(wrong("name: default\n    route: small", "name: default"), said);
}

#[test]
fn a_route_is_a_language_backend() {
    let said = "policy.yaml:21: rules[1].route: a rule cannot lead to a speech backend \
                (speech is routed by its path; name a language backend)";
    assert_eq!(wrong("route: small", "route: voice"), said);
    let said = "policy.yaml:21: rules[1].route: there is no backend \"none\" (backends: small, big, voice)";
    assert_eq!(wrong("route: small", "route: none"), said);
}

#[test]
fn a_rules_chain_is_checked_like_a_backends() {
    let said = "policy.yaml:22: rules[1].fail_soft[0]: a backend cannot stand in for itself (remove it)\n\
                policy.yaml:22: rules[1].fail_soft[1]: speech and language backends cannot stand in for each other \
                (name one of the same kind)";
    assert_eq!(wrong("route: small", "route: small\n    fail_soft: [small, voice]"), said);
    let policy = right("route: small", "route: small\n    fail_soft: []");
    assert_eq!(
        (policy.rules[1].fail_soft.as_deref(), policy.rules[0].fail_soft.as_deref()),
        (Some(&[][..]), None)
    );
}

#[test]
fn names_are_taken_once() {
    let said = "policy.yaml:20: rules[1].name: \"forced\" is the name of another rule (see rules[0].name)";
    assert_eq!(wrong("name: default", "name: forced"), said);
}

#[test]
fn only_the_last_rule_asks_nothing() {
    let said = "policy.yaml:17: rules[0]: has no `when`, so no rule below it is ever reached (add `when`, or move it to the end)";
    assert_eq!(wrong("    when: { tag: [force] }\n", ""), said);
    let said = "policy.yaml:22: rules[1].when: the last rule must not have `when` \
                (it is what is done when no other rule matches: add a rule with only a name and a route)";
    assert_eq!(wrong("route: small", "route: small\n    when: { tag: [force] }"), said);
}

#[test]
fn names_in_conditions_must_exist() {
    assert_eq!(when("{ tag: [farce] }"), ".tag[0]: there is no tag \"farce\" (did you mean \"force\"?)");
    assert_eq!(
        when("{ model: [litle] }"),
        ".model[0]: there is no model \"litle\" (did you mean \"little\"?)"
    );
    assert_eq!(when("{ gate: { tower: [open] } }"), ".gate.tower: there is no gate \"tower\" (gates: pc)");
    assert_eq!(when("{ client: [tayne] }"), ".client[0]: there is no client \"tayne\" (clients: lan)");
    assert_eq!(when("{ has: [tool] }"), ".has[0]: \"tool\" is not a legal value (did you mean \"tools\"?)");
    assert_eq!(
        when("{ path: [/v1/completion] }"),
        ".path[0]: \"/v1/completion\" is not a path that is served (did you mean \"/v1/completions\"?)"
    );
}

#[test]
fn gates_have_three_words() {
    assert_eq!(
        when("{ gate: { pc: [draining] } }"),
        ".gate.pc[0]: \"draining\" is not a state here (conditions see a draining gate as closed: write closed)"
    );
    assert_eq!(
        when("{ gate: { pc: [clsed] } }"),
        ".gate.pc[0]: \"clsed\" is not a legal value (did you mean \"closed\"?)"
    );
    assert_eq!(
        when("{ gate: { pc: open } }"),
        ".gate.pc: expected a list, found \"open\" (write [one, another], or one `- item` a line)"
    );
}

#[test]
fn what_says_nothing_is_a_mistake() {
    assert_eq!(when("{}"), ": is empty (say what must hold)");
    assert_eq!(when("{ any: [] }"), ".any: the list is empty (name at least one)");
    assert_eq!(when("{ not: {} }"), ".not: is empty (say what must hold)");
    assert_eq!(when("{ tokens: {} }"), ".tokens: is empty (write at_least, below or both)");
    assert_eq!(when("{ gate: {} }"), ".gate: no gate is named (write { NAME: [closed, unknown] })");
    assert_eq!(
        when("{ header: { name: X } }"),
        ".header: says nothing of the header (add one of is, equals, matches, present)"
    );
}

#[test]
fn tests_that_cannot_be_made() {
    assert_eq!(
        when("{ tokens: { at_least: 9, below: 9 } }"),
        ".tokens: no number is at least 9 and below 9 (at_least must be less than below)"
    );
    assert_eq!(when("{ header: { is: true } }"), ".header.name: is missing (the header's name)");
    assert_eq!(
        when("{ header: { name: 'X Y', is: true } }"),
        ".header.name: \"X Y\" is not a header's name (letters, digits and -)"
    );
    assert_eq!(
        when("{ header: { name: X, is: yes } }"),
        ".header.is: expected true or false, found \"yes\" (write true or false)"
    );
    assert_eq!(
        when("{ prompt_matches: ['a', 'b**', '[z-a]'] }"),
        ".prompt_matches[2]: is not a regular expression: invalid character class range, the start must be <= the end \
         at character 2 (the syntax is the regex crate's)"
    );
}

#[test]
fn speech_never_comes_to_the_rules() {
    let said = "18: rules[0].when.path[0]: never holds (speech is routed by its path, before any rule)";
    assert_eq!(warnings("{ tag: [force] }", "{ path: [/v1/audio/speech] }"), [said]);
}

#[test]
fn each_condition_becomes_its_variant() {
    let gate = Condition::Gate(GateId(0), vec![GateWord::Closed, GateWord::Unknown]);
    assert_eq!(condition("{ gate: { pc: [closed, unknown] } }"), gate);
    assert_eq!(condition("{ model: [big, auto] }"), Condition::Model(vec!["big".into(), "auto".into()]));
    assert_eq!(condition("{ tag: [force] }"), Condition::Tag(vec![TagId(0)]));
    assert_eq!(
        condition("{ tokens: { below: 0x10 } }"),
        Condition::Tokens { at_least: None, below: Some(16) }
    );
    assert_eq!(condition("{ client: [lan] }"), Condition::Client(vec!["lan".into()]));
    assert_eq!(condition("{ path: [/tokenize] }"), Condition::Path(vec![Endpoint::Tokenize]));
    assert_eq!(
        condition("{ has: [images, stream] }"),
        Condition::Has(vec![Feature::Images, Feature::Stream])
    );
    let not = Condition::Not(Box::new(Condition::Has(vec![Feature::Tools])));
    assert_eq!(condition("{ not: { has: [tools] } }"), not);
    let both = Condition::All(vec![Condition::Has(vec![Feature::Tools]), Condition::Tag(vec![TagId(0)])]);
    assert_eq!(condition("{ has: [tools], tag: [force] }"), both);
    assert_eq!(condition("{ any: [{ has: [tools], tag: [force] }] }"), Condition::Any(vec![both]));
}

#[test]
fn header_tests_and_patterns_are_kept_once() {
    let text = "{ all: [ { header: { name: X-A, is: true } }, { header: { name: x-a, is: true, matches: b } }, \
                { prompt_matches: [p, q] }, { prompt_matches: [q] } ] }";
    let policy = right("{ tag: [force] }", text);
    let test = |test| HeaderTest { name: "x-a".into(), test };
    assert_eq!(policy.header_tests, [test(HeaderOp::Is(true)), test(HeaderOp::Matches("b".into()))]);
    assert_eq!(policy.prompt.patterns, ["p", "q"]);
    let [first, second] = [HeaderTestId(0), HeaderTestId(1)].map(Condition::Header);
    let expected = Condition::All(vec![
        first.clone(),
        Condition::All(vec![first, second]),
        Condition::PromptMatches(vec![PatternId(0), PatternId(1)]),
        Condition::PromptMatches(vec![PatternId(1)]),
    ]);
    assert_eq!(policy.rules[0].when, Some(expected));
    assert_eq!(policy.rules[0].route, BackendId(1));
}
