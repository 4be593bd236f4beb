//! The gaming PC's mode decides who may pass; what is not known is not open.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::behaviour::{Behaviour, Latch};
use super::support::client::{Response, post};
use super::support::gateway::{CHAT, Gateway, House, chat};
use super::support::jam::Jam;
use super::support::mode::Fault;

/// Where a request went, by which rule, why, and what the gate was.
fn outcome(response: &Response) -> [&str; 4] {
    ["backend", "rule", "reason", "gate"]
        .map(|name| response.header(&format!("x-sluice-{name}")).unwrap_or_default())
}

#[test]
fn normal_opens_and_gaming_closes() {
    let gateway = Gateway::start();
    let (heavy, pinned) = ("please refactor this", "qwen3-coder-14b");
    let open = "gaming_pc=open";
    assert_eq!(outcome(&gateway.chat("auto", heavy)), ["big", "heavy-by-pattern", "matched", open]);
    assert_eq!(outcome(&gateway.chat(pinned, "hi")), ["big", "model:qwen3-coder-14b", "matched", open]);
    gateway.house.mode.set("GAMING");
    gateway.wait_gate("closed");
    let before = gateway.house.big.requests().len();
    let closed = "gaming_pc=closed";
    assert_eq!(outcome(&gateway.chat("auto", heavy)), ["small", "gaming", "matched", closed]);
    assert_eq!(
        outcome(&gateway.chat(pinned, "hi")),
        ["small", "model:qwen3-coder-14b", "gate_closed", closed]
    );
    assert_eq!(gateway.house.big.requests().len(), before, "nothing unforced passed");
    assert_eq!(outcome(&gateway.chat("auto", "#force_big hi")), ["big", "force-big", "matched", closed]);
    assert_eq!(outcome(&gateway.chat("big", "hi")), ["big", "force-big", "matched", closed]);
    let header = post(gateway.proxy, CHAT, &[("X-Force-Big", "yes")], &chat("auto", "hi"));
    assert_eq!(outcome(&header), ["big", "force-big", "matched", closed]);
    assert_eq!(gateway.count("sluice_gate_overrides_total", &["state=\"closed\""]), 3);
    gateway.house.mode.set("NORMAL");
    gateway.wait_gate("open");
    assert_eq!(outcome(&gateway.chat("auto", heavy)), ["big", "heavy-by-pattern", "matched", open]);
    assert_eq!(outcome(&gateway.chat("big", "hi")), ["big", "force-big", "matched", open]);
    assert_eq!(gateway.count("sluice_gate_overrides_total", &[]), 3, "an open gate is not overridden");
}

#[test]
fn the_first_poll_is_made_before_the_first_request_is_served() {
    for (mode, state) in [("NORMAL", "open"), ("GAMING", "closed")] {
        let house = House::build();
        house.mode.set(mode);
        let gateway = house.open(|_| {});
        let response = gateway.chat("auto", "hi");
        assert_eq!(response.header("x-sluice-gate"), Some(format!("gaming_pc={state}").as_str()));
    }
}

#[test]
fn without_a_first_answer_the_gate_is_unknown() {
    let house = House::build();
    house.mode.set_fault(Some(Fault::Hang));
    let began = Instant::now();
    let gateway = house.open(|setup| setup.gate()["poll_timeout"] = json!("200ms"));
    assert!(began.elapsed() < Duration::from_secs(5), "the first poll is bounded by poll_timeout");
    let unknown = "gaming_pc=unknown";
    assert_eq!(outcome(&gateway.chat("auto", "please refactor")), ["small", "gaming", "matched", unknown]);
    let pinned = gateway.chat("qwen3-coder-14b", "hi");
    assert_eq!(outcome(&pinned), ["small", "model:qwen3-coder-14b", "gate_unknown", unknown]);
    assert_eq!(outcome(&gateway.chat("big", "hi")), ["big", "force-big", "matched", unknown]);
    gateway.house.mode.set_fault(None);
    gateway.house.mode.accept();
    gateway.wait_gate("open");
}

#[test]
fn bad_answers_make_it_unknown_when_they_last() {
    let gateway = Gateway::with(|setup| {
        setup.gate()["stale_after"] = json!("400ms");
        setup.gate()["poll_timeout"] = json!("50ms");
    });
    let faults = [Fault::Garbage, Fault::WrongWord, Fault::Empty, Fault::Status500, Fault::Hang];
    for fault in faults {
        gateway.wait_gate("open");
        gateway.house.mode.set_fault(Some(fault));
        let began = Instant::now();
        gateway.wait_gate("unknown");
        // the last good answer may be a poll old
        assert!(began.elapsed() >= Duration::from_millis(200), "{fault:?}: not before it is stale");
        assert_eq!(outcome(&gateway.chat("auto", "refactor"))[0], "small", "{fault:?}");
        gateway.house.mode.set_fault(None);
    }
    gateway.wait_gate("open");
    gateway.house.mode.refuse();
    gateway.wait_gate("unknown");
    gateway.house.mode.accept();
    gateway.wait_gate("open");
    assert_eq!(outcome(&gateway.chat("auto", "refactor"))[0], "big");
}

#[test]
fn gaming_grows_stale_to_unknown_and_never_to_open() {
    let house = House::build();
    house.mode.set("GAMING");
    let gateway = house.open(|setup| setup.gate()["stale_after"] = json!("300ms"));
    assert_eq!(gateway.status()["gates"]["gaming_pc"]["state"], "closed");
    gateway.house.mode.set_fault(Some(Fault::WrongWord));
    gateway.house.mode.wait_polls(6);
    let state = gateway.status()["gates"]["gaming_pc"]["state"].clone();
    assert_ne!(state, "open", "{state}");
    assert_eq!(outcome(&gateway.chat("qwen3-coder-14b", "hi"))[0], "small");
}

#[test]
fn a_push_takes_effect_before_its_answer() {
    // polls are rare: what changes, changes by the pushes
    let gateway = Gateway::with(|setup| {
        setup.gate()["poll_interval"] = json!("1h");
        setup.gate()["stale_after"] = json!("2h");
    });
    for _ in 0..10 {
        // the answer before may be whole before its lease has ended
        let state = gateway.push(&json!({"mode": "GAMING"})).json()["state"].clone();
        assert!(state == "closed" || state == "draining", "{state}");
        let response = gateway.chat("auto", "refactor");
        assert_eq!(outcome(&response)[..3], ["small", "gaming", "matched"]);
        assert_eq!(gateway.push(&json!({"mode": "NORMAL"})).json()["state"], "open");
        assert_eq!(outcome(&gateway.chat("auto", "refactor"))[0], "big");
    }
}

#[test]
fn a_push_waits_for_nobody_where_nobody_is_asked() {
    let gateway = Gateway::with(|setup| setup.policy["gates"]["gaming_pc"] = json!({}));
    let began = Instant::now();
    for _ in 0..10 {
        assert_eq!(gateway.push(&json!({"mode": "GAMING"})).json()["state"], "closed");
        assert_eq!(gateway.push(&json!({"mode": "NORMAL"})).json()["state"], "open");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(2), "a tenth of a second for each, and more: {took:?}");
}

#[test]
fn a_pushed_gaming_holds_against_polls_of_normal() {
    let gateway = Gateway::start();
    assert_eq!(gateway.push(&json!({"mode": "GAMING"})).status, 200);
    gateway.house.mode.wait_polls(3);
    assert_eq!(gateway.status()["gates"]["gaming_pc"]["state"], "closed", "polls say NORMAL");
    gateway.house.mode.set("GAMING");
    gateway.house.mode.wait_polls(2);
    gateway.house.mode.set("NORMAL");
    gateway.wait_gate("open");
}

#[test]
fn a_push_tells_what_is_behind_the_gate() {
    let gateway = Gateway::start();
    let pushed = gateway.push(&json!({"mode": "GAMING"}));
    let wanted = json!({"state": "closed", "in_flight": 0, "forced": 0, "drained": true});
    assert_eq!((pushed.status, pushed.json()), (200, wanted));
}

#[test]
fn a_push_that_is_no_mode_changes_nothing() {
    let gateway = Gateway::start();
    let bodies =
        [json!({"mode": "MAYBE"}), json!({"mode": "gaming"}), json!({"mode": null}), json!({}), json!([])];
    for body in bodies {
        assert_eq!(gateway.push(&body).status, 400, "{body}");
        assert_eq!(gateway.status()["gates"]["gaming_pc"]["state"], "open", "{body}");
    }
}

#[test]
fn asleep_keeps_even_the_forced_out() {
    let house = House::build();
    house.mode.answer(json!({"mode": "NORMAL", "available": false}));
    let gateway = house.open(|_| {});
    let pinned = gateway.chat("qwen3-coder-14b", "hi");
    assert_eq!(outcome(&pinned), ["small", "model:qwen3-coder-14b", "asleep", "gaming_pc=open"]);
    assert_eq!(
        outcome(&gateway.chat("auto", "#force_big hi")),
        ["small", "force-big", "asleep", "gaming_pc=open"]
    );
    assert_eq!(gateway.house.big.requests().len(), 0);
    gateway.house.mode.set("NORMAL");
    gateway.wait_status("/gates/gaming_pc/available", &json!(true));
    assert_eq!(outcome(&gateway.chat("auto", "#force_big hi"))[0], "big");
}

#[test]
fn models_show_what_the_gate_lets_through() {
    let gateway = Gateway::start();
    let entry = |name: &str| gateway.get(&format!("/v1/models/{name}")).json()["sluice"].clone();
    let big = |available: bool, reason: &str| -> Value {
        json!({"backend": "big", "available": available, "reason": reason})
    };
    assert_eq!(entry("qwen3-coder-14b"), big(true, "matched"));
    gateway.house.mode.set("GAMING");
    gateway.wait_gate("closed");
    assert_eq!(entry("qwen3-coder-14b"), big(false, "gate_closed"));
    assert_eq!(entry("small")["available"], true);
}

#[test]
fn what_runs_when_the_gate_closes_is_draining() {
    let gateway = Gateway::start();
    let hold = Latch::new();
    gateway.house.big.push(Behaviour::chat().hold(&hold));
    let mut running = gateway.client();
    running.post(CHAT, &[], chat("auto", "refactor").to_string().as_bytes());
    gateway.house.big.wait_requests(1);
    let pushed = gateway.push(&json!({"mode": "GAMING"})).json();
    assert_eq!(pushed, json!({"state": "draining", "in_flight": 1, "forced": 0, "drained": false}));
    let meanwhile = gateway.chat("auto", "refactor");
    assert_eq!(outcome(&meanwhile), ["small", "gaming", "matched", "gaming_pc=draining"]);
    hold.release();
    assert_eq!(running.response().status, 200, "what ran before may end");
    gateway.wait_gate("closed");
}

#[test]
fn a_gate_that_closes_while_a_connect_hangs_is_asked_again() {
    let jam = Jam::start();
    let gateway = Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.backend("big")["peers"] = json!([jam.addr().to_string()]);
        setup.backend("big")["timeouts"] = json!({"connect": "10s"});
    });
    if !jam.jam() {
        return; // this system lets no connect hang
    }
    let mut client = gateway.client();
    client.post(CHAT, &[], chat("auto", "refactor").to_string().as_bytes());
    gateway.wait_status("/backends/big/peers/0/in_flight", &json!(1));
    assert_eq!(gateway.push(&json!({"mode": "GAMING"})).status, 200);
    jam.open();
    let response = client.response();
    assert_eq!(response.status, 200);
    assert_eq!(outcome(&response), ["small", "gaming", "matched", "gaming_pc=closed"]);
    assert_eq!(jam.received(), Vec::<String>::new(), "nothing was sent behind the closed gate");
}
