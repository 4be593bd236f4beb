//! The soak: clients of every kind against peers that die, hang and stall, a gate that flips and a policy that reloads,
//! for as long as `SOAK_SECONDS` says (15 when it does not). At the end everything is back and every count agrees.
//!
//! `SOAK_SECONDS=600 cargo test --release --test soak -- --nocapture`; `SOAK_SEED` repeats a run's choices.
#![cfg(test)]

/// What goes wrong, at random.
mod chaos;
/// Random choices that a seed repeats.
mod dice;
/// One client: what it asks, how it behaves, how it ended.
mod guest;
/// What all integration tests are made with.
#[path = "../it/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a soak uses less of it than the integration tests do")]
mod support;
/// What clients saw, added up and held against what the proxy says.
mod tally;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use dice::Dice;
use support::gateway::{Gateway, Setup};
use support::peer::Peer;
use tally::{Held, Tally};

/// Clients at one time.
const CLIENTS: u64 = 24;
/// A run in CI.
const USUAL: u64 = 15;

/// A house in which everything that can wait or be cut does so soon.
fn house(second: &Peer) -> Gateway {
    Gateway::with(|setup| {
        eager(setup);
        let first = setup.backend("small")["peers"][0].clone();
        setup.backend("small")["peers"] = json!([first, second.addr().to_string()]);
        setup.settings["log"] = json!({"level": "info"});
        setup.settings["limits"] = json!({"requests": 64, "body": "1MiB", "buffered": "16MiB", "write_timeout": "2s", "body_read_timeout": "2s"});
    })
}

fn eager(setup: &mut Setup) {
    setup.gate()["on_close"] = json!("cancel");
    setup.gate()["drain_timeout"] = json!("100ms");
    setup.card("one", &["big"], json!({"max_in_flight": 2, "max_queue": 8, "queue_timeout": "1s"}));
    let speech = json!({
        "max_in_flight": 6, "max_queue": 16, "queue_timeout": "2s", "exclusive": ["tts"], "exclusive_wait": "200ms",
    });
    setup.card("two", &["small", "tts"], speech);
    for name in ["small", "big", "tts"] {
        setup.backend(name)["timeouts"] = json!({"connect": "300ms", "first_byte": "700ms", "idle": "500ms"});
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn after_everything_that_went_wrong_everything_is_back() {
    let lasts = Duration::from_secs(number("SOAK_SECONDS", USUAL));
    let seed = number("SOAK_SEED", u64::from(std::process::id()));
    let (second, tally) = (Peer::start(), Tally::default());
    let gateway = house(&second);
    // what is allocated once, is: connections, metrics, threads
    warm_up(&gateway, &tally);
    let before = Held::now(&gateway);
    let (done, ids) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = Instant::now();
    let faults = thread::scope(|scope| {
        let chaos = scope.spawn(|| chaos::rage(&gateway, &second, &mut Dice::new(seed), &done));
        for client in 0..CLIENTS {
            let (gateway, tally, done, ids) = (&gateway, &tally, &done, &ids);
            scope.spawn(move || {
                let mut dice = Dice::new(seed ^ (client + 1) << 32);
                while !done.load(Ordering::Relaxed) {
                    let id = format!("soak-{}", ids.fetch_add(1, Ordering::Relaxed));
                    guest::ask(gateway, &id, &mut dice, tally);
                }
            });
        }
        while began.elapsed() < lasts && !chaos.is_finished() {
            let _ = support::client::eventually(Duration::from_millis(100), || false);
        }
        done.store(true, Ordering::Relaxed);
        chaos.join().expect("the chaos ends in order")
    });
    tally.agrees(&gateway);
    Held::is_back(&gateway, &before);
    println!("soak: seed {seed}, {lasts:?}, {faults:?}");
    println!("soak: {}", tally.words());
}

fn warm_up(gateway: &Gateway, tally: &Tally) {
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                for turn in 0..10 {
                    let id = format!("warm-{client}-{turn}");
                    guest::ask_plainly(gateway, &id, tally);
                }
            });
        }
    });
}
