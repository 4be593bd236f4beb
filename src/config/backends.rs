//! `policy.yaml`: the backends, and the chains that lead from one to the next.

use std::path::Path;

use super::defaults as d;
use super::estate::is_host_port;
use super::names::{self, Names};
use super::outside;
use super::problem::quoted;
use super::reader::{Item, Table};
use crate::policy::{Backend, BackendId, Balance, GateId, GpuId, Health, Kind, Timeouts};

const KEYS: [&str; 15] = [
    "kind",
    "gpu",
    "gate",
    "peers",
    "balance",
    "model",
    "context_window",
    "fail_soft",
    "timeouts",
    "health",
    "failover_on",
    "base_path",
    "api_key_file",
    "price",
    "budget",
];

/// A backend, and the items of its `fail_soft`, which [`chain`] resolves once the kinds of all are known.
pub(super) fn backend<'a>(
    name: &str,
    item: &Item<'a>,
    gpus: &Names<'_>,
    gates: &Names<'_>,
    directory: &Path,
) -> (Backend, Vec<Item<'a>>) {
    names::check_name(name, item);
    let table = item.table(&KEYS);
    let kind = table.word("kind", &KINDS, Kind::Language);
    let price = outside::price(&table);
    let backend = Backend {
        name: name.to_owned(),
        kind,
        gpu: table.find("gpu").and_then(|item| gpus.find(&item)).map(GpuId),
        gate: table.find("gate").and_then(|item| gates.find(&item)).map(GateId),
        peers: peers(&table),
        balance: table.word("balance", &BALANCES, Balance::LeastInFlight),
        model: served_model(&table),
        context_window: table.find("context_window").and_then(|item| item.whole(&d::CONTEXT_WINDOW)),
        fail_soft: Vec::new(),
        timeouts: timeouts(&table.table("timeouts", &["connect", "first_byte", "idle"])),
        // Metered or meant for people: asked for nothing but what a client wants, unless it is written.
        health: (kind.may_be_asked_again() || table.find("health").is_some())
            .then(|| health(&table.table("health", &HEALTH_KEYS))),
        failover_on: table
            .find("failover_on")
            .map_or_else(|| d::FAILOVER_ON.to_vec(), |item| statuses(&item)),
        access: outside::access(&table, directory),
        price,
        budget: outside::budget(&table, table.find("price").is_some()),
    };
    (backend, table.list("fail_soft"))
}

const BALANCES: [(&str, Balance); 2] =
    [("least_in_flight", Balance::LeastInFlight), ("prefix_hash", Balance::PrefixHash)];
const KINDS: [(&str, Kind); 4] = [
    ("language", Kind::Language),
    ("speech", Kind::Speech),
    ("external", Kind::External),
    ("manual", Kind::Manual),
];
const HEALTH_KEYS: [&str; 5] = ["path", "interval", "timeout", "unhealthy_after", "healthy_after"];

fn peers(table: &Table<'_>) -> Vec<String> {
    let Some(item) = table.need("peers", "write [host:port]") else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    for item in item.some() {
        let Some(peer) = peer(&item) else { continue };
        if found.contains(&peer) {
            item.problem(format!("{} stands twice", quoted(&peer)), "remove one of them");
        }
        found.push(peer);
    }
    found
}

/// `host:port`, or `https://host[:port]`. Whether a name resolves is seen at each connect.
fn peer(item: &Item<'_>) -> Option<String> {
    let text = item.text()?.to_ascii_lowercase();
    if let Some(rest) = text.strip_prefix("https://") {
        if is_host_port(rest.strip_suffix('/').unwrap_or(rest), false) {
            return Some(text.trim_end_matches('/').to_owned());
        }
        let problem = format!("{} is not https://host:port", quoted(&text));
        return item.missing(&problem, "write https://api.example.com; a path goes into base_path");
    }
    if is_host_port(&text, true) {
        return Some(text);
    }
    let problem = format!("{} is not host:port", quoted(&text));
    item.missing(&problem, "write 192.168.1.50:8000, name:8000 or [::1]:8000, without a scheme")
}

fn served_model(table: &Table<'_>) -> String {
    let item = table.need("model", "the name under which the server serves its model");
    let text = item.as_ref().and_then(Item::text).unwrap_or_default();
    if let Some(item) = item
        && text.chars().any(char::is_control)
    {
        item.problem(format!("{} holds control characters", quoted(text)), "write the served name");
    }
    text.to_owned()
}

fn timeouts(table: &Table<'_>) -> Timeouts {
    Timeouts {
        connect: table.duration("connect", &d::CONNECT),
        first_byte: table.duration("first_byte", &d::FIRST_BYTE),
        idle: table.duration("idle", &d::IDLE),
    }
}

fn health(table: &Table<'_>) -> Health {
    Health {
        path: table
            .find("path")
            .and_then(|item| probe_path(&item))
            .unwrap_or_else(|| d::HEALTH_PATH.to_owned()),
        interval: table.duration("interval", &d::HEALTH_INTERVAL),
        timeout: table.duration("timeout", &d::HEALTH_TIMEOUT),
        unhealthy_after: table.whole("unhealthy_after", &d::UNHEALTHY_AFTER),
        healthy_after: table.whole("healthy_after", &d::HEALTHY_AFTER),
    }
}

fn probe_path(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    if text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic() && c != '#') {
        return Some(text.to_owned());
    }
    item.missing(&format!("{} is not a path", quoted(text)), "write a path such as /health")
}

fn statuses(item: &Item<'_>) -> Vec<u16> {
    let mut found: Vec<u16> = Vec::new();
    for item in item.list() {
        let Some(status) = item.whole(&d::FAILOVER_STATUS) else { continue };
        let status = u16::try_from(status).unwrap_or(u16::MAX);
        if found.contains(&status) {
            item.problem(format!("{status} stands twice"), "remove one of them");
        }
        found.push(status);
    }
    found
}

/// Why a rule or a chain may not name a manual backend.
pub(super) const NOT_BY_RULE: &str = "a manual backend is reached by its model's name alone";

/// What a chain starts from: nothing may lead back to it, and all of it is of its kind.
pub(super) struct Start<'a> {
    /// The backend of first choice; `None` where it is not known because of another mistake.
    pub(super) backend: Option<BackendId>,
    /// Its kind.
    pub(super) kind: Kind,
    /// The backends there are.
    pub(super) backends: &'a [Backend],
}

/// A `fail_soft` list: existing backends, none twice, not where it starts, speech for speech alone, and none
/// that a person must ask for.
pub(super) fn chain(items: &[Item<'_>], from: &Start<'_>, names: &Names<'_>) -> Vec<BackendId> {
    let mut found = Vec::new();
    for item in items {
        let Some(id) = names.find(item).map(BackendId) else { continue };
        let kind = from.backends.get(id.0).map_or(from.kind, |backend| backend.kind);
        if Some(id) == from.backend {
            item.problem("a backend cannot stand in for itself", "remove it");
        } else if found.contains(&id) {
            item.problem("the backend stands twice", "remove one of them");
        } else if kind == Kind::Manual {
            item.problem(NOT_BY_RULE, "name another; people reach it by its model");
        } else if (kind == Kind::Speech) != (from.kind == Kind::Speech) {
            item.problem(
                "speech and language backends cannot stand in for each other",
                "name one of the same kind",
            );
        }
        found.push(id);
    }
    found
}
