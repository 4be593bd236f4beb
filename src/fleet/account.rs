//! What of a budget is used up in its current period. Pure: the time is an argument, seconds since 1970.

use serde::{Deserialize, Serialize};

use crate::policy::{Budget, Money};

/// One backend's use in the current period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// When the period began.
    #[serde(rename = "period_start")]
    start: u64,
    /// Settled, in 10⁻¹² US dollars.
    #[serde(rename = "spent_picodollars")]
    spent: u64,
    /// Set aside for requests that run, in the same unit.
    #[serde(rename = "reserved_picodollars", default)]
    reserved: u64,
    /// Requests begun.
    requests: u64,
}

/// What was set aside for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The period it was taken from.
    start: u64,
    /// How much.
    cost: Money,
}

impl Account {
    /// Whether this much more fits into the budget.
    pub fn fits(&self, budget: &Budget, cost: Money, now: u64) -> bool {
        let current = self.rolled(budget, now);
        let used = Money(current.spent).plus(Money(current.reserved)).plus(cost);
        budget.money.is_none_or(|limit| used <= limit)
            && budget.requests.is_none_or(|limit| current.requests < limit)
    }

    /// Sets this much aside for a request; `None` when it does not fit.
    pub fn reserve(&mut self, budget: &Budget, cost: Money, now: u64) -> Option<Entry> {
        if !self.fits(budget, cost, now) {
            return None;
        }
        *self = self.rolled(budget, now);
        self.reserved = Money(self.reserved).plus(cost).0;
        self.requests += 1;
        Some(Entry { start: self.start, cost })
    }

    /// The request is over and has cost this much. What belongs to a period that is over is forgotten.
    pub fn settle(&mut self, entry: Entry, actual: Money) {
        if self.start == entry.start {
            self.reserved = Money(self.reserved).minus(entry.cost).0;
            self.spent = Money(self.spent).plus(actual).0;
        }
    }

    /// The request was never sent.
    pub fn release(&mut self, entry: Entry) {
        if self.start == entry.start {
            self.reserved = Money(self.reserved).minus(entry.cost).0;
            self.requests = self.requests.saturating_sub(1);
        }
    }

    /// Takes what was set aside for spent: nobody knows any more what became of it.
    #[must_use]
    pub fn after_restart(self) -> Self {
        Self { spent: Money(self.spent).plus(Money(self.reserved)).0, reserved: 0, ..self }
    }

    /// Spent, set aside, and requests begun in the period of `now`.
    pub fn used(&self, budget: &Budget, now: u64) -> (Money, Money, u64) {
        let current = self.rolled(budget, now);
        (Money(current.spent), Money(current.reserved), current.requests)
    }

    /// As it stands in the period of `now`. A clock that goes back opens no old period again.
    fn rolled(&self, budget: &Budget, now: u64) -> Self {
        let start = budget.period_start(now);
        if start > self.start { Self { start, ..Self::default() } } else { *self }
    }
}

#[cfg(test)]
mod tests;
