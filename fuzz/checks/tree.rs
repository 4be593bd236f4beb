//! A JSON document as `serde_json` reads it, with what its own tree loses: the order of keys and keys that
//! stand twice, numbers as they are written, halves of surrogate pairs.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The levels of arrays and objects that a body may have.
const LEVELS: usize = 128;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(Text),
    Array(Vec<Tree>),
    Object(Vec<(Text, Tree)>),
}

/// What a string says, in UTF-16 units, since half of a pair may stand alone; and which string it is.
#[derive(Debug, Clone)]
pub struct Text {
    pub units: Vec<u16>,
    /// The place of the string among the document's values that are strings.
    pub place: usize,
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.units == other.units
    }
}

impl Text {
    pub fn new(text: &str) -> Self {
        Self { units: text.encode_utf16().collect(), place: usize::MAX }
    }

    pub fn says(&self, word: &str) -> bool {
        word.encode_utf16().eq(self.units.iter().copied())
    }

    /// With U+FFFD for each half that stands alone.
    pub fn lossy(&self) -> String {
        String::from_utf16_lossy(&self.units)
    }
}

/// The tree of a document; `None` where it is no JSON, or none that is taken: no UTF-8, too deep.
pub fn parse(body: &[u8]) -> Option<Tree> {
    let text = std::str::from_utf8(body).ok()?;
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    value(text, LEVELS, &mut 0)
}

/// A value that is known to be JSON; `None` where it has more levels than these.
fn value(text: &str, levels: usize, strings: &mut usize) -> Option<Tree> {
    let text = text.trim_matches([' ', '\t', '\n', '\r']);
    Some(match text.as_bytes().first()? {
        b'n' => Tree::Null,
        b't' => Tree::Bool(true),
        b'f' => Tree::Bool(false),
        b'"' => {
            *strings += 1;
            let Units(units) = serde_json::from_str(text).expect("a string");
            Tree::Text(Text { units, place: *strings })
        }
        b'[' => {
            let inner = levels.checked_sub(1)?;
            let elements: Vec<&RawValue> = serde_json::from_str(text).expect("an array");
            let mut read = |element: &&RawValue| value(element.get(), inner, strings);
            Tree::Array(elements.iter().map(&mut read).collect::<Option<_>>()?)
        }
        b'{' => {
            let inner = levels.checked_sub(1)?;
            let Members(members) = serde_json::from_str(text).expect("an object");
            let read = |(Units(units), member): (Units, &RawValue)| {
                let key = Text { units, place: usize::MAX };
                Some((key, value(member.get(), inner, strings)?))
            };
            Tree::Object(members.into_iter().map(read).collect::<Option<_>>()?)
        }
        _ => Tree::Number(text.to_owned()),
    })
}

/// A string's units. `serde_json` gives its bytes where it must not give a `str`: as UTF-8 in which a lone half
/// is three bytes.
struct Units(Vec<u16>);

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Units;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Units, E> {
                Ok(Units(units(bytes)))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// The members of an object, in order, however often a key stands in it.
struct Members<'de>(Vec<(Units, &'de RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// UTF-16 of UTF-8 that may hold halves of surrogate pairs.
fn units(mut bytes: &[u8]) -> Vec<u16> {
    let mut units = Vec::new();
    while !bytes.is_empty() {
        match bytes {
            [0xed, second @ 0xa0..=0xbf, third, rest @ ..] => {
                units.push(0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f));
                bytes = rest;
            }
            _ => {
                let end = bytes.windows(2).position(|pair| matches!(pair, [0xed, 0xa0..=0xbf]));
                let (plain, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                units.extend(std::str::from_utf8(plain).expect("the rest is UTF-8").encode_utf16());
                bytes = rest;
            }
        }
    }
    units
}

/// How a tree is written.
#[derive(Debug, Clone, Copy)]
pub enum Style {
    /// No white space, and no escape that is not needed.
    Tight,
    /// White space wherever it may stand.
    Wide,
    /// Every character of every string as an escape.
    Escaped,
}

/// The tree as a document.
pub fn written(tree: &Tree, style: Style) -> String {
    let mut out = String::new();
    write(tree, style, &mut out);
    out
}

fn write(tree: &Tree, style: Style, out: &mut String) {
    space(style, out);
    match tree {
        Tree::Null => out.push_str("null"),
        Tree::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Tree::Number(number) => out.push_str(number),
        Tree::Text(text) => quote(text, style, out),
        Tree::Array(elements) => {
            listed(['[', ']'], elements, style, out, |element, out| write(element, style, out));
        }
        Tree::Object(members) => listed(['{', '}'], members, style, out, |(key, member), out| {
            space(style, out);
            quote(key, style, out);
            space(style, out);
            out.push(':');
            write(member, style, out);
        }),
    }
    space(style, out);
}

fn listed<T>(
    [open, close]: [char; 2],
    items: &[T],
    style: Style,
    out: &mut String,
    write: impl Fn(&T, &mut String),
) {
    out.push(open);
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write(item, out);
    }
    space(style, out);
    out.push(close);
}

fn space(style: Style, out: &mut String) {
    if matches!(style, Style::Wide) {
        out.push_str(" \r\n\t");
    }
}

fn quote(text: &Text, style: Style, out: &mut String) {
    out.push('"');
    for character in char::decode_utf16(text.units.iter().copied()) {
        match character {
            Ok(character) if !matches!(style, Style::Escaped) => plain(character, out),
            Ok(character) => {
                character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| escape(*unit, out));
            }
            Err(half) => escape(half.unpaired_surrogate(), out),
        }
    }
    out.push('"');
}

fn plain(character: char, out: &mut String) {
    match character {
        '"' | '\\' => out.extend(['\\', character]),
        '\0'..' ' => escape(character as u16, out),
        _ => out.push(character),
    }
}

fn escape(unit: u16, out: &mut String) {
    out.push_str(&format!("\\u{unit:04x}"));
}
