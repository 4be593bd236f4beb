//! Where a head ends, found while its bytes come in: no byte is looked at twice.

use memchr::memchr_iter;

use super::{HEAD_LIMIT, HeadFault, leading_empty_lines};

/// What is known of the head at the beginning of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadEnd {
    /// It is whole: so many bytes, leading empty lines and the closing empty line included.
    Complete(usize),
    /// More bytes are needed.
    Incomplete,
    /// It does not end within [`HEAD_LIMIT`], or no sound head begins so: a line ends in a bare LF, there
    /// is no method at the beginning (but a TLS hello, or a third empty line). Said at once: waiting
    /// for an end that may never come would only run into the timeout.
    Fault(HeadFault),
}

/// Looks for the head's end. `buf` holds everything since the head's first byte, `already_scanned` is
/// `buf.len()` of the last call that said [`HeadEnd::Incomplete`] (0 at first).
pub fn head_end(buf: &[u8], already_scanned: usize) -> HeadEnd {
    let start = leading_empty_lines(buf);
    match buf.get(start..).unwrap_or_default() {
        [first, ..] if first.is_ascii_uppercase() => {}
        [] => return HeadEnd::Incomplete,
        // Half of an empty line that can still be skipped.
        [b'\r'] if start < 4 => return HeadEnd::Incomplete,
        _ => return HeadEnd::Fault(NO_METHOD),
    }
    let window = buf.get(..HEAD_LIMIT).unwrap_or(buf);
    let from = already_scanned.max(start);
    for offset in memchr_iter(b'\n', window.get(from..).unwrap_or_default()) {
        let line_end = from + offset + 1;
        let Some(before) = window.get(start..line_end) else { break };
        if before.ends_with(b"\n\r\n") {
            return HeadEnd::Complete(line_end);
        }
        if !before.ends_with(b"\r\n") {
            return HeadEnd::Fault(HeadFault::BARE_LF);
        }
    }
    if buf.len() >= HEAD_LIMIT { HeadEnd::Fault(HeadFault::TOO_LARGE) } else { HeadEnd::Incomplete }
}

const NO_METHOD: HeadFault = HeadFault::bad("the request does not begin with a method in upper-case letters");

#[cfg(test)]
mod tests;
