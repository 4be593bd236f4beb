//! Which request ids of clients are kept.

/// The longest id that is kept, in bytes.
pub const ID_LIMIT: usize = 128;

/// Whether a client's `X-Request-Id` may stand in headers and logs: 1 to 128 of `[A-Za-z0-9._-]`.
pub fn is_valid(id: &str) -> bool {
    (1..=ID_LIMIT).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn ids_that_are_kept() {
        for id in ["a", "0", "abc-1.2_Z", "..", &"x".repeat(128)] {
            assert!(is_valid(id), "{id:?}");
        }
    }

    #[test]
    fn ids_that_are_made_anew() {
        for id in
            ["", " ", "a b", "a\n", "é", "a/b", "a:b", "a\"b", "a,b", "a%20", "\u{661}", &"x".repeat(129)]
        {
            assert!(!is_valid(id), "{id:?}");
        }
    }
}
