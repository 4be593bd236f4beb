//! What holds of every body: the grammar is that of `serde_json`, nothing panics, and the forwarded body is the client's.

#![cfg(test)]
#![expect(clippy::string_slice, reason = "the texts are ours; a bad cut fails the test")]

use std::sync::LazyLock;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use regex::Regex;
use serde_json::{Value, json};
use sluice::openai::Endpoint;
use sluice::policy::{PromptPolicy, TagId};
use sluice::prompt::{self, Fault, Patterns, Prompt};

const CHAT: Endpoint = Endpoint::ChatCompletions;
const TAGS: [&str; 2] = [r"(?i)#force_big\b", r"#think\w*"];
/// A model's name that stands nowhere else in a body.
const MARK: &str = "zq-model";

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    Patterns::new(&PromptPolicy {
        tags: TAGS.iter().map(|tag| ((*tag).to_owned(), (*tag).to_owned())).collect(),
        strip_tags: true,
        patterns: vec![r"\brefactor\b".to_owned()],
        image_tokens: 1_000,
    })
    .unwrap()
});
static EACH_TAG: LazyLock<[Regex; 2]> = LazyLock::new(|| TAGS.map(|tag| Regex::new(tag).unwrap()));
static ANY_TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new(&TAGS.join("|")).unwrap());

fn read(body: &[u8]) -> Result<Prompt, Fault> {
    prompt::read(body, CHAT, &PATTERNS)
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

// --- the grammar -------------------------------------------------------------------------------------------

/// Pieces of documents, whole and broken.
fn soup() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "\t",
        "\r",
        "\u{c}",
        "\"",
        "\"a\"",
        "\"model\"",
        "\"messages\"",
        "\\",
        "\\u12",
        "\"\\u00e9\"",
        "\"\\ud800\"",
        "\"\\q\"",
        "\"\u{1}\"",
        "\"\u{7f}é日😀\"",
        "0",
        "-0",
        "01",
        "-",
        "1.",
        "1.5",
        ".5",
        "1e",
        "1e9",
        "1E+999",
        "-1e-2",
        "true",
        "false",
        "null",
        "nul",
        "tru e",
        "NaN",
        "\"content\"",
        "'a'",
        "{\"a\":",
        "{\"role\":\"user\",\"content\":",
        "[1,2",
        "//",
        "\u{feff}",
    ]);
    vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_grammar_is_serde_jsons(text in soup(), nested in any::<bool>()) {
        let text = if nested { format!("{{\"x\":{text}}}") } else { text };
        let refused = matches!(read(text.as_bytes()), Err(Fault::InvalidJson { .. }));
        prop_assert_eq!(!refused, is_json(&text), "{}", text);
    }

    #[test]
    fn arbitrary_bytes_are_judged_and_the_offset_is_within(body in vec(any::<u8>(), 0..64)) {
        judged(&body)?;
    }

    #[test]
    fn broken_bodies_are_judged_as_serde_json_does(
        chat in chat(), at in any::<prop::sample::Index>(), cut in 0_usize..4, put in vec(any::<u8>(), 0..3),
    ) {
        let mut body = chat.body();
        let from = at.index(body.len());
        let to = body.len().min(from + cut);
        body.splice(from..to, put);
        judged(&body)?;
    }

    #[test]
    fn every_beginning_of_a_body_is_unfinished(chat in chat(), at in any::<prop::sample::Index>()) {
        let body = chat.body();
        let whole = body.iter().rposition(|&byte| byte == b'}').unwrap_or(0);
        let part = &body[..at.index(whole.max(1))];
        let refused = matches!(read(part), Err(Fault::InvalidJson { .. }));
        prop_assert!(refused, "{}", String::from_utf8_lossy(part));
    }
}

/// Every endpoint judges alike whether it is JSON, as `serde_json` does, and names a byte of the body.
fn judged(body: &[u8]) -> Result<(), TestCaseError> {
    let valid = std::str::from_utf8(body).is_ok_and(is_json);
    for endpoint in Endpoint::ALL {
        match prompt::read(body, endpoint, &PATTERNS) {
            Ok(_) => prop_assert!(valid),
            Err(fault) => {
                prop_assert_eq!(fault.is_syntax(), !valid, "{}", fault);
                prop_assert!(fault.offset() <= body.len(), "{}", fault);
            }
        }
    }
    Ok(())
}

// --- the forwarded body ------------------------------------------------------------------------------------

/// A message, and the part of it that is text of its own.
#[derive(Debug, Clone)]
enum Content {
    Plain(String),
    Parts(Vec<Part>),
    Null,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Input(String),
    Image(String),
    ToolResult(String),
}

/// Where the model's name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Front,
    Within,
}

#[derive(Debug, Clone)]
struct Chat {
    messages: Vec<(&'static str, Content)>,
    model: Option<Place>,
    /// How white space, escapes and the order of keys are chosen, byte by byte.
    style: Vec<u8>,
}

fn text() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "#force_big",
        "#FORCE_Big",
        "#force_bigger",
        "#think",
        "#think_hard",
        "word ",
        " ",
        "é",
        "日本",
        "😀",
        "\n",
        "\"",
        "\\",
        "/",
        "\u{0}",
        "\u{7f}",
        "u0023",
        "refactor",
        "ſ",
        "K",
    ]);
    vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

fn content() -> impl Strategy<Value = Content> {
    let part = prop_oneof![
        text().prop_map(Part::Text),
        text().prop_map(Part::Input),
        text().prop_map(Part::Image),
        text().prop_map(Part::ToolResult),
    ];
    prop_oneof![
        4 => text().prop_map(Content::Plain),
        4 => vec(part, 0..4).prop_map(Content::Parts),
        1 => Just(Content::Null),
    ]
}

fn chat() -> impl Strategy<Value = Chat> {
    let role = select(vec!["user", "user", "system", "assistant", "tool", "developer", "User"]);
    let model = select(vec![None, Some(Place::Front), Some(Place::Within)]);
    (vec((role, content()), 0..5), model, vec(any::<u8>(), 1..40)).prop_map(|(messages, model, style)| Chat {
        messages,
        model,
        style,
    })
}

impl Chat {
    /// The body but for a model at its front.
    fn value(&self) -> Value {
        let messages =
            self.messages.iter().map(|(role, content)| json!({"role": role, "content": content.value()}));
        let mut value =
            json!({"messages": messages.collect::<Vec<_>>(), "n": 1.5e3, "unread": {"model": "x"}});
        if self.model == Some(Place::Within) {
            value["model"] = json!(MARK);
        }
        value
    }

    /// The body, written in its style. The model's value is written plainly.
    fn body(&self) -> Vec<u8> {
        let mut writer = Writer { out: String::new(), style: self.style.iter().cycle() };
        writer.value(&self.value());
        match self.model {
            Some(Place::Front) => {
                writer.out.replacen('{', &format!("{{\"model\":\"{MARK}\","), 1).into_bytes()
            }
            _ => writer.out.into_bytes(),
        }
    }

    /// Tags in the last user message that has said something.
    fn tags(&self) -> Vec<TagId> {
        let own: Vec<_> =
            self.messages.iter().filter(|(role, _)| *role == "user").map(|(_, said)| said.own()).collect();
        let last =
            own.into_iter().rfind(|texts| texts.iter().any(|text| !text.is_empty())).unwrap_or_default();
        let holds = |tag: &usize| last.iter().any(|text| EACH_TAG[*tag].is_match(text));
        (0..TAGS.len()).filter(holds).map(TagId).collect()
    }

    /// What the backend should read.
    fn forwarded(&self, model: &str) -> Value {
        let mut stripped = self.clone();
        for (_, content) in stripped.messages.iter_mut().filter(|(role, _)| *role == "user") {
            content.strip();
        }
        let mut value = stripped.value();
        value["model"] = json!(model);
        value
    }
}

impl Content {
    fn value(&self) -> Value {
        match self {
            Self::Plain(text) => json!(text),
            Self::Parts(parts) => parts.iter().map(Part::value).collect(),
            Self::Null => Value::Null,
        }
    }

    fn own(&self) -> Vec<String> {
        match self {
            Self::Plain(text) => vec![text.clone()],
            Self::Parts(parts) => parts.iter().filter_map(Part::own).cloned().collect(),
            Self::Null => Vec::new(),
        }
    }

    fn strip(&mut self) {
        let strip = |text: &mut String| *text = ANY_TAG.replace_all(text, "").into_owned();
        match self {
            Self::Plain(text) => strip(text),
            Self::Parts(parts) => parts.iter_mut().filter_map(Part::own_mut).for_each(strip),
            Self::Null => {}
        }
    }
}

impl Part {
    fn value(&self) -> Value {
        match self {
            Self::Text(text) => json!({"type": "text", "text": text}),
            Self::Input(text) => json!({"type": "input_text", "text": text}),
            Self::Image(text) => json!({"type": "image_url", "image_url": {"url": text}}),
            Self::ToolResult(text) => {
                json!({"type": "tool_result", "content": [{"type": "text", "text": text}]})
            }
        }
    }

    fn own(&self) -> Option<&String> {
        match self {
            Self::Text(text) | Self::Input(text) => Some(text),
            Self::Image(_) | Self::ToolResult(_) => None,
        }
    }

    fn own_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Text(text) | Self::Input(text) => Some(text),
            Self::Image(_) | Self::ToolResult(_) => None,
        }
    }
}

/// Writes a value with white space, escapes and an order of keys taken from its style.
struct Writer<'a> {
    out: String,
    style: std::iter::Cycle<std::slice::Iter<'a, u8>>,
}

impl Writer<'_> {
    fn style(&mut self) -> u8 {
        self.style.next().copied().unwrap_or(0)
    }

    fn space(&mut self) {
        const SPACES: [&str; 8] = ["", "", "", "", " ", "\n  ", "\t", "\r\n"];
        let style = usize::from(self.style()) % SPACES.len();
        self.out.push_str(SPACES[style]);
    }

    fn value(&mut self, value: &Value) {
        self.space();
        match value {
            Value::String(text) if text == MARK => self.out.push_str(&value.to_string()),
            Value::String(text) => self.string(text),
            Value::Array(elements) => self.listed(('[', ']'), elements, Self::value),
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                if self.style() % 2 == 1 {
                    members.reverse();
                }
                self.listed(('{', '}'), &members, |writer, (key, value)| {
                    writer.space();
                    writer.string(key);
                    writer.space();
                    writer.out.push(':');
                    writer.value(value);
                });
            }
            other => self.out.push_str(&other.to_string()),
        }
        self.space();
    }

    fn listed<T>(
        &mut self,
        (open, close): (char, char),
        elements: &[T],
        mut write: impl FnMut(&mut Self, &T),
    ) {
        self.out.push(open);
        self.space();
        for (place, element) in elements.iter().enumerate() {
            if place > 0 {
                self.out.push(',');
            }
            write(self, element);
        }
        self.out.push(close);
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            match self.style() % 4 {
                0 => {
                    let mut units = [0; 2];
                    for unit in character.encode_utf16(&mut units) {
                        self.out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                1 if character == '/' => self.out.push_str("\\/"),
                _ => {
                    let quoted = json!(character).to_string();
                    self.out.push_str(&quoted[1..quoted.len() - 1]);
                }
            }
        }
        self.out.push('"');
    }
}

/// What may stand as `stream_options`; `None`: nothing.
fn options() -> impl Strategy<Value = Option<Value>> {
    let usage = select(vec![json!(true), json!(false), Value::Null]);
    prop::option::of(prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!({"other": [1, {"include_usage": false}]})),
        usage.clone().prop_map(|usage| json!({"include_usage": usage})),
        usage.prop_map(|usage| json!({"a": "b", "include_usage": usage, "c": 1})),
    ])
}

/// The body with these options as its first or its last key.
fn with_options(body: &[u8], options: Option<&Value>, at: prop::sample::Index) -> Vec<u8> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let Some(options) = options else { return text.into_bytes() };
    let member = format!("\"stream_options\" : {options}");
    if at.index(2) == 0 {
        return text.replacen('{', &format!("{{{member},"), 1).into_bytes();
    }
    let end = text.rfind('}').unwrap();
    format!("{},{member}{}", &text[..end], &text[end..]).into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_backend_reads_the_request_with_its_model_and_without_tags(chat in chat(), model in "[ -~é]{0,12}") {
        let body = chat.body();
        let prompt = read(&body).map_err(|fault| TestCaseError::fail(format!("{fault}: {chat:?}")))?;
        prop_assert_eq!(&prompt.tags, &chat.tags());
        let forwarded = prompt.forwarded(&body.into(), &model).whole();
        let value: Value = serde_json::from_slice(&forwarded).unwrap();
        prop_assert_eq!(value, chat.forwarded(&model));
    }

    /// Usage is asked for wherever it was not, and nothing else is different from the usual splice.
    #[test]
    fn usage_is_asked_for_whatever_the_options_were(chat in chat(), options in options(), at in any::<prop::sample::Index>()) {
        let body = with_options(&chat.body(), options.as_ref(), at);
        let prompt = read(&body).map_err(|fault| TestCaseError::fail(format!("{fault}: {chat:?}")))?;
        let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let body = Bytes::from(body);
        let mut wanted = parsed(&prompt.forwarded(&body, "m").whole());
        match &mut wanted["stream_options"] {
            Value::Object(options) => { options.insert("include_usage".into(), json!(true)); }
            other => *other = json!({"include_usage": true}),
        }
        prop_assert_eq!(parsed(&prompt.forwarded_with_usage(&body, "m").whole()), wanted);
    }

    #[test]
    fn without_tags_every_byte_outside_the_models_value_is_the_clients(chat in chat()) {
        let body = chat.body();
        let prompt = prompt::read(&body, CHAT, &Patterns::default()).unwrap();
        let text = String::from_utf8(body.clone()).unwrap();
        let wanted = match chat.model {
            Some(_) => text.replacen(MARK, "big", 1),
            None => text.replacen('{', "{\"model\":\"big\",", 1),
        };
        prop_assert_eq!(String::from_utf8(prompt.forwarded(&body.into(), "big").whole().into()).unwrap(), wanted);
    }
}

// --- depth -------------------------------------------------------------------------------------------------

/// Arrays in arrays under the key `x` of an object: `levels` levels in all.
fn nested(key: &str, levels: usize) -> Vec<u8> {
    format!("{{\"{key}\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1)).into_bytes()
}

#[test]
fn the_128th_level_is_the_last() {
    assert!(read(&nested("x", 128)).is_ok());
    let fault = read(&nested("x", 129)).unwrap_err();
    assert!(fault.is_syntax());
    assert_eq!(fault.offset(), "{\"x\":".len() + 127);
}

#[test]
fn absurd_nesting_is_refused_wherever_it_stands() {
    for key in ["x", "messages", "tools", "model", "system", "input", "prompt"] {
        for endpoint in Endpoint::ALL {
            let fault = prompt::read(&nested(key, 200_000), endpoint, &PATTERNS).unwrap_err();
            assert!(fault.is_syntax(), "{key}: {fault}");
        }
    }
    let parts = "{\"type\":\"tool_result\",\"content\":[".repeat(100_000);
    let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":[{parts}");
    assert!(read(body.as_bytes()).unwrap_err().is_syntax());
}
