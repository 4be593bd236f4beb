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
mod live;
mod slot;
mod streak;

pub use backend::{LiveBackend, LivePeer};
pub use gate::{GatePass, GateStatus, LiveGate, Settled};
pub use gpu::LiveGpu;
pub use live::{Fleet, Live, Unfit};
pub use slot::Slot;
pub use streak::Streak;
