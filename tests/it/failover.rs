//! A candidate that fails before the first byte of its answer: the next one is tried, each at most once.

use std::time::{Duration, Instant};

use serde_json::json;

use super::support::behaviour::Behaviour;
use super::support::client::{Response, post};
use super::support::gateway::{CHAT, Gateway, Setup, chat};
use super::support::jam::Jam;
use super::support::peer::Peer;

/// Leads to big, and to small where that fails.
const BIG: &str = "qwen3-coder-14b";

/// Nobody turns unhealthy meanwhile.
fn house(change: impl FnOnce(&mut Setup)) -> Gateway {
    Gateway::with(|setup| {
        setup.never_unhealthy();
        change(setup);
    })
}

/// Status, backend, reason and attempts of an answer.
fn outcome(response: &Response) -> (u16, Option<&str>, Option<&str>, Option<&str>) {
    let header = |name| response.header(name);
    (response.status, header("x-sluice-backend"), header("x-sluice-reason"), header("x-sluice-attempts"))
}

/// How many requests each of the two received.
fn asked(gateway: &Gateway) -> [usize; 2] {
    [gateway.house.big.requests().len(), gateway.house.small.requests().len()]
}

#[test]
fn a_refused_connect_goes_to_the_next() {
    let gateway = house(|_| {});
    gateway.house.big.refuse();
    let response = gateway.chat(BIG, "hi");
    assert_eq!(outcome(&response), (200, Some("small"), Some("connect_failed"), Some("2")));
    assert_eq!(asked(&gateway), [0, 1]);
}

#[test]
fn a_hanging_connect_goes_to_the_next_after_its_timeout() {
    let jam = Jam::start();
    let gateway = house(|setup| {
        setup.backend("big")["peers"] = json!([jam.addr().to_string()]);
        setup.backend("big")["timeouts"] = json!({"connect": "300ms"});
    });
    if !jam.jam() {
        return; // this system lets no connect hang
    }
    let began = Instant::now();
    let response = gateway.chat(BIG, "hi");
    let took = began.elapsed();
    assert_eq!(outcome(&response), (200, Some("small"), Some("connect_failed"), Some("2")));
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_status_in_failover_on_goes_to_the_next() {
    let gateway = house(|_| {});
    for status in [502, 503, 504] {
        gateway.house.big.push(Behaviour::status(status));
        let response = gateway.chat(BIG, "hi");
        let wanted = (200, Some("small"), Some("upstream_error"), Some("2"));
        assert_eq!(outcome(&response), wanted, "{status}");
        assert!(response.json()["choices"].is_array(), "{status}: the answer is the second one's alone");
    }
    assert_eq!(asked(&gateway), [3, 3]);
    let (first, second) = (&gateway.house.big.requests()[0], &gateway.house.small.requests()[0]);
    assert!(first.at <= second.at, "in order");
    let models = [first, second].map(|request| request.json()["model"].clone());
    assert_eq!(models, [BIG, "qwen3-coder-7b"], "each gets its own name for the model");
}

#[test]
fn any_other_status_is_the_answer() {
    let gateway = house(|_| {});
    for status in [400, 404, 422, 429, 500, 501] {
        gateway.house.big.push(Behaviour::status(status).header("x-own", "kept"));
        let response = gateway.chat(BIG, "hi");
        assert_eq!(outcome(&response), (status, Some("big"), Some("matched"), Some("1")));
        let message = format!("simulated {status}");
        assert_eq!(response.json()["error"]["message"], json!(message), "its body passes through");
        assert_eq!(response.header("x-own"), Some("kept"));
    }
    assert_eq!(asked(&gateway), [6, 0]);
}

#[test]
fn failover_on_is_what_the_operator_says() {
    let gateway = house(|setup| setup.backend("big")["failover_on"] = json!([418]));
    gateway.house.big.push(Behaviour::status(418));
    assert_eq!(outcome(&gateway.chat(BIG, "hi")), (200, Some("small"), Some("upstream_error"), Some("2")));
    gateway.house.big.push(Behaviour::status(503));
    assert_eq!(outcome(&gateway.chat(BIG, "hi")), (503, Some("big"), Some("matched"), Some("1")));
}

#[test]
fn a_connection_closed_without_an_answer_goes_to_the_next() {
    let gateway = house(|_| {});
    for (what, behaviour) in [
        ("a close", Behaviour::close()),
        ("a reset", Behaviour::reset()),
        ("half a head", Behaviour::raw(b"HTTP/1.1 2").close_after()),
        ("a head without its body", Behaviour::chat().chunked().cut(0)),
    ] {
        gateway.house.big.push(behaviour);
        let response = gateway.chat(BIG, "hi");
        let wanted = (200, Some("small"), Some("upstream_error"), Some("2"));
        assert_eq!(outcome(&response), wanted, "{what}");
    }
    assert_eq!(asked(&gateway), [4, 4], "each candidate once a request");
}

#[test]
fn no_first_byte_in_time_goes_to_the_next() {
    let gateway = house(|setup| setup.backend("big")["timeouts"] = json!({"first_byte": "200ms"}));
    let late = Duration::from_secs(60);
    // the time runs until the first byte of the body: a head alone is no answer
    for (what, behaviour) in [
        ("nothing", Behaviour::hang()),
        ("a late head", Behaviour::chat().delay(late)),
        ("a late body", Behaviour::chat().delay_body(late)),
        ("a late body in chunks", Behaviour::chat().chunked().delay_body(late)),
    ] {
        gateway.house.big.push(behaviour);
        let began = Instant::now();
        let response = gateway.chat(BIG, "hi");
        let wanted = (200, Some("small"), Some("upstream_timeout"), Some("2"));
        assert_eq!(outcome(&response), wanted, "{what}");
        assert!(began.elapsed() < Duration::from_secs(3), "{what}: {:?}", began.elapsed());
        gateway.house.big.wait("it is let go", |all| all.iter().all(|it| it.client_left.is_some()));
    }
}

#[test]
fn the_last_candidates_status_passes_through() {
    let gateway = house(|_| {});
    gateway.house.big.set_default(Behaviour::status(502));
    gateway.house.small.set_default(Behaviour::status(503).header("retry-after", "7"));
    let response = gateway.chat(BIG, "hi");
    assert_eq!(outcome(&response), (503, Some("small"), Some("upstream_error"), Some("2")));
    assert_eq!(response.json()["error"]["message"], "simulated 503");
    assert_eq!(response.header("retry-after"), Some("7"), "the backend's own");
    assert_eq!(asked(&gateway), [1, 1]);
}

#[test]
fn when_the_last_one_cannot_be_reached_it_is_502() {
    let gateway = house(|_| {});
    gateway.house.big.refuse();
    gateway.house.small.refuse();
    let response = gateway.chat(BIG, "hi");
    assert_eq!(outcome(&response), (502, None, Some("connect_failed"), Some("2")));
    assert_eq!(response.code().as_deref(), Some("upstream_error"));
}

#[test]
fn when_the_last_one_is_late_it_is_504() {
    let gateway = house(|setup| setup.backend("small")["timeouts"] = json!({"first_byte": "200ms"}));
    gateway.house.small.push(Behaviour::hang());
    let response = gateway.chat("small", "hi");
    assert_eq!(outcome(&response), (504, None, Some("upstream_timeout"), Some("1")));
    assert_eq!(response.code().as_deref(), Some("upstream_timeout"));
}

#[test]
fn two_that_die_are_enough() {
    let third = Peer::start();
    let gateway = house(|setup| {
        let health = setup.backend("small")["health"].clone();
        setup.policy["backends"]["third"] =
            json!({"peers": [third.addr().to_string()], "model": "third", "health": health});
        setup.backend("big")["fail_soft"] = json!(["small", "third"]);
    });
    gateway.house.big.push(Behaviour::close());
    gateway.house.small.push(Behaviour::reset());
    let response = gateway.chat(BIG, "hi");
    assert_eq!((response.status, response.code().as_deref()), (502, Some("upstream_error")));
    assert_eq!(response.header("x-sluice-attempts"), Some("2"));
    assert_eq!(third.requests().len(), 0, "a request that kills is not sent to a third");
    // a status is no death, nor is a refused connect
    gateway.house.big.push(Behaviour::status(503));
    gateway.house.small.refuse();
    assert_eq!(outcome(&gateway.chat(BIG, "hi")).1, Some("third"));
}

#[test]
fn a_backends_other_peers_come_before_other_backends() {
    let second = Peer::start();
    let gateway = house(|setup| {
        let first = setup.backend("big")["peers"][0].clone();
        setup.backend("big")["peers"] = json!([first, second.addr().to_string()]);
    });
    gateway.house.big.refuse();
    for _ in 0..4 {
        assert_eq!(outcome(&gateway.chat(BIG, "hi")).1, Some("big"));
    }
    assert_eq!((second.requests().len(), asked(&gateway)), (4, [0, 0]));
    second.refuse();
    let response = gateway.chat(BIG, "hi");
    assert_eq!(outcome(&response), (200, Some("small"), Some("connect_failed"), Some("3")));
}

#[test]
fn a_forced_request_fails_over_too() {
    let gateway = house(|_| {});
    gateway.house.big.refuse();
    let response = post(gateway.proxy, CHAT, &[("X-Force-Big", "true")], &chat("auto", "hi"));
    assert_eq!(outcome(&response), (200, Some("small"), Some("connect_failed"), Some("2")));
}

#[test]
fn a_stale_pooled_connection_is_asked_again_once_on_a_fresh_one() {
    let gateway = house(|_| {});
    gateway.house.small.set_default(Behaviour::chat());
    assert_eq!(gateway.chat("small", "warms the pool").status, 200);
    gateway.house.small.set_default(Behaviour::close_reused());
    for _ in 0..5 {
        let before = gateway.house.small.requests().len();
        let response = gateway.chat("small", "hi");
        assert_eq!(response.status, 200, "{}", gateway.log());
        let requests = gateway.house.small.requests();
        let answered = requests[before..].iter().filter(|it| it.sent > 0).count();
        let fresh = requests[before..].iter().filter(|it| !it.is_reused()).count();
        assert_eq!((answered, fresh), (1, 1), "answered once, on a fresh connection");
    }
}

#[test]
fn a_pooled_connection_that_is_reset_is_asked_again_once_on_a_fresh_one() {
    let gateway = house(Setup::no_windows);
    assert_eq!(gateway.chat("small", "warms the pool").status, 200);
    // closing with bytes unread is a reset: more than the peer takes from the socket at once
    let long = "word ".repeat(60_000);
    let mut stale_ones = 0;
    for _ in 0..20 {
        // time for the connection to be put back: an answer is whole before that
        assert_eq!(gateway.get("/health").status, 200);
        gateway.house.small.push(Behaviour::close_reused().unread());
        let before = gateway.house.small.requests().len();
        let response = gateway.chat("small", &long);
        let requests = gateway.house.small.requests();
        if !requests[before].is_reused() {
            continue; // it was not back yet
        }
        let [stale, fresh] = &requests[before..] else { panic!("{} requests", requests.len() - before) };
        assert_eq!(response.status, 200, "{}", gateway.log());
        assert!(!stale.complete && stale.sent == 0, "it was not executed");
        assert!(!fresh.is_reused() && fresh.complete && fresh.sent > 0, "executed once, on a fresh one");
        stale_ones += 1;
    }
    assert!(stale_ones > 0, "the pool was used");
}

#[test]
fn a_pool_whose_connections_were_closed_meanwhile_loses_nothing() {
    let gateway = house(|_| {});
    for turn in 0..10 {
        assert_eq!(gateway.chat("small", "hi").status, 200, "{turn}");
        gateway.house.small.drop_connections();
    }
    assert_eq!(gateway.house.small.requests().len(), 10, "each executed once");
}
