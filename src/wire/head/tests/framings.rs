//! Framings that two readers would not read alike.

use super::refused::{refuse_heads, refuse_lines};

#[test]
fn two_framings() {
    refuse_lines(&[
        "Content-Length: 5|Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked|Content-Length: 5",
        "Transfer-Encoding: chunked|Content-Length: 0",
        "Transfer-Encoding: chunked|content-length:",
        "Content-Length: 5|Transfer-Encoding:",
        "Content-Length: 5|tRANSFER-eNCODING: identity",
    ]);
}

#[test]
fn transfer_codings() {
    refuse_lines(&[
        "Transfer-Encoding:",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: x, chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked;a=b",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chun ked",
        "Transfer-Encoding: chunked|Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip|Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked|transfer-encoding: identity",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding: chunked\u{c}",
        "Transfer-Encoding: \u{a0}chunked",
        "Transfer-Encoding: chun\u{212a}ed",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        "Transfer-Encoding\u{0}: chunked",
        " Transfer-Encoding: chunked",
        "X: y| Transfer-Encoding: chunked",
        "Transfer-Encoding:| chunked",
    ]);
    refuse_heads(&[
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: identity\r\n\r\n",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    ]);
}

#[test]
fn content_lengths() {
    refuse_lines(&[
        "Content-Length:",
        "Content-Length: 97|Content-Length: 97",
        "Content-Length: 97|content-length: 98",
        "Content-Length: 97, 97",
        "Content-Length: 97,",
        "Content-Length: ,97",
        "Content-Length: +97",
        "Content-Length: -1",
        "Content-Length: -0",
        "Content-Length: 9 7",
        "Content-Length: 9\t7",
        "Content-Length: 0x61",
        "Content-Length: 97.0",
        "Content-Length: 9e1",
        "Content-Length: 1_000",
        "Content-Length: 97;",
        "Content-Length: \"97\"",
        "Content-Length: abc",
        "Content-Length: 18446744073709551616",
        "Content-Length: 10000000000000000000",
        "Content-Length: 00000000000000000097",
        "Content-Length: \u{661}",
        "Content-Length: \u{ff11}",
        "Content-Length: 97\u{0}",
        "Content-Length: \u{b}97",
        "Content-Length : 97",
        "Content-Length\u{a0}: 97",
        "Content-Length",
        "Content-Length 97",
        "X: y|\tContent-Length: 97",
    ]);
}
