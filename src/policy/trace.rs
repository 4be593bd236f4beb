//! Why each rule did or did not hold, in words that an operator reads.

use super::{Condition, Facts, GateId, HeaderOp, HeaderTestId, Policy, Rule, View};

/// One rule's trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTrace {
    /// The rule's name.
    pub name: String,
    /// Whether it holds.
    pub matched: bool,
    /// Why: one line a condition that decided it.
    pub because: Vec<String>,
}

impl Policy {
    /// Every rule, also those below the one that decides: whether it holds, and why or why not.
    pub fn trace(&self, facts: &Facts, view: &View) -> Vec<RuleTrace> {
        let teller = Teller { policy: self, facts, view };
        self.rules.iter().map(|rule| teller.rule(rule)).collect()
    }
}

/// A whole number with its thousands apart: `2,431`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Tells how things stand. Each line says what is the case, whether its condition holds or not.
struct Teller<'a> {
    policy: &'a Policy,
    facts: &'a Facts,
    view: &'a View,
}

impl Teller<'_> {
    fn rule(&self, rule: &Rule) -> RuleTrace {
        let (matched, because) = match &rule.when {
            Some(condition) => self.condition(condition),
            None => (true, vec!["always".to_owned()]),
        };
        RuleTrace { name: rule.name.clone(), matched, because }
    }

    fn condition(&self, condition: &Condition) -> (bool, Vec<String>) {
        let holds = condition.holds(self.facts, self.view);
        let because = match condition {
            Condition::All(inner) | Condition::Any(inner) => self.deciding(inner, holds),
            Condition::Not(inner) => {
                self.condition(inner).1.into_iter().map(|line| format!("not: {line}")).collect()
            }
            leaf => vec![self.leaf(leaf, holds)],
        };
        (holds, because)
    }

    /// Of `all` and of `any` alike, the parts that came out as the whole did are those that decided it.
    fn deciding(&self, inner: &[Condition], holds: bool) -> Vec<String> {
        if inner.is_empty() {
            return vec!["no condition is given".to_owned()];
        }
        let parts = inner.iter().map(|part| self.condition(part));
        parts.filter(|(held, _)| *held == holds).flat_map(|(_, lines)| lines).collect()
    }

    fn leaf(&self, leaf: &Condition, holds: bool) -> String {
        let facts = self.facts;
        match leaf {
            Condition::Header(id) => self.header(*id, holds),
            Condition::Model(names) => member("model", &facts.model, names, holds),
            Condition::Client(names) => member("client", &facts.client, names, holds),
            Condition::Path(paths) => {
                let paths: Vec<_> = paths.iter().map(|path| path.path()).collect();
                member("path", facts.endpoint.path(), &paths, holds)
            }
            Condition::Tag(ids) => {
                let tags = ids.iter().filter(|id| !holds || facts.tags.contains(id));
                let names = tags.filter_map(|id| self.policy.prompt.tags.get(id.0)).map(|(name, _)| name);
                found("tag", "no tag", names, holds)
            }
            Condition::PromptMatches(ids) => {
                let hits = ids.iter().filter(|id| !holds || facts.patterns.contains(id));
                let sources = hits.filter_map(|id| self.policy.prompt.patterns.get(id.0));
                found("prompt matches", "prompt does not match", sources, holds)
            }
            Condition::Has(features) => {
                let words = features.iter().filter(|feature| !holds || facts.has(**feature));
                found("has", "has no", words.map(|feature| feature.as_str()), holds)
            }
            Condition::Tokens { at_least, below } => tokens(facts.tokens, *at_least, *below),
            Condition::Gate(id, _) => self.gate(*id),
            // These are told by their parts.
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => String::new(),
        }
    }

    /// No header value is ever shown: only what the test asked, and how it came out.
    fn header(&self, id: HeaderTestId, holds: bool) -> String {
        let Some(test) = self.policy.header_tests.get(id.0) else {
            return "header test is not known".to_owned();
        };
        let name = &test.name;
        let not = if holds { "" } else { "not " };
        match &test.test {
            HeaderOp::Is(yes) if *yes == holds => format!("header {name} is yes"),
            HeaderOp::Is(_) => format!("header {name} is not yes"),
            HeaderOp::Equals(value) => format!("header {name} is {not}\"{value}\""),
            HeaderOp::Matches(source) if holds => format!("header {name} matches {source}"),
            HeaderOp::Matches(source) => format!("header {name} does not match {source}"),
            HeaderOp::Present(there) if *there == holds => format!("header {name} is present"),
            HeaderOp::Present(_) => format!("header {name} is absent"),
        }
    }

    fn gate(&self, id: GateId) -> String {
        format!("gate {} is {}", self.policy.gate_name(id), self.view.gate(id).state.as_str())
    }
}

/// Of a value that is asked to be one of some: `model big`, `model auto is not big`.
fn member<S: AsRef<str>>(what: &str, is: &str, asked: &[S], holds: bool) -> String {
    if holds { format!("{what} {is}") } else { format!("{what} {is} is not {}", listed(asked.iter())) }
}

/// Of something that is looked for: `tag force_big`, `no tag force_big`.
fn found<S: AsRef<str>>(here: &str, missing: &str, asked: impl Iterator<Item = S>, holds: bool) -> String {
    format!("{} {}", if holds { here } else { missing }, listed(asked))
}

fn listed<S: AsRef<str>>(words: impl Iterator<Item = S>) -> String {
    let mut out = String::new();
    for word in words {
        out.push_str(if out.is_empty() { "" } else { " or " });
        out.push_str(word.as_ref());
    }
    out
}

/// The bound that is not kept, or both when they are: `tokens 2,431 >= 2,000 and < 16,000`.
fn tokens(tokens: u64, at_least: Option<u64>, below: Option<u64>) -> String {
    let is = grouped(tokens);
    match (at_least, below) {
        (Some(bound), _) if tokens < bound => format!("tokens {is} < {}", grouped(bound)),
        (_, Some(bound)) if tokens >= bound => format!("tokens {is} >= {}", grouped(bound)),
        (Some(from), Some(to)) => format!("tokens {is} >= {} and < {}", grouped(from), grouped(to)),
        (Some(bound), None) => format!("tokens {is} >= {}", grouped(bound)),
        (None, Some(bound)) => format!("tokens {is} < {}", grouped(bound)),
        (None, None) => format!("tokens {is}"),
    }
}

#[cfg(test)]
mod tests;
