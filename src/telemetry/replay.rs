//! Deciding again about recorded facts, under another policy. Pure.
//!
//! Facts are found by name: a header test by its words, a pattern or tag by its source, gates and backends by
//! their names. What the policy asks and nobody recorded is *missing*; where the decision depends on it the
//! answer is that it cannot be decided, never a guess. A backend that was not there counts as usable.

mod recorded;

use serde_json::Value;

use crate::policy::{Condition, DecidedBy, Decision, Facts, GateState, Policy, View};
use recorded::Recorded;
pub use recorded::Unreadable;

/// What a policy makes of recorded facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// This.
    Decided {
        /// The decision.
        decision: Decision,
        /// The facts as this policy sees them.
        facts: Box<Facts>,
    },
    /// It asks for what was not recorded: `header x-team equals red`, `gate laptop`, …
    Undecidable(Vec<String>),
}

/// Decides again about `facts`, the member of that name of a record.
///
/// # Errors
/// When they are no facts.
pub fn decide(policy: &Policy, facts: &Value) -> Result<Again, Unreadable> {
    let recorded = Recorded::read(policy, facts)?;
    let open = policy.decide(&recorded.facts, &recorded.with_missing_gates(GateState::Open));
    let missing = recorded.missing_for(policy, &open);
    if !missing.is_empty() {
        return Ok(Again::Undecidable(missing));
    }
    // The conditions see no missing gate. Does a candidate stand behind one?
    let closed = policy.decide(&recorded.facts, &recorded.with_missing_gates(GateState::Closed));
    if open != closed {
        return Ok(Again::Undecidable(recorded.missing_gates(policy)));
    }
    Ok(Again::Decided { decision: open, facts: Box::new(recorded.facts) })
}

impl Recorded {
    /// What is missing to know that no rule before the one that decided holds, and that this one does.
    fn missing_for(&self, policy: &Policy, decision: &Decision) -> Vec<String> {
        let asked = match decision.decided_by {
            Some(DecidedBy::Rule(id)) => policy.rules.get(..=id.0).unwrap_or_default(),
            _ => &[],
        };
        let conditions = asked.iter().filter_map(|rule| rule.when.as_ref());
        let unknown = conditions.filter(|condition| self.holds(condition).is_none());
        let mut missing = Vec::new();
        unknown.for_each(|condition| self.add_missing(policy, condition, &mut missing));
        missing
    }

    /// Whether a condition holds; `None` where that depends on something that is missing.
    fn holds(&self, condition: &Condition) -> Option<bool> {
        match condition {
            Condition::All(inner) => self.settles(inner, false),
            Condition::Any(inner) => self.settles(inner, true),
            Condition::Not(inner) => self.holds(inner).map(|holds| !holds),
            // What is missing is seen as absent, and so holds for no header test, tag or pattern.
            leaf if self.is_known(leaf) => Some(leaf.holds(&self.facts, &self.view)),
            leaf => self.holds_by_the_known(leaf).then_some(true),
        }
    }

    /// One part that comes out as `decisive` settles the whole; else all parts must be known.
    fn settles(&self, inner: &[Condition], decisive: bool) -> Option<bool> {
        let parts: Vec<_> = inner.iter().map(|part| self.holds(part)).collect();
        if parts.contains(&Some(decisive)) {
            return Some(decisive);
        }
        (!parts.contains(&None)).then_some(!decisive)
    }

    /// Of a list of tags or patterns one that was found is enough, whatever the others are.
    fn holds_by_the_known(&self, leaf: &Condition) -> bool {
        !matches!(leaf, Condition::Gate(..)) && leaf.holds(&self.facts, &self.view)
    }

    fn is_known(&self, leaf: &Condition) -> bool {
        let missing = &self.missing;
        match leaf {
            Condition::Header(id) => !missing.headers.contains(id),
            Condition::Tag(ids) => !ids.iter().any(|id| missing.tags.contains(id)),
            Condition::PromptMatches(ids) => !ids.iter().any(|id| missing.patterns.contains(id)),
            Condition::Gate(id, _) => !missing.gates.contains(id),
            _ => true,
        }
    }

    /// The missing parts of a condition, by name, each once.
    fn add_missing(&self, policy: &Policy, condition: &Condition, names: &mut Vec<String>) {
        let missing = &self.missing;
        let found: Vec<String> = match condition {
            Condition::All(inner) | Condition::Any(inner) => {
                return inner.iter().for_each(|part| self.add_missing(policy, part, names));
            }
            Condition::Not(inner) => return self.add_missing(policy, inner, names),
            Condition::Header(id) if missing.headers.contains(id) => {
                policy.header_tests.get(id.0).map(|test| format!("header {test}")).into_iter().collect()
            }
            Condition::Tag(ids) => {
                let ids = ids.iter().filter(|id| missing.tags.contains(id));
                let tags = ids.filter_map(|id| policy.prompt.tags.get(id.0));
                tags.map(|(name, source)| format!("tag {name} as {source}")).collect()
            }
            Condition::PromptMatches(ids) => {
                let ids = ids.iter().filter(|id| missing.patterns.contains(id));
                let sources = ids.filter_map(|id| policy.prompt.patterns.get(id.0));
                sources.map(|source| format!("pattern {source}")).collect()
            }
            Condition::Gate(id, _) if missing.gates.contains(id) => {
                vec![format!("gate {}", policy.gate_name(*id))]
            }
            _ => Vec::new(),
        };
        names.extend(found.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
    }

    fn missing_gates(&self, policy: &Policy) -> Vec<String> {
        self.missing.gates.iter().map(|id| format!("gate {}", policy.gate_name(*id))).collect()
    }

    /// What was seen of the fleet, with this state for the gates of which nothing was.
    fn with_missing_gates(&self, state: GateState) -> View {
        let mut view = self.view.clone();
        for id in &self.missing.gates {
            if let Some(gate) = view.gates.get_mut(id.0) {
                gate.state = state;
            }
        }
        view
    }
}

#[cfg(test)]
mod tests;
