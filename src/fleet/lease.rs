//! Who may work on a card, who waits, and for how long speech may hold up text. ★
//!
//! A pure machine for one card, whatever backends, models and aliases use it: it is told what happens and
//! what time it is, and says who begins. The rules:
//!
//! 1. Text ([`Claim::Shared`]) runs beside text, up to the card's limit. Speech ([`Claim::Exclusive`]) runs
//!    alone: beside nothing, and nothing beside it.
//! 2. Who cannot begin waits in one queue, speech and text in the order they came. Its head begins as soon as
//!    rule 1 lets it; a newcomer begins at once only where nobody waits before it, or where rule 4 lets it.
//! 3. Speech at the head *holds*: while text runs it waits for that text, and nothing new begins, so that the
//!    card runs empty instead of never. A hold lasts at most `exclusive_wait`, and each waiter has one.
//!    A hold is spent by all speech that waits while it lasts, from when it joins or the hold begins: what
//!    waits behind it has had the same quiet, and a row of impatient clients must not hold one after another.
//! 4. When the hold is over, text passes the speech at the head, and the speech behind it; in its own order,
//!    and within the limit. The speech keeps its place: the card is its own the moment it is empty.
//! 5. The queue is bounded when one joins it. A policy with a smaller queue or a lower limit drops nobody; it
//!    only lets nobody new in until enough have left.
//!
//! Neither can starve the other without an end. Text that finds a slot free is held up for less than
//! `exclusive_wait`, however much speech waits before it and whoever of it gives up (rule 3). Speech goes
//! before all text that comes after it, for one hold; under text that never leaves the card empty even then,
//! it waits until its caller's `queue_timeout`: a voice minutes late is of no use, a chat is.
//! How long one may wait at all is its caller's business, which lets a ticket [`leave`](Lease::leave).

mod hold;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use self::hold::Hold;
use crate::policy::{BackendId, Gpu};

/// What the operator says about a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How many may run at one time, at least 1.
    pub max_in_flight: u32,
    /// How many may wait; 0: whoever cannot begin at once is sent away.
    pub max_queue: u32,
    /// How long speech that waits may hold up text.
    pub exclusive_wait: Duration,
}

/// How much of a card a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// One slot of it.
    Shared,
    /// All of it.
    Exclusive,
}

/// A request at a card, from its question until it leaves; never given out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a ticket that never leaves keeps its slot or its place for ever"]
pub enum Asked {
    /// It begins now.
    Granted(Ticket),
    /// It waits; a later event says when it begins.
    Queued(Ticket),
    /// As many wait as may.
    Full,
}

/// One card's slots and queue.
///
/// Whoever shares it among threads reads the clock under the same lock, so that events come in their order.
#[derive(Debug, Clone)]
pub struct Lease {
    terms: Terms,
    running: BTreeMap<Ticket, Claim>,
    /// In the order they came.
    queue: VecDeque<Waiter>,
    asked: u64,
}

#[derive(Debug, Clone, Copy)]
struct Waiter {
    ticket: Ticket,
    claim: Claim,
    hold: Hold,
}

impl From<&Gpu> for Terms {
    fn from(gpu: &Gpu) -> Self {
        let Gpu { max_in_flight, max_queue, exclusive_wait, .. } = *gpu;
        Self { max_in_flight, max_queue, exclusive_wait }
    }
}

impl Claim {
    /// What a request for this backend needs of its card.
    pub fn of(backend: BackendId, gpu: &Gpu) -> Self {
        if gpu.exclusive.contains(&backend) { Self::Exclusive } else { Self::Shared }
    }
}

impl Lease {
    /// A card on which nothing runs.
    pub const fn new(terms: Terms) -> Self {
        Self { terms, running: BTreeMap::new(), queue: VecDeque::new(), asked: 0 }
    }

    /// Somebody wants to begin. Says what became of it, and who of the others begins because of the time
    /// that has passed.
    pub fn ask(&mut self, claim: Claim, now: Instant) -> (Asked, Vec<Ticket>) {
        let others = self.settle(now);
        (self.answer(claim, now), others)
    }

    /// Somebody is gone: its run has ended, its wait was over, or its client went away. Says who begins.
    /// Nothing happens when it had left before.
    #[must_use = "who begins does not know it yet"]
    pub fn leave(&mut self, ticket: Ticket, now: Instant) -> Vec<Ticket> {
        // First what should have happened before this, had somebody looked in time.
        let mut granted = self.settle(now);
        self.running.remove(&ticket);
        self.queue.retain(|waiter| waiter.ticket != ticket);
        granted.extend(self.settle(now));
        granted
    }

    /// New terms from a reloaded policy. Says who begins; nobody is dropped. A hold that lasts ends when the
    /// new terms would have ended it; one that is over stays over.
    #[must_use = "who begins does not know it yet"]
    pub fn reconfigure(&mut self, terms: Terms, now: Instant) -> Vec<Ticket> {
        let mut granted = self.settle(now);
        self.terms = terms;
        granted.extend(self.settle(now));
        granted
    }

    /// Time went by. Says who begins.
    #[must_use = "who begins does not know it yet"]
    pub fn tick(&mut self, now: Instant) -> Vec<Ticket> {
        self.settle(now)
    }

    /// When to [`tick`](Self::tick), unless something happens before; `None`: time alone changes nothing.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.held_since()?.checked_add(self.terms.exclusive_wait)
    }

    /// How many run.
    pub fn in_flight(&self) -> usize {
        self.running.len()
    }

    /// How many wait.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How many may run at one time; more do for a while after a reload has lowered it.
    pub const fn limit(&self) -> u32 {
        self.terms.max_in_flight
    }

    /// Answers a question at a settled card.
    fn answer(&mut self, claim: Claim, now: Instant) -> Asked {
        // Whoever waits at a settled card cannot begin, so what fits, and is not held up, overtakes nobody
        // but speech whose hold is over.
        let begins = self.fits(claim) && self.held_since().is_none();
        if !begins && self.queue.len() >= whole(self.terms.max_queue) {
            return Asked::Full;
        }
        self.asked += 1;
        let ticket = Ticket(self.asked);
        if begins {
            self.running.insert(ticket, claim);
            return Asked::Granted(ticket);
        }
        self.queue.push_back(Waiter { ticket, claim, hold: Hold::Unspent });
        self.begin_holds(now);
        Asked::Queued(ticket)
    }

    /// Lets everybody begin who can; says who.
    fn settle(&mut self, now: Instant) -> Vec<Ticket> {
        let mut granted = Vec::new();
        self.end_holds(now);
        self.begin_holds(now);
        while let Some(waiter) = self.next().and_then(|place| self.queue.remove(place)) {
            self.running.insert(waiter.ticket, waiter.claim);
            granted.push(waiter.ticket);
            self.begin_holds(now);
        }
        granted
    }

    /// The place in the queue of the one that begins next.
    fn next(&self) -> Option<usize> {
        let head = self.queue.front()?;
        if self.fits(head.claim) {
            return Some(0);
        }
        // Where text fits and the head does not, the head is speech.
        let passes = self.fits(Claim::Shared) && self.held_since().is_none();
        passes.then(|| self.queue.iter().position(|waiter| waiter.claim == Claim::Shared)).flatten()
    }

    fn fits(&self, claim: Claim) -> bool {
        match claim {
            Claim::Shared => self.running.len() < whole(self.terms.max_in_flight) && !self.speaks(),
            Claim::Exclusive => self.running.is_empty(),
        }
    }

    /// Whether speech runs; then it is all that runs.
    fn speaks(&self) -> bool {
        self.running.values().next() == Some(&Claim::Exclusive)
    }
}

fn whole(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
