//! Browsers: which pages of other origins may call, and the question that they ask first.
//!
//! Nothing is said unless an origin is configured. Model servers never see these headers, so that none of
//! them answers in sluice's place.

use http::{HeaderMap, HeaderValue};
use pingora_error::Result;
use pingora_http::{RequestHeader, ResponseHeader};

use crate::wire;

/// The origins that may call; none: browsers are answered like everybody.
#[derive(Debug, Clone, Default)]
pub struct Origins(std::sync::Arc<[String]>);

impl Origins {
    /// These, as browsers write them.
    pub fn new(origins: Vec<String>) -> Self {
        Self(origins.into())
    }

    /// Whether a head as it came is a browser's question before its request, in a house that answers it.
    pub fn is_preflight(&self, method: &str, head: &[u8]) -> bool {
        let asks = |name| wire::field(head, name).is_some();
        !self.0.is_empty() && method == "OPTIONS" && asks("origin") && asks(ASKED_METHOD)
    }

    /// The origin of a page that may call.
    pub fn of(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get("origin").filter(|_| !self.0.is_empty())?;
        self.0.iter().any(|known| known.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }

    /// What varies with the origin must say so, also where this one may not call.
    ///
    /// # Errors
    /// None: names and values are legal.
    pub fn mark(&self, origin: Option<&HeaderValue>, head: &mut ResponseHeader) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        head.append_header("vary", "Origin")?;
        if let Some(origin) = origin {
            head.insert_header("access-control-allow-origin", origin)?;
            head.insert_header("access-control-expose-headers", EXPOSED)?;
        }
        Ok(())
    }
}

/// The answer to a browser's question; what is allowed is said to a known origin alone.
pub fn preflight(asked: &RequestHeader, origin: Option<&HeaderValue>) -> Result<ResponseHeader> {
    let mut head = ResponseHeader::build(204, Some(8))?;
    if origin.is_none() {
        return Ok(head);
    }
    head.insert_header("access-control-allow-methods", "GET, POST")?;
    let headers = asked.headers.get("access-control-request-headers");
    head.insert_header(
        "access-control-allow-headers",
        headers.cloned().unwrap_or(HeaderValue::from_static(USUAL)),
    )?;
    if asked.headers.get("access-control-request-private-network").is_some() {
        head.insert_header("access-control-allow-private-network", "true")?;
    }
    head.insert_header("access-control-max-age", "600")?;
    Ok(head)
}

const ASKED_METHOD: &str = "access-control-request-method";
/// What browsers' clients send.
const USUAL: &str = "authorization, content-type, x-api-key, x-force-big, x-request-id, x-session-id";
/// What a page may read of an answer.
const EXPOSED: &str = "x-request-id, x-sluice-backend, x-sluice-rule, x-sluice-reason, x-sluice-gate, \
                       x-sluice-tokens, x-sluice-attempts, retry-after";
