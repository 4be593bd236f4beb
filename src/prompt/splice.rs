//! The forwarded body: the client's bytes, but for the model's name, stripped tags, and where it is asked for
//! the wish to hear what was used.

use std::borrow::Cow;
use std::iter;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::Prompt;

/// A body to forward, in pieces: what was changed and what is short is copied, long stretches are the
/// client's own bytes.
#[derive(Debug, Clone, Default)]
pub struct Forwarded {
    pieces: Vec<Bytes>,
    length: usize,
}

/// A stretch of this many bytes is not copied.
const LONG: usize = if cfg!(fuzzing) { 16 } else { 16 * 1024 };

/// Where the model's name goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ModelPlace {
    /// In the place of this value, quotes included.
    Value(Range<usize>),
    /// Before the object's first key, which stands behind this offset.
    First(usize),
    /// Behind this offset, in an object that has no key.
    Only(usize),
}

/// Where `stream_options.include_usage` goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UsagePlace {
    /// There are no stream options: before the object's first key, which stands behind this offset.
    Absent(usize),
    /// In the place of this value, which is no object.
    Options(Range<usize>),
    /// Behind this offset, in the options, which have other keys or none.
    Inside(usize, bool),
    /// In the place of this value.
    Value(Range<usize>),
}

/// What is taken out, and what is put there.
type Edit<'t> = (Range<usize>, Cow<'t, str>);

impl Prompt {
    /// The body to forward: `body`, which must be the one that was read, with `model` as its model
    /// and the tags taken out. Every other byte is the client's.
    pub fn forwarded(&self, body: &Bytes, model: &str) -> Forwarded {
        apply(body, &self.edits(model))
    }

    /// As [`Prompt::forwarded`], and with `stream_options.include_usage` where the client left it out.
    pub fn forwarded_with_usage(&self, body: &Bytes, model: &str) -> Forwarded {
        let mut edits = self.edits(model);
        if !self.include_usage {
            let edit = self.usage.edit();
            // Behind an insertion at the same place: each of them ends with its own comma.
            edits.insert(edits.partition_point(|(range, _)| range.start <= edit.0.start), edit);
        }
        apply(body, &edits)
    }

    /// In the body's order.
    fn edits(&self, model: &str) -> Vec<Edit<'_>> {
        let (place, written) = self.model_splice(model);
        let mut edits: Vec<Edit<'_>> = Vec::with_capacity(self.removed.len() + 2);
        edits.extend(self.removed.iter().map(|removed| (removed.clone(), Cow::Borrowed(""))));
        let at = edits.partition_point(|(range, _)| range.start < place.start);
        edits.insert(at, (place, Cow::Owned(written)));
        edits
    }

    /// What is taken out for the model's name, and what is put in.
    fn model_splice(&self, model: &str) -> (Range<usize>, String) {
        let name = quoted(model);
        match &self.place {
            ModelPlace::Value(range) => (range.clone(), name),
            ModelPlace::First(at) => (*at..*at, format!("\"model\":{name},")),
            ModelPlace::Only(at) => (*at..*at, format!("\"model\":{name}")),
        }
    }
}

impl UsagePlace {
    fn edit(&self) -> Edit<'static> {
        match self {
            Self::Absent(at) => (*at..*at, r#""stream_options":{"include_usage":true},"#.into()),
            Self::Options(range) => (range.clone(), r#"{"include_usage":true}"#.into()),
            Self::Inside(at, true) => (*at..*at, r#""include_usage":true,"#.into()),
            Self::Inside(at, false) => (*at..*at, r#""include_usage":true"#.into()),
            Self::Value(range) => (range.clone(), "true".into()),
        }
    }
}

impl Forwarded {
    /// All of its pieces, in order, none of them empty.
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// Its bytes.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// In one piece; copied where it is in several.
    pub fn whole(&self) -> Bytes {
        match self.pieces.as_slice() {
            [] => Bytes::new(),
            [one] => one.clone(),
            several => several.concat().into(),
        }
    }

    fn add(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.length += piece.len();
            self.pieces.push(piece);
        }
    }
}

/// The body with these edits, which are in order and apart.
fn apply(body: &Bytes, edits: &[Edit<'_>]) -> Forwarded {
    // What is kept before each edit, and behind the last.
    let starts = iter::once(0).chain(edits.iter().map(|(range, _)| range.end));
    let ends = edits.iter().map(|(range, _)| range.start).chain([body.len()]);
    let kept = starts.zip(ends).map(|(start, end)| body.get(start..end).unwrap_or_default());
    let texts = edits.iter().map(|(_, text)| text.as_bytes()).chain([&[][..]]);

    let short: usize = kept.clone().map(<[u8]>::len).filter(|&length| length < LONG).sum();
    let written: usize = texts.clone().map(<[u8]>::len).sum();
    let mut copied = BytesMut::with_capacity(short + written);
    let mut forwarded = Forwarded::default();
    for (kept, text) in kept.zip(texts) {
        if kept.len() < LONG {
            copied.extend_from_slice(kept);
        } else {
            forwarded.add(copied.split().freeze());
            forwarded.add(body.slice_ref(kept));
        }
        copied.extend_from_slice(text);
    }
    forwarded.add(copied.freeze());
    forwarded
}

/// `text` as a JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\0'..' ' => {
                out.push_str(if character < '\u{10}' { "\\u000" } else { "\\u001" });
                out.extend(char::from_digit(u32::from(character) % 16, 16));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
