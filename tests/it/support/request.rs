//! A request as the scripted peer received it.

use std::time::Instant;

use super::wire::{Fields, field, parse_head};

/// One request as the peer received it.
#[derive(Debug, Clone)]
pub struct Request {
    /// As sent.
    pub method: String,
    /// With the query.
    pub path: String,
    /// The head as it came, blank line included.
    pub head: Vec<u8>,
    /// Names in lower case.
    pub headers: Fields,
    /// The body, its framing taken off.
    pub body: Vec<u8>,
    /// How the body was framed.
    pub framing: Framing,
    /// Whether the whole body came.
    pub complete: bool,
    /// Which connection it came on, from 0.
    pub connection: usize,
    /// How many requests came before it on that connection.
    pub nth: usize,
    /// When its head was whole.
    pub at: Instant,
    /// When its answer was written.
    pub finished: Option<Instant>,
    /// When the client went away instead.
    pub client_left: Option<Instant>,
    /// Bytes of the answer's body that were written.
    pub sent: usize,
    /// Read as far as it will be.
    pub(super) settled: bool,
}

/// How a request's body was framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Nothing was said: no body.
    None,
    /// By a Content-Length.
    Length(usize),
    /// In chunks.
    Chunked,
}

impl Request {
    /// The first header of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        field(&self.headers, name)
    }

    /// Whether its connection had served another one before.
    pub const fn is_reused(&self) -> bool {
        self.nth > 0
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> serde_json::Value {
        let body = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    /// One whose head just came.
    pub(super) fn begun(head: Vec<u8>, connection: usize, nth: usize) -> Self {
        let (line, headers) = parse_head(&head);
        let mut words = line.split(' ').map(str::to_owned);
        let length = field(&headers, "content-length").and_then(|length| length.parse().ok());
        let framing = match length {
            _ if field(&headers, "transfer-encoding").is_some() => Framing::Chunked,
            Some(length) => Framing::Length(length),
            None => Framing::None,
        };
        Self {
            method: words.next().unwrap_or_default(),
            path: words.next().unwrap_or_default(),
            head,
            headers,
            body: Vec::new(),
            framing,
            complete: false,
            connection,
            nth,
            at: Instant::now(),
            finished: None,
            client_left: None,
            sent: 0,
            settled: false,
        }
    }
}
