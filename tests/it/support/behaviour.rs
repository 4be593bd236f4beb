//! How a scripted peer answers a request: what, when, and what goes wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

/// What vLLM calls a stream.
pub(super) const EVENTS: &str = "text/event-stream; charset=utf-8";

/// How one request is answered. Begin with one of the constructors and change it with the rest.
#[derive(Debug, Clone)]
pub struct Behaviour {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
    pub(super) framing: AnswerFraming,
    pub(super) before_head: Duration,
    pub(super) before_body: Duration,
    pub(super) head_hold: Option<Latch>,
    pub(super) body_hold: Option<Latch>,
    pub(super) event_holds: Vec<Latch>,
    pub(super) fault: Option<Fault>,
    pub(super) cut: Option<Cut>,
    pub(super) close_after: bool,
    pub(super) unread: bool,
    pub(super) bytes_per_second: Option<u32>,
}

/// What the answer's body is.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// A chat completion; its stream, where the request asks for one.
    Chat,
    /// What came: `{"sha256", "len", "method", "path"}`.
    Echo,
    /// These bytes.
    Bytes { content_type: String, bytes: Vec<u8> },
    /// Server-sent events, each with its blank line, so far apart.
    Events { content_type: String, events: Vec<Vec<u8>>, pace: Duration },
    /// So many bytes, as fast as they are taken.
    Flood(usize),
    /// Bytes that stand for the head too.
    Raw(Vec<u8>),
}

/// How the answer's end is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerFraming {
    /// A length for bytes, chunks for events.
    Usual,
    /// Chunks for everything, one a piece.
    Chunked,
    /// Not at all: the connection is closed behind it.
    Close,
}

/// No answer, in three ways. The request is read first, unless it is left unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing, until the client leaves.
    Hang,
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
    /// Closed, if it is not the connection's first request; else an ordinary answer.
    CloseReused,
}

/// Where an answer breaks off, counted in bytes of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) after: usize,
    pub(super) reset: bool,
}

/// Something that a test lets go of, once and for all who wait.
#[derive(Debug, Clone, Default)]
pub struct Latch(Arc<AtomicBool>);

impl Latch {
    /// One that holds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets go.
    pub fn release(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was let go.
    pub fn is_released(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Behaviour {
    /// 200 with a chat completion, streamed where the request asks for it.
    pub fn chat() -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: Body::Chat,
            framing: AnswerFraming::Usual,
            before_head: Duration::ZERO,
            before_body: Duration::ZERO,
            head_hold: None,
            body_hold: None,
            event_holds: Vec::new(),
            fault: None,
            cut: None,
            close_after: false,
            unread: false,
            bytes_per_second: None,
        }
    }

    fn with_body(body: Body) -> Self {
        Self { body, ..Self::chat() }
    }

    fn with_fault(fault: Fault) -> Self {
        Self { fault: Some(fault), ..Self::chat() }
    }

    /// 200 with what came, as JSON: `sha256` and `len` of the body, `method`, `path`.
    pub fn echo() -> Self {
        Self::with_body(Body::Echo)
    }

    /// This status with an error as vLLM words it.
    pub fn status(status: u16) -> Self {
        let message = format!("simulated {status}");
        let error = json!({"message": message, "type": "InternalServerError", "param": null, "code": status});
        Self { status, ..Self::json(&json!({ "error": error })) }
    }

    /// 200 with this JSON.
    pub fn json(body: &Value) -> Self {
        Self::bytes("application/json", body.to_string().into_bytes())
    }

    /// 200 with these bytes.
    pub fn bytes(content_type: &str, bytes: Vec<u8>) -> Self {
        Self::with_body(Body::Bytes { content_type: content_type.to_owned(), bytes })
    }

    /// 200 with these server-sent events; each is given its blank line.
    pub fn events<S: AsRef<str>>(events: &[S]) -> Self {
        let events = events.iter().map(|event| format!("{}\n\n", event.as_ref()).into_bytes()).collect();
        Self::with_body(Body::Events { content_type: EVENTS.to_owned(), events, pace: Duration::ZERO })
    }

    /// These bytes as a stream, one write each, blank lines and all.
    pub fn pieces(pieces: Vec<Vec<u8>>) -> Self {
        Self::with_body(Body::Events {
            content_type: EVENTS.to_owned(),
            events: pieces,
            pace: Duration::ZERO,
        })
    }

    /// 200 with so many bytes, as fast as they are taken; none of them is kept here.
    pub fn flood(length: usize) -> Self {
        Self::with_body(Body::Flood(length))
    }

    /// These bytes and nothing else, head included.
    pub fn raw(answer: &[u8]) -> Self {
        Self::with_body(Body::Raw(answer.to_vec()))
    }

    /// No answer, until the client leaves.
    pub fn hang() -> Self {
        Self::with_fault(Fault::Hang)
    }

    /// Closes the connection without an answer.
    pub fn close() -> Self {
        Self::with_fault(Fault::Close)
    }

    /// Resets the connection without an answer.
    pub fn reset() -> Self {
        Self::with_fault(Fault::Reset)
    }

    /// Closes the connection without an answer where it has served a request before; a chat completion else.
    pub fn close_reused() -> Self {
        Self::with_fault(Fault::CloseReused)
    }

    /// One more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// So long before the head.
    pub fn delay(mut self, wait: Duration) -> Self {
        self.before_head = wait;
        self
    }

    /// So long between the head and the first byte of the body.
    pub fn delay_body(mut self, wait: Duration) -> Self {
        self.before_body = wait;
        self
    }

    /// So long between two events.
    pub fn pace(mut self, wait: Duration) -> Self {
        if let Body::Events { pace, .. } = &mut self.body {
            *pace = wait;
        }
        self
    }

    /// A stream of this media type, in place of events.
    pub fn content_type(mut self, media_type: &str) -> Self {
        if let Body::Events { content_type, .. } = &mut self.body {
            media_type.clone_into(content_type);
        }
        self
    }

    /// The head waits for the test.
    pub fn hold(mut self, latch: &Latch) -> Self {
        self.head_hold = Some(latch.clone());
        self
    }

    /// The head goes out, the body waits for the test.
    pub fn hold_body(mut self, latch: &Latch) -> Self {
        self.body_hold = Some(latch.clone());
        self
    }

    /// The first event goes out, each further one waits for the test: the second for the first latch, and so on.
    pub fn hold_events(mut self, latches: &[Latch]) -> Self {
        self.event_holds = latches.to_vec();
        self
    }

    /// Breaks off after so many bytes of the body: the connection is closed.
    pub fn cut(mut self, after: usize) -> Self {
        self.cut = Some(Cut { after, reset: false });
        self
    }

    /// Breaks off after so many bytes of the body: the connection is reset.
    pub fn cut_with_reset(mut self, after: usize) -> Self {
        self.cut = Some(Cut { after, reset: true });
        self
    }

    /// Closes the connection behind the answer, without a word of it in the head.
    pub fn close_after(mut self) -> Self {
        self.close_after = true;
        self
    }

    /// In chunks, also where the length is known.
    pub fn chunked(mut self) -> Self {
        self.framing = AnswerFraming::Chunked;
        self
    }

    /// Without a length: the end of the connection is the end of the body.
    pub fn close_delimited(mut self) -> Self {
        self.framing = AnswerFraming::Close;
        self
    }

    /// Answers on the head alone; the body is never read, and the connection closed.
    pub fn unread(mut self) -> Self {
        self.unread = true;
        self
    }

    /// Reads the body no faster.
    pub fn slow_reader(mut self, bytes_per_second: u32) -> Self {
        self.bytes_per_second = Some(bytes_per_second);
        self
    }
}
