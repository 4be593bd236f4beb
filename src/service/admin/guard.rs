//! Who may ask the admin listener what: names, origins, media types, tokens.
//!
//! A web page elsewhere, opened in a browser of the house, must be able to drive nothing: a `Host`
//! that is a name from outside (DNS rebinding), a foreign `Origin` or a form's media type is refused.

use std::net::IpAddr;

use http::HeaderMap;
use pingora_http::RequestHeader;
use subtle::ConstantTimeEq;

use super::{dashboard, push};
use crate::openai::Refused;
use crate::wire;

/// What is asked of a request.
#[derive(Debug, Default, Clone)]
pub struct Guard {
    /// May do everything; `None`: nobody is asked.
    pub token: Option<String>,
    /// May push gates only.
    pub gate_token: Option<String>,
    /// Names that a `Host` may carry, besides loopback and literal addresses.
    pub hosts: Vec<String>,
}

impl Guard {
    /// Whether this request may do what it asks for.
    ///
    /// # Errors
    /// 421, 403, 415 or 401, in this order.
    pub fn check(&self, head: &RequestHeader, path: &str) -> Result<(), Refused> {
        let host = text(&head.headers, "host").unwrap_or_default();
        if !self.knows(host) {
            return Err(Refused::new(421, "misdirected_request", "the Host is not one of admin.hosts"));
        }
        if !is_from_here(&head.headers, host) {
            return Err(Refused::new(403, "not_allowed", "the request comes from another site's page"));
        }
        let changes = !matches!(head.method.as_str(), "GET" | "HEAD");
        if changes && !text(&head.headers, "content-type").is_some_and(wire::content_type::is_json) {
            return Err(Refused::new(
                415,
                "unsupported_media_type",
                "the Content-Type must be application/json",
            ));
        }
        // The page is what asks a person for the token.
        if dashboard::serves(path) { Ok(()) } else { self.check_token(&head.headers, path) }
    }

    fn knows(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        literal || name == "localhost" || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(&name))
    }

    fn check_token(&self, headers: &HeaderMap, path: &str) -> Result<(), Refused> {
        let Some(token) = &self.token else { return Ok(()) };
        let sent = text(headers, "authorization").and_then(bearer);
        // An empty token is nobody's, whatever was sent.
        let is = |token: &str| {
            !token.is_empty() && sent.is_some_and(|sent| token.as_bytes().ct_eq(sent.as_bytes()).into())
        };
        if is(token) || (path.starts_with(push::PREFIX) && self.gate_token.as_deref().is_some_and(is)) {
            return Ok(());
        }
        Err(Refused::new(401, "invalid_api_key", "this call asks for the admin token as a bearer token"))
    }
}

/// The token behind the scheme, which counts in any case of letters (RFC 9110 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Neither an `Origin` nor a `Sec-Fetch-Site` of another site.
fn is_from_here(headers: &HeaderMap, host: &str) -> bool {
    let site = text(headers, "sec-fetch-site").unwrap_or("none");
    let origin = text(headers, "origin").is_none_or(|origin| origin.strip_prefix("http://") == Some(host));
    matches!(site, "none" | "same-origin") && origin
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `[::1]:8081` → `[::1]`, `localhost:8081` → `localhost`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, fields: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut head = RequestHeader::build(method, b"/status", None).unwrap();
        for (name, value) in fields {
            head.insert_header(*name, *value).unwrap();
        }
        head
    }

    fn status(guard: &Guard, head: &RequestHeader, path: &str) -> u16 {
        guard.check(head, path).map_or_else(|refused| refused.status, |()| 200)
    }

    #[test]
    fn a_host_is_loopback_a_literal_or_configured() {
        let guard = Guard { hosts: vec!["house.lan".into()], ..Guard::default() };
        for host in
            ["127.0.0.1:8081", "localhost", "LOCALHOST:1", "[::1]:8081", "192.168.1.9:8081", "House.lan:8081"]
        {
            assert_eq!(status(&guard, &asked("GET", &[("host", host)]), "/status"), 200, "{host}");
        }
        for host in ["evil.example", "house.lan.evil.example", "", "localhost.evil.example:8081"] {
            assert_eq!(status(&guard, &asked("GET", &[("host", host)]), "/status"), 421, "{host}");
        }
    }

    #[test]
    fn a_page_elsewhere_can_drive_nothing() {
        let guard = Guard::default();
        let base = ("host", "127.0.0.1:8081");
        assert_eq!(status(&guard, &asked("PUT", &[base]), "/gates/x"), 415);
        let json = ("content-type", "application/json");
        assert_eq!(status(&guard, &asked("PUT", &[base, json]), "/gates/x"), 200);
        assert_eq!(
            status(&guard, &asked("PUT", &[base, json, ("origin", "http://evil.example")]), "/gates/x"),
            403
        );
        assert_eq!(status(&guard, &asked("GET", &[base, ("sec-fetch-site", "cross-site")]), "/status"), 403);
        let own = ("origin", "http://127.0.0.1:8081");
        assert_eq!(status(&guard, &asked("PUT", &[base, json, own]), "/gates/x"), 200);
    }

    #[test]
    fn the_dashboard_asks_for_no_token_and_is_guarded_otherwise() {
        let guard = Guard { token: Some("all".into()), ..Guard::default() };
        for path in ["/", "/dashboard.js", "/dashboard.css"] {
            assert_eq!(status(&guard, &asked("GET", &[("host", "127.0.0.1")]), path), 200, "{path}");
            assert_eq!(status(&guard, &asked("GET", &[("host", "evil.example")]), path), 421, "{path}");
        }
        for path in ["", "//", "/dashboard.js/", "/dashboard", "/status", "/decisions", "/gates/x"] {
            assert_eq!(status(&guard, &asked("GET", &[("host", "127.0.0.1")]), path), 401, "{path}");
        }
    }

    #[test]
    fn the_gate_token_only_pushes() {
        let guard = Guard { token: Some("all".into()), gate_token: Some("gate".into()), hosts: Vec::new() };
        let with = |token| asked("GET", &[("host", "127.0.0.1"), ("authorization", token)]);
        assert_eq!(status(&guard, &with("Bearer all"), "/status"), 200);
        assert_eq!(status(&guard, &with("Bearer gate"), "/status"), 401);
        assert_eq!(status(&guard, &with("Bearer gate"), "/gates/gaming_pc"), 200);
        assert_eq!(status(&guard, &with("Bearer al"), "/gates/gaming_pc"), 401);
        assert_eq!(status(&guard, &asked("GET", &[("host", "127.0.0.1")]), "/status"), 401);
        assert_eq!(status(&guard, &with("bearer all"), "/status"), 200, "a scheme in lower case");
        let empty = Guard { token: Some(String::new()), gate_token: Some(String::new()), hosts: Vec::new() };
        for nothing in ["Bearer ", "Bearer", ""] {
            assert_eq!(status(&empty, &with(nothing), "/gates/gaming_pc"), 401, "an empty token is nobody's");
        }
    }
}
