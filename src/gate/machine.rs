//! When a gate opens and closes. ★
//!
//! A pure machine: it is told what happens and what time it is, and says what follows. The rules:
//!
//! - What was seen last holds: polled or pushed, NORMAL opens and GAMING closes, at once.
//! - A poll that was asked before a push is thrown away, and so is one that a later good one overtook.
//! - A pushed GAMING holds against polls of NORMAL ([`Latch`]), and needs no polls to hold.
//! - Whatever else was seen turns `unknown` when no good answer came for `stale_after`.
//! - A gate that has no mode endpoint is only pushed, and what was pushed never turns stale.
//! - `available: false` holds until an observation without it, whatever the mode does meanwhile.

use std::time::{Duration, Instant};

use super::{Latch, Mode, Observation, PollFault, Source};
use crate::policy::{GateState, GateView};

/// Names one question to the mode endpoint, so that its answer can be told from a late one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the answer is only taken together with it"]
pub struct PollToken {
    /// Counts the questions.
    number: u64,
    /// The pushes before the question was asked.
    pushes: u64,
}

/// What happens to a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The question of this token was answered, well or badly.
    PollAnswered(PollToken, Result<Observation, PollFault>),
    /// Somebody pushed.
    Pushed(Observation),
    /// Time went by: what is stale shows now and not only at the next request.
    Tick,
}

/// A change of what requests see. Never names `Draining`: that depends on what is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// What they saw.
    pub from: GateView,
    /// What they see now.
    pub to: GateView,
    /// Since when. Staleness is dated to its deadline, not to the event that noticed it.
    pub at: Instant,
}

/// One gate.
#[derive(Debug, Clone)]
pub struct Machine {
    stale_after: Option<Duration>,
    seen: Option<Seen>,
    latch: Latch,
    available: bool,
    since: Instant,
    pushes: u64,
    polls_asked: u64,
    newest_answer: u64,
}

/// The observation that holds.
#[derive(Debug, Clone, Copy)]
struct Seen {
    mode: Mode,
    source: Source,
    at: Instant,
}

impl Machine {
    /// A gate of which nothing is known yet. `stale_after` is that of a gate with a mode endpoint, `None`
    /// says that there is none.
    pub const fn new(stale_after: Option<Duration>, now: Instant) -> Self {
        Self {
            stale_after,
            seen: None,
            latch: Latch::Off,
            available: true,
            since: now,
            pushes: 0,
            polls_asked: 0,
            newest_answer: 0,
        }
    }

    /// Notes that the mode endpoint is being asked. Call it before the question goes out.
    pub const fn poll_asked(&mut self) -> PollToken {
        self.polls_asked += 1;
        PollToken { number: self.polls_asked, pushes: self.pushes }
    }

    /// Takes an event; says what changed, in order. One event may bring two changes, when time had
    /// already made the gate `unknown` before it.
    pub fn on(&mut self, event: Event, now: Instant) -> Vec<Transition> {
        let stale = self.turn_stale(now);
        let changed = match event {
            Event::PollAnswered(token, answer) => self.poll_answered(token, answer, now),
            Event::Pushed(observation) => self.pushed(observation, now),
            Event::Tick => None,
        };
        stale.into_iter().chain(changed).collect()
    }

    /// Takes a new `stale_after` from a reloaded policy; says what changed. What is seen stays seen, and
    /// what was stale already stays stale.
    pub fn reconfigure(&mut self, stale_after: Option<Duration>, now: Instant) -> Vec<Transition> {
        let before = self.turn_stale(now);
        self.stale_after = stale_after;
        before.into_iter().chain(self.turn_stale(now)).collect()
    }

    /// Whether nobody has pushed since this question was asked.
    pub const fn is_current(&self, token: PollToken) -> bool {
        token.pushes == self.pushes
    }

    /// What a request decided at `now` sees, `in_flight_unforced` of them being behind the gate.
    pub fn state(&self, now: Instant, in_flight_unforced: usize) -> GateView {
        let state = match state_of(self.mode(now)) {
            GateState::Closed if in_flight_unforced > 0 => GateState::Draining,
            state => state,
        };
        GateView { state, available: self.available }
    }

    /// The mode that holds; `None` while it is unknown.
    pub fn mode(&self, now: Instant) -> Option<Mode> {
        self.fresh(now).map(|seen| seen.mode)
    }

    /// Where that mode came from.
    pub fn source(&self, now: Instant) -> Source {
        self.fresh(now).map_or(Source::None, |seen| seen.source)
    }

    /// Since when the gate has been open, closed or unknown.
    pub fn since(&self, now: Instant) -> Instant {
        self.next_deadline().filter(|&deadline| deadline <= now).unwrap_or(self.since)
    }

    /// When the gate turns unknown unless something is seen before; `None`: never. Give it a
    /// [`Event::Tick`] then.
    pub fn next_deadline(&self) -> Option<Instant> {
        // A pushed GAMING needs nobody to repeat it.
        let seen = self.seen.filter(|_| !self.latch.holds())?;
        seen.at.checked_add(self.stale_after?)
    }

    /// What was seen and is not stale.
    fn fresh(&self, now: Instant) -> Option<Seen> {
        let stale = self.next_deadline().is_some_and(|deadline| deadline <= now);
        self.seen.filter(|_| !stale)
    }

    fn turn_stale(&mut self, now: Instant) -> Option<Transition> {
        let deadline = self.next_deadline().filter(|&deadline| deadline <= now)?;
        self.change(deadline, |machine| machine.seen = None)
    }

    /// Bad answers say nothing: the gate turns unknown by the clock.
    fn poll_answered(
        &mut self,
        token: PollToken,
        answer: Result<Observation, PollFault>,
        now: Instant,
    ) -> Option<Transition> {
        let observation = answer.ok()?;
        let late = !self.is_current(token) || token.number <= self.newest_answer;
        if late || self.stale_after.is_none() {
            return None;
        }
        self.newest_answer = token.number;
        self.change(now, |machine| {
            machine.available = observation.available;
            machine.latch = machine.latch.after_poll(observation.mode);
            if !machine.latch.holds() {
                machine.seen = Some(Seen { mode: observation.mode, source: Source::Poll, at: now });
            }
        })
    }

    fn pushed(&mut self, observation: Observation, now: Instant) -> Option<Transition> {
        self.pushes += 1;
        self.change(now, |machine| {
            machine.available = observation.available;
            machine.latch = Latch::after_push(observation.mode);
            machine.seen = Some(Seen { mode: observation.mode, source: Source::Push, at: now });
        })
    }

    /// Applies a step; says whether requests see something else behind it.
    fn change(&mut self, at: Instant, step: impl FnOnce(&mut Self)) -> Option<Transition> {
        let from = self.settled();
        step(self);
        let to = self.settled();
        if from.state != to.state {
            self.since = at;
        }
        (from != to).then_some(Transition { from, to, at })
    }

    /// What requests see, staleness left out: [`Machine::turn_stale`] has seen to it.
    fn settled(&self) -> GateView {
        GateView { state: state_of(self.seen.map(|seen| seen.mode)), available: self.available }
    }
}

const fn state_of(mode: Option<Mode>) -> GateState {
    match mode {
        None => GateState::Unknown,
        Some(Mode::Normal) => GateState::Open,
        Some(Mode::Gaming) => GateState::Closed,
    }
}

#[cfg(test)]
mod tests;
