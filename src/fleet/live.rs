//! The one current policy with the live state behind each of its names.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;

use super::{Held, LiveBackend, LiveGate, LiveGpu, LivePeer, News, Slot};
use crate::policy::{BackendId, Balance, Policy, Reason, View};
use crate::prompt::Patterns;
use crate::wire::HeaderTests;

/// Holds the current [`Live`]; readers never wait.
#[derive(Debug)]
pub struct Fleet {
    live: ArcSwap<Live>,
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
        let live = Live::new(policy, hash, None)?;
        Ok(Arc::new(Self { live: ArcSwap::from_pointee(live) }))
    }

    /// Puts another policy in force; its generation. What both name keeps its state, and whoever waits
    /// decides again. Called by one at a time.
    ///
    /// # Errors
    /// [`Unfit`], and nothing has changed.
    pub fn replace(&self, policy: Policy, hash: String) -> Result<u64, Unfit> {
        let live = Live::new(policy, hash, Some(&self.live()))?;
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
    fn new(policy: Policy, hash: String, before: Option<&Self>) -> Result<Self, Unfit> {
        let patterns = Patterns::new(&policy.prompt)
            .map_err(|error| Unfit { pattern: error.pattern, why: error.problem.to_string() })?;
        let header_tests =
            HeaderTests::new(&policy.header_tests).map_err(|(pattern, why)| Unfit { pattern, why })?;
        let gate = |name: &str| before?.gates.iter().find(|gate| gate.name == name);
        let backend = |name: &str| before?.backends.iter().find(|backend| backend.name == name);
        let gpu = |name: &str| before?.gpus.iter().find(|gpu| gpu.name == name);
        let news = before.map_or_else(News::new, |before| before.news.clone());
        Ok(Self {
            gates: policy.gates.iter().map(|new| LiveGate::new(new, gate(&new.name), &news)).collect(),
            backends: policy
                .backends
                .iter()
                .map(|new| LiveBackend::new(new, backend(&new.name).map(AsRef::as_ref), &news))
                .collect(),
            gpus: policy.gpus.iter().map(|new| LiveGpu::new(new, gpu(&new.name))).collect(),
            generation: before.map_or(1, |before| before.generation + 1),
            loaded_at: SystemTime::now(),
            policy,
            patterns,
            header_tests,
            hash,
            news,
        })
    }

    /// What a decision sees now; `excluded` are backends that this exchange has found wanting.
    pub fn view(&self, excluded: &[(BackendId, Reason)]) -> View {
        let gates = self.gates.iter().map(|gate| gate.view()).collect();
        let mut backends: Vec<_> =
            self.backends.iter().map(|backend| (!backend.is_usable()).then_some(Reason::Unhealthy)).collect();
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

    /// The gate that a backend stands behind.
    pub fn gate_of(&self, id: BackendId) -> Option<&Arc<LiveGate>> {
        self.gates.get(self.policy.backends.get(id.0)?.gate?.0)
    }
}
