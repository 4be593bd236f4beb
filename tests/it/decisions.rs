//! `GET /decisions` and `/decisions/stream` on the admin listener: what was decided, and what is.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::client::{Client, Response, eventually, get};
use super::support::gateway::Gateway;

/// What does not happen for so long fails the test.
const PATIENCE: Duration = Duration::from_secs(10);

fn decisions(gateway: &Gateway, query: &str) -> Vec<Value> {
    let answer = get(gateway.admin, &format!("/decisions{query}"));
    assert_eq!(answer.status, 200);
    serde_json::from_value(answer.json()).expect("an array")
}

/// Waits until there are so many: a record is made when its answer is out.
fn wait(gateway: &Gateway, count: usize) -> Vec<Value> {
    assert!(eventually(PATIENCE, || decisions(gateway, "").len() == count), "{count} records awaited");
    decisions(gateway, "")
}

fn listen(gateway: &Gateway) -> (Client, Response) {
    let mut client = Client::connect(gateway.admin);
    let mut response = client.get("/decisions/stream").head();
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let greeting = client.event(&mut response).expect("a first word");
    assert!(greeting.starts_with(':'), "a comment: {greeting}");
    (client, response)
}

fn record(event: &str) -> Value {
    serde_json::from_str(event.strip_prefix("data: ").expect("a data line")).expect("JSON on one line")
}

#[test]
fn the_latest_come_first_and_a_limit_holds() {
    let gateway = Gateway::start();
    assert_eq!(decisions(&gateway, ""), Vec::<Value>::new());
    for (count, model) in ["auto", "small", "big"].into_iter().enumerate() {
        gateway.chat(model, "hi");
        wait(&gateway, count + 1);
    }
    let models: Vec<_> = decisions(&gateway, "").iter().map(|it| it["facts"]["model"].clone()).collect();
    assert_eq!(models, ["big", "small", "auto"]);
    assert_eq!(decisions(&gateway, "?limit=1")[0]["rule"], "force-big");
    assert_eq!(decisions(&gateway, "?limit=2").len(), 2);
    assert_eq!(decisions(&gateway, "?limit=1000").len(), 3, "as many as there are");
    assert_eq!(get(gateway.admin, "/decisions?limit=some").status, 400);
}

#[test]
fn both_are_guarded_like_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "open sesame\n").expect("a file");
    let gateway = Gateway::with(|setup| setup.settings["admin"] = json!({"token_file": token}));
    for path in ["/decisions", "/decisions/stream"] {
        let asked = |fields: &[(&str, &str)]| {
            Client::connect(gateway.admin).send_head("GET", path, fields).head().status
        };
        assert_eq!(asked(&[]), 401, "{path}");
        assert_eq!(asked(&[("Authorization", "Bearer open sesame")]), 200, "{path}");
        assert_eq!(asked(&[("Authorization", "Bearer open sesame"), ("Origin", "http://evil.example")]), 403);
        let mut client = Client::connect(gateway.admin);
        let head = format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        assert_eq!(client.send(head.as_bytes()).head().status, 421, "{path}");
        let mut client = Client::connect(gateway.admin);
        let json = [("Content-Type", "application/json"), ("Content-Length", "0")];
        let fields = [&json[..], &[("Authorization", "Bearer open sesame")]].concat();
        assert_eq!(client.send_head("POST", path, &fields).head().status, 405, "{path}");
    }
}

#[test]
fn the_stream_tells_each_when_it_happens() {
    let gateway = Gateway::start();
    gateway.chat("auto", "before anybody listens");
    wait(&gateway, 1);
    let (mut first, mut heard) = listen(&gateway);
    let (mut second, mut also) = listen(&gateway);
    for model in ["small", "no-such-model"] {
        gateway.chat(model, "hi");
        let event = first.event(&mut heard).expect("an event");
        assert_eq!(record(&event)["facts"]["model"], model);
        assert_eq!(second.event(&mut also).expect("an event"), event, "everybody hears the same");
    }
    assert_eq!(decisions(&gateway, "").len(), 3, "and they are kept");
}

#[test]
fn the_stream_ends_when_the_process_stops() {
    let gateway = Gateway::start();
    let (mut client, mut response) = listen(&gateway);
    let lines = gateway.stop();
    assert!(client.event(&mut response).is_none());
    assert!(lines.iter().any(|line| line.contains("stopped")), "{lines:#?}");
}
