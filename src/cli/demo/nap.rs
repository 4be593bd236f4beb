//! The simulated vLLM's sleep. Asked for an answer in its sleep it dies, as the real one has.

use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Value, json};

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const DEAD: u8 = 2;

/// Whether it is awake, asleep, or dead.
#[derive(Debug, Default)]
pub struct Nap(AtomicU8);

impl Nap {
    /// `POST /sleep`: nothing, where it is dead.
    pub fn fall_asleep(&self) {
        // a failed exchange: it sleeps already, or is dead
        let _ = self.0.compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire);
    }

    /// `POST /wake_up`; a dead one is started anew.
    pub fn wake(&self) {
        self.0.store(AWAKE, Ordering::Release);
    }

    /// Somebody wants an answer. False where there is none: it is dead, or dies of that.
    pub fn survives(&self) -> bool {
        // a failed exchange: it is awake, or dead already
        let _ = self.0.compare_exchange(ASLEEP, DEAD, Ordering::AcqRel, Ordering::Acquire);
        !self.is_dead()
    }

    /// Whether it sleeps.
    pub fn is_asleep(&self) -> bool {
        self.0.load(Ordering::Acquire) == ASLEEP
    }

    /// Whether it answers nobody any more.
    pub fn is_dead(&self) -> bool {
        self.0.load(Ordering::Acquire) == DEAD
    }

    /// `GET /is_sleeping`
    pub fn body(&self) -> Value {
        json!({"is_sleeping": self.is_asleep()})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asked_in_its_sleep_it_dies_and_a_restart_brings_it_back() {
        let nap = Nap::default();
        assert!(nap.survives() && !nap.is_asleep());
        nap.fall_asleep();
        assert_eq!(nap.body(), json!({"is_sleeping": true}));
        nap.wake();
        assert!(nap.survives(), "woken in time");
        nap.fall_asleep();
        assert!(!nap.survives());
        nap.fall_asleep();
        assert!(nap.is_dead() && !nap.is_asleep(), "the dead do not sleep");
        nap.wake();
        assert!(nap.survives());
    }
}
