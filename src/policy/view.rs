//! What the engine sees of the fleet at one moment: plain values, copied out of the live state.

use super::{BackendId, GateId, Reason};

/// The fleet at one moment, as far as a decision needs it. Lists are in the policy's order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// Each gate.
    pub gates: Vec<GateView>,
    /// Each backend: `None` is usable, otherwise why not (gates left out).
    pub backends: Vec<Option<Reason>>,
}

/// A gate at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateView {
    /// Its state.
    pub state: GateState,
    /// False when the model behind it sleeps or is stopped: nothing passes, not even forced.
    pub available: bool,
}

/// The four states of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GateState {
    /// Requests may pass.
    Open,
    /// Only forced ones may.
    Closed,
    /// Closed, and something unforced still runs behind it.
    Draining,
    /// No good answer for too long: only forced ones may.
    Unknown,
}

impl GateState {
    /// All of them, for metrics.
    pub const ALL: [Self; 4] = [Self::Open, Self::Closed, Self::Draining, Self::Unknown];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Draining => "draining",
            Self::Unknown => "unknown",
        }
    }
}

impl View {
    /// The gate's view; one that is not there is unknown.
    pub fn gate(&self, id: GateId) -> GateView {
        let absent = GateView { state: GateState::Unknown, available: true };
        self.gates.get(id.0).copied().unwrap_or(absent)
    }

    /// Why the backend cannot be used (gates left out); one that is not there is unhealthy.
    pub fn unusable(&self, id: BackendId) -> Option<Reason> {
        self.backends.get(id.0).copied().unwrap_or(Some(Reason::Unhealthy))
    }
}

impl View {
    /// Why the gate of a backend, where it has one, bars a request.
    pub fn bars(&self, gate: Option<GateId>, forced: bool) -> Option<Reason> {
        self.gate(gate?).bars(forced)
    }
}

impl GateView {
    /// Why the gate lets nobody pass, or nobody unforced; `None` when it lets pass.
    pub fn bars(self, forced: bool) -> Option<Reason> {
        match self {
            Self { available: false, .. } => Some(Reason::Asleep),
            Self { state: GateState::Open, .. } => None,
            _ if forced => None,
            Self { state: GateState::Unknown, .. } => Some(Reason::GateUnknown),
            Self { state: GateState::Closed | GateState::Draining, .. } => Some(Reason::GateClosed),
        }
    }
}
