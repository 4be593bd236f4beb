//! Stories of a gate, each line one event and what requests see behind it.

use std::time::{Duration, Instant};

use super::{Event, Machine, PollToken, Transition};
use crate::gate::{Mode, Observation, PollFault, Source};
use crate::policy::{GateState, GateView};

mod against_a_model;

const STALE: Duration = Duration::from_secs(5);

/// A gate, its clock, and the question that is under way.
struct Story {
    gate: Machine,
    start: Instant,
    now: Instant,
    asked: Option<PollToken>,
}

const fn seen(mode: Mode) -> Observation {
    Observation { mode, available: true }
}

impl Story {
    fn of(stale_after: Option<Duration>) -> Self {
        let start = Instant::now();
        Self { gate: Machine::new(stale_after, start), start, now: start, asked: None }
    }

    fn polled() -> Self {
        Self::of(Some(STALE))
    }

    fn pushed_only() -> Self {
        Self::of(None)
    }

    fn after(&mut self, millis: u64) -> &mut Self {
        self.now += Duration::from_millis(millis);
        self
    }

    fn ask(&mut self) -> &mut Self {
        self.asked = Some(self.gate.poll_asked());
        self
    }

    fn answer(&mut self, answer: Result<Observation, PollFault>) -> Vec<Transition> {
        let token = self.asked.expect("a question is under way");
        self.gate.on(Event::PollAnswered(token, answer), self.now)
    }

    fn poll(&mut self, mode: Mode) -> &mut Self {
        self.ask().answer(Ok(seen(mode)));
        self
    }

    fn push(&mut self, mode: Mode) -> &mut Self {
        self.gate.on(Event::Pushed(seen(mode)), self.now);
        self
    }

    #[track_caller]
    fn is(&mut self, state: GateState) -> &mut Self {
        assert_eq!(self.gate.state(self.now, 0).state, state);
        self
    }

    #[track_caller]
    fn comes_from(&mut self, source: Source) -> &mut Self {
        assert_eq!(self.gate.source(self.now), source);
        self
    }

    fn millis(&self, at: Instant) -> u128 {
        at.duration_since(self.start).as_millis()
    }
}

#[test]
fn it_starts_unknown() {
    for mut story in [Story::polled(), Story::pushed_only()] {
        story.is(GateState::Unknown).comes_from(Source::None);
        assert_eq!(story.gate.mode(story.now), None);
        assert_eq!(story.gate.next_deadline(), None);
        story.after(60_000).is(GateState::Unknown);
        assert_eq!(story.gate.on(Event::Tick, story.now), []);
        assert_eq!(story.gate.since(story.now), story.start);
    }
}

#[test]
fn polls_open_and_close_at_once() {
    let mut story = Story::polled();
    story.poll(Mode::Normal).is(GateState::Open).comes_from(Source::Poll);
    story.after(1).poll(Mode::Gaming).is(GateState::Closed);
    story.after(1).poll(Mode::Normal).is(GateState::Open);
}

#[test]
fn pushes_open_and_close_at_once() {
    for mut story in [Story::polled(), Story::pushed_only()] {
        story.push(Mode::Normal).is(GateState::Open).comes_from(Source::Push);
        story.push(Mode::Gaming).is(GateState::Closed).comes_from(Source::Push);
        story.push(Mode::Normal).is(GateState::Open);
    }
}

#[test]
fn without_good_answers_it_turns_unknown_exactly_then() {
    for mode in [Mode::Normal, Mode::Gaming] {
        let mut story = Story::polled();
        let known = if mode == Mode::Normal { GateState::Open } else { GateState::Closed };
        story.after(100).poll(mode).after(4_999).is(known);
        let deadline = story.gate.next_deadline().expect("a deadline");
        assert_eq!(story.millis(deadline), 5_100);
        story.after(1).is(GateState::Unknown).comes_from(Source::None);
        assert_eq!(story.gate.since(story.now), deadline, "before any event noticed");
        story.after(300);
        let changes = story.gate.on(Event::Tick, story.now);
        let view = |state| GateView { state, available: true };
        assert_eq!(changes, [Transition { from: view(known), to: view(GateState::Unknown), at: deadline }]);
        assert_eq!((story.gate.since(story.now), story.gate.next_deadline()), (deadline, None));
        assert_eq!(story.gate.on(Event::Tick, story.now), [], "said once");
    }
}

#[test]
fn every_good_answer_puts_the_deadline_off_and_bad_ones_do_not() {
    let mut story = Story::polled();
    story.poll(Mode::Normal).after(3_000).poll(Mode::Normal).after(3_000).is(GateState::Open);
    for fault in
        [PollFault::Timeout, PollFault::Status(500), PollFault::Mode, PollFault::Json, PollFault::Connect]
    {
        assert_eq!(story.ask().answer(Err(fault)), []);
    }
    story.after(1_999).is(GateState::Open).after(1).is(GateState::Unknown);
    story.poll(Mode::Normal).is(GateState::Open);
}

#[test]
fn an_event_after_unnoticed_staleness_brings_both_changes() {
    let mut story = Story::polled();
    story.poll(Mode::Normal).after(7_000).ask();
    let changes = story.answer(Ok(seen(Mode::Normal)));
    let states: Vec<_> = changes.iter().map(|change| (change.from.state, change.to.state)).collect();
    assert_eq!(states, [(GateState::Open, GateState::Unknown), (GateState::Unknown, GateState::Open)]);
    assert_eq!(changes.iter().map(|change| story.millis(change.at)).collect::<Vec<_>>(), [5_000, 7_000]);
}

#[test]
fn a_poll_asked_before_a_push_is_thrown_away() {
    for (pushed, polled, state) in
        [(Mode::Gaming, Mode::Normal, GateState::Closed), (Mode::Normal, Mode::Gaming, GateState::Open)]
    {
        let mut story = Story::polled();
        story.ask().push(pushed).after(10);
        assert_eq!(story.answer(Ok(seen(polled))), []);
        story.is(state);
    }
    // It must not confirm a latch, put a deadline off, or say who is awake either.
    let mut story = Story::polled();
    story.ask().push(Mode::Gaming).answer(Ok(seen(Mode::Gaming)));
    story.poll(Mode::Normal).is(GateState::Closed);
    let mut story = Story::polled();
    story.ask().push(Mode::Normal).after(4_000);
    story.answer(Ok(Observation { mode: Mode::Normal, available: false }));
    assert!(story.gate.state(story.now, 0).available);
    story.after(1_000).is(GateState::Unknown);
}

#[test]
fn a_poll_that_a_later_one_overtook_is_thrown_away() {
    let mut story = Story::polled();
    let first = story.gate.poll_asked();
    story.poll(Mode::Gaming);
    assert_eq!(story.gate.on(Event::PollAnswered(first, Ok(seen(Mode::Normal))), story.now), []);
    story.is(GateState::Closed);
    // A bad answer overtakes nothing: it says nothing.
    let slow = story.gate.poll_asked();
    story.ask().answer(Err(PollFault::Status(503)));
    story.gate.on(Event::PollAnswered(slow, Ok(seen(Mode::Normal))), story.now);
    story.is(GateState::Open);
}

#[test]
fn a_pushed_gaming_holds_against_normal_until_gaming_was_polled() {
    let mut story = Story::polled();
    story.poll(Mode::Normal).push(Mode::Gaming);
    for _ in 0..10 {
        story.after(1_000).poll(Mode::Normal).is(GateState::Closed).comes_from(Source::Push);
    }
    story.poll(Mode::Gaming).is(GateState::Closed);
    story.poll(Mode::Normal).is(GateState::Open).comes_from(Source::Poll);
}

#[test]
fn a_pushed_gaming_holds_until_normal_is_pushed() {
    let mut story = Story::polled();
    story.push(Mode::Gaming).poll(Mode::Normal).is(GateState::Closed);
    story.push(Mode::Normal).is(GateState::Open).poll(Mode::Gaming).is(GateState::Closed);
    story.poll(Mode::Normal).is(GateState::Open);
}

#[test]
fn polls_before_the_push_confirm_nothing_and_a_second_push_holds_anew() {
    let mut story = Story::polled();
    story.poll(Mode::Gaming).push(Mode::Gaming).poll(Mode::Normal).is(GateState::Closed);
    story.poll(Mode::Gaming).push(Mode::Gaming).poll(Mode::Normal).is(GateState::Closed);
}

#[test]
fn a_pushed_gaming_stays_closed_without_polls() {
    let mut story = Story::polled();
    story.push(Mode::Gaming);
    assert_eq!(story.gate.next_deadline(), None);
    story.after(3_600_000).is(GateState::Closed);
    assert_eq!(story.gate.on(Event::Tick, story.now), []);
    // Also when polls have confirmed it before they fell silent.
    story.poll(Mode::Gaming).after(3_600_000).is(GateState::Closed).comes_from(Source::Push);
}

#[test]
fn a_gaming_that_was_only_polled_turns_stale_also_after_a_hold_has_ended() {
    let mut story = Story::polled();
    story.push(Mode::Gaming).poll(Mode::Gaming).poll(Mode::Normal).poll(Mode::Gaming).is(GateState::Closed);
    story.after(5_000).is(GateState::Unknown);
}

#[test]
fn a_pushed_normal_grows_stale_like_a_poll() {
    let mut story = Story::polled();
    story.push(Mode::Normal).after(4_999).is(GateState::Open).after(1).is(GateState::Unknown);
    story
        .push(Mode::Normal)
        .is(GateState::Open)
        .after(3_000)
        .poll(Mode::Normal)
        .after(4_000)
        .is(GateState::Open);
}

#[test]
fn without_a_mode_endpoint_pushes_hold_for_ever() {
    let mut story = Story::pushed_only();
    story.push(Mode::Normal).after(86_400_000).is(GateState::Open);
    assert_eq!(story.gate.next_deadline(), None);
    story.push(Mode::Gaming).after(86_400_000).is(GateState::Closed);
    story.poll(Mode::Gaming).poll(Mode::Normal).is(GateState::Closed);
    story.push(Mode::Normal).poll(Mode::Gaming).is(GateState::Open);
}

#[test]
fn closed_with_something_unforced_in_flight_is_draining() {
    let mut story = Story::polled();
    for (mode, idle, busy) in [
        (Mode::Normal, GateState::Open, GateState::Open),
        (Mode::Gaming, GateState::Closed, GateState::Draining),
    ] {
        story.poll(mode);
        assert_eq!(story.gate.state(story.now, 0).state, idle);
        assert_eq!(story.gate.state(story.now, 1).state, busy);
        assert_eq!(story.gate.state(story.now, 7).state, busy);
    }
    story.after(5_000);
    assert_eq!(story.gate.state(story.now, 1).state, GateState::Unknown);
}

#[test]
fn asleep_until_an_observation_without_it() {
    let asleep = |mode| Observation { mode, available: false };
    let mut story = Story::polled();
    let changes = story.ask().answer(Ok(asleep(Mode::Normal)));
    assert_eq!(changes.len(), 1);
    assert_eq!(story.gate.state(story.now, 0), GateView { state: GateState::Open, available: false });
    story.after(5_000).is(GateState::Unknown);
    assert!(!story.gate.state(story.now, 0).available, "unknown, and still asleep");
    story.ask().answer(Err(PollFault::Timeout));
    assert!(!story.gate.state(story.now, 0).available, "a bad answer says nothing");
    story.poll(Mode::Gaming);
    assert_eq!(story.gate.state(story.now, 0), GateView { state: GateState::Closed, available: true });
    story.gate.on(Event::Pushed(asleep(Mode::Gaming)), story.now);
    assert!(!story.gate.state(story.now, 0).available);
    // NORMAL does not open a held gate, but it says that the model is awake for what is forced.
    story.poll(Mode::Normal);
    assert_eq!(story.gate.state(story.now, 0), GateView { state: GateState::Closed, available: true });
}

#[test]
fn changes_are_said_once_with_their_time() {
    let mut story = Story::polled();
    let view = |state, available| GateView { state, available };
    let first = story.after(10).ask().answer(Ok(seen(Mode::Normal)));
    let (from, to) = (view(GateState::Unknown, true), view(GateState::Open, true));
    assert_eq!(first, [Transition { from, to, at: story.now }]);
    assert_eq!(story.after(10).ask().answer(Ok(seen(Mode::Normal))), []);
    assert_eq!(story.millis(story.gate.since(story.now)), 10);
    let now = story.after(10).now;
    let sleep = story.gate.on(Event::Pushed(Observation { mode: Mode::Normal, available: false }), now);
    assert_eq!(sleep, [Transition { from: to, to: view(GateState::Open, false), at: now }]);
    assert_eq!(story.millis(story.gate.since(story.now)), 10, "still open since then");
    let now = story.after(10).now;
    let close = story.gate.on(Event::Pushed(seen(Mode::Gaming)), now);
    assert_eq!(
        close,
        [Transition { from: view(GateState::Open, false), to: view(GateState::Closed, true), at: now }]
    );
    assert_eq!(story.gate.on(Event::Pushed(seen(Mode::Gaming)), now), []);
}

#[test]
fn a_reload_wakes_nothing_that_was_stale() {
    let mut story = Story::polled();
    story.poll(Mode::Normal).after(6_000);
    let changes = story.gate.reconfigure(None, story.now);
    assert_eq!(changes.iter().map(|change| change.to.state).collect::<Vec<_>>(), [GateState::Unknown]);
    story.is(GateState::Unknown);
    let mut story = Story::polled();
    story.poll(Mode::Normal).after(2_000);
    assert_eq!(story.gate.reconfigure(Some(Duration::from_secs(10)), story.now), []);
    story.after(7_999).is(GateState::Open).after(1).is(GateState::Unknown);
    let mut story = Story::polled();
    story.poll(Mode::Normal).after(2_000);
    assert_eq!(story.gate.reconfigure(Some(Duration::from_secs(1)), story.now).len(), 1);
    story.is(GateState::Unknown);
}

#[test]
fn a_deadline_beyond_all_time_is_none() {
    let mut story = Story::of(Some(Duration::MAX));
    story.poll(Mode::Normal).after(1_000).is(GateState::Open);
    assert_eq!(story.gate.next_deadline(), None);
}
