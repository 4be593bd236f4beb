//! Stories of a card: who asks, who leaves, and who begins because of it.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Asked, Claim, Lease, Terms, Ticket};
use crate::policy::BackendId;
use crate::policy::sample;

mod against_a_model;
mod properties;
mod queue;
mod speech;

/// A card and its clock.
struct Story {
    card: Lease,
    start: Instant,
    now: Instant,
}

impl Story {
    /// A card for so many that takes so many waiters; speech may hold it for ten seconds.
    fn of(max_in_flight: u32, max_queue: u32) -> Self {
        let start = Instant::now();
        Self { card: Lease::new(terms(max_in_flight, max_queue)), start, now: start }
    }

    /// Moves the clock to so many seconds after the start.
    fn at(&mut self, seconds: u64) -> &mut Self {
        self.now = self.start + Duration::from_secs(seconds);
        self
    }

    /// Asks for itself alone: nobody else begins.
    fn ask(&mut self, claim: Claim) -> Asked {
        let (asked, others) = self.card.ask(claim, self.now);
        assert_eq!(others, []);
        asked
    }

    /// Text or speech that begins at once.
    fn begins(&mut self, claim: Claim) -> Ticket {
        let asked = self.ask(claim);
        let Asked::Granted(ticket) = asked else { panic!("{claim:?} is {asked:?}") };
        ticket
    }

    /// Text or speech that has to wait.
    fn waits(&mut self, claim: Claim) -> Ticket {
        let asked = self.ask(claim);
        let Asked::Queued(ticket) = asked else { panic!("{claim:?} is {asked:?}") };
        ticket
    }

    fn leaves(&mut self, ticket: Ticket) -> Vec<Ticket> {
        self.card.leave(ticket, self.now)
    }

    fn tick(&mut self) -> Vec<Ticket> {
        self.card.tick(self.now)
    }

    fn reload(&mut self, terms: Terms) -> Vec<Ticket> {
        self.card.reconfigure(terms, self.now)
    }

    /// The next deadline in seconds after the start.
    fn deadline(&self) -> Option<u64> {
        self.card.next_deadline().map(|deadline| (deadline - self.start).as_secs())
    }

    /// How many run and how many wait.
    fn counts(&self) -> (usize, usize) {
        (self.card.in_flight(), self.card.queued())
    }
}

const fn terms(max_in_flight: u32, max_queue: u32) -> Terms {
    Terms { max_in_flight, max_queue, exclusive_wait: Duration::from_secs(10) }
}

/// What a random story is made of.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Milliseconds.
    Wait(u64),
    Ask(Claim),
    /// One of those who have ever asked: it runs, waits, or has left already.
    Leave(prop::sample::Index),
    Reload(Terms),
}

fn any_terms() -> impl Strategy<Value = Terms> {
    let millis = prop_oneof![1 => Just(0_u64), 9 => 1..25_u64];
    (1..4_u32, 0..7_u32, millis).prop_map(|(max_in_flight, max_queue, millis)| Terms {
        max_in_flight,
        max_queue,
        exclusive_wait: Duration::from_millis(millis),
    })
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..12_u64).prop_map(Step::Wait),
        5 => Just(Step::Ask(Claim::Shared)),
        3 => Just(Step::Ask(Claim::Exclusive)),
        5 => any::<prop::sample::Index>().prop_map(Step::Leave),
        1 => any_terms().prop_map(Step::Reload),
    ];
    prop::collection::vec(step, 0..90)
}

/// Which of so many who asked is the one that leaves: a late one, most of whom are still there.
fn recent(who: prop::sample::Index, asked: usize) -> usize {
    asked - 1 - who.index(asked.min(12))
}

#[test]
fn a_card_is_as_the_policy_says() {
    let policy = sample::policy();
    let gpu = &policy.gpus[0];
    let terms = Terms::from(gpu);
    assert_eq!((terms.max_in_flight, terms.max_queue), (gpu.max_in_flight, gpu.max_queue));
    assert_eq!(terms.exclusive_wait, gpu.exclusive_wait);
    assert_eq!(Lease::new(terms).limit(), gpu.max_in_flight);
}

#[test]
fn a_backend_is_alone_on_its_card_where_the_policy_says_so() {
    let policy = sample::policy();
    let claims = |name: &str| {
        let backend = policy.backends.iter().position(|backend| backend.name == name);
        Claim::of(BackendId(backend.expect("the sample has it")), &policy.gpus[0])
    };
    assert_eq!([claims("small"), claims("tts")], [Claim::Shared, Claim::Exclusive]);
}
