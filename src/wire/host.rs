//! The `Host` field: whom the client believes to speak to.

use std::net::Ipv6Addr;

use super::{HeadFault, Version};

/// The longest name of the domain name system, its final dot included.
const NAME_LIMIT: usize = 254;

/// Checks the field: HTTP/1.1 must have one; what is there must be a host and at most a port.
pub fn check(value: Option<&[u8]>, version: Version) -> Result<(), HeadFault> {
    match value {
        None if version == Version::Http10 => Ok(()),
        None => Err(HeadFault::bad("Host is missing")),
        Some(value) if str::from_utf8(value).is_ok_and(is_host_and_port) => Ok(()),
        Some(_) => Err(HeadFault::bad("Host is not a host name or address, with or without a port")),
    }
}

fn is_host_and_port(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(address, port)| {
            address.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || is_port(port))
        });
    }
    let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
    is_name(name) && (port.is_empty() || is_port(port))
}

/// A colon and 0 to 65535.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| {
        port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
    })
}

/// Labels of letters, digits, `-` and `_`, none empty; a final dot is allowed. RFC 3986 would also take
/// `!$&'()*+,;=~` and percent escapes: no resolver does, and a comma joins two hosts in one.
fn is_name(text: &str) -> bool {
    let labels = text.strip_suffix('.').unwrap_or(text);
    text.len() <= NAME_LIMIT
        && labels.split('.').all(|label| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        })
}
