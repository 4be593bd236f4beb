//! What a backend costs and how much of it may be used: prices, budgets, and the secret it asks for.

use std::fmt;
use std::time::Duration;

use super::Facts;

/// An amount of money in 10⁻¹² US dollars: a price of one dollar for a million tokens is 10⁶ of them a
/// token, so that nothing is ever rounded but the price itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(pub u64);

/// What one token costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// One token of the prompt.
    pub prompt: Money,
    /// One token of the answer.
    pub completion: Money,
}

/// How much of a backend may be used in each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Money, where it is limited.
    pub money: Option<Money>,
    /// Requests, where they are limited.
    pub requests: Option<u64>,
    /// The period: whole ones are counted from 1970-01-01 00:00 UTC, so that a day begins at midnight UTC.
    pub per: Duration,
}

/// A key that is sent and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Output tokens that are reserved for a request which names no limit.
pub const RESERVED_OUTPUT: u64 = 4_096;

impl Money {
    const PER_DOLLAR: f64 = 1e12;

    /// So many US dollars, rounded to 10⁻¹²; nothing for what is no amount.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float cast saturates")]
    pub fn of_dollars(dollars: f64) -> Self {
        Self((dollars * Self::PER_DOLLAR).round() as u64)
    }

    /// In US dollars.
    #[expect(clippy::cast_precision_loss, reason = "shown to people and to metrics, not counted with")]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / Self::PER_DOLLAR
    }

    /// The sum, or the most there is.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or nothing.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Price {
    /// What this many tokens cost.
    pub const fn of(self, prompt: u64, completion: u64) -> Money {
        let prompt = Money(self.prompt.0.saturating_mul(prompt));
        prompt.plus(Money(self.completion.0.saturating_mul(completion)))
    }

    /// What is reserved for a request: its estimated prompt, and the output it asks for or
    /// [`RESERVED_OUTPUT`] tokens.
    pub fn reserved(self, facts: &Facts) -> Money {
        self.of(facts.tokens, facts.max_output_tokens.unwrap_or(RESERVED_OUTPUT))
    }
}

impl Budget {
    /// When the period that `now` lies in began. Both in seconds since 1970.
    pub fn period_start(&self, now: u64) -> u64 {
        now - now % self.per.as_secs().max(1)
    }
}

impl Secret {
    /// A key.
    pub const fn new(key: String) -> Self {
        Self(key)
    }

    /// The key, to be sent.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample;

    #[test]
    fn a_price_is_exact() {
        let price = Price { prompt: Money::of_dollars(0.60e-6), completion: Money::of_dollars(2.20e-6) };
        assert_eq!(price, Price { prompt: Money(600_000), completion: Money(2_200_000) });
        assert_eq!(price.of(1_000_000, 1_000_000), Money::of_dollars(2.8));
        assert_eq!(price.of(u64::MAX, 1), Money(u64::MAX), "no overflow");
    }

    #[test]
    fn what_names_no_limit_reserves_a_usual_answer() {
        let price = Price { prompt: Money(1), completion: Money(1_000) };
        let facts = sample::facts();
        assert_eq!(price.reserved(&facts), Money(123 + 4_096_000));
        assert_eq!(price.reserved(&Facts { max_output_tokens: Some(2), ..facts }), Money(2_123));
    }

    #[test]
    fn a_day_begins_at_midnight_utc() {
        let budget = Budget { money: None, requests: Some(1), per: Duration::from_secs(86_400) };
        assert_eq!(budget.period_start(1_700_000_000), 1_699_920_000);
        assert_eq!(budget.period_start(1_699_920_000), 1_699_920_000);
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Some(Secret::new("sk-1".into()))), "Some(Secret)");
    }
}
