//! Tags and patterns: what is found and what is cut.

#![expect(clippy::single_range_in_vec_init, reason = "one range is what is expected")]
use proptest::prelude::*;

use super::*;

fn tags(sources: &[&str], strip_tags: bool) -> Patterns {
    let tags = sources.iter().map(|source| ((*source).to_owned(), (*source).to_owned())).collect();
    Patterns::new(&PromptPolicy { tags, strip_tags, ..PromptPolicy::default() }).unwrap()
}

fn look(patterns: &Patterns, raw: &str) -> Sight {
    let text = Text { start: 0, end: raw.len(), escaped: raw.contains('\\') };
    patterns.look(raw, &[text], &(0..1))
}

#[test]
fn matches_of_several_tags_are_taken_out_once() {
    let sight = look(&tags(&["#b+", "#a#b", "b#c"], true), "x#a#bbb#c #b #a#b");
    assert_eq!(sight.tags, [TagId(0), TagId(1), TagId(2)]);
    assert_eq!(sight.removed, [1..9, 10..12, 13..17]);
}

#[test]
fn an_empty_match_is_found_and_takes_nothing_out() {
    let sight = look(&tags(&["(?:#x)?"], true), "ab");
    assert_eq!((sight.tags.len(), sight.removed.len()), (1, 0));
}

#[test]
fn without_stripping_tags_are_found_all_the_same() {
    let sight = look(&tags(&["#a", "#b"], false), r"x \u0023b");
    assert_eq!((sight.tags, sight.removed), (vec![TagId(1)], vec![]));
}

#[test]
fn an_old_text_is_stripped_and_no_more() {
    let old = Text { start: 0, end: 2, escaped: false };
    let last = Text { start: 2, end: 4, escaped: false };
    for (strip, removed) in [(true, vec![0..2]), (false, vec![])] {
        let sight = tags(&["#a"], strip).look("#axx", &[old, last], &(1..2));
        assert_eq!((sight.tags, sight.removed), (vec![], removed));
    }
}

#[test]
fn many_tags_in_an_escaped_text_are_found_in_one_walk() {
    let raw = r"\n#a".repeat(200_000);
    let sight = look(&tags(&["#a"], true), &raw);
    assert_eq!(sight.removed.len(), 200_000);
    assert_eq!(sight.removed.last(), Some(&(raw.len() - 2..raw.len())));
}

#[test]
fn a_pattern_must_be_valid_and_small() {
    assert_eq!(check_pattern(r"(?i)\brefactor\b"), Ok(()));
    assert!(check_pattern("(").unwrap_err().contains("unclosed group"));
    assert!(check_pattern(r"\w{1000}{1000}").is_err());
    let policy = PromptPolicy { patterns: vec!["ok".to_owned(), "[".to_owned()], ..PromptPolicy::default() };
    assert_eq!(Patterns::new(&policy).unwrap_err().pattern, "[");
}

#[test]
fn the_byte_that_a_match_begins_with_is_known_where_there_is_one() {
    for (pattern, first) in [
        (r"(?i)#force_big\b", Some(b'#')),
        (r"\b#(a|b)|#c", Some(b'#')),
        ("ab?", Some(b'a')),
        ("é|è", Some(0xc3)),
        ("(?i)think", None),
        ("#a|b", None),
        ("(?:#a)?", None),
        ("#*", None),
        ("(?i)k", None),
        (".#", None),
        ("", None),
        ("^", None),
        (r"\B", None),
    ] {
        assert_eq!(compile(pattern).unwrap().beginning.byte, first, "{pattern}");
    }
}

#[test]
fn what_json_may_write_otherwise_is_no_plain_beginning() {
    for (pattern, raw) in
        [("a/b", r"a\/b"), ("//", r"\/\/"), ("a\"b", r#"a\"b"#), (r"x\\y", r"x\\y"), ("a\nb", r"a\nb")]
    {
        assert!(compile(pattern).unwrap().beginning.may_be_written_in(raw), "{pattern} as {raw}");
    }
}

#[test]
fn a_backslash_that_is_written_hides_no_letter() {
    for (raw, hides) in [
        (r"\u0023", true),
        (r"C:\\users", false),
        (r"\\\u0023", true),
        (r"\\\\u", false),
        (r"\\users \u0023", true),
        ("u", false),
    ] {
        assert_eq!(hides_letters(raw), hides, "{raw}");
    }
}

proptest! {
    #[test]
    fn a_pattern_matches_what_it_says(
        pattern in "(\\(\\?i\\))?(\\^|\\\\b|\\\\B)?[#aék]([#abék.]|\\|[#ak]|[?*+]|\\\\b){0,6}",
        said in "[#abAéÉkK\u{212a} \n]{0,24}",
    ) {
        // not all that is put together so is a pattern
        let Ok(compiled) = compile(&pattern) else { return Ok(()) };
        let found: Vec<_> = compiled.find_iter(&said).map(|matched| matched.range()).collect();
        let wanted: Vec<_> = compiled.regex.find_iter(&said).map(|matched| matched.range()).collect();
        prop_assert_eq!(compiled.is_match(&said), !wanted.is_empty());
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn no_escape_hides_a_match(
        pattern in "(\\(\\?i\\))?(\\\\b)?[#a/é\"\\\\\n~k][#ak/\"\n]?([#a/\"\n]|\\\\\\\\|.|\\|#a)?",
        raw in prop::collection::vec("[#aAé ~/kK\u{212a}]|\\\\[nt\"/\\\\]|u0023|\\\\u00(2[23fF]|[46]1|7[eE]|0[aA]|[cCeE]9)|\\\\u(2323|212a)", 0..12),
    ) {
        let Ok(compiled) = compile(&pattern) else { return Ok(()) };
        let (raw, mut said) = (raw.concat(), String::new());
        decode(&raw, &mut said);
        let seen = hides_letters(&raw) || compiled.beginning.may_be_written_in(&raw);
        prop_assert!(seen || !compiled.regex.is_match(&said), "{} in {}", pattern, said);
    }
}
