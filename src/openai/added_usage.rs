//! Takes out of a stream what `stream_options.include_usage` has added to it, for a client that did not ask.
//!
//! That is the last chunk, which has usage and no choices, and in every other chunk the member
//! `"usage":null`. (OpenAI's API reference, "stream_options".) Everything else stays byte for byte.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The member's name as servers write it.
const USAGE: &[u8] = b"\"usage\"";

/// Whole events without what was added.
pub fn without(events: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(events.len());
    let mut rest = events;
    while !rest.is_empty() {
        let (event, after) = rest.split_at(event_end(rest));
        rest = after;
        if !is_usage_chunk(event) {
            out.extend_from_slice(&without_null(event));
        }
    }
    out
}

/// Bytes up to and with the first empty line.
fn event_end(events: &[u8]) -> usize {
    let (lf, crlf) = (memmem::find(events, b"\n\n"), memmem::find(events, b"\n\r\n"));
    let end = [lf.map(|at| at + 2), crlf.map(|at| at + 3)].into_iter().flatten().min();
    end.unwrap_or(events.len())
}

/// The chunk that has no choices and an object for its usage.
fn is_usage_chunk(event: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Chunk<'a> {
        #[serde(borrow)]
        choices: Vec<&'a RawValue>,
        #[serde(borrow)]
        usage: &'a RawValue,
    }
    let chunk = data(event).and_then(|data| serde_json::from_slice::<Chunk<'_>>(data).ok());
    chunk.is_some_and(|chunk| chunk.choices.is_empty() && chunk.usage.get().starts_with('{'))
}

/// The event's data, where it is one line.
fn data(event: &[u8]) -> Option<&[u8]> {
    let mut lines = event.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data:"));
    lines.next().filter(|_| lines.next().is_none())
}

/// The event without a member `"usage":null` of its outermost object.
fn without_null(event: &[u8]) -> Vec<u8> {
    let Some((before, after)) = around_null(event) else { return event.to_vec() };
    let (before, after) = match after_blanks(after).strip_prefix(b",") {
        Some(rest) => (before, after_blanks(rest)),
        None => (before_blanks(before).strip_suffix(b",").unwrap_or(before), after),
    };
    [before, after].concat()
}

/// What stands before and behind that member, however it is spaced: Python's servers put a blank behind a colon.
fn around_null(event: &[u8]) -> Option<(&[u8], &[u8])> {
    memmem::find_iter(event, USAGE).find_map(|at| {
        let (before, member) = event.split_at(at);
        let value = after_blanks(member.strip_prefix(USAGE)?).strip_prefix(b":")?;
        let after = after_blanks(value).strip_prefix(b"null")?;
        is_outermost(before).then_some((before, after))
    })
}

/// Without the blanks at its beginning. Line ends are no blanks: behind each of them stands a field's name.
fn after_blanks(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

fn before_blanks(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// Whether what follows this piece of JSON stands in its outermost object, and not in a string.
fn is_outermost(json: &[u8]) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in json {
        match (quoted, escaped, byte) {
            (true, true, _) => escaped = false,
            (true, false, b'\\') => escaped = true,
            (_, _, b'"') => quoted = !quoted,
            (false, _, b'{' | b'[') => depth += 1,
            (false, _, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    depth == 1 && !quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(events: &str) -> String {
        String::from_utf8(without(events.as_bytes())).unwrap()
    }

    #[test]
    fn the_chunk_that_was_added_goes_and_the_rest_stays() {
        let told = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n\
                    data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n\
                    data: [DONE]\n\n";
        let wanted = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n";
        assert_eq!(cleaned(told), wanted);
        let lines = |text: &str| text.replace('\n', "\r\n");
        assert_eq!(cleaned(&lines(told)), lines(wanted));
    }

    #[test]
    fn what_was_not_added_stays() {
        for event in [
            ": a comment\n\n",
            "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n",
            "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1}}\n\n",
            "data: {\"choices\":[{\"usage\":null}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"say \\\"usage\\\":null\"}}]}\n\n",
            "data: not json\n\n",
            "event: x\ndata: {\"a\":\ndata: 1}\n\n",
            "data: {\"choices\":[],\"usage\":nothing",
        ] {
            assert_eq!(cleaned(event), event);
        }
    }

    #[test]
    fn the_member_goes_with_its_comma_wherever_it_stands() {
        for (told, wanted) in [
            ("data: {\"usage\":null,\"a\":1}\n\n", "data: {\"a\":1}\n\n"),
            ("data: {\"a\":1,\"usage\":null,\"b\":2}\n\n", "data: {\"a\":1,\"b\":2}\n\n"),
            ("data: {\"usage\":null}\n\n", "data: {}\n\n"),
            ("data: {\"a\": 1, \"usage\": null}\n\n", "data: {\"a\": 1}\n\n"),
            ("data: {\"usage\" : null , \"a\": 1}\n\n", "data: {\"a\": 1}\n\n"),
            (
                "data: {\"a\":1,\ndata: \"usage\": null,\ndata: \"b\":2}\n\n",
                "data: {\"a\":1,\ndata: \ndata: \"b\":2}\n\n",
            ),
        ] {
            assert_eq!(cleaned(told), wanted);
        }
    }
}
