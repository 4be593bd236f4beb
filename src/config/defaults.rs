//! Every default and every legal range of both files, in one place. Values out of range are refused, never
//! clamped. The shipped files in `conf/`, their schemas and `docs/configuration.md` repeat them; a test compares.

use std::time::Duration;

/// A default and its legal range, both ends included.
pub(super) struct Bounded<T> {
    pub(super) default: T,
    pub(super) least: T,
    pub(super) most: T,
}

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// An interval or timeout: 50ms to 24h.
const fn timeout(default: Duration) -> Bounded<Duration> {
    Bounded { default, least: SHORTEST, most: LONGEST }
}

/// A time that may be nothing at all: 0s to 24h.
const fn grace(default: Duration) -> Bounded<Duration> {
    Bounded { default, least: Duration::ZERO, most: LONGEST }
}

const fn count(default: u32, least: u32, most: u32) -> Bounded<u32> {
    Bounded { default, least, most }
}

const fn bytes(default: u64, least: u64, most: u64) -> Bounded<u64> {
    Bounded { default, least, most }
}

/// The only `version` there is.
pub(super) const VERSION: Bounded<u32> = count(1, 1, 1);

// sluice.yaml
pub(super) const LISTEN_PROXY: &str = "0.0.0.0:8080";
pub(super) const LISTEN_ADMIN: &str = "127.0.0.1:8081";
pub(super) const POLICY: &str = "policy.yaml";
pub(super) const THREADS: Bounded<u32> = count(2, 1, 64);
pub(super) const BODY: Bounded<u64> = bytes(32 * MIB, KIB, 256 * MIB);
pub(super) const BUFFERED: Bounded<u64> = bytes(512 * MIB, KIB, 64 * GIB);
pub(super) const REQUESTS: Bounded<u32> = count(1024, 1, 65_536);
pub(super) const HEADER_READ_TIMEOUT: Bounded<Duration> = timeout(Duration::from_secs(10));
pub(super) const BODY_READ_TIMEOUT: Bounded<Duration> = timeout(Duration::from_secs(30));
pub(super) const WRITE_TIMEOUT: Bounded<Duration> = timeout(Duration::from_secs(60));
pub(super) const KEEPALIVE_TIMEOUT: Bounded<Duration> = timeout(Duration::from_secs(75));
pub(super) const AUDIT_MAX_SIZE: Bounded<u64> = bytes(64 * MIB, KIB, 1024 * GIB);
pub(super) const AUDIT_KEEP: Bounded<u32> = count(5, 0, 1000);
pub(super) const SHUTDOWN_GRACE: Bounded<Duration> = grace(Duration::from_secs(30));

// policy.yaml: gpus. `max_in_flight` has no default: only the operator knows what fits into the card's memory.
pub(super) const MAX_IN_FLIGHT: Bounded<u32> = count(1, 1, 1024);
pub(super) const MAX_QUEUE: Bounded<u32> = count(16, 0, 65_536);
pub(super) const QUEUE_TIMEOUT: Bounded<Duration> = timeout(Duration::from_secs(60));
pub(super) const EXCLUSIVE_WAIT: Bounded<Duration> = grace(Duration::from_secs(10));

// policy.yaml: gates
pub(super) const POLL_INTERVAL: Bounded<Duration> = timeout(Duration::from_secs(1));
pub(super) const POLL_TIMEOUT: Bounded<Duration> = timeout(Duration::from_millis(500));
pub(super) const STALE_AFTER: Bounded<Duration> = timeout(Duration::from_secs(5));
pub(super) const DRAIN_TIMEOUT: Bounded<Duration> = grace(Duration::from_secs(30));

// policy.yaml: backends
pub(super) const CONNECT: Bounded<Duration> = timeout(Duration::from_secs(1));
pub(super) const FIRST_BYTE: Bounded<Duration> = timeout(Duration::from_secs(5 * 60));
pub(super) const IDLE: Bounded<Duration> = timeout(Duration::from_secs(2 * 60));
pub(super) const HEALTH_PATH: &str = "/health";
pub(super) const HEALTH_INTERVAL: Bounded<Duration> = timeout(Duration::from_secs(2));
pub(super) const HEALTH_TIMEOUT: Bounded<Duration> = timeout(Duration::from_secs(1));
pub(super) const UNHEALTHY_AFTER: Bounded<u32> = count(2, 1, 100);
pub(super) const HEALTHY_AFTER: Bounded<u32> = count(1, 1, 100);
pub(super) const FAILOVER_ON: [u16; 3] = [502, 503, 504];
/// Statuses that may be in `failover_on`; the default has no meaning here.
pub(super) const FAILOVER_STATUS: Bounded<u32> = count(502, 400, 599);
/// Tokens; without it a backend takes any number.
pub(super) const CONTEXT_WINDOW: Bounded<u64> = Bounded { default: 0, least: 1, most: 1_000_000_000 };

// policy.yaml: clients, prices, budgets
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
pub(super) const RATE_REQUESTS: Bounded<u32> = count(1, 1, 1_000_000);
pub(super) const RATE_BURST: Bounded<u32> = count(1, 1, 1_000_000);
pub(super) const RATE_PER: Bounded<Duration> =
    Bounded { default: Duration::from_secs(60), least: SHORTEST, most: LONGEST };
/// Most US dollars of a price or a budget.
pub(super) const MOST_DOLLARS: u32 = 1_000_000;
pub(super) const BUDGET_REQUESTS: Bounded<u64> = Bounded { default: 0, least: 0, most: 1_000_000_000 };
pub(super) const BUDGET_PER: Bounded<Duration> =
    Bounded { default: DAY, least: Duration::from_secs(1), most: Duration::from_secs(366 * 24 * 60 * 60) };

// policy.yaml: models, prompt, rules
/// The model of a request that names none; always there.
pub(super) const AUTO: &str = "auto";
/// The client of every request while no keys are asked for.
pub(super) const LAN: &str = "lan";
pub(super) const STRIP_TAGS: bool = true;
pub(super) const IMAGE_TOKENS: Bounded<u64> = Bounded { default: 1024, least: 0, most: 100_000 };
/// Bounds of `tokens` conditions; the default has no meaning here.
pub(super) const TOKENS: Bounded<u64> = Bounded { default: 0, least: 0, most: 1_000_000_000 };
