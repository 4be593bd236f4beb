//! `policy.yaml`: what a rule asks. A key here for each variant of [`Condition`].

use indexmap::IndexSet;

use super::defaults as d;
use super::names::Names;
use super::problem::quoted;
use super::prompt;
use super::reader::{Item, Table};
use crate::openai::Endpoint;
use crate::policy::{
    Condition, Feature, GateId, GateWord, HeaderOp, HeaderTest, HeaderTestId, PatternId, TagId,
};

const KEYS: [&str; 12] = [
    "all",
    "any",
    "not",
    "header",
    "model",
    "tag",
    "prompt_matches",
    "tokens",
    "gate",
    "client",
    "path",
    "has",
];
const FEATURES: [(&str, Feature); 3] =
    [("tools", Feature::Tools), ("images", Feature::Images), ("stream", Feature::Stream)];
const GATE_WORDS: [(&str, GateWord); 3] =
    [("open", GateWord::Open), ("closed", GateWord::Closed), ("unknown", GateWord::Unknown)];

/// Reads conditions, and gathers the tests they need: each once, however many rules name it.
pub(super) struct Conditions<'a> {
    pub(super) gates: &'a Names<'a>,
    pub(super) models: &'a Names<'a>,
    pub(super) tags: &'a Names<'a>,
    /// Those who have a key; without any, everybody is `lan`.
    pub(super) clients: &'a Names<'a>,
    pub(super) header_tests: Vec<HeaderTest>,
    pub(super) patterns: IndexSet<String>,
}

impl Conditions<'_> {
    /// A map of conditions, all of which must hold.
    pub(super) fn read(&mut self, item: &Item<'_>) -> Condition {
        let table = item.table(&KEYS);
        if table.is_map() && table.entries().is_empty() {
            item.problem("is empty", "say what must hold");
        }
        let mut found: Vec<Condition> =
            table.entries().iter().filter_map(|(key, item)| self.one(key, item)).collect();
        match (found.len(), found.pop()) {
            (1, Some(only)) => only,
            (_, last) => Condition::All(found.into_iter().chain(last).collect()),
        }
    }

    fn one(&mut self, key: &str, item: &Item<'_>) -> Option<Condition> {
        Some(match key {
            "all" => Condition::All(self.several(item)),
            "any" => Condition::Any(self.several(item)),
            "not" => Condition::Not(Box::new(self.read(item))),
            "header" => self.header(item),
            "model" => Condition::Model(each(item, |name| {
                self.models.find(name)?;
                name.text().map(str::to_owned)
            })),
            "tag" => Condition::Tag(each(item, |name| self.tags.find(name).map(TagId))),
            "prompt_matches" => Condition::PromptMatches(each(item, |pattern| self.pattern(pattern))),
            "tokens" => tokens(item),
            "gate" => self.gate(item),
            "client" => Condition::Client(each(item, |name| {
                self.clients.find(name)?;
                name.text().map(str::to_owned)
            })),
            "path" => Condition::Path(each(item, path)),
            "has" => Condition::Has(each(item, |feature| feature.word(&FEATURES))),
            _ => return None,
        })
    }

    fn several(&mut self, item: &Item<'_>) -> Vec<Condition> {
        item.some().iter().map(|item| self.read(item)).collect()
    }

    fn pattern(&mut self, item: &Item<'_>) -> Option<PatternId> {
        let source = prompt::pattern(item)?;
        Some(PatternId(self.patterns.insert_full(source.to_owned()).0))
    }

    /// Each named gate in one of its states.
    fn gate(&self, item: &Item<'_>) -> Condition {
        let mut gates: Vec<Condition> = Vec::new();
        let entries = item.named();
        for (name, states) in &entries {
            let gate = self.gates.place(name, states);
            let words = each(states, gate_word);
            gates.extend(gate.map(|gate| Condition::Gate(GateId(gate), words)));
        }
        if entries.is_empty() {
            item.problem("no gate is named", "write { NAME: [closed, unknown] }");
        }
        match (gates.len(), gates.pop()) {
            (1, Some(only)) => only,
            (_, last) => Condition::All(gates.into_iter().chain(last).collect()),
        }
    }

    /// One test a key beside `name`; all must hold.
    fn header(&mut self, item: &Item<'_>) -> Condition {
        let table = item.table(&["name", "is", "equals", "matches", "present"]);
        let name = header_name(&table);
        let tests: Vec<HeaderOp> =
            table.entries().iter().filter_map(|(key, item)| header_op(key, item)).collect();
        if table.is_map() && !table.entries().iter().any(|(key, _)| *key != "name") {
            item.problem("says nothing of the header", "add one of is, equals, matches, present");
        }
        let mut ids = tests
            .into_iter()
            .map(|test| Condition::Header(self.header_test(HeaderTest { name: name.clone(), test })));
        match (ids.next(), ids.next()) {
            (Some(only), None) => only,
            (first, second) => Condition::All(first.into_iter().chain(second).chain(ids).collect()),
        }
    }

    fn header_test(&mut self, test: HeaderTest) -> HeaderTestId {
        let place = self.header_tests.iter().position(|other| *other == test);
        HeaderTestId(place.unwrap_or_else(|| {
            self.header_tests.push(test);
            self.header_tests.len() - 1
        }))
    }
}

/// The items of a list that must say something, each read by `one`.
fn each<T>(item: &Item<'_>, one: impl FnMut(&Item<'_>) -> Option<T>) -> Vec<T> {
    item.some().iter().filter_map(one).collect()
}

/// The name, lower case: header names have no case.
fn header_name(table: &Table<'_>) -> String {
    let item = table.need("name", "the header's name");
    let name = item.as_ref().and_then(Item::text).unwrap_or_default();
    // The token of RFC 9110, section 5.6.2.
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if let Some(item) = item
        && !name.chars().all(token)
    {
        item.problem(format!("{} is not a header's name", quoted(name)), "letters, digits and -");
    }
    name.to_ascii_lowercase()
}

fn header_op(key: &str, item: &Item<'_>) -> Option<HeaderOp> {
    match key {
        "is" => item.flag().map(HeaderOp::Is),
        "equals" => item.text().map(|text| HeaderOp::Equals(text.to_owned())),
        "matches" => prompt::pattern(item).map(|source| HeaderOp::Matches(source.to_owned())),
        "present" => item.flag().map(HeaderOp::Present),
        _ => None,
    }
}

fn tokens(item: &Item<'_>) -> Condition {
    let table = item.table(&["at_least", "below"]);
    let bound = |key| table.find(key).and_then(|item| item.whole(&d::TOKENS));
    let (at_least, below) = (bound("at_least"), bound("below"));
    if table.is_map() && table.entries().is_empty() {
        item.problem("is empty", "write at_least, below or both");
    }
    if let (Some(least), Some(below)) = (at_least, below)
        && least >= below
    {
        item.problem(
            format!("no number is at least {least} and below {below}"),
            "at_least must be less than below",
        );
    }
    Condition::Tokens { at_least, below }
}

fn gate_word(item: &Item<'_>) -> Option<GateWord> {
    if item.text()? == "draining" {
        return item.missing(
            "\"draining\" is not a state here",
            "conditions see a draining gate as closed: write closed",
        );
    }
    item.word(&GATE_WORDS)
}

fn path(item: &Item<'_>) -> Option<Endpoint> {
    let text = item.text()?;
    let found = Endpoint::of_path(text);
    if found == Some(Endpoint::Speech) {
        item.warning("never holds", "speech is routed by its path, before any rule");
    }
    found.or_else(|| {
        let help = item.suggestion(text, Endpoint::ALL.iter().map(|endpoint| endpoint.path()), "paths");
        item.missing(&format!("{} is not a path that is served", quoted(text)), &help)
    })
}
