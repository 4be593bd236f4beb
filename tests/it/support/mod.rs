//! What the integration tests are made with: the proxy as a process, a raw client, scriptable peers, a
//! scriptable mode endpoint.

pub mod answer;
pub mod behaviour;
pub mod client;
pub mod gateway;
pub mod jam;
pub mod listener;
pub mod meter;
pub mod mode;
pub mod pc;
pub mod peer;
pub mod process;
pub mod request;
pub mod tls;
mod wire;

pub use answer::sha256;
pub use wire::chunk;
