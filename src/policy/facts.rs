//! What a rule can see of one request: plain values, read once, never the prompt itself.

use super::{Feature, HeaderTestId, ModelId, PatternId, TagId};
use crate::openai::Endpoint;

/// Everything the engine knows of one request. No prompt text, no header value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The endpoint that was asked.
    pub endpoint: Endpoint,
    /// The model's name as the client sent it; `auto` when it sent none.
    pub model: String,
    /// Its place in [`super::Policy::models`]; `None` when no such name is configured.
    pub model_id: Option<ModelId>,
    /// Estimated prompt tokens: system, tools, history, images.
    pub tokens: u64,
    /// Output tokens the client asked for, where it said so.
    pub max_output_tokens: Option<u64>,
    /// The tags found in the last user message, by id, ascending.
    pub tags: Vec<TagId>,
    /// The prompt patterns that matched the last user message, by id, ascending.
    pub patterns: Vec<PatternId>,
    /// The header tests that hold, by id, ascending.
    pub headers: Vec<HeaderTestId>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Whether tools (or functions) are offered; an empty list is none.
    pub tools: bool,
    /// Whether an image is in any message.
    pub images: bool,
    /// The client's name; `lan` where no keys are asked for.
    pub client: String,
}

impl Facts {
    /// Tokens the request needs of a context window: prompt and requested output.
    pub fn needed(&self) -> u64 {
        self.tokens.saturating_add(self.max_output_tokens.unwrap_or(0))
    }

    /// Whether the request has what `has` asks for.
    pub const fn has(&self, feature: Feature) -> bool {
        match feature {
            Feature::Tools => self.tools,
            Feature::Images => self.images,
            Feature::Stream => self.stream,
        }
    }
}
