//! The wire shapes of OpenAI's and Anthropic's APIs, as far as a proxy needs them. Pure.

pub mod added_usage;
mod endpoint;
pub mod error;
mod refused;
mod sse;
pub mod usage;

pub use endpoint::Endpoint;
pub use error::Shape;
pub use refused::Refused;
pub use sse::{EVENT_LIMIT, Scanner};
pub use usage::Usage;
