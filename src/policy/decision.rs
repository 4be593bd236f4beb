//! What the engine answers: a backend or a refusal, and for every candidate why or why not.

use super::{BackendId, RuleId};

/// Why a candidate was not used, or `Matched`. [`Reason::as_str`] feeds the header, the metric
/// label, the audit field and the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The rule's own backend is used.
    Matched,
    /// Its gate is closed (or draining).
    GateClosed,
    /// Its gate's mode is not known.
    GateUnknown,
    /// The model behind the gate is asleep or stopped.
    Asleep,
    /// No peer of it is healthy.
    Unhealthy,
    /// No connection could be made.
    ConnectFailed,
    /// It answered with a failure, or went away without an answer.
    UpstreamError,
    /// It did not answer in time.
    UpstreamTimeout,
    /// Prompt and output exceed its context window.
    OverContext,
    /// Its card's queue is full.
    QueueFull,
    /// Its card had no free slot in time.
    QueueTimeout,
    /// The client may not use it.
    NotAllowed,
    /// Its budget is used up.
    OverBudget,
}

/// The engine's answer for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What decided: a rule, a pinned model, the path; `None` when nothing got so far.
    pub decided_by: Option<DecidedBy>,
    /// Route or refuse.
    pub outcome: Outcome,
    /// `Matched`, or why the first candidate is not the one used; `Matched` too where there was none.
    pub reason: Reason,
    /// Whether the rule lets this request pass gates that are not open (they may have been open anyway).
    pub forced: bool,
    /// Every candidate in order, with its verdict.
    pub candidates: Vec<(BackendId, Verdict)>,
}

/// What named the candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// The rule at this place.
    Rule(RuleId),
    /// A model that is pinned to a backend: `model:NAME`.
    Model,
    /// The speech path: `path`.
    Path,
}

/// Where the request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// To this backend.
    Route(BackendId),
    /// To nobody.
    Refuse(Refusal),
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one.
    Chosen,
    /// One before it was chosen.
    NotNeeded,
    /// It cannot be used, for this reason.
    Not(Reason),
}

/// Why nobody gets the request. `proxy/refuse.rs` gives it a status and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No such model name.
    UnknownModel,
    /// A language model on the speech path, or a speech model elsewhere.
    WrongEndpoint,
    /// It fits no window; the largest considered.
    ContextLengthExceeded {
        /// Tokens of the largest window considered.
        window: u64,
    },
    /// No candidate is usable; the reason of the last one that was not merely too small.
    NoCandidate(Reason),
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Matched,
        Self::GateClosed,
        Self::GateUnknown,
        Self::Asleep,
        Self::Unhealthy,
        Self::ConnectFailed,
        Self::UpstreamError,
        Self::UpstreamTimeout,
        Self::OverContext,
        Self::QueueFull,
        Self::QueueTimeout,
        Self::NotAllowed,
        Self::OverBudget,
    ];

    /// The word for it, everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::GateClosed => "gate_closed",
            Self::GateUnknown => "gate_unknown",
            Self::Asleep => "asleep",
            Self::Unhealthy => "unhealthy",
            Self::ConnectFailed => "connect_failed",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::OverContext => "over_context",
            Self::QueueFull => "queue_full",
            Self::QueueTimeout => "queue_timeout",
            Self::NotAllowed => "not_allowed",
            Self::OverBudget => "over_budget",
        }
    }
}

impl Verdict {
    /// The word for it in a trace.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::NotNeeded => "not_needed",
            Self::Not(reason) => reason.as_str(),
        }
    }
}
