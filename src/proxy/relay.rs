//! The answer on its way to the client: our headers on it, its bytes untouched, its first byte and
//! its usage noticed in passing.

use bytes::Bytes;
use pingora_error::Result;
use pingora_http::ResponseHeader;
use tokio::time::Instant;

use super::exchange::Exchange;
use crate::openai::{Scanner, Usage, usage};
use crate::transport::Cut;

/// What is known of the answer.
#[derive(Default)]
pub struct Relay {
    /// The answer's status.
    pub status: Option<u16>,
    /// When the first byte of its body came.
    pub first_byte: Option<Instant>,
    /// Whether it came to its end.
    pub complete: bool,
    reader: Reader,
}

/// How usage is found in this kind of answer.
#[derive(Default)]
enum Reader {
    #[default]
    None,
    Events(Box<Scanner>),
    /// A whole JSON value; what has come of it, as long as it is not too much.
    Whole(Vec<u8>),
}

impl Exchange {
    /// Puts our headers on the answer's head.
    pub fn dress(&mut self, head: &mut ResponseHeader) -> Result<()> {
        self.relay.status = Some(head.status.as_u16());
        self.relay.reader = Reader::of(head);
        self.mark(head)
    }

    /// One piece of the answer's body goes by.
    pub fn relay(&mut self, body: &Option<Bytes>, end: bool) {
        self.relay.complete |= end;
        let Some(piece) = body.as_ref().filter(|piece| !piece.is_empty()) else { return };
        let now = Instant::now();
        self.relay.first_byte.get_or_insert(now);
        self.relay.reader.read(piece);
        if let (Some(backend), Some(arrival)) = (self.asked_backend(), &self.arrival) {
            arrival.control.cut_at(now + backend.timeouts.idle, Cut::Idle);
        }
    }
}

impl Relay {
    /// The usage that the backend reported, where it did.
    pub fn usage(&self) -> Option<Usage> {
        match &self.reader {
            Reader::None => None,
            Reader::Events(scanner) => scanner.usage(),
            Reader::Whole(body) => usage::of_answer(body),
        }
    }

    /// Whether the answer is a stream of events.
    pub fn is_events(&self) -> bool {
        matches!(self.reader, Reader::Events(_))
    }
}

impl Reader {
    fn of(head: &ResponseHeader) -> Self {
        let media_type = head.headers.get("content-type").map(|value| value.as_bytes()).unwrap_or_default();
        if media_type.starts_with(b"text/event-stream") {
            return Self::Events(Box::default());
        }
        if media_type.starts_with(b"application/json") { Self::Whole(Vec::new()) } else { Self::None }
    }

    fn read(&mut self, piece: &[u8]) {
        match self {
            Self::None => {}
            Self::Events(scanner) => {
                scanner.feed(piece);
            }
            Self::Whole(body) if body.len() + piece.len() <= MAX_WHOLE => body.extend_from_slice(piece),
            Self::Whole(_) => *self = Self::None,
        }
    }
}

/// A JSON answer larger than this is not read for its usage.
const MAX_WHOLE: usize = 1024 * 1024;
