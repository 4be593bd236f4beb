//! The process's own log: a line an exchange, nothing secret in it at any level, a level that can be changed.

use serde_json::{Value, json};

use super::support::behaviour::Behaviour;
use super::support::client::{self, Response};
use super::support::gateway::{CHAT, Gateway, House, chat};

/// `PUT /log`
fn put(gateway: &Gateway, body: &Value) -> Response {
    gateway.push_to("/log", body)
}

fn level(gateway: &Gateway) -> Value {
    client::get(gateway.admin, "/log").json()["level"].clone()
}

/// Lines that tell of this exchange.
fn lines_of(gateway: &Gateway, id: &str) -> Vec<String> {
    gateway.process.lines().into_iter().filter(|line| line.contains(id)).collect()
}

#[test]
fn an_exchange_is_one_line_with_its_decision() {
    let gateway = Gateway::start();
    assert_eq!(gateway.ask("once", CHAT, &chat("auto", "please refactor")).response().status, 200);
    let line = gateway.process.wait_line("request_id=\"once\"");
    for part in [
        " INFO ",
        "path=\"/v1/chat/completions\"",
        "backend=\"big\"",
        "rule=\"heavy-by-pattern\"",
        "reason=\"matched\"",
        "status=200",
        "attempts=1",
        "tokens=",
        "first_byte_ms=",
        "total_ms=",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert_eq!(lines_of(&gateway, "once").len(), 1, "{}", gateway.log());
}

#[test]
fn a_json_line_is_an_object() {
    let gateway = Gateway::with(|setup| setup.settings["log"] = json!({"format": "json"}));
    assert_eq!(gateway.ask("once", CHAT, &chat("auto", "hi")).response().status, 200);
    let line: Value = serde_json::from_str(&gateway.process.wait_line("\"once\"")).expect("JSON");
    let seen = ["level", "message", "backend", "rule", "reason"].map(|name| &line[name]);
    assert_eq!(seen, ["INFO", "exchange", "small", "default", "matched"], "{line:#}");
    assert_eq!((&line["status"], &line["attempts"]), (&json!(200), &json!(1)));
    assert!(line["timestamp"].is_string() && line["total_ms"].is_f64(), "{line:#}");
}

#[test]
fn the_level_changes_without_a_restart() {
    let gateway = Gateway::start();
    assert_eq!(level(&gateway), "info");
    gateway.ask("before", CHAT, &chat("auto", "hi")).response();
    gateway.process.wait_line("request_id=\"before\"");

    assert_eq!(put(&gateway, &json!({"level": "debug"})).json(), json!({"level": "debug", "before": "info"}));
    gateway.ask("during", CHAT, &chat("auto", "hi")).response();
    let decided = gateway.process.wait_line("decided request_id=\"during\"");
    assert!(decided.contains("DEBUG") && decided.contains("backend=\"small\""), "{decided}");
    gateway.process.wait_line("asks request_id=\"during\" attempt=1 backend=\"small\"");
    gateway.process.wait_line("poll gate=\"gaming_pc\" heard=\"NORMAL\"");
    gateway.process.wait_line("probe backend=\"small\"");

    put(&gateway, &json!({"level": "warn"}));
    gateway.ask("quiet", CHAT, &chat("auto", "hi")).response();
    gateway.wait_decisions(3); // its line would have been written before its record
    put(&gateway, &json!({"level": "info"}));
    gateway.ask("after", CHAT, &chat("auto", "hi")).response();
    gateway.process.wait_line("exchange request_id=\"after\"");
    assert_eq!(lines_of(&gateway, "quiet"), [""; 0], "nothing at warn");
    assert_eq!(lines_of(&gateway, "before").len(), 1, "no debug line before it was asked for");
    let changes = gateway.process.lines().into_iter().filter(|line| line.contains("the log level changes"));
    assert_eq!(changes.count(), 3, "each change is told: {}", gateway.log());
}

#[test]
fn other_levels_are_refused_and_change_nothing() {
    let gateway = Gateway::start();
    for body in [
        json!({"level": "loud"}),
        json!({"level": 3}),
        json!({"level": "debug", "for": "1m"}),
        json!([]),
        json!({}),
        json!({"level": "DEBUG"}),
    ] {
        let refused = put(&gateway, &body);
        assert_eq!((refused.status, refused.code().as_deref()), (400, Some("invalid_request")), "{body}");
        assert!(refused.text().contains("trace"), "the legal words are named: {}", refused.text());
    }
    let posted = client::post(gateway.admin, "/log", &[], &json!({"level": "debug"}));
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET and PUT")));
    assert_eq!(level(&gateway), "info");
}

#[test]
fn the_level_is_for_who_has_the_whole_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, name).expect("a file");
        path
    };
    let (all, gate) = (file("all"), file("gate"));
    let gateway = House::build()
        .open(|setup| setup.settings["admin"] = json!({"token_file": all, "gate_token_file": gate}));
    assert_eq!(put(&gateway, &json!({"level": "trace"})).status, 401);
    let asked = |token: &str| {
        let mut client = client::Client::connect(gateway.admin);
        let bearer = format!("Bearer {token}");
        client.send_head("GET", "/log", &[("Authorization", &bearer)]).response().status
    };
    assert_eq!((asked("gate"), asked("all")), (401, 200));
}

#[test]
fn no_level_tells_a_secret() {
    let gateway = Gateway::with(|setup| {
        setup.settings["log"] = json!({"level": "trace"});
        setup.never_unhealthy();
    });
    let (prompt, key, answer) = ("my-prompt-4711", "my-key-4711", "my-answer-4711");
    let said = |text: &str| chat("auto", &format!("{prompt} {text}")).to_string();
    let send = |body: &[u8]| {
        let mut client = gateway.client();
        let bearer = format!("Bearer {key}");
        let fields = [("Authorization", bearer.as_str()), ("x-api-key", key), ("x-session-id", key)];
        client.post(CHAT, &fields, body).response()
    };
    let event = format!("data: {answer}");
    let garbage = format!("HTTP/1.1 200 OK\r\nbad head {answer}\r\n{prompt}\r\n\r\n{answer}");
    let chunks = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{answer}\r\n{answer}");
    for behaviour in [
        Behaviour::events(&[&event]),
        Behaviour::raw(garbage.as_bytes()),
        Behaviour::raw(chunks.as_bytes()),
        Behaviour::raw(answer.as_bytes()),
        Behaviour::status(500),
    ] {
        gateway.house.small.push(behaviour.clone());
        send(said("hi").as_bytes());
    }
    send(said("#force_big refactor").as_bytes());
    send(format!("{{\"messages\": \"{prompt}\"").as_bytes());
    send(chat("gpt-4", prompt).to_string().as_bytes());
    gateway.write_policy("version: 1\n");
    gateway.reload();
    let lines = gateway.stop();
    assert!(lines.iter().any(|line| line.contains("decided")), "{lines:#?}");
    for secret in [prompt, key, answer] {
        let told: Vec<_> = lines.iter().filter(|line| line.contains(secret)).collect();
        assert!(told.is_empty(), "{secret}: {told:#?}");
    }
}
