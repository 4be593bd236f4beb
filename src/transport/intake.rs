//! Reads one request whole from a connection: head, strict check, admission, body.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::{Admission, Control, Held, Limits};
use crate::openai::Refused;
use crate::wire::{self, ChunkFault, Chunked, Framing, Head, HeadEnd, HeadFault};

/// One request as it arrived, and what it holds while it lasts.
#[derive(Debug)]
pub struct Arrival {
    /// When its first byte was read.
    pub began: Instant,
    /// When all of it was there.
    pub received: Instant,
    /// The client's address.
    pub client: SocketAddr,
    /// The whole body, or why there is none; the head that Pingora gets is valid either way.
    pub body: Result<Bytes, Fault>,
    /// Cuts this exchange.
    pub control: Arc<Control>,
    /// Its place among the exchanges and its bytes, given back when dropped.
    pub held: Held,
}

/// Why a request was not taken.
#[derive(Debug)]
pub enum Fault {
    /// The head cannot be trusted.
    Head(HeadFault),
    /// The chunked framing cannot be trusted.
    Framing(ChunkFault),
    /// The gatekeeper turned it away before its body was read.
    Turned(Refused),
    /// The body is over the limit, in bytes.
    TooLarge(usize),
    /// The body did not come in time.
    Timeout(Duration),
    /// Too many exchanges, or too many bytes held.
    Overloaded,
}

/// Looks at a head before the body is read.
pub trait Gatekeeper: Send + Sync + 'static {
    /// `Err` turns the request away, `Ok` says whether it counts as an exchange.
    ///
    /// # Errors
    /// What the client is told.
    fn admit(&self, head: &Head<'_>, raw: &[u8]) -> Result<bool, Refused>;

    /// The client of an admitted request went away before its body was whole.
    fn left(&self, began: Instant);
}

/// What the connection's loop gets: the head for Pingora, and the arrival.
pub(super) struct Taken {
    pub(super) head: Bytes,
    pub(super) arrival: Arrival,
}

/// Where requests are read from and by which rules.
pub(super) struct Intake<'a> {
    pub(super) tcp: &'a mut TcpStream,
    /// Bytes read and not yet used.
    pub(super) buffer: &'a mut BytesMut,
    pub(super) client: SocketAddr,
    pub(super) limits: &'a Limits,
    pub(super) gatekeeper: &'a dyn Gatekeeper,
    pub(super) admission: &'a Arc<Admission>,
}

impl Intake<'_> {
    /// The next request; `None` when the connection has ended or must, without an answer.
    /// `first_byte` is how long a byte of it may take to come.
    pub(super) async fn next(&mut self, first_byte: impl Future<Output = ()>) -> Option<Taken> {
        if self.buffer.is_empty() {
            tokio::select! {
                biased;
                read = self.tcp.read_buf(self.buffer) => if read.ok()? == 0 { return None },
                () = first_byte => return None,
            }
        }
        let began = Instant::now();
        let head_deadline = began + self.limits.header_read;
        let length = match timeout_at(head_deadline, self.whole_head()).await.ok()?? {
            Ok(length) => length,
            Err(fault) => return Some(self.taken(began, SUBSTITUTE, Err(Fault::Head(fault)))),
        };
        let raw = self.buffer.split_to(length).freeze();
        let head = match wire::check(&raw) {
            Ok(head) => head,
            Err(fault) => return Some(self.taken(began, SUBSTITUTE, Err(Fault::Head(fault)))),
        };
        let mut held = self.admission.hold();
        let Some(body) = self.body(&head, &raw, &mut held).await else {
            self.gatekeeper.left(began);
            return None;
        };
        let mut taken = self.taken(began, &wire::without_framing(&raw, head.keep_alive), body);
        taken.arrival.held = held;
        Some(taken)
    }

    fn taken(&self, began: Instant, head: &[u8], body: Result<Bytes, Fault>) -> Taken {
        let arrival = Arrival {
            began,
            received: Instant::now(),
            client: self.client,
            body,
            control: Control::new(),
            held: self.admission.hold(),
        };
        Taken { head: Bytes::copy_from_slice(head), arrival }
    }

    /// Reads until the head is there; its length. `None`: the connection ended before.
    async fn whole_head(&mut self) -> Option<Result<usize, HeadFault>> {
        let mut scanned = 0;
        loop {
            match wire::head_end(self.buffer, scanned) {
                HeadEnd::Complete(length) => return Some(Ok(length)),
                HeadEnd::Fault(fault) => return Some(Err(fault)),
                HeadEnd::Incomplete => scanned = self.buffer.len(),
            }
            if self.tcp.read_buf(self.buffer).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// Admission and body. `None`: the client went away.
    async fn body(&mut self, head: &Head<'_>, raw: &[u8], held: &mut Held) -> Option<Result<Bytes, Fault>> {
        match self.gatekeeper.admit(head, raw) {
            Ok(counts) if counts && !held.enter() => return Some(Err(Fault::Overloaded)),
            Ok(_) => {}
            Err(refused) => return Some(Err(Fault::Turned(refused))),
        }
        let Some(announced) = self.announced(head.framing) else {
            return Some(Err(Fault::TooLarge(self.limits.body)));
        };
        if head.expect_continue && self.buffer.is_empty() {
            self.tcp.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
        }
        let limit = self.limits.body_read;
        let deadline = Instant::now() + limit;
        let read = async {
            match announced {
                Announced::Length(0) => Some(Ok(Bytes::new())),
                Announced::Length(length) => self.known_length(length, held).await,
                Announced::Chunks => self.chunked(held).await,
            }
        };
        timeout_at(deadline, read).await.unwrap_or(Some(Err(Fault::Timeout(limit))))
    }

    /// What is to come; `None` when that is more than is taken.
    fn announced(&self, framing: Framing) -> Option<Announced> {
        match framing {
            Framing::None => Some(Announced::Length(0)),
            Framing::Length(length) => usize::try_from(length)
                .ok()
                .filter(|length| *length <= self.limits.body)
                .map(Announced::Length),
            Framing::Chunked => Some(Announced::Chunks),
        }
    }

    async fn known_length(&mut self, length: usize, held: &mut Held) -> Option<Result<Bytes, Fault>> {
        let mut body = BytesMut::with_capacity(length.min(FIRST_CAPACITY));
        let there = self.buffer.split_to(self.buffer.len().min(length));
        body.extend_from_slice(&there);
        let mut fresh = there.len();
        while held.grow(fresh) {
            let left = length - body.len();
            if left == 0 {
                return Some(Ok(body.freeze()));
            }
            fresh = (&mut *self.tcp).take(left as u64).read_buf(&mut body).await.ok()?;
            if fresh == 0 {
                return None;
            }
        }
        Some(Err(Fault::Overloaded))
    }

    async fn chunked(&mut self, held: &mut Held) -> Option<Result<Bytes, Fault>> {
        let (mut decoder, mut body) = (Chunked::default(), Vec::new());
        loop {
            let before = body.len();
            let progress = match decoder.feed(self.buffer, &mut body) {
                Ok(progress) => progress,
                Err(fault) => return Some(Err(Fault::Framing(fault))),
            };
            self.buffer.advance(progress.consumed);
            if body.len() > self.limits.body {
                return Some(Err(Fault::TooLarge(self.limits.body)));
            }
            if !held.grow(body.len() - before) {
                return Some(Err(Fault::Overloaded));
            }
            if progress.done {
                return Some(Ok(Bytes::from(body)));
            }
            self.buffer.reserve(READ_PIECE);
            if self.tcp.read_buf(self.buffer).await.ok()? == 0 {
                return None;
            }
        }
    }
}

/// How much of a body is to come.
#[derive(Clone, Copy)]
enum Announced {
    Length(usize),
    Chunks,
}

/// What Pingora is given where the real head cannot be trusted; the fault decides the answer.
const SUBSTITUTE: &[u8] = b"GET / HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\n\r\n";
/// Room for a body before any of it has come: no more is allocated on a client's word alone.
const FIRST_CAPACITY: usize = 1024 * 1024;
/// Room for one read of a chunked body.
const READ_PIECE: usize = 64 * 1024;
