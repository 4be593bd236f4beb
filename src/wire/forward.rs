//! Which request headers go on to a model server.

/// Headers that are never forwarded, in three groups. Lower case, sorted within each.
const KEPT_BACK: [&str; 22] = [
    // About the client's connection, not about the request (RFC 9110 7.6.1).
    "connection",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    // Written anew for each backend. Answers are read for their usage, so no coding may be asked for.
    "accept-encoding",
    "content-length",
    "host",
    "x-request-id",
    // Between the client and sluice alone: credentials, and what makes a model server answer the
    // browser's cross-origin questions in sluice's place.
    "access-control-request-headers",
    "access-control-request-method",
    "access-control-request-private-network",
    "authorization",
    "cookie",
    "origin",
    "x-api-key",
];

/// Whether a header goes on. `name` is lower case. What `Connection` nominates has gone before
/// ([`super::without_framing`]).
pub fn is_forwarded(name: &str) -> bool {
    !KEPT_BACK.contains(&name) && !name.starts_with("x-sluice-")
}

#[cfg(test)]
mod tests {
    use super::{KEPT_BACK, is_forwarded};

    #[test]
    fn the_request_own_headers_go_on() {
        for name in [
            "accept",
            "content-type",
            "user-agent",
            "x-mine",
            "x-force-big",
            "x-session-id",
            "x-sluice",
            "anthropic-version",
            "anthropic-beta",
            "openai-organization",
            "traceparent",
        ] {
            assert!(is_forwarded(name), "{name}");
        }
    }

    #[test]
    fn hop_by_hop_credentials_and_own_headers_stay() {
        for name in KEPT_BACK.into_iter().chain(["x-sluice-backend", "x-sluice-anything"]) {
            assert!(!is_forwarded(name), "{name}");
        }
    }

    #[test]
    fn names_are_lower_case_and_there_once() {
        for (place, name) in KEPT_BACK.iter().enumerate() {
            assert_eq!(*name, name.to_ascii_lowercase());
            assert!(!KEPT_BACK.iter().skip(place + 1).any(|other| other == name), "{name} stands twice");
        }
    }
}
