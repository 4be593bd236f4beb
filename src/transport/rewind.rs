//! Begins an exchange anew for Pingora, when an answer's head was written and never left the house.
//!
//! vLLM sends a stream's head before its prefill. Such a head is held back until its body begins, so
//! that a backend that dies meanwhile can still be replaced. For Pingora the head is written, though:
//! its session would not write another one. So it gets a new session on the same connection.

use std::io::Cursor;

use pingora_core::protocols::http::ServerSession;
use pingora_error::{Error, ErrorType, Result};

use super::ClientStream;

/// Puts a session in its place that has read the same head and has written nothing.
///
/// # Errors
/// When the session's stream is not ours: it is lost then.
pub async fn rewind(session: &mut ServerSession) -> Result<()> {
    let nothing = ServerSession::new_http1(Box::new(Cursor::new(Vec::new())));
    let ServerSession::H1(before) = std::mem::replace(session, nothing) else { return Err(not_ours()) };
    let keepalive = before.get_keepalive_timeout();
    let stream = before.into_inner().into_any().downcast::<ClientStream>().map_err(|_stream| not_ours())?;
    let mut fresh = ServerSession::new_http1(Box::new(stream.rewound()));
    if !fresh.read_request().await? {
        return Err(not_ours());
    }
    fresh.set_keepalive(keepalive);
    *session = fresh;
    Ok(())
}

fn not_ours() -> Box<Error> {
    Error::explain(ErrorType::InternalError, "the session cannot begin anew")
}
