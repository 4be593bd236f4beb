//! Those who have a key, as they are now: found by it, and each with its bucket of requests.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::policy::{Client, KeyHash, Rate};

/// One client.
#[derive(Debug)]
pub struct LiveClient {
    /// Its name.
    pub name: String,
    rate: Option<Rate>,
    bucket: Option<Bucket>,
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<std::time::Instant>>;

impl LiveClient {
    /// The client with its bucket as full as it was, unless its rate has changed.
    pub fn new(client: &Client, before: Option<&Arc<Self>>) -> Arc<Self> {
        match before.filter(|known| known.rate == client.rate) {
            Some(known) => Arc::clone(known),
            None => Arc::new(Self {
                name: client.name.clone(),
                rate: client.rate,
                bucket: client.rate.and_then(bucket),
            }),
        }
    }

    /// Takes one request out of its bucket.
    ///
    /// # Errors
    /// How long until there is one.
    pub fn take(&self) -> Result<(), Duration> {
        let Some(bucket) = &self.bucket else { return Ok(()) };
        bucket.check().map_err(|early| early.wait_time_from(MonotonicClock.now()))
    }
}

fn bucket(rate: Rate) -> Option<Bucket> {
    let trickle = rate.per.checked_div(rate.requests)?;
    let quota = Quota::with_period(trickle)?.allow_burst(NonZeroU32::new(rate.burst)?);
    Some(RateLimiter::direct_with_clock(quota, MonotonicClock))
}

/// The place of the client whose key this is. Every client is looked at, in the same time for each.
pub fn holder(clients: &[Client], key: &[u8]) -> Option<usize> {
    let hash: KeyHash = Sha256::digest(key).into();
    let (mut place, mut found) = (0_u64, Choice::from(0));
    for (at, client) in (0_u64..).zip(clients) {
        let is = client.key.ct_eq(&hash);
        place = u64::conditional_select(&place, &at, is);
        found |= is;
    }
    bool::from(found).then(|| usize::try_from(place).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str, key: &str) -> Client {
        Client { name: name.into(), key: Sha256::digest(key).into(), rate: None, models: None }
    }

    #[test]
    fn a_key_is_its_holders_alone() {
        let clients = [client("a", "one"), client("b", "two"), client("c", "three")];
        assert_eq!(holder(&clients, b"one"), Some(0));
        assert_eq!(holder(&clients, b"three"), Some(2));
        for stranger in ["", "on", "one ", "ONE", "four"] {
            assert_eq!(holder(&clients, stranger.as_bytes()), None, "{stranger:?}");
        }
        assert_eq!(holder(&[], b""), None);
    }

    #[test]
    fn a_bucket_holds_its_burst_and_survives_what_changes_nothing() {
        let rate = Rate { requests: 60, per: Duration::from_secs(3_600), burst: 2 };
        let slow = Client { rate: Some(rate), ..client("a", "k") };
        let first = LiveClient::new(&slow, None);
        assert!(first.take().is_ok() && first.take().is_ok());
        let wait = first.take().unwrap_err();
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60), "{wait:?}");
        assert!(LiveClient::new(&slow, Some(&first)).take().is_err(), "a reload fills no bucket");
        let faster = Client { rate: Some(Rate { burst: 3, ..rate }), ..slow };
        assert!(LiveClient::new(&faster, Some(&first)).take().is_ok());
    }
}
