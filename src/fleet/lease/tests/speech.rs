//! Stories of speech beside text; seconds since the start, a hold lasts ten.

use super::{Asked, Claim, Story, Terms, terms};

use Claim::{Exclusive as Speech, Shared as Text};

#[test]
fn speech_runs_alone_and_what_came_meanwhile_begins_together() {
    let mut story = Story::of(8, 8);
    let speech = story.begins(Speech);
    let texts = [Text; 3].map(|text| story.waits(text));
    assert_eq!((story.counts(), story.deadline()), ((1, 3), None));
    assert_eq!(story.leaves(speech), texts);
}

#[test]
fn speech_waits_for_what_runs_and_nothing_new_begins_meanwhile() {
    let mut story = Story::of(8, 8);
    let (one, two) = (story.begins(Text), story.begins(Text));
    let speech = story.waits(Speech);
    let late = story.at(1).waits(Text);
    assert_eq!(story.at(2).leaves(one), []);
    assert_eq!(story.at(3).leaves(two), [speech]);
    assert_eq!(story.at(5).leaves(speech), [late]);
}

#[test]
fn a_chat_that_comes_while_speech_waits_behind_a_long_generation_begins_within_the_hold() {
    let mut story = Story::of(8, 8);
    let generation = story.begins(Text);
    let speech = story.at(1).waits(Speech);
    let chat = story.at(4).waits(Text);
    assert_eq!(story.deadline(), Some(11));
    assert_eq!(story.at(10).tick(), []);
    assert_eq!(story.at(11).tick(), [chat]);
    // From now on text passes; speech has had its hold and has no deadline.
    assert_eq!(story.deadline(), None);
    let another = story.at(100).begins(Text);
    story.leaves(chat);
    story.leaves(another);
    assert_eq!(story.at(240).leaves(generation), [speech]);
}

#[test]
fn speech_keeps_its_place_at_the_front_while_text_passes() {
    let mut story = Story::of(2, 8);
    let long = story.begins(Text);
    let speech = story.waits(Speech);
    let passing = story.at(10).begins(Text);
    let late = story.waits(Text);
    assert_eq!(story.at(11).leaves(passing), [late]);
    assert_eq!(story.leaves(long), []);
    assert_eq!(story.leaves(late), [speech]);
}

#[test]
fn an_empty_card_is_the_speechs_though_text_waits_and_the_hold_is_over() {
    let mut story = Story::of(1, 8);
    let running = story.begins(Text);
    let speech = story.waits(Speech);
    let text = story.at(20).waits(Text);
    assert_eq!(story.leaves(running), [speech]);
    assert_eq!(story.leaves(speech), [text]);
}

#[test]
fn text_that_passes_keeps_its_order_and_the_limit() {
    let mut story = Story::of(2, 8);
    let long = story.begins(Text);
    story.waits(Speech);
    let texts = [Text; 3].map(|text| story.waits(text));
    assert_eq!(story.at(10).tick(), texts[..1]);
    assert_eq!(story.counts(), (2, 3));
    assert_eq!(story.leaves(long), texts[1..2]);
}

#[test]
fn speech_behind_waiting_text_holds_from_when_it_is_at_the_front() {
    let mut story = Story::of(1, 8);
    let running = story.begins(Text);
    let before = story.waits(Text);
    let speech = story.waits(Speech);
    let behind = story.waits(Text);
    assert_eq!(story.deadline(), None);
    assert_eq!(story.at(30).leaves(running), [before]);
    assert_eq!(story.deadline(), Some(40));
    assert_eq!(story.at(39).leaves(before), [speech]);
    assert_eq!(story.leaves(speech), [behind]);
}

#[test]
fn one_speech_after_another_and_text_that_came_between_between_them() {
    let mut story = Story::of(8, 8);
    let first = story.begins(Speech);
    let (second, text, third) = (story.waits(Speech), story.waits(Text), story.waits(Speech));
    assert_eq!(story.leaves(first), [second]);
    assert_eq!(story.leaves(second), [text]);
    assert_eq!(story.leaves(text), [third]);
}

#[test]
fn speech_that_waits_for_speech_spends_no_hold() {
    let mut story = Story::of(8, 8);
    let first = story.begins(Speech);
    let text = story.waits(Text);
    let second = story.waits(Speech);
    assert_eq!(story.at(50).leaves(first), [text]);
    assert_eq!(story.deadline(), Some(60));
    assert_eq!(story.leaves(text), [second]);
}

#[test]
fn text_begins_when_the_speech_that_held_it_gives_up() {
    let mut story = Story::of(8, 8);
    story.begins(Text);
    let speech = story.waits(Speech);
    let text = story.waits(Text);
    assert_eq!(story.at(2).leaves(speech), [text]);
    assert_eq!(story.deadline(), None);
}

#[test]
fn impatient_speech_does_not_hold_one_after_another() {
    let mut story = Story::of(8, 8);
    story.begins(Text);
    let speeches = [0, 1, 2].map(|second| story.at(second).waits(Speech));
    let text = story.at(3).waits(Text);
    assert_eq!(story.at(9).leaves(speeches[0]), []);
    assert_eq!(story.deadline(), Some(11));
    assert_eq!(story.at(10).leaves(speeches[1]), []);
    // Ten seconds after the last of them came, not after each came to the front.
    assert_eq!(story.deadline(), Some(12));
    assert_eq!(story.at(12).tick(), [text]);
}

#[test]
fn speech_that_came_after_the_hold_has_its_own_once_it_is_at_the_front() {
    let mut story = Story::of(8, 8);
    let long = story.begins(Text);
    let first = story.waits(Speech);
    story.at(20).tick();
    let second = story.waits(Speech);
    let passing = story.begins(Text);
    assert_eq!(story.at(60).leaves(first), []);
    assert_eq!(story.deadline(), Some(70));
    story.waits(Text);
    assert_eq!(story.at(65).leaves(long), []);
    assert_eq!(story.leaves(passing), [second]);
}

#[test]
fn a_hold_that_nobody_ended_in_time_ends_with_whatever_comes_next() {
    let mut story = Story::of(8, 8);
    let long = story.begins(Text);
    let speech = story.waits(Speech);
    let text = story.waits(Text);
    let now = story.at(30).now;
    let (asked, others) = story.card.ask(Text, now);
    assert_eq!(others, [text]);
    let Asked::Granted(newcomer) = asked else { panic!("{asked:?}") };
    story.leaves(text);
    story.leaves(newcomer);
    assert_eq!(story.leaves(long), [speech]);
}

#[test]
fn speech_takes_a_place_in_the_queue_like_everybody() {
    let mut story = Story::of(2, 1);
    story.begins(Text);
    story.waits(Speech);
    assert_eq!([story.ask(Text), story.ask(Speech)], [Asked::Full; 2]);
    // Text that can pass needs no place.
    story.at(10).begins(Text);
    assert_eq!(story.ask(Text), Asked::Full);
}

#[test]
fn a_reload_shortens_and_lengthens_a_hold_that_lasts() {
    let waiting = |seconds| Terms { exclusive_wait: std::time::Duration::from_secs(seconds), ..terms(8, 8) };
    let mut story = Story::of(8, 8);
    story.begins(Text);
    story.waits(Speech);
    let text = story.at(5).waits(Text);
    assert_eq!(story.reload(waiting(20)), []);
    assert_eq!(story.deadline(), Some(20));
    assert_eq!(story.at(15).reload(waiting(3)), [text]);
    // What is over stays over: each waiter has one hold.
    assert_eq!(story.reload(waiting(600)), []);
    assert_eq!(story.deadline(), None);
    story.begins(Text);
}
