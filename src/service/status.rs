//! `GET /status`: the house at a glance, as JSON.

use std::time::SystemTime;

use serde_json::{Map, Value, json};

use crate::fleet::{Live, LiveBackend};

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
        "backends": live.backends.iter().map(|it| (it.name.clone(), backend(it))).collect::<Map<_, _>>(),
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

fn backend(backend: &LiveBackend) -> Value {
    let peers: Vec<_> = backend
        .peers
        .iter()
        .map(|peer| json!({"address": peer.address, "healthy": peer.is_healthy(), "in_flight": peer.in_flight()}))
        .collect();
    json!({"available": backend.is_usable(), "peers": peers})
}

/// RFC 3339 in UTC, to the second.
fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
