//! A cursor over a JSON document: strict RFC 8259, exact offsets, a depth limit, no tree.
//!
//! Strings and numbers are checked and passed over, never converted: a lone surrogate or a number
//! of a thousand digits is the backend's business. Nothing here recurses.

use super::fault::{Fault, Syntax};
use super::text::Text;
use super::tokens::Meter;

/// Levels of arrays and objects a document may have. [`Cursor::skip`] keeps a bit a level in a `u128`.
pub(super) const MAX_DEPTH: u32 = u128::BITS;

/// Bytes looked at at once in a long string; any multiple of a vector register's size does.
const BLOCK: usize = 32;

/// A place in a document, and how deep it is.
pub(super) struct Cursor<'a> {
    body: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: u32,
}

/// What kind of value comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

impl<'a> Cursor<'a> {
    /// A cursor before the document's first byte.
    pub fn new(body: &'a str) -> Self {
        Self { body, bytes: body.as_bytes(), at: 0, depth: 0 }
    }

    /// The document.
    pub const fn body(&self) -> &'a str {
        self.body
    }

    /// The offset of the byte that comes next.
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// The kind of the value that comes next; the cursor then stands at its first byte.
    pub fn kind(&mut self) -> Result<Kind, Fault> {
        match self.after_space() {
            Some(b'"') => Ok(Kind::String),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            _ => Err(self.expected("a value")),
        }
    }

    /// Enters the object or array whose bracket comes next.
    pub fn open(&mut self) -> Result<(), Fault> {
        if self.depth == MAX_DEPTH {
            return Err(Fault::syntax(self.at, Syntax::TooDeep));
        }
        self.at += 1;
        self.depth += 1;
        Ok(())
    }

    /// The next key of the object that was entered, its value then comes next; `None` when the
    /// object has ended and was left. `first` is true before the first key, and is kept here.
    pub fn next_key(&mut self, first: &mut bool) -> Result<Option<Text>, Fault> {
        self.metered_key(first, &mut ())
    }

    /// The same, and `meter` sees the key: decoded, so that an escape in it hides nothing.
    fn metered_key(&mut self, first: &mut bool, meter: &mut impl Meter) -> Result<Option<Text>, Fault> {
        const KEY: &str = "a key in double quotes";
        match self.after_space() {
            Some(b'}') => {
                self.close();
                return Ok(None);
            }
            Some(b',') if !*first => self.at += 1,
            _ if *first => {}
            _ => return Err(self.expected("`,` or `}`")),
        }
        *first = false;
        if self.after_space() != Some(b'"') {
            return Err(self.expected(KEY));
        }
        meter.mark();
        let key = self.string(meter)?;
        meter.mark();
        if self.after_space() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        Ok(Some(key))
    }

    /// Whether the array that was entered has another element, which then comes next; at its end
    /// it is left. `first` as for [`Cursor::next_key`].
    pub fn next_element(&mut self, first: &mut bool) -> Result<bool, Fault> {
        match self.after_space() {
            Some(b']') => {
                self.close();
                return Ok(false);
            }
            Some(b',') if !*first => self.at += 1,
            _ if *first => {}
            _ => return Err(self.expected("`,` or `]`")),
        }
        *first = false;
        Ok(true)
    }

    /// Reads the string that comes next.
    pub fn string(&mut self, meter: &mut impl Meter) -> Result<Text, Fault> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += meter.run(self.rest());
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    let unit = self.escape()?;
                    meter.unit(unit);
                    self.at += meter.mixed(self.rest());
                }
                Some(_) => return Err(Fault::syntax(self.at, Syntax::ControlCharacter)),
                None => return Err(self.unfinished()),
            }
        }
        let end = self.at;
        self.at += 1;
        Ok(Text { start, end, escaped })
    }

    /// Reads the number that comes next; as it is written.
    pub fn number(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        self.take(b"-");
        if !self.take(b"0") {
            self.digits(start)?;
        }
        if self.take(b".") {
            self.digits(start)?;
        }
        if self.take(b"eE") {
            self.take(b"+-");
            self.digits(start)?;
        }
        Ok(self.body.get(start..self.at).unwrap_or_default())
    }

    /// Passes over the value that comes next, however deep, and lets `meter` see it.
    pub fn skip(&mut self, meter: &mut impl Meter) -> Result<(), Fault> {
        let floor = self.depth;
        let mut objects: u128 = 0; // the lowest bit is the innermost level: an object, or an array
        loop {
            let kind = self.kind()?;
            let mut first = matches!(kind, Kind::Object | Kind::Array);
            if first {
                self.open()?;
                meter.mark();
                objects = objects << 1 | u128::from(kind == Kind::Object);
            } else {
                self.scalar(kind, meter)?;
            }
            loop {
                if self.depth == floor {
                    return Ok(());
                }
                if self.next_value(objects & 1 == 1, &mut first, meter)? {
                    break;
                }
                meter.mark();
                objects >>= 1;
                first = false;
            }
        }
    }

    /// Fails unless nothing but white space is left.
    pub fn end(&mut self) -> Result<(), Fault> {
        match self.after_space() {
            None => Ok(()),
            Some(_) => Err(Fault::syntax(self.at, Syntax::TrailingData)),
        }
    }

    /// Goes to the next value of the innermost object or array; false when that has ended.
    fn next_value(&mut self, object: bool, first: &mut bool, meter: &mut impl Meter) -> Result<bool, Fault> {
        if !object {
            return self.next_element(first);
        }
        Ok(self.metered_key(first, meter)?.is_some())
    }

    /// Passes over a value that holds no others.
    fn scalar(&mut self, kind: Kind, meter: &mut impl Meter) -> Result<(), Fault> {
        match kind {
            Kind::String => {
                meter.mark();
                self.string(meter)?;
                meter.mark();
            }
            Kind::Number => {
                let number = self.number()?;
                meter.bare(number.as_bytes());
            }
            Kind::True => self.word("true", meter)?,
            Kind::False => self.word("false", meter)?,
            Kind::Null | Kind::Object | Kind::Array => self.word("null", meter)?,
        }
        Ok(())
    }

    /// Passes over one of the three words.
    fn word(&mut self, word: &'static str, meter: &mut impl Meter) -> Result<(), Fault> {
        for &letter in word.as_bytes() {
            if self.bytes.get(self.at) != Some(&letter) {
                return Err(self.expected(word));
            }
            self.at += 1;
        }
        meter.bare(word.as_bytes());
        Ok(())
    }

    /// Reads an escape; answers the UTF-16 unit it stands for.
    fn escape(&mut self) -> Result<u16, Fault> {
        let bad = Fault::syntax(self.at, Syntax::Escape);
        let unit = match self.bytes.get(self.at + 1) {
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).ok_or_else(|| self.unfinished())?;
                self.at += 4;
                super::text::hex(digits).ok_or(bad)?
            }
            Some(&letter) => super::text::short_escape(letter).map(u16::from).ok_or(bad)?,
            None => return Err(self.unfinished()),
        };
        self.at += 2;
        Ok(unit)
    }

    /// One digit and all that follow it, of the number that began at `start`.
    fn digits(&mut self, start: usize) -> Result<(), Fault> {
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        match (digits, self.bytes.get(self.at)) {
            (0, None) => Err(self.unfinished()),
            (0, Some(_)) => Err(Fault::syntax(start, Syntax::Number)),
            _ => Ok(()),
        }
    }

    /// Passes over the next byte if it is one of these.
    fn take(&mut self, any: &[u8]) -> bool {
        let taken = self.bytes.get(self.at).is_some_and(|byte| any.contains(byte));
        self.at += usize::from(taken);
        taken
    }

    /// Leaves the innermost object or array.
    const fn close(&mut self) {
        self.at += 1;
        self.depth -= 1;
    }

    /// Passes over white space; the byte that comes next.
    fn after_space(&mut self) -> Option<u8> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn expected(&self, what: &'static str) -> Fault {
        if self.at < self.bytes.len() {
            return Fault::syntax(self.at, Syntax::Expected(what));
        }
        self.unfinished()
    }

    const fn unfinished(&self) -> Fault {
        Fault::syntax(self.bytes.len(), Syntax::Unfinished)
    }
}

/// How many bytes come before one that a string cannot hold as it is: a quote, a backslash or a
/// control character. Whole blocks first, without a branch a byte, so that the compiler can use vectors.
pub(super) fn plain_run(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let clean = blocks.iter().take_while(|block| !block.iter().fold(false, |any, &byte| any | stops(byte)));
    let passed = clean.count() * BLOCK;
    let rest = bytes.get(passed..).unwrap_or_default();
    passed + rest.iter().position(|&byte| stops(byte)).unwrap_or(rest.len())
}

#[expect(clippy::needless_bitwise_bool, reason = "a branch would keep the compiler from using vectors")]
const fn stops(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[cfg(test)]
mod tests;
