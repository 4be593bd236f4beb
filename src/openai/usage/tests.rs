//! Usage of whole answers, in vLLM's shapes and in awkward ones.

use proptest::prelude::*;

use super::{TAIL, Tail, Usage, of_answer, of_json};

const fn usage(prompt: u64, completion: u64) -> Usage {
    Usage { prompt: Some(prompt), completion: Some(completion) }
}

fn in_pieces(body: &[u8], size: usize) -> Option<Usage> {
    let mut tail = Tail::default();
    body.chunks(size).for_each(|piece| tail.push(piece));
    tail.usage()
}

#[test]
fn vllm_shapes() {
    let rows: [(&str, Option<Usage>); 6] = [
        (include_str!("../../../tests/fixtures/vllm/chat.json"), Some(usage(21, 17))),
        (include_str!("../../../tests/fixtures/vllm/completions.json"), Some(usage(6, 1))),
        (include_str!("../../../tests/fixtures/vllm/messages.json"), Some(usage(9, 3))),
        (include_str!("../../../tests/fixtures/vllm/responses.json"), Some(usage(30, 4))),
        (include_str!("../../../tests/fixtures/vllm/embeddings.json"), Some(usage(5, 0))),
        (include_str!("../../../tests/fixtures/vllm/error.json"), None),
    ];
    for (body, wanted) in rows {
        assert_eq!(of_answer(body.as_bytes()), wanted, "{body}");
        for size in [1, 7, 100] {
            assert_eq!(in_pieces(body.as_bytes(), size), wanted, "in pieces of {size}: {body}");
        }
    }
}

#[test]
fn awkward_answers() {
    for (body, wanted) in [
        ("", None),
        ("null", None),
        (r#"{"usage":null}"#, None),
        (r#"{"usage":{}}"#, None),
        (r#"{"usage":[1]}"#, None),
        (r#"{"usage":7}"#, None),
        (r#"{"Usage":{"prompt_tokens":1}}"#, None),
        (r#"{"usage":{"prompt_tokens":"1"}}"#, None),
        (r#"{"usage":{"prompt_tokens":-1}}"#, None),
        (r#"{"usage":{"prompt_tokens":1.5}}"#, None),
        (r#"{"usage":{"prompt_tokens":1"#, None),
        (r#"{"usage":{"prompt_tokens":1}}"#, Some(Usage { prompt: Some(1), completion: None })),
        (r#"{"usage":{"output_tokens":2}}"#, Some(Usage { prompt: None, completion: Some(2) })),
        (" { \"usage\"\r\n:\t{ \"completion_tokens\" : 2 , \"prompt_tokens\" : 1 } } ", Some(usage(1, 2))),
        (r#"{"usage":{"prompt_tokens":1,"completion_tokens":2},"usage_type":"usage"}"#, Some(usage(1, 2))),
        (r#"{"usage":{"prompt_tokens":1,"completion_tokens":2},"later":{"usage":null}}"#, Some(usage(1, 2))),
        (
            r#"{"usage":{"prompt_tokens":1,"completion_tokens":2},"text":"\"usage\":{\"prompt_tokens\":9}"}"#,
            Some(usage(1, 2)),
        ),
        (
            r#"{"usage":{"prompt_tokens":1,"completion_tokens":2},"say \"usage":{"prompt_tokens":9}}"#,
            Some(usage(1, 2)),
        ),
        (r#"cut off"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#, Some(usage(1, 2))),
        (
            r#"{"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":0}}"#,
            Some(usage(u64::MAX, 0)),
        ),
    ] {
        assert_eq!(of_answer(body.as_bytes()), wanted, "{body}");
    }
}

#[test]
fn only_the_end_is_looked_at() {
    let report = r#""usage":{"prompt_tokens":1,"completion_tokens":2}"#;
    let with_after = |after: usize| format!("{{{report}{}", " ".repeat(after));
    let last = TAIL - report.len();
    assert_eq!(of_answer(with_after(last).as_bytes()), Some(usage(1, 2)));
    assert_eq!(of_answer(with_after(last + 1).as_bytes()), None);
    for size in [1000, TAIL, 3 * TAIL] {
        assert_eq!(in_pieces(with_after(last).as_bytes(), size), Some(usage(1, 2)), "{size}");
        assert_eq!(in_pieces(with_after(last + 1).as_bytes(), size), None, "{size}");
    }
}

#[test]
fn the_tail_stays_small() {
    let mut tail = Tail::default();
    for _ in 0..100 {
        tail.push(&vec![b'x'; 10_000]);
        tail.push(&vec![b'x'; 3 * TAIL]);
        assert!(tail.bytes.len() <= 2 * TAIL);
    }
}

#[test]
fn later_numbers_take_the_place_of_earlier_ones() {
    let start = Usage { prompt: Some(9), completion: Some(0) };
    assert_eq!(start.then(Usage { prompt: None, completion: Some(3) }), usage(9, 3));
    assert_eq!(start.then(Usage::default()), start);
}

#[test]
fn hostile_nesting_ends_soon() {
    let deep = "{\"usage\":".repeat(100_000);
    assert_eq!(of_json(deep.as_bytes()), None);
}

proptest! {
    #[test]
    fn any_split_gives_the_same_usage(
        pieces in proptest::collection::vec((0..40_000_usize, any::<bool>(), any::<u16>()), 0..12),
        cuts in proptest::collection::vec(0..300_000_usize, 0..12),
    ) {
        let mut body = Vec::new();
        for (gap, report, tokens) in pieces {
            body.resize(body.len() + gap, b' ');
            if report {
                body.extend_from_slice(format!("\"usage\":{{\"prompt_tokens\":{tokens}}},").as_bytes());
            }
        }
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let mut tail = Tail::default();
        cuts.windows(2).for_each(|cut| tail.push(&body[cut[0]..cut[1]]));
        prop_assert_eq!(tail.usage(), of_answer(&body));
    }

    #[test]
    fn any_bytes_are_survived(body in "([{}\",:\\\\ ]|\"usage\"|\"prompt_tokens\":|[0-9]){0,60}") {
        of_answer(body.as_bytes());
    }
}
