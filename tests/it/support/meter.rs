//! Counts what runs at one time at the peers of one card, text and speech apart.

use std::sync::{Arc, Mutex};

/// What a peer's requests are to its card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Runs beside its like.
    Text,
    /// Runs alone.
    Speech,
}

/// Shared by the peers of one card.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Reading>>);

/// What was seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Text that runs now.
    pub text: usize,
    /// Speech that runs now.
    pub speech: usize,
    /// The most text at one time.
    pub most_text: usize,
    /// The most speech at one time.
    pub most_speech: usize,
    /// Whether speech and text ever ran at one time.
    pub together: bool,
}

impl Meter {
    /// What was seen so far.
    ///
    /// # Panics
    /// When another thread has panicked.
    pub fn read(&self) -> Reading {
        *self.0.lock().expect("no thread panics with the lock")
    }

    pub(super) fn enter(&self, work: Work) {
        let mut reading = self.0.lock().expect("no thread panics with the lock");
        match work {
            Work::Text => reading.text += 1,
            Work::Speech => reading.speech += 1,
        }
        reading.most_text = reading.most_text.max(reading.text);
        reading.most_speech = reading.most_speech.max(reading.speech);
        reading.together |= reading.text > 0 && reading.speech > 0;
    }

    pub(super) fn leave(&self, work: Work) {
        let mut reading = self.0.lock().expect("no thread panics with the lock");
        match work {
            Work::Text => reading.text -= 1,
            Work::Speech => reading.speech -= 1,
        }
    }
}
