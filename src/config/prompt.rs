//! `policy.yaml`: what is looked for in prompts, and patterns, which are checked here and compiled where they run.

use regex::RegexBuilder;

use super::defaults as d;
use super::names;
use super::reader::{Item, Table};
use crate::policy::PromptPolicy;

/// Longest pattern, in characters.
const MAX_PATTERN: usize = 2000;
/// Most memory that a compiled pattern may take, in bytes.
const MAX_COMPILED: usize = 1 << 20;

/// The `prompt` section. `patterns` are added by the rules that name them.
pub(super) fn prompt(root: &Table<'_>) -> PromptPolicy {
    let table = root.table("prompt", &["tags", "strip_tags", "image_tokens"]);
    PromptPolicy {
        tags: table.named("tags").iter().map(|(name, item)| tag(name, item)).collect(),
        strip_tags: table.flag("strip_tags", d::STRIP_TAGS),
        patterns: Vec::new(),
        image_tokens: table.whole("image_tokens", &d::IMAGE_TOKENS),
    }
}

fn tag(name: &str, item: &Item<'_>) -> (String, String) {
    names::check_name(name, item);
    let source = pattern(item).unwrap_or_default();
    if !source.is_empty() && regex::Regex::new(source).is_ok_and(|pattern| pattern.is_match("")) {
        item.warning("the pattern matches nothing at all too", "every message will have this tag");
    }
    (name.to_owned(), source.to_owned())
}

/// A regular expression's source that compiles within its bounds.
pub(super) fn pattern<'a>(item: &Item<'a>) -> Option<&'a str> {
    let source = item.text()?;
    if source.chars().nth(MAX_PATTERN).is_some() {
        let help = format!("at most {MAX_PATTERN} characters");
        return item.missing("the pattern is too long", &help);
    }
    match RegexBuilder::new(source).size_limit(MAX_COMPILED).build() {
        Ok(_) => Some(source),
        Err(regex::Error::CompiledTooBig(_)) => {
            item.missing("the pattern takes more than 1 MiB compiled", "use smaller repetitions")
        }
        Err(error) => {
            let (what, at) = explained(&error);
            let place = at.map(|at| format!(" at character {at}")).unwrap_or_default();
            item.missing(
                &format!("is not a regular expression: {what}{place}"),
                "the syntax is the regex crate's",
            )
        }
    }
}

/// The reason and the character of a syntax error, from 1. The crate tells them only as a picture: the pattern,
/// a line with carets below it, both indented by four, and last `error: …`.
fn explained(error: &regex::Error) -> (String, Option<usize>) {
    let picture = error.to_string();
    let lines: Vec<&str> = picture.lines().collect();
    let reason =
        lines.iter().rev().find_map(|line| line.strip_prefix("error: ")).unwrap_or("it does not compile");
    let place = match lines.as_slice() {
        [_, _, carets, _] => carets.find('^').map(|at| (at + 1).saturating_sub(4)),
        _ => None,
    };
    (reason.to_owned(), place)
}
