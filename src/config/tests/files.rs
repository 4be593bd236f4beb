//! Mistakes of whole files, and both files at one time.

use super::{POLICY, load_both, without, wrong, wrong_settings};
use crate::config::{load, load_policy};

#[test]
fn the_policy_of_these_tests_is_right() {
    let config = load_both("version: 1", POLICY).unwrap();
    assert_eq!(config.warnings, []);
    let names: Vec<&str> = config.policy.models.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["auto", "big", "little", "voice"]);
}

#[test]
fn missing_files() {
    let directory = tempfile::tempdir().unwrap();
    let settings = directory.path().join("sluice.yaml");
    let said = |at: &str| {
        format!(
            "{at}:1: (file): cannot be read: No such file or directory (os error 2) (check the path and who may read it)"
        )
    };
    assert_eq!(without(&load(&settings).unwrap_err(), directory.path()), said("sluice.yaml"));
    std::fs::write(&settings, "version: 1\npolicy: sub/p.yaml\n").unwrap();
    assert_eq!(without(&load(&settings).unwrap_err(), directory.path()), said("sub/p.yaml"));
}

#[test]
fn a_directory_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let said = load_policy(directory.path()).unwrap_err().to_string();
    assert!(said.contains(":1: (file): cannot be read: "), "{said}");
}

#[test]
fn empty_files() {
    let said = "sluice.yaml:1: (file): the file is empty (start from the shipped one in conf/)";
    assert_eq!(load_both("", POLICY).unwrap_err(), said);
    assert_eq!(load_both("# nothing\n\n", POLICY).unwrap_err(), said);
    let said = "sluice.yaml:1: (file): expected a map, found nothing (write `key: value` lines below it, or {} for none)";
    assert_eq!(load_both("~\n", POLICY).unwrap_err(), said);
}

#[test]
fn bad_yaml_has_its_place() {
    let said = wrong_settings("log: { level: info\nthreads: 2\n");
    assert_eq!(
        said,
        "sluice.yaml:3: (file): is not YAML: while parsing a flow mapping, did not find expected ',' or '}' at column 8 \
                      (look at the indentation, quotes and brackets here)"
    );
}

#[test]
fn what_yaml_has_and_no_one_needs_is_refused() {
    let file = |rest: &str| format!("sluice.yaml:2: (file): {rest}");
    assert_eq!(
        wrong_settings("---\nversion: 1\n"),
        file("a second document begins here (one document a file: remove the `---`)")
    );
    assert_eq!(wrong_settings("threads: !two 2\n"), file("the tag \"!two\" is not read (remove it)"));
    assert_eq!(wrong_settings("<<: { a: 1 }\n"), file("merge keys (`<<`) are not read (write the keys out)"));
    assert_eq!(wrong_settings("? [a]\n: 1\n"), file("a list or map as a key (keys are plain words)"));
    assert_eq!(
        wrong_settings("log: &a [*a]\n"),
        file("an alias inside its own anchor (write the value out)")
    );
}

#[test]
fn aliases_and_core_tags_are_read() {
    let text = "log: &log { level: !!str info }\nlimits: &a { body: 1KiB, buffered: &b 64KiB }\naudit: { max_size: *b }\n";
    let config = load_both(&format!("version: 1\n{text}"), POLICY).unwrap();
    assert_eq!((config.settings.limits.buffered, config.settings.audit.max_size), (65_536, 65_536));
}

#[test]
fn a_key_that_stands_twice() {
    let said = "sluice.yaml:4: threads: the key stands twice, first on line 2 (remove one of them)";
    assert_eq!(wrong_settings("threads: 2\npolicy: policy.yaml\nthreads: 3\n"), said);
    let said = "policy.yaml:10: backends.small: the key stands twice, first on line 7 (remove one of them)";
    assert_eq!(wrong("models:", "  small: { peers: [], model: m }\nmodels:"), said);
}

#[test]
fn an_unknown_key() {
    let said = "sluice.yaml:2: thread: unknown key (did you mean \"threads\"?)";
    assert_eq!(wrong_settings("thread: 2\n"), said);
    let said = "policy.yaml:5: gates.pc.poll_intervall: unknown key (did you mean \"poll_interval\"?)";
    assert_eq!(wrong("pc: {}", "pc: { poll_intervall: 1s }"), said);
}

#[test]
fn versions() {
    let said = "sluice.yaml:1: version: is missing (write `version: 1` as the first key)";
    assert_eq!(load_both("threads: 2\n", POLICY).unwrap_err(), said);
    let said =
        "sluice.yaml:1: version: is the number 2, which is not known (write `version: 1` as the first key)";
    assert_eq!(load_both("version: 2\n", POLICY).unwrap_err(), said);
    let said = "policy.yaml:1: version: is \"1\", which is not known (write `version: 1` as the first key)";
    assert_eq!(wrong("version: 1", "version: '1'"), said);
}

#[test]
fn all_mistakes_of_both_files_come_at_once() {
    let settings = "version: 1\nthreads: 0\nlisten:\n  proxy: localhost:8080\nlog: { level: loud }\n";
    let policy = POLICY
        .replace("max_in_flight: 4", "max_in_flight: four")
        .replace("pc: {}", "pc: { stale_after: 5 }")
        .replace("kind: speech", "kind: speach")
        .replace("route: big", "route: bgi");
    let said = "\
sluice.yaml:2: threads: 0 is out of range (legal: 1 to 64)
sluice.yaml:4: listen.proxy: \"localhost:8080\" is not an address to listen on (write an address and a port, such as 0.0.0.0:8080 or [::1]:8080; names are not looked up)
sluice.yaml:5: log.level: \"loud\" is not a legal value (it may be: error, warn, info, debug, trace)
policy.yaml:3: gpus.card.max_in_flight: expected a whole number, found \"four\" (write a whole number from 1 to 1024)
policy.yaml:5: gates.pc.stale_after: expected a duration, found the number 5 (write 500ms, 2s, 5m; legal: 50ms to 24h)
policy.yaml:9: backends.voice.kind: \"speach\" is not a legal value (did you mean \"speech\"?)
policy.yaml:19: rules[0].route: there is no backend \"bgi\" (did you mean \"big\"?)";
    assert_eq!(load_both(settings, &policy).unwrap_err(), said);
}

#[test]
fn the_hash_tells_contents_apart() {
    let hash = |policy: &str| load_both("version: 1", policy).unwrap().policy_hash;
    assert_eq!(hash(POLICY), hash(POLICY));
    assert_ne!(hash(POLICY), hash(&format!("{POLICY}\n")));
    assert_eq!(super::super::hash(b"abc"), "ba7816bf8f01");
}
