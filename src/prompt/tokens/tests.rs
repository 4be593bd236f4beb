//! The estimate.

use super::*;

fn tokens(text: &str) -> u64 {
    let mut tally = Tally::new();
    assert_eq!(tally.run(text.as_bytes()), text.len(), "{text}");
    tally.tokens()
}

/// Bytes a token, in hundredths.
fn ratio(text: &str) -> usize {
    text.chars().count() * 100 / usize::try_from(tokens(text)).unwrap()
}

#[test]
fn prose_code_and_han_land_where_vocabularies_do() {
    let prose = "The committee met on Tuesday to discuss the proposal. Most members agreed that the plan was sound, \
                 but several asked for more time to study the figures before they would vote on it.";
    assert!((380..500).contains(&ratio(prose)), "{}", ratio(prose));
    let code =
        "    fn count(&self, items: &[Item]) -> usize { items.iter().filter(|item| item.is_open()).count() }";
    assert!((250..380).contains(&ratio(code)), "{}", ratio(code));
    let han = "自然語言處理是人工智慧的一個重要領域";
    assert!((100..126).contains(&ratio(han)), "{}", ratio(han));
}

#[test]
fn what_the_thresholds_are_about() {
    assert!(tokens("Say hello.") < 20);
    assert!((4_000..5_500).contains(&tokens(&"word ".repeat(4_000))));
    // vocabularies have one token for each of these: an estimate must not fall short of it
    assert!(tokens(&"word ".repeat(20_000)) > 20_000);
}

#[test]
fn more_text_never_costs_less() {
    let text = "Ünïcode: fooBar_baz(12, \t3.5)  日本 😀 end of it";
    let costs: Vec<u64> = (0..=text.len())
        .map(|end| {
            let mut tally = Tally::new();
            tally.run(&text.as_bytes()[..end]);
            tally.thousandths
        })
        .collect();
    assert!(costs.is_sorted(), "{costs:?}");
    assert_eq!(costs[0], 0);
}

#[test]
fn a_run_may_be_counted_in_pieces() {
    let text = "some words, theirOwn 123   numbers and 日本語 marks...";
    for cut in 0..=text.len() {
        let (head, tail) = text.as_bytes().split_at(cut);
        let mut tally = Tally::new();
        tally.run(head);
        tally.run(tail);
        assert_eq!(tally.tokens(), tokens(text), "{cut}");
    }
}

#[test]
fn an_escape_counts_as_what_it_stands_for() {
    for character in ['a', 'Z', '7', ' ', '/', '\u{7f}', 'é', 'ж', '日', '😀'] {
        let mut plain = Tally::new();
        plain.run(character.to_string().as_bytes());
        let mut escaped = Tally::new();
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            escaped.unit(*unit);
        }
        assert_eq!(plain.thousandths, escaped.thousandths, "{character}");
    }
}

#[test]
fn a_run_stops_where_a_strings_own_bytes_do() {
    for stop in ["\"", "\\", "\n", "\0", "\u{1f}"] {
        assert_eq!(Tally::new().run(format!("ab{stop}c").as_bytes()), 2);
    }
}
