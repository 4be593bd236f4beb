//! The machine against a slow model, which goes through every millisecond and reads the holds off what
//! was written down at each.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Asked, Claim, Lease, Step, Terms, Ticket, any_steps, any_terms, recent};

/// One who asked and was not sent away; its place in the list is its number.
struct Request {
    claim: Claim,
    /// How many moments had been written down when it asked.
    asked: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    Runs,
    Left,
}

/// What was true at a time; several have the same when much happens in one millisecond.
struct Moment {
    millis: u64,
    exclusive_wait: u64,
    held: bool,
}

struct Model {
    terms: Terms,
    requests: Vec<Request>,
    moments: Vec<Moment>,
    millis: u64,
    /// Who began, and when.
    began: Vec<(u64, usize)>,
}

impl Model {
    fn all(&self, state: State) -> impl Iterator<Item = usize> {
        (0..self.requests.len()).filter(move |&number| self.requests[number].state == state)
    }

    fn running(&self, claim: Claim) -> usize {
        self.all(State::Runs).filter(|&number| self.requests[number].claim == claim).count()
    }

    fn fits(&self, claim: Claim) -> bool {
        let (texts, speeches) = (self.running(Claim::Shared), self.running(Claim::Exclusive));
        let slots = usize::try_from(self.terms.max_in_flight).unwrap();
        speeches == 0 && if claim == Claim::Shared { texts < slots } else { texts == 0 }
    }

    /// Its hold: the moments from the first held one after it asked, as long as that one's wait says.
    fn spent(&self, number: usize) -> bool {
        let mut moments = self.moments.iter().skip(self.requests[number].asked);
        let Some(first) = moments.find(|moment| moment.held) else { return false };
        first.exclusive_wait == 0
            || moments.any(|moment| moment.millis - first.millis >= moment.exclusive_wait)
    }

    fn head_holds(&self) -> bool {
        let Some(head) = self.all(State::Waits).next() else { return false };
        let speech = self.requests[head].claim == Claim::Exclusive;
        speech && self.running(Claim::Shared) > 0 && !self.spent(head)
    }

    fn write_down(&mut self) {
        let exclusive_wait = u64::try_from(self.terms.exclusive_wait.as_millis()).unwrap();
        self.moments.push(Moment { millis: self.millis, exclusive_wait, held: false });
        let held = self.head_holds();
        self.moments.last_mut().unwrap().held = held;
    }

    /// The first who fits and has nobody before it whom it may not pass.
    fn next(&self) -> Option<usize> {
        // A hold of no length is had, and holds nobody.
        let held = self.moments.last().is_some_and(|moment| moment.held && moment.exclusive_wait > 0);
        let waiting: Vec<_> = self.all(State::Waits).collect();
        let may_begin = |&place: &usize| {
            let claim = self.requests[waiting[place]].claim;
            let passes = |&before: &usize| {
                claim == Claim::Shared && self.requests[before].claim == Claim::Exclusive && !held
            };
            self.fits(claim) && waiting[..place].iter().all(passes)
        };
        (0..waiting.len()).find(may_begin).map(|place| waiting[place])
    }

    fn settle(&mut self) {
        self.write_down();
        while let Some(number) = self.next() {
            self.requests[number].state = State::Runs;
            self.began.push((self.millis, number));
            self.write_down();
        }
    }

    fn ask(&mut self, claim: Claim) {
        let full = self.all(State::Waits).count() >= usize::try_from(self.terms.max_queue).unwrap();
        self.requests.push(Request { claim, asked: self.moments.len(), state: State::Waits });
        self.settle();
        if full && self.requests.last().unwrap().state == State::Waits {
            self.requests.pop();
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait(millis) => {
                for _ in 0..millis {
                    self.millis += 1;
                    self.settle();
                }
            }
            Step::Ask(claim) => self.ask(claim),
            Step::Leave(who) if !self.requests.is_empty() => {
                let number = recent(who, self.requests.len());
                self.requests[number].state = State::Left;
            }
            Step::Leave(_) => {}
            Step::Reload(terms) => self.terms = terms,
        }
        self.settle();
    }
}

/// The machine under the same steps, woken at its deadlines or only by the steps.
struct Driven {
    card: Lease,
    start: Instant,
    now: Instant,
    punctual: bool,
    admitted: u64,
    began: Vec<(u64, usize)>,
}

impl Driven {
    fn new(terms: Terms, punctual: bool) -> Self {
        let start = Instant::now();
        Self { card: Lease::new(terms), start, now: start, punctual, admitted: 0, began: Vec::new() }
    }

    fn note(&mut self, granted: &[Ticket]) {
        let millis = u64::try_from((self.now - self.start).as_millis()).unwrap();
        // The model counts from 0, tickets from 1.
        let number = |ticket: &Ticket| usize::try_from(ticket.0).unwrap() - 1;
        self.began.extend(granted.iter().map(|ticket| (millis, number(ticket))));
    }

    fn wait(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(deadline) = self.card.next_deadline().filter(|&at| self.punctual && at <= until) {
            self.now = deadline;
            let granted = self.card.tick(deadline);
            self.note(&granted);
            assert!(self.card.next_deadline().is_none_or(|next| next > deadline), "a tick settles its time");
        }
        self.now = until;
    }

    fn step(&mut self, step: Step) {
        let granted = match step {
            Step::Wait(millis) => return self.wait(millis),
            Step::Ask(claim) => {
                let (asked, mut granted) = self.card.ask(claim, self.now);
                self.admitted += u64::from(asked != Asked::Full);
                if let Asked::Granted(ticket) = asked {
                    granted.push(ticket);
                }
                granted
            }
            Step::Leave(_) if self.admitted == 0 => return,
            Step::Leave(who) => {
                let ticket = recent(who, usize::try_from(self.admitted).unwrap()) + 1;
                self.card.leave(Ticket(u64::try_from(ticket).unwrap()), self.now)
            }
            Step::Reload(terms) => self.card.reconfigure(terms, self.now),
        };
        self.note(&granted);
    }
}

proptest! {
    #[test]
    fn the_same_begin_at_the_same_time(terms in any_terms(), steps in any_steps()) {
        let mut model =
            Model { terms, requests: Vec::new(), moments: Vec::new(), millis: 0, began: Vec::new() };
        let mut machine = Driven::new(terms, true);
        for step in steps {
            model.step(step);
            machine.step(step);
            prop_assert_eq!(&machine.began, &model.began);
            let counts = (model.all(State::Runs).count(), model.all(State::Waits).count());
            prop_assert_eq!((machine.card.in_flight(), machine.card.queued()), counts);
        }
    }

    /// A tick that comes late puts off who should have begun, and changes nothing else.
    #[test]
    fn who_begins_does_not_hang_on_the_tick(terms in any_terms(), steps in any_steps()) {
        let (mut punctual, mut lazy) = (Driven::new(terms, true), Driven::new(terms, false));
        for step in steps {
            punctual.step(step);
            lazy.step(step);
            if !matches!(step, Step::Wait(_)) {
                let who = |driven: &Driven| driven.began.iter().map(|began| began.1).collect::<Vec<_>>();
                prop_assert_eq!(who(&lazy), who(&punctual));
                let deadline = |driven: &Driven| driven.card.next_deadline().map(|at| at - driven.start);
                prop_assert_eq!(deadline(&lazy), deadline(&punctual));
            }
        }
    }
}
