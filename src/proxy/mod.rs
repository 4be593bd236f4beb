//! The phases of a request, one file each; the only code that names `pingora_proxy`.
//!
//! | Pingora's hook | file | what happens |
//! |---|---|---|
//! | (before Pingora) | `admit`, `identify` | path, method, key, media type, rate: by the head alone |
//! | `on_connection_reuse`, `early_request_filter` | `exchange` | the arrival is taken over |
//! | `request_filter` | `peek` ★, `route`, `own` | body → facts → decision, or an answer of our own |
//! | `upstream_peer` … `upstream_request_filter` | `lease`, `upstream` | a slot on the card, a peer, the head it gets |
//! | `fail_to_connect`, `error_while_proxy` | `failover` | the next candidate, or none |
//! | `response_filter`, `response_body_filter` | `relay` | headers, first byte, usage |
//! | `fail_to_proxy` | `refuse` ★ | status and body of an error: one table |
//! | `logging` | `finish` | everything given back, metrics, the record |

mod admit;
mod cors;
mod exchange;
pub mod explain;
mod failover;
mod fare;
mod finish;
mod hosted;
mod identify;
mod lease;
mod marks;
mod own;
mod peek;
mod refuse;
mod relay;
mod route;
mod upstream;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};
use tokio::sync::watch;

pub use admit::Reception;
pub use cors::Origins;
pub use hosted::{Proxy, proxies};

use crate::fleet::Fleet;
use crate::telemetry::{Journal, Metrics};
use exchange::Exchange;

/// The proxy: what every exchange is served with.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Policy and live state.
    pub fleet: Arc<Fleet>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where decisions are told as they happen.
    pub journal: Arc<Journal>,
    /// Turns true when the process stops.
    pub stopping: watch::Receiver<bool>,
    /// The pages of browsers that may call.
    pub origins: Origins,
}

#[async_trait]
impl ProxyHttp for Gateway {
    /// In a box: Pingora moves it, in futures of which it would be a large part.
    type CTX = Box<Exchange>;

    fn new_ctx(&self) -> Self::CTX {
        Box::new(Exchange::new(self.fleet.live()))
    }

    fn on_connection_reuse(
        &self,
        _: &mut Session,
        exchange: &mut Self::CTX,
        arrival: Box<dyn Any + Send + Sync>,
    ) {
        exchange.take_over(arrival);
    }

    async fn request_filter(&self, session: &mut Session, exchange: &mut Self::CTX) -> Result<bool> {
        session.set_ignore_info_resp(true);
        let outcome = self.receive(session, exchange);
        self.answer(session, exchange, outcome).await
    }

    async fn upstream_peer(&self, session: &mut Session, exchange: &mut Self::CTX) -> Result<Box<HttpPeer>> {
        self.choose_peer(session, exchange).await
    }

    async fn connected_to_upstream(
        &self,
        _: &mut Session,
        _: bool,
        _: &HttpPeer,
        _: std::os::fd::RawFd,
        digest: Option<&pingora_core::protocols::Digest>,
        exchange: &mut Self::CTX,
    ) -> Result<()> {
        self.connected(exchange, digest)
    }

    async fn upstream_request_filter(
        &self,
        _: &mut Session,
        head: &mut RequestHeader,
        exchange: &mut Self::CTX,
    ) -> Result<()> {
        exchange.write_head(head)
    }

    async fn request_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        _: bool,
        exchange: &mut Self::CTX,
    ) -> Result<()> {
        *body = exchange.outgoing_body();
        Ok(())
    }

    fn fail_to_connect(
        &self,
        _: &mut Session,
        _: &HttpPeer,
        exchange: &mut Self::CTX,
        error: Box<Error>,
    ) -> Box<Error> {
        self.connect_failed(exchange, error)
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        _: &mut Session,
        error: Box<Error>,
        exchange: &mut Self::CTX,
        client_reused: bool,
    ) -> Box<Error> {
        self.broke(exchange, error, client_reused)
    }

    async fn upstream_response_filter(
        &self,
        _: &mut Session,
        head: &mut ResponseHeader,
        exchange: &mut Self::CTX,
    ) -> Result<()> {
        self.judge_status(exchange, head)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        exchange: &mut Self::CTX,
    ) -> Result<()> {
        self.close_when_stopping(session);
        exchange.dress(head, session.req_header().version)?;
        self.origins.mark(exchange.origin.as_ref(), head)
    }

    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        exchange: &mut Self::CTX,
    ) -> Result<Option<Duration>> {
        exchange.relay(body, end);
        Ok(None)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        exchange: &mut Self::CTX,
    ) -> FailToProxy {
        self.give_up(session, error, exchange).await
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, exchange: &mut Self::CTX) {
        self.finish(session, error, exchange);
    }

    fn suppress_error_log(&self, _: &Session, _: &Self::CTX, _: &Error) -> bool {
        true // `finish` tells it once, with the decision
    }

    fn suppress_proxy_warn_log(
        &self,
        _: &Session,
        _: &Self::CTX,
        _: &Error,
        _: pingora_proxy::ProxyWarnLogContext,
    ) -> bool {
        true // `failover` tells it, with the backend's name
    }
}
