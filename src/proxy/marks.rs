//! What sluice says in an answer's head, as lines that are put into it on the way out
//! ([`crate::transport::Control::add_lines`]): Pingora's header map would cost more than all of routing.

use http::HeaderMap;

use super::exchange::Exchange;
use crate::openai::Endpoint;

/// Header lines, each with its CRLF.
#[derive(Debug, Default)]
pub struct Marks(String);

impl Marks {
    /// The lines.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    fn add(&mut self, name: &str, value: &str) {
        self.0.extend([name, ": "]);
        let begin = self.0.len();
        self.0.push_str(value);
        self.end(begin);
    }

    fn add_number(&mut self, name: &str, value: impl itoa::Integer) {
        self.add(name, itoa::Buffer::new().format(value));
    }

    /// `gaming_pc=open,…`
    fn add_pairs<'a>(&mut self, name: &str, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
        self.0.extend([name, ": "]);
        let begin = self.0.len();
        for (at, (key, value)) in pairs.enumerate() {
            self.0.extend([if at == 0 { "" } else { "," }, key, "=", value]);
        }
        self.end(begin);
    }

    /// No value, wherever it comes from, can end its line.
    fn end(&mut self, begin: usize) {
        let value = self.0.get(begin..).unwrap_or_default();
        if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            let plain = value.replace(|c: char| !matches!(c, ' '..='~'), "?");
            self.0.truncate(begin);
            self.0.push_str(&plain);
        }
        self.0.push_str("\r\n");
    }
}

impl Exchange {
    /// `x-request-id` and the `x-sluice-*` headers, as far as there is something to say; for Anthropic's
    /// clients `request-id` too, where the backend has `given` none.
    pub fn marks(&self, given: Option<&HeaderMap>) -> Marks {
        let mut marks = Marks(String::with_capacity(ROOM));
        marks.add(REQUEST_ID, &self.request_id);
        let anthropic = self.endpoint.is_some_and(Endpoint::is_anthropic);
        if anthropic && !given.is_some_and(|given| given.contains_key(ANTHROPIC_REQUEST_ID)) {
            marks.add(ANTHROPIC_REQUEST_ID, &self.request_id);
        }
        if self.endpoint.is_none() && self.refused.is_none() {
            return marks; // a model list or a health question: nothing was routed
        }
        if let Some(attempt) = self.attempt.as_ref().filter(|_| self.refused.is_none()) {
            marks.add(BACKEND, self.backend_name(attempt.backend));
        }
        if let Some(decision) = &self.decision {
            if decision.decided_by.is_some() {
                marks.add(RULE, &self.rule());
            }
            marks.add(REASON, decision.reason.as_str());
        }
        if !self.live.gates.is_empty() {
            let gates = self.live.gates.iter();
            marks.add_pairs(GATE, gates.map(|gate| (gate.name.as_str(), gate.view().state.as_str())));
        }
        if let Some(facts) = &self.facts {
            marks.add_number(TOKENS, facts.tokens);
        }
        marks.add_number(ATTEMPTS, self.attempts);
        marks
    }
}

/// The client's id or ours; a backend's own gives way to it.
pub const REQUEST_ID: &str = "x-request-id";
/// Where Anthropic's clients look for the id.
const ANTHROPIC_REQUEST_ID: &str = "request-id";
const BACKEND: &str = "x-sluice-backend";
const RULE: &str = "x-sluice-rule";
const REASON: &str = "x-sluice-reason";
const GATE: &str = "x-sluice-gate";
const TOKENS: &str = "x-sluice-tokens";
const ATTEMPTS: &str = "x-sluice-attempts";
/// As much as they take, as a rule.
const ROOM: usize = 320;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_on_its_line() {
        let mut marks = Marks::default();
        marks.add_number("a", 7);
        marks.add("b", "x\r\nset-cookie: é");
        marks.add_pairs("c", [("one", "open"), ("two", "closed\n")].into_iter());
        assert_eq!(marks.into_bytes(), b"a: 7\r\nb: x??set-cookie: ?\r\nc: one=open,two=closed?\r\n");
    }
}
