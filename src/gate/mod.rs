//! The gate of a gaming PC: open, closed or unknown, from what is polled and pushed. Pure.
//!
//! ```text
//! body ─▶ answer::parse ─▶ Observation ─▶ Event ─▶ Machine::on(event, now) ─▶ transitions
//!                                                      machine.rs ★
//! ```

pub mod answer;
mod latch;
mod machine;
mod observation;

pub use latch::Latch;
pub use machine::{Event, Machine, PollToken, Transition};
pub use observation::{Mode, Observation, POLL_RESULTS, PollFault, Source};
