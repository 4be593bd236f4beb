//! What must not get through, by the part of the head that is wrong.

use super::{BadRequest, MethodNotAllowed, refused, with};

/// Each of these lines makes a sound request a bad one.
pub fn refuse_lines(rows: &[&str]) {
    for lines in rows {
        refused(&with(lines), BadRequest);
    }
}

pub fn refuse_heads(rows: &[&[u8]]) {
    for head in rows {
        refused(head, BadRequest);
    }
}

#[test]
fn line_ends() {
    refuse_heads(&[
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b"\n\n",
        b"GET / HTTP/1.1",
        b"GET / HTTP/1.1\r\nHost: a",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"GET / HTTP/1.1\r\nHost: a\n\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n\r\n",
        b"GET / HTTP/1.1\rHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\nHost: a\r\n\r\n",
        b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ]);
}

#[test]
fn field_lines() {
    refuse_lines(&[
        "X",
        ": x",
        ":",
        "X y: z",
        "X : y",
        "X\t: y",
        "X: y|  folded",
        "X: y|\tfolded",
        " X: y",
        "X\u{0}: y",
        "X\u{7f}: y",
        "\u{e9}: y",
        "X(: y",
        "X): y",
        "X,Y: z",
        "X/Y: z",
        "X;Y: z",
        "X<Y: z",
        "X=Y: z",
        "X?Y: z",
        "X@Y: z",
        "X[Y: z",
        "X\\Y: z",
        "X{Y: z",
        "\"X\": z",
        "X: \u{0}",
        "X: a\u{1}b",
        "X: a\u{8}b",
        "X: a\u{b}b",
        "X: a\u{1b}[0m",
        "X: a\u{7f}b",
    ]);
    refuse_heads(&[
        b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\xef\xbb\xbfX: y\r\n\r\n",
    ]);
}

#[test]
fn fields_that_stand_twice() {
    refuse_lines(&[
        "Content-Type: application/json|Content-Type: application/json",
        "Content-Type: application/json|content-type: text/plain",
        "Content-Encoding: identity|Content-Encoding: gzip",
        "Authorization: Bearer a|Authorization: Bearer b",
        "x-api-key: a|X-API-KEY: a",
        "X-Request-Id: a|X-Request-Id: b",
        "Origin: http://a|Origin: http://b",
        "Expect: 100-continue|Expect: 100-continue",
    ]);
}

#[test]
fn hosts() {
    refuse_heads(&[
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Host: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost:\r\n\r\n",
    ]);
    let long = "x".repeat(255);
    for host in [
        "",
        " ",
        "a b",
        "a/b",
        "a/",
        "/",
        "a,b",
        "a, b",
        "a?b",
        "a?",
        "a#b",
        "a@b",
        "a:b@c",
        "a\\b",
        "a;b",
        "a\tb",
        "a%41",
        "a*b",
        "a!b",
        "a'b",
        "a(b)",
        "a=b",
        "a<b>",
        "a\"b",
        "a|b",
        "a^b",
        "a`b",
        "{a}",
        "a~b",
        "a+b",
        "a&b",
        "a$b",
        ":",
        ":80",
        "a:",
        "a:80:80",
        "a:+80",
        "a:-1",
        "a:65536",
        "a:99999",
        "a:000080",
        "a:8 0",
        "a:http",
        "a: 80",
        ".",
        ".a",
        "a..b",
        "a..",
        "..",
        "http://a",
        "a:80/",
        "\u{e9}",
        "[",
        "]",
        "[]",
        "[::1",
        "::1",
        "::1]",
        "[::1]]",
        "[::1]:",
        "[::1]80",
        "[::1]:65536",
        "[::1%25eth0]",
        "[::1%eth0]",
        "[::g]",
        "[127.0.0.1]",
        "[v1.a]",
        "[::1][::1]",
        "a[::1]",
        "a\u{7f}",
        "a\u{0}b",
        &long,
    ] {
        refused(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes(), BadRequest);
        refused(format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes(), BadRequest);
    }
}

#[test]
fn targets() {
    for target in [
        "",
        "*",
        "a",
        "v1/models",
        "a:80",
        "?x",
        "#x",
        "./",
        "../",
        "http://a/",
        "http://a",
        "HTTP://a/",
        "https://a/",
        "http:/a",
        "\\",
        "/a\\b",
        "/#",
        "/a#b",
        "/a?b#c",
        "/a b",
        "/ ",
        "/a\tb",
        "/\0",
        "/a\u{1}",
        "/a\u{b}b",
        "/a\u{7f}",
        "/\u{e9}",
        "/a?\u{e9}",
        "/%",
        "/%4",
        "/%4g",
        "/%g4",
        "/%%41",
        "/a?%",
        "/a?b=%2",
        "/a?%zz",
        "/%u0041",
        "/a\"b",
        "/<a>",
        "/a?<b>",
        "/a?\"b\"",
    ] {
        refused(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(), BadRequest);
    }
    refused(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", BadRequest);
}

#[test]
fn request_lines() {
    for line in [
        "GET",
        "GET ",
        "GET /",
        "GET / ",
        " GET / HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET / HTTP/1.1 x",
        "/ HTTP/1.1",
        " / HTTP/1.1",
        "GET / HTTP/1.2",
        "GET / HTTP/1.9",
        "GET / HTTP/1",
        "GET / HTTP/1.",
        "GET / HTTP/1.10",
        "GET / HTTP/1.01",
        "GET / HTTP/01.1",
        "GET / HTTP/0.9",
        "GET / HTTP/2",
        "GET / HTTP/2.0",
        "GET / HTTP/3",
        "GET / http/1.1",
        "GET / Http/1.1",
        "GET / HTTP/1,1",
        "GET / HTTP 1.1",
        "GET / HTTPS/1.1",
        "GET / HTTP/ 1.1",
        "GET / HTTP/-1.1",
        "GET / HTTP/1.1\u{0}",
        "GET / ICY/1.1",
        "PRI * HTTP/2.0",
        "get / HTTP/1.1",
        "Get / HTTP/1.1",
        "GEt / HTTP/1.1",
        "trace / HTTP/1.1",
        "G3T / HTTP/1.1",
        "GET: / HTTP/1.1",
        "M-SEARCH / HTTP/1.1",
        "G\u{0}ET / HTTP/1.1",
        "G(T / HTTP/1.1",
        "\u{e9} / HTTP/1.1",
        "HTTP/1.1 200 OK",
        "\u{16}\u{3}\u{1} / HTTP/1.1",
        "\u{feff}GET / HTTP/1.1",
    ] {
        refused(format!("{line}\r\nHost: a\r\n\r\n").as_bytes(), BadRequest);
    }
}

#[test]
fn methods_that_a_proxy_must_not_pass_on() {
    for line in ["TRACE / HTTP/1.1", "CONNECT a:443 HTTP/1.1", "CONNECT / HTTP/1.1"] {
        refused(format!("{line}\r\nHost: a\r\n\r\n").as_bytes(), MethodNotAllowed);
    }
}

#[test]
fn expectations() {
    refuse_lines(&[
        "Expect:",
        "Expect: 200-ok",
        "Expect: 100",
        "Expect: 100-continue, x",
        "Expect: 100-continue,",
        "Expect: 100-continue;a=b",
        "Expect: 100-continue|Content-Length: x",
    ]);
}
