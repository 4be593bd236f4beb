//! Looking at the fields of a head that [`super::check`] has accepted.

use memchr::memmem;

/// The fields of a head in order: name as sent, value without the white space around it.
pub fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(head).skip(1).filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        Some((name, value.get(1..).unwrap_or_default().trim_ascii()))
    })
}

/// The first field of this name, in any case of letters.
pub fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    fields(head).find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
}

/// The same head without the fields that frame a body or speak of this connection's hop: what is
/// left is a request without a body.
pub fn without_framing(head: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(head.len());
    for (index, line) in lines(head).enumerate() {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        if index == 0 || !FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing.as_bytes())) {
            kept.extend_from_slice(line);
            kept.extend_from_slice(b"\r\n");
        }
    }
    kept.extend_from_slice(b"\r\n");
    kept
}

/// The lines before the empty one; empty lines before the request line are passed over.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        rest = after;
    }
    std::iter::from_fn(move || {
        let end = memmem::find(rest, b"\r\n")?;
        let (line, after) = rest.split_at(end);
        rest = after.get(2..).unwrap_or_default();
        (!line.is_empty()).then_some(line)
    })
}

const FRAMING: [&str; 7] =
    ["content-length", "transfer-encoding", "expect", "upgrade", "http2-settings", "te", "trailer"];

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"\r\nPOST /x?y HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX-A:  b c \r\nEXPECT: 100-continue\r\n\r\n";

    #[test]
    fn fields_are_found_in_any_case_and_trimmed() {
        assert_eq!(field(HEAD, "x-a"), Some(&b"b c"[..]));
        assert_eq!(field(HEAD, "content-length"), Some(&b"3"[..]));
        assert_eq!(field(HEAD, "post /x?y http/1.1"), None, "the request line is no field");
        assert_eq!(fields(HEAD).count(), 4);
    }

    #[test]
    fn what_is_left_frames_no_body() {
        let left = without_framing(HEAD);
        assert_eq!(left, b"POST /x?y HTTP/1.1\r\nHost: h\r\nX-A:  b c \r\n\r\n");
    }
}
