//! The header fields of a head: their grammar, and the few that decide how a request is read.

use super::{FIELD_LIMIT, HeadFault};

/// Fields that stand at most once: readers disagree on which of two counts. Lower case.
pub const SINGLETONS: [&str; 10] = [
    "authorization",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "origin",
    "transfer-encoding",
    "x-api-key",
    "x-request-id",
];

/// Whether two fields of this name (in any case) make a request ambiguous.
pub fn refuses_duplicate_singletons(name: &str) -> bool {
    singleton(name.as_bytes()).is_some()
}

/// The name's place in [`SINGLETONS`].
fn singleton(name: &[u8]) -> Option<usize> {
    SINGLETONS.iter().position(|single| single.as_bytes().eq_ignore_ascii_case(name))
}

/// What the head's check needs of the fields.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    pub content_length: Option<&'a [u8]>,
    pub transfer_encoding: Option<&'a [u8]>,
    pub host: Option<&'a [u8]>,
    pub expect: Option<&'a [u8]>,
    pub content_type: Option<&'a [u8]>,
    pub content_encoding: Option<&'a [u8]>,
    /// `Connection: close`, in any of its lines.
    pub close: bool,
    /// `Connection: keep-alive`, in any of its lines.
    pub keep_alive: bool,
    /// The singletons that were there, a bit each.
    seen: u16,
}

impl<'a> Fields<'a> {
    /// Reads the lines after the request line.
    pub fn read(lines: impl Iterator<Item = Result<&'a [u8], HeadFault>>) -> Result<Self, HeadFault> {
        let mut fields = Self::default();
        for (number, line) in lines.enumerate() {
            if number >= FIELD_LIMIT {
                return Err(HeadFault::too_large("the request head has more than 100 fields"));
            }
            let (name, value) = split(line?)?;
            fields.note(name, value)?;
        }
        Ok(fields)
    }

    fn note(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), HeadFault> {
        if name.eq_ignore_ascii_case(b"connection") {
            let has = |token: &[u8]| list(value).any(|item| item.eq_ignore_ascii_case(token));
            self.close |= has(b"close");
            self.keep_alive |= has(b"keep-alive");
        }
        let Some(place) = singleton(name) else { return Ok(()) };
        if self.seen & (1 << place) != 0 {
            return Err(HeadFault::bad("a field that may stand only once stands twice"));
        }
        self.seen |= 1 << place;
        match SINGLETONS.get(place).copied() {
            Some("content-length") => self.content_length = Some(value),
            Some("transfer-encoding") => self.transfer_encoding = Some(value),
            Some("host") => self.host = Some(value),
            Some("expect") => self.expect = Some(value),
            Some("content-type") => self.content_type = Some(value),
            Some("content-encoding") => self.content_encoding = Some(value),
            _ => {}
        }
        Ok(())
    }
}

/// Name and value of a line; the value without the blanks around it.
fn split(line: &[u8]) -> Result<(&[u8], &[u8]), HeadFault> {
    match line {
        [] => return Err(HeadFault::bad("the request head has an empty line in its middle")),
        [b' ' | b'\t', ..] => return Err(HeadFault::bad("a header field is folded over two lines")),
        _ => {}
    }
    let mut halves = line.splitn(2, |&byte| byte == b':');
    let (Some(name), Some(value)) = (halves.next(), halves.next()) else {
        return Err(HeadFault::bad("a header line has no colon"));
    };
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return Err(HeadFault::bad("a header field's name is not a token directly followed by a colon"));
    }
    if !value.iter().copied().all(is_value) {
        return Err(HeadFault::bad("a header field's value has a control character"));
    }
    Ok((name, trimmed(value)))
}

/// The items of a comma-separated list.
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trimmed)
}

/// Without the spaces and tabs around it: those alone, `trim_ascii` takes more.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// RFC 9110 5.6.2: tchar.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// RFC 9110 5.5: visible characters, space, tab, and bytes beyond ASCII (obs-text).
const fn is_value(byte: u8) -> bool {
    matches!(byte, b'\t' | 0x20..=0x7e | 0x80..)
}
