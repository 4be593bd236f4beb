//! Streams: each event goes out when it comes, byte for byte; a client that leaves frees everything at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::behaviour::{Behaviour, Latch};
use super::support::client::{Client, eventually};
use super::support::gateway::{CHAT, Gateway, chat};
use super::support::sha256;

/// Between two events.
const PACE: Duration = Duration::from_millis(50);
/// Within so long after a client left everything is free.
const FREE: Duration = Duration::from_secs(1);

fn streamed(model: &str) -> Value {
    let mut body = chat(model, "hi");
    body["stream"] = json!(true);
    body
}

fn ask(gateway: &Gateway, body: &Value) -> Client {
    let mut client = gateway.client();
    client.post(CHAT, &[], body.to_string().as_bytes());
    client
}

#[test]
fn every_event_goes_out_when_it_comes() {
    let gateway = Gateway::start();
    let events: Vec<_> = (0..8).map(|number| format!("data: {{\"n\":{number}}}")).collect();
    let holds: Vec<_> = events.iter().skip(1).map(|_| Latch::new()).collect();
    gateway.house.small.push(Behaviour::events(&events).hold_events(&holds));
    let mut client = ask(&gateway, &streamed("small"));
    let mut response = client.head();
    for (number, event) in events.iter().enumerate() {
        // the next one is not even sent
        assert_eq!(client.event(&mut response).as_ref(), Some(event));
        if let Some(next) = holds.get(number) {
            next.release();
        }
    }
    assert_eq!(client.event(&mut response), None);
    assert!(response.complete);
}

#[test]
fn one_event_does_not_wait_for_the_next() {
    let gateway = Gateway::start();
    let hold = Latch::new();
    // the head is out, no byte of the body is
    gateway.house.small.push(Behaviour::events(&["data: 1"]).hold_body(&hold));
    let mut client = ask(&gateway, &streamed("small"));
    gateway.house.small.wait_requests(1);
    hold.release();
    let mut response = client.head();
    assert_eq!(client.event(&mut response).expect("an event"), "data: 1");
    assert_eq!(client.event(&mut response), None);
}

#[test]
fn bytes_are_not_touched() {
    let gateway = Gateway::start();
    let pieces: Vec<Vec<u8>> = vec![
        b": a comment\n\n".to_vec(),
        b"event: x\r\ndata: {\"choices\" :[ ]}\r\n\r\n".to_vec(),
        b"data: half an ev".to_vec(),
        b"ent\n".to_vec(),
        b"\ndata: \xf0\x9f".to_vec(),
        b"\x98\x80 \xff\xfe\n\n".to_vec(),
        b"data: [DONE]\n\ndata: more\n\n".to_vec(),
        vec![b'x'; 70_000],
        b"no blank line at the end".to_vec(),
    ];
    let whole = pieces.concat();
    gateway.house.small.push(Behaviour::pieces(pieces.clone()).header("x-own", "kept"));
    gateway.house.small.push(Behaviour::pieces(pieces).close_delimited());
    for framing in ["chunked", "to the end of the connection"] {
        let response = ask(&gateway, &streamed("small")).response();
        assert!(response.complete, "{framing}");
        assert_eq!(sha256(&response.body), sha256(&whole), "{framing}");
        assert_eq!(response.header("content-type"), Some("text/event-stream; charset=utf-8"), "{framing}");
    }
}

#[test]
fn plain_answers_are_not_touched_either() {
    let gateway = Gateway::start();
    let body: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    for behaviour in [
        Behaviour::bytes("audio/wav", body.clone()),
        Behaviour::bytes("audio/wav", body.clone()).chunked(),
        Behaviour::bytes("audio/wav", body.clone()).close_delimited(),
    ] {
        gateway.house.tts.push(behaviour);
        let asked = json!({"model": "tts-1", "input": "hi", "voice": "x"});
        let response = gateway.post("/v1/audio/speech", &asked);
        assert_eq!((response.status, response.complete, response.body.len()), (200, true, body.len()));
        assert_eq!(sha256(&response.body), sha256(&body));
        assert_eq!(response.header("content-type"), Some("audio/wav"));
    }
}

/// Waits until the only request that `small` got has lost its client; how long after `since`.
fn freed(gateway: &Gateway, since: Instant) -> Duration {
    let requests = gateway
        .house
        .small
        .wait("the client's leaving", |all| all.iter().all(|request| request.client_left.is_some()));
    gateway.wait_status("/backends/small/peers/0/in_flight", &json!(0));
    requests[0].client_left.expect("waited for").saturating_duration_since(since)
}

#[test]
fn a_client_that_leaves_in_mid_stream_frees_the_peer() {
    let gateway = Gateway::start();
    let endless: Vec<_> = (0..400).map(|number| format!("data: {number}")).collect();
    for reset in [false, true] {
        let gateway = if reset { &Gateway::start() } else { &gateway };
        gateway.house.small.push(Behaviour::events(&endless).pace(PACE));
        let mut client = ask(gateway, &streamed("small"));
        let mut response = client.head();
        client.event(&mut response).expect("the first event");
        let left = Instant::now();
        if reset {
            client.reset();
        } else {
            drop(client);
        }
        let took = freed(gateway, left);
        assert!(took < FREE, "reset {reset}: {took:?}");
    }
}

#[test]
fn a_client_that_leaves_before_the_first_byte_frees_the_peer() {
    for way in ["drops", "resets", "shuts its sending side"] {
        let gateway = Gateway::start();
        gateway.house.small.push(Behaviour::hang());
        let client = ask(&gateway, &streamed("small"));
        gateway.house.small.wait_requests(1);
        let left = Instant::now();
        let mut kept = None;
        match way {
            "drops" => drop(client),
            "resets" => client.reset(),
            _ => {
                client.half_close();
                kept = Some(client);
            }
        }
        let took = freed(&gateway, left);
        assert!(took < FREE, "{way}: {took:?}");
        drop(kept);
        assert_eq!(gateway.chat("small", "hi").status, 200, "{way}");
    }
}

#[test]
fn a_stream_that_breaks_ends_with_an_error_and_is_not_started_elsewhere() {
    let events = ["data: {\"a\":1}", "data: {\"b\":2}"];
    for (what, behaviour) in [
        ("cut between two events", Behaviour::events(&events).cut(15)),
        ("cut in the middle of one", Behaviour::events(&events).pace(PACE).cut(22)),
    ] {
        let gateway = Gateway::start();
        gateway.house.big.push(behaviour);
        let mut client = ask(&gateway, &streamed("qwen3-coder-14b"));
        let mut response = client.head();
        assert_eq!((response.status, response.header("x-sluice-backend")), (200, Some("big")), "{what}");
        assert_eq!(client.event(&mut response).expect("the first event"), events[0], "{what}");
        let last = client.event(&mut response).unwrap_or_else(|| panic!("{what}: no last event"));
        let error: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap_or_default())
            .unwrap_or_else(|error| panic!("{what}: {error}: {last}"));
        assert!(
            error["error"]["message"].is_string() && error["error"]["code"].is_string(),
            "{what}: {last}"
        );
        assert_eq!(client.event(&mut response), None, "{what}: nothing behind it, no [DONE]");
        assert_eq!(gateway.house.small.requests().len(), 0, "{what}: never started elsewhere");
        gateway.wait_count("sluice_broken_answers_total", &["reason=\"upstream_error\""], 1);
        assert_eq!(gateway.count("sluice_client_aborts_total", &[]), 0, "{what}: the client did not leave");
    }
}

#[test]
fn a_plain_answer_that_breaks_looks_broken() {
    let body = || Behaviour::bytes("application/json", vec![b' '; 5_000]);
    for (what, behaviour) in
        [("with a length", body().cut(1_000)), ("in chunks", body().chunked().cut(1_000))]
    {
        for turn in 0..5 {
            let gateway = Gateway::start();
            gateway.house.big.push(behaviour.clone());
            let mut client = gateway.client();
            client.post(CHAT, &[], chat("qwen3-coder-14b", "hi").to_string().as_bytes());
            let mut response =
                client.try_head().unwrap_or_else(|| panic!("{what}, {turn}: not even a head came"));
            while client.piece(&mut response).is_some() {}
            assert!(!response.complete, "{what}, {turn}: {}", response.text().len());
            assert_eq!(gateway.house.small.requests().len(), 0, "{what}, {turn}");
        }
    }
}

#[test]
fn a_connection_that_is_reset_in_mid_answer_never_looks_whole() {
    let events = ["data: {\"a\":1}", "data: {\"b\":2}"];
    for _ in 0..3 {
        let gateway = Gateway::start();
        gateway.house.small.push(Behaviour::events(&events).pace(PACE).cut_with_reset(20));
        let response = ask(&gateway, &streamed("small")).response();
        // a reset may overtake the bytes before it: then there was no answer at all
        assert!(response.status == 502 || response.text().contains("\"error\""), "{}", response.text());
        assert!(!response.text().contains("[DONE]"), "{}", response.text());
    }
}

#[test]
fn thirty_two_streams_at_once() {
    const STREAMS: usize = 32;
    let gateway = Gateway::with(super::support::gateway::Setup::never_unhealthy);
    let events: Vec<_> = (0..10).map(|number| format!("data: {number}")).collect();
    gateway.house.small.set_default(Behaviour::events(&events).pace(PACE));
    let began = Instant::now();
    let mut clients: Vec<_> = (0..STREAMS).map(|_| ask(&gateway, &streamed("small"))).collect();
    let seen = eventually(Duration::from_secs(5), || gateway.house.small.peak() == STREAMS);
    assert!(seen, "{} at one time", gateway.house.small.peak());
    for client in &mut clients {
        let response = client.response();
        assert!(response.complete && response.status == 200);
        assert_eq!(response.text(), events.iter().map(|event| format!("{event}\n\n")).collect::<String>());
    }
    assert!(began.elapsed() < PACE * 9 + Duration::from_secs(3), "{:?}: side by side", began.elapsed());
    gateway.wait_status("/backends/small/peers/0/in_flight", &json!(0));
}
