//! Raw heads and what becomes of them. One row, one thing that is wrong (or just right).

use super::{Head, Version, check};
use crate::wire::FaultKind::{BadRequest, MethodNotAllowed, TooLarge};
use crate::wire::{FIELD_LIMIT, FaultKind, Framing, HEAD_LIMIT};

mod framings;
mod properties;
mod refused;

/// A sound head with these lines at its end, a `|` between two.
fn with(lines: &str) -> Vec<u8> {
    let lines = lines.replace('|', "\r\n");
    format!("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n").into_bytes()
}

fn shown(head: &[u8]) -> String {
    head.get(..200).unwrap_or(head).escape_ascii().to_string()
}

fn accepted(head: &[u8]) -> Head<'_> {
    check(head).unwrap_or_else(|fault| panic!("{} is refused: {fault}", shown(head)))
}

#[track_caller]
fn refused(head: &[u8], kind: FaultKind) {
    match check(head) {
        Ok(_) => panic!("{} is accepted", shown(head)),
        Err(fault) => assert_eq!(fault.kind, kind, "{}: {fault}", shown(head)),
    }
}

#[test]
fn a_plain_request() {
    let head = b"POST /v1/chat/completions?x=%20&y=1 HTTP/1.1\r\nHost: a:8080\r\nContent-Length: 12\r\n\
        content-TYPE: application/json \r\n\r\n";
    let wanted = Head {
        leading: 0,
        method: "POST",
        target: "/v1/chat/completions?x=%20&y=1",
        path: "/v1/chat/completions",
        version: Version::Http11,
        framing: Framing::Length(12),
        expect_continue: false,
        content_type: Some(b"application/json"),
        content_encoding: None,
        keep_alive: true,
    };
    assert_eq!(check(head), Ok(wanted));
}

#[test]
fn one_or_two_empty_lines_before_the_request_are_skipped() {
    for (empty, leading) in [("", 0), ("\r\n", 2), ("\r\n\r\n", 4)] {
        let head = format!("{empty}GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(accepted(head.as_bytes()).leading, leading);
    }
}

#[test]
fn framings() {
    for (lines, framing) in [
        ("Accept: */*", Framing::None),
        ("Content-Length: 0", Framing::Length(0)),
        ("content-length:97", Framing::Length(97)),
        ("CONTENT-LENGTH: \t 97\t ", Framing::Length(97)),
        ("Content-Length: 0097", Framing::Length(97)),
        ("Content-Length: 9999999999999999999", Framing::Length(9_999_999_999_999_999_999)),
        ("Transfer-Encoding: chunked", Framing::Chunked),
        ("transfer-encoding:\tCHUNKED ", Framing::Chunked),
    ] {
        assert_eq!(accepted(&with(lines)).framing, framing, "{lines}");
    }
}

#[test]
fn a_hundred_continue_is_due_where_a_body_is_to_come() {
    for (lines, expected) in [
        ("Expect: 100-continue|Content-Length: 5", true),
        ("expect: 100-Continue|Transfer-Encoding: chunked", true),
        ("Expect: 100-continue", false),
        ("Expect: 100-continue|Content-Length: 0", false),
        ("Content-Length: 5", false),
    ] {
        assert_eq!(accepted(&with(lines)).expect_continue, expected, "{lines}");
    }
    let old = b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    assert!(!accepted(old).expect_continue);
}

#[test]
fn keep_alive_is_read_from_every_connection_line() {
    for (version, lines, kept) in [
        ("HTTP/1.1", "", true),
        ("HTTP/1.1", "Connection: close\r\n", false),
        ("HTTP/1.1", "Connection: keep-alive\r\nConnection: CLOSE\r\n", false),
        ("HTTP/1.1", "Connection: x, close ,y\r\n", false),
        ("HTTP/1.1", "Connection: closed\r\n", true),
        (
            "HTTP/1.1",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
            true,
        ),
        ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
        ("HTTP/1.0", "Connection: x\r\nConnection: keep-alive\r\n", true),
        ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let head = format!("GET / {version}\r\nHost: a\r\n{lines}\r\n");
        assert_eq!(accepted(head.as_bytes()).keep_alive, kept, "{version} {lines:?}");
    }
}

#[test]
fn http_1_0_may_lack_a_host() {
    let head = accepted(b"GET /health HTTP/1.0\r\n\r\n");
    assert_eq!((head.version, head.path, head.keep_alive), (Version::Http10, "/health", false));
}

#[test]
fn hosts() {
    for host in [
        "a",
        "localhost:8080",
        "127.0.0.1",
        "127.0.0.1:0",
        "192.168.1.50:65535",
        "pp6.home.arpa",
        "pp6.home.arpa.",
        "my_box.local:80",
        "xn--bcher-kva.example",
        "[::1]",
        "[::1]:8080",
        "[2001:db8::1.2.3.4]",
        "a:00080",
        &"x".repeat(254),
    ] {
        accepted(format!("GET / HTTP/1.1\r\nhOST: {host}\r\n\r\n").as_bytes());
    }
}

#[test]
fn targets() {
    for (target, path) in [
        ("/", "/"),
        ("/?", "/"),
        ("//", "//"),
        ("/v1/../metrics", "/v1/../metrics"),
        ("/v1/chat/completions/", "/v1/chat/completions/"),
        ("/%2e%2E/%00", "/%2e%2E/%00"),
        ("/a;b=c@d:e!f$g&h'i(j)k*l+m,n~o", "/a;b=c@d:e!f$g&h'i(j)k*l+m,n~o"),
        ("/x?a?b/c=%41{|}^`[]", "/x"),
        ("/http://b/", "/http://b/"),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = accepted(head.as_bytes());
        assert_eq!((head.target, head.path), (target, path));
    }
}

#[test]
fn methods() {
    for method in ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "PROPFIND", "X"] {
        let head = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(accepted(head.as_bytes()).method, method);
    }
}

#[test]
fn fields_that_are_no_fault() {
    for lines in [
        "X:",
        "X: ",
        "X: a\tb",
        "X: a  b",
        "X: \u{e9}",
        "X: a:b: c",
        "X: \"quoted, \\\" text\"",
        "Accept: a|Accept: b",
        "Cookie: a=b|Cookie: c=d",
        "Transfer_Encoding: chunked|Content_Length: 5|Content-Length: 3",
        "Trailer: x|TE: trailers|Upgrade: websocket|Connection: upgrade",
        "X-Request-Id: not valid/but harmless",
    ] {
        accepted(&with(lines));
    }
    accepted(b"GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09azAZ: x\r\n\r\n");
    accepted(b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\xfe\x80\r\n\r\n");
}

#[test]
fn limits_are_exact() {
    let many = |count: usize| {
        let mut head = String::from("GET / HTTP/1.1\r\nHost: a\r\n");
        (1..count).for_each(|_| head.push_str("X: y\r\n"));
        (head + "\r\n").into_bytes()
    };
    accepted(&many(FIELD_LIMIT));
    refused(&many(FIELD_LIMIT + 1), TooLarge);
    let sized = |size: usize| with(&format!("X: {}", "x".repeat(size - with("X: ").len())));
    accepted(&sized(HEAD_LIMIT));
    refused(&sized(HEAD_LIMIT + 1), TooLarge);
    refused(&sized(900_000), TooLarge);
}

#[test]
fn messages_say_what_is_wrong() {
    let fault = check(&with("Content-Length: 5|Transfer-Encoding: chunked")).expect_err("two framings");
    assert_eq!(fault.to_string(), "both Content-Length and Transfer-Encoding are there");
    assert_eq!(fault.kind, BadRequest);
    let fault = check(b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n").expect_err("a method");
    assert_eq!(fault.kind, MethodNotAllowed);
}
