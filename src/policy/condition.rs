//! What a rule may ask: one variant and one arm a condition.

use super::{Facts, GateId, GateState, HeaderTestId, PatternId, TagId, View};
use crate::openai::Endpoint;

/// A condition of a rule. Header and pattern tests were evaluated when the facts were read,
/// so that `holds` is a look at plain values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// All of them hold; holds when empty.
    All(Vec<Condition>),
    /// Any of them holds; fails when empty.
    Any(Vec<Condition>),
    /// The inner one does not hold.
    Not(Box<Condition>),
    /// A test of [`super::Policy::header_tests`] holds.
    Header(HeaderTestId),
    /// The requested model's name is one of these.
    Model(Vec<String>),
    /// One of these tags stands in the last user message.
    Tag(Vec<TagId>),
    /// One of these patterns of [`super::PromptPolicy::patterns`] matches the last user message.
    PromptMatches(Vec<PatternId>),
    /// The estimated prompt tokens are in `at_least..below`.
    Tokens {
        /// Lower bound, inclusive.
        at_least: Option<u64>,
        /// Upper bound, exclusive.
        below: Option<u64>,
    },
    /// The gate is in one of these states (`draining` counts as `closed`).
    Gate(GateId, Vec<GateWord>),
    /// The client is one of these.
    Client(Vec<String>),
    /// The path is one of these.
    Path(Vec<Endpoint>),
    /// The request has one of these.
    Has(Vec<Feature>),
}

/// A gate's state as a condition names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateWord {
    /// Requests may pass.
    Open,
    /// None may, unless it is forced; `draining` too.
    Closed,
    /// Nobody knows: treated like closed by the engine.
    Unknown,
}

/// What `has` can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Tools or functions are offered.
    Tools,
    /// An image is in a message.
    Images,
    /// A stream is asked for.
    Stream,
}

impl Condition {
    /// Whether it holds for this request at this moment.
    pub fn holds(&self, facts: &Facts, view: &View) -> bool {
        match self {
            Self::All(inner) => inner.iter().all(|condition| condition.holds(facts, view)),
            Self::Any(inner) => inner.iter().any(|condition| condition.holds(facts, view)),
            Self::Not(inner) => !inner.holds(facts, view),
            Self::Header(test) => facts.headers.contains(test),
            Self::Model(names) => names.contains(&facts.model),
            Self::Tag(tags) => tags.iter().any(|tag| facts.tags.contains(tag)),
            Self::PromptMatches(patterns) => patterns.iter().any(|id| facts.patterns.contains(id)),
            Self::Tokens { at_least, below } => {
                at_least.is_none_or(|bound| facts.tokens >= bound)
                    && below.is_none_or(|bound| facts.tokens < bound)
            }
            Self::Gate(id, words) => words.contains(&GateWord::of(view.gate(*id).state)),
            Self::Client(names) => names.contains(&facts.client),
            Self::Path(paths) => paths.contains(&facts.endpoint),
            Self::Has(features) => features.iter().any(|feature| facts.has(*feature)),
        }
    }
}

impl GateWord {
    /// The word by which conditions know a state.
    pub const fn of(state: GateState) -> Self {
        match state {
            GateState::Open => Self::Open,
            GateState::Closed | GateState::Draining => Self::Closed,
            GateState::Unknown => Self::Unknown,
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }
}

impl Feature {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Tools, Self::Images, Self::Stream];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Images => "images",
            Self::Stream => "stream",
        }
    }
}

#[cfg(test)]
mod tests;
