//! Takes out of a stream what `stream_options.include_usage` has added to it, for a client that did not ask.
//!
//! That is the last chunk, which has usage and no choices, and in every other chunk the member
//! `"usage":null`. (OpenAI's API reference, "stream_options".) Everything else stays byte for byte.

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The member as servers write it.
const NULL_USAGE: &[u8] = b"\"usage\":null";

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

/// The event without a member `"usage":null` of its outermost object. Quotes within a string are escaped,
/// so that these bytes stand nowhere else than at a member.
fn without_null(event: &[u8]) -> Vec<u8> {
    let mut found = memmem::find_iter(event, NULL_USAGE);
    let Some(start) = found.find(|at| depth(event.get(..*at).unwrap_or_default()) == 1) else {
        return event.to_vec();
    };
    let (mut start, mut end) = (start, start + NULL_USAGE.len());
    if event.get(end) == Some(&b',') {
        end += 1;
    } else if event.get(..start).is_some_and(|before| before.ends_with(b",")) {
        start -= 1;
    }
    let parts = [event.get(..start), event.get(end..)];
    parts.into_iter().flatten().flatten().copied().collect()
}

/// How many objects and arrays are open at the end of a piece of JSON.
fn depth(json: &[u8]) -> usize {
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
    depth
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
        ] {
            assert_eq!(cleaned(told), wanted);
        }
    }
}
