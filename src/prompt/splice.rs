//! The forwarded body: the client's bytes, but for the model's name and stripped tags.

use std::ops::Range;

use super::Prompt;

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

impl Prompt {
    /// The body to forward: `body`, which must be the one that was read, with `model` as its model
    /// and the tags taken out. Every other byte is the client's.
    pub fn forwarded(&self, body: &[u8], model: &str) -> Vec<u8> {
        let (place, written) = self.model_splice(model);
        let mut out = Vec::with_capacity(self.length(body.len(), &place, written.len()));
        let mut at = 0;
        let before = self.removed.partition_point(|removed| removed.start < place.start);
        let (head, tail) = self.removed.split_at(before);
        for removed in head {
            copy(body, &mut at, removed, &mut out);
        }
        copy(body, &mut at, &place, &mut out);
        out.extend_from_slice(written.as_bytes());
        for removed in tail {
            copy(body, &mut at, removed, &mut out);
        }
        out.extend_from_slice(body.get(at..).unwrap_or_default());
        out
    }

    /// The length of [`Prompt::forwarded`], of a body of `length` bytes.
    pub fn forwarded_len(&self, length: usize, model: &str) -> usize {
        let (place, written) = self.model_splice(model);
        self.length(length, &place, written.len())
    }

    fn length(&self, body: usize, place: &Range<usize>, written: usize) -> usize {
        let removed: usize = self.removed.iter().map(ExactSizeIterator::len).sum();
        (body + written).saturating_sub(removed + place.len())
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

/// Copies what comes before `left_out`, and passes over it.
fn copy(body: &[u8], at: &mut usize, left_out: &Range<usize>, out: &mut Vec<u8>) {
    out.extend_from_slice(body.get(*at..left_out.start).unwrap_or_default());
    *at = left_out.end;
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
