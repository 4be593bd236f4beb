//! A request's body: what is read of it, and what is forwarded. `serde_json` is the judge of what is JSON, and
//! the tree it reads has the facts and the forwarded document that are wanted.

use std::ops::Range;
use std::sync::LazyLock;

use bytes::Bytes;
use regex::Regex;
use sluice::openai::Endpoint;
use sluice::policy::{PatternId, PromptPolicy, TagId};
use sluice::prompt::{self, Patterns, Prompt};

use super::reading::{self, Reading};
use super::tree::{self, Style, Text, Tree};

/// Tags as they are meant, tags that overlap, and one that also matches nothing.
const TAGS: [&str; 5] = [r"(?i)#force_big\b", r"#think\w*", "ink.", "(?m)^!*", "\u{fffd}+"];
const PATTERN: &str = r"(?i)\brefactor\b";
/// A model's name with something to escape, which no body is expected to hold.
const MODEL: &str = "zq\"\\\n\u{1}é😀";
/// The same as it must be written.
const WRITTEN: &str = r#""zq\"\\\u000a\u0001é😀""#;

struct Compiled {
    patterns: Patterns,
    tags: [Regex; 5],
    pattern: Regex,
}

static COMPILED: LazyLock<Compiled> = LazyLock::new(|| Compiled {
    patterns: Patterns::new(&PromptPolicy {
        tags: TAGS.iter().map(|tag| ((*tag).to_owned(), (*tag).to_owned())).collect(),
        strip_tags: true,
        patterns: vec![PATTERN.to_owned()],
        image_tokens: 1_000,
    })
    .expect("the patterns compile"),
    tags: TAGS.map(|tag| Regex::new(tag).expect("a tag")),
    pattern: Regex::new(PATTERN).expect("a pattern"),
});

/// Checks these bytes as the body of a request to every endpoint.
pub fn check(body: &[u8]) {
    let tree = tree::parse(body);
    for endpoint in Endpoint::ALL {
        check_at(endpoint, body, tree.as_ref());
    }
}

fn check_at(endpoint: Endpoint, body: &[u8], tree: Option<&Tree>) {
    let wanted = tree.and_then(|tree| reading::read(tree, endpoint));
    match (prompt::read(body, endpoint, &COMPILED.patterns), tree) {
        (Ok(prompt), Some(tree)) => {
            let wanted = wanted.unwrap_or_else(|| panic!("{endpoint:?} takes a body of the wrong shape"));
            facts(&prompt, &wanted);
            spliced(&prompt, body, tree, &wanted, endpoint);
            kept(body, endpoint);
            respelled(&prompt, tree, endpoint);
        }
        (Ok(_), None) => panic!("{endpoint:?} takes what is no JSON"),
        (Err(fault), _) => {
            assert_eq!(fault.is_syntax(), tree.is_none(), "{endpoint:?}: {fault}");
            assert!(fault.offset() <= body.len(), "{endpoint:?}: {fault}");
            assert!(wanted.is_none(), "{endpoint:?} refuses a sound body: {fault}");
        }
    }
}

/// What was read is what the tree says.
fn facts(prompt: &Prompt, wanted: &Reading) {
    assert_eq!(prompt.model, wanted.model, "model");
    assert_eq!(prompt.stream, wanted.stream, "stream");
    assert_eq!(prompt.include_usage, wanted.include_usage, "include_usage");
    assert_eq!(prompt.tools, wanted.tools, "tools");
    assert_eq!(prompt.images, wanted.images > 0, "images");
    assert_eq!(prompt.max_output_tokens, wanted.max_output_tokens, "max_output_tokens");
    assert!(prompt.tokens >= wanted.images * 1_000, "images count");
    let last: Vec<String> =
        wanted.last().iter().filter(|text| !text.units.is_empty()).map(Text::lossy).collect();
    let found = |regex: &Regex| last.iter().any(|text| regex.is_match(text));
    let tags: Vec<TagId> = (0..TAGS.len()).filter(|tag| found(&COMPILED.tags[*tag])).map(TagId).collect();
    assert_eq!(prompt.tags, tags, "tags");
    let patterns: Vec<PatternId> = found(&COMPILED.pattern).then_some(PatternId(0)).into_iter().collect();
    assert_eq!(prompt.patterns, patterns, "patterns");
}

/// Splicing and then parsing is parsing and then replacing.
fn spliced(prompt: &Prompt, body: &[u8], tree: &Tree, reading: &Reading, endpoint: Endpoint) {
    let body = &Bytes::copy_from_slice(body);
    let forwarded = prompt.forwarded(body, MODEL).whole();
    let read = tree::parse(&forwarded).expect("what is forwarded is JSON");
    assert_eq!(read, replaced(tree, reading), "what the backend reads");
    if prompt.stream && matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Completions) {
        let forwarded = prompt.forwarded_with_usage(body, MODEL).whole();
        let read = tree::parse(&forwarded).expect("what is forwarded with usage is JSON");
        assert_eq!(read, told_of_usage(replaced(tree, reading), tree), "what is asked for");
    }
    let again = prompt::read(&forwarded, endpoint, &Patterns::default()).expect("it is read again");
    assert_eq!(again.model, MODEL);
    assert_eq!(
        (again.stream, again.include_usage, again.tools, again.images, again.max_output_tokens),
        (prompt.stream, prompt.include_usage, prompt.tools, prompt.images, prompt.max_output_tokens),
    );
}

/// The document that the backend should read.
fn replaced(tree: &Tree, reading: &Reading) -> Tree {
    let own: Vec<usize> = reading.said.iter().flatten().map(|text| text.place).collect();
    let mut tree = tree.clone();
    strip(&mut tree, &own);
    if let Tree::Object(members) = &mut tree {
        let model = Tree::Text(Text::new(MODEL));
        match members.iter_mut().find(|(key, _)| key.says("model")) {
            Some((_, value)) => *value = model,
            None => members.insert(0, (Text::new("model"), model)),
        }
    }
    tree
}

/// The same, with `stream_options.include_usage`: in its place, or as the first key, or behind a new model.
fn told_of_usage(mut wanted: Tree, body: &Tree) -> Tree {
    let (Tree::Object(members), Tree::Object(before)) = (&mut wanted, body) else { return wanted };
    let key = Text::new("include_usage");
    match members.iter_mut().find(|(key, _)| key.says("stream_options")) {
        Some((_, Tree::Object(options))) => match options.iter_mut().find(|(name, _)| *name == key) {
            Some((_, asked)) => *asked = Tree::Bool(true),
            None => options.insert(0, (key, Tree::Bool(true))),
        },
        Some((_, options)) => *options = Tree::Object(vec![(key, Tree::Bool(true))]),
        None => {
            let options = Tree::Object(vec![(key, Tree::Bool(true))]);
            members.insert(members.len() - before.len(), (Text::new("stream_options"), options));
        }
    }
    wanted
}

/// Takes the tags out of these texts.
fn strip(tree: &mut Tree, own: &[usize]) {
    match tree {
        Tree::Text(text) if own.contains(&text.place) => strip_text(text),
        Tree::Array(elements) => elements.iter_mut().for_each(|element| strip(element, own)),
        Tree::Object(members) => members.iter_mut().for_each(|(_, member)| strip(member, own)),
        _ => {}
    }
}

fn strip_text(text: &mut Text) {
    let said = text.lossy();
    let matches = COMPILED.tags.iter().flat_map(|tag| tag.find_iter(&said));
    let gone: Vec<Range<usize>> = matches.map(|found| found.range()).collect();
    let mut units = text.units.iter();
    let mut left = Vec::new();
    // U+FFFD is one unit, as the half is that it stands for.
    for (at, character) in said.char_indices() {
        let those = units.by_ref().take(character.len_utf16());
        if gone.iter().any(|range| range.contains(&at)) {
            those.for_each(drop);
        } else {
            left.extend(those);
        }
    }
    text.units = left;
}

/// Without tags every byte is the client's, but for the value of `model`.
fn kept(body: &[u8], endpoint: Endpoint) {
    let Ok(prompt) = prompt::read(body, endpoint, &Patterns::default()) else {
        panic!("tags and patterns decide whether a body is taken");
    };
    let forwarded = prompt.forwarded(&Bytes::copy_from_slice(body), MODEL).whole();
    let at = forwarded.windows(WRITTEN.len()).position(|text| text == WRITTEN.as_bytes());
    let (front, back) = forwarded.split_at(at.expect("the model is there"));
    let back = &back[WRITTEN.len()..];
    if body.starts_with(front) && body.ends_with(back) && front.len() + back.len() < body.len() {
        let old = &body[front.len()..body.len() - back.len()];
        let old = std::str::from_utf8(old).expect("UTF-8");
        assert!(serde_json::from_str::<serde::de::IgnoredAny>(old).is_ok(), "in the place of a value");
        assert!(old == "null" || old.starts_with('"'), "in the place of {old}");
    } else {
        let front = front.strip_suffix(b"\"model\":").expect("a new key");
        let back = back.strip_prefix(b",").unwrap_or(back);
        assert_eq!([front, back].concat(), body, "but for a new key");
    }
}

/// However the same document is written, the same is read of it.
fn respelled(prompt: &Prompt, tree: &Tree, endpoint: Endpoint) {
    for style in [Style::Tight, Style::Wide, Style::Escaped] {
        let body = tree::written(tree, style);
        let other = prompt::read(body.as_bytes(), endpoint, &COMPILED.patterns).expect("the same document");
        assert_eq!(facts_of(&other), facts_of(prompt), "written {style:?}: {body}");
    }
}

/// What the rules may see.
fn facts_of(prompt: &Prompt) -> impl PartialEq + std::fmt::Debug {
    (
        (prompt.model.clone(), prompt.tokens, prompt.max_output_tokens),
        (prompt.stream, prompt.include_usage, prompt.tools, prompt.images),
        (prompt.tags.clone(), prompt.patterns.clone()),
    )
}
