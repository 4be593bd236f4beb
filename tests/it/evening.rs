//! The gaming PC's whole story: before gaming, while gaming, after gaming; with the model kept, asleep, and stopped.
//!
//! `support/pc.rs` is the PC. It sets the mode by the steps of `windows/set-mode.ps1`; its vLLM dies when it is asked in
//! its sleep, or put to sleep at work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::support::behaviour::{Behaviour, Latch};
use super::support::client::{Response, eventually, post};
use super::support::gateway::{CHAT, Gateway, House, Setup, chat};
use super::support::pc::Pc;

const PATIENCE: Duration = Duration::from_secs(10);
/// Big by its pattern, unless somebody plays.
const HEAVY: &str = "please refactor this";

/// A house whose mode endpoint reads the PC's files.
fn home(change: impl FnOnce(&mut Setup)) -> (Pc, Gateway) {
    let (pc, house) = (Pc::new(), House::build());
    house.mode.read_files(pc.folder());
    let gateway = house.open(change);
    gateway.wait_backend("big", true);
    (pc, gateway)
}

/// Where a request went, and why.
fn outcome(response: &Response) -> [&str; 2] {
    ["backend", "reason"].map(|name| response.header(&format!("x-sluice-{name}")).unwrap_or_default())
}

/// The three ways to force.
fn forced(gateway: &Gateway) -> [Response; 3] {
    [
        gateway.chat("big", "hi"),
        gateway.chat("auto", "#force_big hi"),
        post(gateway.proxy, CHAT, &[("X-Force-Big", "true")], &chat("auto", "hi")),
    ]
}

/// How many requests `big` has received.
fn at_big(gateway: &Gateway) -> usize {
    gateway.house.big.requests().len()
}

#[test]
fn an_evening() {
    let (pc, gateway) = home(|_| {});
    // before gaming: a fresh install is NORMAL, requests flow
    assert_eq!(outcome(&gateway.chat("auto", HEAVY)), ["big", "matched"]);
    assert_eq!(outcome(&gateway.chat("auto", "hi")), ["small", "matched"]);

    // somebody sits down while an answer still runs: the script waits for that, and nothing new begins
    let hold = Latch::new();
    gateway.house.big.push(Behaviour::chat().hold(&hold));
    let mut running = gateway.ask("runs", CHAT, &chat("auto", HEAVY));
    gateway.house.big.wait_requests(2);
    thread::scope(|scope| {
        let setting = scope.spawn(|| pc.set_mode(&gateway, "GAMING", "keep"));
        gateway.wait_gate("draining");
        assert_eq!(outcome(&gateway.chat("auto", HEAVY)), ["small", "matched"]);
        assert_eq!(outcome(&gateway.chat("qwen3-coder-14b", "hi")), ["small", "gate_closed"]);
        assert!(!setting.is_finished(), "it waits until the card is free");
        hold.release();
        let done = setting.join().expect("the mode is set");
        assert_eq!(done.pushed[0], json!({"state": "closed", "in_flight": 0, "forced": 0, "drained": true}));
    });
    assert_eq!(running.response().status, 200, "what ran has ended well");

    // while gaming: small does the work, whoever asks; forced still reaches big
    let before = at_big(&gateway);
    for _ in 0..20 {
        assert_eq!(outcome(&gateway.chat("auto", HEAVY)), ["small", "matched"]);
    }
    assert_eq!(at_big(&gateway), before, "nothing unforced passed");
    for response in forced(&gateway) {
        assert_eq!(outcome(&response), ["big", "matched"]);
    }

    // after gaming
    let done = pc.set_mode(&gateway, "NORMAL", "keep");
    assert_eq!(done.pushed[0]["state"], "open");
    assert_eq!(outcome(&gateway.chat("auto", HEAVY)), ["big", "matched"]);
}

#[test]
fn while_the_model_sleeps_small_answers_the_forced_and_big_lives() {
    let (pc, gateway) = home(|_| {});
    let done = pc.set_mode(&gateway, "GAMING", "sleep");
    assert_eq!(done.steps, ["mode", "mark", "push", "idle", "sleep"]);
    assert!(gateway.house.big.is_asleep());
    let before = at_big(&gateway);
    for response in forced(&gateway) {
        assert_eq!((response.status, outcome(&response)), (200, ["small", "asleep"]));
    }
    assert_eq!(outcome(&gateway.chat("auto", HEAVY)), ["small", "matched"]);
    gateway.house.mode.wait_polls(2);
    assert_eq!(outcome(&gateway.chat("big", "hi")), ["small", "asleep"], "polls say the same as the push");
    assert_eq!(at_big(&gateway), before, "nothing woke it");
    assert!(gateway.house.big.is_alive());

    let done = pc.set_mode(&gateway, "NORMAL", "keep");
    assert_eq!(done.steps, ["wake", "health", "unmark", "mode", "push"]);
    assert!(gateway.house.big.is_alive() && !gateway.house.big.is_asleep());
    assert_eq!(outcome(&gateway.chat("auto", HEAVY)), ["big", "matched"]);
}

/// Whether those who ask in a loop shall end.
#[derive(Default)]
struct Over(AtomicBool);

/// Ends them, also when the test fails meanwhile.
struct EndsThem<'o>(&'o Over);

impl Drop for EndsThem<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Release);
    }
}

#[test]
fn whoever_forces_without_end_never_kills_a_model_that_goes_to_sleep_and_wakes() {
    let (pc, gateway) = home(|setup| setup.never_unhealthy());
    let over = Over::default();
    let (mut answered, mut by_big) = (0, 0);
    thread::scope(|scope| {
        let ask = || {
            let (mut answered, mut by_big) = (0, 0);
            while !over.0.load(Ordering::Acquire) {
                let response = gateway.chat("big", "hi");
                assert_eq!(response.status, 200, "{}", response.text());
                answered += 1;
                by_big += usize::from(outcome(&response)[0] == "big");
            }
            (answered, by_big)
        };
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        let ends = EndsThem(&over);
        for _ in 0..5 {
            pc.set_mode(&gateway, "GAMING", "sleep");
            let polled = Instant::now();
            gateway.house.mode.wait_polls(2);
            assert!(gateway.house.big.is_asleep(), "after {:?}", polled.elapsed());
            let before = at_big(&gateway);
            pc.set_mode(&gateway, "NORMAL", "keep");
            let used = eventually(PATIENCE, || at_big(&gateway) > before);
            assert!(used && gateway.house.big.is_alive(), "awake, it is used again");
        }
        drop(ends);
        for asker in asking {
            let (all, big) = asker.join().expect("every request was answered");
            answered += all;
            by_big += big;
        }
    });
    println!("{answered} forced requests, {by_big} of them answered by big, over 5 sleeps");
    assert!(by_big > 0 && by_big < answered, "{by_big} of {answered}");
}

#[test]
fn a_stopped_model_is_as_good_as_asleep_and_comes_back() {
    let (pc, gateway) = home(|_| {});
    assert_eq!(pc.set_mode(&gateway, "GAMING", "stop").steps.last().map(String::as_str), Some("stop"));
    let before = at_big(&gateway);
    for response in forced(&gateway) {
        assert_eq!(
            (response.status, outcome(&response)),
            (200, ["small", "asleep"]),
            "and not connect_failed"
        );
    }
    assert_eq!(at_big(&gateway), before);
    assert_eq!(pc.set_mode(&gateway, "NORMAL", "keep").steps, ["start", "health", "unmark", "mode", "push"]);
    gateway.wait_backend("big", true);
    assert_eq!(outcome(&gateway.chat("auto", HEAVY)), ["big", "matched"]);
}

#[test]
fn without_a_word_of_its_sleep_a_forced_request_would_kill_it() {
    let (pc, gateway) = home(|_| {});
    pc.set_mode(&gateway, "GAMING", "keep");
    gateway.house.big.fall_asleep();
    let response = gateway.chat("big", "hi");
    assert_eq!((response.status, outcome(&response)[0]), (200, "small"), "the client is served all the same");
    assert!(!gateway.house.big.is_alive(), "this is what the order of the steps is for");
    gateway.wait_backend("big", false);
}

#[test]
fn a_file_that_was_written_by_hand_does_it_too_and_another_word_keeps_away() {
    let (pc, gateway) = home(|setup| setup.gate()["stale_after"] = json!("400ms"));
    pc.write_mode("GAMING");
    let written = Instant::now();
    gateway.wait_gate("closed");
    assert!(written.elapsed() < Duration::from_secs(2), "the next poll brings it: {:?}", written.elapsed());
    pc.write_mode("MAYBE");
    gateway.wait_gate("unknown");
    assert_eq!(outcome(&gateway.chat("auto", HEAVY)), ["small", "matched"]);
    assert_eq!(outcome(&gateway.chat("big", "hi")), ["big", "matched"], "forced, it is the asker's own word");
    pc.write_mode("NORMAL");
    gateway.wait_gate("open");
}
