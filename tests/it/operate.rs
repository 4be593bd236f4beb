//! `sluice status` and `sluice mode` against a running proxy.

use std::process::Output;

use serde_json::{Value, json};

use super::support::behaviour::{Behaviour, Latch};
use super::support::gateway::{CHAT, Gateway, House, chat};
use super::support::process::sluice;

/// `sluice ARGS… --admin URL`
fn ask(gateway: &Gateway, args: &[&str]) -> Output {
    let url = format!("http://{}", gateway.admin);
    sluice(&[args, &["--admin", &url]].concat()).output().expect("the binary runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn status_shows_the_house() {
    let gateway = Gateway::with(|setup| {
        setup.policy["gpus"] = json!({"rtx3070": {"max_in_flight": 8}});
        setup.backend("small")["gpu"] = json!("rtx3070");
    });
    let shown = ask(&gateway, &["status"]);
    assert_eq!(shown.status.code(), Some(0), "{}", err(&shown));
    let text = out(&shown);
    assert!(text.contains("  gaming_pc  open  for ") && text.contains("NORMAL by poll"), "{text}");
    assert!(text.contains("  rtx3070  0 of 8 slots  0 waiting\n"), "{text}");
    let small = format!("  small  available  {}  healthy  0 in flight\n", gateway.house.small.addr());
    assert!(text.contains(small.trim_end()), "{text}");
    let raw: Value = serde_json::from_slice(&ask(&gateway, &["status", "--json"]).stdout).expect("JSON");
    assert_eq!(raw["gates"]["gaming_pc"]["state"], "open");
    assert_eq!(raw["gpus"]["rtx3070"]["limit"], 8);
}

#[test]
fn a_mode_is_said_and_read() {
    let gateway = Gateway::start();
    let read = ask(&gateway, &["mode"]);
    assert!(out(&read).starts_with("gaming_pc: NORMAL, open for "), "{}", out(&read));
    let closed = ask(&gateway, &["mode", "gaming"]);
    assert_eq!(closed.status.code(), Some(0), "{}", err(&closed));
    assert_eq!(out(&closed), "gaming_pc is closed; drained: nothing unforced runs behind it.\n");
    assert_eq!(gateway.chat("auto", "please refactor").header("x-sluice-gate"), Some("gaming_pc=closed"));
    let read = ask(&gateway, &["mode"]);
    assert!(out(&read).contains("GAMING, closed for ") && out(&read).contains("by push"), "{}", out(&read));
    assert_eq!(out(&ask(&gateway, &["mode", "normal", "--gate", "gaming_pc"])), "gaming_pc is open.\n");
    let raw: Value = serde_json::from_slice(&ask(&gateway, &["mode", "--json"]).stdout).expect("JSON");
    assert_eq!(raw["gaming_pc"]["mode"], "NORMAL");
}

#[test]
fn a_wait_says_whether_it_is_drained() {
    let latch = Latch::new();
    let gateway = Gateway::with(|setup| setup.gate()["on_close"] = json!("drain"));
    gateway.house.big.push(Behaviour::chat().hold(&latch));
    let mut client = gateway.client();
    client.post(CHAT, &[], chat("auto", "please refactor").to_string().as_bytes());
    gateway.house.big.wait_requests(1);
    let late = ask(&gateway, &["mode", "gaming", "--wait", "200ms"]);
    assert_eq!(late.status.code(), Some(1), "{}", out(&late));
    let words = "gaming_pc is draining; NOT drained after 200ms: 1 unforced in flight behind it.\n";
    assert_eq!(out(&late), words);
    let wait = std::thread::scope(|threads| {
        let waiting = threads.spawn(|| ask(&gateway, &["mode", "gaming", "--wait", "30s"]));
        latch.release();
        assert_eq!(client.response().status, 200, "it may finish");
        waiting.join().expect("a thread")
    });
    assert_eq!(
        (wait.status.code(), out(&wait)),
        (Some(0), "gaming_pc is closed; drained: nothing unforced runs behind it.\n".to_owned())
    );
}

#[test]
fn failures_are_clear_sentences() {
    let gateway = Gateway::start();
    let asked = |args: &[&str], wanted: &str| {
        let output = ask(&gateway, args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", out(&output));
        assert!(err(&output).contains(wanted), "{args:?}: {}", err(&output));
    };
    asked(&["mode", "gaming", "--gate", "nowhere"], "says 404: the policy has no gate of this name");
    asked(&["mode", "--gate", "nowhere"], "the policy has no gate \"nowhere\"");
    asked(&["mode", "gaming", "--wait", "11m"], "says 400");
    asked(&["status", "--token-file", "/nonexistent"], "cannot read /nonexistent");
    assert_eq!(ask(&gateway, &["mode", "--wait", "1s"]).status.code(), Some(2), "a wait for nothing");
    assert_eq!(ask(&gateway, &["mode", "asleep"]).status.code(), Some(2));
    let nobody = sluice(&["status", "--admin", "http://127.0.0.1:1"]).output().expect("the binary runs");
    assert_eq!(nobody.status.code(), Some(1));
    let words =
        "sluice: no sluice answers at http://127.0.0.1:1: the connection was refused (is it running?)\n";
    assert_eq!(err(&nobody), words);
}

#[test]
fn tokens_are_sent_and_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, token: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{token}\n")).expect("a file");
        path.to_string_lossy().into_owned()
    };
    let (all, gate) = (file("all", "open-sesame"), file("gate", "only-the-gate"));
    let gateway = House::build()
        .open(|setup| setup.settings["admin"] = json!({"token_file": all, "gate_token_file": gate}));
    let without = ask(&gateway, &["mode"]);
    assert_eq!(without.status.code(), Some(1));
    assert!(
        err(&without).contains("says 401") && err(&without).contains("--token-file"),
        "{}",
        err(&without)
    );
    assert_eq!(ask(&gateway, &["status", "--token-file", &all]).status.code(), Some(0));
    let pushed = ask(&gateway, &["mode", "gaming", "--gate", "gaming_pc", "--token-file", &gate]);
    assert_eq!(pushed.status.code(), Some(0), "the gate's token pushes: {}", err(&pushed));
    assert_eq!(ask(&gateway, &["status", "--token-file", &gate]).status.code(), Some(1), "and does no more");
}

#[test]
fn several_gates_must_be_told_apart() {
    let gateway = Gateway::with(|setup| {
        setup.policy["gates"]["laptop"] = json!({});
    });
    let both = out(&ask(&gateway, &["mode"]));
    assert!(both.contains("gaming_pc: ") && both.contains("laptop: not known, unknown"), "{both}");
    let unsaid = ask(&gateway, &["mode", "gaming"]);
    assert_eq!(unsaid.status.code(), Some(1));
    assert!(err(&unsaid).contains("which gate? --gate gaming_pc or --gate laptop"), "{}", err(&unsaid));
    assert_eq!(ask(&gateway, &["mode", "gaming", "--gate", "laptop"]).status.code(), Some(0));
    gateway.wait_status("/gates/laptop/state", &json!("closed"));
    assert_eq!(gateway.status()["gates"]["gaming_pc"]["state"], "open");
}
