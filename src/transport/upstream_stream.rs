//! The connection to a model server as Pingora sees it: a request's head waits for its body, and both go
//! out in one write.
//!
//! Pingora writes and flushes a head before its body. For a short request that is a second packet, a second
//! wake of the server, and a tenth of all that the request costs.
//!
//! Pingora takes a body in one stretch of memory only. A long one would have to be copied for the model's name
//! in it; instead its pieces are handed to the connection itself ([`Handover`]), and Pingora gets a stand-in of
//! the same length, which nobody reads.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use http::StatusCode;
use memchr::memchr;
use parking_lot::Mutex;
use pingora_core::connectors::http::custom::{Connection, Connector};
use pingora_core::connectors::{ConnectorOptions, TransportConnector};
use pingora_core::listeners::ALPN;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::tls::CustomALPN;
use pingora_core::protocols::{
    Digest, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID, UniqueIDType,
};
use pingora_core::upstreams::peer::Peer;
use pingora_error::Result;
use pingora_http::ResponseHeader;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Connects for Pingora, which pools what comes of it as it pools its own connections. One serves all proxies.
#[derive(Clone)]
pub struct OneWrite(Arc<TransportConnector>);

impl OneWrite {
    /// With these options for connecting.
    pub fn new(options: ConnectorOptions) -> Self {
        // Where there are no addresses left for it, the process ends at its start and not while it serves.
        LazyLock::force(&STAND_IN);
        Self(Arc::new(TransportConnector::new(Some(options))))
    }

    /// What a peer's options must name for its connections to be made here. Over TLS nothing is gained, and
    /// a server would be asked for a protocol of this name.
    pub fn alpn() -> ALPN {
        ALPN::Custom(CustomALPN::new(b"one-write".to_vec()))
    }

    /// Begins an exchange on a connection that was made here, and hands it the body if that is in several
    /// pieces; Pingora is then to be given what comes back. `None`: it is to be given the body itself.
    pub fn hand_over(digest: Option<&Digest>, body: &[Bytes]) -> Option<Bytes> {
        let proxy = digest?.proxy_digest.as_ref()?;
        let handover = proxy.user_data.as_ref()?.downcast_ref::<Arc<Handover>>()?;
        let length = body.iter().map(Bytes::len).sum();
        let stand_in = if body.len() > 1 { STAND_IN.get(..length) } else { None };
        handover.begin(stand_in.map_or(&[], |_| body));
        stand_in.map(Bytes::from_static)
    }
}

/// What stands in for a body on its way through Pingora. A larger one is copied instead. Nobody reads it, and so
/// the system gives it no memory.
static STAND_IN: LazyLock<Vec<u8>> = LazyLock::new(|| vec![0; 64 << 20]);

/// By where it lies: Pingora passes on slices of it. A copy would not be known.
fn is_stand_in(bytes: &[u8]) -> bool {
    LazyLock::get(&STAND_IN).is_some_and(|all| all.as_ptr_range().contains(&bytes.as_ptr()))
}

/// Where an exchange leaves its body for the connection that it got. Pingora passes it on untouched, as what
/// it calls a proxy's user data.
#[derive(Debug, Default)]
struct Handover {
    /// Exchanges that have begun.
    exchanges: AtomicU64,
    /// The newest one's body, until the connection takes it.
    body: Mutex<Vec<Bytes>>,
}

impl Handover {
    fn begin(&self, body: &[Bytes]) {
        *self.body.lock() = body.to_vec();
        self.exchanges.fetch_add(1, Ordering::Release);
    }
}

#[async_trait]
impl Connector for OneWrite {
    type Session = ();

    async fn get_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        peer: &P,
    ) -> Result<(Connection<()>, bool)> {
        let inner = self.0.new_stream(peer).await?;
        Ok((Connection::Stream(Box::new(UpstreamStream::new(inner)?)), false))
    }

    async fn reused_http_session<P: Peer + Send + Sync + 'static>(&self, _: &P) -> Option<()> {
        None // they are in Pingora's pool
    }

    async fn release_http_session<P: Peer + Send + Sync + 'static>(
        &self,
        (): (),
        _: &P,
        _: Option<Duration>,
    ) {
    }
}

/// A connection to a model server.
struct UpstreamStream {
    inner: Stream,
    state: State,
    /// What is written in the place of what Pingora writes as the body; empty: that itself is written.
    body: VecDeque<Bytes>,
    handover: Arc<Handover>,
    /// The exchange that is under way, by the handover's count.
    exchange: u64,
    digest: Arc<ProxyDigest>,
}

/// How far the request is.
enum State {
    /// What is written next is a head.
    Between,
    /// What of a head is not written yet, and the length of the body behind it.
    Head(Bytes, u64),
    /// So many bytes of the body are to come.
    Body(u64),
}

impl UpstreamStream {
    fn new(inner: Stream) -> Result<Self> {
        let handover = Arc::new(Handover::default());
        let answer = Box::new(ResponseHeader::build(StatusCode::OK, Some(0))?);
        let digest = Arc::new(ProxyDigest::new(answer, Some(Box::new(Arc::clone(&handover)))));
        Ok(Self { inner, state: State::Between, body: VecDeque::new(), handover, exchange: 0, digest })
    }

    /// Takes over what an exchange that has begun has left; nothing of the one before goes on.
    fn turn(&mut self) {
        let exchange = self.handover.exchanges.load(Ordering::Acquire);
        if exchange != self.exchange {
            self.exchange = exchange;
            self.state = State::Between;
            self.body = std::mem::take(&mut *self.handover.body.lock()).into();
        }
    }

    /// Writes what is left of the head and of the body, of which Pingora has given `buf`.
    fn poll_pieces(&mut self, buf: &[u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let head: &[u8] = if let State::Head(head, _) = &self.state { head } else { &[] };
        let own = self.body.iter().map(|piece| &**piece);
        let given = self.body.is_empty().then_some(buf);
        let mut left = buf.len();
        let body = own.chain(given).map(|piece| {
            let some = piece.get(..left).unwrap_or(piece);
            left -= some.len();
            some
        });
        let (mut pieces, mut used) = ([IoSlice::new(&[]); AT_ONCE], 0);
        for (place, piece) in
            pieces.iter_mut().zip([head].into_iter().chain(body).filter(|it| !it.is_empty()))
        {
            *place = IoSlice::new(piece);
            used += 1;
        }
        let pieces = pieces.get(..used).unwrap_or_default();
        Pin::new(&mut self.inner).poll_write_vectored(cx, pieces)
    }

    /// What has been written of head and body; how much of the body.
    fn wrote(&mut self, count: usize) -> usize {
        let mut of_body = count;
        if let State::Head(head, length) = &mut self.state {
            let of_head = count.min(head.len());
            head.advance(of_head);
            of_body -= of_head;
            if head.is_empty() {
                self.state = State::Body(*length);
            }
        }
        let mut passed = of_body;
        while let Some(piece) = self.body.front_mut().filter(|_| passed > 0) {
            let some = passed.min(piece.len());
            piece.advance(some);
            passed -= some;
            if piece.is_empty() {
                self.body.pop_front();
            }
        }
        if let State::Body(left) = &mut self.state {
            *left = left.saturating_sub(of_body as u64);
            if *left == 0 {
                self.state = State::Between;
            }
        }
        of_body
    }
}

/// Pieces of a request that go into one write, its head among them.
const AT_ONCE: usize = 8;

impl AsyncWrite for UpstreamStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.turn();
        let none_due = this.body.is_empty() || matches!(this.state, State::Between);
        if none_due && is_stand_in(buf) {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a stand-in without its body",
            )));
        }
        if let State::Between = this.state {
            let Some(length) = body_length(buf) else { return Pin::new(&mut this.inner).poll_write(cx, buf) };
            this.state = State::Head(Bytes::copy_from_slice(buf), length);
            return Poll::Ready(Ok(buf.len()));
        }
        loop {
            let count = ready!(this.poll_pieces(buf, cx))?;
            if count == 0 && !buf.is_empty() {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_body = this.wrote(count);
            if of_body > 0 || buf.is_empty() {
                return Poll::Ready(Ok(of_body));
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A head that waits for its body is flushed with it.
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The length of the body that a head announces, where there is one: sluice always says it so.
fn body_length(head: &[u8]) -> Option<u64> {
    let mut rest = head;
    while let Some(end) = memchr(b'\n', rest) {
        let (line, behind) = rest.split_at(end);
        if let Some((name, value)) = line.split_at_checked(LENGTH.len())
            && name.eq_ignore_ascii_case(LENGTH)
        {
            let length = str::from_utf8(value.trim_ascii()).ok()?.parse().ok()?;
            return (length > 0).then_some(length);
        }
        rest = behind.get(1..)?;
    }
    None
}

const LENGTH: &[u8] = b"content-length:";

impl AsyncRead for UpstreamStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

#[async_trait]
impl Shutdown for UpstreamStream {
    async fn shutdown(&mut self) {
        // A server that is gone cannot be told; nothing is lost.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

/// Pingora's pool knows a connection by its descriptor.
impl UniqueID for UpstreamStream {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl GetSocketDigest for UpstreamStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }

    fn set_socket_digest(&mut self, socket_digest: SocketDigest) {
        self.inner.set_socket_digest(socket_digest);
    }
}

impl GetTimingDigest for UpstreamStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.inner.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.inner.get_write_pending_time()
    }
}

/// Carries the [`Handover`] to whoever got this connection. There is no proxy.
impl GetProxyDigest for UpstreamStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        Some(Arc::clone(&self.digest))
    }
}

impl Ssl for UpstreamStream {}

#[async_trait]
impl Peek for UpstreamStream {}

impl fmt::Debug for UpstreamStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamStream").field("id", &self.inner.id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
