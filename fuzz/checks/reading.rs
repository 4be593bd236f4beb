//! A second reading of a request, from the tree of its body and after `docs/prompt.md`: slow, plain, and apart
//! from the one that is checked.

use super::tree::{Text, Tree};
use sluice::openai::Endpoint;

/// What a request says.
#[derive(Debug, Default)]
pub struct Reading {
    pub model: String,
    pub stream: bool,
    pub include_usage: bool,
    pub tools: bool,
    pub images: u64,
    pub max_output_tokens: Option<u64>,
    /// The users' own texts, message by message.
    pub said: Vec<Vec<Text>>,
}

/// Reads a body; `None` where it is of the wrong shape.
pub fn read(body: &Tree, endpoint: Endpoint) -> Option<Reading> {
    let mut reading = Reading::default();
    let (keys, limits) = keys(endpoint);
    let object = only_once(body, &[keys, limits].concat())?;
    for limit in limits {
        reading.max_output_tokens = reading.max_output_tokens.max(whole(get(object, limit))?);
    }
    let known = |key: &&&str| keys.contains(key);
    for key in ["model", "stream", "stream_options", "tools", "functions"].iter().filter(known) {
        reading.setting(key, get(object, key))?;
    }
    // In the body's order: which message is the last one depends on it.
    for (key, value) in object {
        let key = keys.iter().find(|known| key.says(known));
        key.map_or(Some(()), |key| reading.content(endpoint, key, value))?;
    }
    Some(reading)
}

/// The keys that are read, and those of them that limit the output.
fn keys(endpoint: Endpoint) -> (&'static [&'static str], &'static [&'static str]) {
    match endpoint {
        Endpoint::ChatCompletions => (
            &["model", "messages", "tools", "functions", "stream", "stream_options"],
            &["max_tokens", "max_completion_tokens"],
        ),
        Endpoint::Completions => {
            (&["model", "prompt", "suffix", "stream", "stream_options"], &["max_tokens"])
        }
        Endpoint::Responses => {
            (&["model", "input", "instructions", "tools", "stream"], &["max_output_tokens"])
        }
        Endpoint::Messages | Endpoint::CountTokens => {
            (&["model", "messages", "system", "tools", "stream"], &["max_tokens"])
        }
        Endpoint::Embeddings => (&["model", "input", "messages"], &[]),
        Endpoint::Speech => (&["model", "input"], &[]),
        Endpoint::Tokenize => (&["model", "prompt", "messages", "tools"], &[]),
        Endpoint::Detokenize => (&["model", "tokens"], &[]),
    }
}

const MESSAGE: [&str; 11] = [
    "role",
    "content",
    "name",
    "tool_calls",
    "function_call",
    "reasoning_content",
    "reasoning",
    "refusal",
    "arguments",
    "summary",
    "output",
];
const PART: [&str; 8] = ["type", "text", "image_url", "content", "refusal", "name", "input", "thinking"];
const IMAGES: [&str; 4] = ["image_url", "input_image", "image", "computer_screenshot"];

impl Reading {
    fn setting(&mut self, key: &str, value: &Tree) -> Option<()> {
        match key {
            "model" => self.model = word(value)?.map(Text::lossy).unwrap_or_default(),
            "stream" => self.stream = flag(value)?,
            "stream_options" if matches!(value, Tree::Object(_)) => {
                self.include_usage = flag(get(only_once(value, &["include_usage"])?, "include_usage"))?;
            }
            "tools" | "functions" => {
                self.tools |= matches!(value, Tree::Array(tools) if !tools.is_empty());
            }
            _ => {}
        }
        Some(())
    }

    fn content(&mut self, endpoint: Endpoint, key: &str, value: &Tree) -> Option<()> {
        match (key, value) {
            ("messages" | "input" | "prompt", Tree::Null) => {}
            ("input", _) if endpoint == Endpoint::Responses => self.items(value)?,
            ("input" | "prompt", Tree::Text(text)) => self.said.push(vec![text.clone()]),
            ("input" | "prompt", Tree::Array(elements)) => {
                self.said.push(elements.iter().filter_map(text).cloned().collect());
            }
            ("messages", Tree::Array(messages)) => {
                messages.iter().try_for_each(|message| self.message(message))?;
            }
            ("input" | "prompt" | "messages", _) => return None,
            ("suffix" | "instructions" | "system", _) => self.nested(value)?,
            _ => {}
        }
        Some(())
    }

    fn items(&mut self, value: &Tree) -> Option<()> {
        match value {
            Tree::Text(text) => self.said.push(vec![text.clone()]),
            Tree::Array(items) => {
                for item in items {
                    match item {
                        Tree::Text(text) => self.said.push(vec![text.clone()]),
                        _ => self.message(item)?,
                    }
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn message(&mut self, message: &Tree) -> Option<()> {
        let object = only_once(message, &MESSAGE)?;
        let user = word(get(object, "role"))?.is_some_and(|role| role.says("user"));
        let said = match get(object, "content") {
            Tree::Null => Vec::new(),
            Tree::Text(text) => vec![text.clone()],
            Tree::Array(parts) => self.parts(parts)?,
            _ => return None,
        };
        self.nested(get(object, "summary"))?;
        self.nested(get(object, "output"))?;
        if user {
            self.said.push(said);
        }
        Some(())
    }

    /// The texts of a message's parts that are its own.
    fn parts(&mut self, parts: &[Tree]) -> Option<Vec<Text>> {
        let mut own = Vec::new();
        for part in parts {
            match part {
                Tree::Text(text) => own.push(text.clone()),
                Tree::Object(_) => own.extend(self.part(part)?),
                _ => return None,
            }
        }
        Some(own)
    }

    fn part(&mut self, part: &Tree) -> Option<Option<Text>> {
        let object = only_once(part, &PART)?;
        let of_type = word(get(object, "type"))?;
        let text = word(get(object, "text"))?;
        self.nested(get(object, "content"))?;
        self.images += u64::from(match of_type {
            Some(of_type) => IMAGES.iter().any(|image| of_type.says(image)),
            None => *get(object, "image_url") != Tree::Null,
        });
        let own = of_type.is_some_and(|of_type| of_type.says("text") || of_type.says("input_text"));
        Some(text.filter(|_| own).cloned())
    }

    /// Content that is nobody's own: only its parts have a shape.
    fn nested(&mut self, value: &Tree) -> Option<()> {
        match value {
            Tree::Object(_) => self.part(value).map(drop),
            Tree::Array(elements) => {
                let mut parts = elements.iter().filter(|element| matches!(element, Tree::Object(_)));
                parts.try_for_each(|part| self.part(part).map(drop))
            }
            _ => Some(()),
        }
    }

    /// The texts of the last message that has said something.
    pub fn last(&self) -> &[Text] {
        let says = |texts: &&Vec<Text>| texts.iter().any(|text| !text.units.is_empty());
        self.said.iter().rev().find(says).map_or(&[], Vec::as_slice)
    }
}

/// The members of an object in which each of these keys stands once at most.
fn only_once<'a>(value: &'a Tree, keys: &[&str]) -> Option<&'a [(Text, Tree)]> {
    let Tree::Object(members) = value else { return None };
    let times = |key: &&str| members.iter().filter(|(name, _)| name.says(key)).count();
    keys.iter().all(|key| times(key) <= 1).then_some(members)
}

/// A key's value; what is absent is as good as null.
fn get<'a>(object: &'a [(Text, Tree)], key: &str) -> &'a Tree {
    object.iter().find(|(name, _)| name.says(key)).map_or(&Tree::Null, |(_, value)| value)
}

fn text(value: &Tree) -> Option<&Text> {
    if let Tree::Text(text) = value { Some(text) } else { None }
}

/// A string or nothing; the outer `None` is a fault.
fn word(value: &Tree) -> Option<Option<&Text>> {
    match value {
        Tree::Null => Some(None),
        Tree::Text(text) => Some(Some(text)),
        _ => None,
    }
}

fn flag(value: &Tree) -> Option<bool> {
    match value {
        Tree::Null => Some(false),
        Tree::Bool(flag) => Some(*flag),
        _ => None,
    }
}

/// A whole number that is not negative, or nothing; the outer `None` is a fault.
fn whole(value: &Tree) -> Option<Option<u64>> {
    let number = match value {
        Tree::Null => return Some(None),
        Tree::Number(number) => number,
        _ => return None,
    };
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Some(number.parse().unwrap_or(u64::MAX)));
    }
    let value: f64 = number.parse().ok()?;
    let fits = value.is_finite() && value >= 0.0 && value.trunc() == value;
    fits.then(|| Some(format!("{:.0}", value.abs()).parse().unwrap_or(u64::MAX)))
}
