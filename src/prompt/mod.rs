//! A request's body: what the rules may see of it, and the body that is forwarded. Pure.
//!
//! ```text
//! body bytes ─▶ UTF-8 ─▶ Cursor (JSON, strict) ─▶ Reader (this endpoint's shape) ─▶ Patterns ─▶ Prompt
//!                        cursor.rs                shapes.rs, messages.rs            patterns.rs
//!                          │ counts on the way: tokens.rs
//! Prompt::forwarded(body, model) ─▶ the client's bytes, but for the model's name and stripped tags: splice.rs
//! ```
//!
//! One pass, no tree, no copy: a text is decoded only where it has escapes and a tag or pattern may
//! match in it; what is forwarded shares the client's bytes. `docs/prompt.md` says what is read and what is promised.

mod cursor;
mod fault;
mod keys;
mod messages;
mod patterns;
mod shapes;
mod splice;
mod text;
mod tokens;

use std::ops::Range;

pub use fault::{Fault, Shape, Syntax};
pub use patterns::{PatternError, Patterns, check_pattern};
pub use tokens::{FACTORS, Factors};

use crate::openai::Endpoint;
use crate::policy::{PatternId, TagId};
use cursor::Cursor;
use shapes::Reader;
pub use splice::Forwarded;
use splice::{ModelPlace, UsagePlace};

/// What was read of a body. It holds places in the body, and no text of it but the model's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The model as the client named it; empty when it named none.
    pub model: String,
    /// Estimated prompt tokens: system, tools, history, images.
    pub tokens: u64,
    /// Output tokens the client asked for; the largest where it said so twice.
    pub max_output_tokens: Option<u64>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Whether `stream_options.include_usage` is asked for.
    pub include_usage: bool,
    /// Whether a tool or function is offered.
    pub tools: bool,
    /// Whether there is an image in any message.
    pub images: bool,
    /// Tags in the last user message, ascending.
    pub tags: Vec<TagId>,
    /// Patterns that match in the last user message, ascending.
    pub patterns: Vec<PatternId>,
    /// Where the first text that a user said stands: the same in every turn of a conversation.
    beginning: Range<usize>,
    /// Where the model's name goes.
    place: ModelPlace,
    /// Where the wish to hear of usage goes.
    usage: UsagePlace,
    /// Tags to strip: ascending, apart, and apart from `place`.
    removed: Vec<Range<usize>>,
}

impl Prompt {
    /// What the conversation began with, as it stands in the body: it tells one from another.
    pub fn beginning<'b>(&self, body: &'b [u8]) -> &'b [u8] {
        body.get(self.beginning.clone()).unwrap_or_default()
    }
}

/// Reads a request's body.
///
/// # Errors
/// Why it is refused: no JSON document in UTF-8, or not the shape of a request.
pub fn read(body: &[u8], endpoint: Endpoint, patterns: &Patterns) -> Result<Prompt, Fault> {
    let text = utf8(body)?;
    let mut reader = Reader::new(text);
    reader.read(endpoint).map_err(|fault| gravest(text, fault))?;
    let sight = patterns.look(text, &reader.texts, &reader.last);
    reader.tally.add_tokens(reader.images.saturating_mul(patterns.image_tokens));
    Ok(Prompt {
        model: reader.model,
        tokens: reader.tally.tokens(),
        max_output_tokens: reader.max_output_tokens,
        stream: reader.stream,
        include_usage: reader.include_usage,
        tools: reader.tools,
        images: reader.images > 0,
        tags: sight.tags,
        patterns: sight.patterns,
        beginning: reader.texts.first().map_or(0..0, |text| text.start..text.end),
        place: reader.place,
        usage: reader.usage,
        removed: sight.removed,
    })
}

/// The body as text: UTF-8, not empty, without a byte order mark.
fn utf8(body: &[u8]) -> Result<&str, Fault> {
    let text = simdutf8::compat::from_utf8(body)
        .map_err(|error| Fault::syntax(error.valid_up_to(), Syntax::NotUtf8))?;
    if text.starts_with('\u{feff}') {
        return Err(Fault::syntax(0, Syntax::ByteOrderMark));
    }
    if text.trim_ascii().is_empty() {
        return Err(Fault::syntax(text.len(), Syntax::Empty));
    }
    Ok(text)
}

/// A fault of shape says that the body is JSON, so the rest of it is looked at before that is said.
fn gravest(text: &str, fault: Fault) -> Fault {
    if fault.is_syntax() {
        return fault;
    }
    let mut cursor = Cursor::new(text);
    cursor.skip(&mut ()).and_then(|()| cursor.end()).err().unwrap_or(fault)
}

#[cfg(test)]
mod tests;
