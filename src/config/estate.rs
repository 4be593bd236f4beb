//! `policy.yaml`: what there is in the house. GPUs, gates and models; backends have a file of their own.

use super::defaults as d;
use super::names::{self, Names};
use super::problem::quoted;
use super::reader::Item;
use crate::policy::{Backend, BackendId, Gate, Gpu, GpuId, Kind, Model, OnClose};

const GPU_KEYS: [&str; 5] = ["max_in_flight", "max_queue", "queue_timeout", "exclusive", "exclusive_wait"];
const GATE_KEYS: [&str; 6] =
    ["mode_url", "poll_interval", "poll_timeout", "stale_after", "on_close", "drain_timeout"];

/// A card, and the items of its list of exclusive backends, which [`exclusive`] resolves once those are known.
pub(super) fn gpu<'a>(name: &str, item: &Item<'a>) -> (Gpu, Vec<Item<'a>>) {
    names::check_name(name, item);
    let table = item.table(&GPU_KEYS);
    table.need("max_in_flight", "how many requests the card takes at one time, 1 to 1024");
    let gpu = Gpu {
        name: name.to_owned(),
        max_in_flight: table.whole("max_in_flight", &d::MAX_IN_FLIGHT),
        max_queue: table.whole("max_queue", &d::MAX_QUEUE),
        queue_timeout: table.duration("queue_timeout", &d::QUEUE_TIMEOUT),
        exclusive: Vec::new(),
        exclusive_wait: table.duration("exclusive_wait", &d::EXCLUSIVE_WAIT),
    };
    (gpu, table.list("exclusive"))
}

/// The backends that run alone on a card; only its own can.
pub(super) fn exclusive(
    items: &[Item<'_>],
    gpu: GpuId,
    backends: &[Backend],
    names: &Names<'_>,
) -> Vec<BackendId> {
    let mut found = Vec::new();
    for item in items {
        let Some(id) = names.find(item).map(BackendId) else { continue };
        if found.contains(&id) {
            item.problem("the backend stands twice", "remove one of them");
        } else if backends.get(id.0).is_some_and(|backend| backend.gpu != Some(gpu)) {
            item.problem("the backend does not run on this card", "give it this `gpu`, or remove it here");
        }
        found.push(id);
    }
    found
}

/// A gate.
pub(super) fn gate(name: &str, item: &Item<'_>) -> Gate {
    names::check_name(name, item);
    let table = item.table(&GATE_KEYS);
    let words = [("cancel", OnClose::Cancel), ("drain", OnClose::Drain)];
    let gate = Gate {
        name: name.to_owned(),
        mode_url: table.find("mode_url").and_then(|item| mode_url(&item)),
        poll_interval: table.duration("poll_interval", &d::POLL_INTERVAL),
        poll_timeout: table.duration("poll_timeout", &d::POLL_TIMEOUT),
        stale_after: table.duration("stale_after", &d::STALE_AFTER),
        on_close: table.word("on_close", &words, OnClose::Cancel),
        drain_timeout: table.duration("drain_timeout", &d::DRAIN_TIMEOUT),
    };
    if gate.mode_url.is_some() && gate.stale_after < gate.poll_interval.saturating_add(gate.poll_timeout) {
        let problem = "stale_after is shorter than poll_interval and poll_timeout together";
        item.warning(problem, "the gate can become unknown between two good polls");
    }
    gate
}

/// `http://host[:port][/path]`, whole.
fn mode_url(item: &Item<'_>) -> Option<String> {
    const HELP: &str = "write http://host:port/path";
    let text = item.text()?;
    if text.starts_with("https://") {
        return item.missing("an https mode_url cannot be polled", HELP);
    }
    let Some(rest) = text.strip_prefix("http://") else {
        return item.missing(&format!("{} is not an http:// URL", quoted(text)), HELP);
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let printable = path.chars().all(|c| c.is_ascii_graphic() && c != '#');
    let usable = path.is_empty() || path.starts_with('/');
    if is_host_port(authority, false) && printable && usable {
        return Some(text.to_owned());
    }
    item.missing(&format!("{} is not an http:// URL", quoted(text)), HELP)
}

/// `name:port`, `192.0.2.1:port` or `[::1]:port`; the port may be left out where it is not asked for.
pub(super) fn is_host_port(text: &str, port_needed: bool) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        // The last colon of `[::1]` does not begin a port.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_fits = match port {
        Some(port) => {
            port.chars().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
        }
        None => !port_needed,
    };
    port_fits && is_host(host)
}

fn is_host(host: &str) -> bool {
    if let Some(literal) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return literal.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !host.is_empty() && host.len() <= 253 && host.chars().all(legal)
}

/// The names a client may send. `auto` is put first where the file leaves it out. `all`: the backends there
/// are, by the places of their `names`.
pub(super) fn models(
    entries: &[(&str, Item<'_>)],
    all: &[Backend],
    names: &Names<'_>,
    clients: &Names<'_>,
) -> Vec<Model> {
    let listed = entries.iter().map(|(name, item)| {
        names::check_model(name, item);
        let table = item.table(&["backend", "clients"]);
        let backend = table.find("backend").and_then(|item| names.find(&item)).map(BackendId);
        let manual = backend.and_then(|id| all.get(id.0)).is_some_and(|it| it.kind == Kind::Manual);
        if manual && table.find("clients").is_none() {
            item.problem("a manual backend's model must name its clients", "add clients: [NAME]");
        }
        if manual && *name == d::AUTO {
            let problem =
                "who names no model asks for `auto`, and a manual backend is reached by its name alone";
            item.problem(problem, "pin another name to it");
        }
        let clients = table.find("clients").map(|item| {
            let named = |item: &Item<'_>| clients.find(item).and(item.text()).map(str::to_owned);
            item.some().iter().filter_map(named).collect()
        });
        Model { name: (*name).to_owned(), backend, clients }
    });
    let auto = Model { name: d::AUTO.to_owned(), backend: None, clients: None };
    let absent = !entries.iter().any(|(name, _)| *name == d::AUTO);
    absent.then_some(auto).into_iter().chain(listed).collect()
}
