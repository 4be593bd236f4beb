//! A gate as it is now: its machine, and who is behind it. One lock for both, so that nobody
//! slips in between a close and its answer.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::News;
use crate::gate::{Event, Machine, Observation, PollFault, PollToken};
use crate::policy::{Gate, GateState, GateView, OnClose};

/// One gate.
pub struct LiveGate {
    /// The gate's name.
    pub name: String,
    inner: Mutex<Inner>,
    /// Told whenever somebody leaves, for those who wait until it is drained.
    left: Notify,
    /// Wakes its watcher before the interval is over: a push is confirmed by a poll at once.
    pub poll_now: Notify,
    /// Counts the polls that were asked after the latest push and are over.
    polled: watch::Sender<u64>,
    news: News,
}

struct Inner {
    machine: Machine,
    /// How each unforced exchange behind it is cut, by the number of its pass.
    unforced: HashMap<u64, Cutter>,
    passes: u64,
    forced: usize,
    /// The state that was last told to [`LiveGate::settle`], and since when.
    told: GateView,
    since: SystemTime,
}

/// Cuts an exchange.
pub type Cutter = Box<dyn Fn() + Send + Sync>;

/// A place behind a gate; given back when dropped.
#[derive(Debug)]
pub struct GatePass {
    gate: Arc<LiveGate>,
    /// `None`: forced.
    number: Option<u64>,
    /// The gate's state when it was passed.
    state: GateState,
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
    pub fn new(gate: &Gate, before: Option<&Arc<Self>>, news: &News) -> Arc<Self> {
        let (stale_after, now) = (gate.mode_url.is_some().then_some(gate.stale_after), Instant::now());
        if let Some(known) = before {
            known.inner.lock().machine.reconfigure(stale_after, now);
            return Arc::clone(known);
        }
        let machine = Machine::new(stale_after, now);
        let inner = Inner {
            machine,
            unforced: HashMap::new(),
            passes: 0,
            forced: 0,
            told: GateView { state: GateState::Unknown, available: true },
            since: SystemTime::now(),
        };
        Arc::new(Self {
            name: gate.name.clone(),
            inner: Mutex::new(inner),
            left: Notify::new(),
            poll_now: Notify::new(),
            polled: watch::Sender::new(0),
            news: news.clone(),
        })
    }

    /// Its state for a decision.
    pub fn view(&self) -> GateView {
        self.inner.lock().view()
    }

    /// Lets an exchange pass, if it may at this very moment. `cutter` is how an unforced one is cut when
    /// the gate has closed and the time to drain is over.
    pub fn enter(self: &Arc<Self>, forced: bool, cutter: Cutter) -> Option<GatePass> {
        let mut inner = self.inner.lock();
        let view = inner.view();
        if view.bars(forced).is_some() {
            return None;
        }
        let number = inner.pass(forced, cutter);
        Some(GatePass { gate: Arc::clone(self), number, state: view.state })
    }

    /// Cuts what still runs unforced when the time to drain is over; says when that will be, where it
    /// is not over yet.
    pub fn cut_overdue(&self, configured: &Gate) -> Option<Instant> {
        let (inner, now) = (self.inner.lock(), Instant::now());
        if configured.on_close == OnClose::Drain || inner.view().state != GateState::Draining {
            return None;
        }
        let due = inner.machine.since(now) + configured.drain_timeout;
        if due > now {
            return Some(due);
        }
        inner.unforced.values().for_each(|cut| cut());
        None
    }

    /// A poll is about to be asked.
    pub fn poll_asked(&self) -> PollToken {
        self.inner.lock().machine.poll_asked()
    }

    /// A poll was answered, or not.
    pub fn poll_answered(&self, token: PollToken, answer: Result<Observation, PollFault>) -> Option<Settled> {
        let mut inner = self.inner.lock();
        inner.machine.on(Event::PollAnswered(token, answer), Instant::now());
        if inner.machine.is_current(token) {
            self.polled.send_modify(|count| *count += 1);
        }
        self.told(inner)
    }

    /// Changes when a poll is over that was asked after the latest push.
    pub fn polled_since_push(&self) -> watch::Receiver<u64> {
        self.polled.subscribe()
    }

    /// A mode was pushed: in force before this returns.
    pub fn push(&self, observation: Observation) -> Option<Settled> {
        let mut inner = self.inner.lock();
        inner.machine.on(Event::Pushed(observation), Instant::now());
        self.poll_now.notify_one();
        self.told(inner)
    }

    /// Looks whether the state has changed by time alone, or by somebody leaving.
    pub fn settle(&self) -> Option<Settled> {
        let mut inner = self.inner.lock();
        inner.machine.on(Event::Tick, Instant::now());
        self.told(inner)
    }

    /// When it turns unknown by the clock; `None`: not by the clock alone.
    pub fn turns_stale(&self) -> Option<Instant> {
        self.inner.lock().machine.next_deadline()
    }

    fn told(&self, mut inner: parking_lot::MutexGuard<'_, Inner>) -> Option<Settled> {
        let settled = inner.settle();
        drop(inner);
        if settled.is_some() {
            self.news.ring();
        }
        settled.filter(|settled| settled.from != settled.to)
    }

    /// Everything for `/status`.
    pub fn status(&self) -> GateStatus {
        let inner = self.inner.lock();
        GateStatus {
            view: inner.view(),
            mode: inner.machine.mode(Instant::now()).map(crate::gate::Mode::as_str),
            since: inner.since,
            source: inner.machine.source(Instant::now()).as_str(),
            in_flight: inner.unforced.len(),
            forced: inner.forced,
        }
    }

    /// Waits until no unforced exchange is behind it.
    pub async fn drained(&self) {
        loop {
            let left = self.left.notified();
            if self.inner.lock().unforced.is_empty() {
                return;
            }
            left.await;
        }
    }
}

impl Inner {
    fn view(&self) -> GateView {
        self.machine.state(Instant::now(), self.unforced.len())
    }

    fn settle(&mut self) -> Option<Settled> {
        let (from, to) = (self.told, self.view());
        if from == to {
            return None;
        }
        self.told = to;
        if from.state != to.state {
            self.since = SystemTime::now();
        }
        Some(Settled { from: from.state, to: to.state })
    }

    fn pass(&mut self, forced: bool, cutter: Cutter) -> Option<u64> {
        if forced {
            self.forced += 1;
            return None;
        }
        self.passes += 1;
        self.unforced.insert(self.passes, cutter);
        Some(self.passes)
    }
}

impl GatePass {
    /// The state of a gate that was not open when it was passed, and the gate's name.
    pub fn overridden(&self) -> Option<(&str, GateState)> {
        (self.state != GateState::Open).then_some((self.gate.name.as_str(), self.state))
    }
}

impl Drop for GatePass {
    fn drop(&mut self) {
        let mut inner = self.gate.inner.lock();
        match self.number {
            Some(number) => drop(inner.unforced.remove(&number)),
            None => inner.forced -= 1,
        }
        drop(inner);
        self.gate.left.notify_waiters();
    }
}

impl fmt::Debug for LiveGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveGate").field("name", &self.name).finish_non_exhaustive()
    }
}
