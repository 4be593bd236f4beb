//! When a peer turns healthy or unhealthy: so many probes in a row say so. Pure.

use crate::policy::Health;

/// The probes of one peer so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streak {
    /// What is believed; `None` before the first probe.
    healthy: Option<bool>,
    /// Probes in a row that say otherwise.
    against: u32,
}

impl Streak {
    /// Nothing is known yet.
    pub const fn new() -> Self {
        Self { healthy: None, against: 0 }
    }

    /// Whether the peer may be used: until the first probe, yes.
    pub fn is_healthy(self) -> bool {
        self.healthy.unwrap_or(true)
    }

    /// Takes one probe (or a failed connect) into account; `Some` when the belief changes.
    /// The first probe of all decides at once: nobody waits for a row of them at the start.
    pub fn observe(&mut self, good: bool, health: &Health) -> Option<bool> {
        let needed = if good { health.healthy_after } else { health.unhealthy_after };
        if self.healthy == Some(good) {
            self.against = 0;
            return None;
        }
        self.against += 1;
        if self.healthy.is_some() && self.against < needed {
            return None;
        }
        (self.healthy, self.against) = (Some(good), 0);
        Some(good)
    }
}

impl Default for Streak {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn health(unhealthy_after: u32, healthy_after: u32) -> Health {
        let time = Duration::from_secs(1);
        Health { path: "/health".into(), interval: time, timeout: time, unhealthy_after, healthy_after }
    }

    #[test]
    fn the_first_probe_decides_and_then_a_row_does() {
        let (health, mut streak) = (health(2, 3), Streak::new());
        assert!(streak.is_healthy(), "usable before the first probe");
        assert_eq!(streak.observe(false, &health), Some(false));
        assert_eq!(streak.observe(true, &health), None);
        assert_eq!(streak.observe(true, &health), None);
        assert_eq!(streak.observe(true, &health), Some(true), "three good ones in a row");
        assert_eq!(streak.observe(false, &health), None);
        assert_eq!(streak.observe(true, &health), None, "a good one breaks the row");
        assert_eq!(streak.observe(false, &health), None);
        assert_eq!(streak.observe(false, &health), Some(false));
    }
}
