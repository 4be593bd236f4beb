//! The finder gives one answer, however the bytes come.

use proptest::prelude::*;

use super::{HeadEnd, NO_METHOD, head_end};
use crate::wire::{HEAD_LIMIT, HeadFault};

const TOO_LARGE: HeadEnd = HeadEnd::Fault(HeadFault::TOO_LARGE);
const BARE_LF: HeadEnd = HeadEnd::Fault(HeadFault::BARE_LF);
const NO_HEAD: HeadEnd = HeadEnd::Fault(NO_METHOD);

/// Feeds `text` in pieces that end at `cuts`, then whole; the first answer that is not "incomplete".
fn in_pieces(text: &[u8], mut cuts: Vec<usize>) -> HeadEnd {
    cuts.push(text.len());
    cuts.sort_unstable();
    let mut scanned = 0;
    for cut in cuts.into_iter().filter(|&cut| cut <= text.len()) {
        match head_end(&text[..cut], scanned) {
            HeadEnd::Incomplete => scanned = cut,
            answer => return answer,
        }
    }
    HeadEnd::Incomplete
}

#[test]
fn answers() {
    let rows: [(&[u8], HeadEnd); 25] = [
        (b"", HeadEnd::Incomplete),
        (b"G", HeadEnd::Incomplete),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", HeadEnd::Incomplete),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r", HeadEnd::Incomplete),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", HeadEnd::Complete(27)),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\n\n", HeadEnd::Complete(27)),
        (b"GET / HTTP/1.1\r\n\r\n\r\n\r\n", HeadEnd::Complete(18)),
        (b"\r", HeadEnd::Incomplete),
        (b"\r\n", HeadEnd::Incomplete),
        (b"\r\n\r\n", HeadEnd::Incomplete),
        (b"\r\nGET / HTTP/1.1\r\n\r\n", HeadEnd::Complete(20)),
        (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", HeadEnd::Complete(22)),
        (b"\r\n\r\n\r", NO_HEAD),
        (b"\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", NO_HEAD),
        (b"\nGET / HTTP/1.1\r\n\r\n", NO_HEAD),
        (b"\rGET", NO_HEAD),
        (b"GET / HTTP/1.1\n", BARE_LF),
        (b"GET / HTTP/1.1\r\nHost: a\n", BARE_LF),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", BARE_LF),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n", BARE_LF),
        (b"\x16\x03\x01\x02\x00", NO_HEAD),
        (b"get /", NO_HEAD),
        (b" GET /", NO_HEAD),
        (b"\0", NO_HEAD),
        (b"\xff", NO_HEAD),
    ];
    for (text, wanted) in rows {
        assert_eq!(head_end(text, 0), wanted, "{:?} at once", text.escape_ascii().to_string());
        let bytewise = in_pieces(text, (1..text.len()).collect());
        assert_eq!(bytewise, wanted, "{:?} byte by byte", text.escape_ascii().to_string());
    }
}

/// A head of exactly so many bytes.
fn sized(size: usize) -> Vec<u8> {
    let mut head = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
    head.resize(size - 4, b'x');
    head.extend_from_slice(b"\r\n\r\n");
    head
}

#[test]
fn the_limit_is_exact() {
    assert_eq!(head_end(&sized(HEAD_LIMIT), 0), HeadEnd::Complete(HEAD_LIMIT));
    let over = sized(HEAD_LIMIT + 1);
    assert_eq!(head_end(&over, 0), TOO_LARGE);
    assert_eq!(head_end(&over[..HEAD_LIMIT - 1], 0), HeadEnd::Incomplete);
    assert_eq!(head_end(&over[..HEAD_LIMIT], HEAD_LIMIT - 1), TOO_LARGE);
}

#[test]
fn empty_lines_count_towards_the_limit() {
    let mut head = b"\r\n".to_vec();
    head.extend(sized(HEAD_LIMIT - 2));
    assert_eq!(head_end(&head, 0), HeadEnd::Complete(HEAD_LIMIT));
    head.insert(20, b'x');
    assert_eq!(head_end(&head, 0), TOO_LARGE);
}

#[test]
fn what_was_scanned_is_not_looked_at_again() {
    // Not a legal use (the first call would have said so): it shows that the old bytes are skipped.
    assert_eq!(head_end(b"GET / HTTP/1.1\nHost: a", 15), HeadEnd::Incomplete);
}

/// Bytes that are rich in what the finder cares for.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => Just(b"\r\n".to_vec()),
        1 => Just(b"\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        4 => Just(b"GET / HTTP/1.1".to_vec()),
        4 => Just(b"Host: a".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
        1 => (0..9000_usize).prop_map(|size| vec![b'x'; size]),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_answer(
        text in soup(),
        cuts in proptest::collection::vec(0..40_usize, 0..12),
        far in proptest::collection::vec(0..40_000_usize, 0..8),
    ) {
        let whole = head_end(&text, 0);
        prop_assert_eq!(in_pieces(&text, [cuts, far].concat()), whole);
    }

    #[test]
    fn a_complete_head_ends_in_an_empty_line(text in soup()) {
        if let HeadEnd::Complete(len) = head_end(&text, 0) {
            prop_assert!(len <= HEAD_LIMIT);
            prop_assert!(text[..len].ends_with(b"\r\n\r\n"));
        }
    }
}
