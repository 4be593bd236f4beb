//! The machine against a model that keeps the whole history and reads the rules off it.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::STALE;
use crate::gate::{Event, Machine, Mode, Observation, PollFault, PollToken};
use crate::policy::{GateState, GateView};

/// What a random story is made of.
#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(u64),
    Ask,
    /// Answers one of the questions that are under way.
    Answer(usize, Result<Observation, PollFault>),
    Push(Observation),
    Tick,
}

/// What happened, in order, with its time.
#[derive(Debug, Clone, Copy)]
enum Happened {
    Asked(usize),
    /// Question and answer.
    Answered(usize, Observation, Instant),
    Pushed(Observation, Instant),
}

/// An observation that counts.
#[derive(Debug, Clone, Copy)]
struct Counted {
    observation: Observation,
    at: Instant,
    push: bool,
}

/// The observations that count: every push, and every poll asked after the last push before its answer
/// and after every question whose answer counted already.
fn counted(history: &[Happened], has_mode_url: bool) -> Vec<Counted> {
    let mut counted = Vec::new();
    for (place, happened) in history.iter().enumerate() {
        match *happened {
            Happened::Asked(_) => {}
            Happened::Pushed(observation, at) => counted.push(Counted { observation, at, push: true }),
            Happened::Answered(question, observation, at) => {
                let before = &history[..place];
                let asked =
                    before.iter().position(|past| matches!(past, Happened::Asked(q) if *q == question));
                let asked = asked.expect("an answer has a question");
                let pushed_since = before[asked..].iter().any(|past| matches!(past, Happened::Pushed(..)));
                let overtaken =
                    before.iter().any(|past| matches!(past, Happened::Answered(q, ..) if *q >= question));
                if has_mode_url && !pushed_since && !overtaken {
                    counted.push(Counted { observation, at, push: false });
                }
            }
        }
    }
    counted
}

/// Whether the last push was GAMING and no poll of GAMING with a later one of NORMAL came behind it.
fn held(counted: &[Counted]) -> bool {
    let Some(push) = counted.iter().rposition(|one| one.push) else { return false };
    if counted[push].observation.mode == Mode::Normal {
        return false;
    }
    let polls: Vec<_> = counted[push + 1..].iter().map(|one| one.observation.mode).collect();
    let gaming = polls.iter().position(|&mode| mode == Mode::Gaming);
    !gaming.is_some_and(|gaming| polls[gaming..].contains(&Mode::Normal))
}

fn modelled(history: &[Happened], stale_after: Option<Duration>, now: Instant) -> GateView {
    let counted = counted(history, stale_after.is_some());
    let available = counted.last().is_none_or(|last| last.observation.available);
    let state = match counted.last() {
        None => GateState::Unknown,
        Some(_) if held(&counted) => GateState::Closed,
        Some(last) if stale_after.is_some_and(|limit| now - last.at >= limit) => GateState::Unknown,
        Some(last) if last.observation.mode == Mode::Gaming => GateState::Closed,
        Some(_) => GateState::Open,
    };
    GateView { state, available }
}

fn observation() -> impl Strategy<Value = Observation> {
    let mode = prop_oneof![Just(Mode::Normal), Just(Mode::Gaming)];
    (mode, proptest::bool::weighted(0.8)).prop_map(|(mode, available)| Observation { mode, available })
}

fn step() -> impl Strategy<Value = Step> {
    let answer = prop_oneof![4 => observation().prop_map(Ok), 1 => Just(Err(PollFault::Timeout))];
    prop_oneof![
        3 => prop_oneof![0..2_000_u64, 2_000..5_200_u64, Just(5_000)].prop_map(Step::Wait),
        4 => Just(Step::Ask),
        5 => (0..4_usize, answer).prop_map(|(which, answer)| Step::Answer(which, answer)),
        2 => observation().prop_map(Step::Push),
        1 => Just(Step::Tick),
    ]
}

/// A machine and everything that happened to it.
struct Run {
    gate: Machine,
    stale_after: Option<Duration>,
    now: Instant,
    history: Vec<Happened>,
    under_way: Vec<(usize, PollToken)>,
    asked: usize,
    /// What the machine's transitions add up to.
    told: GateView,
}

impl Run {
    fn new(stale_after: Option<Duration>) -> Self {
        let now = Instant::now();
        Self {
            gate: Machine::new(stale_after, now),
            stale_after,
            now,
            history: Vec::new(),
            under_way: Vec::new(),
            asked: 0,
            told: GateView { state: GateState::Unknown, available: true },
        }
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Wait(millis) => self.now += Duration::from_millis(millis),
            Step::Ask => {
                self.asked += 1;
                self.under_way.push((self.asked, self.gate.poll_asked()));
                self.history.push(Happened::Asked(self.asked));
            }
            Step::Answer(_, _) if self.under_way.is_empty() => {}
            Step::Answer(which, answer) => {
                let (question, token) = self.under_way.remove(which % self.under_way.len());
                self.tell(Event::PollAnswered(token, answer))?;
                self.history.extend(answer.ok().map(|seen| Happened::Answered(question, seen, self.now)));
            }
            Step::Push(observation) => {
                self.tell(Event::Pushed(observation))?;
                self.history.push(Happened::Pushed(observation, self.now));
            }
            Step::Tick => self.tell(Event::Tick)?,
        }
        Ok(())
    }

    /// Transitions follow one another without a gap, change something each, and never lie ahead.
    fn tell(&mut self, event: Event) -> Result<(), TestCaseError> {
        for change in self.gate.on(event, self.now) {
            prop_assert_eq!(change.from, self.told);
            prop_assert_ne!(change.from, change.to);
            prop_assert!(change.at <= self.now);
            self.told = change.to;
        }
        prop_assert_eq!(self.told, self.gate.state(self.now, 0), "transitions add up to the state");
        Ok(())
    }

    fn agrees(&self) -> Result<(), TestCaseError> {
        let wanted = modelled(&self.history, self.stale_after, self.now);
        prop_assert_eq!(self.gate.state(self.now, 0), wanted);
        let later = self.now + STALE;
        prop_assert_eq!(
            self.gate.state(later, 0),
            modelled(&self.history, self.stale_after, later),
            "seen later"
        );
        prop_assert_eq!(self.gate.mode(self.now).is_none(), wanted.state == GateState::Unknown);
        prop_assert!(self.gate.since(self.now) <= self.now);
        if let Some(deadline) = self.gate.next_deadline().filter(|&deadline| deadline > self.now) {
            let just_before = deadline.checked_sub(Duration::from_nanos(1)).unwrap_or(self.now);
            prop_assert_eq!(self.gate.state(just_before, 0), wanted, "nothing changes before the deadline");
            prop_assert_eq!(self.gate.state(deadline, 0).state, GateState::Unknown);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn machine_and_model_agree(
        has_mode_url in proptest::bool::weighted(0.8),
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let mut run = Run::new(has_mode_url.then_some(STALE));
        for step in steps {
            run.take(step)?;
            run.agrees()?;
        }
    }

    /// The promise to the player: behind an acknowledged push of GAMING nothing unforced passes before
    /// a push of NORMAL, or a poll of GAMING and a later one of NORMAL, both asked after the push.
    #[test]
    fn a_pushed_gaming_lets_nothing_pass(
        before in proptest::collection::vec(step(), 0..20),
        after in proptest::collection::vec(step(), 0..40),
    ) {
        let mut run = Run::new(Some(STALE));
        for step in before {
            run.take(step)?;
        }
        run.take(Step::Push(Observation { mode: Mode::Gaming, available: true }))?;
        run.under_way.clear();
        let mut gaming_polled = false;
        for step in after {
            match step {
                Step::Push(Observation { mode: Mode::Normal, .. }) => break,
                Step::Push(_) => gaming_polled = false,
                Step::Answer(_, Ok(Observation { mode, .. })) if !run.under_way.is_empty() => {
                    if mode == Mode::Normal && gaming_polled {
                        break;
                    }
                    gaming_polled |= mode == Mode::Gaming;
                }
                _ => {}
            }
            run.take(step)?;
            prop_assert_eq!(run.gate.state(run.now, 0).state, GateState::Closed);
            prop_assert_eq!(run.gate.state(run.now, 1).state, GateState::Draining);
        }
    }
}
