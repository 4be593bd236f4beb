//! What clients saw, added up and held against what the proxy says.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;

use super::support::client::eventually;
use super::support::gateway::Gateway;

/// How a request ended for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Whole, with this status.
    Whole(u16),
    /// A stream that broke and said so.
    LastWord(u16),
    /// An answer that broke off in its middle.
    Broken(u16),
    /// The client left; what it was told does not count.
    Left,
    /// The connection ended without a word: nobody may see that.
    Nothing,
}

/// All ends.
#[derive(Default)]
pub struct Tally(Mutex<BTreeMap<End, usize>>);

impl Tally {
    /// One more.
    pub fn note(&self, end: End) {
        *self.0.lock().expect("no thread panics with the lock").entry(end).or_default() += 1;
    }

    /// All of them, for people.
    pub fn words(&self) -> String {
        format!("{:?}", self.0.lock().expect("no thread panics with the lock"))
    }

    /// Every request was answered, refused or aborted exactly once, and metrics and log say the same.
    ///
    /// # Panics
    /// When not.
    pub fn agrees(&self, gateway: &Gateway) {
        let ends = self.0.lock().expect("no thread panics with the lock").clone();
        assert_eq!(ends.get(&End::Nothing), None, "every client was told something: {ends:?}");
        let (all, left) = (ends.values().sum::<usize>(), ends.get(&End::Left).copied().unwrap_or(0));
        let counted = || gateway.count("sluice_requests_total", &[]);
        let told = eventually(Duration::from_secs(5), || counted() == all);
        assert!(told, "the metrics count {}, the clients {all}: {ends:?}", counted());
        let mut by_status: BTreeMap<u16, usize> = BTreeMap::new();
        for (end, count) in &ends {
            if let End::Whole(status) | End::LastWord(status) | End::Broken(status) = end {
                *by_status.entry(*status).or_default() += count;
            }
        }
        let mut more = 0;
        for (status, seen) in by_status {
            let counted = gateway.count("sluice_requests_total", &[&format!("status=\"{status}\"")]);
            assert!(counted >= seen, "{status}: {counted} counted, {seen} seen: {ends:?}");
            more += counted - seen;
        }
        assert!(more <= left, "{more} more were counted than seen, {left} left: {ends:?}");
        told_once(gateway);
    }
}

/// The log has one line a request.
fn told_once(gateway: &Gateway) {
    let mut lines: HashMap<String, usize> = HashMap::new();
    for line in gateway.process.lines().iter().filter(|line| line.contains(" exchange ")) {
        if let Some(id) = line.split("request_id=").nth(1).and_then(|rest| rest.split(' ').next()) {
            *lines.entry(id.to_owned()).or_default() += 1;
        }
    }
    let twice: Vec<_> = lines.iter().filter(|(_, count)| **count != 1).collect();
    assert!(!lines.is_empty() && twice.is_empty(), "told more than once: {twice:?}");
}

/// What the process holds.
#[derive(Debug)]
pub struct Held {
    descriptors: usize,
    resident: usize,
}

impl Held {
    /// Now.
    pub fn now(gateway: &Gateway) -> Self {
        Self { descriptors: gateway.process.descriptors(), resident: gateway.process.resident() }
    }

    /// Nothing is in flight, queued or held, and descriptors and memory are back.
    ///
    /// # Panics
    /// When not.
    pub fn is_back(gateway: &Gateway, before: &Self) {
        for card in ["one", "two"] {
            gateway.wait_card(card, 0, 0);
        }
        for backend in ["small/peers/0", "small/peers/1", "big/peers/0", "tts/peers/0"] {
            gateway.wait_status(&format!("/backends/{backend}/in_flight"), &json!(0));
        }
        for count in ["in_flight", "forced"] {
            gateway.wait_status(&format!("/gates/gaming_pc/{count}"), &json!(0));
        }
        for name in
            ["sluice_in_flight", "sluice_gpu_in_flight", "sluice_queue_depth", "sluice_buffered_bytes"]
        {
            assert!(gateway.metric(name, &[]) == 0.0, "{name} = {}", gateway.metric(name, &[]));
        }
        // pooled connections are given up after four idle seconds
        let back = || gateway.process.descriptors() <= before.descriptors + 8;
        let now = || Self::now(gateway);
        assert!(eventually(Duration::from_secs(10), back), "{before:?}, now {:?}", now());
        assert!(now().resident < before.resident + (24 << 20), "{before:?}, now {:?}", now());
        println!("soak: before {before:?}, after {:?}", now());
    }
}
