//! The estimate.

use super::super::cursor::Cursor;
use super::super::text::short_escape;
use super::classes::{COMMON, FOUR};
use super::*;
use proptest::prelude::*;

fn tokens(text: &str) -> u64 {
    let mut tally = Tally::new();
    assert_eq!(tally.run(text.as_bytes()), text.len(), "{text}");
    tally.tokens()
}

/// Texts, and how many tokens the vocabularies of Qwen and o200k have for them, counted with both.
const COUNTED: [(&str, u64, u64); 8] = [
    (
        "The committee met on Tuesday to discuss the proposal. Most members agreed that the plan was sound, but several asked for more time to study the figures before they would vote on it.",
        36,
        36,
    ),
    (
        "Der Ausschuss hat am Dienstag über den Vorschlag beraten. Die meisten Mitglieder hielten den Plan für vernünftig, einige wollten sich die Zahlen aber erst noch genauer ansehen.",
        46,
        34,
    ),
    ("自然语言处理是人工智能的一个重要领域，研究计算机怎样理解和生成人类的语言。", 17, 23),
    ("自然言語処理は人工知能の重要な分野で、計算機が人間の言葉を理解する方法を研究します。", 32, 33),
    (
        "    fn count(&self, items: &[Item]) -> usize { items.iter().filter(|item| item.is_open()).count() }",
        28,
        28,
    ),
    (
        "    def count(self, items: list[Item]) -> int: return sum(1 for item in items if item.is_open() and not item.hidden)",
        32,
        32,
    ),
    (
        "{ 'name': 'main', 'commits': 12, 'private': false, 'owner': { 'login': 'mara', 'id': 48213 }, 'url': 'http://localhost/api/v1/repos/mara/main' }",
        57,
        53,
    ),
    (
        "iVBORw0KGgoAAAANSUhEUgAAAVwAAAD6CAIAAACjV2t9AAAgAElEQVR4nOy9eXwU15U3fKqrqlepW2ptSEJCAgkQYjMYzGKwDcYb",
        70,
        66,
    ),
];

#[test]
fn texts_land_near_what_both_vocabularies_count() {
    for (text, qwen, o200k) in COUNTED {
        let (low, high) = (qwen.min(o200k) * 3 / 4, qwen.max(o200k) * 5 / 4);
        assert!((low..=high).contains(&tokens(text)), "{}, not {qwen} or {o200k}: {text}", tokens(text));
    }
}

#[test]
fn random_letters_cost_more_than_words() {
    let random = "q8ZtXw3LkVb0PdYhR2mJf9sGcTn5aUeQo7WzKxB1vHyM4iDrNpE6jSgFuClA";
    assert!(tokens(random) > 36, "{}", tokens(random));
    assert!(tokens("antidisestablishmentarianism and internationalisation, readable") < 22);
}

#[test]
fn what_the_thresholds_are_about() {
    assert!(tokens("Say hello.") < 20);
    assert!((4_000..5_500).contains(&tokens(&"word ".repeat(4_000))));
    // vocabularies have one token for each of these: an estimate must not fall short of it
    assert!(tokens(&"word ".repeat(20_000)) > 20_480);
}

#[test]
fn every_factor_costs_something() {
    let classes = COMMON..=FOUR;
    for class in classes {
        let all = (COMMON..=TAIL).map(|before| weight_of(before, class));
        assert!(all.min() > Some(0), "{class}");
    }
    assert!((COMMON..=TAIL).all(|before| weight_of(before, TAIL) == 0));
}

#[test]
fn the_rare_letters_are_small_ones() {
    assert!(RARE_LETTERS.iter().all(u8::is_ascii_lowercase));
    assert!(RARE_LETTERS.is_sorted());
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
    for character in [
        'a', 'z', 'Z', '7', ' ', '/', '\u{7f}', '\u{80}', 'é', 'ж', '߿', 'ह', '–', '日', '한', '\u{ffff}',
        '😀',
    ] {
        let mut plain = Tally::new();
        plain.run(character.to_string().as_bytes());
        let mut escaped = Tally::new();
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            escaped.unit(*unit);
        }
        assert_eq!(plain.thousandths, escaped.thousandths, "{character}");
        assert_eq!(plain.before, escaped.before, "{character}");
    }
}

#[test]
fn a_run_stops_where_a_strings_own_bytes_do() {
    for stop in ["\"", "\\", "\n", "\0", "\u{1f}"] {
        for length in 0..5 {
            let text = format!("{}{stop}c", "a".repeat(length));
            assert_eq!(Tally::new().run(text.as_bytes()), length);
        }
    }
}

#[test]
fn an_escape_hides_no_key_of_a_tool() {
    let tokens = |key: &str| {
        let body = format!("{{\"{key} and a long name behind it, word by word\":1}}");
        let mut tally = Tally::new();
        Cursor::new(&body).skip(&mut tally).unwrap();
        tally.tokens()
    };
    assert_eq!(tokens(r"\u0061"), tokens("a"));
}

proptest::proptest! {
    #[test]
    fn two_bytes_at_a_time_count_as_one_by_one(bytes in proptest::collection::vec(0x20_u8.., 0..80), at in 0_usize..90) {
        let mut bytes = bytes;
        if let Some(byte) = bytes.get_mut(at) {
            *byte = b'\n';
        }
        let (mut whole, mut single) = (Tally::new(), Tally::new());
        let length = whole.run(&bytes);
        let passed: usize = bytes.chunks(1).map(|byte| single.run(byte)).take_while(|passed| *passed == 1).sum();
        proptest::prop_assert_eq!(length, passed);
        proptest::prop_assert_eq!((whole.thousandths, whole.before), (single.thousandths, single.before));
    }
}

/// What a run counts, byte by byte.
fn byte_by_byte(bytes: &[u8], mut before: u8) -> (usize, u8, u64) {
    let (mut length, mut sum) = (0, 0);
    for class in bytes.iter().map(|&byte| class_of(byte)).take_while(|&class| class != STOP) {
        sum += u64::from(weight_of(before, class));
        before = class;
        length += 1;
    }
    (length, before, sum)
}

/// Text of every class, mostly ASCII, with what ends a run here and there.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        30 => "[ -!#-\\[\\]-~]{1,60}",
        4 => "[a-z ]{200,3000}",
        3 => "\\PC{1,20}",
        2 => "[äöüéÄαжשप한漢か“—😀\u{7f}]{1,40}",
        1 => "[\"\\\\\n\t\u{1}]",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_run_counts_what_its_bytes_count(text in text(), skipped in 0_usize..4, before in COMMON..=TAIL) {
        let bytes = text.as_bytes().get(skipped..).unwrap_or_default();
        let (length, last, sum) = byte_by_byte(bytes, before);

        let mut tally = Tally { before, ..Tally::new() };
        prop_assert_eq!(tally.run(bytes), length);
        prop_assert_eq!((tally.before, tally.thousandths), (last, sum));

        for (passed, last, sum) in vector::tests::counts::<false>(bytes, before) {
            let (_, wanted_last, wanted) = byte_by_byte(&bytes[..passed], before);
            prop_assert_eq!((last, sum), (wanted_last, wanted));
            prop_assert!(passed == length || passed + vector::BLOCK > bytes.len());
        }
    }
}

/// As the estimate, but one by one.
struct OneByOne(Tally);

impl Meter for OneByOne {
    fn run(&mut self, bytes: &[u8]) -> usize {
        let (length, last, sum) = byte_by_byte(bytes, self.0.before);
        self.0.before = last;
        self.0.thousandths += sum;
        length
    }
    fn unit(&mut self, unit: u16) {
        self.0.unit(unit);
    }
    fn mixed(&mut self, _: &[u8]) -> usize {
        0
    }
    fn bare(&mut self, bytes: &[u8]) {
        self.run(bytes);
    }
    fn mark(&mut self) {
        self.0.mark();
    }
}

/// What stands between the quotes of a JSON string, mostly, with escapes in it.
fn written() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        20 => "[ -!#-\\[\\]-~]{1,20}",
        20 => "(\\\\[nt\"/bfr]){1,3}[ -!#-\\[\\]-~]{0,12}",
        4 => "(\\\\\\\\){1,40}",
        2 => "(\\\\u(00[0-7][0-9a-f]|[0-9a-f]{4})){1,3}",
        2 => "[a-z ]{60,300}",
        3 => "[äöé漢か😀]{1,8}",
        1 => Just("\"".to_owned()),
        1 => "\\\\[ -~\u{1}]",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// However it is cut into vectors, a string is read and counted alike.
    #[test]
    fn a_string_with_escapes_counts_what_its_parts_count(written in written(), indent in 0_usize..40) {
        let body = format!("\"{}{written}\"{:40}", "i".repeat(indent), "");
        let (mut tally, mut slow) = (Tally::new(), OneByOne(Tally::new()));
        let (mut cursor, mut slow_cursor) = (Cursor::new(&body), Cursor::new(&body));
        let (read, wanted) = (cursor.string(&mut tally), slow_cursor.string(&mut slow));
        prop_assert_eq!(format!("{read:?}"), format!("{wanted:?}"));
        if wanted.is_ok() {
            prop_assert_eq!((tally.thousandths, tally.before), (slow.0.thousandths, slow.0.before));
        }
    }

    #[test]
    fn escapes_are_counted_alike_at_every_level(written in written(), before in COMMON..=TAIL) {
        let counted = vector::tests::counts::<true>(written.as_bytes(), before);
        for &(passed, last, sum) in &counted {
            let wanted = escape_by_escape(&written.as_bytes()[..passed], before);
            prop_assert_eq!(Some((last, sum)), wanted, "at {} of {}", passed, written);
            prop_assert_eq!(passed, reach(written.as_bytes()), "{}", written);
        }
        prop_assert!(counted.iter().all(|one| one == &counted[0]));
    }
}

/// What bytes and escapes of one letter count, one after the other; `None` where anything else is among them.
fn escape_by_escape(mut rest: &[u8], mut before: u8) -> Option<(u8, u64)> {
    let mut sum = 0;
    while let [byte, behind @ ..] = rest {
        let class = if *byte == b'\\' { escaped(short_escape(*behind.first()?)?) } else { class_of(*byte) };
        rest = if *byte == b'\\' { &behind[1..] } else { behind };
        if class == STOP {
            return None;
        }
        sum += u64::from(weight_of(before, class));
        before = class;
    }
    Some((before, sum))
}

/// How far vectors go at most: through whole blocks, to what ends a run, is no escape of one letter, or begins one in
/// the last place of a block.
fn reach(bytes: &[u8]) -> usize {
    let whole = bytes.len() / vector::BLOCK * vector::BLOCK;
    let mut at = 0;
    while at < whole {
        let is_last = at % vector::BLOCK == vector::BLOCK - 1;
        at += match bytes[at] {
            b'\\' if is_last || short_escape(bytes[at + 1]).is_none() => return at,
            b'\\' => 2,
            byte if class_of(byte) == STOP => return at,
            _ => 1,
        };
    }
    whole
}

#[test]
fn vectors_rest_where_they_do_not_pay() {
    let mut tally = Tally::new();
    let tried = (0..10_000).filter(|_| {
        let tries = tally.rest == 0;
        assert!(tally.mixed(br"ab\u0041 and more than a block of letters") < vector::BLOCK / 2);
        tries
    });
    assert!((150..200).contains(&tried.count()), "one in 65, and more at first");

    let pays = r"a line of text as long as a block\n".repeat(2);
    for _ in 0..65 {
        tally.mixed(pays.as_bytes());
    }
    let tried = (0..20).filter(|_| tally.mixed(pays.as_bytes()) > 0);
    assert_eq!(tried.count(), 20, "always, once they have paid again");
    assert!(tally.mixed(br"\u0041") == 0 && tally.rest == 1, "and then the next one only is left out");
}
