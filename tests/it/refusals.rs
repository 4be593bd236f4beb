//! Status, code and shape of every error that sluice makes, and what stands on all of them.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::behaviour::Behaviour;
use super::support::client::Response;
use super::support::gateway::{CHAT, Gateway, chat};

const JSON: &str = "application/json";

/// A request that is refused, and how.
struct Case {
    path: &'static str,
    method: &'static str,
    media_type: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: String,
    status: u16,
    code: &'static str,
}

impl Case {
    fn posted(path: &'static str, body: impl Into<String>, status: u16, code: &'static str) -> Self {
        Self { path, method: "POST", media_type: JSON, headers: &[], body: body.into(), status, code }
    }

    fn bodiless(method: &'static str, path: &'static str, status: u16, code: &'static str) -> Self {
        Self { method, ..Self::posted(path, "", status, code) }
    }

    fn with(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    fn typed(self, media_type: &'static str) -> Self {
        Self { media_type, ..self }
    }

    fn ask(&self, gateway: &Gateway) -> Response {
        let length = self.body.len().to_string();
        let own = [("Content-Type", self.media_type), ("Content-Length", length.as_str())];
        let mut client = gateway.client();
        client.send_head(self.method, self.path, &[&own, self.headers].concat());
        // it may be refused before its body is read
        let _ = client.try_send(self.body.as_bytes());
        client.response()
    }
}

fn body(change: impl FnOnce(&mut Value)) -> String {
    let mut body = chat("auto", "hi");
    change(&mut body);
    body.to_string()
}

fn sound() -> String {
    body(|_| {})
}

/// What the contract's table has, as far as a client alone can bring it about.
fn cases() -> Vec<Case> {
    let deep = format!("{{\"messages\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let long = body(|body| body["messages"][0]["content"] = json!("word ".repeat(100_000)));
    let json = |body: &str| Case::posted(CHAT, body, 400, "invalid_json");
    let request = |body: String| Case::posted(CHAT, body, 400, "invalid_request");
    let speech = |model: &str| json!({"model": model, "input": "hi", "voice": "x"}).to_string();
    vec![
        json(""),
        json("{"),
        json("not json"),
        json("{\"messages\":[]} {}"),
        json("\u{feff}{\"messages\":[]}"),
        json("{\"messages\":[],}"),
        json("{'messages':[]}"),
        json(&deep),
        request("[]".to_owned()),
        request("\"hi\"".to_owned()),
        request("null".to_owned()),
        request(body(|body| body["model"] = json!(7))),
        request(body(|body| body["messages"] = json!("hi"))),
        request(r#"{"model":"auto","model":"big","messages":[]}"#.to_owned()),
        request(r#"{"messages":[],"messages":[]}"#.to_owned()),
        Case::posted(CHAT, long, 400, "context_length_exceeded"),
        Case::posted(CHAT, sound(), 400, "invalid_header").with(&[("X-Force-Big", "maybe")]),
        Case::posted(CHAT, body(|body| body["model"] = json!("gpt-4")), 404, "model_not_found"),
        Case::posted("/v1/audio/speech", speech("nobody"), 404, "model_not_found"),
        Case::posted("/v1/audio/speech", speech("small"), 400, "invalid_request"),
        Case::posted(CHAT, body(|body| body["model"] = json!("tts-1")), 400, "invalid_request"),
        Case::bodiless("GET", "/v1/models/gpt-4", 404, "model_not_found"),
        Case::bodiless("GET", "/", 404, "unknown_path"),
        Case::bodiless("GET", "/v1", 404, "unknown_path"),
        Case::bodiless("GET", "/metrics", 404, "unknown_path"),
        Case::posted("/v1/images/generations", sound(), 404, "unknown_path"),
        Case::bodiless("GET", CHAT, 405, "method_not_allowed"),
        Case::bodiless("PUT", CHAT, 405, "method_not_allowed"),
        Case::posted("/v1/models", sound(), 405, "method_not_allowed"),
        Case::posted("/health", sound(), 405, "method_not_allowed"),
        Case::posted(CHAT, sound(), 415, "unsupported_media_type").typed("text/plain"),
        Case::posted(CHAT, sound(), 415, "unsupported_media_type").with(&[("Content-Encoding", "gzip")]),
        Case::posted(CHAT, "x".repeat(1_100_000), 413, "body_too_large"),
    ]
}

/// OpenAI's shape, complete: `message`, `type`, `param`, `code`.
fn assert_openai(response: &Response, status: u16, code: &str, what: &str) {
    assert_eq!(
        (response.status, response.code().as_deref()),
        (status, Some(code)),
        "{what}: {}",
        response.text()
    );
    let error = response.json()["error"].clone();
    let members: Vec<_> = error.as_object().expect("a map").keys().cloned().collect();
    assert_eq!(members, ["message", "type", "param", "code"], "{what}");
    assert!(error["message"].as_str().is_some_and(|message| message.len() > 10), "{what}: {error}");
    assert!(error["type"].is_string(), "{what}: {error}");
    assert_eq!(response.header("content-type"), Some(JSON), "{what}");
    assert_refusal(response, what);
}

/// What every refusal has, whatever its shape.
fn assert_refusal(response: &Response, what: &str) {
    assert!(response.header("x-request-id").is_some_and(|id| !id.is_empty()), "{what}");
    assert_eq!(response.header("x-sluice-backend"), None, "{what}");
    if matches!(response.status, 429 | 503) {
        let seconds = response.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok());
        assert!(seconds.is_some_and(|seconds| seconds > 0), "{what}");
    }
}

#[test]
fn every_refusal_has_its_status_its_code_and_the_shape() {
    let gateway = Gateway::with(|setup| setup.limit("body", "1MiB"));
    for case in cases() {
        let response = case.ask(&gateway);
        let shown: String = case.body.chars().take(60).collect();
        assert_openai(&response, case.status, case.code, &format!("{} {} {shown}", case.method, case.path));
    }
    assert_eq!(gateway.house.requests(), 0, "none of them reached anybody");
}

#[test]
fn anthropics_paths_have_anthropics_shape() {
    let gateway = Gateway::with(|setup| setup.limit("body", "1MiB"));
    for path in ["/v1/messages", "/v1/messages/count_tokens"] {
        for (body, status, kind) in [
            ("{".to_owned(), 400, "invalid_request_error"),
            (body(|body| body["model"] = json!("nobody")), 404, "not_found_error"),
            ("x".repeat(1_100_000), 413, "request_too_large"),
        ] {
            let response = Case::posted(path, body, status, "").ask(&gateway);
            let error = response.json();
            assert_eq!(response.status, status, "{path}: {error}");
            assert_eq!((&error["type"], &error["error"]["type"]), (&json!("error"), &json!(kind)), "{path}");
            assert!(error["error"]["message"].is_string(), "{path}: {error}");
            assert_refusal(&response, path);
        }
    }
}

#[test]
fn a_method_that_is_not_allowed_names_the_one_that_is() {
    let gateway = Gateway::start();
    for (method, path, allowed) in
        [("GET", CHAT, "POST"), ("POST", "/v1/models", "GET"), ("DELETE", "/health", "GET")]
    {
        let response = Case::bodiless(method, path, 405, "").ask(&gateway);
        assert_eq!((response.status, response.header("allow")), (405, Some(allowed)), "{method} {path}");
    }
}

#[test]
fn an_unknown_model_lists_the_ones_there_are() {
    let gateway = Gateway::start();
    let message = gateway.chat("gpt-4", "hi").json()["error"]["message"].clone();
    let message = message.as_str().expect("a message");
    for name in ["auto", "big", "small", "qwen3-coder-7b", "qwen3-coder-14b", "tts-1"] {
        assert!(message.contains(name), "{name} in {message}");
    }
}

#[test]
fn a_context_that_is_too_long_is_told_in_the_known_words() {
    let gateway = Gateway::start();
    let response = gateway.chat("auto", &"word ".repeat(100_000));
    let message = response.json()["error"]["message"].to_string();
    assert!(
        message.contains("maximum context length is 32768 tokens"),
        "the largest window considered: {message}"
    );
    assert!(response.header("x-sluice-tokens").is_some());
}

#[test]
fn an_id_is_kept_or_made() {
    let gateway = Gateway::start();
    let long = "x".repeat(129);
    for (sent, kept) in
        [("abc-1.2_Z", true), ("x", true), ("a b", false), ("a/b", false), (long.as_str(), false)]
    {
        for body in [sound(), "{".to_owned()] {
            let mut client = gateway.client();
            let response = client.post(CHAT, &[("X-Request-Id", sent)], body.as_bytes()).response();
            let id = response.header("x-request-id").unwrap_or_default();
            assert_eq!(id == sent, kept, "{sent}: {id}");
            assert!(!id.is_empty(), "{sent}");
            if response.status == 200 {
                let upstream = gateway.house.small.requests().pop().expect("it was asked");
                assert_eq!(upstream.header("x-request-id"), Some(id), "the backend has the client's id");
            }
        }
    }
}

#[test]
fn anthropics_clients_find_the_id_where_they_look_for_it() {
    let gateway = Gateway::start();
    for (path, body) in [("/v1/messages", sound()), ("/v1/messages", "{".to_owned()), (CHAT, sound())] {
        let mut client = gateway.client();
        let response = client.post(path, &[("X-Request-Id", "mine")], body.as_bytes()).response();
        let wanted = (path != CHAT).then_some("mine");
        assert_eq!(response.header("request-id"), wanted, "{path}: {}", response.status);
    }
}

#[test]
fn what_was_routed_tells_everything_in_its_head() {
    let gateway = Gateway::start();
    let response = gateway.chat("auto", "hi");
    assert!(response.header("x-request-id").is_some());
    assert_eq!(response.header("x-sluice-backend"), Some("small"));
    assert_eq!(response.header("x-sluice-rule"), Some("default"));
    assert_eq!(response.header("x-sluice-reason"), Some("matched"));
    assert_eq!(response.header("x-sluice-gate"), Some("gaming_pc=open"));
    assert_eq!(response.header("x-sluice-attempts"), Some("1"));
    let tokens = response.header("x-sluice-tokens").and_then(|tokens| tokens.parse::<u64>().ok());
    assert!(tokens.is_some_and(|tokens| (1..50).contains(&tokens)), "{tokens:?}");
}

#[test]
fn what_backends_cause_has_its_status_too() {
    let gateway = Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.backend("small")["timeouts"] = json!({"first_byte": "150ms"});
    });
    gateway.house.small.push(Behaviour::hang());
    assert_openai(&gateway.chat("small", "hi"), 504, "upstream_timeout", "no first byte");
    gateway.house.small.push(Behaviour::close());
    assert_openai(&gateway.chat("small", "hi"), 502, "upstream_error", "no answer");
    gateway.house.small.refuse();
    assert_openai(&gateway.chat("small", "hi"), 502, "upstream_error", "no connection");
    gateway.house.small.accept();
    let settings = |setup: &mut super::support::gateway::Setup| setup.limit("body_read_timeout", "100ms");
    let gateway = Gateway::with(settings);
    let mut client = gateway.client();
    client.send_head("POST", CHAT, &[("Content-Type", JSON), ("Content-Length", "9")]);
    assert_openai(&client.response(), 408, "body_timeout", "no body");
    gateway.house.small.refuse();
    gateway.wait_backend("small", false);
    assert_openai(&gateway.chat("small", "hi"), 503, "no_backend_available", "nobody is there");
}

#[test]
fn a_clients_words_are_not_repeated_at_length() {
    let gateway = Gateway::start();
    let name = "n".repeat(50_000);
    let response = gateway.chat(&name, "a prompt that nobody else shall read");
    assert_eq!(response.status, 404);
    assert!(response.body.len() < 2_000, "{} bytes", response.body.len());
    assert_eq!(gateway.chat("auto", "a prompt that nobody else shall read").status, 200);
    let told =
        super::support::client::eventually(Duration::from_secs(5), || gateway.log().contains("status=200"));
    assert!(told, "{}", gateway.log());
    assert!(!gateway.log().contains("nobody else shall read"), "no prompt in the log");
    assert!(gateway.log().lines().all(|line| line.len() < 2_000), "no long line in the log");
}
