//! Who asks: the client whose key a request carries.

use std::sync::Arc;

use http::HeaderMap;

use super::refuse;
use crate::fleet::{Live, LiveClient};
use crate::openai::Refused;
use crate::wire;

/// The client's name where no keys are asked for.
pub const OPEN_LAN: &str = "lan";

/// The client of a request with these header fields; `None` in a house that asks nobody.
///
/// # Errors
/// No key, one that is nobody's, or two that are not the same client's.
pub fn client<'k>(
    live: &Live,
    keys: impl Iterator<Item = &'k [u8]>,
) -> Result<Option<Arc<LiveClient>>, Refused> {
    if live.clients.is_empty() {
        return Ok(None);
    }
    let mut found: Option<Arc<LiveClient>> = None;
    for key in keys {
        let holder = live.holder(key).ok_or_else(refuse::invalid_key)?;
        if found.as_ref().is_some_and(|other| !Arc::ptr_eq(other, holder)) {
            return Err(refuse::invalid_key());
        }
        found = Some(Arc::clone(holder));
    }
    found.ok_or_else(refuse::no_key).map(Some)
}

/// The keys in a head as it came.
pub fn keys_of_head(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    wire::fields(head).filter_map(|(name, value)| key(name, value))
}

/// The keys among fields that were parsed.
pub fn keys(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.iter().filter_map(|(name, value)| key(name.as_str().as_bytes(), value.as_bytes()))
}

/// `x-api-key: KEY`, or `Authorization: Bearer KEY`, whose scheme counts in any case of letters (RFC 9110
/// 11.1). An empty one is none: clients that were given no key send that.
fn key<'h>(name: &[u8], value: &'h [u8]) -> Option<&'h [u8]> {
    let value = value.trim_ascii();
    let key = if name.eq_ignore_ascii_case(b"x-api-key") {
        value
    } else if name.eq_ignore_ascii_case(b"authorization") {
        let (scheme, rest) = value.split_at_checked(BEARER.len())?;
        scheme.eq_ignore_ascii_case(BEARER).then(|| rest.trim_ascii_start())?
    } else {
        return None;
    };
    (!key.is_empty()).then_some(key)
}

const BEARER: &[u8] = b"bearer ";

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_in(head: &str) -> Vec<&str> {
        keys_of_head(head.as_bytes()).map(|key| str::from_utf8(key).unwrap()).collect()
    }

    #[test]
    fn a_key_stands_in_either_of_two_fields() {
        let head = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        for (fields, wanted) in [
            ("Authorization: Bearer sk-1", vec!["sk-1"]),
            ("authorization: BEARER   sk-1 ", vec!["sk-1"]),
            ("X-Api-Key: sk-1", vec!["sk-1"]),
            ("Authorization: Bearer sk-1\r\nx-api-key: sk-2", vec!["sk-1", "sk-2"]),
            ("Authorization: Basic sk-1", vec![]),
            ("Authorization: Bearer", vec![]),
            ("Authorization: Bearersk-1", vec![]),
            ("Authorization: Bearer ", vec![]),
            ("x-api-key:", vec![]),
            ("X-Other: Bearer sk-1", vec![]),
        ] {
            assert_eq!(keys_in(&head(fields)), wanted, "{fields}");
        }
    }
}
