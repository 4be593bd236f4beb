//! What an attempt costs at a backend that has a price or a budget: set aside before it is sent, settled
//! when it is over.

use crate::fleet::{Live, Reservation};
use crate::openai::Usage;
use crate::policy::{BackendId, Facts, Money, Price, Reason};

/// What one attempt may cost.
#[derive(Debug)]
pub struct Fare {
    reservation: Option<Reservation>,
    price: Price,
    /// Estimated tokens of the prompt.
    prompt: u64,
    /// Whether it may have been read: then it costs something, whatever became of it.
    sent: bool,
}

/// What an attempt has cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// How much.
    pub money: Money,
    /// Whether that is a guess: the backend did not say what it used.
    pub estimated: bool,
}

/// What is known of an answer when it is over.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    /// Its status, where it has one.
    pub status: Option<u16>,
    /// What the backend said it used.
    pub usage: Option<Usage>,
    /// Tokens that went by, as far as they can be guessed.
    pub seen: u64,
    /// Whether nothing of it is missing.
    pub whole: bool,
}

impl Cost {
    /// Both together; a guess where one of them is.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { money: self.money.plus(other.money), estimated: self.estimated || other.estimated }
    }
}

impl Fare {
    /// Sets aside what the request may cost; `Ok(None)` where the backend has neither price nor budget.
    ///
    /// # Errors
    /// Its budget has no room for it.
    pub fn reserve(live: &Live, id: BackendId, facts: &Facts) -> Result<Option<Self>, Reason> {
        let Some(backend) = live.policy.backends.get(id.0) else { return Ok(None) };
        if backend.price.is_none() && backend.budget.is_none() {
            return Ok(None);
        }
        let reservation = live.reserve(id, facts)?;
        let price = backend.price.unwrap_or_default();
        Ok(Some(Self { reservation, price, prompt: facts.tokens, sent: false }))
    }

    /// The request goes out now.
    pub fn send(&mut self) {
        self.sent = true;
    }

    /// Whether it went out.
    pub const fn is_sent(&self) -> bool {
        self.sent
    }

    /// The request was sent and is over.
    pub fn settle(mut self, outcome: Outcome) -> Cost {
        let cost = self.cost(outcome);
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(cost.money);
        }
        cost
    }

    /// A failure is not billed. What is not reported is guessed: the estimated prompt, and what went by.
    fn cost(&self, outcome: Outcome) -> Cost {
        if outcome.status.is_some_and(|status| status >= 400) {
            return Cost { money: Money::default(), estimated: false };
        }
        let Usage { prompt, completion } = outcome.usage.unwrap_or_default();
        // A stream may say at its beginning how much it has written so far, and then break off.
        let completion = completion.filter(|told| outcome.whole || *told >= outcome.seen);
        let money = self.price.of(prompt.unwrap_or(self.prompt), completion.unwrap_or(outcome.seen));
        Cost { money, estimated: prompt.is_none() || completion.is_none() }
    }
}

/// An attempt that was given up: what was sent is taken for read.
impl Drop for Fare {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take().filter(|_| self.sent) {
            reservation.settle(self.cost(Outcome::default()).money);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(outcome: Outcome) -> (u64, bool) {
        let price = Price { prompt: Money(1), completion: Money(1_000) };
        let cost = Fare { reservation: None, price, prompt: 7, sent: true }.settle(outcome);
        (cost.money.0, cost.estimated)
    }

    #[test]
    fn what_is_reported_counts_and_what_is_not_is_guessed_and_said_so() {
        let usage = |prompt, completion| Some(Usage { prompt, completion });
        let answered = |usage| Outcome { status: Some(200), usage, seen: 5, whole: true };
        assert_eq!(cost(answered(usage(Some(9), Some(2)))), (2_009, false));
        assert_eq!(cost(answered(usage(Some(9), None))), (5_009, true));
        assert_eq!(cost(answered(None)), (5_007, true));
        assert_eq!(cost(Outcome::default()), (7, true), "it may have been read");
        assert_eq!(cost(Outcome { status: Some(429), ..Outcome::default() }), (0, false));
        let begun = |told| Outcome { whole: false, ..answered(usage(Some(9), Some(told))) };
        assert_eq!(cost(begun(1)), (5_009, true), "more went by than it had said when it broke off");
        assert_eq!(cost(begun(6)), (6_009, false));
    }
}
