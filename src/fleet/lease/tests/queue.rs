//! Stories of text alone: a limit, a line, and a policy that changes under both.

use super::{Asked, Claim, Story, terms};

use Claim::Shared as Text;

#[test]
fn text_runs_up_to_the_limit_and_the_rest_waits_in_its_order() {
    let mut story = Story::of(2, 8);
    let (first, second) = (story.begins(Text), story.begins(Text));
    let (third, fourth) = (story.waits(Text), story.waits(Text));
    assert_eq!(story.counts(), (2, 2));
    assert_eq!(story.leaves(second), [third]);
    assert_eq!(story.leaves(first), [fourth]);
    assert_eq!(story.counts(), (2, 0));
}

#[test]
fn a_full_queue_sends_away_and_keeps_who_waits() {
    let mut story = Story::of(1, 1);
    let running = story.begins(Text);
    let waiting = story.waits(Text);
    assert_eq!(story.ask(Text), Asked::Full);
    assert_eq!(story.counts(), (1, 1));
    assert_eq!(story.leaves(running), [waiting]);
}

#[test]
fn who_begins_at_once_needs_no_place_in_the_queue() {
    let mut story = Story::of(1, 0);
    let running = story.begins(Text);
    assert_eq!(story.ask(Text), Asked::Full);
    assert_eq!(story.leaves(running), []);
    story.begins(Claim::Exclusive);
}

#[test]
fn who_gives_up_waiting_leaves_its_place() {
    let mut story = Story::of(1, 2);
    let running = story.begins(Text);
    let (impatient, patient) = (story.waits(Text), story.waits(Text));
    assert_eq!(story.leaves(impatient), []);
    let late = story.waits(Text);
    assert_eq!(story.leaves(running), [patient]);
    assert_eq!(story.leaves(patient), [late]);
}

#[test]
fn leaving_twice_frees_one_slot() {
    let mut story = Story::of(1, 2);
    let running = story.begins(Text);
    let (next, last) = (story.waits(Text), story.waits(Text));
    assert_eq!(story.leaves(running), [next]);
    assert_eq!(story.leaves(running), []);
    assert_eq!(story.counts(), (1, 1));
    assert_eq!(story.leaves(next), [last]);
}

#[test]
fn a_lower_limit_stops_nobody_and_lets_nobody_new_begin() {
    let mut story = Story::of(3, 8);
    let running = [Text; 3].map(|text| story.begins(text));
    let waiting = story.waits(Text);
    assert_eq!(story.reload(terms(1, 8)), []);
    assert_eq!((story.counts(), story.card.limit()), ((3, 1), 1));
    assert_eq!(story.leaves(running[0]), []);
    assert_eq!(story.leaves(running[1]), []);
    assert_eq!(story.leaves(running[2]), [waiting]);
}

#[test]
fn a_higher_limit_lets_as_many_begin_in_their_order() {
    let mut story = Story::of(1, 8);
    story.begins(Text);
    let waiting = [Text; 3].map(|text| story.waits(text));
    assert_eq!(story.reload(terms(3, 8)), waiting[..2]);
    assert_eq!(story.counts(), (3, 1));
}

#[test]
fn a_smaller_queue_drops_no_waiter_and_takes_no_new_one() {
    let mut story = Story::of(1, 3);
    let running = story.begins(Text);
    let waiting = [Text; 3].map(|text| story.waits(text));
    assert_eq!(story.reload(terms(1, 1)), []);
    assert_eq!(story.leaves(running), waiting[..1]);
    assert_eq!((story.counts(), story.ask(Text)), ((1, 2), Asked::Full));
    assert_eq!(story.leaves(waiting[0]), waiting[1..2]);
    assert_eq!(story.leaves(waiting[1]), waiting[2..]);
    story.waits(Text);
}

#[test]
fn text_alone_has_no_deadline() {
    let mut story = Story::of(1, 8);
    story.begins(Text);
    story.waits(Text);
    assert_eq!(story.deadline(), None);
    assert_eq!(story.at(1_000).tick(), []);
}
