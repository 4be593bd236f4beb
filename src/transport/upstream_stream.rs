//! The connection to a model server as Pingora sees it: a request's head waits for its body, and both go
//! out in one write.
//!
//! Pingora writes and flushes a head before its body. For a short request that is a second packet, a second
//! wake of the server, and a tenth of all that the request costs.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use memchr::memchr;
use pingora_core::connectors::http::custom::{Connection, Connector};
use pingora_core::connectors::{ConnectorOptions, TransportConnector};
use pingora_core::listeners::ALPN;
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::tls::CustomALPN;
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID, UniqueIDType,
};
use pingora_core::upstreams::peer::Peer;
use pingora_error::Result;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Connects for Pingora, which pools what comes of it as it pools its own connections. One serves all proxies.
#[derive(Clone)]
pub struct OneWrite(Arc<TransportConnector>);

impl OneWrite {
    /// With these options for connecting.
    pub fn new(options: ConnectorOptions) -> Self {
        Self(Arc::new(TransportConnector::new(Some(options))))
    }

    /// What a peer's options must name for its connections to be made here. Over TLS nothing is gained, and
    /// a server would be asked for a protocol of this name.
    pub fn alpn() -> ALPN {
        ALPN::Custom(CustomALPN::new(b"one-write".to_vec()))
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
        Ok((Connection::Stream(Box::new(UpstreamStream { inner, state: State::Between })), false))
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
    /// What has been written of head and body.
    fn wrote(&mut self, count: usize) -> usize {
        let State::Head(head, length) = &mut self.state else { return 0 };
        let of_head = count.min(head.len());
        head.advance(of_head);
        let of_body = count - of_head;
        if head.is_empty() {
            self.state = State::Body(*length);
        }
        self.wrote_body(of_body);
        of_body
    }

    fn wrote_body(&mut self, count: usize) {
        if let State::Body(left) = &mut self.state {
            *left = left.saturating_sub(count as u64);
            if *left == 0 {
                self.state = State::Between;
            }
        }
    }
}

impl AsyncWrite for UpstreamStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            match &this.state {
                State::Between => match body_length(buf) {
                    None => return Pin::new(&mut this.inner).poll_write(cx, buf),
                    Some(length) => {
                        this.state = State::Head(Bytes::copy_from_slice(buf), length);
                        return Poll::Ready(Ok(buf.len()));
                    }
                },
                State::Head(head, _) => {
                    let pieces = [IoSlice::new(head), IoSlice::new(buf)];
                    let count = ready!(Pin::new(&mut this.inner).poll_write_vectored(cx, &pieces))?;
                    if count == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    let of_body = this.wrote(count);
                    if of_body > 0 {
                        return Poll::Ready(Ok(of_body));
                    }
                }
                State::Body(_) => {
                    let count = ready!(Pin::new(&mut this.inner).poll_write(cx, buf))?;
                    this.wrote_body(count);
                    return Poll::Ready(Ok(count));
                }
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

impl GetProxyDigest for UpstreamStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_proxy_digest()
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
mod tests {
    use std::pin::pin;

    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    fn connected(room: usize) -> (UpstreamStream, DuplexStream) {
        let (ours, theirs) = duplex(room);
        (UpstreamStream { inner: Box::new(ours), state: State::Between }, theirs)
    }

    async fn write(stream: &mut UpstreamStream, bytes: &[u8]) {
        stream.write_all(bytes).await.unwrap();
        stream.flush().await.unwrap();
    }

    #[tokio::test]
    async fn a_head_goes_out_with_its_body_and_alone_where_it_has_none() {
        let (mut stream, mut server) = connected(1024);
        let mut space = [0; 1024];
        for _ in 0..2 {
            write(&mut stream, b"POST / HTTP/1.1\r\nContent-LENGTH: 5\r\n\r\n").await;
            assert!(nothing_comes(&mut server, &mut space).await, "the head waits");
            write(&mut stream, b"he").await;
            let read = server.read(&mut space).await.unwrap();
            assert!(space[..read].ends_with(b"\r\n\r\nhe"));
            write(&mut stream, b"llo").await;
            assert_eq!(server.read(&mut space).await.unwrap(), 3);
            let alone = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
            write(&mut stream, alone).await;
            assert_eq!(server.read(&mut space).await.unwrap(), alone.len());
        }
    }

    async fn nothing_comes(server: &mut DuplexStream, space: &mut [u8]) -> bool {
        let mut read = pin!(server.read(space));
        std::future::poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx).is_pending())).await
    }

    proptest! {
        #[test]
        fn every_byte_arrives_in_order_however_little_is_taken(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..5),
            room in 1_usize..200,
            piece in 1_usize..200,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (sent, received) = runtime.block_on(async {
                let (mut stream, mut server) = connected(room);
                let reading = tokio::spawn(async move {
                    let mut all = Vec::new();
                    server.read_to_end(&mut all).await.unwrap();
                    all
                });
                let mut sent = Vec::new();
                for body in bodies {
                    let head = format!("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: {}\r\n\r\n", body.len());
                    write(&mut stream, head.as_bytes()).await;
                    sent.extend_from_slice(head.as_bytes());
                    for piece in body.chunks(piece) {
                        write(&mut stream, piece).await;
                    }
                    sent.extend_from_slice(&body);
                }
                drop(stream);
                (sent, reading.await.unwrap())
            });
            prop_assert_eq!(sent, received);
        }
    }
}
