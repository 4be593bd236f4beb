//! The tables that Pester runs: that they are whole, fit the functions that they are about, and keep what matters most.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::script::Script;

/// The files of pure functions. All that they define is held to a table.
const PURE: [&str; 6] = ["Mode", "Model", "Portproxy", "Setup", "Tasks", "Judge"];
/// Of them, these are tried through the others: the steps to NORMAL, and two pieces of a task's XML.
const THROUGH_OTHERS: [&str; 3] = ["Get-NormalSteps", "Get-TaskTriggers", "Get-TaskSettings"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("windows")
}

/// Every table, by the name of its file.
pub fn all() -> BTreeMap<String, Value> {
    let entries = fs::read_dir(folder().join("tests/tables")).expect("the tables");
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
            let text = fs::read_to_string(&path).expect("a file");
            let table = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, table)
        })
        .collect()
}

fn rows(table: &Value) -> &Vec<Value> {
    table["rows"].as_array().expect("rows")
}

#[test]
fn every_pure_function_has_a_table_and_every_table_a_function() {
    let mut known = BTreeMap::new();
    for part in PURE {
        let text = fs::read_to_string(folder().join(format!("Sluice/{part}.ps1"))).expect("a part");
        for (name, parameters) in Script::of(&text).functions() {
            let parameters = parameters.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
            assert!(known.insert(name.to_owned(), parameters).is_none(), "{name} is there twice");
        }
    }
    let tables = all();
    for (file, table) in &tables {
        assert_eq!(table["function"], **file, "a table bears its function's name");
        let parameters = known.get(file).unwrap_or_else(|| panic!("{file}: no such pure function"));
        let mut names = BTreeSet::new();
        for row in rows(table) {
            let given = row["given"].as_object().expect("given");
            let given: BTreeSet<_> = given.keys().cloned().collect();
            assert_eq!(&given, parameters, "{file}: {}", row["name"]);
            assert!(names.insert(row["name"].as_str().expect("a name")), "{file}: {} twice", row["name"]);
            assert!(row.get("then").is_some(), "{file}: {}", row["name"]);
        }
        assert!(!names.is_empty(), "{file} has rows");
    }
    let held: BTreeSet<_> = tables.keys().map(String::as_str).chain(THROUGH_OTHERS).collect();
    let missing: Vec<_> = known.keys().filter(|name| !held.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "without a table: {missing:?}");
}

#[test]
fn no_step_comes_before_what_it_needs() {
    let order = [
        ("mode", "mark"),
        ("mark", "push"),
        ("push", "idle"),
        ("idle", "sleep"),
        ("idle", "stop"),
        ("wake", "health"),
        ("start", "health"),
        ("health", "unmark"),
    ];
    let table = &all()["Get-ModeSteps"];
    assert_eq!(rows(table).len(), 2 * 3 * 4, "every mode, wish and state");
    for row in rows(table) {
        let steps: Vec<_> =
            row["then"]["Steps"].as_array().expect("steps").iter().filter_map(Value::as_str).collect();
        let last = |step: &str| steps.iter().rposition(|it| *it == step);
        for (first, second) in order {
            if let (Some(first_at), Some(second_at)) = (last(first), last(second)) {
                assert!(first_at < second_at, "{}: {first} after {second}: {steps:?}", row["name"]);
            }
        }
        assert!(last("push").is_some() && last("mode") < last("push"), "{}: {steps:?}", row["name"]);
        let marked = last("mark").is_some();
        assert_eq!(marked, row["then"]["Mark"] != "", "{}", row["name"]);
        assert!(last("sleep").is_none() || (marked && last("idle").is_some()), "{}: {steps:?}", row["name"]);
        if row["given"]["Mode"] == "NORMAL" {
            assert_eq!(steps.last(), Some(&"push"), "the gate comes last: {steps:?}");
        }
    }
}

#[test]
fn what_the_endpoint_answers_and_what_is_pushed_is_what_sluice_reads() {
    let tables = all();
    let mut read = 0;
    for row in rows(&tables["Get-ModeAnswer"]).iter().filter(|row| row["then"]["Status"] == 200) {
        observed(row["then"]["Body"].as_str().expect("a body"));
        read += 1;
    }
    for row in rows(&tables["Get-ModeBody"]) {
        let observation = observed(row["then"].as_str().expect("a body"));
        assert_eq!(row["given"]["Mode"], observation.mode.as_str());
        assert_eq!(row["given"]["Available"], observation.available);
        read += 1;
    }
    assert_eq!(read, 9);
}

fn observed(body: &str) -> sluice::gate::Observation {
    sluice::gate::answer::parse(body.as_bytes()).unwrap_or_else(|fault| panic!("{body}: {fault}"))
}
