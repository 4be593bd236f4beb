//! One request after the other, and then any order of them.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const DAY: u64 = 86_400;

fn budget(money: Option<u64>, requests: Option<u64>) -> Budget {
    Budget { money: money.map(Money), requests, per: Duration::from_secs(DAY) }
}

#[test]
fn a_reservation_counts_until_it_is_settled() {
    let (budget, mut account) = (budget(Some(100), None), Account::default());
    let entry = account.reserve(&budget, Money(60), DAY).unwrap();
    assert_eq!(account.reserve(&budget, Money(41), DAY), None, "60 and 41 are over 100");
    account.settle(entry, Money(10));
    assert_eq!(account.used(&budget, DAY), (Money(10), Money(0), 1));
    assert!(account.fits(&budget, Money(90), DAY) && !account.fits(&budget, Money(91), DAY));
}

#[test]
fn what_was_not_sent_costs_nothing() {
    let (budget, mut account) = (budget(Some(100), Some(1)), Account::default());
    let entry = account.reserve(&budget, Money(100), DAY).unwrap();
    assert_eq!(account.reserve(&budget, Money(0), DAY), None, "one request a day");
    account.release(entry);
    assert!(account.reserve(&budget, Money(100), DAY).is_some());
}

#[test]
fn a_new_period_begins_with_nothing_and_an_old_answer_is_not_its_business() {
    let (budget, mut account) = (budget(Some(100), Some(2)), Account::default());
    let entry = account.reserve(&budget, Money(100), 2 * DAY - 1).unwrap();
    assert!(!account.fits(&budget, Money(1), 2 * DAY - 1));
    let next = account.reserve(&budget, Money(50), 2 * DAY).unwrap();
    account.settle(entry, Money(500));
    assert_eq!(account.used(&budget, 2 * DAY), (Money(0), Money(50), 1));
    assert!(account.fits(&budget, Money(50), DAY), "a clock that goes back does not open the old day");
    account.settle(next, Money(70));
    assert_eq!(account.used(&budget, 3 * DAY - 1), (Money(70), Money(0), 1));
}

#[test]
fn a_restart_takes_what_was_set_aside_for_spent() {
    let (budget, mut account) = (budget(Some(100), None), Account::default());
    account.reserve(&budget, Money(30), DAY).unwrap();
    let saved = serde_json::to_string(&account).unwrap();
    let account = serde_json::from_str::<Account>(&saved).unwrap().after_restart();
    assert_eq!(account.used(&budget, DAY), (Money(30), Money(0), 1));
}

/// What may happen to an account.
#[derive(Debug, Clone, Copy)]
enum Event {
    Reserve(u64),
    /// The oldest request ends, having cost so much more or less than was set aside.
    Settle(u64),
    Release,
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..40_u64).prop_map(Event::Reserve),
        3 => (0..60_u64).prop_map(Event::Settle),
        1 => Just(Event::Release),
        1 => (1..DAY / 2).prop_map(Event::Pass),
    ]
}

proptest! {
    /// At the moment of a reservation all that is spent and set aside is within the budget; only answers
    /// that cost more than was set aside for them lead over it, and then nothing more begins.
    #[test]
    fn only_the_answers_that_run_overshoot(events in vec(event(), 1..200)) {
        let (budget, mut account) = (budget(Some(100), Some(7)), Account::default());
        let (mut now, mut running) = (DAY, std::collections::VecDeque::new());
        for event in events {
            match event {
                Event::Reserve(cost) => {
                    let before = account.used(&budget, now);
                    match account.reserve(&budget, Money(cost), now) {
                        Some(entry) => {
                            running.push_back(entry);
                            let (spent, reserved, requests) = account.used(&budget, now);
                            prop_assert!(spent.plus(reserved) <= Money(100) && requests <= 7);
                            prop_assert_eq!((spent, reserved), (before.0, before.1.plus(Money(cost))));
                        }
                        None => {
                            let full = before.0.plus(before.1).plus(Money(cost)) > Money(100) || before.2 >= 7;
                            prop_assert!(full, "refused without need: {before:?} and {cost}");
                        }
                    }
                }
                Event::Settle(actual) => if let Some(entry) = running.pop_front() { account.settle(entry, Money(actual)); },
                Event::Release => if let Some(entry) = running.pop_front() { account.release(entry); },
                Event::Pass(seconds) => now += seconds,
            }
        }
        running.drain(..).for_each(|entry| account.release(entry));
        prop_assert_eq!(account.used(&budget, now).1, Money(0), "nothing stays set aside");
    }
}
