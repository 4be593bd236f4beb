//! A gate as it is now: its machine, and who is behind it. One lock for both, so that nobody
//! slips in between a close and its answer.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::gate::{Event, Machine, Observation, PollFault, PollToken};
use crate::policy::{Gate, GateState, GateView};

/// One gate.
#[derive(Debug)]
pub struct LiveGate {
    /// The gate's name.
    pub name: String,
    inner: Mutex<Inner>,
    /// Told whenever somebody leaves, for those who wait until it is drained.
    left: Notify,
    /// Wakes its watcher before the interval is over: a push is confirmed by a poll at once.
    pub poll_now: Notify,
}

#[derive(Debug)]
struct Inner {
    machine: Machine,
    unforced: usize,
    forced: usize,
    /// The state that was last told to [`LiveGate::settle`], and since when.
    told: GateState,
    since: SystemTime,
}

/// A place behind a gate; given back when dropped.
#[derive(Debug)]
pub struct GatePass {
    gate: Arc<LiveGate>,
    forced: bool,
}

/// A gate for people: what `/status` shows.
#[derive(Debug, Clone)]
pub struct GateStatus {
    /// Its state and whether the model behind it can be used.
    pub view: GateView,
    /// `NORMAL`, `GAMING`, or `None` when nobody knows.
    pub mode: Option<&'static str>,
    /// Since when it has been in this state.
    pub since: SystemTime,
    /// Who said so: `poll`, `push` or `none`.
    pub source: &'static str,
    /// Unforced exchanges behind it.
    pub in_flight: usize,
    /// Forced ones.
    pub forced: usize,
}

/// A change of state that somebody may want to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The state before.
    pub from: GateState,
    /// The state now.
    pub to: GateState,
}

impl LiveGate {
    /// The gate with all that is known of it from before.
    pub fn new(gate: &Gate, before: Option<&Arc<Self>>) -> Arc<Self> {
        let (stale_after, now) = (gate.mode_url.is_some().then_some(gate.stale_after), Instant::now());
        if let Some(known) = before {
            known.inner.lock().machine.reconfigure(stale_after, now);
            return Arc::clone(known);
        }
        let machine = Machine::new(stale_after, now);
        let inner =
            Inner { machine, unforced: 0, forced: 0, told: GateState::Unknown, since: SystemTime::now() };
        Arc::new(Self {
            name: gate.name.clone(),
            inner: Mutex::new(inner),
            left: Notify::new(),
            poll_now: Notify::new(),
        })
    }

    /// Its state for a decision.
    pub fn view(&self) -> GateView {
        self.inner.lock().view()
    }

    /// Lets an exchange pass, if it may at this very moment.
    pub fn enter(self: &Arc<Self>, forced: bool) -> Option<GatePass> {
        let mut inner = self.inner.lock();
        if inner.view().bars(forced).is_some() {
            return None;
        }
        *inner.count(forced) += 1;
        Some(GatePass { gate: Arc::clone(self), forced })
    }

    /// A poll is about to be asked.
    pub fn poll_asked(&self) -> PollToken {
        self.inner.lock().machine.poll_asked()
    }

    /// A poll was answered, or not.
    pub fn poll_answered(&self, token: PollToken, answer: Result<Observation, PollFault>) -> Option<Settled> {
        let mut inner = self.inner.lock();
        inner.machine.on(Event::PollAnswered(token, answer), Instant::now());
        inner.settle()
    }

    /// A mode was pushed: in force before this returns.
    pub fn push(&self, observation: Observation) -> Option<Settled> {
        let mut inner = self.inner.lock();
        inner.machine.on(Event::Pushed(observation), Instant::now());
        self.poll_now.notify_one();
        inner.settle()
    }

    /// Looks whether the state has changed by time alone, or by somebody leaving.
    pub fn settle(&self) -> Option<Settled> {
        let mut inner = self.inner.lock();
        inner.machine.on(Event::Tick, Instant::now());
        inner.settle()
    }

    /// Everything for `/status`.
    pub fn status(&self) -> GateStatus {
        let inner = self.inner.lock();
        GateStatus {
            view: inner.view(),
            mode: inner.machine.mode(Instant::now()).map(crate::gate::Mode::as_str),
            since: inner.since,
            source: inner.machine.source(Instant::now()).as_str(),
            in_flight: inner.unforced,
            forced: inner.forced,
        }
    }

    /// Waits until no unforced exchange is behind it.
    pub async fn drained(&self) {
        loop {
            let left = self.left.notified();
            if self.inner.lock().unforced == 0 {
                return;
            }
            left.await;
        }
    }
}

impl Inner {
    fn view(&self) -> GateView {
        self.machine.state(Instant::now(), self.unforced)
    }

    fn settle(&mut self) -> Option<Settled> {
        let (from, to) = (self.told, self.view().state);
        if from == to {
            return None;
        }
        (self.told, self.since) = (to, SystemTime::now());
        Some(Settled { from, to })
    }

    fn count(&mut self, forced: bool) -> &mut usize {
        if forced { &mut self.forced } else { &mut self.unforced }
    }
}

impl Drop for GatePass {
    fn drop(&mut self) {
        *self.gate.inner.lock().count(self.forced) -= 1;
        self.gate.left.notify_waiters();
    }
}
