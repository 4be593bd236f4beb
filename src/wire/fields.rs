//! Looking at the fields of a head that [`super::check`] has accepted.

use memchr::memchr;

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

/// The same request without a body, for a server that shall read none: without the fields that frame a
/// body, those of this connection's hop, and those that `Connection` nominates. One `Connection` field
/// says what all of the client's together said.
pub fn without_framing(raw: &[u8], keep_alive: bool) -> Vec<u8> {
    let nominated = nominated(raw);
    let mut kept = Vec::with_capacity(raw.len() + CLOSE.len());
    for (index, line) in lines(raw).enumerate() {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let dropped = is_of(name, &OF_THIS_HOP) || is_of(name, &nominated);
        if index == 0 || !dropped {
            kept.extend_from_slice(line);
            kept.extend_from_slice(b"\r\n");
        }
    }
    kept.extend_from_slice(if keep_alive { KEEP } else { CLOSE });
    kept
}

/// What the client's `Connection` fields name, but for what no client may take away.
fn nominated(raw: &[u8]) -> Vec<&[u8]> {
    let connection = fields(raw).filter(|(name, _)| name.eq_ignore_ascii_case(b"connection"));
    let names = connection.flat_map(|(_, value)| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    names.filter(|name| !name.is_empty() && !is_of(name, &NEVER_NOMINATED)).collect()
}

fn is_of<N: AsRef<[u8]>>(name: &[u8], names: &[N]) -> bool {
    names.iter().any(|other| name.eq_ignore_ascii_case(other.as_ref()))
}

/// The lines before the empty one; empty lines before the request line are passed over.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        rest = after;
    }
    std::iter::from_fn(move || {
        // No LF stands alone in a head that was accepted.
        let (line, after) = rest.split_at(memchr(b'\n', rest)?);
        rest = after.get(1..).unwrap_or_default();
        line.strip_suffix(b"\r").filter(|line| !line.is_empty())
    })
}

const OF_THIS_HOP: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Without these a request would not be the same one.
const NEVER_NOMINATED: [&str; 3] = ["content-type", "host", "x-request-id"];
const KEEP: &[u8] = b"Connection: keep-alive\r\n\r\n";
const CLOSE: &[u8] = b"Connection: close\r\n\r\n";

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
        let left = without_framing(HEAD, true);
        assert_eq!(left, b"POST /x?y HTTP/1.1\r\nHost: h\r\nX-A:  b c \r\nConnection: keep-alive\r\n\r\n");
    }

    #[test]
    fn connection_fields_are_one_and_what_they_nominate_is_gone() {
        let head = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Hop\r\nx-hop: 1\r\n\
            Connection: close, HOST\r\nX-Kept: 2\r\n\r\n";
        let left = without_framing(head, false);
        assert_eq!(left, b"GET / HTTP/1.1\r\nHost: h\r\nX-Kept: 2\r\nConnection: close\r\n\r\n");
    }
}
