//! A stream of server-sent events, read while it passes by: where events end, what was used, whether
//! the stream said that it is over.
//!
//! It changes nothing and holds nothing back. Pieces may be cut anywhere. An event that lies within one
//! piece is read in place; only one that is cut is put together, up to [`EVENT_LIMIT`].

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

use super::Usage;
use super::usage;

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"usage\""));

/// Bytes of the longest event that is read, its empty line included. A longer one passes unread.
pub const EVENT_LIMIT: usize = 1024 * 1024;

/// The names of events behind which nothing comes: Anthropic's, and those of the Responses API.
const LAST_EVENTS: [&[u8]; 4] =
    [b"message_stop", b"response.completed", b"response.failed", b"response.incomplete"];

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Scanner {
    usage: Option<Usage>,
    events: u64,
    done: bool,
    /// The beginning of the event that the last piece cut.
    cut: Vec<u8>,
    /// The length of that beginning; more than `cut` holds when it is over the limit.
    pending: usize,
    /// What the last, unfinished line holds so far.
    line: Line,
}

/// Whether a line is empty can only be said at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Line {
    #[default]
    Empty,
    /// A carriage return and nothing else: still empty if a line feed follows.
    Return,
    Text,
}

impl Scanner {
    /// Takes the next piece. Answers how much of it belongs to events that are whole now; `None`: no
    /// event ended in it. Lines end in LF or CRLF; an empty one ends an event.
    pub fn feed(&mut self, piece: &[u8]) -> Option<usize> {
        let mut rest = piece;
        let mut end = None;
        while let Some(length) = self.event_end(rest) {
            let (event, after) = rest.split_at(length);
            self.finish(event);
            rest = after;
            end = Some(piece.len() - after.len());
        }
        self.keep(rest);
        end
    }

    /// The stream is over: what is left is its last event, though no empty line has ended it.
    pub fn close(&mut self) {
        if self.pending > 0 {
            self.finish(&[]);
        }
    }

    /// What was used, as far as the whole events said; `None`: they said nothing.
    pub const fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Events that are whole so far.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Whether the stream said that it is over: `[DONE]`, or the last event of an API that names them.
    pub const fn is_done(&self) -> bool {
        self.done
    }

    /// Bytes since the last whole event: not 0 where a stream ended within one.
    pub const fn pending(&self) -> usize {
        self.pending
    }

    /// How many bytes of `rest` the current event still takes. Leaves `line` behind what was read.
    fn event_end(&mut self, rest: &[u8]) -> Option<usize> {
        let mut from = 0;
        while let Some(text) = rest.get(from..) {
            let Some(at) = memchr(b'\n', text) else {
                self.line = self.line.and(text);
                return None;
            };
            let line = self.line.and(text.get(..at).unwrap_or_default());
            self.line = Line::Empty;
            from += at + 1;
            if line != Line::Text {
                return Some(from);
            }
        }
        None
    }

    /// The current event is whole with these last bytes.
    fn finish(&mut self, last: &[u8]) {
        if self.pending.saturating_add(last.len()) > EVENT_LIMIT {
            // Unread.
        } else if self.cut.is_empty() {
            self.read(last);
        } else {
            let mut event = std::mem::take(&mut self.cut);
            event.extend_from_slice(last);
            self.read(&event);
            self.cut = event;
        }
        self.cut.clear();
        self.pending = 0;
        self.events += 1;
    }

    /// The current event goes on in the next piece.
    fn keep(&mut self, rest: &[u8]) {
        self.pending = self.pending.saturating_add(rest.len());
        if self.pending <= EVENT_LIMIT {
            self.cut.extend_from_slice(rest);
        } else {
            self.cut = Vec::new();
        }
    }

    /// Looks for what matters in a whole event. JSON is only read where a usage is named.
    fn read(&mut self, event: &[u8]) {
        if USAGE.find(event).is_some() {
            let known = self.usage.unwrap_or_default();
            self.usage = usage::of_json(event).map(|later| known.then(later)).or(self.usage);
        }
        self.done = self.done || event.split(|&byte| byte == b'\n').any(is_last);
    }
}

impl Line {
    /// With more bytes, none of them a line feed.
    const fn and(self, more: &[u8]) -> Self {
        match (self, more) {
            (line, []) => line,
            (Self::Empty, [b'\r']) => Self::Return,
            _ => Self::Text,
        }
    }
}

/// Whether a line of an event says that the stream is over.
fn is_last(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let value = |name: &[u8]| Some(line.strip_prefix(name)?.trim_ascii());
    value(b"data:") == Some(b"[DONE]") || value(b"event:").is_some_and(|event| LAST_EVENTS.contains(&event))
}

#[cfg(test)]
mod tests;
