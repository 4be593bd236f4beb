//! HTTP/1.1 as bytes: what is refused before any other parser sees a request, and what goes on to a
//! model server. Pure.
//!
//! ```text
//! bytes ─▶ head_end ─▶ check ─▶ Head ─▶ chunked ─▶ fields, header_tests, content_type ─▶ forward
//!          where the    400, 405,       where the   what is read of a sound head          what goes
//!          head ends    431 or fine     body ends                                         to a backend
//! ```

mod chunked;
pub mod content_type;
mod fault;
mod field_lines;
mod fields;
pub mod forward;
mod framing;
mod head;
mod head_end;
mod header_tests;
mod host;
pub mod request_id;
mod retry_after;
mod target;

pub use chunked::{ChunkFault, Chunked, Progress};
pub use fault::{FaultKind, HeadFault};
pub use field_lines::{SINGLETONS, refuses_duplicate_singletons};
pub use fields::{field, fields, without_framing};
pub use framing::Framing;
pub use head::{Head, Version, check};
pub use head_end::{HeadEnd, head_end};
pub use header_tests::{HeaderTests, NotAYesOrNo};
pub use retry_after::retry_after;

/// Bytes of a whole head: leading empty lines, request line, fields and the empty line at its end.
pub const HEAD_LIMIT: usize = 16 * 1024;

/// Header fields of one head.
pub const FIELD_LIMIT: usize = 100;

/// Bytes of the empty lines before the request line: RFC 9112 2.2 lets a server skip "at least one",
/// for clients that end a body with a line too many. Two are skipped, more are no request.
fn leading_empty_lines(text: &[u8]) -> usize {
    let mut rest = text;
    for skipped in [0, 2] {
        match rest.strip_prefix(b"\r\n") {
            Some(after) => rest = after,
            None => return skipped,
        }
    }
    4
}
