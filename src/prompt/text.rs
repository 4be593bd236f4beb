//! A JSON string in a body: where it stands, what it says, and where each decoded byte came from.

use memchr::memchr;

/// What stands for half of a surrogate pair: no Rust string can hold it.
const LONE: char = char::REPLACEMENT_CHARACTER;

/// A string's place between its quotes. The cursor has checked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    /// Offset of the first byte behind the opening quote.
    pub start: usize,
    /// Offset of the closing quote.
    pub end: usize,
    /// Whether it holds an escape.
    pub escaped: bool,
}

impl Text {
    /// As it is written.
    pub fn raw(self, body: &str) -> &str {
        body.get(self.start..self.end).unwrap_or_default()
    }

    /// What it says, in a string of its own.
    pub fn decoded(self, body: &str) -> String {
        let mut text = String::new();
        decode(self.raw(body), &mut text);
        text
    }

    /// Whether it says exactly this.
    pub fn says(self, body: &str, word: &str) -> bool {
        // no character takes more than the twelve bytes of two \u escapes: the rest is not decoded
        let longest = word.len() * 12;
        let raw = self.raw(body);
        if self.escaped { raw.len() <= longest && self.decoded(body) == word } else { raw == word }
    }

    /// Whether it says nothing.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// Appends what `raw` says to `text`.
pub(super) fn decode(raw: &str, text: &mut String) {
    let mut rest = raw;
    while let Some((plain, behind)) = memchr(b'\\', rest.as_bytes()).and_then(|at| rest.split_at_checked(at))
    {
        let (character, length) = escape(behind.as_bytes());
        text.push_str(plain);
        text.push(character);
        rest = behind.get(length..).unwrap_or_default();
    }
    text.push_str(rest);
}

/// Finds where decoded offsets stand in the raw string. Asked in ascending order, it walks once.
pub(super) struct Offsets<'a> {
    rest: &'a [u8],
    raw: usize,
    decoded: usize,
    /// Bytes up to the next escape.
    plain: usize,
}

impl<'a> Offsets<'a> {
    /// For one raw string.
    pub fn new(raw: &'a str) -> Self {
        let rest = raw.as_bytes();
        Self { rest, raw: 0, decoded: 0, plain: memchr(b'\\', rest).unwrap_or(rest.len()) }
    }

    /// The raw offset of a character boundary in the decoded string, no smaller than the one before.
    pub fn raw_of(&mut self, decoded: usize) -> usize {
        while decoded > self.decoded + self.plain && self.plain < self.rest.len() {
            self.pass(self.plain, self.plain);
            let (character, length) = escape(self.rest);
            self.pass(length, character.len_utf8());
            self.plain = memchr(b'\\', self.rest).unwrap_or(self.rest.len());
        }
        let within = decoded.saturating_sub(self.decoded).min(self.plain);
        self.plain -= within;
        self.pass(within, within);
        self.raw
    }

    fn pass(&mut self, raw: usize, decoded: usize) {
        self.rest = self.rest.get(raw..).unwrap_or_default();
        self.raw += raw;
        self.decoded += decoded;
    }
}

/// The character that the escape at the beginning of `raw` stands for, and the escape's length.
fn escape(raw: &[u8]) -> (char, usize) {
    match raw.get(1) {
        Some(b'u') => unicode_escape(raw),
        Some(&letter) => (short_escape(letter).map_or(LONE, char::from), 2),
        None => (LONE, 1),
    }
}

fn unicode_escape(raw: &[u8]) -> (char, usize) {
    let Some(unit) = raw.get(2..6).and_then(hex) else { return (LONE, raw.len()) };
    let behind = raw.get(6..8) == Some(b"\\u");
    let low = raw.get(8..12).filter(|_| behind).and_then(hex);
    match (char::from_u32(u32::from(unit)), low) {
        (Some(character), _) => (character, 6),
        (None, Some(low)) => pair(unit, low).map_or((LONE, 6), |character| (character, 12)),
        (None, None) => (LONE, 6),
    }
}

fn pair(high: u16, low: u16) -> Option<char> {
    char::decode_utf16([high, low]).next().and_then(Result::ok)
}

/// Four hexadecimal digits as a UTF-16 unit.
pub(super) fn hex(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |unit, &digit| {
        let value = char::from(digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(value).ok()?)
    })
}

/// What the letter behind a backslash stands for, but for `u`.
pub(super) const fn short_escape(letter: u8) -> Option<u8> {
    Some(match letter {
        b'"' | b'\\' | b'/' => letter,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
