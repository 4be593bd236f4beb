//! The gate under load: flips by polls and pushes while requests come, wait and run. What is proven is what `big`
//! received, and that every request ends exactly once.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::closing::{BIG, close, cutting};
use super::support::behaviour::Behaviour;
use super::support::client::eventually;
use super::support::gateway::{CHAT, Gateway, chat, streamed};

/// After the answer to a push, bytes that were on the wire already may still arrive.
const ON_THE_WIRE: Duration = Duration::from_millis(100);
const REQUESTS: usize = 2_000;
const CLIENTS: usize = 64;
const FLIPS: usize = 200;

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
    let model = if forced || number.is_multiple_of(4) { "auto" } else { BIG };
    let mut body = chat(model, if number.is_multiple_of(8) { "hello" } else { "please refactor" });
    if number.is_multiple_of(3) {
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
    let total = || gateway.count("sluice_requests_total", &[]);
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
