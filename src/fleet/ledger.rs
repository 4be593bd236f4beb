//! Every budget that was ever used, by the backend's name: it outlives reloads, and restarts as a file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::account::{Account, Entry};
use crate::policy::{Budget, Money};

/// All accounts.
#[derive(Debug)]
pub struct Ledger {
    accounts: Mutex<BTreeMap<String, Account>>,
    /// Counts changes: who writes the file waits for the next.
    changes: watch::Sender<u64>,
}

/// Money and a place that are set aside for one request; given back when dropped unsettled.
#[derive(Debug)]
pub struct Reservation {
    ledger: Arc<Ledger>,
    backend: String,
    entry: Option<Entry>,
}

/// A budget's use in its current period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// Settled.
    pub spent: Money,
    /// Set aside for what runs.
    pub reserved: Money,
    /// Requests begun.
    pub requests: u64,
    /// When the next period begins, in seconds since 1970.
    pub resets_at: u64,
}

impl Ledger {
    /// A ledger with what a file knew.
    pub fn new(saved: BTreeMap<String, Account>) -> Arc<Self> {
        let accounts = saved.into_iter().map(|(name, account)| (name, account.after_restart())).collect();
        Arc::new(Self { accounts: Mutex::new(accounts), changes: watch::Sender::new(0) })
    }

    /// Whether this much more fits into a backend's budget now.
    pub fn fits(&self, backend: &str, budget: &Budget, cost: Money) -> bool {
        self.account(backend).fits(budget, cost, now())
    }

    /// Sets this much aside; `None` when it does not fit.
    pub fn reserve(self: &Arc<Self>, backend: &str, budget: &Budget, cost: Money) -> Option<Reservation> {
        let entry = self.change(backend, |account| account.reserve(budget, cost, now()))?;
        Some(Reservation { ledger: Arc::clone(self), backend: backend.to_owned(), entry: Some(entry) })
    }

    /// How much of a budget is used.
    pub fn used(&self, backend: &str, budget: &Budget) -> Use {
        let now = now();
        let (spent, reserved, requests) = self.account(backend).used(budget, now);
        let resets_at = budget.period_start(now) + budget.per.as_secs().max(1);
        Use { spent, reserved, requests, resets_at }
    }

    /// Everything, for the file.
    pub fn accounts(&self) -> BTreeMap<String, Account> {
        self.accounts.lock().clone()
    }

    /// Hears of every change from now on.
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn account(&self, backend: &str) -> Account {
        self.accounts.lock().get(backend).copied().unwrap_or_default()
    }

    fn change<T>(&self, backend: &str, change: impl FnOnce(&mut Account) -> T) -> T {
        let changed = change(self.accounts.lock().entry(backend.to_owned()).or_default());
        self.changes.send_modify(|count| *count += 1);
        changed
    }
}

impl Reservation {
    /// The request is over and has cost this much.
    pub fn settle(mut self, actual: Money) {
        if let Some(entry) = self.entry.take() {
            self.ledger.change(&self.backend, |account| account.settle(entry, actual));
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.ledger.change(&self.backend, |account| account.release(entry));
        }
    }
}

impl Use {
    /// How much of the budget is spent or set aside, 1 for all of it; the fuller of the two where money and
    /// requests are limited.
    #[expect(clippy::cast_precision_loss, reason = "a share for people to look at")]
    pub fn ratio(&self, budget: &Budget) -> f64 {
        let share = |used: u64, limit: u64| if limit == 0 { 1.0 } else { used as f64 / limit as f64 };
        let money = budget.money.map_or(0.0, |limit| share(self.spent.plus(self.reserved).0, limit.0));
        budget.requests.map_or(money, |limit| share(self.requests, limit).max(money))
    }

    /// Seconds until the next period.
    pub fn reset_in(&self) -> u64 {
        self.resets_at.saturating_sub(now())
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
