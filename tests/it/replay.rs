//! `sluice replay`: what the running proxy recorded is decided again, by the same policy and by others.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::support::behaviour::Behaviour;
use super::support::client::{eventually, post};
use super::support::gateway::{CHAT, Gateway, chat};
use super::support::process::sluice;

/// What does not happen for so long fails the test.
const PATIENCE: Duration = Duration::from_secs(10);

/// A house whose audit file has some of everything: routed, forced, failed over, refused, unreadable.
fn recorded() -> (Gateway, PathBuf) {
    let gateway = Gateway::with(|setup| {
        setup.settings["audit"] = json!({"path": "audit.jsonl"});
        setup.never_unhealthy();
    });
    gateway.chat("auto", "hi");
    gateway.chat("auto", "please refactor");
    gateway.chat("auto", "hi #force_big");
    post(gateway.proxy, CHAT, &[("X-Force-Big", "yes")], &chat("auto", "hi"));
    gateway.house.big.push(Behaviour::status(503));
    gateway.chat("auto", "refactor this");
    gateway.chat("nobody", "hi");
    gateway.post(CHAT, &json!({"messages": 7}));
    gateway.house.big.set_default(Behaviour::close());
    gateway.house.small.set_default(Behaviour::close());
    assert_eq!(gateway.chat("auto", "refactor that").status, 502, "two that die are enough");
    gateway.house.small.set_default(Behaviour::chat());
    gateway.push(&json!({"mode": "GAMING"}));
    gateway.chat("qwen3-coder-14b", "hi");
    gateway.push(&json!({"mode": "GAMING", "available": false}));
    gateway.chat("big", "hi");
    let path = gateway.config().with_file_name("audit.jsonl");
    let lines = || std::fs::read_to_string(&path).unwrap_or_default().lines().count();
    assert!(eventually(PATIENCE, || lines() == 10), "10 records awaited, there are {}", lines());
    (gateway, path)
}

fn replay(gateway: &Gateway, args: &[&str], file: &Path) -> Output {
    let config = gateway.config();
    let mut command = sluice(&["replay", "--config"]);
    command.arg(config).args(args).arg(file).output().expect("the binary runs")
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Changes `policy.yaml` in place.
fn change(gateway: &Gateway, from: &str, to: &str) {
    let path = gateway.config().with_file_name("policy.yaml");
    let text = std::fs::read_to_string(&path).expect("a file");
    assert!(text.contains(from), "{from} is not in\n{text}");
    std::fs::write(&path, text.replace(from, to)).expect("a file");
}

#[test]
fn the_policy_in_force_decides_all_of_it_the_same() {
    let (gateway, path) = recorded();
    let same = replay(&gateway, &[], &path);
    let text = String::from_utf8_lossy(&same.stdout).into_owned();
    assert_eq!(same.status.code(), Some(0), "{text}");
    assert_eq!(text, "10 records: 9 the same, 1 never decided about\n");
    assert_eq!(String::from_utf8_lossy(&same.stderr), "", "no progress where there is no terminal");
}

#[test]
fn another_policy_shows_what_would_change() {
    let (gateway, path) = recorded();
    change(&gateway, r"(?i)#force_big\b", "(?i)#now");
    let undecidable = replay(&gateway, &["--json"], &path);
    assert_eq!(undecidable.status.code(), Some(3));
    assert!(json_of(&undecidable)["undecidable"].as_u64() > Some(0), "{}", json_of(&undecidable));
    change(&gateway, "(?i)#now", r"(?i)#force_big\b");
    change(&gateway, "at_least: 2000", "at_least: 1");
    let changed = replay(&gateway, &["--json"], &path);
    assert_eq!(changed.status.code(), Some(3));
    let report = json_of(&changed);
    assert_eq!(report["undecidable"], 0);
    let first = &report["changes"][0];
    assert_eq!((&first["was"]["backend"], &first["would_be"]["backend"]), (&json!("small"), &json!("big")));
    assert_eq!(first["would_be"]["rule"], "heavy-by-tokens");
    let text = String::from_utf8_lossy(&replay(&gateway, &[], &path).stdout).into_owned();
    assert!(text.contains("small -> big") && text.contains("default -> heavy-by-tokens"), "{text}");
    change(&gateway, "at_least: 1", "at_most: 1");
    assert_eq!(replay(&gateway, &[], &path).status.code(), Some(78));
}

#[test]
fn bad_lines_are_named_and_skipped() {
    let (gateway, path) = recorded();
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("a file");
    file.write_all(b"{\"half\n\n{}\n").expect("written");
    let output = replay(&gateway, &[], &path);
    assert_eq!(output.status.code(), Some(0), "the records are the same");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let said: Vec<_> = said.lines().map(|line| line.replace(&path.display().to_string(), "FILE")).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("FILE:11: skipped: no JSON"), "{said:?}");
    assert!(said[1].starts_with("FILE:13: skipped: no audit record"), "{said:?}");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("; 2 lines skipped\n"));
    let nothing = replay(&gateway, &[], &gateway.config());
    assert_eq!(nothing.status.code(), Some(1), "a file that is none");
    assert_eq!(replay(&gateway, &[], Path::new("/nonexistent")).status.code(), Some(1));
}

#[test]
fn standard_input_and_several_files_are_taken() {
    let (gateway, path) = recorded();
    let config = gateway.config();
    let mut command = sluice(&["replay", "--config"]);
    command.arg(config).arg("-").arg(&path).arg("--json");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary runs");
    let text = std::fs::read(&path).expect("a file");
    child.stdin.take().expect("a pipe").write_all(&text).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(json_of(&output)["records"], 20);
    assert_eq!(output.status.code(), Some(0));
}
