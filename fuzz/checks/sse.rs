//! The reader of streams and of an answer's usage: any pieces give the same, and where an event is plain JSON
//! `serde_json` finds the same numbers in it.

use serde_json::Value;
use sluice::openai::usage::{self, TAIL, Tail};
use sluice::openai::{Scanner, Usage};

use super::pieces;

/// What is known of a stream: usage, done, and where its last whole event ends.
type Known = (Option<Usage>, bool, usize);

/// Checks these bytes as a stream and as a plain answer.
pub fn check(bytes: &[u8]) {
    let whole = scanned(&[bytes]);
    for pieces in pieces::ways(bytes) {
        assert_eq!(scanned(&pieces), whole, "in {} pieces", pieces.len());
    }
    let events = events(bytes);
    assert_eq!(whole.2, events.concat().len(), "where the last event ends");
    assert_eq!(whole.1, events.iter().any(|event| is_last(event)), "whether it is over");
    if let Some(wanted) = events.iter().map(|event| told(event)).collect::<Option<Vec<_>>>() {
        // A later number takes the place of an earlier one, each for itself.
        let wanted = wanted.into_iter().flatten().reduce(|known, later| Usage {
            prompt: later.prompt.or(known.prompt),
            completion: later.completion.or(known.completion),
        });
        assert_eq!(whole.0, wanted, "usage");
    }
    as_an_answer(bytes);
}

fn scanned(pieces: &[&[u8]]) -> Known {
    let (mut scanner, mut seen, mut end) = (Scanner::default(), 0, 0);
    for piece in pieces {
        if let Some(length) = scanner.feed(piece) {
            assert!(length <= piece.len());
            end = seen + length;
        }
        seen += piece.len();
        assert_eq!(scanner.pending(), seen - end, "bytes since the last whole event");
    }
    (scanner.usage(), scanner.is_done(), end)
}

/// The whole events of a stream, their empty lines included.
fn events(stream: &[u8]) -> Vec<&[u8]> {
    let mut events = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in stream.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            events.push(&stream[start..at]);
            start = at;
        }
    }
    events
}

/// The lines of an event, without their ends.
fn lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    event.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn is_last(event: &[u8]) -> bool {
    lines(event).any(|line| {
        let after = |name: &[u8]| line.strip_prefix(name).map(<[u8]>::trim_ascii);
        let names: [&[u8]; 4] =
            [b"message_stop", b"response.completed", b"response.failed", b"response.incomplete"];
        after(b"data:") == Some(b"[DONE]") || after(b"event:").is_some_and(|name| names.contains(&name))
    })
}

/// What a whole event says was used; the outer `None` where that cannot be said from outside: several lines of
/// data, no JSON, an escape (a key may be spelled with it), more than the last few members of the name.
fn told(event: &[u8]) -> Option<Option<Usage>> {
    if event.windows(7).filter(|text| text == b"\"usage\"").count() == 0 {
        return Some(None);
    }
    let mut data = lines(event).filter(|line| !line.is_empty());
    let (Some(line), None) = (data.next(), data.next()) else { return None };
    let json = line.strip_prefix(b"data:")?;
    if json.contains(&b'\\') || json.windows(7).filter(|text| text == b"\"usage\"").count() > 16 {
        return None;
    }
    let document: Value = serde_json::from_slice(json).ok()?;
    // `Value` keeps the last of two members of one name; the reader looks at each as it stands there.
    once(json, &document)?;
    let mut found = Vec::new();
    members(&document, &mut found);
    Some(found.into_iter().rev().find_map(numbers))
}

/// Nothing where a key stands twice: then the document has fewer members of the name than its text.
fn once(json: &[u8], document: &Value) -> Option<()> {
    let written = |value: &Value| serde_json::to_vec(value).unwrap_or_default();
    let colons = |text: &[u8]| text.iter().filter(|byte| **byte == b':').count();
    (colons(json) == colons(&written(document))).then_some(())
}

/// All members of the name, in the order in which they stand.
fn members<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| members(element, found)),
        Value::Object(object) => {
            for (key, member) in object {
                if key == "usage" {
                    found.push(member);
                }
                members(member, found);
            }
        }
        _ => {}
    }
}

fn numbers(value: &Value) -> Option<Usage> {
    let object = value.as_object()?;
    let number = |names: [&str; 2]| names.into_iter().find_map(|name| object.get(name)?.as_u64());
    let prompt = number(["prompt_tokens", "input_tokens"]);
    let completion = number(["completion_tokens", "output_tokens"]);
    (prompt.is_some() || completion.is_some()).then_some(Usage { prompt, completion })
}

/// A plain answer, in pieces.
fn as_an_answer(bytes: &[u8]) {
    for pieces in pieces::ways(bytes) {
        assert_eq!(tail(&pieces), usage::of_answer(bytes), "an answer in {} pieces", pieces.len());
    }
    // The long ones are slow: an input in eight is tried as one.
    let seed = pieces::seed(bytes);
    if seed.is_multiple_of(8) {
        as_a_long_answer(bytes, usize::try_from(seed / 8 % (bytes.len() as u64 + 1)).unwrap_or(0));
    }
}

/// An answer of which so many bytes at its beginning do not count.
fn as_a_long_answer(bytes: &[u8], lost: usize) {
    let padding = vec![b' '; TAIL.saturating_sub(bytes.len()) + lost];
    let long = [bytes, &padding].concat();
    let kept = bytes.get(bytes.len().min(lost)..).unwrap_or_default();
    assert_eq!(tail(&[bytes, &padding]), usage::of_answer(&long), "a long answer in two pieces");
    if bytes.len() <= TAIL {
        assert_eq!(usage::of_answer(&long), usage::of_answer(kept), "what is lost does not count");
    }
    let twice: Vec<&[u8]> = long.chunks(TAIL / 2 + 1 + lost).chain([bytes]).collect();
    assert_eq!(tail(&twice), usage::of_answer(&[long.as_slice(), bytes].concat()), "in large pieces");
}

fn tail(pieces: &[&[u8]]) -> Option<Usage> {
    let mut tail = Tail::default();
    pieces.iter().for_each(|piece| tail.push(piece));
    tail.usage()
}
