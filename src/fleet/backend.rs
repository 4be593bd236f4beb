//! A backend's peers as they are now: healthy or not, exchanges in flight.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::rest::Rest;
use super::{News, Streak};
use crate::policy::{Backend, Health};

/// The peers of one backend.
#[derive(Debug)]
pub struct LiveBackend {
    /// The backend's name.
    pub name: String,
    /// Its peers, in the policy's order.
    pub peers: Vec<Arc<LivePeer>>,
}

/// One peer.
#[derive(Debug)]
pub struct LivePeer {
    /// `host:port` or `https://host[:port]`, as configured.
    pub address: String,
    /// The address where it is a literal; a name is resolved at each connect.
    pub literal: Option<SocketAddr>,
    /// What is resolved, `host:port`.
    pub target: String,
    /// The name that its certificate must have, where it is asked over TLS.
    pub tls_name: Option<String>,
    /// Wakes its probe before the interval is over.
    pub probe_now: Notify,
    streak: Mutex<Streak>,
    /// It failed in traffic, and no probe has spoken since.
    suspected: AtomicBool,
    /// What is known where nobody probes.
    rest: Mutex<Rest>,
    news: News,
    in_flight: AtomicUsize,
}

impl LiveBackend {
    /// The backend with all that is known of peers it had before.
    pub fn new(backend: &Backend, before: Option<&Self>, news: &News) -> Arc<Self> {
        let known = |address: &String| before?.peers.iter().find(|peer| peer.address == *address).cloned();
        let peers = backend
            .peers
            .iter()
            .map(|address| known(address).unwrap_or_else(|| LivePeer::new(address, news)));
        Arc::new(Self { name: backend.name.clone(), peers: peers.collect() })
    }

    /// Whether any peer may be used.
    pub fn is_usable(&self) -> bool {
        self.peers.iter().any(|peer| peer.is_healthy())
    }

    /// The peer with the fewest exchanges, of those that may be asked now.
    pub fn least_in_flight(&self, tried: &[Arc<LivePeer>]) -> Option<&Arc<LivePeer>> {
        self.askable(tried).min_by_key(|peer| peer.in_flight())
    }

    /// The peer that a conversation keeps, of those that may be asked now. By rendezvous hashing
    /// (Thaler and Ravishankar, 1996): a peer that comes or goes moves only its own share.
    pub fn by_conversation(&self, key: &[u8], tried: &[Arc<LivePeer>]) -> Option<&Arc<LivePeer>> {
        self.askable(tried).max_by_key(|peer| weight(key, &peer.address))
    }

    /// Whether there is a healthy peer besides those already tried.
    pub fn has_untried(&self, tried: &[Arc<LivePeer>]) -> bool {
        self.untried(tried).next().is_some()
    }

    /// Whether there are such peers, and each of them has failed in traffic: a probe, asked for already,
    /// says whether they may be asked again.
    pub fn awaits_probe(&self, tried: &[Arc<LivePeer>]) -> bool {
        self.has_untried(tried) && self.askable(tried).next().is_none()
    }

    fn untried(&self, tried: &[Arc<LivePeer>]) -> impl Iterator<Item = &Arc<LivePeer>> {
        let untried = |peer: &&Arc<LivePeer>| !tried.iter().any(|other| Arc::ptr_eq(other, peer));
        self.peers.iter().filter(|peer| peer.is_healthy()).filter(untried)
    }

    fn askable(&self, tried: &[Arc<LivePeer>]) -> impl Iterator<Item = &Arc<LivePeer>> {
        self.untried(tried).filter(|peer| !peer.suspected.load(Ordering::Acquire))
    }

    /// Exchanges in flight at all peers.
    pub fn in_flight(&self) -> usize {
        self.peers.iter().map(|peer| peer.in_flight()).sum()
    }
}

/// What is resolved, and the name in the certificate where there is one: `https://host` is port 443.
fn target(address: &str) -> (String, Option<String>) {
    let Some(host) = address.strip_prefix("https://") else { return (address.to_owned(), None) };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => return (format!("{host}:443"), Some(host.trim_matches(['[', ']']).to_owned())),
    };
    (host.to_owned(), Some(name.trim_matches(['[', ']']).to_owned()))
}

/// The same in every process and every run: two instances send a conversation to the same peer.
fn weight(key: &[u8], address: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, address).hash(&mut hasher);
    hasher.finish()
}

impl LivePeer {
    fn new(address: &str, news: &News) -> Arc<Self> {
        let (target, tls_name) = target(address);
        Arc::new(Self {
            address: address.to_owned(),
            literal: target.parse().ok(),
            target,
            tls_name,
            probe_now: Notify::new(),
            streak: Mutex::new(Streak::new()),
            suspected: AtomicBool::new(false),
            rest: Mutex::default(),
            news: news.clone(),
            in_flight: AtomicUsize::new(0),
        })
    }

    /// Whether it may be used.
    pub fn is_healthy(&self) -> bool {
        self.streak.lock().is_healthy() && !self.rest.lock().is_resting(Instant::now)
    }

    /// It has answered something; where nobody probes, its failures are forgotten.
    pub fn answered(&self) {
        self.rest.lock().answered();
    }

    /// It asks to be left alone for so long.
    pub fn leave_alone(&self, time: Duration) {
        self.rest.lock().asked_for(time, Instant::now());
    }

    /// `Host` for a request to it: the port is left out where it is the usual one.
    pub fn host(&self) -> &str {
        let host = self.target.strip_suffix(":443").filter(|_| self.tls_name.is_some());
        host.unwrap_or(&self.target)
    }

    /// Takes a probe into account; `Some` when the peer turned healthy or unhealthy by it.
    pub fn observe(&self, good: bool, health: &Health) -> Option<bool> {
        let turned = self.streak.lock().observe(good, health);
        let spoken = self.suspected.swap(false, Ordering::AcqRel);
        if turned.is_some() || spoken {
            self.news.ring();
        }
        turned
    }

    /// It failed in traffic: that counts as a failed probe, and it is not asked again until a probe, which
    /// is asked for at once, has spoken. Without probes nothing could speak for it: it is left alone for a
    /// while when it fails again and again.
    pub fn suspect(&self, health: Option<&Health>) {
        let Some(health) = health else { return self.rest.lock().failed(Instant::now()) };
        self.suspected.store(true, Ordering::Release);
        if self.streak.lock().observe(false, health).is_some() {
            self.news.ring();
        }
        self.probe_now.notify_one();
    }

    /// Exchanges in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample;

    fn backend(peers: &[&str]) -> Arc<LiveBackend> {
        let peers = peers.iter().map(ToString::to_string).collect();
        LiveBackend::new(&Backend { peers, ..sample::backend("b", "m", None) }, None, &News::new())
    }

    #[test]
    fn a_conversation_keeps_its_peer_and_a_peer_that_goes_moves_only_its_share() {
        let (three, two) = (backend(&["a:1", "b:1", "c:1"]), backend(&["a:1", "b:1"]));
        let mut share = 0;
        for number in 0..600_u32 {
            let key = number.to_be_bytes();
            let before = &three.by_conversation(&key, &[]).unwrap().address;
            assert_eq!(before, &three.by_conversation(&key, &[]).unwrap().address);
            let after = &two.by_conversation(&key, &[]).unwrap().address;
            assert!(before == "c:1" || before == after, "{number} moved from {before} to {after}");
            share += u32::from(before == "c:1");
        }
        assert!((100..300).contains(&share), "a third, more or less, had the third peer: {share}");
    }

    #[test]
    fn the_idlest_peer_is_chosen_and_never_one_already_tried() {
        let backend = backend(&["a:1", "b:1"]);
        let [first, second] = backend.peers.as_slice() else { panic!("two peers") };
        first.enter();
        assert!(Arc::ptr_eq(backend.least_in_flight(&[]).unwrap(), second));
        assert!(Arc::ptr_eq(backend.least_in_flight(&[Arc::clone(second)]).unwrap(), first));
        assert!(backend.least_in_flight(&backend.peers).is_none());
    }

    #[test]
    fn what_failed_in_traffic_is_not_asked_until_a_probe_has_spoken() {
        let backend = backend(&["a:1", "b:1"]);
        let [first, second] = backend.peers.as_slice() else { panic!("two peers") };
        let health = Health { unhealthy_after: 3, ..sample::backend("b", "m", None).health.unwrap() };
        backend.peers.iter().for_each(|peer| assert_eq!(peer.observe(true, &health), Some(true)));
        first.suspect(Some(&health));
        assert!(Arc::ptr_eq(backend.least_in_flight(&[]).unwrap(), second));
        assert!(!backend.awaits_probe(&[]), "the other one may be asked");
        assert!(backend.awaits_probe(&[Arc::clone(second)]));
        second.suspect(Some(&health));
        assert!(backend.awaits_probe(&[]) && backend.least_in_flight(&[]).is_none());
        assert!(backend.is_usable(), "one failure of three");
        assert_eq!(first.observe(false, &health), None, "two of three: the operator wants it asked");
        assert!(Arc::ptr_eq(backend.by_conversation(b"c", &[]).unwrap(), first));
        first.suspect(Some(&health));
        assert!(!backend.has_untried(&[Arc::clone(second)]), "three in a row");
    }

    #[test]
    fn without_probes_a_peer_that_fails_again_is_left_alone() {
        let backend = backend(&["a:1"]);
        let peer = &backend.peers[0];
        peer.suspect(None);
        peer.answered();
        peer.suspect(None);
        assert!(backend.is_usable() && backend.least_in_flight(&[]).is_some());
        peer.suspect(None);
        assert!(!backend.is_usable());
    }

    #[test]
    fn an_address_says_where_to_connect_and_whose_certificate_it_must_be() {
        let shape = |address| {
            let peer = LivePeer::new(address, &News::new());
            (peer.target.clone(), peer.tls_name.clone(), peer.host().to_owned())
        };
        let tls = |target: &str, name: &str, host: &str| (target.into(), Some(name.into()), host.into());
        assert_eq!(shape("pc:8000"), ("pc:8000".into(), None, "pc:8000".into()));
        assert_eq!(shape("https://api.z.ai"), tls("api.z.ai:443", "api.z.ai", "api.z.ai"));
        assert_eq!(shape("https://a.b:444"), tls("a.b:444", "a.b", "a.b:444"));
        assert_eq!(shape("https://[::1]:444"), tls("[::1]:444", "::1", "[::1]:444"));
        assert_eq!(shape("https://[::1]"), tls("[::1]:443", "::1", "[::1]"));
    }
}
