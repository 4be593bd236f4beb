//! What a head alone decides, before the body is read: path, method, media type, coding.

use std::sync::Arc;

use tokio::time::Instant;

use super::cors::Origins;
use super::{identify, refuse};
use crate::fleet::Fleet;
use crate::openai::{Endpoint, Refused};
use crate::telemetry::{Finished, Metrics};
use crate::transport::Gatekeeper;
use crate::wire::{self, Head};

/// Looks at every head.
#[derive(Debug, Clone)]
pub struct Reception {
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who has a key.
    pub fleet: Arc<Fleet>,
    /// The pages of browsers that may call.
    pub origins: Origins,
}

/// What a path is for. An exact list: nothing is decoded or normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// A model works for it.
    Endpoint(Endpoint),
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{id}`
    Model(&'a str),
    /// `GET /health`
    Health,
}

impl Target<'_> {
    /// What this path is for, if anything.
    pub fn of(path: &str) -> Option<Target<'_>> {
        match path {
            "/v1/models" => Some(Target::Models),
            "/health" => Some(Target::Health),
            _ => match path.strip_prefix("/v1/models/").filter(|id| is_plain(id)) {
                Some(id) => Some(Target::Model(id)),
                None => Endpoint::of_path(path).map(Target::Endpoint),
            },
        }
    }

    /// The one method it takes.
    pub const fn method(self) -> &'static str {
        match self {
            Target::Endpoint(_) => "POST",
            Target::Models | Target::Model(_) | Target::Health => "GET",
        }
    }
}

/// A model's name in a path: no dot segments, no second slash, nothing escaped.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id != "." && id != ".." && !id.contains(['/', '%', ';', '\\'])
}

impl Gatekeeper for Reception {
    fn admit(&self, head: &Head<'_>, raw: &[u8]) -> Result<bool, Refused> {
        let target = Target::of(head.path).ok_or_else(refuse::unknown_path)?;
        if self.origins.is_preflight(head.method, raw) {
            return Ok(false);
        }
        if head.method != target.method() {
            return Err(refuse::method_not_allowed(target.method()));
        }
        if target == Target::Health {
            return Ok(false);
        }
        let client = identify::client(&self.fleet.live(), identify::keys_of_head(raw))?;
        let Target::Endpoint(_) = target else { return Ok(false) };
        let media_type = head.content_type.and_then(|value| str::from_utf8(value).ok());
        if !media_type.is_some_and(wire::content_type::is_json) {
            return Err(refuse::not_json());
        }
        let coding = head.content_encoding.unwrap_or_default();
        if !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity") {
            return Err(refuse::coded());
        }
        if let Some(client) = client {
            client.take().map_err(refuse::rate_limited)?;
        }
        Ok(true)
    }

    fn left(&self, began: Instant) {
        let total = began.elapsed();
        self.metrics.observe(&Finished { reason: "client_left", total, ..Finished::nobody() });
        tracing::info!(
            status = 499,
            total_ms = total.as_secs_f64() * 1000.0,
            "a client left before its body was whole"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_an_exact_list() {
        assert_eq!(Target::of("/v1/chat/completions"), Some(Target::Endpoint(Endpoint::ChatCompletions)));
        assert_eq!(Target::of("/v1/models/a:b.c"), Some(Target::Model("a:b.c")));
        for path in [
            "/",
            "/v1",
            "/v1/chat/completions/",
            "/V1/models",
            "/v1/models/",
            "/v1/models/../x",
            "/v1/models/a/b",
            "/v1//models",
            "/v1/%6dodels",
            "/v1/models/%2e",
            "/health/",
            "/metrics",
            "/invocations",
            "/pause",
            "/sleep",
        ] {
            assert_eq!(Target::of(path), None, "{path}");
        }
    }
}
