//! What the integration tests are made with: a raw client, scriptable peers, a scriptable mode endpoint.

mod answer;
pub mod behaviour;
pub mod client;
mod listener;
pub mod mode;
pub mod peer;
pub mod request;
mod wire;

pub use answer::sha256;
