//! `policy.yaml` as a whole: names first, then everything that refers to them.

use std::path::Path;

use super::condition::Conditions;
use super::names::Names;
use super::problem::quoted;
use super::reader::{Item, Table};
use super::{backends, clients, defaults as d, estate, prompt, rules};
use crate::policy::{Backend, BackendId, GateId, GpuId, Policy};

const KEYS: [&str; 8] = ["version", "gpus", "gates", "backends", "clients", "models", "prompt", "rules"];

type Entries<'a> = Vec<(&'a str, Item<'a>)>;

/// Reads the document. What it gives back is only worth something when nothing was found wrong.
pub(super) fn read(root: &Item<'_>, directory: &Path) -> Policy {
    let root = root.table(&KEYS);
    root.version(&d::VERSION);
    let [gpus, gates, models, clients] = ["gpus", "gates", "models", "clients"].map(|key| root.named(key));
    let backends = backend_entries(&root);
    let gate_names = Names::new("gate", names(&gates));
    let backend_names = Names::new("backend", names(&backends));
    let client_names = client_names(&clients);
    let backends_read =
        read_backends(&backends, &Names::new("gpu", names(&gpus)), &gate_names, &backend_names, directory);
    let mut policy = Policy {
        gpus: Vec::new(),
        gates: gates.iter().map(|(name, item)| estate::gate(name, item)).collect(),
        models: estate::models(&models, &backends_read, &backend_names, &client_names),
        backends: backends_read,
        clients: Vec::new(),
        rules: Vec::new(),
        prompt: prompt::prompt(&root),
        header_tests: Vec::new(),
    };
    policy.gpus = read_gpus(&gpus, &policy.backends, &backend_names);
    let model_names = Names::new("model", policy.models.iter().map(|model| model.name.as_str()));
    policy.clients = clients::clients(&clients, &model_names, directory);
    read_rules(&root, &mut policy, &gate_names, &backend_names, &client_names);
    warn_of_unused(&policy, [&gpus, &gates, &backends]);
    policy
}

fn names<'a>(entries: &Entries<'a>) -> impl Iterator<Item = &'a str> {
    entries.iter().map(|(name, _)| *name)
}

/// Without keys everybody is one client.
fn client_names<'a>(entries: &Entries<'a>) -> Names<'a> {
    match entries.is_empty() {
        true => Names::new("client", [d::LAN]),
        false => Names::new("client", names(entries)),
    }
}

fn backend_entries<'a>(root: &Table<'a>) -> Entries<'a> {
    let Some(item) = root.need("backends", "name at least one model server") else { return Vec::new() };
    if item.is_empty_map() {
        item.problem("no backend is configured", "name at least one model server");
    }
    item.named()
}

/// The backends: each by itself, then the chains between them.
fn read_backends(
    entries: &Entries<'_>,
    gpus: &Names<'_>,
    gates: &Names<'_>,
    names: &Names<'_>,
    directory: &Path,
) -> Vec<Backend> {
    let read = entries.iter().map(|(name, item)| backends::backend(name, item, gpus, gates, directory));
    let (mut all, chains): (Vec<Backend>, Vec<_>) = read.unzip();
    let resolved: Vec<Vec<BackendId>> = chains
        .iter()
        .zip(&all)
        .enumerate()
        .map(|(at, (items, backend))| {
            let from = backends::Start { backend: Some(BackendId(at)), kind: backend.kind, backends: &all };
            backends::chain(items, &from, names)
        })
        .collect();
    for (backend, chain) in all.iter_mut().zip(resolved) {
        backend.fail_soft = chain;
    }
    all
}

fn read_gpus(entries: &Entries<'_>, all: &[Backend], names: &Names<'_>) -> Vec<crate::policy::Gpu> {
    let read = |(at, (name, item)): (usize, &(&str, Item<'_>))| {
        let (mut gpu, items) = estate::gpu(name, item);
        gpu.exclusive = estate::exclusive(&items, GpuId(at), all, names);
        gpu
    };
    entries.iter().enumerate().map(read).collect()
}

fn read_rules(
    root: &Table<'_>,
    policy: &mut Policy,
    gates: &Names<'_>,
    backends: &Names<'_>,
    clients: &Names<'_>,
) {
    let models = Names::new("model", policy.models.iter().map(|model| model.name.as_str()));
    let tags = Names::new("tag", policy.prompt.tags.iter().map(|(name, _)| name.as_str()));
    let mut conditions = Conditions {
        gates,
        models: &models,
        tags: &tags,
        clients,
        header_tests: Vec::new(),
        patterns: indexmap::IndexSet::new(),
    };
    let rules = rules::rules(root, &policy.backends, backends, &mut conditions);
    let Conditions { header_tests, patterns, .. } = conditions;
    policy.rules = rules;
    policy.header_tests = header_tests;
    policy.prompt.patterns = patterns.into_iter().collect();
}

/// What is configured and never used is most often a name forgotten elsewhere.
fn warn_of_unused(policy: &Policy, [gpus, gates, backends]: [&Entries<'_>; 3]) {
    let on = |gpu| policy.backends.iter().any(|backend| backend.gpu == Some(gpu));
    let behind = |gate| policy.backends.iter().any(|backend| backend.gate == Some(gate));
    warn(gpus, "no backend runs on this card", "give a backend this `gpu`", |at| on(GpuId(at)));
    warn(gates, "no backend stands behind this gate", "give a backend this `gate`", |at| behind(GateId(at)));
    let help = "name it in a rule, a model or a fail_soft";
    warn(backends, "nothing leads to this backend", help, |at| is_named(policy, BackendId(at)));
}

fn warn(entries: &Entries<'_>, problem: &str, help: &str, used: impl Fn(usize) -> bool) {
    for (at, (name, item)) in entries.iter().enumerate() {
        if !used(at) {
            item.warning(format!("{problem}: {}", quoted(name)), help);
        }
    }
}

/// Whether a rule, a model or a chain names the backend.
fn is_named(policy: &Policy, id: BackendId) -> bool {
    let by_rule =
        |rule: &crate::policy::Rule| rule.route == id || rule.fail_soft.iter().flatten().any(|of| *of == id);
    policy.rules.iter().any(by_rule)
        || policy.models.iter().any(|model| model.backend == Some(id))
        || policy.backends.iter().any(|backend| backend.fail_soft.contains(&id))
}
