//! What is told of the work: metrics, records, the log. Never prompt text, never a key.

pub mod audit;
mod fault;
mod journal;
pub mod logging;
mod metrics;
pub mod record;
pub mod replay;

pub use fault::Fault;
pub use journal::{Entry, Journal};
pub use metrics::{Finished, Metrics};
