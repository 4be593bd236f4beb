//! What a close does to what runs behind the gate: it drains, it is cut, or it is decided again; and a push that waits
//! for that.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::behaviour::{Behaviour, Latch};
use super::support::client::{Client, Response, eventually};
use super::support::gateway::{CHAT, Gateway, Setup, chat, streamed};

/// Leads to big, and to small where that cannot be.
pub const BIG: &str = "qwen3-coder-14b";

/// A house whose gate cuts what still runs after so long.
pub fn cutting(drain_timeout: &str, change: impl FnOnce(&mut Setup)) -> Gateway {
    Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.gate()["on_close"] = json!("cancel");
        setup.gate()["drain_timeout"] = json!(drain_timeout);
        change(setup);
    })
}

/// Pushes GAMING; what the answer says.
pub fn close(gateway: &Gateway) -> Value {
    gateway.push(&json!({"mode": "GAMING"})).json()
}

// === What a close does to what runs ===

/// A stream from `big` whose first event has come.
fn running(gateway: &Gateway, model: &str, pace: Duration) -> (Client, Response) {
    let events: Vec<_> =
        (0..12).map(|number| format!("data: {number}")).chain(["data: [DONE]".into()]).collect();
    gateway.house.big.push(Behaviour::events(&events).pace(pace));
    let mut client = gateway.ask("runs", CHAT, &streamed(chat(model, "refactor")));
    let mut response = client.head();
    assert_eq!(response.header("x-sluice-backend"), Some("big"));
    client.event(&mut response).expect("the first event");
    (client, response)
}

/// The rest of a stream: its events.
fn rest(client: &mut Client, response: &mut Response) -> Vec<String> {
    std::iter::from_fn(|| client.event(response)).collect()
}

#[test]
fn a_stream_is_cut_with_a_last_event_when_its_time_to_drain_is_over() {
    let gateway = cutting("300ms", |_| {});
    let (mut client, mut response) = running(&gateway, BIG, Duration::from_millis(100));
    let (mut forced, mut forced_response) = running(&gateway, "big", Duration::from_millis(50));
    let began = Instant::now();
    assert_eq!(close(&gateway)["state"], "draining");
    let events = rest(&mut client, &mut response);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(250) && took < Duration::from_millis(900), "{took:?}");
    let last = events.last().expect("a last event").strip_prefix("data: ").expect("an event");
    let error: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(error["error"]["code"], "gate_closed", "{error}");
    assert!(!events.iter().any(|event| event.contains("[DONE]")), "{events:?}");
    assert!(client.is_closed(), "and the connection ends");
    let events = rest(&mut forced, &mut forced_response);
    assert_eq!(events.last().map(String::as_str), Some("data: [DONE]"), "the forced one is left alone");
    gateway.wait_count("sluice_broken_answers_total", &["backend=\"big\"", "reason=\"gate_closed\""], 1);
    assert_eq!(gateway.count("sluice_broken_answers_total", &[]), 1);
    gateway.wait_gate("closed");
    let left = |all: &[super::support::request::Request]| all[0].client_left.is_some();
    gateway.house.big.wait("the cut at the peer", left);
}

#[test]
fn a_stream_of_messages_is_cut_in_their_dialect() {
    let gateway = cutting("50ms", |_| {});
    let events = ["event: message_start\ndata: {}", "event: ping\ndata: {}"];
    gateway.house.big.push(Behaviour::events(&events).pace(Duration::from_secs(60)));
    let mut body = streamed(chat(BIG, "refactor"));
    body["max_tokens"] = json!(16);
    let mut client = gateway.ask("m", "/v1/messages", &body);
    let mut response = client.head();
    client.event(&mut response).expect("the first event");
    close(&gateway);
    let events = rest(&mut client, &mut response);
    let [last] = events.as_slice() else { panic!("one more event: {events:?}") };
    assert!(last.starts_with("event: error\ndata: {\"type\":\"error\""), "{last}");
}

#[test]
fn what_has_no_first_byte_when_it_is_cut_is_decided_again() {
    let gateway = cutting("150ms", |_| {});
    for behaviour in [
        Behaviour::hang(),
        Behaviour::chat().delay_body(Duration::from_secs(60)),
        Behaviour::events(&["data: 1"]).delay_body(Duration::from_secs(60)),
    ] {
        gateway.house.big.push(behaviour);
        let before = gateway.house.big.requests().len();
        let mut client = gateway.ask("prefill", CHAT, &streamed(chat(BIG, "refactor")));
        gateway.house.big.wait_requests(before + 1);
        let began = Instant::now();
        assert_eq!(close(&gateway)["state"], "draining");
        let response = client.response();
        assert!(began.elapsed() >= Duration::from_millis(100), "it had its time: {:?}", began.elapsed());
        let header = |name| response.header(name);
        assert_eq!((response.status, response.complete), (200, true));
        assert_eq!(
            (header("x-sluice-backend"), header("x-sluice-reason"), header("x-sluice-attempts")),
            (Some("small"), Some("gate_closed"), Some("2"))
        );
        assert_eq!(gateway.push(&json!({"mode": "NORMAL"})).json()["state"], "open");
        gateway.wait_backend("big", true);
    }
    assert_eq!(gateway.chat(BIG, "hi").header("x-sluice-backend"), Some("big"), "it is not taken for dead");
}

#[test]
fn a_plain_answer_that_is_cut_looks_broken() {
    let gateway = cutting("50ms", |_| {});
    let halves = vec![vec![b' '; 500], vec![b'}'; 500]];
    let stalled = Behaviour::pieces(halves).pace(Duration::from_secs(60)).header("x-kind", "plain");
    gateway.house.big.push(stalled.content_type("application/json"));
    let mut client = gateway.ask("plain", CHAT, &chat(BIG, "refactor"));
    let mut response = client.head();
    client.piece(&mut response).expect("the first half");
    close(&gateway);
    while client.piece(&mut response).is_some() {}
    assert!(!response.complete && !response.text().contains("gate_closed"), "{}", response.text());
    gateway.wait_count("sluice_broken_answers_total", &["reason=\"gate_closed\""], 1);
}

#[test]
fn on_close_drain_lets_everything_end() {
    let gateway = cutting("50ms", |setup| setup.gate()["on_close"] = json!("drain"));
    let (mut client, mut response) = running(&gateway, BIG, Duration::from_millis(50));
    assert_eq!(close(&gateway)["state"], "draining");
    let events = rest(&mut client, &mut response);
    assert_eq!(events.last().map(String::as_str), Some("data: [DONE]"));
    gateway.wait_gate("closed");
}

#[test]
fn an_open_while_it_drains_cuts_nobody() {
    let gateway = cutting("200ms", |_| {});
    let (mut client, mut response) = running(&gateway, BIG, Duration::from_millis(50));
    assert_eq!(close(&gateway)["state"], "draining");
    assert_eq!(gateway.push(&json!({"mode": "NORMAL"})).json()["state"], "open");
    let events = rest(&mut client, &mut response);
    assert_eq!(events.last().map(String::as_str), Some("data: [DONE]"));
}

// === Waiting until it is drained ===

#[test]
fn a_push_can_wait_until_it_is_drained() {
    let gateway = cutting("30s", |_| {});
    let hold = Latch::new();
    gateway.house.big.push(Behaviour::chat().hold(&hold));
    let mut client = gateway.ask("runs", CHAT, &chat(BIG, "refactor"));
    gateway.house.big.wait_requests(1);
    let gaming = json!({"mode": "GAMING"});
    let began = Instant::now();
    let late = gateway.push_to("/gates/gaming_pc?wait=drained&timeout=300ms", &gaming).json();
    assert_eq!(late, json!({"state": "draining", "in_flight": 1, "forced": 0, "drained": false}));
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| gateway.push_to("/gates/gaming_pc?wait=drained&timeout=10s", &gaming));
        let _ = eventually(Duration::from_millis(150), || false);
        assert!(!waiting.is_finished(), "it still runs");
        hold.release();
        let drained = waiting.join().unwrap().json();
        assert_eq!(drained, json!({"state": "closed", "in_flight": 0, "forced": 0, "drained": true}));
    });
    assert_eq!(client.response().status, 200);
    let began = Instant::now();
    let drained = gateway.push_to("/gates/gaming_pc?wait=drained&timeout=10s", &gaming).json();
    assert_eq!(drained["drained"], true);
    assert!(began.elapsed() < Duration::from_secs(1), "nothing to wait for: {:?}", began.elapsed());
}

#[test]
fn what_waits_does_not_hold_a_drain_up_and_what_is_forced_does_not_either() {
    let gateway = cutting("30s", |setup| setup.card("one", &["big"], json!({"max_in_flight": 1})));
    let hold = Latch::new();
    gateway.house.big.push(Behaviour::chat().hold(&hold));
    let mut forced = gateway.ask("forced", CHAT, &chat("big", "hi"));
    gateway.house.big.wait_requests(1);
    let mut waiting = gateway.ask("waits", CHAT, &chat(BIG, "hi"));
    gateway.wait_card("one", 1, 1);
    let drained =
        gateway.push_to("/gates/gaming_pc?wait=drained&timeout=5s", &json!({"mode": "GAMING"})).json();
    assert_eq!(drained, json!({"state": "closed", "in_flight": 0, "forced": 1, "drained": true}));
    assert_eq!(waiting.response().header("x-sluice-backend"), Some("small"));
    hold.release();
    assert_eq!(forced.response().status, 200);
}

#[test]
fn a_push_waits_neither_for_ever_nor_for_nonsense() {
    let gateway = cutting("30s", |_| {});
    for query in ["wait=later", "timeout=30", "timeout=1d", "wait=drained&timeout=soon", "x=y"] {
        let answer = gateway.push_to(&format!("/gates/gaming_pc?{query}"), &json!({"mode": "GAMING"}));
        assert_eq!(answer.status, 400, "{query}");
    }
    assert_eq!(gateway.status()["gates"]["gaming_pc"]["state"], "open", "nothing has changed");
}
