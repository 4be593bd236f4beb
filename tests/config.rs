//! Configuration from outside: the shipped files, their schemas, and input that nobody means.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sluice::config::{self, Config, LoadedPolicy, Problems};

fn conf(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conf").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(conf(name)).unwrap()
}

fn schema(name: &str) -> Value {
    serde_json::from_str(&read(name)).unwrap()
}

fn shipped() -> Config {
    config::load(&conf("sluice.yaml")).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Both texts as files beside each other; gives back what is wrong with file names only.
fn load(settings: impl AsRef<[u8]>, policy: impl AsRef<[u8]>) -> Result<Config, Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sluice.yaml");
    std::fs::write(&path, settings).unwrap();
    std::fs::write(directory.path().join("policy.yaml"), policy).unwrap();
    config::load(&path).map_err(|problems| lines(&problems, directory.path()))
}

fn load_policy(text: impl AsRef<[u8]>) -> Result<LoadedPolicy, Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    std::fs::write(&path, text).unwrap();
    config::load_policy(&path).map_err(|problems| lines(&problems, directory.path()))
}

fn lines(problems: &Problems, directory: &Path) -> Vec<String> {
    let directory = format!("{}/", directory.display());
    problems.iter().map(|problem| problem.to_string().replace(&directory, "")).collect()
}

const SMALLEST_POLICY: &str = "version: 1
backends: { small: { peers: ['127.0.0.1:8000'], model: m } }
rules: [{ name: default, route: small }]
";

// --- the shipped files

#[test]
fn the_shipped_files_load_without_a_warning() {
    let config = shipped();
    assert_eq!(config.warnings, []);
    let names: Vec<&str> = config.policy.backends.iter().map(|backend| backend.name.as_str()).collect();
    assert_eq!(names, ["small", "big", "tts"]);
    assert_eq!(config.policy.rules.len(), 5);
    assert_eq!(config.settings.policy_path, conf("policy.yaml"));
}

#[test]
fn the_shipped_settings_are_the_defaults() {
    let mut shown = shipped().settings;
    let mut default = load("version: 1\n", SMALLEST_POLICY).unwrap().settings;
    assert_ne!(shown.policy_path, default.policy_path);
    (shown.policy_path, default.policy_path) = (PathBuf::new(), PathBuf::new());
    assert_eq!(shown, default);
}

#[test]
fn the_values_shown_on_small_are_the_defaults() {
    let shown = &shipped().policy.backends[0];
    let default = &load_policy(SMALLEST_POLICY).unwrap().policy.backends[0];
    assert_eq!(
        (shown.kind, shown.balance, shown.timeouts),
        (default.kind, default.balance, default.timeouts)
    );
    assert_eq!((&shown.health, &shown.failover_on), (&default.health, &default.failover_on));
    assert_eq!((&shown.fail_soft, default.context_window), (&default.fail_soft, None));
    assert_eq!(default.timeouts.first_byte, Duration::from_secs(300));
}

#[test]
fn the_shipped_files_match_their_schemas() {
    for (file, schema_file) in
        [("sluice.yaml", "settings.schema.json"), ("policy.yaml", "policy.schema.json")]
    {
        let text = read(file);
        let first = format!("# yaml-language-server: $schema=./{schema_file}");
        assert_eq!(text.lines().next(), Some(first.as_str()));
        let document: Value = serde_yaml::from_str(&text).unwrap();
        let problems: Vec<String> =
            validator(schema_file).iter_errors(&document).map(|error| error.to_string()).collect();
        assert_eq!(problems, Vec::<String>::new(), "{file}");
    }
}

// --- schema and reader say the same

fn validator(name: &str) -> Validator {
    jsonschema::draft202012::new(&schema(name)).unwrap()
}

/// A map of the schema with fixed keys: where it stands in a document, and its keys.
struct Fixed {
    path: Vec<Step>,
    properties: Map<String, Value>,
}

#[derive(Clone)]
enum Step {
    Key(String),
    First,
}

/// Every map with fixed keys that the schema knows, each recursion entered once.
fn fixed_maps(root: &Value, node: &Value, path: &[Step], entered: &[&str], found: &mut Vec<Fixed>) {
    if let Some(name) = node["$ref"].as_str() {
        if !entered.contains(&name) {
            let target = root.pointer(name.trim_start_matches('#')).unwrap();
            fixed_maps(root, target, path, &[entered, &[name]].concat(), found);
        }
        return;
    }
    let below = |step: Step| [path, &[step]].concat();
    if let Some(properties) = node["properties"].as_object() {
        assert_eq!(node["additionalProperties"], json!(false));
        for (key, value) in properties {
            fixed_maps(root, value, &below(Step::Key(key.clone())), entered, found);
        }
        found.push(Fixed { path: path.to_vec(), properties: properties.clone() });
    } else if node["additionalProperties"].is_object() {
        fixed_maps(root, &node["additionalProperties"], &below(Step::Key("n".into())), entered, found);
    }
    if node["items"].is_object() {
        fixed_maps(root, &node["items"], &below(Step::First), entered, found);
    }
}

fn maps_of(root: &Value) -> Vec<Fixed> {
    let mut found = Vec::new();
    fixed_maps(root, root, &[], &[], &mut found);
    assert!(found.len() > 5);
    found
}

impl Fixed {
    /// A document with this value at the path and nothing else.
    fn document(&self, value: Value) -> Value {
        self.path.iter().rev().fold(value, |inner, step| match step {
            Step::Key(key) => json!({ key: inner }),
            Step::First => json!([inner]),
        })
    }

    /// The path of a key in it, as problems show it.
    fn shown(&self, key: &str) -> String {
        let steps = self.path.iter().map(|step| match step {
            Step::Key(key) => format!(".{key}"),
            Step::First => "[0]".to_owned(),
        });
        format!("{}.{key}", steps.collect::<String>()).trim_start_matches('.').to_owned()
    }
}

/// An unknown key that is like no other makes the reader list those it knows: they must be the schema's.
fn same_keys(schema_file: &str, problems_of: impl Fn(String) -> Vec<String>) {
    let unknown = "a-key-that-is-like-no-other";
    let root = schema(schema_file);
    for map in maps_of(&root) {
        let document = map.document(json!({ unknown: 1 }));
        assert!(!validator(schema_file).is_valid(&document));
        let said = problems_of(serde_yaml::to_string(&document).unwrap());
        let start = format!("{}: unknown key (known here: ", map.shown(unknown));
        let listed =
            said.iter().find_map(|line| line.split_once(&start)).map(|(_, rest)| rest.trim_end_matches(')'));
        let listed = listed.unwrap_or_else(|| panic!("{start} is not in {said:#?}"));
        let in_schema: BTreeSet<&str> = map.properties.keys().map(String::as_str).collect();
        let in_reader: BTreeSet<&str> = listed.split(", ").collect();
        assert_eq!(in_reader, in_schema, "{start}");
    }
}

#[test]
fn schema_and_reader_know_the_same_settings() {
    same_keys("settings.schema.json", |text| load(text, SMALLEST_POLICY).unwrap_err());
}

#[test]
fn schema_and_reader_know_the_same_policy() {
    same_keys("policy.schema.json", |text| load_policy(text).unwrap_err());
}

/// The schema's defaults written out in every map that the path leads to.
fn defaults_at(schema_file: &str, path: &str) -> Map<String, Value> {
    let root = schema(schema_file);
    let map = maps_of(&root).into_iter().find(|map| map.shown("") == path).unwrap();
    let default = |(key, value): (String, Value)| value.get("default").map(|default| (key, default.clone()));
    map.properties.into_iter().filter_map(default).collect()
}

#[test]
fn the_schemas_defaults_of_the_settings_are_the_readers() {
    let at = |path: &str| defaults_at("settings.schema.json", path);
    let mut document = at("");
    document.insert("version".into(), json!(1));
    for section in ["listen", "admin", "limits", "cors", "audit", "log"] {
        document.insert(section.into(), at(&format!("{section}.")).into());
    }
    let mut written = load(serde_yaml::to_string(&document).unwrap(), SMALLEST_POLICY).unwrap().settings;
    let default = load("version: 1", SMALLEST_POLICY).unwrap().settings;
    written.policy_path.clone_from(&default.policy_path);
    assert_eq!(written, default);
}

#[test]
fn the_schemas_defaults_of_the_policy_are_the_readers() {
    let at = |path: &str| Value::from(defaults_at("policy.schema.json", path));
    let mut backend = at("backends.n.");
    (backend["peers"], backend["model"]) = (json!(["h:1"]), json!("m"));
    (backend["timeouts"], backend["health"]) = (at("backends.n.timeouts."), at("backends.n.health."));
    let mut gpu = at("gpus.n.");
    gpu["max_in_flight"] = json!(3);
    let mut document = at("");
    (document["version"], document["prompt"]) = (json!(1), at("prompt."));
    (document["gpus"], document["gates"]) = (json!({ "n": gpu }), json!({ "n": at("gates.n.") }));
    (document["backends"], document["rules"]) =
        (json!({ "n": backend }), json!([{ "name": "r", "route": "n" }]));
    let written =
        load_policy(serde_yaml::to_string(&document).unwrap()).unwrap_or_else(|said| panic!("{said:#?}"));
    let default = "version: 1\ngpus: {n: {max_in_flight: 3}}\ngates: {n: {}}\n\
                   backends: {n: {peers: ['h:1'], model: m}}\nrules: [{name: r, route: n}]\n";
    assert_eq!(written.policy, load_policy(default).unwrap().policy);
}

// --- input that nobody means

/// The only problem there is, without its file.
fn only(said: Result<LoadedPolicy, Vec<String>>) -> String {
    let said = said.unwrap_err();
    assert_eq!(said.len(), 1, "{said:#?}");
    said[0].trim_start_matches("policy.yaml:").to_owned()
}

#[test]
fn hostile_files_are_problems() {
    let nine = |word: &str| [word; 9].join(", ");
    let bomb: Vec<String> =
        (1..9).map(|level| format!("a{level}: &a{level} [{}]", nine(&format!("*a{}", level - 1)))).collect();
    let bomb = format!("a0: &a0 [{}]\n{}\n", nine("x"), bomb.join("\n"));
    let too_many = "more than 100000 values or 8 MiB of text once aliases are written out (use fewer or smaller aliases)";
    assert_eq!(only(load_policy(bomb)), format!("5: (file): {too_many}"));

    let long = format!("a: &a '{}'\nb: [{}]\n", "x".repeat(100_000), ["*a"; 200].join(", "));
    assert_eq!(only(load_policy(long)), format!("2: (file): {too_many}"));

    let deep = "nested deeper than 64 levels (no key needs that)";
    assert_eq!(only(load_policy("[".repeat(100_000))), format!("1: (file): {deep}"));
    assert_eq!(only(load_policy(format!("\n{}", "- ".repeat(100_000)))), format!("2: (file): {deep}"));

    let huge = "#".repeat((1 << 20) + 1);
    assert_eq!(only(load_policy(huge)), "1: (file): the file is larger than 1 MiB (is it the right file?)");
    assert_eq!(
        only(load_policy(b"a: 1\nb: \xff\n")),
        "2: (file): is not UTF-8 text (save the file as UTF-8)"
    );
    assert_eq!(
        only(load_policy("a: 1\0b")),
        "1: (file): a control character stands here (remove it; is it a text file?)"
    );
}

#[test]
fn a_file_of_the_largest_size_is_read() {
    let padded = format!("{SMALLEST_POLICY}#{}\n", "x".repeat((1 << 20) - SMALLEST_POLICY.len() - 2));
    assert_eq!(padded.len(), 1 << 20);
    assert!(load_policy(padded).is_ok());
}

#[test]
fn thousands_of_mistakes_are_cut_off() {
    let unknown: String = (0..5000).map(|number| format!("key{number}: 1\n")).collect();
    let said = load_policy(unknown).unwrap_err();
    assert_eq!(said.len(), 1001);
    assert!(
        said[1000].ends_with("(file): 4003 more problems are not listed (mend these first)"),
        "{}",
        said[1000]
    );
}

/// Pieces of the format itself, so that arbitrary files come past the first line.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "version: 1\n",
        "backends:\n",
        "rules:\n",
        "gpus: {",
        "}",
        "[",
        "]",
        "- ",
        "  ",
        "\n",
        ": ",
        ", ",
        "'",
        "\"",
        "&a ",
        "*a",
        "? ",
        "! ",
        "!!str ",
        "--- ",
        "|\n",
        ">-\n",
        "#",
        "null",
        "~",
        "50ms",
        "64KiB",
        "1",
        "-1.5e3",
        "name",
        "when: ",
        "all: ",
        "not: ",
        "header: ",
        "is: true",
        "route: ",
        "small",
        "peers: ",
        "\t",
        "<<: ",
        "%",
    ];
    prop_oneof![9 => prop::sample::select(words.map(str::to_owned).to_vec()), 1 => "\\PC{0,8}"]
}

proptest! {
    #[test]
    fn no_file_panics(pieces in prop::collection::vec(piece(), 0..60)) {
        let text = pieces.concat();
        for said in [load_policy(&text).err(), load(&text, &text).err()].into_iter().flatten() {
            prop_assert!(!said.is_empty());
            prop_assert!(said.iter().all(|line| !line.contains('\n')));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(load_policy(&bytes).is_err());
    }
}
