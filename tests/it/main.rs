//! The integration tests: the real proxy as a process on free ports, between a raw client and scripted peers.
//!
//! One binary, so that it is linked once. A test belongs to the module that names the behaviour it proves.
#![cfg(test)]

/// The audit file: what is in it, its rotation, full and vanished disks.
mod audit;
/// Every body arrives whole: sizes, framings, retries, pipelining.
mod bodies;
/// Pages in browsers: which may call, the question they ask first.
mod browsers;
/// The command line: help, usage errors, `check`, `explain` against live traffic, `schema`.
mod cli;
/// Keys, rates, models for some; backends for people.
mod clients;
/// What a close does to what runs behind the gate.
mod closing;
/// The dashboard's files, and who may have them.
mod dashboard;
/// The latest decisions and their stream, on the admin listener.
mod decisions;
/// `sluice demo` from its banner to its last line.
mod demo;
/// Before gaming, while gaming, after gaming: the gaming PC's whole story, its model's sleep too.
mod evening;
/// The paid tier: TLS, prices, budgets.
mod external;
/// A candidate that fails: the next one, each at most once, and what the client sees of it.
mod failover;
/// The gaming PC's mode: who may pass, when it is unknown, pushes, a gate that closes meanwhile.
mod gates;
/// Requests as raw bytes: which are refused, and what of the others the upstream receives.
mod heads;
/// Probes: how a peer is found to be down, and up again.
mod health;
/// One budget a card: slots, queues, speech apart, and who waits when things change.
mod leases;
/// Clients that leave, wherever they are, and clients that are slow.
mod leaving;
/// Past `limits`: sizes, deadlines, exchanges in flight, bytes held.
mod limits;
/// The process's own log, and its level.
mod log;
/// `sluice status` and `sluice mode` against a running proxy.
mod operate;
mod outside;
/// Status, code and shape of every error that sluice makes.
mod refusals;
/// A policy that changes under traffic.
mod reload;
/// `sluice replay`: what was recorded, decided again.
mod replay;
/// docs/routing.md: every example does what is said of it.
mod routing;
/// Under a service manager: notifications, the journal.
mod service;
/// The files in `conf/`, booted as they are.
mod shipped;
/// SIGTERM and SIGINT.
mod stopping;
/// The gate under load: 2,000 requests, 200 flips.
mod storm;
/// Streams: each event when it comes, byte for byte, and clients that leave.
mod streaming;
/// What all of them are made with.
mod support;
/// Colours, `--watch`, completions, manual pages.
mod terminal;
/// Deadlines of an answer: silence in its middle, a long prefill.
mod timeouts;
