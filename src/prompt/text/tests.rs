//! Decoding, and places in the raw text.

#![expect(clippy::string_slice, reason = "the texts are ours; a bad cut fails the test")]

use super::*;

fn decoded(raw: &str) -> String {
    let mut text = String::new();
    decode(raw, &mut text);
    text
}

#[test]
fn escapes_say_what_they_stand_for() {
    assert_eq!(decoded(r#"a\"\\\/\b\f\n\r\tz"#), "a\"\\/\u{8}\u{c}\n\r\tz");
    assert_eq!(decoded(r"\u00e9\u0041 \uD83D\uDE00"), "éA 😀");
    assert_eq!(decoded(r"\\u0041"), r"\u0041");
    assert_eq!(decoded("é日😀"), "é日😀");
}

#[test]
fn half_a_pair_is_a_replacement_character() {
    assert_eq!(decoded(r"\ud83d"), "\u{fffd}");
    assert_eq!(decoded(r"\ude00x"), "\u{fffd}x");
    assert_eq!(decoded(r"\ud83d\ud83d\ude00"), "\u{fffd}😀");
    assert_eq!(decoded(r"\ud83d\u0041"), "\u{fffd}A");
    assert_eq!(decoded(r"\ud83d\n"), "\u{fffd}\n");
}

#[test]
fn every_character_boundary_is_found_in_the_raw_text() {
    let raw = r"ab\u0023é\ud83d\ude00\\x\ud83dy日\n";
    let text = decoded(raw);
    let boundaries: Vec<usize> = (0..=text.len()).filter(|&at| text.is_char_boundary(at)).collect();
    let mut offsets = Offsets::new(raw);
    for &at in &boundaries {
        let found = offsets.raw_of(at);
        assert_eq!(decoded(&raw[..found]), text[..at], "{at}");
        assert_eq!(decoded(&raw[found..]), text[at..], "{at}");
        assert_eq!(Offsets::new(raw).raw_of(at), found, "{at}");
    }
}

#[test]
fn a_key_is_compared_by_what_it_says() {
    let says = |raw: &str, word: &str| {
        Text { start: 0, end: raw.len(), escaped: raw.contains('\\') }.says(raw, word)
    };
    assert!(
        says("model", "model")
            && says(r"\u006do\u0064el", "model")
            && says(r"\u006d\u006f\u0064\u0065\u006c", "model")
    );
    assert!(
        !says("Model", "model") && !says(r"model\u0000", "model") && !says(&r"\u006d".repeat(1_000), "model")
    );
}
