//! The strict check of a request's head, before any other parser sees it. ★
//!
//! Two readers of one request must never see two requests. Whatever some server somewhere reads
//! differently is refused here: line ends, folded fields, doubled lengths, codings, hosts, targets.
//! What is accepted holds nothing that RFC 9112 leaves to the reader's mood.

use super::field_lines::Fields;
use super::framing::Framing;
use super::{HEAD_LIMIT, HeadFault, host, leading_empty_lines, target};

/// A head that every reader reads alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    /// Bytes of the empty lines that were skipped before the request line: 0, 2 or 4.
    pub leading: usize,
    /// The method: upper-case letters.
    pub method: &'a str,
    /// The whole request target, as it was sent: `/…`, with its query.
    pub target: &'a str,
    /// The target up to its query, nothing decoded.
    pub path: &'a str,
    /// The version.
    pub version: Version,
    /// How the body's length is told.
    pub framing: Framing,
    /// Whether the client waits for `100 Continue` before it sends its body.
    pub expect_continue: bool,
    /// The media type of the body, as it is written.
    pub content_type: Option<&'a [u8]>,
    /// The coding of the body, as it is written.
    pub content_encoding: Option<&'a [u8]>,
    /// Whether the client lets the connection be used again. Of every `Connection` line.
    pub keep_alive: bool,
}

/// The versions that are served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `HTTP/1.0`
    Http10,
    /// `HTTP/1.1`
    Http11,
}

/// Checks a whole head, from its first byte to the empty line that ends it.
///
/// # Errors
/// The first thing that is wrong with it, in the order of its bytes; what concerns several fields last.
pub fn check(head: &[u8]) -> Result<Head<'_>, HeadFault> {
    if head.len() > HEAD_LIMIT {
        return Err(HeadFault::TOO_LARGE);
    }
    let (empty, text) = head.split_at(leading_empty_lines(head));
    // One LF is stripped as a separator, so that the last line keeps its own CR.
    let text = text
        .strip_suffix(b"\n\r\n")
        .ok_or(HeadFault::bad("the request head does not end with an empty line"))?;
    let mut lines = text.split(|&byte| byte == b'\n').map(without_cr);
    let (method, target, version) = request_line(lines.next().unwrap_or(Ok(b""))?)?;
    let fields = Fields::read(lines)?;
    let framing = Framing::read(&fields, version)?;
    host::check(fields.host, version)?;
    Ok(Head {
        leading: empty.len(),
        method,
        target,
        path: target::path(target),
        version,
        framing,
        expect_continue: expects_continue(&fields, version)? && framing.announces_body(),
        content_type: fields.content_type,
        content_encoding: fields.content_encoding,
        keep_alive: keeps_alive(&fields, version),
    })
}

/// A line that ended in CRLF, without its CR.
fn without_cr(line: &[u8]) -> Result<&[u8], HeadFault> {
    line.strip_suffix(b"\r").ok_or(HeadFault::BARE_LF)
}

/// Method, target and version: exactly one space between them.
fn request_line(line: &[u8]) -> Result<(&str, &str, Version), HeadFault> {
    let mut parts = line.splitn(3, |&byte| byte == b' ');
    let method = method(parts.next().unwrap_or_default())?;
    let target = target::check(parts.next().unwrap_or_default())?;
    let version = match parts.next() {
        Some(b"HTTP/1.1") => Version::Http11,
        Some(b"HTTP/1.0") => Version::Http10,
        _ => return Err(HeadFault::bad("the request line does not end with HTTP/1.1 or HTTP/1.0")),
    };
    Ok((method, target, version))
}

/// Methods are compared exactly everywhere: `get` is not `GET`, and no method of this world needs more
/// than letters.
fn method(method: &[u8]) -> Result<&str, HeadFault> {
    let text = str::from_utf8(method).unwrap_or_default();
    match text {
        // TRACE would send credentials back, CONNECT would open a tunnel.
        "CONNECT" | "TRACE" => Err(HeadFault::method("CONNECT and TRACE are not served")),
        "" => Err(HeadFault::bad("the request line has no method")),
        _ if text.bytes().all(|byte| byte.is_ascii_uppercase()) => Ok(text),
        _ => Err(HeadFault::bad("the method is not made of upper-case letters")),
    }
}

/// Whether `100-continue` is asked for. There is no other expectation, and HTTP/1.0 knows none
/// (RFC 9110 10.1.1: ignored there).
fn expects_continue(fields: &Fields<'_>, version: Version) -> Result<bool, HeadFault> {
    match fields.expect {
        None => Ok(false),
        Some(value) if value.eq_ignore_ascii_case(b"100-continue") => Ok(version == Version::Http11),
        Some(_) => Err(HeadFault::bad("Expect is something else than 100-continue")),
    }
}

/// RFC 9112 9.3: `close` wins; else HTTP/1.1 persists and HTTP/1.0 only on request.
fn keeps_alive(fields: &Fields<'_>, version: Version) -> bool {
    !fields.close && (version == Version::Http11 || fields.keep_alive)
}

#[cfg(test)]
mod tests;
