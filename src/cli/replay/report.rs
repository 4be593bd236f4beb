//! What a replay has found, as a table and as JSON.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::cli::table::table;
use crate::policy::grouped;

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Records that were read.
    pub records: u64,
    /// Of them, those that were refused before anything was decided: there is nothing to decide again.
    pub never_decided: u64,
    /// Lines that are no records.
    pub bad_lines: u64,
    /// Records that are not the same.
    pub changes: Vec<Change>,
}

/// A record whose answer would be another one, or cannot be told.
#[derive(Debug)]
pub struct Change {
    pub time: String,
    request_id: String,
    model: String,
    tokens: u64,
    was: Answer,
    would_be: WouldBe,
}

/// Who answers, and what decided it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The backend; `None` when it is refused.
    pub backend: Option<String>,
    /// The rule, or the like; `None` when nothing got so far.
    pub rule: Option<String>,
    /// The code of a refusal.
    pub refusal: Option<String>,
}

/// What the policy makes of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WouldBe {
    /// This.
    Decided(Answer),
    /// It asks for this, which was not recorded.
    Undecidable(Vec<String>),
}

impl Change {
    /// The change of a record with these facts.
    pub fn new(record: &Value, facts: &Value, was: Answer, would_be: WouldBe) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            time: text(record.get("time")),
            request_id: text(record.get("request_id")),
            model: text(facts.get("model")),
            tokens: facts.get("tokens").and_then(Value::as_u64).unwrap_or(0),
            was,
            would_be,
        }
    }

    fn row(&self) -> [String; 6] {
        [
            self.time.clone(),
            self.request_id.clone(),
            self.model.clone(),
            grouped(self.tokens),
            format!("{} -> {}", self.was.who(), self.would_be.who()),
            format!("{} -> {}", self.was.rule(), self.would_be.rule()),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "time": self.time, "request_id": self.request_id, "model": self.model, "tokens": self.tokens,
            "was": self.was.json(), "would_be": self.would_be.json(), "needs": self.would_be.needs(),
        })
    }
}

impl Answer {
    fn who(&self) -> &str {
        self.backend.as_deref().or(self.refusal.as_deref()).unwrap_or("refused")
    }

    fn rule(&self) -> &str {
        self.rule.as_deref().unwrap_or("-")
    }

    fn json(&self) -> Value {
        json!({"backend": self.backend, "rule": self.rule, "refusal": self.refusal})
    }
}

impl WouldBe {
    fn who(&self) -> &str {
        match self {
            Self::Decided(answer) => answer.who(),
            Self::Undecidable(_) => "undecidable",
        }
    }

    /// The rule, or what is needed to say it.
    fn rule(&self) -> String {
        match self {
            Self::Decided(answer) => answer.rule().to_owned(),
            Self::Undecidable(needs) => format!("? (not recorded: {})", needs.join(", ")),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Decided(answer) => answer.json(),
            Self::Undecidable(_) => "undecidable".into(),
        }
    }

    fn needs(&self) -> &[String] {
        match self {
            Self::Decided(_) => &[],
            Self::Undecidable(needs) => needs,
        }
    }
}

impl Report {
    /// For people: each change, then how many there are of each kind, then all in a sentence.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if !self.changes.is_empty() {
            let heading =
                ["time", "request id", "model", "tokens", "was -> would be", "rule"].map(str::to_owned);
            let rows: Vec<_> = [heading].into_iter().chain(self.changes.iter().map(Change::row)).collect();
            let kinds: Vec<_> = self.transitions().iter().map(|(first, count)| kind(first, *count)).collect();
            out.push_str(&format!("{}\nchanges\n{}\n", table("", &rows), table("  ", &kinds)));
        }
        out.push_str(&self.sentence());
        out
    }

    fn sentence(&self) -> String {
        let mut parts = vec![format!("{} the same", grouped(self.same()))];
        let others = [
            (self.changed(), "would change"),
            (self.undecidable(), "undecidable"),
            (self.never_decided, "never decided about"),
        ];
        for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
            parts.push(format!("{} {what}", grouped(count)));
        }
        let mut sentence = format!("{} records: {}", grouped(self.records), parts.join(", "));
        if self.bad_lines > 0 {
            sentence.push_str(&format!("; {} lines skipped", grouped(self.bad_lines)));
        }
        sentence + "\n"
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let transitions = self.transitions();
        let transition = |(first, count): &(&Change, u64)| {
            let (was, would_be) = (first.was.json(), first.would_be.json());
            json!({"count": count, "was": was, "would_be": would_be, "needs": first.would_be.needs()})
        };
        json!({
            "records": self.records, "same": self.same(), "changed": self.changed(),
            "undecidable": self.undecidable(), "never_decided": self.never_decided, "bad_lines": self.bad_lines,
            "transitions": transitions.iter().map(transition).collect::<Vec<_>>(),
            "changes": self.changes.iter().map(Change::json).collect::<Vec<_>>(),
        })
    }

    /// The first change of each kind and how many there are, the most frequent first.
    fn transitions(&self) -> Vec<(&Change, u64)> {
        let mut kinds: Vec<(&Change, u64)> = Vec::new();
        let mut places = HashMap::new();
        for change in &self.changes {
            let place = *places.entry((&change.was, &change.would_be)).or_insert(kinds.len());
            match kinds.get_mut(place) {
                Some((_, count)) => *count += 1,
                None => kinds.push((change, 1)),
            }
        }
        kinds.sort_by(|(_, one), (_, other)| other.cmp(one));
        kinds
    }

    fn undecidable(&self) -> u64 {
        count(self.changes.iter().filter(|it| matches!(it.would_be, WouldBe::Undecidable(_))))
    }

    fn changed(&self) -> u64 {
        count(self.changes.iter()) - self.undecidable()
    }

    fn same(&self) -> u64 {
        self.records - self.never_decided - count(self.changes.iter())
    }
}

fn kind(first: &Change, count: u64) -> [String; 3] {
    let [.., who, rule] = first.row();
    [format!("{} x", grouped(count)), who, rule]
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    u64::try_from(items.count()).unwrap_or(u64::MAX)
}
