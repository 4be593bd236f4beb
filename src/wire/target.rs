//! The request target: a path of this server, written so that nobody has to guess.

use super::HeadFault;

/// Checks a target: origin-form alone (`/…`). Absolute-form names a host a second time, `*` and
/// authority-form name no path.
pub fn check(target: &[u8]) -> Result<&str, HeadFault> {
    if target.first() != Some(&b'/') {
        return Err(HeadFault::bad("the request target does not begin with a slash"));
    }
    if !target.iter().copied().all(is_target) {
        return Err(HeadFault::bad("the request target has a character that must be escaped"));
    }
    let text = str::from_utf8(target).unwrap_or_default();
    let escaped =
        text.split('%').skip(1).all(|after| matches!(after.as_bytes(), [a, b, ..] if is_hex(*a, *b)));
    if escaped {
        Ok(text)
    } else {
        Err(HeadFault::bad("the request target has a percent sign without two hex digits"))
    }
}

/// The target up to its query.
pub fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// Visible ASCII but for what begins a fragment, what some servers take for a slash, and what no
/// library writes into a URL unescaped.
const fn is_target(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'#' | b'\\' | b'"' | b'<' | b'>')
}

const fn is_hex(first: u8, second: u8) -> bool {
    first.is_ascii_hexdigit() && second.is_ascii_hexdigit()
}
