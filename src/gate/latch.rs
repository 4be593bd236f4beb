//! What keeps a pushed GAMING against polls of NORMAL.

use super::Mode;

/// How firmly the gate is held shut by a push. The PC pushes GAMING before its mode endpoint knows of
/// the game: its next answers may still say NORMAL, and must not open the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latch {
    /// Nothing holds: polls count as they are.
    Off,
    /// GAMING was pushed, no poll has said it since.
    Pushed,
    /// GAMING was pushed and polled: the next poll of NORMAL ends the hold.
    Confirmed,
}

impl Latch {
    /// After a push.
    pub const fn after_push(mode: Mode) -> Self {
        match mode {
            Mode::Gaming => Self::Pushed,
            Mode::Normal => Self::Off,
        }
    }

    /// After a poll that counts.
    #[must_use]
    pub const fn after_poll(self, mode: Mode) -> Self {
        match (self, mode) {
            (Self::Off, _) | (Self::Confirmed, Mode::Normal) => Self::Off,
            (Self::Pushed | Self::Confirmed, Mode::Gaming) => Self::Confirmed,
            (Self::Pushed, Mode::Normal) => Self::Pushed,
        }
    }

    /// Whether it holds.
    pub const fn holds(self) -> bool {
        !matches!(self, Self::Off)
    }
}

#[cfg(test)]
mod tests {
    use super::Latch::{Confirmed, Off, Pushed};
    use super::*;

    #[test]
    fn every_step() {
        assert_eq!(Latch::after_push(Mode::Gaming), Pushed);
        assert_eq!(Latch::after_push(Mode::Normal), Off);
        for (before, polled, after) in [
            (Off, Mode::Normal, Off),
            (Off, Mode::Gaming, Off),
            (Pushed, Mode::Normal, Pushed),
            (Pushed, Mode::Gaming, Confirmed),
            (Confirmed, Mode::Gaming, Confirmed),
            (Confirmed, Mode::Normal, Off),
        ] {
            assert_eq!(before.after_poll(polled), after, "{before:?} then {polled:?}");
        }
    }
}
