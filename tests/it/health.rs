//! How a peer is found to be down, and up again, and what that means for the requests that follow.

use std::time::{Duration, Instant};

use serde_json::json;

use super::support::behaviour::Behaviour;
use super::support::client::eventually;
use super::support::gateway::Gateway;
use super::support::peer::{Health, Peer};

/// The probes' interval of the usual configuration.
const INTERVAL: Duration = Duration::from_millis(100);
/// What a busy machine may add to it.
const SLACK: Duration = Duration::from_millis(900);

#[test]
fn probes_find_a_peer_down_and_up_again() {
    for down in [Health::Down, Health::Missing, Health::Hang] {
        let gateway = Gateway::with(|setup| setup.backend("big")["health"]["timeout"] = json!("100ms"));
        assert_eq!(gateway.chat("qwen3-coder-14b", "hi").header("x-sluice-backend"), Some("big"));
        gateway.house.big.set_health(down);
        gateway.wait_backend("big", false);
        let response = gateway.chat("qwen3-coder-14b", "hi");
        assert_eq!(response.header("x-sluice-backend"), Some("small"), "{down:?}");
        assert_eq!(response.header("x-sluice-reason"), Some("unhealthy"), "{down:?}");
        assert_eq!(response.header("x-sluice-attempts"), Some("1"), "{down:?}: not on the off chance");
        assert_eq!(gateway.house.big.requests().len(), 1, "{down:?}");
        gateway.house.big.set_health(Health::Up);
        let began = Instant::now();
        gateway.wait_backend("big", true);
        assert!(began.elapsed() < INTERVAL * 2 + SLACK, "{down:?}: {:?}", began.elapsed());
        assert_eq!(gateway.chat("qwen3-coder-14b", "hi").header("x-sluice-backend"), Some("big"), "{down:?}");
    }
}

#[test]
fn it_takes_as_many_bad_probes_as_configured() {
    let gateway = Gateway::with(|setup| setup.backend("big")["health"]["unhealthy_after"] = json!(4));
    gateway.house.big.set_health(Health::Down);
    gateway.house.big.wait_probes(3);
    assert_eq!(
        gateway.status()["backends"]["big"]["available"],
        true,
        "two answers were surely bad, four not"
    );
    gateway.wait_backend("big", false);
}

#[test]
fn a_peer_that_is_down_at_the_start_is_never_asked() {
    let house = super::support::gateway::House::build();
    house.big.refuse();
    let gateway = house.open(|_| {});
    assert_eq!(gateway.status()["backends"]["big"]["available"], false, "the first probe decides");
    let response = gateway.chat("big", "hi");
    assert_eq!(response.header("x-sluice-backend"), Some("small"));
    assert_eq!(response.header("x-sluice-reason"), Some("unhealthy"), "force does not heal");
}

#[test]
fn a_failed_connect_is_probed_at_once_and_marks_the_peer() {
    // no probe comes by itself
    let gateway = Gateway::with(|setup| setup.backend("big")["health"]["interval"] = json!("1h"));
    gateway.house.big.refuse();
    let first = gateway.chat("qwen3-coder-14b", "hi");
    assert_eq!(first.header("x-sluice-reason"), Some("connect_failed"));
    assert_eq!(first.header("x-sluice-attempts"), Some("2"));
    // the connect and the probe behind it: two in a row
    gateway.wait_backend("big", false);
    let second = gateway.chat("qwen3-coder-14b", "hi");
    assert_eq!(second.header("x-sluice-reason"), Some("unhealthy"));
    assert_eq!(second.header("x-sluice-attempts"), Some("1"));
}

#[test]
fn a_peer_that_is_back_is_used_within_an_interval() {
    let gateway = Gateway::start();
    gateway.house.small.refuse();
    gateway.wait_backend("small", false);
    gateway.house.small.accept();
    let began = Instant::now();
    let back = eventually(Duration::from_secs(5), || gateway.chat("small", "hi").status == 200);
    assert!(back && began.elapsed() < INTERVAL + SLACK, "{:?}", began.elapsed());
}

#[test]
fn with_everything_down_the_answer_comes_at_once() {
    let gateway = Gateway::start();
    for peer in [&gateway.house.small, &gateway.house.big, &gateway.house.tts] {
        peer.refuse();
    }
    for name in ["small", "big", "tts"] {
        gateway.wait_backend(name, false);
    }
    for model in ["auto", "small", "big", "qwen3-coder-14b"] {
        let began = Instant::now();
        let response = gateway.chat(model, "hi");
        assert_eq!(
            (response.status, response.code().as_deref()),
            (503, Some("no_backend_available")),
            "{model}"
        );
        assert_eq!(response.header("x-sluice-attempts"), Some("0"), "{model}");
        assert_eq!(response.header("x-sluice-backend"), None, "{model}");
        assert!(response.header("retry-after").is_some(), "{model}");
        assert!(began.elapsed() < SLACK, "{model}: {:?}", began.elapsed());
    }
    let speech = gateway.post("/v1/audio/speech", &json!({"model": "tts-1", "input": "hi", "voice": "x"}));
    assert_eq!((speech.status, speech.code().as_deref()), (503, Some("no_backend_available")));
    assert_eq!(gateway.get("/health").status, 503);
    let models = gateway.get("/v1/models");
    assert_eq!(models.status, 200);
    let unavailable = models.json()["data"]
        .as_array()
        .is_some_and(|all| !all.is_empty() && all.iter().all(|model| model["sluice"]["available"] == false));
    assert!(unavailable, "{}", models.text());
}

#[test]
fn one_healthy_peer_is_enough_for_a_backend() {
    let second = Peer::start();
    let gateway = Gateway::with(|setup| {
        let first = setup.backend("small")["peers"][0].clone();
        setup.backend("small")["peers"] = json!([first, second.addr().to_string()]);
    });
    gateway.house.small.refuse();
    gateway.wait_status("/backends/small/peers/0/healthy", &json!(false));
    assert_eq!(gateway.status()["backends"]["small"]["available"], true);
    for _ in 0..5 {
        let response = gateway.chat("small", "hi");
        assert_eq!((response.status, response.header("x-sluice-attempts")), (200, Some("1")));
    }
    assert_eq!((gateway.house.small.requests().len(), second.requests().len()), (0, 5));
    assert_eq!(gateway.get("/health").status, 200);
}

#[test]
fn what_failed_in_traffic_is_not_asked_again_until_a_probe_has_spoken() {
    // The probe that a failure asks for hangs for a second; none comes by itself.
    let gateway = Gateway::with(|setup| {
        let health = &mut setup.backend("big")["health"];
        (health["interval"], health["timeout"], health["unhealthy_after"]) =
            (json!("1h"), json!("1s"), json!(100));
    });
    gateway.house.big.set_health(Health::Hang);
    gateway.house.big.push(Behaviour::close());
    let first = gateway.chat("qwen3-coder-14b", "hi");
    assert_eq!(first.header("x-sluice-reason"), Some("upstream_error"));
    let second = gateway.chat("qwen3-coder-14b", "hi");
    assert_eq!(second.header("x-sluice-reason"), Some("unhealthy"), "nobody has spoken for it yet");
    assert_eq!(gateway.house.big.requests().len(), 1);
    gateway.house.big.set_health(Health::Up);
    let back = eventually(Duration::from_secs(5), || {
        gateway.chat("qwen3-coder-14b", "hi").header("x-sluice-backend") == Some("big")
    });
    assert!(back, "one failed probe of a hundred does not make it unhealthy");
}
