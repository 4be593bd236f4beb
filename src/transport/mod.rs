//! One client connection: requests are read whole and checked strictly here, before Pingora sees them.
//!
//! ```text
//! TCP ─▶ intake ─▶ Arrival (head, whole body) ─▶ ClientStream ─▶ Pingora's proxy ─▶ back to intake
//!        head check, limits, deadlines            a head without a body, answers out
//! ```
//!
//! Pingora gets each request as a head without a body, so that its own body reader never runs: the
//! body is injected for each attempt from the [`Arrival`], whatever its size and framing were. While
//! the exchange runs, [`ClientStream`] watches the client: it keeps early bytes aside for the next
//! request, notices a client that leaves, and lets deadlines and gates cut the exchange.

mod admission;
mod alarm;
mod client_stream;
mod connection;
mod control;
mod guests;
mod intake;
mod rewind;
mod upstream_stream;
mod workers;

pub use admission::{Admission, Held};
pub use client_stream::ClientStream;
pub use connection::{Door, Limits};
pub use control::{Control, Cut};
pub use guests::{Guest, Guests};
pub use intake::{Arrival, Fault, Gatekeeper};
pub use rewind::rewind;
pub use upstream_stream::OneWrite;
pub use workers::Workers;
