//! The live state of everything the policy names: gates, peers, cards, and the one current policy.
//!
//! ```text
//! Fleet ── ArcSwap ─▶ Live { policy, patterns, generation }   what an exchange was decided under
//!                       ├─ gates    Arc<LiveGate>     mode, who is behind it
//!                       ├─ backends Arc<LiveBackend>  peers: health, exchanges in flight
//!                       ├─ gpus     Arc<LiveGpu>      exchanges on the card
//!                       ├─ clients  Arc<LiveClient>   buckets of requests
//!                       └─ ledger   Arc<Ledger>       what of the budgets is used
//! ```
//!
//! What lives longer than a policy (the `Arc`s) is carried over by name when a new one comes.

mod account;
mod backend;
mod client;
mod gate;
mod gpu;
mod lease;
mod ledger;
mod live;
mod news;
mod rest;
mod slot;
mod streak;

pub use account::Account;
pub use backend::{LiveBackend, LivePeer};
pub use client::LiveClient;
pub use gate::{Cutter, GatePass, GateStatus, LiveGate, Settled};
pub use gpu::{Held, LiveGpu, Load, Turn, Waiting};
pub use lease::Claim;
pub use ledger::{Ledger, Reservation, Use};
pub use live::{Fleet, Live, Unfit};
pub use news::News;
pub use slot::Slot;
pub use streak::Streak;
