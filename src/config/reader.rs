//! Typed reading of a tree: each reader reports what is wrong and goes on, so that one run finds everything.
//!
//! A reader that fails gives back nothing or the default. That value is never used: a single problem refuses the
//! file.

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::defaults::Bounded;
use super::problem::{Findings, quoted, shortened};
use super::raw::{Key, Node, Value};
use super::{names, scalar};

const WRITE_DURATION: &str = "write 500ms, 2s, 5m";
const WRITE_SIZE: &str = "write 64KiB, 32MiB";

/// A value, and where it stands.
#[derive(Clone)]
pub(super) struct Item<'a> {
    node: &'a Node,
    path: String,
    findings: &'a Findings,
}

impl<'a> Item<'a> {
    /// The whole document.
    pub(super) fn root(node: &'a Node, findings: &'a Findings) -> Self {
        Self { node, path: String::new(), findings }
    }

    /// Something is wrong here.
    pub(super) fn problem(&self, problem: impl Into<String>, help: impl Into<String>) {
        self.findings.problem(self.node.line, &self.path, problem, help);
    }

    /// This is legal, but hardly meant.
    pub(super) fn warning(&self, problem: impl Into<String>, help: impl Into<String>) {
        self.findings.warning(self.node.line, &self.path, problem, help);
    }

    /// Which of the known words was meant; not looked for where nobody would read it.
    pub(super) fn suggestion<'w>(
        &self,
        word: &str,
        known: impl Iterator<Item = &'w str> + Clone,
        label: &str,
    ) -> String {
        if self.findings.full() { String::new() } else { names::suggestion(word, known, label) }
    }

    /// Where it stands in the document.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn is_null(&self) -> bool {
        self.node.value == Value::Null
    }

    /// Whether it is a map without entries.
    pub(super) fn is_empty_map(&self) -> bool {
        matches!(&self.node.value, Value::Map(entries) if entries.is_empty())
    }

    /// Whether it is written as a list.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// A text that is not empty.
    pub(super) fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) if text.is_empty() => self.missing("is empty", "write a value"),
            Value::Text(text) => Some(text),
            Value::Bool(_) | Value::Whole(_) | Value::Float(_) => self.wrong("a text", "put it in quotes"),
            _ => self.wrong("a text", "write a single value"),
        }
    }

    /// The text without a word about it when it is something else.
    pub(super) fn plain_text(&self) -> Option<&'a str> {
        if let Value::Text(text) = &self.node.value { Some(text) } else { None }
    }

    pub(super) fn flag(&self) -> Option<bool> {
        match &self.node.value {
            Value::Bool(flag) => Some(*flag),
            _ => self.wrong("true or false", "write true or false"),
        }
    }

    /// A whole number in the range.
    pub(super) fn whole<T>(&self, legal: &Bounded<T>) -> Option<T>
    where
        T: Copy + PartialOrd + Display + TryFrom<i128>,
    {
        let help = format!("write a whole number from {} to {}", legal.least, legal.most);
        let Value::Whole(number) = &self.node.value else {
            return self.wrong("a whole number", &help);
        };
        let found = T::try_from(*number).ok().filter(|number| legal.holds(number));
        found
            .or_else(|| self.missing(&format!("{number} is out of range"), &legal.range(ToString::to_string)))
    }

    /// A number from 0 to `most`, with or without a fraction.
    pub(super) fn decimal(&self, most: u32) -> Option<f64> {
        let help = format!("write a number from 0 to {most}");
        let number = match &self.node.value {
            Value::Whole(number) => number.to_string().parse::<f64>(),
            Value::Float(text) => text.parse(),
            _ => return self.wrong("a number", &help),
        };
        let legal = |number: &f64| (0.0..=f64::from(most)).contains(number);
        number.ok().filter(legal).or_else(|| self.missing("is out of range", &help))
    }

    /// A duration in the range.
    pub(super) fn duration(&self, legal: &Bounded<Duration>) -> Option<Duration> {
        let help = format!("{WRITE_DURATION}; {}", legal.range(|bound| scalar::show_duration(*bound)));
        self.quantity("a duration", &help, legal, scalar::duration, |bound| scalar::show_duration(*bound))
    }

    /// A size in bytes in the range.
    pub(super) fn size(&self, legal: &Bounded<u64>) -> Option<u64> {
        let help = format!("{WRITE_SIZE}; {}", legal.range(|bound| scalar::show_size(*bound)));
        self.quantity("a size", &help, legal, scalar::size, |bound| scalar::show_size(*bound))
    }

    fn quantity<T: PartialOrd>(
        &self,
        what: &str,
        help: &str,
        legal: &Bounded<T>,
        parse: impl Fn(&str) -> Option<T>,
        show: impl Fn(&T) -> String,
    ) -> Option<T> {
        let Value::Text(text) = &self.node.value else { return self.wrong(what, help) };
        match parse(text) {
            None => self.wrong(what, help),
            Some(value) if legal.holds(&value) => Some(value),
            Some(_) => self.missing(&format!("{} is out of range", shortened(text)), &legal.range(show)),
        }
    }

    /// One word of a closed list.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        found.or_else(|| {
            let help = self.suggestion(text, words.iter().map(|(word, _)| *word), "it may be");
            self.missing(&format!("{} is not a legal value", quoted(text)), &help)
        })
    }

    /// The items of a list, which may be empty.
    pub(super) fn list(&self) -> Vec<Item<'a>> {
        let Value::List(nodes) = &self.node.value else {
            self.wrong::<()>("a list", "write [one, another], or one `- item` a line");
            return Vec::new();
        };
        let item = |(at, node)| Item { node, path: format!("{}[{at}]", self.path), findings: self.findings };
        nodes.iter().enumerate().map(item).collect()
    }

    /// The items of a list that says nothing when it is empty.
    pub(super) fn some(&self) -> Vec<Item<'a>> {
        if matches!(&self.node.value, Value::List(nodes) if nodes.is_empty()) {
            self.problem("the list is empty", "name at least one");
        }
        self.list()
    }

    /// A map with a fixed set of keys; others are reported.
    pub(super) fn table(&self, keys: &[&str]) -> Table<'a> {
        let entries = self.entries();
        for (name, item) in &entries {
            if !keys.contains(name) {
                let help = self.suggestion(name, keys.iter().copied(), "known here");
                self.findings.problem(item.key_line, &item.value.path, "unknown key", help);
            }
        }
        let whole = matches!(self.node.value, Value::Map(_));
        let entries = entries.into_iter().map(|(name, item)| (name, item.value)).collect();
        Table { at: self.clone(), whole, entries }
    }

    /// A map whose keys are names that the operator chooses.
    pub(super) fn named(&self) -> Vec<(&'a str, Item<'a>)> {
        self.entries().into_iter().map(|(name, item)| (name, item.value)).collect()
    }

    /// The entries of a map in the file's order, each key once.
    fn entries(&self) -> Vec<(&'a str, Entry<'a>)> {
        let Value::Map(entries) = &self.node.value else {
            self.wrong::<()>("a map", "write `key: value` lines below it, or {} for none");
            return Vec::new();
        };
        let mut lines: HashMap<&str, usize> = HashMap::new();
        let mut found = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            let value = Item { node, path: self.below(&key.text), findings: self.findings };
            if let Some(first) = lines.get(key.text.as_str()) {
                self.twice(key, &value, *first);
                continue;
            }
            lines.insert(&key.text, key.line);
            found.push((key.text.as_str(), Entry { key_line: key.line, value }));
        }
        found
    }

    fn twice(&self, key: &Key, value: &Item<'_>, first: usize) {
        let problem = format!("the key stands twice, first on line {first}");
        self.findings.problem(key.line, &value.path, problem, "remove one of them");
    }

    fn below(&self, key: &str) -> String {
        let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-_/:".contains(c));
        let segment = if plain { shortened(key) } else { quoted(key) };
        if self.path.is_empty() { segment } else { format!("{}.{segment}", self.path) }
    }

    /// Reports, and gives back the nothing that the reader of this value has.
    pub(super) fn missing<T>(&self, problem: &str, help: &str) -> Option<T> {
        self.problem(problem, help);
        None
    }

    fn wrong<T>(&self, expected: &str, help: &str) -> Option<T> {
        self.missing(&format!("expected {expected}, found {}", self.node.value.described()), help)
    }
}

struct Entry<'a> {
    key_line: usize,
    value: Item<'a>,
}

/// A map with a fixed set of keys.
pub(super) struct Table<'a> {
    at: Item<'a>,
    /// False where the file has something else than a map: then nothing in it is missing.
    whole: bool,
    entries: Vec<(&'a str, Item<'a>)>,
}

impl<'a> Table<'a> {
    /// Where the map stands.
    pub(super) fn at(&self) -> &Item<'a> {
        &self.at
    }

    /// False where the file has something else than a map.
    pub(super) fn is_map(&self) -> bool {
        self.whole
    }

    /// The values in the file's order.
    pub(super) fn entries(&self) -> &[(&'a str, Item<'a>)] {
        &self.entries
    }

    /// The value of a key, where it is given.
    pub(super) fn find(&self, key: &str) -> Option<Item<'a>> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, item)| item.clone())
    }

    /// The value of a key that may be `null` for none.
    pub(super) fn nullable(&self, key: &str) -> Option<Item<'a>> {
        self.find(key).filter(|item| !item.is_null())
    }

    /// The value of a key that must be given.
    pub(super) fn need(&self, key: &str, help: &str) -> Option<Item<'a>> {
        let found = self.find(key);
        if found.is_none() && self.whole {
            let Item { node, findings, .. } = self.at;
            findings.problem(node.line, &self.at.below(key), "is missing", help);
        }
        found
    }

    /// The map below a key; an empty one where it is not given.
    pub(super) fn table(&self, key: &str, keys: &[&str]) -> Table<'a> {
        let none = || Table { at: self.at.clone(), whole: false, entries: Vec::new() };
        self.find(key).map_or_else(none, |item| item.table(keys))
    }

    /// The named entries below a key; none where it is not given.
    pub(super) fn named(&self, key: &str) -> Vec<(&'a str, Item<'a>)> {
        self.find(key).map(|item| item.named()).unwrap_or_default()
    }

    /// The items of the list below a key; none where it is not given.
    pub(super) fn list(&self, key: &str) -> Vec<Item<'a>> {
        self.find(key).map(|item| item.list()).unwrap_or_default()
    }

    pub(super) fn flag(&self, key: &str, default: bool) -> bool {
        self.find(key).and_then(|item| item.flag()).unwrap_or(default)
    }

    pub(super) fn whole<T>(&self, key: &str, legal: &Bounded<T>) -> T
    where
        T: Copy + PartialOrd + Display + TryFrom<i128>,
    {
        self.find(key).and_then(|item| item.whole(legal)).unwrap_or(legal.default)
    }

    pub(super) fn duration(&self, key: &str, legal: &Bounded<Duration>) -> Duration {
        self.find(key).and_then(|item| item.duration(legal)).unwrap_or(legal.default)
    }

    pub(super) fn size(&self, key: &str, legal: &Bounded<u64>) -> u64 {
        self.find(key).and_then(|item| item.size(legal)).unwrap_or(legal.default)
    }

    pub(super) fn word<T: Copy>(&self, key: &str, words: &[(&str, T)], default: T) -> T {
        self.find(key).and_then(|item| item.word(words)).unwrap_or(default)
    }

    /// The only version of the format; without it nobody knows what the rest means.
    pub(super) fn version(&self, only: &Bounded<u32>) {
        let help = format!("write `version: {}` as the first key", only.default);
        if let Some(item) = self.need("version", &help)
            && item.node.value != Value::Whole(i128::from(only.default))
        {
            item.problem(format!("is {}, which is not known", item.node.value.described()), help);
        }
    }
}

impl<T: PartialOrd> Bounded<T> {
    fn holds(&self, value: &T) -> bool {
        RangeInclusive::new(&self.least, &self.most).contains(&value)
    }

    fn range(&self, show: impl Fn(&T) -> String) -> String {
        format!("legal: {} to {}", show(&self.least), show(&self.most))
    }
}

impl Value {
    /// What was found, in words.
    fn described(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(flag) => flag.to_string(),
            Self::Whole(number) => format!("the number {number}"),
            Self::Float(text) => format!("the number {}", shortened(text)),
            Self::Text(text) => quoted(text),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
        }
    }
}
