//! The client's connection as Pingora sees it during one exchange.
//!
//! Reading gives the prepared head and then nothing: bytes that come early are kept aside for the
//! next request, the end of the connection and a cut come through. Writing is buffered; the head of an
//! answer gets our lines on its way out and can be held back until its body begins, and a client that takes
//! nothing for `write_timeout` is cut.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest,
    UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::alarm::Alarm;
use super::{Control, Cut};

/// What of a connection outlives an exchange.
#[derive(Debug)]
pub struct Line {
    /// The connection, with room for an answer's head and a short body.
    pub(super) tcp: BufWriter<TcpStream>,
    /// Bytes that were read and belong to the next request.
    pub(super) early: BytesMut,
    /// The timer of the deadlines: one a connection, moved as seldom as possible.
    pub(super) deadline: Alarm,
}

impl Line {
    /// A connection on which nothing has come yet.
    pub(super) fn new(tcp: TcpStream) -> Self {
        let tcp = BufWriter::with_capacity(WRITE_BUFFER, tcp);
        Self { tcp, early: BytesMut::new(), deadline: Alarm::default() }
    }
}

/// One exchange's view of a client connection.
pub struct ClientStream {
    /// `None` only after it was handed on.
    tcp: Option<BufWriter<TcpStream>>,
    digest: Arc<SocketDigest>,
    /// The head that Pingora reads, and how much of it was read.
    head: Bytes,
    read: usize,
    /// Bytes of the next request.
    early: BytesMut,
    /// The answer's head, until it may go.
    held: BytesMut,
    control: Arc<Control>,
    deadline: Alarm,
    stall: Alarm,
    glance: Alarm,
    write_timeout: Duration,
}

impl ClientStream {
    /// A stream that reads as `head`.
    pub(super) fn new(
        line: Line,
        digest: Arc<SocketDigest>,
        head: Bytes,
        control: Arc<Control>,
        write_timeout: Duration,
    ) -> Self {
        let Line { tcp, early, deadline } = line;
        Self {
            tcp: Some(tcp),
            digest,
            head,
            read: 0,
            early,
            held: BytesMut::new(),
            control,
            deadline,
            stall: Alarm::default(),
            glance: Alarm::default(),
            write_timeout,
        }
    }

    /// The same exchange from its beginning: the head is read again, what was held back is forgotten.
    pub(super) fn rewound(mut self) -> Self {
        self.read = 0;
        self.held.clear();
        self
    }

    /// What goes on to the next request.
    pub(super) fn into_line(mut self) -> Option<Line> {
        let tcp = self.tcp.take()?;
        Some(Line {
            tcp,
            early: std::mem::take(&mut self.early),
            deadline: std::mem::take(&mut self.deadline),
        })
    }

    /// Reads aside whatever the client sends early; ready only with its end or an error.
    fn poll_aside(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(tcp) = self.tcp.as_mut() else { return Poll::Ready(Ok(())) };
        loop {
            if self.early.len() >= MAX_EARLY {
                if has_left(tcp.get_ref(), cx) {
                    return Poll::Ready(Ok(()));
                }
                ready!(self.glance.poll_for(GLANCE, cx));
                self.glance.stop();
                continue;
            }
            let mut space = [0_u8; 1024];
            let mut piece = ReadBuf::new(&mut space);
            ready!(Pin::new(tcp.get_mut()).poll_read(cx, &mut piece))?;
            if piece.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.early.extend_from_slice(piece.filled());
        }
    }

    fn poll_cut(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            match self.control.poll(Instant::now(), cx).map_err(cut_error)? {
                None => return Ok(()),
                Some(deadline) if self.deadline.poll_until(deadline, cx).is_pending() => return Ok(()),
                Some(_) => {}
            }
        }
    }

    /// Lets go what was held back.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let Some(tcp) = self.tcp.as_mut() else { return Poll::Ready(Err(gone())) };
            let written = ready!(Pin::new(tcp).poll_write(cx, &self.held))?;
            self.held.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Turns a write that has waited too long, or that is cut while it waits, into an error. Only then:
    /// a write that has begun must end, or the framing would break.
    fn poll_stall<T>(&mut self, outcome: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            if self.stall.stop() {
                self.control.restart_patience();
            }
            return outcome;
        }
        if self.stall.poll_for(self.write_timeout, cx).is_ready() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")));
        }
        self.control.restart_patience();
        self.control.poll(Instant::now(), cx).map_err(cut_error)?;
        Poll::Pending
    }

    fn has_unsent(&self) -> bool {
        let buffered = self.tcp.as_ref().is_some_and(|tcp| !tcp.buffer().is_empty());
        (buffered || !self.held.is_empty()) && !self.control.is_holding()
    }

    /// Takes the head that Pingora writes, in one piece, with our lines behind its first.
    fn take_head(&mut self, head: &[u8], lines: &[u8]) {
        let status = memchr(b'\n', head).map_or(0, |end| end + 1);
        let (status, fields) = head.split_at_checked(status).unwrap_or((head, &[]));
        self.held.reserve(head.len() + lines.len());
        [status, lines, fields].iter().for_each(|piece| self.held.extend_from_slice(piece));
    }

    fn writer(&mut self) -> io::Result<Pin<&mut BufWriter<TcpStream>>> {
        self.tcp.as_mut().map(Pin::new).ok_or_else(gone)
    }
}

/// Whether the client has closed its side behind bytes that are not read yet. The system says it only
/// when asked, so this is asked now and then; it does not know of an end that waits behind a full
/// socket, so a client that has sent megabytes ahead is missed until they are read.
fn has_left(tcp: &TcpStream, cx: &mut Context<'_>) -> bool {
    let ready = std::pin::pin!(tcp.ready(Interest::READABLE | Interest::ERROR));
    match ready.poll(cx) {
        Poll::Ready(Ok(ready)) => ready.is_read_closed() || ready.is_error(),
        Poll::Ready(Err(_)) => true,
        Poll::Pending => false,
    }
}

fn cut_error(cut: Cut) -> io::Error {
    io::Error::other(format!("cut: {cut:?}"))
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(left @ [_, ..]) = self.head.get(self.read..) {
            let count = left.len().min(buf.remaining());
            buf.put_slice(left.get(..count).unwrap_or_default());
            self.read += count;
            return Poll::Ready(Ok(()));
        }
        self.poll_cut(cx)?;
        // Pingora waits for the upstream now: what has been written meanwhile goes out.
        if self.has_unsent() {
            let _ = self.as_mut().poll_flush(cx)?;
        }
        self.poll_aside(cx)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(lines) = self.control.take_lines() {
            self.take_head(buf, &lines);
            return Poll::Ready(Ok(buf.len()));
        }
        if self.control.is_holding() {
            self.held.extend_from_slice(buf);
            return Poll::Ready(Ok(buf.len()));
        }
        let outcome = match self.poll_held(cx) {
            Poll::Ready(Ok(())) => self.writer()?.poll_write(cx, buf),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        };
        self.poll_stall(outcome, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.control.is_holding() {
            return Poll::Ready(Ok(()));
        }
        let outcome = match self.poll_held(cx) {
            Poll::Ready(Ok(())) => self.writer()?.poll_flush(cx),
            other => other,
        };
        self.poll_stall(outcome, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = self.writer()?.poll_shutdown(cx);
        self.poll_stall(outcome, cx)
    }
}

/// What Pingora drops goes back to the connection's loop, which knows whether to linger.
impl Drop for ClientStream {
    fn drop(&mut self) {
        if let Some(tcp) = self.tcp.take() {
            // An answer that breaks must look broken, and not like a connection that was never used:
            // what of it was let go already goes out, as far as it can without waiting.
            // A write that has begun is left alone: how much of it is out already is not known.
            if !self.stall.is_set() {
                let _ = tcp.get_ref().try_write(tcp.buffer());
            }
            let (early, deadline) = (std::mem::take(&mut self.early), std::mem::take(&mut self.deadline));
            self.control.hand_back(Line { tcp, early, deadline });
        }
    }
}

#[async_trait]
impl Shutdown for ClientStream {
    async fn shutdown(&mut self) {
        // A client that is gone cannot be told; nothing is lost.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for ClientStream {
    fn id(&self) -> UniqueIDType {
        self.tcp.as_ref().map_or(-1, |tcp| tcp.get_ref().as_raw_fd())
    }
}

impl GetSocketDigest for ClientStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.digest))
    }

    fn set_socket_digest(&mut self, socket_digest: SocketDigest) {
        self.digest = Arc::new(socket_digest);
    }
}

impl GetTimingDigest for ClientStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for ClientStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl Ssl for ClientStream {}

#[async_trait]
impl Peek for ClientStream {}

impl fmt::Debug for ClientStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStream").field("early", &self.early.len()).finish_non_exhaustive()
    }
}

/// Head and a short body go out in one write.
const WRITE_BUFFER: usize = 8 * 1024;
/// Bytes of a next request that are kept while an exchange runs; past it the client is not read.
const MAX_EARLY: usize = 16 * 1024;
/// How often a client that is not read is looked at: it may have left.
const GLANCE: Duration = Duration::from_millis(250);
