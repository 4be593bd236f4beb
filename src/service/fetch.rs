//! One small HTTP question with a deadline, over Pingora's connector: status and a bounded body.

use std::net::SocketAddr;
use std::time::Duration;

use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_error::{Error, ErrorType, OrErr, Result};
use pingora_http::RequestHeader;
use tokio::time::timeout;

/// Asks questions; connections are not kept: each question also tests that one can be made.
pub struct Fetcher {
    connector: Connector<()>,
}

impl Fetcher {
    /// One with nothing open.
    pub fn new() -> Self {
        Self { connector: Connector::new(None) }
    }

    /// `GET http://authority{path}`: the status and the body, all within `limit`.
    ///
    /// # Errors
    /// No connection, no answer in time, a body that is too large or cut short.
    pub async fn get(&self, authority: &str, path: &str, limit: Duration) -> Result<(u16, Vec<u8>)> {
        let answer = timeout(limit, self.ask(authority, path)).await;
        answer.map_err(|_late| Error::explain(ErrorType::ReadTimedout, "no answer in time"))?
    }

    async fn ask(&self, authority: &str, path: &str) -> Result<(u16, Vec<u8>)> {
        let peer = HttpPeer::new(address(authority).await?, false, String::new());
        let (mut session, _) = self.connector.get_http_session(&peer).await?;
        let mut head = RequestHeader::build("GET", path.as_bytes(), Some(4))?;
        head.insert_header("host", authority)?;
        head.insert_header("connection", "close")?;
        session.write_request_header(Box::new(head)).await?;
        session.finish_request_body().await?;
        session.read_response_header().await?;
        let status = session.response_header().map_or(0, |head| head.status.as_u16());
        Ok((status, whole_body(&mut session).await?))
    }
}

async fn whole_body(session: &mut HttpSession<()>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(piece) = session.read_response_body().await? {
        body.extend_from_slice(&piece);
        if body.len() > MAX_BODY {
            return Error::e_explain(ErrorType::InternalError, "the answer is too large");
        }
    }
    Ok(body)
}

async fn address(authority: &str) -> Result<SocketAddr> {
    if let Ok(literal) = authority.parse() {
        return Ok(literal);
    }
    let mut found =
        tokio::net::lookup_host(authority).await.or_err(ErrorType::ConnectError, "looking up the name")?;
    found.next().ok_or_else(|| Error::explain(ErrorType::ConnectError, "the name has no address"))
}

/// Mode answers and probes are a few bytes.
const MAX_BODY: usize = 64 * 1024;
