//! Who may ask: a client's key, how often it may come, and which names it may send.

use std::time::Duration;

/// SHA-256 of a client's key; the key itself is nowhere.
pub type KeyHash = [u8; 32];

/// Somebody who has a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its name: in rules, records and logs.
    pub name: String,
    /// What its key hashes to.
    pub key: KeyHash,
    /// How often it may come; `None`: as often as it likes.
    pub rate: Option<Rate>,
    /// The models it may name; `None`: all.
    pub models: Option<Vec<String>>,
}

/// A token bucket: it holds `burst`, and `requests` trickle in each `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests in each period.
    pub requests: u32,
    /// The period.
    pub per: Duration,
    /// The bucket's size: requests that may come at one time.
    pub burst: u32,
}
