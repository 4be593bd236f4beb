//! How long speech at the head of a queue holds up the text behind it: rules 3 and 4 of the [lease](super).

use std::time::{Duration, Instant};

use super::{Claim, Lease, Waiter};

/// The one hold that speech has in a wait. Text keeps it unspent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Unspent,
    Since(Instant),
    Spent,
}

impl Hold {
    /// A hold that begins now; one of no length is over at once.
    const fn begun(now: Instant, lasts: Duration) -> Self {
        if lasts.is_zero() { Self::Spent } else { Self::Since(now) }
    }

    fn is_over(self, now: Instant, lasts: Duration) -> bool {
        matches!(self, Self::Since(since) if now.saturating_duration_since(since) >= lasts)
    }
}

impl Lease {
    /// Since when the head has been holding up the others; `None`: it does not.
    pub(super) fn held_since(&self) -> Option<Instant> {
        match self.queue.front()?.hold {
            Hold::Since(since) => Some(since),
            Hold::Unspent | Hold::Spent => None,
        }
    }

    /// Begins the hold of the head, when it is speech that waits for text and has not had one, and of all
    /// other speech that waits with it.
    pub(super) fn begin_holds(&mut self, now: Instant) {
        if !self.head_may_hold() {
            return;
        }
        let lasts = self.terms.exclusive_wait;
        let fresh = |waiter: &&mut Waiter| waiter.claim == Claim::Exclusive && waiter.hold == Hold::Unspent;
        self.queue.iter_mut().filter(fresh).for_each(|waiter| waiter.hold = Hold::begun(now, lasts));
    }

    /// Ends the holds whose time is over.
    pub(super) fn end_holds(&mut self, now: Instant) {
        let lasts = self.terms.exclusive_wait;
        let over = |waiter: &&mut Waiter| waiter.hold.is_over(now, lasts);
        self.queue.iter_mut().filter(over).for_each(|waiter| waiter.hold = Hold::Spent);
    }

    /// Under speech that runs nothing begins anyway, and the head is next: that is no time to spend a hold.
    fn head_may_hold(&self) -> bool {
        let waits_for_text = !self.running.is_empty() && !self.speaks();
        let unspent = |head: &Waiter| head.claim == Claim::Exclusive && head.hold != Hold::Spent;
        waits_for_text && self.queue.front().is_some_and(unspent)
    }
}
