//! `policy.yaml`: the rules, in order, the last one without a condition.

use std::collections::HashMap;

use super::backends::{self, Start};
use super::condition::Conditions;
use super::names::{self, Names};
use super::problem::quoted;
use super::reader::{Item, Table};
use crate::policy::{Backend, BackendId, Kind, Rule};

const KEYS: [&str; 5] = ["name", "when", "route", "fail_soft", "override_gate"];

/// All rules.
pub(super) fn rules(
    root: &Table<'_>,
    backends: &[Backend],
    names: &Names<'_>,
    conditions: &mut Conditions<'_>,
) -> Vec<Rule> {
    let items = root.need("rules", "the last rule needs only a name and a route").map(|item| item.some());
    let items = items.unwrap_or_default();
    let tables: Vec<Table<'_>> = items.iter().map(|item| item.table(&KEYS)).collect();
    unique_names(&tables);
    let last = tables.len().saturating_sub(1);
    let read = |(at, table): (usize, &Table<'_>)| {
        let when = when(table, at == last, conditions);
        rule(table, when, backends, names)
    };
    tables.iter().enumerate().map(read).collect()
}

fn rule(
    table: &Table<'_>,
    when: Option<crate::policy::Condition>,
    backends: &[Backend],
    names: &Names<'_>,
) -> Rule {
    let name = table.need("name", "it stands in headers and metrics").and_then(|item| rule_name(&item));
    let route =
        table.need("route", "the backend of first choice").and_then(|item| route(&item, backends, names));
    let from = Start { backend: route, kind: Kind::Language, backends };
    Rule {
        name: name.unwrap_or_default(),
        when,
        // Never used where it was not found: the file is refused.
        route: route.unwrap_or(BackendId(0)),
        fail_soft: table.find("fail_soft").map(|item| backends::chain(&item.list(), &from, names)),
        override_gate: table.flag("override_gate", false),
    }
}

/// Every rule but the last asks something: one that does not hides those below it.
fn when(table: &Table<'_>, last: bool, conditions: &mut Conditions<'_>) -> Option<crate::policy::Condition> {
    match table.find("when") {
        Some(item) if last => {
            let help =
                "it is what is done when no other rule matches: add a rule with only a name and a route";
            item.problem("the last rule must not have `when`", help);
            Some(conditions.read(&item))
        }
        Some(item) => Some(conditions.read(&item)),
        None if !last && table.is_map() => {
            table.at().problem(
                "has no `when`, so no rule below it is ever reached",
                "add `when`, or move it to the end",
            );
            None
        }
        None => None,
    }
}

fn rule_name(item: &Item<'_>) -> Option<String> {
    let name = item.text()?;
    names::check_name(name, item);
    if name == "path" {
        item.warning(
            "speech requests carry this name too",
            "another name tells them apart in headers and metrics",
        );
    }
    Some(name.to_owned())
}

fn unique_names(tables: &[Table<'_>]) {
    let mut first: HashMap<&str, String> = HashMap::new();
    for item in tables.iter().filter_map(|table| table.find("name")) {
        let Some(name) = item.plain_text() else { continue };
        match first.get(name) {
            Some(path) => {
                item.problem(format!("{} is the name of another rule", quoted(name)), format!("see {path}"));
            }
            None => {
                first.insert(name, item.path().to_owned());
            }
        }
    }
}

fn route(item: &Item<'_>, backends: &[Backend], names: &Names<'_>) -> Option<BackendId> {
    let id = names.find(item).map(BackendId)?;
    match backends.get(id.0).map(|backend| backend.kind) {
        Some(Kind::Speech) => item.problem(
            "a rule cannot lead to a speech backend",
            "speech is routed by its path; name a language backend",
        ),
        Some(Kind::Manual) => {
            item.problem(backends::NOT_BY_RULE, "name another; people reach it by its model");
        }
        _ => {}
    }
    Some(id)
}
