//! Tags and patterns: compiled once a policy, matched against what a user's texts say.

use std::ops::Range;

use memchr::{memchr, memmem};
use regex::{Regex, RegexBuilder};
use regex_automata::util::prefilter::Prefilter;
use regex_automata::{MatchKind, Span};
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
    beginning: Beginning,
}

/// How the matches of a pattern begin, as far as that is known. It rules out most texts in a fraction of the
/// time that the pattern takes, and without decoding them.
#[derive(Debug, Clone, Default)]
struct Beginning {
    /// The first byte of all of them, such as a tag's `#`.
    byte: Option<u8>,
    /// Finds all of their beginnings.
    finder: Option<Prefilter>,
    /// Whether a JSON string can have them as escapes of four digits only.
    plain: bool,
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
            if text.is_empty() || !(strip || is_last) {
                continue;
            }
            if text.escaped && !self.may_match(text.raw(body), is_last) {
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

    /// Whether anything may match in a text with escapes, which is not decoded to find that out.
    fn may_match(&self, raw: &str, is_last: bool) -> bool {
        let patterns = if is_last { self.patterns.as_slice() } else { &[] };
        if self.tags.is_empty() && patterns.is_empty() {
            return false;
        }
        let mut all = self.tags.iter().chain(patterns);
        all.any(|pattern| pattern.beginning.may_be_written_in(raw)) || hides_letters(raw)
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
    Ok(Pattern { regex, beginning: Beginning::of(pattern) })
}

impl Beginning {
    fn of(pattern: &str) -> Self {
        let Ok(syntax) = regex_syntax::parse(pattern) else { return Self::default() };
        let known = Extractor::new().extract(&syntax);
        let Some(known) = known.literals() else { return Self::default() };
        let mut firsts = known.iter().map(|literal| literal.as_bytes().first());
        let first = firsts.next().flatten().filter(|&first| firsts.all(|other| other == Some(first)));
        let is_plain = |&byte: &u8| byte >= b' ' && !matches!(byte, b'"' | b'\\' | b'/');
        Self {
            byte: first.copied(),
            finder: Prefilter::from_hir_prefix(MatchKind::LeftmostFirst, &syntax),
            plain: known.iter().all(|literal| literal.as_bytes().iter().all(is_plain)),
        }
    }

    /// Whether a text may have a match, by its first byte.
    fn may_be_in(&self, said: &str) -> bool {
        self.byte.is_none_or(|byte| memchr(byte, said.as_bytes()).is_some())
    }

    /// Whether a text may have a match, which is not decoded and [hides no letters](hides_letters).
    fn may_be_written_in(&self, raw: &str) -> bool {
        let Some(finder) = self.finder.as_ref().filter(|_| self.plain) else { return true };
        finder.find(raw.as_bytes(), Span::from(0..raw.len())).is_some()
    }
}

/// Whether a text has escapes of four digits, which may be any letter: a `\u` whose backslash is not what the one
/// before it stands for.
fn hides_letters(raw: &str) -> bool {
    let raw = raw.as_bytes();
    memmem::find_iter(raw, br"\u").any(|at| {
        let before = raw.get(..at).unwrap_or_default();
        before.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 0
    })
}

impl Pattern {
    fn is_match(&self, said: &str) -> bool {
        self.beginning.may_be_in(said) && self.regex.is_match(said)
    }

    /// Where it matches, ascending and apart.
    fn find_iter<'a>(&'a self, said: &'a str) -> impl Iterator<Item = regex::Match<'a>> {
        self.beginning.may_be_in(said).then(|| self.regex.find_iter(said)).into_iter().flatten()
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
