//! What a client may take: bytes, time, exchanges. Past it the request is refused and nothing of it goes anywhere.

use std::time::{Duration, Instant};

use serde_json::json;

use super::bodies::{FRAMINGS, LIMIT, body, echoing, raw, send};
use super::support::behaviour::{Behaviour, Latch};
use super::support::client::eventually;
use super::support::gateway::{CHAT, chat};

/// For what comes a moment after an answer's last byte.
const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn a_body_that_will_be_refused_is_not_asked_for() {
    let gateway = echoing(|_| {});
    let length = (LIMIT + 1).to_string();
    let fields = [
        ("Content-Type", "application/json"),
        ("Content-Length", length.as_str()),
        ("Expect", "100-continue"),
    ];
    let mut client = gateway.client();
    client.send_head("POST", CHAT, &fields);
    assert_eq!(client.try_head().expect("an answer").status, 413);
}

#[test]
fn a_byte_over_the_limit_is_refused_and_reaches_nobody() {
    let gateway = echoing(|_| {});
    for framing in FRAMINGS {
        let mut client = gateway.client();
        send(&mut client, framing, &[], &body("small", LIMIT + 1));
        let response = client.response();
        assert_eq!(
            (response.status, response.code().as_deref()),
            (413, Some("body_too_large")),
            "{framing:?}"
        );
        assert!(client.is_closed(), "{framing:?}");
    }
    assert_eq!(gateway.house.requests(), 0);
}

#[test]
fn a_length_over_the_limit_is_refused_before_a_byte_of_it() {
    let gateway = echoing(|_| {});
    for length in ["3145729", "9999999999999999999", "9223372036854775807"] {
        let fields = [("Content-Type", "application/json"), ("Content-Length", length)];
        let mut client = gateway.client();
        let response = client.send_head("POST", CHAT, &fields).response();
        assert_eq!((response.status, response.code().as_deref()), (413, Some("body_too_large")), "{length}");
        assert!(client.is_closed(), "{length}");
    }
}

#[test]
fn a_body_that_stops_coming_is_408() {
    let gateway = echoing(|setup| setup.limit("body_read_timeout", "200ms"));
    for (framing, beginning) in
        [("Content-Length: 100", r#"{"model":"#), ("Transfer-Encoding: chunked", "5\r\n{\"m")]
    {
        let mut client = gateway.client();
        let head = format!(
            "POST {CHAT} HTTP/1.1\r\nHost: it\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
        );
        let began = Instant::now();
        let response = client.send(format!("{head}{beginning}").as_bytes()).response();
        assert_eq!((response.status, response.code().as_deref()), (408, Some("body_timeout")), "{framing}");
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(3), "{framing}: {took:?}");
        assert!(client.is_closed(), "{framing}");
    }
    assert_eq!(gateway.house.requests(), 0);
}

#[test]
fn a_body_that_drips_is_408_all_the_same() {
    let gateway = echoing(|setup| setup.limit("body_read_timeout", "200ms"));
    let mut client = gateway.client();
    client.send_head("POST", CHAT, &[("Content-Type", "application/json"), ("Content-Length", "100000")]);
    // a byte every few milliseconds, for longer than the whole body may take
    let broke = eventually(Duration::from_millis(800), || client.try_send(b" ").is_err());
    let dripped = Instant::now();
    assert!(!broke, "what still comes is read for a while, so that the answer arrives");
    let response = client.response();
    assert_eq!((response.status, response.code().as_deref()), (408, Some("body_timeout")));
    let waited = response.head_at - dripped;
    assert!(waited < Duration::from_millis(150), "it was there long before: {waited:?}");
}

#[test]
fn a_head_that_drips_is_cut() {
    let gateway = echoing(|setup| setup.limit("header_read_timeout", "300ms"));
    let mut client = gateway.client();
    let began = Instant::now();
    client.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: it\r\nX-Slow: ");
    let cut = eventually(Duration::from_secs(5), || client.try_send(b"x").is_err());
    let took = began.elapsed();
    assert!(cut && took >= Duration::from_millis(300) && took < Duration::from_secs(3), "{cut} {took:?}");
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let gateway = echoing(|setup| {
        setup.limit("header_read_timeout", "200ms");
        setup.limit("keepalive_timeout", "300ms");
    });
    let began = Instant::now();
    assert!(gateway.client().is_closed(), "never a byte");
    assert!(began.elapsed() < Duration::from_secs(3));
    let mut client = gateway.client();
    assert_eq!(client.get("/health").response().status, 200);
    let began = Instant::now();
    assert!(client.is_closed(), "idle between two requests");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn past_the_exchanges_in_flight_it_is_overloaded() {
    let gateway = echoing(|setup| setup.settings["limits"]["requests"] = json!(1));
    let hold = Latch::new();
    gateway.house.small.push(Behaviour::echo().hold(&hold));
    let mut first = gateway.client();
    first.post(CHAT, &[], chat("small", "one").to_string().as_bytes());
    gateway.house.small.wait_requests(1);
    let refused = gateway.chat("small", "two");
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("overloaded")));
    assert!(
        refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|it| it > 0))
    );
    assert!(refused.header("x-request-id").is_some());
    assert_eq!(gateway.get("/v1/models").status, 200, "what asks no backend is not counted");
    hold.release();
    assert_eq!(first.response().status, 200);
    // its end may be later than the last byte of its answer
    assert!(eventually(PATIENCE, || gateway.chat("small", "three").status == 200));
    assert_eq!(gateway.house.small.requests().len(), 2);
}

#[test]
fn past_the_bytes_held_it_is_overloaded() {
    let gateway = echoing(|setup| {
        setup.limit("body", "1MiB");
        setup.limit("buffered", "1MiB");
    });
    for framing in FRAMINGS {
        let before = gateway.house.requests();
        let hold = Latch::new();
        gateway.house.small.push(Behaviour::echo().hold(&hold));
        let mut first = gateway.client();
        first.send(&raw(framing, &body("small", 700_000)));
        gateway.house.small.wait_requests(before + 1);
        let mut second = gateway.client();
        send(&mut second, framing, &[], &body("small", 700_000));
        let refused = second.response();
        assert_eq!((refused.status, refused.code().as_deref()), (503, Some("overloaded")), "{framing:?}");
        assert!(refused.header("retry-after").is_some(), "{framing:?}");
        assert_eq!(gateway.chat("small", "there is room for this").status, 200, "{framing:?}");
        hold.release();
        assert_eq!(first.response().status, 200, "{framing:?}");
        let given_back = eventually(PATIENCE, || {
            let mut third = gateway.client();
            send(&mut third, framing, &[], &body("small", 700_000));
            third.response().status == 200
        });
        assert!(given_back, "{framing:?}");
    }
}
