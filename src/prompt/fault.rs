//! Why a body is refused: where, and in words that help. Nothing of the client's text is repeated.

use thiserror::Error;

/// A body that is not forwarded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// It is no JSON document (`invalid_json`).
    #[error("the body is not valid JSON: {problem} at byte {offset}")]
    InvalidJson {
        /// The byte it shows at; the body's length where something is missing at its end.
        offset: usize,
        /// What is wrong there.
        problem: Syntax,
    },
    /// It is JSON of the wrong shape (`invalid_request`).
    #[error("{problem} (at byte {offset} of the body)")]
    InvalidRequest {
        /// The byte at which the value or key in question begins.
        offset: usize,
        /// What is wrong there.
        problem: Shape,
    },
}

/// What can be wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Syntax {
    /// Nothing but white space, or nothing at all.
    #[error("it is empty")]
    Empty,
    /// A byte sequence that is not UTF-8.
    #[error("a byte that is not UTF-8")]
    NotUtf8,
    /// A byte order mark.
    #[error("a byte order mark, which JSON must not begin with,")]
    ByteOrderMark,
    /// The body ends before the document does.
    #[error("it ends before the document does,")]
    Unfinished,
    /// Something else should stand here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A raw control character in a string.
    #[error("a control character that is not escaped in a string")]
    ControlCharacter,
    /// An escape that JSON does not know.
    #[error("a bad escape in a string")]
    Escape,
    /// A number that breaks JSON's grammar.
    #[error("a bad number")]
    Number,
    /// Something behind the document.
    #[error("more text behind the document")]
    TrailingData,
    /// More levels of arrays and objects than are taken.
    #[error("more than {} levels of nesting", super::cursor::MAX_DEPTH)]
    TooDeep,
}

/// What can be wrong with a document's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Shape {
    /// The document is not an object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// A key that is read stands twice in one object: two parsers would read two requests.
    #[error("`{0}` stands twice in one object")]
    Duplicate(&'static str),
    /// A value of a type that cannot be read.
    #[error("`{key}` must be {wanted}")]
    WrongType {
        /// The value's key.
        key: &'static str,
        /// What it may be.
        wanted: &'static str,
    },
}

impl Fault {
    /// The byte of the body it is about; at most the body's length.
    pub const fn offset(&self) -> usize {
        match self {
            Self::InvalidJson { offset, .. } | Self::InvalidRequest { offset, .. } => *offset,
        }
    }

    /// The key it is about, for an error's `param`.
    pub const fn param(&self) -> Option<&'static str> {
        match self {
            Self::InvalidRequest {
                problem: Shape::Duplicate(key) | Shape::WrongType { key, .. }, ..
            } => Some(*key),
            _ => None,
        }
    }

    /// Whether it is no JSON at all.
    pub const fn is_syntax(&self) -> bool {
        matches!(self, Self::InvalidJson { .. })
    }

    pub(super) const fn syntax(offset: usize, problem: Syntax) -> Self {
        Self::InvalidJson { offset, problem }
    }

    pub(super) const fn shape(offset: usize, problem: Shape) -> Self {
        Self::InvalidRequest { offset, problem }
    }
}
