//! Nothing makes the check panic, and what it accepts another parser reads alike.

use proptest::prelude::*;

use super::{Version, check};
use crate::wire::{HeadEnd, head_end};

/// Fields as another parser sees them.
type Fields = Vec<(String, Vec<u8>)>;

/// Method, target, version and fields as `httparse` reads them; `None` where it does not.
fn elsewhere(head: &[u8]) -> Option<(String, String, u8, Fields)> {
    let mut storage = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut storage);
    let httparse::Status::Complete(length) = request.parse(head).ok()? else { return None };
    assert_eq!(length, head.len(), "the other parser sees the end elsewhere");
    let fields = request.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
    Some((request.method?.to_owned(), request.path?.to_owned(), request.version?, fields))
}

/// Fields by the simplest possible reading of a head that is known to be sound.
fn plainly(head: &[u8]) -> Fields {
    let text: String = head.iter().map(|&byte| char::from(byte)).collect();
    let lines = text.trim_start_matches("\r\n").split("\r\n").skip(1).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line.split_once(':').expect("an accepted line has a colon");
            let value = value.trim_matches([' ', '\t']);
            (name.to_owned(), value.chars().map(|letter| u8::try_from(letter).expect("latin-1")).collect())
        })
        .collect()
}

fn agrees(head: &[u8]) -> Result<(), TestCaseError> {
    let Ok(mine) = check(head) else { return Ok(()) };
    let Some((method, target, version, fields)) = elsewhere(head) else {
        return Err(TestCaseError::fail("accepted here, refused there"));
    };
    prop_assert_eq!((mine.method, mine.target), (method.as_str(), target.as_str()));
    prop_assert_eq!(mine.version == Version::Http11, version == 1);
    prop_assert_eq!(plainly(head), fields);
    prop_assert_eq!(head_end(head, 0), HeadEnd::Complete(head.len()));
    Ok(())
}

/// A sound line or a piece of trouble.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Host: a".to_owned()),
        Just("Content-Length: 5".to_owned()),
        Just("Transfer-Encoding: chunked".to_owned()),
        Just("Connection: close".to_owned()),
        Just("Expect: 100-continue".to_owned()),
        "[!-~]{1,8}:[ \t]?[ -~\t]{0,12}",
        "[A-Za-z-]{1,8}:[ \t]{0,2}[ -~\t]{0,12}",
        "[\\x00-\\xff]{0,6}",
    ]
}

fn request_line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("GET / HTTP/1.1".to_owned()),
        2 => "[A-Z]{1,6} /[!-~]{0,12} HTTP/1\\.[01]",
        1 => "[A-Za-z]{0,4} ?/?[ -~]{0,8} HTTP/[0-2]\\.[0-2]",
    ]
}

fn heads() -> impl Strategy<Value = Vec<u8>> {
    let ends = prop_oneof![12 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r")];
    let lines = proptest::collection::vec((line(), ends), 0..6);
    ("(\r\n){0,3}", request_line(), any::<bool>(), lines).prop_map(|(empty, first, host, lines)| {
        let mut text = format!("{empty}{first}\r\n");
        if host {
            text.push_str("Host: a\r\n");
        }
        for (line, end) in lines {
            text.push_str(&line);
            text.push_str(end);
        }
        text.push_str("\r\n");
        // Latin-1, so that bytes beyond ASCII stand alone.
        text.chars().filter_map(|letter| u8::try_from(letter).ok()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_survived(head in proptest::collection::vec(any::<u8>(), 0..400)) {
        agrees(&head)?;
    }

    #[test]
    fn another_parser_reads_an_accepted_head_alike(head in heads()) {
        agrees(&head)?;
    }

    #[test]
    fn one_changed_byte_never_makes_two_readings(at in 0..120_usize, byte in any::<u8>(), insert in any::<bool>()) {
        let mut head = b"POST /v1/chat/completions?a=%41 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 12\r\n\
            Connection: close\r\nX-Mine: a b\r\n\r\n".to_vec();
        let at = at % head.len();
        if insert { head.insert(at, byte) } else { head[at] = byte }
        agrees(&head)?;
    }
}

#[test]
fn the_generator_makes_heads_that_are_accepted() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let made = (0..500).map(|_| heads().new_tree(&mut runner).expect("a head").current());
    let accepted = made.filter(|head| check(head).is_ok()).count();
    assert!(accepted > 50, "only {accepted} of 500 heads are accepted: the properties prove little");
}
