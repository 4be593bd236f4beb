//! The one current policy with the live state behind each of its names.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::client::{self, LiveClient};
use super::ledger::{Ledger, Reservation};
use super::{Held, LiveBackend, LiveGate, LiveGpu, LivePeer, News, Slot};
use crate::policy::{BackendId, Balance, Facts, Money, Policy, Reason, View};
use crate::prompt::Patterns;
use crate::wire::HeaderTests;

/// Holds the current [`Live`]; readers never wait.
#[derive(Debug)]
pub struct Fleet {
    live: ArcSwap<Live>,
    /// Every card that something still runs on, also one that the policy no longer names: a policy that
    /// names it again must not spend its budget twice.
    cards: Mutex<HashMap<String, Weak<LiveGpu>>>,
}

/// A policy in force: what an exchange is decided under, from its beginning to its end.
#[derive(Debug)]
pub struct Live {
    /// What the operator wrote.
    pub policy: Policy,
    /// Its prompt patterns, compiled.
    pub patterns: Patterns,
    /// Its header tests, compiled.
    pub header_tests: HeaderTests,
    /// Counts policies since the start, from 1.
    pub generation: u64,
    /// A short digest of the file.
    pub hash: String,
    /// When it came into force.
    pub loaded_at: SystemTime,
    /// Each gate, in the policy's order.
    pub gates: Vec<Arc<LiveGate>>,
    /// Each backend, in the policy's order.
    pub backends: Vec<Arc<LiveBackend>>,
    /// Each card, in the policy's order.
    pub gpus: Vec<Arc<LiveGpu>>,
    /// Each client, in the policy's order.
    pub clients: Vec<Arc<LiveClient>>,
    /// What of the budgets is used.
    pub ledger: Arc<Ledger>,
    /// Rings when a waiting exchange must decide again.
    pub news: News,
}

/// A pattern of the policy that does not compile: its source and why.
#[derive(Debug, thiserror::Error)]
#[error("pattern {pattern:?}: {why}")]
pub struct Unfit {
    /// The pattern's source.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

impl Fleet {
    /// A fleet with its first policy.
    ///
    /// # Errors
    /// [`Unfit`] when a pattern does not compile; `config` has checked them, so it does not happen.
    pub fn new(policy: Policy, hash: String) -> Result<Arc<Self>, Unfit> {
        Self::with_ledger(policy, hash, Ledger::new(BTreeMap::new()))
    }

    /// A fleet with its first policy, and what is known of its budgets.
    ///
    /// # Errors
    /// As [`Fleet::new`].
    pub fn with_ledger(policy: Policy, hash: String, ledger: Arc<Ledger>) -> Result<Arc<Self>, Unfit> {
        let live = Live::new(policy, hash, None, &HashMap::new(), ledger)?;
        Ok(Arc::new(Self { live: ArcSwap::from_pointee(live), cards: Mutex::default() }))
    }

    /// Puts another policy in force; its generation. What both name keeps its state, and whoever waits
    /// decides again. Called by one at a time.
    ///
    /// # Errors
    /// [`Unfit`], and nothing has changed.
    pub fn replace(&self, policy: Policy, hash: String) -> Result<u64, Unfit> {
        let before = self.live();
        let mut cards = self.cards.lock();
        cards.retain(|_, card| card.strong_count() > 0);
        cards.extend(before.gpus.iter().map(|gpu| (gpu.name.clone(), Arc::downgrade(gpu))));
        let live = Live::new(policy, hash, Some(&before), &cards, Arc::clone(&before.ledger))?;
        let (generation, news) = (live.generation, live.news.clone());
        self.live.store(Arc::new(live));
        news.ring();
        Ok(generation)
    }

    /// The policy in force now.
    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }
}

impl Live {
    fn new(
        policy: Policy,
        hash: String,
        before: Option<&Self>,
        cards: &HashMap<String, Weak<LiveGpu>>,
        ledger: Arc<Ledger>,
    ) -> Result<Self, Unfit> {
        let patterns = Patterns::new(&policy.prompt)
            .map_err(|error| Unfit { pattern: error.pattern, why: error.problem.to_string() })?;
        let header_tests =
            HeaderTests::new(&policy.header_tests).map_err(|(pattern, why)| Unfit { pattern, why })?;
        let gate = |name: &str| before?.gates.iter().find(|gate| gate.name == name);
        let backend = |name: &str| before?.backends.iter().find(|backend| backend.name == name);
        let gpu = |name: &str| cards.get(name)?.upgrade();
        let client = |name: &str| before?.clients.iter().find(|client| client.name == name);
        let news = before.map_or_else(News::new, |before| before.news.clone());
        Ok(Self {
            gates: policy.gates.iter().map(|new| LiveGate::new(new, gate(&new.name), &news)).collect(),
            backends: policy
                .backends
                .iter()
                .map(|new| LiveBackend::new(new, backend(&new.name).map(AsRef::as_ref), &news))
                .collect(),
            gpus: policy.gpus.iter().map(|new| LiveGpu::new(new, gpu(&new.name).as_ref())).collect(),
            clients: policy.clients.iter().map(|new| LiveClient::new(new, client(&new.name))).collect(),
            ledger,
            generation: before.map_or(1, |before| before.generation + 1),
            loaded_at: SystemTime::now(),
            policy,
            patterns,
            header_tests,
            hash,
            news,
        })
    }

    /// What a decision about this request sees now, or one about any where there is none; `excluded` are
    /// backends that this exchange has found wanting.
    pub fn view(&self, facts: Option<&Facts>, excluded: &[(BackendId, Reason)]) -> View {
        let gates = self.gates.iter().map(|gate| gate.view()).collect();
        let unusable = |(at, backend): (usize, &Arc<LiveBackend>)| match backend.is_usable() {
            false => Some(Reason::Unhealthy),
            true => (!self.affords(BackendId(at), facts)).then_some(Reason::OverBudget),
        };
        let mut backends: Vec<_> = self.backends.iter().enumerate().map(unusable).collect();
        for (id, reason) in excluded {
            if let Some(known) = backends.get_mut(id.0) {
                *known = Some(*reason);
            }
        }
        View { gates, backends }
    }

    /// A place at a peer of this backend for one attempt; `None` when all its untried peers have become
    /// unusable since the decision, which is then to be made again. `conversation` tells conversations
    /// apart.
    pub fn slot(
        &self,
        id: BackendId,
        conversation: &[u8],
        tried: &[Arc<LivePeer>],
        lease: Option<Held>,
    ) -> Option<Slot> {
        let (backend, configured) = (self.backends.get(id.0)?, self.policy.backends.get(id.0)?);
        let peer = match configured.balance {
            Balance::LeastInFlight => backend.least_in_flight(tried)?,
            Balance::PrefixHash => backend.by_conversation(conversation, tried)?,
        };
        Some(Slot::new(Arc::clone(peer), lease))
    }

    /// Whether the backend's budget, if it has one, has room for this request; or for the least there is.
    fn affords(&self, id: BackendId, facts: Option<&Facts>) -> bool {
        let Some((backend, budget)) = self.policy.backends.get(id.0).and_then(|it| Some((it, it.budget?)))
        else {
            return true;
        };
        let price = backend.price.unwrap_or_default();
        let cost = facts.map_or(Money(1), |facts| price.reserved(facts));
        self.ledger.fits(&backend.name, &budget, cost)
    }

    /// Sets aside what this request may cost there. `Ok(None)`: there is no budget.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn reserve(&self, id: BackendId, facts: &Facts) -> Result<Option<Reservation>, Reason> {
        let Some((backend, budget)) = self.policy.backends.get(id.0).and_then(|it| Some((it, it.budget?)))
        else {
            return Ok(None);
        };
        let cost = backend.price.unwrap_or_default().reserved(facts);
        self.ledger.reserve(&backend.name, &budget, cost).map(Some).ok_or(Reason::OverBudget)
    }

    /// The client whose key this is.
    pub fn holder(&self, key: &[u8]) -> Option<&Arc<LiveClient>> {
        self.clients.get(client::holder(&self.policy.clients, key)?)
    }

    /// The gate that a backend stands behind.
    pub fn gate_of(&self, id: BackendId) -> Option<&Arc<LiveGate>> {
        self.gates.get(self.policy.backends.get(id.0)?.gate?.0)
    }
}
