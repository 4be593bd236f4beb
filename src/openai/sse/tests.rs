//! Streams, whole and in pieces.

use proptest::prelude::*;

use super::{EVENT_LIMIT, Scanner};
use crate::openai::Usage;

const fn usage(prompt: u64, completion: u64) -> Usage {
    Usage { prompt: Some(prompt), completion: Some(completion) }
}

/// What is known of a stream at its end: usage, done, and where its last whole event ends.
type Known = (Option<Usage>, bool, usize);

/// Feeds the pieces that the cuts make.
fn in_pieces(stream: &[u8], cuts: impl IntoIterator<Item = usize>) -> Known {
    let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
    cuts.extend([0, stream.len()]);
    cuts.sort_unstable();
    let (mut scanner, mut end) = (Scanner::default(), 0);
    for cut in cuts.windows(2) {
        if let Some(length) = scanner.feed(&stream[cut[0]..cut[1]]) {
            end = cut[0] + length;
        }
    }
    assert_eq!(scanner.pending(), stream.len() - end, "pending bytes");
    (scanner.usage(), scanner.is_done(), end)
}

/// Whole, in two at every place, and byte by byte: always this.
fn always(stream: &[u8], wanted: Known) {
    let shown = String::from_utf8_lossy(stream);
    assert_eq!(in_pieces(stream, []), wanted, "whole: {shown:?}");
    assert_eq!(in_pieces(stream, 0..stream.len()), wanted, "byte by byte: {shown:?}");
    for cut in 0..stream.len() {
        assert_eq!(in_pieces(stream, [cut]), wanted, "cut at {cut}: {shown:?}");
    }
}

const STREAMS: [(&str, Option<Usage>); 4] = [
    (include_str!("../../../tests/fixtures/vllm/chat_stream.sse"), None),
    (include_str!("../../../tests/fixtures/vllm/chat_stream_usage.sse"), Some(usage(21, 4))),
    (include_str!("../../../tests/fixtures/vllm/messages_stream.sse"), Some(usage(9, 3))),
    (include_str!("../../../tests/fixtures/vllm/responses_stream.sse"), Some(usage(30, 4))),
];

#[test]
fn vllm_streams() {
    for (stream, usage) in STREAMS {
        always(stream.as_bytes(), (usage, true, stream.len()));
        let crlf = stream.replace('\n', "\r\n");
        always(crlf.as_bytes(), (usage, true, crlf.len()));
    }
}

#[test]
fn a_stream_that_breaks_is_not_done() {
    for (stream, _) in STREAMS {
        let broken = &stream.as_bytes()[..stream.len() - 1];
        let last_whole = broken.windows(2).rposition(|pair| pair == b"\n\n").expect("an event") + 2;
        let (_, done, end) = in_pieces(broken, []);
        assert_eq!((done, end), (false, last_whole));
    }
}

#[test]
fn ends_of_events() {
    let none = None;
    for (stream, end) in [
        ("", 0),
        ("data: a", 0),
        ("data: a\n", 0),
        ("data: a\n\n", 9),
        ("data: a\r\n\r\n", 11),
        ("data: a\n\r\n", 10),
        ("data: a\r\n\n", 10),
        ("data: a\r\n\r", 0),
        ("data: a\n\n\n", 10),
        ("data: a\n\ndata: b", 9),
        ("data: a\n\ndata: b\n", 9),
        ("data: a\r\rdata: b\r\r", 0),
        ("data: a\n\r\r\n\n", 12),
        ("\n", 1),
        (": keep-alive\n\n", 14),
        ("event: ping\ndata: {}\n\n", 22),
    ] {
        always(stream.as_bytes(), (none, false, end));
    }
}

#[test]
fn ends_of_streams() {
    for (event, done) in [
        ("data: [DONE]\n\n", true),
        ("data:[DONE]\r\n\r\n", true),
        ("data: [DONE] \n\n", true),
        ("data: [DONE]\n", false),
        ("data: \"[DONE]\"\n\n", false),
        ("data: {\"content\":\"data: [DONE]\"}\n\n", false),
        ("data: [DONE]x\n\n", false),
        ("event: message_stop\ndata: {}\n\n", true),
        ("event:response.incomplete\ndata: {}\n\n", true),
        ("event: response.failed\ndata: {}\n\n", true),
        ("event: message_delta\ndata: {\"text\":\"event: message_stop\"}\n\n", false),
        (": event: message_stop\n\n", false),
    ] {
        assert_eq!(in_pieces(event.as_bytes(), []).1, done, "{event:?}");
        assert_eq!(in_pieces(event.as_bytes(), 0..event.len()).1, done, "{event:?}");
    }
}

#[test]
fn usage_in_every_event_counts_up() {
    let event = |completion: u64| {
        format!(
            "data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":{completion}}}}}\n\n"
        )
    };
    let stream = [event(1), event(2), "data: {\"usage\":null}\n\n".to_owned(), event(3)].concat();
    always(stream.as_bytes(), (Some(usage(5, 3)), false, stream.len()));
}

/// A usage event of exactly so many bytes.
fn sized(size: usize) -> Vec<u8> {
    let (head, tail) =
        (r#"data: {"text":""#, "\",\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n");
    let text = "x".repeat(size - head.len() - tail.len());
    [head, &text, tail].concat().into_bytes()
}

#[test]
fn an_event_over_the_limit_passes_unread_and_the_next_is_read() {
    for cuts in
        [vec![], vec![10], vec![EVENT_LIMIT - 1, EVENT_LIMIT], (0..2_000).map(|n| n * 1_000).collect()]
    {
        let exact = sized(EVENT_LIMIT);
        assert_eq!(in_pieces(&exact, cuts.clone()), (Some(usage(1, 2)), false, exact.len()));
        let mut over = sized(EVENT_LIMIT + 1);
        assert_eq!(in_pieces(&over, cuts.clone()), (None, false, over.len()));
        over.extend_from_slice(
            b"data: {\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":8}}\n\ndata: [DONE]\n\n",
        );
        assert_eq!(in_pieces(&over, cuts), (Some(usage(7, 8)), true, over.len()));
    }
}

#[test]
fn memory_is_bounded() {
    let mut scanner = Scanner::default();
    for _ in 0..300 {
        scanner.feed(&[b'x'; 16 * 1024]);
        assert!(scanner.cut.len() <= EVENT_LIMIT && scanner.cut.capacity() <= 2 * EVENT_LIMIT);
    }
    assert_eq!(scanner.pending(), 300 * 16 * 1024);
    assert!(scanner.cut.is_empty());
}

fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just("\n"),
        2 => Just("\r\n"),
        1 => Just("\r"),
        2 => Just("\n\n"),
        2 => Just("data: "),
        1 => Just("event: message_stop"),
        1 => Just("[DONE]"),
        2 => Just("\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}"),
        1 => Just("{\"usage\":{\"output_tokens\":6}}"),
        1 => Just("x"),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat().into_bytes())
}

/// Where the last event of a stream ends, by looking at the whole of it.
fn last_end(stream: &[u8]) -> usize {
    let ends = (0..=stream.len()).rev();
    let is_end = |end: &usize| {
        let before = &stream[..*end];
        let Some(line) = before.strip_suffix(b"\n") else { return false };
        let line = line.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
        matches!(line, b"" | b"\r")
    };
    ends.into_iter().find(is_end).unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_split_gives_the_same_answer(stream in soup(), cuts in proptest::collection::vec(0..200_usize, 0..20)) {
        let whole = in_pieces(&stream, []);
        prop_assert_eq!(in_pieces(&stream, cuts), whole);
        prop_assert_eq!(whole.2, last_end(&stream));
    }

    #[test]
    fn any_bytes_are_survived(stream in proptest::collection::vec(any::<u8>(), 0..300)) {
        in_pieces(&stream, [7, 50, 51, 120]);
    }
}
