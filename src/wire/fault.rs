//! Why a head is refused.

/// A head that is refused. The connection is closed behind the answer: nobody can say where the next
/// request would begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HeadFault {
    /// What decides the status of the answer.
    pub kind: FaultKind,
    /// What is wrong, for the client. Never holds anything the client sent.
    pub message: &'static str,
}

/// The kinds of refusal, each with its own status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Not a request that every reader would read alike: 400.
    BadRequest,
    /// A method that a proxy must not pass on: 405.
    MethodNotAllowed,
    /// More bytes or fields than the limits allow: 431.
    TooLarge,
}

impl HeadFault {
    pub(super) const BARE_LF: Self = Self::bad("a line of the request head ends in a bare LF");
    pub(super) const TOO_LARGE: Self = Self::too_large("the request head is larger than 16 KiB");

    pub(super) const fn bad(message: &'static str) -> Self {
        Self { kind: FaultKind::BadRequest, message }
    }

    pub(super) const fn too_large(message: &'static str) -> Self {
        Self { kind: FaultKind::TooLarge, message }
    }

    pub(super) const fn method(message: &'static str) -> Self {
        Self { kind: FaultKind::MethodNotAllowed, message }
    }
}
