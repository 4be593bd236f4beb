//! `GET /status`: the house at a glance, as JSON.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use crate::fleet::{Live, LiveBackend, Use};
use crate::policy::{Backend, Budget, Money};

/// Everything that is known now.
pub fn status(live: &Live, last_error: Option<String>) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "policy": {
            "generation": live.generation,
            "hash": live.hash,
            "loaded_at": timestamp(live.loaded_at),
            "last_error": last_error,
        },
        "gates": gates(live),
        "gpus": gpus(live),
        "backends": backends(live),
    })
}

fn gates(live: &Live) -> Map<String, Value> {
    let show = |gate: &std::sync::Arc<crate::fleet::LiveGate>| {
        let status = gate.status();
        let shown = json!({
            "state": status.view.state.as_str(),
            "mode": status.mode,
            "since": timestamp(status.since),
            "source": status.source,
            "available": status.view.available,
            "in_flight": status.in_flight,
            "forced": status.forced,
        });
        (gate.name.clone(), shown)
    };
    live.gates.iter().map(show).collect()
}

fn gpus(live: &Live) -> Map<String, Value> {
    let show = |gpu: &std::sync::Arc<crate::fleet::LiveGpu>| {
        let load = gpu.load();
        let shown = json!({"in_flight": load.in_flight, "limit": load.limit, "queued": load.queued});
        (gpu.name.clone(), shown)
    };
    live.gpus.iter().map(show).collect()
}

fn backends(live: &Live) -> Map<String, Value> {
    let known = live.backends.iter().zip(&live.policy.backends);
    known.map(|(now, configured)| (now.name.clone(), backend(live, now, configured))).collect()
}

fn backend(live: &Live, backend: &LiveBackend, configured: &Backend) -> Value {
    let peers: Vec<_> = backend
        .peers
        .iter()
        .map(|peer| json!({"address": peer.address, "healthy": peer.is_healthy(), "in_flight": peer.in_flight()}))
        .collect();
    let budget = configured.budget.map(|limits| budget(&limits, live.ledger.used(&backend.name, &limits)));
    json!({
        "available": backend.is_usable(),
        "kind": configured.kind.as_str(),
        "peers": peers,
        "budget": budget,
    })
}

fn budget(limits: &Budget, used: Use) -> Value {
    json!({
        "usd": limits.money.map(Money::dollars),
        "requests": limits.requests,
        "spent_usd": used.spent.dollars(),
        "reserved_usd": used.reserved.dollars(),
        "requests_made": used.requests,
        "resets_at": timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(used.resets_at)),
    })
}

/// RFC 3339 in UTC, to the second.
fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
