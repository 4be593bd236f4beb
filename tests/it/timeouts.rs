//! Deadlines of an answer: silence in its middle, a long prefill, a client that is slow itself. Those of a request are in
//! `limits`; connect and first byte, with what follows from them, in `failover`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::behaviour::Behaviour;
use super::support::client::eventually;
use super::support::gateway::{CHAT, Gateway, Setup, chat, streamed};

/// Leads to big, and to small where that cannot be.
const BIG: &str = "qwen3-coder-14b";
const FOR_EVER: Duration = Duration::from_secs(60);

/// A house in which `big` has these timeouts.
fn house(timeouts: &Value) -> Gateway {
    Gateway::with(|setup: &mut Setup| {
        setup.never_unhealthy();
        setup.backend("big")["timeouts"] = timeouts.clone();
    })
}

fn let_go(gateway: &Gateway) {
    gateway.house.big.wait("it is let go", |all| all.iter().all(|it| it.client_left.is_some()));
    gateway.wait_status("/backends/big/peers/0/in_flight", &json!(0));
}

#[test]
fn a_stream_that_falls_silent_ends_with_an_error() {
    let gateway = house(&json!({"idle": "200ms"}));
    gateway.house.big.push(Behaviour::events(&["data: 1", "data: 2"]).pace(FOR_EVER));
    let began = Instant::now();
    let mut client = gateway.ask("x", CHAT, &streamed(chat(BIG, "hi")));
    let mut response = client.head();
    assert_eq!(client.event(&mut response).expect("the first event"), "data: 1");
    let last = client.event(&mut response).expect("a last event");
    let took = began.elapsed();
    assert!(last.contains("\"upstream_timeout\"") && last.starts_with("data: {\"error\""), "{last}");
    assert_eq!(client.event(&mut response), None, "no [DONE]");
    assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(2), "{took:?}");
    let_go(&gateway);
    gateway.wait_count("sluice_broken_answers_total", &["reason=\"upstream_timeout\""], 1);
    assert_eq!(gateway.house.small.requests().len(), 0, "it is not begun elsewhere");
}

#[test]
fn a_plain_answer_that_falls_silent_looks_broken() {
    let gateway = house(&json!({"idle": "200ms"}));
    for framing in ["length", "chunks"] {
        let whole =
            Behaviour::pieces(vec![vec![b' '; 700], vec![b'}'; 300]]).content_type("application/json");
        let behaviour = if framing == "length" {
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
            Behaviour::raw(&[&head[..], &[b' '; 700]].concat())
        } else {
            whole.pace(FOR_EVER)
        };
        gateway.house.big.push(behaviour);
        let began = Instant::now();
        let response = gateway.ask("x", CHAT, &chat(BIG, "hi")).response();
        assert_eq!((response.status, response.complete), (200, false), "{framing}");
        assert!(began.elapsed() < Duration::from_secs(2), "{framing}: {:?}", began.elapsed());
    }
    assert_eq!(gateway.house.small.requests().len(), 0, "it is not begun elsewhere");
}

#[test]
fn idle_is_counted_from_byte_to_byte() {
    let gateway = house(&json!({"idle": "300ms", "first_byte": "300ms"}));
    let events: Vec<_> = (0..10).map(|number| format!("data: {number}")).collect();
    gateway.house.big.push(Behaviour::events(&events).pace(Duration::from_millis(80)));
    let began = Instant::now();
    let response = gateway.ask("x", CHAT, &streamed(chat(BIG, "hi"))).response();
    assert!(response.complete && response.text().ends_with("data: 9\n\n"), "{}", response.text());
    assert!(began.elapsed() > Duration::from_millis(600), "far longer than either, in all");
}

#[test]
fn half_an_event_is_a_sign_of_life() {
    let gateway = house(&json!({"idle": "300ms"}));
    let pieces = (0..8).map(|_| b"data".to_vec()).chain([b": x\n\n".to_vec()]).collect();
    gateway.house.big.push(Behaviour::pieces(pieces).pace(Duration::from_millis(100)));
    let response = gateway.ask("x", CHAT, &streamed(chat(BIG, "hi"))).response();
    assert!(response.complete, "{}", response.text());
}

#[test]
fn a_long_prefill_is_not_idle() {
    let gateway = house(&json!({"idle": "100ms", "first_byte": "10s"}));
    let prefill = Duration::from_millis(700);
    for behaviour in [
        Behaviour::chat().delay(prefill),
        Behaviour::chat().delay_body(prefill),
        Behaviour::events(&["data: 1"]).delay_body(prefill),
    ] {
        gateway.house.big.push(behaviour);
        let response = gateway.ask("x", CHAT, &streamed(chat(BIG, "hi"))).response();
        let backend = response.header("x-sluice-backend");
        assert_eq!((response.status, response.complete, backend), (200, true, Some("big")));
    }
}

#[test]
fn a_client_that_is_slow_itself_does_not_make_its_peer_idle() {
    let gateway = house(&json!({"idle": "100ms"}));
    gateway.house.big.push(Behaviour::flood(20 << 20));
    let mut client = gateway.ask("x", CHAT, &chat(BIG, "hi"));
    let mut response = client.head();
    // nothing is taken for far longer than `idle`, so nothing is read from the peer
    let _ = eventually(Duration::from_millis(700), || false);
    while client.piece(&mut response).is_some() {}
    assert!(response.complete, "{} of {} bytes", response.body.len(), 20 << 20);
}

#[test]
fn a_name_that_does_not_resolve_holds_nobody_up() {
    let gateway = Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.backend("big")["peers"] = json!(["no-such-host.invalid:8000"]);
        setup.backend("big")["timeouts"] = json!({"connect": "500ms"});
    });
    let began = Instant::now();
    let response = gateway.chat(BIG, "hi");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let header = |name| response.header(name);
    assert_eq!((response.status, header("x-sluice-backend")), (200, Some("small")));
    assert_eq!(header("x-sluice-reason"), Some("unhealthy"), "its first probe has told");
}

#[test]
fn a_late_peer_is_not_a_dead_one() {
    let gateway = Gateway::with(|setup| {
        let health = json!({"interval": "1h", "timeout": "1s", "unhealthy_after": 1, "healthy_after": 1});
        setup.backend("big")["health"] = health;
        setup.backend("big")["timeouts"] = json!({"first_byte": "100ms", "idle": "100ms"});
    });
    gateway.house.big.push(Behaviour::hang());
    assert_eq!(gateway.chat(BIG, "hi").header("x-sluice-reason"), Some("upstream_timeout"));
    gateway.house.big.push(Behaviour::events(&["data: 1", "data: 2"]).pace(FOR_EVER));
    gateway.ask("x", CHAT, &streamed(chat(BIG, "hi"))).response();
    assert_eq!(gateway.chat(BIG, "hi").header("x-sluice-backend"), Some("big"), "its next request is asked");
}

#[test]
fn a_connection_is_kept_for_the_next_request_within_its_time() {
    let gateway = Gateway::with(|setup| setup.limit("keepalive_timeout", "400ms"));
    let mut client = gateway.client();
    for turn in 0..4 {
        client.post(CHAT, &[], chat("small", "hi").to_string().as_bytes());
        assert_eq!(client.response().status, 200, "{turn}");
        // far longer than the whole, in all
        let _ = eventually(Duration::from_millis(200), || false);
    }
    let began = Instant::now();
    assert!(client.is_closed());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_peer_that_does_not_read_the_request_is_late() {
    let gateway = Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.no_windows();
        setup.backend("big")["timeouts"] = json!({"first_byte": "300ms"});
    });
    gateway.house.big.push(Behaviour::chat().slow_reader(1_000));
    let began = Instant::now();
    let response = gateway.chat(BIG, &"x".repeat(12 << 20));
    let took = began.elapsed();
    assert_eq!((response.status, response.header("x-sluice-backend")), (200, Some("small")));
    assert_eq!(response.header("x-sluice-reason"), Some("upstream_timeout"));
    assert!(took < Duration::from_secs(4), "{took:?}");
}
