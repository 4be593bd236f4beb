//! The live state of everything the policy names: gates, peers, cards, and the one current policy.
//!
//! ```text
//! Fleet ── ArcSwap ─▶ Live { policy, patterns, generation }   what an exchange was decided under
//!                       ├─ gates    Arc<LiveGate>     mode, who is behind it
//!                       ├─ backends Arc<LiveBackend>  peers: health, exchanges in flight
//!                       └─ gpus     Arc<LiveGpu>      exchanges on the card
//! ```
//!
//! What lives longer than a policy (the `Arc`s) is carried over by name when a new one comes.

mod backend;
mod gate;
mod gpu;
mod lease;
mod live;
mod news;
mod slot;
mod streak;

pub use backend::{LiveBackend, LivePeer};
pub use gate::{Cutter, GatePass, GateStatus, LiveGate, Settled};
pub use gpu::{Held, LiveGpu, Load, Turn, Waiting};
pub use lease::Claim;
pub use live::{Fleet, Live, Unfit};
pub use news::News;
pub use slot::Slot;
pub use streak::Streak;
