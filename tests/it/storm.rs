//! The gate under load: flips by polls and pushes while requests come, wait and run. What is proven is what `big`
//! received, and that every request ends exactly once.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::behaviour::{Behaviour, Latch};
use super::support::client::{Client, Response, eventually};
use super::support::gateway::{CHAT, Gateway, Setup, chat, streamed};

/// Leads to big, and to small where that cannot be.
const BIG: &str = "qwen3-coder-14b";
/// After the answer to a push, bytes that were on the wire already may still arrive.
const ON_THE_WIRE: Duration = Duration::from_millis(100);
const REQUESTS: usize = 2_000;
const CLIENTS: usize = 64;
const FLIPS: usize = 200;

/// A house whose gate cuts what still runs after so long.
fn cutting(drain_timeout: &str, change: impl FnOnce(&mut Setup)) -> Gateway {
    Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.gate()["on_close"] = json!("cancel");
        setup.gate()["drain_timeout"] = json!(drain_timeout);
        change(setup);
    })
}

fn close(gateway: &Gateway) -> Value {
    gateway.push(&json!({"mode": "GAMING"})).json()
}

// === 2,000 requests, 200 flips ===

/// From an acknowledged close to the beginning of the next open.
#[derive(Debug, Clone, Copy)]
struct Closed {
    acknowledged: Instant,
    opened: Instant,
}

/// How a request ended for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum End {
    /// Whole, with this status.
    Whole(u16),
    /// A stream that ended with the gate's last event.
    Cut,
    /// A plain answer that broke off.
    Broken,
    /// The client left.
    Left,
}

#[test]
fn big_never_receives_an_unforced_request_between_a_close_and_the_next_open() {
    let gateway = cutting("60ms", |setup| {
        setup.gate()["poll_interval"] = json!("50ms");
        setup.card("one", &["big"], json!({"max_in_flight": 8, "max_queue": 64}));
        setup.card("two", &["small"], json!({"max_in_flight": 32, "max_queue": 1024}));
    });
    let slow = Duration::from_millis(12);
    let events: Vec<_> = (0..6).map(|number| format!("data: {number}")).collect();
    gateway.house.big.set_default(Behaviour::events(&events).pace(slow).delay(slow));
    gateway.house.small.set_default(Behaviour::chat().delay(Duration::from_millis(150)));
    let (taken, flipped, done) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
    let (ends, closed, late) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()), Mutex::new(Duration::ZERO));
    thread::scope(|scope| {
        scope.spawn(|| *late.lock().unwrap() = worst_lateness(&done));
        scope.spawn(|| {
            *closed.lock().unwrap() = flip(&gateway);
            flipped.store(true, Ordering::Relaxed);
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut mine = Vec::new();
                    loop {
                        let number = taken.fetch_add(1, Ordering::Relaxed);
                        // the load lasts as long as the flips
                        if number >= REQUESTS && flipped.load(Ordering::Relaxed) {
                            break;
                        }
                        mine.push(request(&gateway, number));
                    }
                    ends.lock().unwrap().extend(mine);
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    let (ends, closed) = (ends.into_inner().unwrap(), closed.into_inner().unwrap());
    let allowed = ON_THE_WIRE + late.into_inner().unwrap();
    assert_eq!(closed.len(), FLIPS / 2);
    assert!(ends.len() >= REQUESTS, "{}", ends.len());
    received(&gateway, &closed, allowed);
    accounted(&gateway, &ends);
}

/// One request of the mix, to its end. Its id says whether it is forced.
fn request(gateway: &Gateway, number: usize) -> End {
    let forced = number % 10 == 3;
    let id = format!("{}-{number}", if forced { "f" } else { "u" });
    let model = if forced || number % 4 == 0 { "auto" } else { BIG };
    let mut body = chat(model, if number % 8 == 0 { "hello" } else { "please refactor" });
    if number % 3 == 0 {
        body = streamed(body);
    }
    let mut client = gateway.client();
    let force = [("X-Request-Id", id.as_str()), ("X-Force-Big", "true")];
    client.post(CHAT, &force[..1 + usize::from(forced)], body.to_string().as_bytes());
    if number % 16 == 5 {
        // it was sent whole, so it counts
        let _ = eventually(Duration::from_millis(number as u64 % 30), || false);
        return End::Left;
    }
    let response = client.response();
    match response {
        _ if response.text().contains("gate_closed") && response.status == 200 => End::Cut,
        _ if response.complete => End::Whole(response.status),
        _ => End::Broken,
    }
}

/// The flips, closes and opens in turn: pushed, polled, or both.
fn flip(gateway: &Gateway) -> Vec<Closed> {
    let mode = &gateway.house.mode;
    // answers that were on their way when a push came
    mode.set_delay(Duration::from_millis(15));
    let mut closed = Vec::new();
    for number in 0..FLIPS / 2 {
        pause(5 + number as u64 * 7 % 15);
        let pushed = number % 4 != 1;
        // latched against polls of NORMAL; polled alone; both at one time; pushed, and confirmed by the polls
        if number % 4 != 0 {
            mode.set("GAMING");
        }
        if pushed {
            let answer = close(gateway);
            assert!(answer["state"] == "closed" || answer["state"] == "draining", "{answer}");
        } else {
            let is_closed = || gateway.status()["gates"]["gaming_pc"]["mode"] == "GAMING";
            assert!(eventually(Duration::from_secs(5), is_closed), "{}", gateway.status());
        }
        let acknowledged = Instant::now();
        // a third of them lasts longer than bytes may be on the wire
        pause(if number % 3 == 0 { 150 } else { 15 });
        if number % 4 == 3 {
            mode.wait_polls(2);
        }
        let opened = Instant::now();
        mode.set("NORMAL");
        if number % 4 == 0 || number % 4 == 2 {
            assert_eq!(gateway.push(&json!({"mode": "NORMAL"})).status, 200);
        }
        gateway.wait_gate("open");
        closed.push(Closed { acknowledged, opened });
    }
    closed
}

fn pause(milliseconds: u64) {
    let _ = eventually(Duration::from_millis(milliseconds), || false);
}

/// How much later than asked for this process was woken at worst: a peer's thread may be as late with its note of a
/// request.
fn worst_lateness(done: &AtomicBool) -> Duration {
    let (asked, mut worst) = (Duration::from_millis(5), Duration::ZERO);
    while !done.load(Ordering::Relaxed) {
        let began = Instant::now();
        let _ = eventually(asked, || false);
        worst = worst.max(began.elapsed().saturating_sub(asked * 2));
    }
    worst
}

/// Nothing unforced came to `big` while it was closed, and what was forced did.
fn received(gateway: &Gateway, closed: &[Closed], allowed: Duration) {
    let (mut forced_meanwhile, mut unforced, mut latest) = (0, 0, Duration::ZERO);
    for request in gateway.house.big.requests() {
        let id = request.header("x-request-id").unwrap_or_default().to_owned();
        let meanwhile = closed.iter().find(|it| request.at > it.acknowledged && request.at < it.opened);
        match meanwhile {
            _ if id.starts_with("f-") => forced_meanwhile += usize::from(meanwhile.is_some()),
            None => unforced += 1,
            Some(closed) => {
                let after = request.at - closed.acknowledged;
                latest = latest.max(after);
                assert!(after <= allowed, "{id} came {after:?} after a close; {allowed:?} are allowed");
            }
        }
    }
    assert!(forced_meanwhile > 10, "forced ones pass a closed gate: {forced_meanwhile}");
    assert!(unforced > 100, "and others an open one: {unforced}");
    println!(
        "storm: {unforced} unforced, {forced_meanwhile} forced while closed, the latest after {latest:?}"
    );
}

/// Every request ended once, the metrics agree, and nothing is held any more.
fn accounted(gateway: &Gateway, ends: &[End]) {
    let mut counts: HashMap<End, usize> = HashMap::new();
    ends.iter().for_each(|end| *counts.entry(*end).or_default() += 1);
    let total = || gateway.metric("sluice_requests_total", &[]) as usize;
    let told = eventually(Duration::from_secs(5), || total() == ends.len());
    assert!(told, "{} counted, {} ended: {counts:?}", total(), ends.len());
    for end in counts.keys() {
        let known = matches!(end, End::Whole(200) | End::Cut | End::Broken | End::Left);
        assert!(known, "{counts:?}");
    }
    assert!(counts.contains_key(&End::Cut), "streams were cut: {counts:?}");
    idle(gateway);
    println!("storm: {counts:?}");
}

/// Nothing is in flight, queued or held.
fn idle(gateway: &Gateway) {
    let gate = |key: &str| gateway.wait_status(&format!("/gates/gaming_pc/{key}"), &json!(0));
    ["in_flight", "forced"].into_iter().for_each(gate);
    ["one", "two"].into_iter().for_each(|card| gateway.wait_card(card, 0, 0));
    for name in ["sluice_in_flight", "sluice_gpu_in_flight", "sluice_queue_depth", "sluice_buffered_bytes"] {
        let zero = eventually(Duration::from_secs(2), || gateway.metric(name, &[]) == 0.0);
        assert!(zero, "{name} = {}", gateway.metric(name, &[]));
    }
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
    std::iter::from_fn(|| client.event(response).map(|(_, event)| event)).collect()
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
        pause(150);
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
