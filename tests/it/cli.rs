//! The command line: help, usage errors, `check`, `schema`, and `explain` beside live traffic.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use super::support::client::post;
use super::support::gateway::{CHAT, Gateway, chat};
use super::support::process::sluice;

/// Runs it to its end, with this on its standard input.
fn run<S: AsRef<OsStr>>(args: &[S], input: &str) -> Output {
    let mut command = sluice(args);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    // it may not want any
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const COMMANDS: [&str; 11] = [
    "serve",
    "check",
    "explain",
    "replay",
    "status",
    "mode",
    "log-level",
    "schema",
    "demo",
    "completions",
    "man",
];

#[test]
fn help_and_version_are_everywhere() {
    let help = run(&["--help"], "");
    assert_eq!(help.status.code(), Some(0));
    for command in COMMANDS {
        assert!(out(&help).contains(command), "{command}: {}", out(&help));
        let help = run(&[command, "--help"], "");
        assert_eq!(help.status.code(), Some(0), "{command}");
        assert!(out(&help).contains("Usage: sluice"), "{command}: {}", out(&help));
        let version = run(&[command, "--version"], "");
        assert_eq!(version.status.code(), Some(0), "{command} --version: {}", err(&version));
    }
    let version = run(&["--version"], "");
    assert_eq!(
        (version.status.code(), out(&version).trim()),
        (Some(0), concat!("sluice ", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn usage_errors_exit_2() {
    for args in [
        &[][..],
        &["fly"],
        &["--fly"],
        &["serve", "--fly"],
        &["explain"],
        &["schema"],
        &["schema", "weather"],
        &["demo", "--port", "70000"],
        &["demo", "--port", "eighty"],
        &["demo", "--duration", "soon"],
        &["check", "surplus"],
    ] {
        let output = run(args, "");
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{args:?}: said where errors are looked for"
        );
    }
}

#[test]
fn check_tells_every_problem_at_once() {
    let gateway = Gateway::start();
    let config = gateway.config();
    let good = run(&["check".as_ref(), "--config".as_ref(), config.as_os_str()], "");
    assert_eq!(good.status.code(), Some(0), "{}{}", out(&good), err(&good));
    assert!(out(&good).contains("3 backends") && out(&good).contains("5 rules"), "{}", out(&good));

    let folder = tempfile::tempdir().expect("a folder");
    let bad = folder.path().join("sluice.yaml");
    std::fs::write(&bad, "version: 1\nthreads: 0\nlimits: { bodi: 1MiB, body_read_timeout: 30 }\n")
        .expect("a file");
    let policy = "version: 1\nbackends: { small: { peers: ['127.0.0.1:1'], model: m } }\nrules: [{ name: a, route: smal }]\n";
    std::fs::write(folder.path().join("policy.yaml"), policy).expect("a file");
    for command in ["check", "serve"] {
        let output = run(&[command.as_ref(), "--config".as_ref(), bad.as_os_str()], "");
        let said = out(&output) + &err(&output);
        assert_eq!(output.status.code(), Some(78), "{command}: {said}");
        let told = |line: &str| said.lines().any(|said| said.contains(line));
        assert!(
            told("sluice.yaml:2: threads: ") && told("sluice.yaml:3: limits.bodi: "),
            "{command}: {said}"
        );
        assert!(told("sluice.yaml:3: limits.body_read_timeout: "), "{command}: {said}");
        assert!(
            told("policy.yaml:3: rules[0].route: ") || told("policy.yaml:3: rules.0.route: "),
            "{command}: {said}"
        );
        assert!(told("small"), "{command}: did you mean: {said}");
    }
}

#[test]
fn a_file_that_is_not_there_is_a_problem_like_any_other() {
    for command in ["check", "serve"] {
        let output = run(&[command, "--config", "/nowhere/sluice.yaml"], "");
        assert_eq!(output.status.code(), Some(78), "{command}: {}{}", out(&output), err(&output));
        assert!((out(&output) + &err(&output)).contains("/nowhere/sluice.yaml"), "{command}");
    }
    let explained = run(&["explain", "--config", "/nowhere/sluice.yaml", "-"], "{}");
    assert_eq!(explained.status.code(), Some(78));
}

#[test]
fn schemas_are_the_shipped_ones() {
    for file in ["settings", "policy"] {
        let output = run(&["schema", file], "");
        assert_eq!(output.status.code(), Some(0), "{file}");
        let shipped = format!("{}/conf/{file}.schema.json", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(out(&output), std::fs::read_to_string(shipped).expect("a shipped file"), "{file}");
        let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert!(schema["$schema"].is_string(), "{file}");
    }
}

/// `sluice explain --json` for this body; its exit code and the decision.
fn explain(gateway: &Gateway, options: &[&str], body: &str) -> (Option<i32>, Value) {
    let config = gateway.config();
    let config = config.to_str().expect("a path");
    let output = run(&[&["explain", "--config", config, "--json"], options, &["-"]].concat(), body);
    let decision = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", out(&output), err(&output)));
    (output.status.code(), decision)
}

/// A path, header fields, a body.
type Asked = (&'static str, &'static [(&'static str, &'static str)], Value);

#[test]
fn explain_decides_as_live_traffic_does() {
    let gateway = Gateway::start();
    let long = "word ".repeat(3_000);
    let talk = json!({"messages": [
        {"role": "system", "content": "#force_big is of no use here"},
        {"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "#force_big"},
    ], "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}], "stream": true, "max_tokens": 77});
    let cases: [Asked; 10] = [
        (CHAT, &[], chat("auto", "hi")),
        (CHAT, &[], chat("auto", "please refactor")),
        (CHAT, &[], chat("auto", &long)),
        (CHAT, &[], chat("auto", "#FORCE_BIG hi")),
        (CHAT, &[("X-Force-Big", "yes")], chat("auto", "hi")),
        (CHAT, &[], chat("small", "refactor")),
        (CHAT, &[], talk),
        ("/v1/completions", &[], json!({"prompt": "refactor"})),
        ("/v1/embeddings", &[], json!({"model": "small", "input": ["a", "b"]})),
        ("/v1/audio/speech", &[], json!({"model": "tts-1", "input": "hi", "voice": "x"})),
    ];
    for (path, headers, body) in cases {
        let live = post(gateway.proxy, path, headers, &body);
        let header: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let mut options = vec!["--path", path];
        options.extend(header.iter().flat_map(|header| ["--header", header]));
        let (code, decision) = explain(&gateway, &options, &body.to_string());
        assert_eq!((code, live.status), (Some(0), 200), "{decision:#}: {}", live.text());
        let told = [
            decision["backend"].as_str().unwrap_or_default().to_owned(),
            decision["rule"].as_str().unwrap_or_default().to_owned(),
            decision["reason"].as_str().unwrap_or_default().to_owned(),
            decision["facts"]["tokens"].to_string(),
        ];
        let seen = ["backend", "rule", "reason", "tokens"]
            .map(|name| live.header(&format!("x-sluice-{name}")).unwrap_or_default().to_owned());
        assert_eq!(told, seen, "{path} {headers:?}");
    }
}

#[test]
fn explain_refuses_as_live_traffic_does() {
    let gateway = Gateway::start();
    let long = chat("auto", &"word ".repeat(100_000)).to_string();
    let unknown = chat("gpt-4", "hi").to_string();
    for (body, status, code) in [
        (unknown.as_str(), 404, "model_not_found"),
        (long.as_str(), 400, "context_length_exceeded"),
        ("{", 400, "invalid_json"),
        ("[]", 400, "invalid_request"),
    ] {
        let (exit, decision) = explain(&gateway, &[], body);
        assert_eq!((exit, &decision["outcome"]), (Some(3), &json!("refuse")), "{code}");
        let refusal = &decision["refusal"];
        assert_eq!((&refusal["status"], &refusal["code"]), (&json!(status), &json!(code)));
        let mut client = gateway.client();
        let live = client.post(CHAT, &[], body.as_bytes()).response();
        let message = &live.json()["error"]["message"];
        assert_eq!((live.status, live.code().as_deref(), message), (status, Some(code), &refusal["message"]));
    }
}

#[test]
fn explain_takes_what_is_assumed() {
    let gateway = Gateway::start();
    let body = chat("auto", "please refactor").to_string();
    let (_, open) = explain(&gateway, &[], &body);
    assert_eq!((&open["backend"], &open["rule"]), (&json!("big"), &json!("heavy-by-pattern")));
    for state in ["closed", "unknown"] {
        let (code, shut) = explain(&gateway, &["--gate", &format!("gaming_pc={state}")], &body);
        assert_eq!((code, &shut["backend"], &shut["rule"]), (Some(0), &json!("small"), &json!("gaming")));
        assert_eq!(shut["facts"]["gates"]["gaming_pc"], state);
    }
    let (_, down) = explain(&gateway, &["--down", "big"], &body);
    assert_eq!((&down["backend"], &down["reason"]), (&json!("small"), &json!("unhealthy")));
    assert_eq!(down["candidates"][0], json!({"backend": "big", "verdict": "unhealthy"}));
    let (code, refused) = explain(&gateway, &["--down", "big", "--down", "small"], &body);
    assert_eq!((code, &refused["refusal"]["status"]), (Some(3), &json!(503)));
    let members = ["outcome", "backend", "rule", "reason", "facts", "rules", "candidates", "refusal"];
    for member in members {
        assert!(open.get(member).is_some(), "{member}: {open:#}");
    }
}

#[test]
fn explain_says_it_in_words_too() {
    let gateway = Gateway::start();
    let config = gateway.config();
    let file = config.with_file_name("body.json");
    std::fs::write(&file, chat("auto", "please refactor").to_string()).expect("a file");
    let args = ["explain".as_ref(), "--config".as_ref(), config.as_os_str(), file.as_os_str()];
    let output = run(&args, "");
    let said = out(&output);
    assert_eq!(output.status.code(), Some(0), "{said}{}", err(&output));
    assert!(said.starts_with("-> big, by rule heavy-by-pattern (matched)\n"), "{said}");
    for rule in ["force-big", "gaming", "heavy-by-tokens", "heavy-by-pattern", "default"] {
        assert!(said.contains(rule), "{rule}: {said}");
    }
    assert!(!said.contains("please"), "no prompt text: {said}");
    assert!(said.lines().count() <= 40, "one screen: {said}");
}

#[test]
fn explain_with_names_that_are_not_there_fails() {
    let gateway = Gateway::start();
    let config = gateway.config();
    let config = config.to_str().expect("a path");
    for options in [
        ["--gate", "nobody=open"],
        ["--gate", "gaming_pc=ajar"],
        ["--down", "nobody"],
        ["--path", "/v2"],
        ["--header", "nonsense"],
    ] {
        let output = run(&[&["explain", "--config", config], &options[..], &["-"]].concat(), "{}");
        assert!(!matches!(output.status.code(), Some(0 | 3)), "{options:?}: {}", out(&output));
        assert!(!output.stderr.is_empty(), "{options:?}");
    }
}

#[test]
fn a_checkout_s_own_configuration_is_the_usual_one() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("conf")).expect("a folder");
    std::fs::write(folder.path().join("conf/sluice.yaml"), "version: 2\n").expect("a file");
    let output = sluice(&["check"]).current_dir(folder.path()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(78));
    assert!(out(&output).contains("conf/sluice.yaml:1: version: "), "{}", out(&output));
}
