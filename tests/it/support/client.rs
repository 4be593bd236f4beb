//! A raw HTTP/1.1 client: sends bytes as they are, says when each piece of the answer came.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::wire::{Fields, LAST_CHUNK, Wire, chunk, field, is_timeout, parse_head};

/// A read that takes longer fails the test.
const PATIENCE: Duration = Duration::from_secs(15);
/// The time between two looks at a condition.
const LOOK: Duration = Duration::from_millis(5);

/// One connection.
pub struct Client {
    wire: Wire,
    addr: SocketAddr,
}

/// An answer, as far as it was read.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Fields,
    /// The body, its framing taken off.
    pub body: Vec<u8>,
    /// Whether the body came to its announced end.
    pub complete: bool,
    /// When the head was whole.
    pub head_at: Instant,
    left: Left,
    /// Bytes of the body that were handed out as events.
    taken: usize,
}

/// What is still to come of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Length(usize),
    /// So many bytes of the present chunk.
    Chunk(usize),
    UntilClose,
}

impl Client {
    /// # Panics
    /// When nobody listens there.
    pub fn connect(addr: SocketAddr) -> Self {
        let stream =
            TcpStream::connect_timeout(&addr, PATIENCE).unwrap_or_else(|error| panic!("{addr}: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { wire: Wire::new(stream).expect("a connection"), addr }
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the connection is gone: [`Client::try_send`] where it may be.
    pub fn send(&mut self, bytes: &[u8]) -> &mut Self {
        self.try_send(bytes).expect("the connection takes bytes");
        self
    }

    /// Sends bytes as they are, where the server may have closed.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write(bytes)
    }

    /// Sends a head: the request line, a Host, these fields, the blank line.
    pub fn send_head(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> &mut Self {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.addr);
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        self.send(format!("{head}\r\n").as_bytes())
    }

    /// Sends a GET.
    pub fn get(&mut self, path: &str) -> &mut Self {
        self.send_head("GET", path, &[])
    }

    /// Sends JSON with a Content-Length.
    pub fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> &mut Self {
        let length = body.len().to_string();
        let own = [("Content-Type", "application/json"), ("Content-Length", length.as_str())];
        self.send_head("POST", path, &[&own, headers].concat());
        // refused midway: the answer tells why
        let _ = self.try_send(body);
        self
    }

    /// Sends JSON in chunks of `piece` bytes.
    pub fn post_chunked(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        piece: usize,
    ) -> &mut Self {
        let own = [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")];
        self.send_head("POST", path, &[&own, headers].concat());
        for piece in body.chunks(piece) {
            if self.try_send(&chunk(piece)).is_err() {
                return self;
            }
        }
        let _ = self.try_send(LAST_CHUNK);
        self
    }

    /// Says that nothing more will be sent; the answer can still come.
    pub fn half_close(&self) {
        self.wire.half_close().expect("a connection");
    }

    /// Goes away with a reset, as a killed client does.
    pub fn reset(self) {
        self.wire.reset_on_close().expect("a connection");
    }

    /// The next head, 1xx included; `None` where the connection ended instead.
    pub fn try_head(&mut self) -> Option<Response> {
        let head = self.wire.head().unwrap_or_else(|error| {
            assert!(!is_timeout(&error), "no answer within {PATIENCE:?}");
            None
        })?;
        Some(Response::begun(&head))
    }

    /// The next head, 1xx left out.
    ///
    /// # Panics
    /// When the connection ends instead.
    pub fn head(&mut self) -> Response {
        loop {
            let response = self.try_head().expect("an answer, and not the end of the connection");
            if response.status >= 200 {
                return response;
            }
        }
    }

    /// The whole next answer. A body that breaks off is kept, `complete` false.
    pub fn response(&mut self) -> Response {
        let mut response = self.head();
        while self.piece(&mut response).is_some() {}
        response
    }

    /// The next piece of the body; `None` at its end, or where it breaks off.
    pub fn piece(&mut self, response: &mut Response) -> Option<Vec<u8>> {
        match self.next_piece(response) {
            Ok(piece) if piece.is_empty() => {
                response.complete = true;
                None
            }
            Ok(piece) => {
                response.body.extend_from_slice(&piece);
                Some(piece)
            }
            Err(error) => {
                assert!(!is_timeout(&error), "no more of the answer within {PATIENCE:?}: {response:?}");
                response.complete =
                    response.left == Left::UntilClose && error.kind() == io::ErrorKind::UnexpectedEof;
                None
            }
        }
    }

    /// Empty at the end of the body.
    fn next_piece(&mut self, response: &mut Response) -> io::Result<Vec<u8>> {
        if response.left == Left::Chunk(0) {
            let size = self.wire.chunk_size()?;
            response.left = if size == 0 { Left::Nothing } else { Left::Chunk(size) };
        }
        let most = match response.left {
            Left::Nothing | Left::Length(0) => return Ok(Vec::new()),
            Left::Length(most) | Left::Chunk(most) => most,
            Left::UntilClose => usize::MAX,
        };
        let piece = self.wire.some(most)?;
        response.left = match response.left {
            Left::Length(length) => Left::Length(length - piece.len()),
            Left::Chunk(size) => Left::Chunk(size - piece.len()),
            left => left,
        };
        if response.left == Left::Chunk(0) {
            self.wire.chunk_end()?;
        }
        Ok(piece)
    }

    /// The next server-sent event without its blank line; `None` where the stream ends.
    pub fn event(&mut self, response: &mut Response) -> Option<String> {
        loop {
            let seen = response.taken;
            let rest = response.body.get(seen..).unwrap_or_default();
            if let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n") {
                let event = String::from_utf8_lossy(&rest[..end]).into_owned();
                response.taken = seen + end + 2;
                return Some(event);
            }
            self.piece(response)?;
        }
    }

    /// Whether the server closed the connection, with nothing more sent; waits for it.
    pub fn is_closed(&mut self) -> bool {
        self.wire.unread().is_empty()
            && match self.wire.fill() {
                Ok(count) => count == 0,
                Err(error) => !is_timeout(&error),
            }
    }
}

impl Response {
    fn begun(head: &[u8]) -> Self {
        let (line, headers) = parse_head(head);
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {line:?}"));
        let chunked = field(&headers, "transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
        let length = field(&headers, "content-length").map(|length| length.parse().expect("a number"));
        let left = match length {
            _ if status < 200 || status == 204 || status == 304 => Left::Nothing,
            _ if chunked => Left::Chunk(0),
            Some(length) => Left::Length(length),
            None => Left::UntilClose,
        };
        let body = Vec::new();
        Self { status, headers, body, complete: false, head_at: Instant::now(), left, taken: 0 }
    }

    /// The first header of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        field(&self.headers, name)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The `code` of an error in OpenAI's shape.
    pub fn code(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        body.pointer("/error/code")?.as_str().map(str::to_owned)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A GET on a connection of its own.
pub fn get(addr: SocketAddr, path: &str) -> Response {
    Client::connect(addr).get(path).response()
}

/// A POST of JSON on a connection of its own.
pub fn post(addr: SocketAddr, path: &str, headers: &[(&str, &str)], body: &Value) -> Response {
    Client::connect(addr).post(path, headers, body.to_string().as_bytes()).response()
}

/// Between two looks at a condition, the only sleep that tests have.
#[expect(
    clippy::disallowed_methods,
    reason = "a condition of another process or thread cannot wake this one"
)]
fn pause() {
    thread::sleep(LOOK);
}

/// Looks at a condition until it holds; false when it does not before the deadline.
#[must_use]
pub fn eventually(deadline: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + deadline;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        pause();
    }
}
