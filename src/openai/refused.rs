//! A request that gets no answer from a backend: what the client is told.

/// One refusal, as plain values; [`super::error`] makes the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// The contract's word for it.
    pub code: &'static str,
    /// A sentence that helps.
    pub message: String,
    /// The request's member at fault.
    pub param: Option<&'static str>,
    /// Seconds for `Retry-After`; on every 429 and 503.
    pub retry_after: Option<u32>,
    /// The methods for `Allow`; on every 405.
    pub allow: Option<&'static str>,
}

impl Refused {
    /// A refusal with a status, a code and a sentence.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let retry_after = matches!(status, 429 | 503).then_some(1);
        Self { status, code, message: message.into(), param: None, retry_after, allow: None }
    }

    /// Names the request's member at fault.
    #[must_use]
    pub fn param(self, param: &'static str) -> Self {
        Self { param: Some(param), ..self }
    }

    /// Says which methods are allowed.
    #[must_use]
    pub fn allow(self, methods: &'static str) -> Self {
        Self { allow: Some(methods), ..self }
    }

    /// Says when to come again, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}
