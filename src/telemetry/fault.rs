//! An error of Pingora's in words that may be written to the log.

use std::fmt;

use pingora_error::{BError, Error, ErrorType};

/// Shown as Pingora shows it, but for what it quotes: of an answer whose head cannot be read Pingora puts
/// all that has come into the error, and what a model says is nobody's business.
pub struct Fault<'a>(pub &'a Error);

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.0.esource.as_str();
        let apart = if source.is_empty() { "" } else { " " };
        write!(f, "{source}{apart}")?;
        told(self.0, None, f)
    }
}

/// An error and what it came from; the kind is told once.
fn told(error: &Error, before: Option<&ErrorType>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let inner = error.cause.as_ref().and_then(|cause| cause.downcast_ref::<BError>());
    match before {
        Some(before) if before == &error.etype => {}
        Some(_) => write!(f, " {}", error.etype.as_str())?,
        None => write!(f, "{}", error.etype.as_str())?,
    }
    let quotes = inner.is_none() && error.etype == ErrorType::InvalidHTTPHeader;
    if let Some(context) = error.context.as_ref().filter(|_| !quotes) {
        write!(f, " context: {context}")?;
    }
    match (inner, &error.cause) {
        (Some(inner), _) => {
            write!(f, " cause:")?;
            told(inner, Some(&error.etype), f)
        }
        (None, Some(cause)) => write!(f, " cause: {cause}"),
        (None, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_told_but_what_a_peer_has_said() {
        let io = std::io::Error::other("broken");
        let error = Error::because(ErrorType::InvalidHTTPHeader, "buf: HTTP/1.1 200\\r\\n\\r\\nsecret", io);
        let told = Fault(&error.into_up().more_context("Peer: 127.0.0.1:1")).to_string();
        assert_eq!(told, "Upstream InvalidHTTPHeader context: Peer: 127.0.0.1:1 cause: cause: broken");
    }

    #[test]
    fn other_errors_are_told_as_they_are() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = Error::because(ErrorType::ConnectRefused, "to 127.0.0.1:1", refused).into_up();
        assert_eq!(
            Fault(&error).to_string(),
            "Upstream ConnectRefused context: to 127.0.0.1:1 cause: connection refused"
        );
        assert_eq!(Fault(&error).to_string(), error.to_string());
    }
}
