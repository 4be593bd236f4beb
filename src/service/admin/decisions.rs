//! `GET /decisions` and `GET /decisions/stream`: the latest audit records, and each as it happens.

use std::time::Duration;

use bytes::Bytes;
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;
use pingora_error::Result;
use pingora_http::ResponseHeader;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::{Admin, Answer, protect};
use crate::openai::Refused;

impl Admin {
    /// The latest records, the newest first.
    pub(super) fn decisions(&self, query: &str) -> Result<Answer, Refused> {
        let latest = self.journal.latest(limit_of(query)?);
        Ok(Answer::json(&latest.iter().map(|record| Value::clone(record.as_ref())).collect()))
    }

    /// Whether the stream is asked for, by somebody who may have it.
    pub(super) fn streams_to(&self, session: &ServerSession) -> bool {
        let head = session.req_header();
        head.method == "GET" && head.uri.path() == STREAM && self.guard.check(head, STREAM).is_ok()
    }

    /// Each record when it comes, until the client leaves or the process stops.
    ///
    /// # Errors
    /// When the client has left.
    pub(super) async fn stream(&self, session: &mut ServerSession, shutdown: &ShutdownWatch) -> Result<()> {
        let (mut records, mut shutdown) = (self.journal.listen(), shutdown.clone());
        session.set_keepalive(None);
        session.set_write_timeout(Some(STALLED));
        session.write_response_header(Box::new(head()?)).await?;
        session.write_response_body(Bytes::from_static(b": decisions as they happen\n\n"), false).await?;
        loop {
            let event = tokio::select! {
                biased;
                _ = async { shutdown.wait_for(|stopping| *stopping).await.is_ok() } => break,
                record = timeout(QUIET, records.recv()) => match record {
                    Ok(Ok(record)) => format!("data: {}\n\n", **record),
                    Ok(Err(RecvError::Lagged(missed))) => format!(": {missed} were missed\n\n"),
                    Ok(Err(RecvError::Closed)) => break,
                    Err(_quiet) => ": still here\n\n".to_owned(),
                },
                // A client that says nothing more is still there; this ends when it is not.
                left = session.read_body_or_idle(true) => return left.map(drop),
            };
            session.write_response_body(event.into(), false).await?;
        }
        session.write_response_body(Bytes::new(), true).await
    }
}

/// Without a length: the end of the connection is the end of the stream.
fn head() -> Result<ResponseHeader> {
    let mut head = ResponseHeader::build(200, Some(8))?;
    head.insert_header("content-type", "text/event-stream")?;
    protect(&mut head)?;
    Ok(head)
}

/// `?limit=N`.
fn limit_of(query: &str) -> Result<usize, Refused> {
    let mut limit = DEFAULT_LIMIT;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let number = pair.strip_prefix("limit=").and_then(|number| number.parse().ok());
        limit = number.ok_or_else(|| {
            Refused::new(400, "invalid_request", "only limit=N is known, and N is a whole number")
        })?;
    }
    Ok(limit)
}

/// Where the stream is.
pub const STREAM: &str = "/decisions/stream";
/// Records that are shown unless told otherwise.
const DEFAULT_LIMIT: usize = 100;
/// After so long without a record a comment says that the stream is alive.
const QUIET: Duration = Duration::from_secs(15);
/// A listener that takes nothing for so long is cut.
const STALLED: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_whole_number() {
        assert_eq!(limit_of("").unwrap(), DEFAULT_LIMIT);
        assert_eq!(limit_of("limit=0").unwrap(), 0);
        assert_eq!(limit_of("limit=7&").unwrap(), 7);
        for bad in ["limit=", "limit=-1", "limit=many", "limit", "n=3", "limit=3&since=4"] {
            assert_eq!(limit_of(bad).unwrap_err().status, 400, "{bad}");
        }
    }
}
