//! HTTP/1.1 on one connection, as much as the demo's simulated servers need: requests in, answers out.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::head::{self, Framing, Head};

/// A request's body may be this long.
const BODY_LIMIT: usize = 64 << 20;
/// Bytes that may wait unread behind a request while its answer is written.
const EARLY_LIMIT: usize = 64 << 10;

/// One whole request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// As sent.
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    /// Whole, its framing taken off.
    pub(super) body: Vec<u8>,
}

/// What is answered to one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// At once, with a length.
    Whole {
        /// The status code.
        status: u16,
        /// `None` for an empty body.
        content_type: Option<&'static str>,
        /// The body.
        body: Vec<u8>,
    },
    /// Server-sent events, one by one, each with its blank line.
    Stream(Vec<String>),
    /// None: the connection is closed.
    Nothing,
}

/// How fast answers come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    /// Before an answer's first byte.
    pub(super) first: Duration,
    /// Between two events of a stream.
    pub(super) event: Duration,
}

impl Rhythm {
    /// No waiting at all.
    pub(super) const AT_ONCE: Self = Self { first: Duration::ZERO, event: Duration::ZERO };
}

/// Serves a connection until either side ends it. `answer` gives each request its answer and its rhythm.
pub(super) async fn serve(stream: TcpStream, answer: impl Fn(&Request) -> (Answer, Rhythm)) {
    // without it the small writes of a stream wait for the client's acknowledgements
    let _ = stream.set_nodelay(true);
    let mut connection = Connection { stream, unread: Vec::new() };
    while let Ok(Some((request, keep_alive))) = connection.request().await {
        let (answer, rhythm) = answer(&request);
        if connection.give(answer, rhythm, keep_alive).await.is_err() || !keep_alive {
            return;
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// Bytes that came and were not asked for yet.
    unread: Vec<u8>,
}

impl Connection {
    /// The next request and whether the connection outlives it; `None` where the client ended it.
    async fn request(&mut self) -> io::Result<Option<(Request, bool)>> {
        let Some(head) = self.head().await? else { return Ok(None) };
        if head.expects_continue {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let body = match head.framing {
            Framing::Length(length) => self.take(length).await?,
            Framing::Chunked => self.chunks().await?,
        };
        Ok(Some((Request { method: head.method, path: head.path, body }, head.keep_alive)))
    }

    async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some((head, length)) = head::parse(&self.unread)? {
                self.unread.drain(..length);
                return Ok(Some(head));
            }
            if self.stream.read_buf(&mut self.unread).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next `length` bytes.
    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > BODY_LIMIT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        while self.unread.len() < length {
            self.fill().await?;
        }
        let rest = self.unread.split_off(length);
        Ok(std::mem::replace(&mut self.unread, rest))
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = head::chunk_size(&self.line().await?)?;
            if size == 0 {
                break;
            }
            body.append(&mut self.take(size.min(BODY_LIMIT + 1)).await?);
            if body.len() > BODY_LIMIT || !self.line().await?.is_empty() {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        // trailers, up to the empty line
        while !self.line().await?.is_empty() {}
        Ok(body)
    }

    /// The next line without its end.
    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\r\n") {
                let mut line = self.take(end + 2).await?;
                line.truncate(end);
                return Ok(line);
            }
            if self.unread.len() > head::LIMIT {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.unread).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    async fn give(&mut self, answer: Answer, rhythm: Rhythm, keep_alive: bool) -> io::Result<()> {
        self.pause(rhythm.first).await?;
        match answer {
            Answer::Whole { status, content_type, body } => {
                let mut bytes = head::whole(status, content_type, body.len(), keep_alive);
                bytes.extend_from_slice(&body);
                self.stream.write_all(&bytes).await
            }
            Answer::Stream(events) => self.stream_events(&events, rhythm.event, keep_alive).await,
            Answer::Nothing => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    /// The head goes out with the first event; each event is a chunk and a write of its own.
    async fn stream_events(&mut self, events: &[String], pace: Duration, keep_alive: bool) -> io::Result<()> {
        let mut bytes = head::stream(keep_alive);
        for (index, event) in events.iter().enumerate() {
            if index > 0 {
                self.pause(pace).await?;
            }
            bytes.extend_from_slice(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes());
            self.stream.write_all(&bytes).await?;
            bytes.clear();
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        self.stream.write_all(&bytes).await
    }

    /// Waits; fails as soon as the client has left, also by shutting its sending side.
    async fn pause(&mut self, wait: Duration) -> io::Result<()> {
        if wait.is_zero() {
            return Ok(());
        }
        match timeout(wait, self.client_leaves()).await {
            Ok(gone) => Err(gone),
            Err(_still_there) => Ok(()),
        }
    }

    /// Completes when the client has left. What it sends meanwhile is kept for the next request.
    async fn client_leaves(&mut self) -> io::Error {
        while self.unread.len() < EARLY_LIMIT {
            if let Err(gone) = self.fill().await {
                return gone;
            }
        }
        std::future::pending().await
    }
}
