//! What an answer says it has used: read off its bytes, without a tree of the whole.

use std::fmt;
use std::sync::LazyLock;

use memchr::memmem::FinderRev;
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::{Deserializer, Value};

/// Bytes at the end of a plain answer in which its usage is looked for. It stands behind the choices.
pub const TAIL: usize = 64 * 1024;

/// The member that holds it, as it stands in JSON.
const KEY: &[u8] = b"\"usage\"";

static FROM_BEHIND: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(KEY));

/// So many members of that name are looked at, from the last one backwards: a stream whose usage is null
/// has one in each event, and an answer has one.
const TRIES: usize = 16;

/// Tokens as a backend reports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt: `prompt_tokens` or `input_tokens`.
    pub prompt: Option<u64>,
    /// Tokens of the answer: `completion_tokens` or `output_tokens`.
    pub completion: Option<u64>,
}

impl Usage {
    /// What is known after another report: a later number takes the place of an earlier one.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self { prompt: later.prompt.or(self.prompt), completion: later.completion.or(self.completion) }
    }
}

/// A usage object. Members that it does not know are passed over, also numbers that are none.
struct Object(Usage);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

/// A member's name.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    PromptTokens,
    CompletionTokens,
    InputTokens,
    OutputTokens,
    #[serde(other)]
    Other,
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a usage object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Object, A::Error> {
        // OpenAI's names, and where those are missing Anthropic's.
        let (mut usage, mut other) = (Usage::default(), Usage::default());
        while let Some(name) = members.next_key()? {
            let place = match name {
                Name::PromptTokens => &mut usage.prompt,
                Name::CompletionTokens => &mut usage.completion,
                Name::InputTokens => &mut other.prompt,
                Name::OutputTokens => &mut other.completion,
                Name::Other => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *place = members.next_value::<Value>()?.as_u64();
        }
        Ok(Object(other.then(usage)))
    }
}

/// The usage of a plain answer, or of as much of its end as is at hand; `None` where it has none. Only
/// the last [`TAIL`] bytes are looked at.
pub fn of_answer(body: &[u8]) -> Option<Usage> {
    let start = body.len().saturating_sub(TAIL);
    of_json(body.get(start..).unwrap_or_default())
}

/// The last usage object in a piece of JSON, at any depth; what comes before the piece may be missing.
pub fn of_json(json: &[u8]) -> Option<Usage> {
    FROM_BEHIND.rfind_iter(json).take(TRIES).find_map(|at| {
        let (before, from_key) = json.split_at(at);
        if before.last() == Some(&b'\\') {
            return None; // The quote is escaped: text that ends in `"usage`, not a member.
        }
        let value = after_colon(from_key.get(KEY.len()..)?)?;
        let Object(usage) = Deserializer::from_slice(value).into_iter().next()?.ok()?;
        (usage != Usage::default()).then_some(usage)
    })
}

/// What follows a colon, where an object begins there.
fn after_colon(text: &[u8]) -> Option<&[u8]> {
    let value = text.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    value.starts_with(b"{").then_some(value)
}

/// The end of an answer that passes by in pieces: never more than twice [`TAIL`] bytes are kept.
#[derive(Debug, Default)]
pub struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    /// Takes the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        let start = piece.len().saturating_sub(TAIL);
        let piece = piece.get(start..).unwrap_or_default();
        if self.bytes.len() + piece.len() > 2 * TAIL {
            let surplus = self.bytes.len().saturating_sub(TAIL);
            self.bytes.drain(..surplus);
        }
        self.bytes.extend_from_slice(piece);
    }

    /// The usage of all that was pushed.
    pub fn usage(&self) -> Option<Usage> {
        of_answer(&self.bytes)
    }
}

#[cfg(test)]
mod tests;
