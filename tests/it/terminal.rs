//! What a person at a terminal gets: colours there and nowhere else, `--watch`, completions, manual pages.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::support::gateway::{CHAT, Gateway, chat};
use super::support::process::{Process, sluice};

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The arguments, and where to ask.
fn asking(gateway: &Gateway, args: &[&str]) -> Vec<String> {
    let admin = ["--admin".to_owned(), format!("http://{}", gateway.admin)];
    args.iter().map(|arg| (*arg).to_owned()).chain(admin).collect()
}

/// The command on a terminal of its own (util-linux's `script` makes one), with variables in its environment.
fn on_terminal(args: &[String], environment: &[(&str, &str)]) -> Command {
    let line = format!("{} {}", env!("CARGO_BIN_EXE_sluice"), args.join(" "));
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.env_remove("NO_COLOR").env("TERM", "xterm").envs(environment.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

#[test]
fn colours_are_for_terminals_and_can_be_refused() {
    let gateway = Gateway::start();
    let args = asking(&gateway, &["status"]);
    let piped = out(&sluice(&args).output().expect("it runs"));
    assert!(piped.contains("  gaming_pc  open  for ") && !piped.contains('\u{1b}'), "{piped:?}");
    let shown = out(&on_terminal(&args, &[]).output().expect("script runs"));
    assert!(shown.contains("\u{1b}[32mopen") && shown.contains("\u{1b}[1mgates"), "{shown:?}");
    let plain = out(&on_terminal(&args, &[("NO_COLOR", "1")]).output().expect("script runs"));
    assert!(plain.contains("  gaming_pc  open  for ") && !plain.contains('\u{1b}'), "{plain:?}");
}

#[test]
fn explain_is_coloured_by_its_outcome() {
    let gateway = Gateway::start();
    let file = gateway.config().with_file_name("body.json");
    std::fs::write(&file, chat("auto", "hi").to_string()).expect("a file");
    let config = gateway.config().to_string_lossy().into_owned();
    let args = ["explain", "--config", &config, &file.to_string_lossy()].map(str::to_owned);
    let shown = out(&on_terminal(&args, &[]).output().expect("script runs"));
    assert!(shown.starts_with("\u{1b}[1m\u{1b}[32m-> small, by rule default"), "{shown:?}");
}

#[test]
fn a_watch_shows_what_changes() {
    let gateway = Gateway::start();
    let watch = Process::start(&asking(&gateway, &["status", "--watch=100ms"]));
    watch.wait_line("gaming_pc  open");
    gateway.push(&json!({"mode": "GAMING"}));
    watch.wait_line("gaming_pc  closed");
    assert!(!watch.lines().join("\n").contains('\u{1b}'), "it is no terminal");
    gateway.stop();
    watch.wait_line("no sluice answers at ");
    watch.signal("INT");
    assert_eq!(watch.wait().0.code(), Some(0), "Ctrl-C is how it ends");
}

#[test]
fn a_watch_for_machines_is_a_line_a_look() {
    let gateway = Gateway::start();
    let mut command = sluice(&asking(&gateway, &["status", "--json", "--watch=100ms"]));
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for line in lines.take(3) {
        let status: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        assert_eq!(status["gates"]["gaming_pc"]["state"], "open");
    }
    assert!(child.wait().expect("it ends").success(), "nobody reads it any more: no failure");
}

#[test]
fn a_watch_on_a_terminal_has_a_screen_of_its_own() {
    let gateway = Gateway::start();
    let args = asking(&gateway, &["status", "--watch=100ms"]);
    let mut child = on_terminal(&args, &[]).stdin(Stdio::piped()).spawn().expect("script runs");
    let mut keys = child.stdin.take().expect("a pipe");
    let mut seen = String::new();
    let mut terminal = BufReader::new(child.stdout.take().expect("a pipe"));
    while seen.matches("\u{1b}[H").count() < 3 {
        assert_ne!(terminal.read_line(&mut seen).expect("text"), 0, "{seen:?}");
    }
    keys.write_all(b"\x03").expect("a key"); // Ctrl-C, which the terminal turns into a signal
    while terminal.read_line(&mut seen).expect("text") > 0 {}
    child.wait().expect("it ends");
    assert!(seen.starts_with("\u{1b}[?1049h") && seen.contains("\u{1b}[32mopen"), "{seen:?}");
    assert!(seen.trim_end().ends_with("\u{1b}[?25h\u{1b}[?1049l"), "it leaves no trace: {seen:?}");
}

#[test]
fn a_watch_that_would_never_rest_is_a_usage_error() {
    for interval in ["--watch=1ms", "--watch=soon", "--watch=0s"] {
        assert_eq!(
            sluice(&["status", interval]).output().expect("it runs").status.code(),
            Some(2),
            "{interval}"
        );
    }
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = out(&sluice(&["completions", shell]).output().expect("it runs"));
        for command in
            ["serve", "check", "explain", "replay", "status", "mode", "log-level", "schema", "demo"]
        {
            assert!(script.contains(command), "{shell}: {command}");
        }
        assert!(script.contains("watch") && script.contains("gaming"), "{shell}: options and values");
    }
    assert_eq!(sluice(&["completions", "abacus"]).output().expect("it runs").status.code(), Some(2));
}

/// What bash offers after `sluice WORDS…`.
fn bash_offers(words: &[&str]) -> Vec<String> {
    let script = out(&sluice(&["completions", "bash"]).output().expect("it runs"));
    let words = [&["sluice"], words].concat();
    let last = words.last().expect("a word");
    let ask = format!(
        "{script}\nCOMP_WORDS=({}); COMP_CWORD={}; _sluice sluice '{last}' ''; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words.len() - 1,
    );
    let offered = Command::new("bash").args(["--norc", "-c", &ask]).output().expect("bash runs");
    out(&offered).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_with_them() {
    assert_eq!(bash_offers(&["sta"]), ["status"]);
    assert_eq!(bash_offers(&["status", "--wa"]), ["--watch"]);
    assert_eq!(bash_offers(&["schema", "p"]), ["policy"]);
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("a path");
    let written = sluice(&["man", "--all", path]).output().expect("it runs");
    assert_eq!(written.status.code(), Some(0), "{}", String::from_utf8_lossy(&written.stderr));
    let help = out(&sluice(&["--help"]).output().expect("it runs"));
    let commands =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|it| !it.is_empty());
    let names: Vec<_> = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    assert!(names.contains(&"serve") && names.contains(&"man"), "{names:?}");
    for name in names.into_iter().filter(|name| !matches!(*name, "" | "help")) {
        let page = std::fs::read_to_string(folder.path().join(format!("sluice-{name}.1"))).expect("a page");
        assert!(page.contains(&format!(".TH sluice-{name} 1")), "{name}: {page}");
        assert_eq!(page, out(&sluice(&["man", name]).output().expect("it runs")), "{name}");
    }
    let main = out(&sluice(&["man"]).output().expect("it runs"));
    assert!(
        main.contains(".TH sluice 1") && main.contains("log\\-level") && main.contains("Exit codes"),
        "{main}"
    );
    assert_eq!(sluice(&["man", "fly"]).output().expect("it runs").status.code(), Some(1));
}

#[test]
fn a_check_for_machines_names_every_problem() {
    let gateway = Gateway::start();
    let config = gateway.config().to_string_lossy().into_owned();
    let good = sluice(&["check", "--json", "--config", &config]).output().expect("it runs");
    let told: Value = serde_json::from_slice(&good.stdout).expect("JSON");
    assert_eq!((good.status.code(), &told["ok"], &told["problems"]), (Some(0), &json!(true), &json!([])));
    assert_eq!(told["policy_hash"], gateway.status()["policy"]["hash"]);
    gateway.write_policy("version: 1\nbackends: {}\nrules: []\n");
    let bad = sluice(&["check", "--json", "--config", &config]).output().expect("it runs");
    let told: Value = serde_json::from_slice(&bad.stdout).expect("JSON");
    assert_eq!((bad.status.code(), &told["ok"]), (Some(78), &json!(false)));
    let first = &told["problems"][0];
    assert_eq!((&first["line"], &first["path"]), (&json!(2), &json!("backends")), "{told:#}");
    assert!(first["file"].as_str().is_some_and(|file| file.ends_with("policy.yaml")), "{told:#}");
}

#[test]
fn the_log_level_is_read_and_changed() {
    let gateway = Gateway::start();
    let ask = |args: &[&str]| out(&sluice(&asking(&gateway, args)).output().expect("it runs"));
    assert_eq!(ask(&["log-level"]), "info\n");
    assert_eq!(ask(&["log-level", "debug"]), "debug (it was info)\n");
    let told: Value = serde_json::from_str(&ask(&["log-level", "--json"])).expect("JSON");
    assert_eq!(told, json!({"level": "debug"}));
    gateway.ask("now", CHAT, &chat("auto", "hi")).response();
    gateway.process.wait_line("decided request_id=\"now\"");
    assert_eq!(sluice(&["log-level", "loud"]).output().expect("it runs").status.code(), Some(2));
}
