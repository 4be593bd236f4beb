//! What holds of a card in any order of arrivals, ends, reloads and times.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Asked, Claim, Lease, Step, Terms, Ticket, any_steps, any_terms, recent};

/// One that waits.
struct Waiting {
    ticket: Ticket,
    claim: Claim,
    /// Text: since when a slot has been free for it without a break, that is, since when it is held up.
    held_up: Option<Instant>,
    /// Speech: when it first held text up.
    first_hold: Option<Instant>,
}

/// A card, and the books of somebody who watches it from outside.
struct Watched {
    card: Lease,
    terms: Terms,
    now: Instant,
    running: BTreeMap<Ticket, Claim>,
    waiting: Vec<Waiting>,
    admitted: Vec<Ticket>,
    granted: BTreeSet<Ticket>,
}

impl Watched {
    fn new(terms: Terms) -> Self {
        Self {
            card: Lease::new(terms),
            terms,
            now: Instant::now(),
            running: BTreeMap::new(),
            waiting: Vec::new(),
            admitted: Vec::new(),
            granted: BTreeSet::new(),
        }
    }

    fn fits(&self, claim: Claim) -> bool {
        match claim {
            Claim::Shared => {
                let slots = usize::try_from(self.terms.max_in_flight).unwrap();
                self.running.len() < slots && self.running.values().all(|&claim| claim == Claim::Shared)
            }
            Claim::Exclusive => self.running.is_empty(),
        }
    }

    /// Never over the limit, never two kinds at once, never two exclusive ones, never twice.
    fn begin(&mut self, ticket: Ticket, claim: Claim) {
        assert!(self.fits(claim), "{ticket:?} {claim:?} begins beside {:?}", self.running);
        assert!(self.granted.insert(ticket), "{ticket:?} begins twice");
        self.running.insert(ticket, claim);
    }

    /// First come, first served; but text passes speech.
    fn grant(&mut self, ticket: Ticket) {
        let place = self.waiting.iter().position(|waiting| waiting.ticket == ticket);
        let one = self.waiting.remove(place.expect("who begins has waited"));
        let before = &self.waiting[..place.unwrap()];
        assert!(before.iter().all(|other| one.claim == Claim::Shared && other.claim == Claim::Exclusive));
        self.begin(ticket, one.claim);
    }

    fn grant_all(&mut self, tickets: Vec<Ticket>) {
        for ticket in tickets {
            self.grant(ticket);
        }
    }

    fn ask(&mut self, claim: Claim) {
        let (asked, others) = self.card.ask(claim, self.now);
        self.grant_all(others);
        let places = usize::try_from(self.terms.max_queue).unwrap();
        match asked {
            Asked::Granted(ticket) => {
                assert!(self.waiting.iter().all(|other| other.claim == Claim::Exclusive));
                self.admitted.push(ticket);
                self.begin(ticket, claim);
            }
            Asked::Queued(ticket) => {
                self.admitted.push(ticket);
                self.waiting.push(Waiting { ticket, claim, held_up: None, first_hold: None });
                assert!(self.waiting.len() <= places, "the queue is too long");
            }
            Asked::Full => {
                assert!(self.waiting.len() >= places, "there was a place");
                assert!(!self.fits(claim) || self.card.next_deadline().is_some(), "it could have begun");
            }
        }
    }

    fn leave(&mut self, ticket: Ticket) {
        let granted = self.card.leave(ticket, self.now);
        self.running.remove(&ticket);
        self.waiting.retain(|waiting| waiting.ticket != ticket);
        self.grant_all(granted);
    }

    fn tick(&mut self) {
        let granted = self.card.tick(self.now);
        self.grant_all(granted);
    }

    /// Lets time pass as a shell does: with a tick at each deadline.
    fn wait(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(deadline) = self.card.next_deadline().filter(|&deadline| deadline <= until) {
            self.now = deadline;
            self.tick();
            self.check();
            assert!(self.card.next_deadline().is_none_or(|next| next > deadline), "a tick settles its time");
        }
        self.now = until;
        self.tick();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait(millis) => self.wait(millis),
            Step::Ask(claim) => self.ask(claim),
            Step::Leave(_) if self.admitted.is_empty() => {}
            Step::Leave(who) => self.leave(self.admitted[recent(who, self.admitted.len())]),
            Step::Reload(terms) => {
                let granted = self.card.reconfigure(terms, self.now);
                self.terms = terms;
                self.grant_all(granted);
            }
        }
        self.check();
    }

    /// What is true between any two events.
    fn check(&mut self) {
        assert_eq!(self.card.in_flight(), self.running.len());
        assert_eq!(self.card.queued(), self.waiting.len());
        if let Some(head) = self.waiting.first() {
            assert!(!self.fits(head.claim), "the head could run");
            let holds = self.card.next_deadline().is_some();
            assert!(!holds || head.claim == Claim::Exclusive, "only speech holds");
        }
        self.check_holds();
    }

    /// Text for which there is a slot is held up for less than one hold; speech holds up for less than one,
    /// all its life.
    fn check_holds(&mut self) {
        let (now, free, lasts) = (self.now, self.fits(Claim::Shared), self.terms.exclusive_wait);
        let mut held_up = false;
        for text in self.waiting.iter_mut().filter(|waiting| waiting.claim == Claim::Shared) {
            text.held_up = free.then(|| text.held_up.unwrap_or(now));
            assert!(text.held_up.is_none_or(|since| now - since < lasts), "{:?} is held up", text.ticket);
            held_up |= free;
        }
        if let Some(head) = self.waiting.first_mut().filter(|_| held_up) {
            let first = *head.first_hold.get_or_insert(now);
            assert!(now - first < lasts, "{:?} holds too long, or again", head.ticket);
        }
    }

    /// Nobody asks any more and what runs ends: everybody gets its turn.
    fn run_out(&mut self) {
        while let Some((&ticket, _)) = self.running.first_key_value() {
            self.leave(ticket);
            self.check();
        }
        assert_eq!((self.card.in_flight(), self.card.queued()), (0, 0));
        assert_eq!(self.card.next_deadline(), None);
    }
}

proptest! {
    #[test]
    fn the_rules_hold_in_any_order_of_events(terms in any_terms(), steps in any_steps()) {
        let mut watched = Watched::new(terms);
        for step in steps {
            watched.step(step);
        }
        watched.run_out();
    }

    /// Whoever was admitted and did not leave by itself has begun, once.
    #[test]
    fn everybody_who_stays_begins(terms in any_terms(), steps in any_steps()) {
        let mut watched = Watched::new(terms);
        for step in steps {
            if let Step::Leave(who) = step {
                // Runs end, but nobody gives up.
                let running: Vec<_> = watched.running.keys().copied().collect();
                if !running.is_empty() {
                    watched.leave(*who.get(&running));
                    watched.check();
                }
            } else {
                watched.step(step);
            }
        }
        watched.run_out();
        prop_assert_eq!(watched.granted, watched.admitted.into_iter().collect());
    }
}
