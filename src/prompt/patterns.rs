//! Tags and patterns: compiled once a policy, matched against what a user's texts say.

use std::ops::Range;

use memchr::{memchr, memmem};
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::literal::Extractor;
use thiserror::Error;

use super::text::{Offsets, Text, decode};
use crate::policy::{PatternId, PromptPolicy, TagId};

/// Bytes that a compiled pattern, and the states made of it while it is matched, may take.
const SIZE_LIMIT: usize = 2 << 20;

/// What is looked for in prompts, compiled; and what an image counts.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    tags: Vec<Pattern>,
    patterns: Vec<Pattern>,
    strip_tags: bool,
    pub(super) image_tokens: u64,
}

/// One of them.
#[derive(Debug, Clone)]
struct Pattern {
    regex: Regex,
    /// The byte that each of its matches begins with, where there is one such as a tag's `#`: to look for a
    /// byte takes a fraction of the time.
    first: Option<u8>,
}

/// A pattern that does not compile.
#[derive(Debug, Clone, Error)]
#[error("pattern `{pattern}`: {problem}")]
pub struct PatternError {
    /// The pattern as it was given.
    pub pattern: String,
    /// Why it does not compile.
    pub problem: regex::Error,
}

/// What was found in a body's user texts.
#[derive(Debug, Default)]
pub(super) struct Sight {
    pub tags: Vec<TagId>,
    pub patterns: Vec<PatternId>,
    /// What is taken out of the body: ascending, apart, none empty.
    pub removed: Vec<Range<usize>>,
}

/// Whether a pattern may stand in a policy: valid, and not too large.
///
/// # Errors
/// Why not, in the words of the pattern's compiler.
pub fn check_pattern(pattern: &str) -> Result<(), String> {
    compile(pattern).map(drop).map_err(|error| error.to_string())
}

impl Patterns {
    /// Compiles a policy's tags and patterns.
    ///
    /// # Errors
    /// The first one that does not compile.
    pub fn new(policy: &PromptPolicy) -> Result<Self, PatternError> {
        let compile = |pattern: &String| {
            compile(pattern).map_err(|problem| PatternError { pattern: pattern.clone(), problem })
        };
        Ok(Self {
            tags: policy.tags.iter().map(|(_, pattern)| compile(pattern)).collect::<Result<_, _>>()?,
            patterns: policy.patterns.iter().map(compile).collect::<Result<_, _>>()?,
            strip_tags: policy.strip_tags,
            image_tokens: policy.image_tokens,
        })
    }

    /// Looks at the user texts of a body; `last` are the places of those of the last user message.
    pub(super) fn look(&self, body: &str, texts: &[Text], last: &Range<usize>) -> Sight {
        let mut sight = Sight::default();
        let mut decoded = String::new();
        let strip = self.strip_tags && !self.tags.is_empty();
        for (place, &text) in texts.iter().enumerate() {
            let is_last = last.contains(&place);
            if text.is_empty() || !(strip || is_last) || !self.may_match(text.raw(body), is_last) {
                continue;
            }
            let said = said(body, text, &mut decoded);
            if strip {
                let tags = is_last.then_some(&mut sight.tags);
                remove(&self.tags_in(said, tags), body, text, &mut sight.removed);
            } else {
                find(&self.tags, said, TagId, &mut sight.tags);
            }
            if is_last {
                find(&self.patterns, said, PatternId, &mut sight.patterns);
            }
        }
        sight.tags.sort_unstable();
        sight.patterns.sort_unstable();
        sight
    }

    /// Whether anything may match in a text as it is written, escapes and all: without a look at what it says.
    fn may_match(&self, raw: &str, is_last: bool) -> bool {
        let patterns = if is_last { self.patterns.as_slice() } else { &[] };
        self.tags.iter().chain(patterns).any(|pattern| pattern.may_match_written(raw))
    }

    /// Where tags match, ascending and apart, but for empty matches; which ones do is added to `found`.
    fn tags_in(&self, said: &str, mut found: Option<&mut Vec<TagId>>) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for (place, tag) in self.tags.iter().enumerate() {
            for matched in tag.find_iter(said) {
                if let Some(found) = found.as_deref_mut() {
                    add(TagId(place), found);
                }
                if !matched.is_empty() {
                    ranges.push(matched.range());
                }
            }
        }
        join(&mut ranges);
        ranges
    }
}

/// Sorts ranges, and makes one of those that meet.
fn join(ranges: &mut Vec<Range<usize>>) {
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, before| {
        let meets = next.start <= before.end;
        if meets {
            before.end = before.end.max(next.end);
        }
        meets
    });
}

fn compile(pattern: &str) -> Result<Pattern, regex::Error> {
    let regex = RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build()?;
    Ok(Pattern { regex, first: first_byte(pattern) })
}

/// The byte that each match of a pattern begins with; `None` where there are several, or none.
fn first_byte(pattern: &str) -> Option<u8> {
    let prefixes = Extractor::new().extract(&regex_syntax::parse(pattern).ok()?);
    let mut firsts = prefixes.literals()?.iter().map(|prefix| prefix.as_bytes().first());
    let first = firsts.next()?;
    firsts.all(|other| other == first).then_some(*first?)
}

impl Pattern {
    fn may_match(&self, said: &str) -> bool {
        self.first.is_none_or(|first| memchr(first, said.as_bytes()).is_some())
    }

    /// As [`Pattern::may_match`], of a text that is not decoded. Escapes of one letter stand for themselves or
    /// for control characters, `\u00..` for anything that fits into a byte.
    fn may_match_written(&self, raw: &str) -> bool {
        let plain = self.first.is_some_and(|first| (b' '..0x7f).contains(&first));
        !plain || self.may_match(raw) || memmem::find(raw.as_bytes(), br"\u00").is_some()
    }

    fn is_match(&self, said: &str) -> bool {
        self.may_match(said) && self.regex.is_match(said)
    }

    /// Where it matches, ascending and apart.
    fn find_iter<'a>(&'a self, said: &'a str) -> impl Iterator<Item = regex::Match<'a>> {
        self.may_match(said).then(|| self.regex.find_iter(said)).into_iter().flatten()
    }
}

/// What a text says: as it is written, or decoded where it has escapes.
fn said<'a>(body: &'a str, text: Text, decoded: &'a mut String) -> &'a str {
    let raw = text.raw(body);
    if !text.escaped {
        return raw;
    }
    decoded.clear();
    decode(raw, decoded);
    decoded
}

/// Adds the places of the patterns that match.
fn find<Id: PartialEq>(patterns: &[Pattern], said: &str, id: fn(usize) -> Id, found: &mut Vec<Id>) {
    for (place, pattern) in patterns.iter().enumerate() {
        if pattern.is_match(said) {
            add(id(place), found);
        }
    }
}

fn add<Id: PartialEq>(id: Id, found: &mut Vec<Id>) {
    if !found.contains(&id) {
        found.push(id);
    }
}

/// Adds where the decoded ranges of a text stand in the body.
fn remove(ranges: &[Range<usize>], body: &str, text: Text, removed: &mut Vec<Range<usize>>) {
    if !text.escaped {
        removed.extend(ranges.iter().map(|range| text.start + range.start..text.start + range.end));
        return;
    }
    let mut offsets = Offsets::new(text.raw(body));
    for range in ranges {
        let start = text.start + offsets.raw_of(range.start);
        removed.push(start..text.start + offsets.raw_of(range.end));
    }
}

#[cfg(test)]
mod tests;
