//! A peer that sleeps, as vLLM does in its sleep mode, and what it dies of.

use super::{Peer, Shared};

/// What a vLLM in sleep mode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Awake,
    Asleep,
    Dead,
}

impl Peer {
    /// Falls asleep, as vLLM does on `POST /sleep`. Asked for an answer in its sleep it dies, as vLLM has; so it does
    /// when it falls asleep with a request at work.
    pub fn fall_asleep(&self) {
        self.shared.change(|state| {
            state.life = match (state.life, state.in_flight) {
                (Life::Dead, _) => Life::Dead,
                (_, 0) => Life::Asleep,
                _ => Life::Dead,
            };
        });
    }

    /// Wakes up, if it sleeps.
    pub fn wake(&self) {
        self.shared.change(|state| {
            if state.life == Life::Asleep {
                state.life = Life::Awake;
            }
        });
    }

    /// Whether it sleeps.
    pub fn is_asleep(&self) -> bool {
        self.state().life == Life::Asleep
    }

    /// Whether it did not die.
    pub fn is_alive(&self) -> bool {
        self.state().life != Life::Dead
    }
}

impl Shared {
    /// Whether it is dead; a request that is no probe is what a sleeping one dies of.
    pub(super) fn dies_of(&self, probe: bool) -> bool {
        self.change(|state| {
            if state.life == Life::Asleep && !probe {
                state.life = Life::Dead;
            }
            state.life == Life::Dead
        })
    }
}
