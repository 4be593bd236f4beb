//! **sluice** is the one OpenAI-compatible door of a home with two GPUs. It reads each request whole,
//! decides by rules that a person can read which model server answers it, falls back softly when one
//! is gone, and proves what it did. An unforced request never reaches a backend behind a closed gate.
//!
//! It is not a load balancer for a data centre, holds no state worth a database, and never looks into
//! what a model says.
//!
//! ```text
//! client ─▶ admit ─▶ peek ─▶ route ───────▶ upstream ─▶ relay ─▶ finish
//!           size,    whole   Facts + View    peer, body  stream,  release, metrics,
//!           path     body,   → decide        rewritten   usage    record
//!                    facts   (pure)
//! ```
//!
//! # Where is it? (ten seconds)
//!
//! | question | file |
//! |---|---|
//! | the routing decision | `policy/decide.rs` |
//! | the body read whole from the wire | `transport/intake.rs`; what is made of it: `proxy/peek.rs` |
//! | what is read from a prompt | `prompt/` |
//! | who may pass a closed gate | `policy/decide.rs`; when a gate closes: `gate/machine.rs` |
//! | what happens when a peer fails | this request `proxy/failover.rs`; the next ones `service/health.rs` |
//! | status and body of an error | `proxy/refuse.rs`, one table |
//! | what is refused before anything else | `wire/head.rs` |
//! | what is told of an exchange | `telemetry/record.rs`; where it goes: `telemetry/journal.rs`, `telemetry/audit.rs` |
//! | a metric, a default | `telemetry/metrics.rs`, `config/defaults.rs` |
//! | adding a rule (operator) | `conf/policy.yaml`, `sluice check`, `sluice explain` |
//! | adding a condition (developer) | `policy/condition.rs`, a line in `config/`, a case in `tests/cases/` |
//!
//! # Layers: an arrow points to what may be named (`tests/layers.rs` holds it)
//!
//! ```text
//!  cli ─▶ server ─▶ proxy ─▶ transport
//!            │         │         │
//!            │         └────────┬┴▶ fleet, telemetry ─▶ policy, gate, prompt, openai, wire
//!            ├────▶ service ────┘                              ▲
//!            └────▶ config ────────────────────────────────────┘
//! ```

pub mod cli;
pub mod config;
pub mod fleet;
pub mod gate;
pub mod openai;
pub mod policy;
pub mod prompt;
pub mod proxy;
pub mod server;
pub mod service;
pub mod telemetry;
pub mod transport;
pub mod wire;
