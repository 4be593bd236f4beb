//! SIGTERM and SIGINT: what waits is refused, what runs may end or is told that it was cut.

use std::time::{Duration, Instant};

use serde_json::json;

use super::support::behaviour::Behaviour;
use super::support::client::{Client, Response};
use super::support::gateway::{CHAT, Gateway, Setup, chat, streamed};

/// A house whose `small` does one thing at a time.
fn one_slot(change: impl FnOnce(&mut Setup)) -> Gateway {
    Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.card("card", &["small"], json!({"max_in_flight": 1}));
        change(setup);
    })
}

/// One stream that runs, its first event read, and one that waits.
fn one_runs_and_one_waits(gateway: &Gateway, pace: Duration) -> ((Client, Response), Client) {
    let events: Vec<_> = (0..8).map(|number| format!("data: {number}")).collect();
    gateway.house.small.push(Behaviour::events(&events).pace(pace));
    let mut running = gateway.ask("runs", CHAT, &streamed(chat("small", "hi")));
    let mut response = running.head();
    running.event(&mut response).expect("an event");
    let waiting = gateway.ask("waits", CHAT, &chat("small", "hi"));
    gateway.wait_card("card", 1, 1);
    ((running, response), waiting)
}

#[test]
fn a_stop_refuses_who_waits_and_lets_streams_end() {
    let gateway = one_slot(|_| {});
    let ((mut running, mut response), mut waiting) =
        one_runs_and_one_waits(&gateway, Duration::from_millis(100));
    gateway.process.terminate();
    let refused = waiting.response();
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("overloaded")));
    assert!(refused.header("retry-after").is_some());
    while running.piece(&mut response).is_some() {}
    assert!(response.complete, "the stream comes to its end");
    assert!(response.text().ends_with("data: 7\n\n"), "{}", response.text());
    let (house, status, lines) = gateway.ended();
    assert_eq!(status.code(), Some(0), "{lines:#?}");
    assert_eq!(house.small.requests().len(), 1, "what waited was not begun");
}

#[test]
fn the_grace_is_a_maximum() {
    let gateway = one_slot(|setup| setup.settings["shutdown_grace"] = json!("300ms"));
    let ((mut running, mut response), mut waiting) =
        one_runs_and_one_waits(&gateway, Duration::from_secs(60));
    let began = Instant::now();
    gateway.process.terminate();
    assert_eq!(waiting.response().status, 503);
    let last = running.event(&mut response).expect("a last event");
    assert!(last.contains("\"error\"") && !last.contains("[DONE]"), "{last}");
    let (_, status, _) = gateway.ended();
    let took = began.elapsed();
    assert_eq!(status.code(), Some(0));
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn an_interrupt_ends_everything_at_once_with_a_last_event() {
    let gateway = one_slot(|_| {});
    let ((mut running, mut response), mut waiting) =
        one_runs_and_one_waits(&gateway, Duration::from_secs(60));
    let began = Instant::now();
    gateway.process.signal("INT");
    let last = running.event(&mut response).expect("a last event");
    assert!(last.starts_with("data: {\"error\""), "{last}");
    assert_eq!(running.event(&mut response), None, "no [DONE]");
    assert_eq!(waiting.response().status, 503);
    let (_, status, lines) = gateway.ended();
    assert!(status.code().is_some(), "it ended by itself: {lines:#?}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}
