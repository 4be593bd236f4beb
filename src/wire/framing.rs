//! Where a request's body ends: the one question two readers must answer alike.

use super::field_lines::Fields;
use super::{HeadFault, Version};

/// How a body's length is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    None,
    /// So many bytes, as `Content-Length` says.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

impl Framing {
    /// Whether bytes of a body are to come.
    pub const fn announces_body(self) -> bool {
        !matches!(self, Self::None | Self::Length(0))
    }

    pub(super) fn read(fields: &Fields<'_>, version: Version) -> Result<Self, HeadFault> {
        match (fields.content_length, fields.transfer_encoding) {
            (None, None) => Ok(Self::None),
            (Some(length), None) => digits(length).map(Self::Length),
            (None, Some(coding)) => chunked(coding, version),
            (Some(_), Some(_)) => Err(HeadFault::bad("both Content-Length and Transfer-Encoding are there")),
        }
    }
}

/// Digits alone: a sign, a list, a blank or a 20th digit means different numbers to different readers.
fn digits(value: &[u8]) -> Result<u64, HeadFault> {
    const FAULT: HeadFault = HeadFault::bad("Content-Length is not a number of 1 to 19 digits");
    if value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return Err(FAULT);
    }
    str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(FAULT)
}

/// `chunked` and nothing beside it, since every other coding would be lost on the way; never in
/// HTTP/1.0, whose servers read past it.
fn chunked(value: &[u8], version: Version) -> Result<Framing, HeadFault> {
    if version == Version::Http10 {
        return Err(HeadFault::bad("Transfer-Encoding is not part of HTTP/1.0"));
    }
    if !value.eq_ignore_ascii_case(b"chunked") {
        return Err(HeadFault::bad("Transfer-Encoding is something else than chunked"));
    }
    Ok(Framing::Chunked)
}
