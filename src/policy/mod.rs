//! The decision, and the words it is made of. Pure: no I/O, no clock, no Pingora, no serde.
//!
//! ```text
//! Facts (one request) ─┐
//! View  (the fleet)   ─┼─▶ Policy::decide ─▶ Decision { outcome, reason, candidates }
//! Policy (the file)   ─┘        decide.rs ★
//! ```

mod billing;
mod client;
mod condition;
mod decide;
mod decision;
mod estate;
mod facts;
mod rule;
#[cfg(test)]
pub(crate) mod sample;
mod trace;
mod view;

pub use billing::{Budget, Money, Price, RESERVED_OUTPUT, Secret};
pub use client::{Client, KeyHash, Rate};
pub use condition::{Condition, Feature, GateWord};
pub use decision::{DecidedBy, Decision, Outcome, Reason, Refusal, Verdict};
pub use estate::{Access, Backend, Balance, Gate, Gpu, Health, Kind, Model, OnClose, Timeouts};
pub use facts::Facts;
pub use rule::{HeaderOp, HeaderTest, Policy, PromptPolicy, Rule};
pub use trace::{RuleTrace, grouped};
pub use view::{GateState, GateView, View};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub usize);
    )*};
}

ids! {
    /// A place in [`Policy::backends`].
    BackendId;
    /// A place in [`Policy::gates`].
    GateId;
    /// A place in [`Policy::gpus`].
    GpuId;
    /// A place in [`Policy::models`].
    ModelId;
    /// A place in [`Policy::rules`].
    RuleId;
    /// A place in [`PromptPolicy::tags`].
    TagId;
    /// A place in [`PromptPolicy::patterns`].
    PatternId;
    /// A place in [`Policy::header_tests`].
    HeaderTestId;
}
