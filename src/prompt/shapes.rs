//! What is read of a body's top level, by endpoint.

use std::ops::Range;

use super::cursor::{Cursor, Kind};
use super::fault::{Fault, Shape};
use super::keys::{Keys, Table};
use super::splice::{ModelPlace, UsagePlace};
use super::text::Text;
use super::tokens::{FACTORS, Tally};
use crate::openai::Endpoint;

/// What a key of the top level is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Model,
    Stream,
    StreamOptions,
    /// A number of output tokens.
    OutputLimit,
    /// Tools or functions.
    Tools,
    /// A conversation: an array of messages.
    Messages,
    /// A string, or an array of items that are like messages.
    Items,
    /// A string, an array of them, or token ids.
    Prompt,
    /// Text of the operator's or program's, not the user's: it counts, and that is all.
    Aside,
    /// Token ids.
    TokenIds,
}

use Field::{Aside, Items, Messages, Model, OutputLimit, Prompt, Stream, StreamOptions, TokenIds, Tools};

const CHAT: Table<Field> = &[
    ("model", Model),
    ("messages", Messages),
    ("tools", Tools),
    ("functions", Tools),
    ("stream", Stream),
    ("stream_options", StreamOptions),
    ("max_tokens", OutputLimit),
    ("max_completion_tokens", OutputLimit),
];
const COMPLETIONS: Table<Field> = &[
    ("model", Model),
    ("prompt", Prompt),
    ("suffix", Aside),
    ("stream", Stream),
    ("stream_options", StreamOptions),
    ("max_tokens", OutputLimit),
];
const RESPONSES: Table<Field> = &[
    ("model", Model),
    ("input", Items),
    ("instructions", Aside),
    ("tools", Tools),
    ("stream", Stream),
    ("max_output_tokens", OutputLimit),
];
const MESSAGES: Table<Field> = &[
    ("model", Model),
    ("messages", Messages),
    ("system", Aside),
    ("tools", Tools),
    ("stream", Stream),
    ("max_tokens", OutputLimit),
];
const EMBEDDINGS: Table<Field> = &[("model", Model), ("input", Prompt), ("messages", Messages)];
const SPEECH: Table<Field> = &[("model", Model), ("input", Prompt)];
const TOKENIZE: Table<Field> =
    &[("model", Model), ("prompt", Prompt), ("messages", Messages), ("tools", Tools)];
const DETOKENIZE: Table<Field> = &[("model", Model), ("tokens", TokenIds)];

const fn table(endpoint: Endpoint) -> Table<Field> {
    match endpoint {
        Endpoint::ChatCompletions => CHAT,
        Endpoint::Completions => COMPLETIONS,
        Endpoint::Responses => RESPONSES,
        Endpoint::Messages | Endpoint::CountTokens => MESSAGES,
        Endpoint::Embeddings => EMBEDDINGS,
        Endpoint::Speech => SPEECH,
        Endpoint::Tokenize => TOKENIZE,
        Endpoint::Detokenize => DETOKENIZE,
    }
}

/// Reads one body. What it found stands in its fields.
pub(super) struct Reader<'a> {
    pub cursor: Cursor<'a>,
    pub tally: Tally,
    pub place: ModelPlace,
    pub usage: UsagePlace,
    pub model: String,
    pub stream: bool,
    pub include_usage: bool,
    pub tools: bool,
    pub images: u64,
    pub max_output_tokens: Option<u64>,
    /// Users' own texts, in the body's order.
    pub texts: Vec<Text>,
    /// The places in `texts` of those of the last user message.
    pub last: Range<usize>,
}

impl<'a> Reader<'a> {
    /// A reader at the beginning of a body.
    pub fn new(body: &'a str) -> Self {
        Self {
            cursor: Cursor::new(body),
            tally: Tally::new(),
            place: ModelPlace::Only(0),
            usage: UsagePlace::Absent(0),
            model: String::new(),
            stream: false,
            include_usage: false,
            tools: false,
            images: 0,
            max_output_tokens: None,
            texts: Vec::new(),
            last: 0..0,
        }
    }

    /// Reads the whole body.
    pub fn read(&mut self, endpoint: Endpoint) -> Result<(), Fault> {
        if self.cursor.kind()? != Kind::Object {
            return Err(Fault::shape(self.cursor.offset(), Shape::NotAnObject));
        }
        self.cursor.open()?;
        self.place = ModelPlace::Only(self.cursor.offset());
        self.usage = UsagePlace::Absent(self.cursor.offset());
        let (mut keys, mut first) = (Keys::new(table(endpoint)), true);
        while let Some(key) = self.cursor.next_key(&mut first)? {
            if let ModelPlace::Only(at) = self.place {
                self.place = ModelPlace::First(at);
            }
            match keys.meet(self.cursor.body(), key)? {
                Some((name, field)) => self.field(name, field)?,
                None => self.cursor.skip(&mut ())?,
            }
        }
        self.cursor.end()
    }

    fn field(&mut self, name: &'static str, field: Field) -> Result<(), Fault> {
        match field {
            Model => self.model(name),
            Stream => {
                self.stream = self.flag(name)?;
                Ok(())
            }
            StreamOptions => self.stream_options(),
            OutputLimit => self.output_limit(name),
            Tools => self.tools(),
            Messages | Items => self.messages(name, field == Items),
            Prompt => self.prompt(name),
            Aside => self.nested_content(),
            TokenIds => self.token_ids(),
        }
    }

    fn model(&mut self, name: &'static str) -> Result<(), Fault> {
        let kind = self.cursor.kind()?;
        let start = self.cursor.offset();
        match kind {
            Kind::String => self.model = self.cursor.string(&mut ())?.decoded(self.cursor.body()),
            Kind::Null => self.cursor.skip(&mut ())?,
            _ => return Err(self.wrong(name, "a string")),
        }
        self.place = ModelPlace::Value(start..self.cursor.offset());
        Ok(())
    }

    /// True or false; null is false.
    fn flag(&mut self, name: &'static str) -> Result<bool, Fault> {
        let kind = self.cursor.kind()?;
        if !matches!(kind, Kind::True | Kind::False | Kind::Null) {
            return Err(self.wrong(name, "true or false"));
        }
        self.cursor.skip(&mut ())?;
        Ok(kind == Kind::True)
    }

    fn stream_options(&mut self) -> Result<(), Fault> {
        let kind = self.cursor.kind()?;
        let start = self.cursor.offset();
        if kind != Kind::Object {
            self.cursor.skip(&mut ())?;
            self.usage = UsagePlace::Options(start..self.cursor.offset());
            return Ok(());
        }
        self.cursor.open()?;
        self.usage = UsagePlace::Inside(self.cursor.offset(), false);
        let (mut keys, mut first) = (Keys::new(&[("include_usage", ())]), true);
        while let Some(key) = self.cursor.next_key(&mut first)? {
            if let UsagePlace::Inside(_, others) = &mut self.usage {
                *others = true;
            }
            match keys.meet(self.cursor.body(), key)? {
                Some((name, ())) => {
                    self.cursor.kind()?;
                    let start = self.cursor.offset();
                    self.include_usage = self.flag(name)?;
                    self.usage = UsagePlace::Value(start..self.cursor.offset());
                }
                None => self.cursor.skip(&mut ())?,
            }
        }
        Ok(())
    }

    /// Where several are given the largest counts: a request may only be thought too large.
    fn output_limit(&mut self, name: &'static str) -> Result<(), Fault> {
        const WANTED: &str = "a whole number, 0 or more";
        match self.cursor.kind()? {
            Kind::Null => return self.cursor.skip(&mut ()),
            Kind::Number => {}
            _ => return Err(self.wrong(name, WANTED)),
        }
        let wrong = self.wrong(name, WANTED);
        let limit = whole(self.cursor.number()?).ok_or(wrong)?;
        self.max_output_tokens = self.max_output_tokens.max(Some(limit));
        Ok(())
    }

    fn tools(&mut self) -> Result<(), Fault> {
        if self.cursor.kind()? != Kind::Array {
            return self.cursor.skip(&mut ());
        }
        self.cursor.open()?;
        let mut first = true;
        while self.cursor.next_element(&mut first)? {
            if !self.tools {
                self.tally.add(FACTORS.tools);
            }
            self.tools = true;
            self.tally.part();
            self.cursor.skip(&mut self.tally)?;
        }
        Ok(())
    }

    /// A prompt is one user message: its string, or each string of its array, is a text of it.
    fn prompt(&mut self, name: &'static str) -> Result<(), Fault> {
        let from = self.texts.len();
        match self.cursor.kind()? {
            Kind::String => self.user_text()?,
            Kind::Array => self.prompt_elements()?,
            Kind::Null => self.cursor.skip(&mut ())?,
            _ => return Err(self.wrong(name, "a string or an array")),
        }
        self.user_message(from);
        Ok(())
    }

    fn prompt_elements(&mut self) -> Result<(), Fault> {
        self.cursor.open()?;
        let mut first = true;
        while self.cursor.next_element(&mut first)? {
            match self.cursor.kind()? {
                Kind::String => self.user_text()?,
                _ => self.token_ids()?,
            }
        }
        Ok(())
    }

    /// A token id, or an array of them, each of which is one token; whatever else stands there counts as text.
    fn token_ids(&mut self) -> Result<(), Fault> {
        match self.cursor.kind()? {
            Kind::Number => self.token_id(),
            Kind::Array => {
                self.cursor.open()?;
                let mut first = true;
                while self.cursor.next_element(&mut first)? {
                    match self.cursor.kind()? {
                        Kind::Number => self.token_id()?,
                        _ => self.cursor.skip(&mut self.tally)?,
                    }
                }
                Ok(())
            }
            _ => self.cursor.skip(&mut self.tally),
        }
    }

    fn token_id(&mut self) -> Result<(), Fault> {
        self.tally.add_tokens(1);
        self.cursor.number().map(drop)
    }

    /// Reads and counts a string.
    pub fn text(&mut self) -> Result<Text, Fault> {
        self.tally.part();
        self.cursor.string(&mut self.tally)
    }

    /// Reads a string that is a text of a user's.
    pub fn user_text(&mut self) -> Result<(), Fault> {
        let text = self.text()?;
        self.texts.push(text);
        Ok(())
    }

    /// Ends a user message whose texts are those from `from` on: it is the last one, if it has said something.
    pub fn user_message(&mut self, from: usize) {
        let texts = self.texts.get(from..).unwrap_or_default();
        if texts.iter().any(|text| !text.is_empty()) {
            self.last = from..self.texts.len();
        }
    }

    /// The fault of a value, which comes next, that is not of the type `wanted`.
    pub fn wrong(&self, key: &'static str, wanted: &'static str) -> Fault {
        Fault::shape(self.cursor.offset(), Shape::WrongType { key, wanted })
    }
}

/// A number that is whole and not negative, however it is written (`100`, `1e2`, `100.0`); the largest
/// of its type where it is larger.
fn whole(number: &str) -> Option<u64> {
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(number.parse().unwrap_or(u64::MAX));
    }
    let value: f64 = number.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and 0 or more")]
    (value >= 0.0 && value.fract() == 0.0).then_some(value as u64)
}

#[cfg(test)]
mod tests;
