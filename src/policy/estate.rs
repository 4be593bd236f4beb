//! What the operator says there is: backends, gates, GPUs, models. Plain values, checked by `config`.

use std::time::Duration;

use super::{BackendId, Budget, GateId, GpuId, Price, Secret};

/// A named model server: one or more peers that serve the same model.
#[derive(Debug, Clone, PartialEq)]
pub struct Backend {
    /// Its name in the policy.
    pub name: String,
    /// What it is for and how it may be reached.
    pub kind: Kind,
    /// The card it runs on; `None` for one outside the house.
    pub gpu: Option<GpuId>,
    /// The gate it stands behind.
    pub gate: Option<GateId>,
    /// Each peer: `host:port`, or `https://host[:port]` for one that is asked over TLS. A name is resolved
    /// at each connect.
    pub peers: Vec<String>,
    /// How a peer is chosen.
    pub balance: Balance,
    /// The served name, written into the forwarded body.
    pub model: String,
    /// Tokens of prompt and output it takes; `None` is any number.
    pub context_window: Option<u64>,
    /// Backends to try in turn when this one cannot be used.
    pub fail_soft: Vec<BackendId>,
    /// How long each step of an exchange may take.
    pub timeouts: Timeouts,
    /// How its peers are probed; `None`: not at all.
    pub health: Option<Health>,
    /// Statuses that send the request to the next candidate.
    pub failover_on: Vec<u16>,
    /// How its API is asked.
    pub access: Access,
    /// What its tokens cost.
    pub price: Option<Price>,
    /// How much of it may be used.
    pub budget: Option<Budget>,
}

/// What an API asks of those who ask it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Takes the place of `/v1` at the beginning of a path; begins with a slash and does not end with one.
    pub base_path: Option<String>,
    /// Sent as a bearer token.
    pub api_key: Option<Secret>,
}

/// What a backend is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A language model in the house.
    Language,
    /// A speech synthesiser; reached on `/v1/audio/speech` alone.
    Speech,
    /// A language model outside the house: prompts leave it. Reached only where the policy names it.
    External,
    /// For people: reached by a model that is pinned to it, and by the clients that the model names.
    Manual,
}

impl Kind {
    /// Whether chats and the like may be sent there by a rule, a chain or a failure.
    pub const fn answers_by_rule(self) -> bool {
        matches!(self, Self::Language | Self::External)
    }

    /// Whether a request that was sent there once may be sent there again: what is metered, or meant for a
    /// person, is asked once.
    pub const fn may_be_asked_again(self) -> bool {
        matches!(self, Self::Language | Self::Speech)
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Language => "language",
            Self::Speech => "speech",
            Self::External => "external",
            Self::Manual => "manual",
        }
    }
}

/// How a peer of a backend is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// The healthy peer with the fewest exchanges in flight.
    LeastInFlight,
    /// A conversation keeps its peer, for the sake of its prefix cache.
    PrefixHash,
}

/// How long each step of an exchange with a peer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// From there until the first byte of the answer's body.
    pub first_byte: Duration,
    /// Between two bytes of the answer's body.
    pub idle: Duration,
}

/// How a peer is probed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Health {
    /// Path of the probe; any 2xx is healthy.
    pub path: String,
    /// Time between two probes.
    pub interval: Duration,
    /// Time a probe may take.
    pub timeout: Duration,
    /// Failed probes in a row that make a peer unhealthy.
    pub unhealthy_after: u32,
    /// Good probes in a row that make it healthy again.
    pub healthy_after: u32,
}

/// What opens and shuts with the gaming PC's mode.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Gate {
    /// Its name in the policy.
    pub name: String,
    /// Where the mode is asked for; `None`: pushed only.
    pub mode_url: Option<String>,
    /// Time between two polls.
    pub poll_interval: Duration,
    /// Time a poll may take.
    pub poll_timeout: Duration,
    /// Without a good answer for this long the gate is unknown.
    pub stale_after: Duration,
    /// What happens to what runs when it closes.
    pub on_close: OnClose,
    /// How long what runs may go on under [`OnClose::Cancel`].
    pub drain_timeout: Duration,
}

/// What happens to unforced exchanges that run behind a gate when it closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnClose {
    /// What still runs after the drain timeout is cut.
    Cancel,
    /// It may finish, however long that takes.
    Drain,
}

/// A physical card with a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its name in the policy.
    pub name: String,
    /// Exchanges at one time, over all backends on the card.
    pub max_in_flight: u32,
    /// Exchanges that may wait.
    pub max_queue: u32,
    /// How long one may wait.
    pub queue_timeout: Duration,
    /// Backends that run alone on the card.
    pub exclusive: Vec<BackendId>,
    /// How long an exclusive one that waits may hold back the others.
    pub exclusive_wait: Duration,
}

/// A name that a client may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The name.
    pub name: String,
    /// Where it is pinned to; `None`: the rules decide.
    pub backend: Option<BackendId>,
    /// The clients that may name it; `None`: all.
    pub clients: Option<Vec<String>>,
}
