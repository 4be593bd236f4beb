//! Request heads read and answer heads written, bytes to values and back. Strict enough for a simulated server.

use std::fmt::Write as _;
use std::io;

/// A head, or a line of chunked framing, may be this long.
pub(super) const LIMIT: usize = 64 << 10;
/// A head may have this many fields.
const FIELDS: usize = 128;

/// What matters of a request's head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// As sent.
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    /// Where the body ends.
    pub(super) framing: Framing,
    /// Whether another request may follow.
    pub(super) keep_alive: bool,
    /// Whether the client waits for a 100 before it sends the body.
    pub(super) expects_continue: bool,
}

/// Where a request's body ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes; 0 where nothing was said.
    Length(usize),
    /// After the last chunk.
    Chunked,
}

/// The head at the beginning of `bytes` and its length; `None` while it is incomplete.
///
/// # Errors
/// `InvalidData` when it is no HTTP or too long.
pub(super) fn parse(bytes: &[u8]) -> io::Result<Option<(Head, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes).map_err(invalid)? {
        httparse::Status::Complete(length) => Ok(Some((read(&request)?, length))),
        httparse::Status::Partial if bytes.len() > LIMIT => Err(invalid("the head is too long")),
        httparse::Status::Partial => Ok(None),
    }
}

fn read(request: &httparse::Request<'_, '_>) -> io::Result<Head> {
    let mut head = Head {
        method: request.method.unwrap_or_default().to_owned(),
        path: request.path.unwrap_or_default().split('?').next().unwrap_or_default().to_owned(),
        framing: Framing::Length(0),
        keep_alive: request.version == Some(1),
        expects_continue: false,
    };
    for field in request.headers.iter() {
        let value = std::str::from_utf8(field.value).map_err(invalid)?.trim();
        match field.name.to_ascii_lowercase().as_str() {
            "content-length" if head.framing != Framing::Chunked => {
                head.framing = Framing::Length(value.parse().map_err(invalid)?);
            }
            "transfer-encoding" => head.framing = Framing::Chunked,
            "connection" if value.eq_ignore_ascii_case("close") => head.keep_alive = false,
            "expect" => head.expects_continue = true,
            _ => {}
        }
    }
    Ok(head)
}

/// The size in a chunk's first line.
///
/// # Errors
/// `InvalidData` when it is no hexadecimal number.
pub(super) fn chunk_size(line: &[u8]) -> io::Result<usize> {
    let size = line.split(|&byte| byte == b';').next().unwrap_or_default();
    let digits = std::str::from_utf8(size).map_err(invalid)?.trim();
    usize::from_str_radix(digits, 16).map_err(invalid)
}

/// The head of an answer with a length.
pub(super) fn whole(status: u16, content_type: Option<&str>, length: usize, keep_alive: bool) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} {}\r\nserver: simulated\r\n", phrase(status));
    // writing into a String cannot fail
    let _ = write!(head, "content-length: {length}\r\n");
    if let Some(content_type) = content_type {
        let _ = write!(head, "content-type: {content_type}\r\n");
    }
    ended(head, keep_alive)
}

/// The head of a stream of server-sent events.
pub(super) fn stream(keep_alive: bool) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nserver: simulated\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                transfer-encoding: chunked\r\n";
    ended(head.to_owned(), keep_alive)
}

fn ended(mut head: String, keep_alive: bool) -> Vec<u8> {
    head.push_str(if keep_alive {
        "vary: Origin\r\n\r\n"
    } else {
        "vary: Origin\r\nconnection: close\r\n\r\n"
    });
    head.into_bytes()
}

const fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Status",
    }
}

fn invalid(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let bytes =
            b"POST /v1/x?a=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\nbody";
        for cut in 0..bytes.len() - 4 {
            assert_eq!(parse(&bytes[..cut]).unwrap(), None, "cut at {cut}");
        }
        let (head, length) = parse(bytes).unwrap().unwrap();
        assert_eq!(length, bytes.len() - 4);
        assert_eq!((head.method.as_str(), head.path.as_str()), ("POST", "/v1/x"));
        assert_eq!(head.framing, Framing::Length(12));
        assert!(head.keep_alive && head.expects_continue);
    }

    #[test]
    fn chunked_wins_over_a_length_and_close_is_heard() {
        let bytes = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\nconnection: Close\r\n\r\n";
        let (head, _) = parse(bytes).unwrap().unwrap();
        assert_eq!(head.framing, Framing::Chunked);
        assert!(!head.keep_alive);
    }

    #[test]
    fn an_old_version_does_not_keep_the_connection() {
        let (head, _) = parse(b"GET / HTTP/1.0\r\n\r\n").unwrap().unwrap();
        assert!(!head.keep_alive);
    }

    #[test]
    fn what_is_no_http_is_an_error() {
        assert!(parse(b"\x16\x03\x01 hello\r\n\r\n").is_err());
        assert!(parse(b"GET / HTTP/1.1\r\ncontent-length: many\r\n\r\n").is_err());
        let endless = [b"GET / HTTP/1.1\r\nx: ".as_slice(), &vec![b'a'; LIMIT]].concat();
        assert!(parse(&endless).is_err());
    }

    #[test]
    fn chunk_sizes_are_hexadecimal_and_may_carry_extensions() {
        assert_eq!(chunk_size(b"1f").unwrap(), 31);
        assert_eq!(chunk_size(b"A;name=value").unwrap(), 10);
        assert!(chunk_size(b"").is_err());
        assert!(chunk_size(b"xyz").is_err());
    }
}
