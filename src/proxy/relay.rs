//! The answer on its way to the client: our headers on it, its bytes untouched, its first byte and
//! its usage noticed in passing.
//!
//! Two things are held back. A head alone, until its body begins: until then the request can still go
//! to another backend. The beginning of an event, until its end: if the backend breaks in between, the
//! error event that we add must not be glued to half of another.

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, StatusCode, Version};
use pingora_error::Result;
use pingora_http::ResponseHeader;
use tokio::time::Instant;

use super::exchange::Exchange;
use super::marks::REQUEST_ID;
use crate::openai::{EVENT_LIMIT, Scanner, Usage, added_usage, usage};
use crate::transport::Cut;

/// What is known of the answer.
#[derive(Default)]
pub struct Relay {
    /// The answer's status; there once its head has come.
    pub status: Option<u16>,
    /// When the first byte of its body came.
    pub first_byte: Option<Instant>,
    /// Whether anything of it may have reached the client: from then on it is not begun anew.
    pub released: bool,
    /// Whether it came to its end.
    pub complete: bool,
    /// Whether its length was announced.
    pub announced: bool,
    /// Whether usage was asked for in the client's place, and is taken out again.
    hides_usage: bool,
    /// Bytes of the body so far.
    pub bytes: u64,
    reader: Reader,
    /// The beginning of an event that is not whole yet.
    event: BytesMut,
}

/// How usage is found in this kind of answer.
#[derive(Default)]
enum Reader {
    #[default]
    None,
    Events(Box<Scanner>),
    Whole(Box<usage::Tail>),
}

impl Exchange {
    /// Puts our headers on the answer's head, and holds it back while its body has not begun.
    pub fn dress(&mut self, head: &mut ResponseHeader, client: Version) -> Result<()> {
        if head.status.is_informational() {
            return Ok(()); // Pingora drops it: `route` has asked for that
        }
        undress(head);
        if client == Version::HTTP_10 {
            head.remove_header(&TRANSFER_ENCODING); // it ends with the connection
        }
        let has_body = may_have_body(head);
        self.relay.status = Some(head.status.as_u16());
        self.relay.reader = Reader::of(head);
        self.relay.hides_usage = self.asked_backend().is_some_and(|backend| self.adds_usage(backend));
        if has_body && self.relay.hides_usage && self.relay.is_events() {
            unannounce(head, client)?;
        }
        self.relay.announced = head.headers.contains_key(CONTENT_LENGTH);
        self.relay.released = !has_body;
        if let Some(arrival) = &self.arrival {
            arrival.control.hold(has_body);
        }
        self.add_marks(Some(&head.headers));
        Ok(())
    }

    /// What we say goes into the head on its way out.
    pub fn add_marks(&self, given: Option<&HeaderMap>) {
        if let Some(arrival) = &self.arrival {
            arrival.control.add_lines(self.marks(given).into_bytes());
        }
    }

    /// One piece of the answer's body goes by; it is replaced by what may go on now.
    pub fn relay(&mut self, body: &mut Option<Bytes>, end: bool) {
        if let Some(piece) = body.as_ref().filter(|piece| !piece.is_empty()) {
            self.relay.first_byte.get_or_insert_with(Instant::now);
            self.relay.bytes = self.relay.bytes.saturating_add(piece.len() as u64);
            *body = Some(self.relay.pass(piece));
            self.expect_more();
        }
        if end {
            self.relay.complete = true;
            self.relay.add_rest(body);
            self.end_lease();
        }
        if end || body.as_ref().is_some_and(|piece| !piece.is_empty()) {
            self.release();
        }
    }

    fn expect_more(&self) {
        if let (Some(backend), Some(arrival)) = (self.asked_backend(), &self.arrival) {
            arrival.control.expect_within(backend.timeouts.idle, Cut::Idle);
        }
    }

    fn release(&mut self) {
        if !std::mem::replace(&mut self.relay.released, true)
            && let Some(arrival) = &self.arrival
        {
            arrival.control.hold(false);
        }
    }
}

impl Relay {
    /// The usage that the backend reported, where it did.
    pub fn usage(&self) -> Option<Usage> {
        match &self.reader {
            Reader::None => None,
            Reader::Events(scanner) => scanner.usage(),
            Reader::Whole(tail) => tail.usage(),
        }
    }

    /// Gives up what is large.
    pub fn forget(&mut self) {
        (self.reader, self.event) = (Reader::None, BytesMut::new());
    }

    /// Whether nothing of the answer is missing: it came to its end, or said that it has.
    pub fn is_whole(&self) -> bool {
        self.complete || matches!(&self.reader, Reader::Events(scanner) if scanner.is_done())
    }

    /// Whether the answer is a stream of events.
    pub const fn is_events(&self) -> bool {
        matches!(self.reader, Reader::Events(_))
    }

    /// What of this piece, and of what was held back before it, may go on.
    fn pass(&mut self, piece: &Bytes) -> Bytes {
        match &mut self.reader {
            Reader::None => piece.clone(),
            Reader::Whole(tail) => {
                tail.push(piece);
                piece.clone()
            }
            Reader::Events(scanner) => match scanner.feed(piece) {
                Some(whole) if whole == piece.len() && self.event.is_empty() => self.shown(piece.clone()),
                whole => {
                    let passed = self.cut_event(piece, whole.unwrap_or(0));
                    self.shown(passed)
                }
            },
        }
    }

    /// `whole`: bytes of the piece up to the end of its last whole event.
    fn cut_event(&mut self, piece: &Bytes, whole: usize) -> Bytes {
        let (ended, begun) = piece.split_at_checked(whole).unwrap_or((piece, &[]));
        let mut passed = BytesMut::new();
        if !ended.is_empty() {
            passed = std::mem::take(&mut self.event);
            passed.extend_from_slice(ended);
        }
        self.event.extend_from_slice(begun);
        if self.event.len() > EVENT_LIMIT {
            passed.unsplit(std::mem::take(&mut self.event)); // no event is so long: it is let through
        }
        passed.freeze()
    }

    /// Whole events as the client gets them.
    fn shown(&self, events: Bytes) -> Bytes {
        if self.hides_usage { added_usage::without(&events).into() } else { events }
    }

    /// Tokens of the answer, guessed from what went by: an event is one, as a rule, and four bytes of
    /// anything else.
    pub fn guessed_tokens(&self) -> u64 {
        match &self.reader {
            Reader::Events(scanner) => scanner.events(),
            _ => self.bytes / 4,
        }
    }

    /// At the end whatever is left goes on, whole event or not.
    fn add_rest(&mut self, body: &mut Option<Bytes>) {
        if let Reader::Events(scanner) = &mut self.reader {
            scanner.close();
        }
        if !self.event.is_empty() {
            let rest = std::mem::take(&mut self.event).freeze();
            let mut last = BytesMut::from(body.as_deref().unwrap_or_default());
            last.extend_from_slice(&self.shown(rest));
            *body = Some(last.freeze());
        }
    }
}

impl Reader {
    fn of(head: &ResponseHeader) -> Self {
        let media_type = head.headers.get("content-type").map(|value| value.as_bytes()).unwrap_or_default();
        match media_type {
            events if events.starts_with(b"text/event-stream") => Self::Events(Box::default()),
            json if json.starts_with(b"application/json") => Self::Whole(Box::default()),
            _ => Self::None,
        }
    }
}

/// Takes out what is between the backend and us, and what only we may say.
fn undress(head: &mut ResponseHeader) {
    let nominated = head.headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let nominated: Vec<_> =
        nominated.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
    // Which pages may read an answer is said by sluice alone: some servers allow every one, unasked.
    let is_ours = |name: &str| name.starts_with("x-sluice-") || name.starts_with("access-control-");
    let is_dropped = |name: &str| {
        is_ours(name) || OURS_OR_THE_HOPS.contains(&name) || nominated.iter().any(|other| other == name)
    };
    let kept = |name: &HeaderName| name == CONTENT_TYPE || name == CONTENT_LENGTH;
    let names = head.headers.keys().filter(|name| is_dropped(name.as_str()) && !kept(name));
    let dropped: Vec<_> = names.cloned().collect();
    for name in dropped {
        head.remove_header(&name);
    }
}

/// The length that the backend has announced is not that of what the client will get.
fn unannounce(head: &mut ResponseHeader, client: Version) -> Result<()> {
    if head.remove_header(&CONTENT_LENGTH).is_some() && client != Version::HTTP_10 {
        head.insert_header(TRANSFER_ENCODING, "chunked")?;
    }
    Ok(())
}

/// Fields about the backend's connection, besides those that Pingora writes anew, and what we say ourselves.
const OURS_OR_THE_HOPS: [&str; 6] =
    [REQUEST_ID, "keep-alive", "proxy-authenticate", "proxy-connection", "trailer", "upgrade"];

fn may_have_body(head: &ResponseHeader) -> bool {
    let empty = head.headers.get("content-length").is_some_and(|length| length.as_bytes() == b"0");
    !empty
        && !head.status.is_informational()
        && !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}
