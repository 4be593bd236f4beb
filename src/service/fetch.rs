//! One small HTTP question with a deadline, over Pingora's connector: status and a bounded body.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
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

impl Default for Fetcher {
    fn default() -> Self {
        Self::new()
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// The method, in capitals.
    pub method: &'q str,
    /// Path and query.
    pub path: &'q str,
    /// A bearer token to send.
    pub token: Option<&'q str>,
    /// A body of JSON.
    pub json: Option<&'q str>,
}

impl Fetcher {
    /// One with nothing open.
    pub fn new() -> Self {
        Self { connector: Connector::new(None) }
    }

    /// `GET http://authority{path}`: the status and the body, all within `limit`.
    ///
    /// # Errors
    /// As those of [`Self::ask`].
    pub async fn get(&self, authority: &str, path: &str, limit: Duration) -> Result<(u16, Vec<u8>)> {
        self.ask(authority, &Question { method: "GET", path, token: None, json: None }, limit).await
    }

    /// Asks `http://authority`: the status and the body, all within `limit`.
    ///
    /// # Errors
    /// No connection, no answer in time, a body that is too large or cut short.
    pub async fn ask(
        &self,
        authority: &str,
        question: &Question<'_>,
        limit: Duration,
    ) -> Result<(u16, Vec<u8>)> {
        let answer = timeout(limit, self.exchange(authority, question)).await;
        answer.map_err(|_late| Error::explain(ErrorType::ReadTimedout, "no answer in time"))?
    }

    async fn exchange(&self, authority: &str, question: &Question<'_>) -> Result<(u16, Vec<u8>)> {
        let peer = HttpPeer::new(address(authority).await?, false, String::new());
        let (mut session, _) = self.connector.get_http_session(&peer).await?;
        session.write_request_header(Box::new(question.head(authority)?)).await?;
        if let Some(json) = question.json {
            session.write_request_body(Bytes::copy_from_slice(json.as_bytes()), true).await?;
        }
        session.finish_request_body().await?;
        session.read_response_header().await?;
        let status = session.response_header().map_or(0, |head| head.status.as_u16());
        Ok((status, whole_body(&mut session).await?))
    }
}

impl Question<'_> {
    fn head(&self, authority: &str) -> Result<RequestHeader> {
        let mut head = RequestHeader::build(self.method, self.path.as_bytes(), Some(6))?;
        head.insert_header("host", authority)?;
        head.insert_header("connection", "close")?;
        if let Some(token) = self.token {
            head.insert_header("authorization", format!("Bearer {token}"))?;
        }
        if let Some(json) = self.json {
            head.insert_header("content-type", "application/json")?;
            head.insert_header("content-length", json.len())?;
        }
        Ok(head)
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

/// Mode answers and probes are a few bytes, a status a few thousand.
const MAX_BODY: usize = 64 * 1024;
