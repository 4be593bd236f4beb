//! A card as it is now: who works on it and who waits. The async shell around [`Lease`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::lease::{Asked, Claim, Lease, Terms, Ticket};
use crate::policy::Gpu;

/// One card.
#[derive(Debug)]
pub struct LiveGpu {
    /// The card's name.
    pub name: String,
    inner: Mutex<Inner>,
    /// When time alone lets somebody begin; those who wait tick the machine then.
    deadline: watch::Sender<Option<Instant>>,
}

#[derive(Debug)]
struct Inner {
    lease: Lease,
    /// How each one that waits is told that it begins.
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
}

/// What became of a question for a slot.
#[derive(Debug)]
pub enum Turn {
    /// It is there.
    Now(Held),
    /// It will be.
    Later(Waiting),
    /// As many wait as may.
    Full,
}

/// A slot on a card, or a place in its queue; given back when dropped.
#[derive(Debug)]
pub struct Held {
    gpu: Arc<LiveGpu>,
    ticket: Ticket,
}

/// A place in a card's queue.
#[derive(Debug)]
pub struct Waiting {
    held: Held,
    granted: oneshot::Receiver<()>,
    deadline: watch::Receiver<Option<Instant>>,
}

/// How full a card is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Exchanges on it.
    pub in_flight: usize,
    /// How many may be.
    pub limit: u32,
    /// Exchanges that wait for it.
    pub queued: usize,
}

impl LiveGpu {
    /// The card with all that runs and waits on it already, under new terms.
    pub fn new(gpu: &Gpu, before: Option<&Arc<Self>>) -> Arc<Self> {
        let terms = Terms::from(gpu);
        if let Some(known) = before {
            known.change(|lease, now| ((), lease.reconfigure(terms, now)));
            return Arc::clone(known);
        }
        let inner = Mutex::new(Inner { lease: Lease::new(terms), waiting: HashMap::new() });
        Arc::new(Self { name: gpu.name.clone(), inner, deadline: watch::Sender::new(None) })
    }

    /// Asks for a slot.
    pub fn ask(self: &Arc<Self>, claim: Claim) -> Turn {
        let mut inner = self.inner.lock();
        let (asked, others) = inner.lease.ask(claim, Instant::now());
        inner.tell(others);
        let turn = match asked {
            Asked::Granted(ticket) => Turn::Now(Held { gpu: Arc::clone(self), ticket }),
            Asked::Full => Turn::Full,
            Asked::Queued(ticket) => {
                let (sender, granted) = oneshot::channel();
                inner.waiting.insert(ticket, sender);
                let held = Held { gpu: Arc::clone(self), ticket };
                Turn::Later(Waiting { held, granted, deadline: self.deadline.subscribe() })
            }
        };
        self.set_deadline(&inner);
        turn
    }

    /// How full it is.
    pub fn load(&self) -> Load {
        let inner = self.inner.lock();
        let lease = &inner.lease;
        Load { in_flight: lease.in_flight(), limit: lease.limit(), queued: lease.queued() }
    }

    /// One event of the machine; whoever begins by it is told. The clock is read under the lock, so
    /// that events come in their order.
    fn change<T>(&self, event: impl FnOnce(&mut Lease, Instant) -> (T, Vec<Ticket>)) -> T {
        let mut inner = self.inner.lock();
        let (outcome, granted) = event(&mut inner.lease, Instant::now());
        inner.tell(granted);
        self.set_deadline(&inner);
        outcome
    }

    fn set_deadline(&self, inner: &Inner) {
        let next = inner.lease.next_deadline();
        self.deadline.send_if_modified(|deadline| std::mem::replace(deadline, next) != next);
    }
}

impl Inner {
    fn tell(&mut self, granted: Vec<Ticket>) {
        for ticket in granted {
            if let Some(waiter) = self.waiting.remove(&ticket) {
                // One that has just gone gives its slot back when its `Held` is dropped.
                let _ = waiter.send(());
            }
        }
    }
}

impl Waiting {
    /// Waits for its turn. Cancel-safe: the place in the queue is kept.
    pub async fn turn(&mut self) {
        loop {
            let deadline = *self.deadline.borrow_and_update();
            tokio::select! {
                biased;
                // An error cannot be: the sender lives as long as the ticket waits.
                _ = &mut self.granted => return,
                _ = self.deadline.changed() => {}
                () = until(deadline) => self.held.gpu.change(|lease, now| ((), lease.tick(now))),
            }
        }
    }

    /// The slot, once its turn has come.
    pub fn into_held(self) -> Held {
        self.held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let ticket = self.ticket;
        let mut inner = self.gpu.inner.lock();
        inner.waiting.remove(&ticket);
        let granted = inner.lease.leave(ticket, Instant::now());
        inner.tell(granted);
        self.gpu.set_deadline(&inner);
    }
}

/// Never, where there is nothing to wait for.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
