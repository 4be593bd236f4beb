//! What is counted of an exchange when it is over.

use std::borrow::Cow;
use std::time::Duration;

use crate::openai::Usage;

/// One exchange when it is over.
#[derive(Debug)]
pub struct Finished<'e> {
    /// The backend that answered, or nothing.
    pub backend: &'e str,
    /// What decided.
    pub rule: Cow<'e, str>,
    /// Why not the first candidate, or a refusal's code.
    pub reason: &'static str,
    /// The client's status; 499 when it went away.
    pub status: u16,
    /// Whether it went away.
    pub aborted: bool,
    /// Why the answer broke off after some of it had reached the client, where it did.
    pub broken: Option<&'static str>,
    /// Attempts made.
    pub attempts: u32,
    /// From the first byte in to the last byte out.
    pub total: Duration,
    /// From the first byte in to the first byte of the answer's body.
    pub first_byte: Option<Duration>,
    /// From the last byte in to the first attempt, waiting left out.
    pub overhead: Option<Duration>,
    /// Time spent in queues.
    pub queued: Duration,
    /// Estimated prompt tokens.
    pub estimate: Option<u64>,
    /// What the backend reported.
    pub usage: Option<Usage>,
    /// What it cost in US dollars, and whether that is a guess.
    pub cost: Option<(f64, bool)>,
    /// Whether its prompt went to a service outside the house.
    pub leaves_the_house: bool,
}

impl Finished<'_> {
    /// A client that went away before anything was decided.
    pub fn nobody() -> Self {
        Self {
            backend: "",
            rule: "".into(),
            reason: "",
            status: 499,
            aborted: true,
            broken: None,
            attempts: 0,
            total: Duration::ZERO,
            first_byte: None,
            overhead: None,
            queued: Duration::ZERO,
            estimate: None,
            usage: None,
            cost: None,
            leaves_the_house: false,
        }
    }
}
