//! Every body arrives whole, or the request is refused and nothing of it goes anywhere.

use super::support::behaviour::{Behaviour, Latch};
use super::support::client::{Client, Response};
use super::support::gateway::{CHAT, Gateway, House, Setup};
use super::support::{chunk, sha256};

/// `limits.body` of these tests.
pub(super) const LIMIT: usize = 3 << 20;
/// Around the length from which a stretch goes on as it came, around what a connection's buffers hold, and far beyond.
const SIZES: [usize; 11] =
    [100, 16_383, 16_421, 17_000, 65_535, 65_536, 65_537, 131_072, 300_000, 2_000_000, LIMIT];
/// What is sent at once in a chunked body.
const PIECE: usize = 16 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length,
    Chunked,
}

pub(super) const FRAMINGS: [Framing; 2] = [Framing::Length, Framing::Chunked];

/// A chat of exactly `size` bytes whose text repeats nothing, its model at the very end.
pub(super) fn body(model: &str, size: usize) -> Vec<u8> {
    let (begin, end) = (r#"{"messages":[{"role":"user","content":""#, format!(r#""}}],"model":"{model}"}}"#));
    let mut state = size as u64;
    let filler = (0..size - begin.len() - end.len()).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        b"abcdefghijklmnopqrstuvwxyz ABCDEF"[(state >> 33) as usize % 33]
    });
    begin.bytes().chain(filler).chain(end.bytes()).collect()
}

/// What a backend gets of it: the same bytes, its own name for the model.
fn forwarded(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    let end = body.len() - from.len() - 2;
    [&body[..end], to.as_bytes(), br#""}"#].concat()
}

pub(super) fn send(client: &mut Client, framing: Framing, headers: &[(&str, &str)], body: &[u8]) {
    match framing {
        Framing::Length => client.post(CHAT, headers, body),
        Framing::Chunked => client.post_chunked(CHAT, headers, body, PIECE),
    };
}

pub(super) fn echoing(change: impl FnOnce(&mut Setup)) -> Gateway {
    let house = House::build();
    for peer in [&house.small, &house.big] {
        peer.set_default(Behaviour::echo());
    }
    house.open(|setup| {
        setup.limit("body", "3MiB");
        setup.no_windows();
        setup.never_unhealthy();
        change(setup);
    })
}

#[track_caller]
fn assert_echo(response: &Response, wanted: &[u8], what: &str) {
    assert_eq!(response.status, 200, "{what}: {}", response.text());
    let echo = response.json();
    assert_eq!(
        (echo["len"].as_u64(), echo["sha256"].as_str()),
        (Some(wanted.len() as u64), Some(sha256(wanted).as_str())),
        "{what}"
    );
}

#[test]
fn all_sizes_arrive_in_both_framings() {
    let gateway = echoing(|_| {});
    for framing in FRAMINGS {
        for size in SIZES {
            let sent = body("small", size);
            let mut client = gateway.client();
            send(&mut client, framing, &[], &sent);
            let wanted = forwarded(&sent, "small", "qwen3-coder-7b");
            assert_echo(&client.response(), &wanted, &format!("{framing:?} {size}"));
        }
    }
}

/// Long stretches go on as they are, with what was changed between them.
#[test]
fn a_long_body_with_many_tags_arrives_without_them() {
    let gateway = echoing(|_| {});
    for turns in [1, 3, 12] {
        let text = String::from_utf8(body("", 20_000)).unwrap().replace('"', "'");
        let turn = format!(r#"{{"role":"user","content":"{text} #force_big{text}"}},"#);
        let rest = r#"{"role":"user","content":"hi"}]}"#;
        let sent = format!(r#"{{"model":"small","messages":[{}{rest}"#, turn.repeat(turns));
        let wanted = sent.replace("#force_big", "").replacen("small", "qwen3-coder-7b", 1);
        for framing in FRAMINGS {
            let mut client = gateway.client();
            send(&mut client, framing, &[], sent.as_bytes());
            assert_echo(&client.response(), wanted.as_bytes(), &format!("{framing:?} {turns}"));
        }
    }
}

#[test]
fn expect_continue_is_answered_and_not_forwarded() {
    let gateway = echoing(|_| {});
    for framing in FRAMINGS {
        for size in SIZES {
            let sent = body("small", size);
            let mut client = gateway.client();
            let length = size.to_string();
            let framed = match framing {
                Framing::Length => ("Content-Length", length.as_str()),
                Framing::Chunked => ("Transfer-Encoding", "chunked"),
            };
            let fields = [("Content-Type", "application/json"), framed, ("Expect", "100-continue")];
            client.send_head("POST", CHAT, &fields);
            let go_on = client.try_head().expect("an answer before the body");
            assert_eq!(go_on.status, 100, "{framing:?} {size}");
            match framing {
                Framing::Length => client.send(&sent),
                Framing::Chunked => client.send(&[chunk(&sent), b"0\r\n\r\n".to_vec()].concat()),
            };
            let wanted = forwarded(&sent, "small", "qwen3-coder-7b");
            assert_echo(&client.response(), &wanted, &format!("{framing:?} {size}"));
        }
    }
    let expecting = gateway.house.small.requests().iter().filter(|it| it.header("expect").is_some()).count();
    assert_eq!(expecting, 0);
}

#[test]
fn an_empty_body_is_no_json() {
    let gateway = echoing(|_| {});
    for framing in FRAMINGS {
        let mut client = gateway.client();
        send(&mut client, framing, &[], b"");
        let response = client.response();
        assert_eq!((response.status, response.code().as_deref()), (400, Some("invalid_json")), "{framing:?}");
        // its framing was sound: the connection goes on
        assert_eq!(client.get("/health").response().status, 200, "{framing:?}");
    }
    assert_eq!(gateway.house.requests(), 0);
}

#[test]
fn a_second_candidate_gets_the_same_bytes_after_a_refused_connect() {
    let gateway = echoing(|_| {});
    gateway.house.big.refuse();
    for framing in FRAMINGS {
        for size in SIZES {
            let sent = body("qwen3-coder-14b", size);
            let mut client = gateway.client();
            send(&mut client, framing, &[("Expect", "100-continue")], &sent);
            let response = client.response();
            let wanted = forwarded(&sent, "qwen3-coder-14b", "qwen3-coder-7b");
            assert_echo(&response, &wanted, &format!("{framing:?} {size}"));
            assert_eq!(response.header("x-sluice-attempts"), Some("2"), "{framing:?} {size}");
        }
    }
}

#[test]
fn a_second_candidate_gets_the_same_bytes_after_a_status() {
    let gateway = echoing(|_| {});
    gateway.house.big.set_default(Behaviour::status(503));
    for framing in FRAMINGS {
        for size in SIZES {
            let sent = body("qwen3-coder-14b", size);
            let mut client = gateway.client();
            send(&mut client, framing, &[], &sent);
            let wanted = forwarded(&sent, "qwen3-coder-14b", "qwen3-coder-7b");
            assert_echo(&client.response(), &wanted, &format!("{framing:?} {size}"));
        }
    }
    let first = gateway.house.big.requests();
    assert_eq!(first.len(), FRAMINGS.len() * SIZES.len(), "each was tried once");
    assert!(first.iter().all(|request| request.complete && request.body.ends_with(br#""qwen3-coder-14b"}"#)));
}

#[test]
fn a_body_in_tiny_chunks_arrives() {
    let gateway = echoing(|_| {});
    let sent = body("small", 400);
    let chunks: Vec<u8> = sent.iter().flat_map(|byte| chunk(&[*byte])).collect();
    let head = format!("POST {CHAT} HTTP/1.1\r\nHost: it\r\nContent-Type: application/json\r\n");
    let request =
        [format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes(), &chunks, b"0\r\n\r\n"].concat();
    let wanted = forwarded(&sent, "small", "qwen3-coder-7b");
    assert_echo(&gateway.client().send(&request).response(), &wanted, "in one write");
    // a write for every byte of head and body
    let mut client = gateway.client();
    for byte in &request {
        client.send(&[*byte]);
    }
    assert_echo(&client.response(), &wanted, "a byte a write");
}

#[test]
fn chunk_extensions_and_trailers_end_at_the_proxy() {
    let gateway = echoing(|_| {});
    let sent = body("small", 200);
    let (first, rest) = sent.split_at(90);
    let mut request = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: it\r\nContent-Type: application/json\r\nTransfer-Encoding: Chunked\r\n\r\n"
    );
    request += &format!("5A;name=\"value\"\r\n{}\r\n", String::from_utf8_lossy(first));
    request += &format!("00{:X};x\r\n{}\r\n", rest.len(), String::from_utf8_lossy(rest));
    request += "000;last\r\nX-Trailer: 1\r\nContent-Length: 5\r\n\r\n";
    let mut client = gateway.client();
    let response = client.send(request.as_bytes()).response();
    assert_echo(&response, &forwarded(&sent, "small", "qwen3-coder-7b"), "trailers");
    assert_eq!(client.get("/health").response().status, 200, "nothing is left over");
    let seen = &gateway.house.small.requests()[0];
    assert_eq!((seen.header("x-trailer"), seen.header("trailer")), (None, None));
}

#[test]
fn one_connection_takes_all_framings_in_turn() {
    let gateway = echoing(|_| {});
    let mut client = gateway.client();
    for (turn, size) in
        [2_000_000, 100, 65_537, 65_536, 300_000, 120, 65_535, 131_072].into_iter().enumerate()
    {
        let framing = FRAMINGS[(turn / 2 + turn) % 2];
        let sent = body("small", size);
        send(&mut client, framing, &[], &sent);
        let wanted = forwarded(&sent, "small", "qwen3-coder-7b");
        assert_echo(&client.response(), &wanted, &format!("{turn}: {framing:?} {size}"));
        assert_eq!(client.get("/v1/models").response().status, 200, "{turn}: without a body");
    }
}

pub(super) fn raw(framing: Framing, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {CHAT} HTTP/1.1\r\nHost: it\r\nContent-Type: application/json\r\n");
    match framing {
        Framing::Length => {
            [format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
        }
        Framing::Chunked => {
            [format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes(), &chunk(body), b"0\r\n\r\n"]
                .concat()
        }
    }
}

#[test]
fn requests_behind_a_body_are_answered_as_their_own() {
    let gateway = echoing(|_| {});
    for (first, second) in [
        (Framing::Length, Framing::Length),
        (Framing::Length, Framing::Chunked),
        (Framing::Chunked, Framing::Length),
        (Framing::Chunked, Framing::Chunked),
    ] {
        for size in [100, 65_536, 300_000] {
            let bodies = [body("small", size), body("small", size + 1), body("small", 77)];
            let framings = [first, second, first];
            let all: Vec<u8> =
                framings.iter().zip(&bodies).flat_map(|(&framing, body)| raw(framing, body)).collect();
            let mut client = gateway.client();
            client.send(&all);
            for (place, body) in bodies.iter().enumerate() {
                let wanted = forwarded(body, "small", "qwen3-coder-7b");
                assert_echo(&client.response(), &wanted, &format!("{first:?} {second:?} {size}: {place}"));
            }
        }
    }
}

#[test]
fn requests_that_come_while_one_runs_are_answered_behind_it() {
    let gateway = echoing(|_| {});
    for (round, size) in [100, 15_000, 200_000].into_iter().enumerate() {
        let hold = Latch::new();
        gateway.house.small.push(Behaviour::echo().hold(&hold));
        let bodies = [body("small", 500), body("small", size), body("small", 101)];
        let mut client = gateway.client();
        client.send(&raw(Framing::Length, &bodies[0]));
        gateway.house.small.wait_requests(round * 3 + 1);
        client.send(&raw(Framing::Chunked, &bodies[1])).send(&raw(Framing::Length, &bodies[2]));
        hold.release();
        for (place, body) in bodies.iter().enumerate() {
            let wanted = forwarded(body, "small", "qwen3-coder-7b");
            assert_echo(&client.response(), &wanted, &format!("{size}: {place}"));
        }
    }
}

#[test]
fn bytes_behind_a_body_that_are_no_request_are_refused_on_their_own() {
    let gateway = echoing(|_| {});
    let sent = body("small", 300);
    let mut client = gateway.client();
    client.send(&[raw(Framing::Length, &sent), b"}]} trailing\r\n\r\n".to_vec()].concat());
    assert_echo(&client.response(), &forwarded(&sent, "small", "qwen3-coder-7b"), "its own request");
    assert_eq!(client.response().status, 400);
    assert!(client.is_closed());
    assert_eq!(gateway.house.requests(), 1);
}

#[test]
fn malformed_chunks_are_refused_and_reach_nobody() {
    let gateway = echoing(|_| {});
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: it\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    for coded in [
        "\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "2 \r\n{}\r\n0\r\n\r\n",
        "2\n{}\n0\n\n",
        "2\r\n{}0\r\n\r\n",
        "2\r\n{}x\r\n0\r\n\r\n",
        "1\r\n{}\r\n0\r\n\r\n",
        "2,2\r\n{}\r\n0\r\n\r\n",
        "100000000\r\n{}",
        "ffffffffffffffff\r\n{}",
        "2\r\n{}\r\n0\r\nno colon\r\n\r\n",
        "2\r\n{}\r\n0\r\nX: 1\n\r\n",
    ] {
        let mut client = gateway.client();
        let response = client.send(format!("{head}{coded}").as_bytes()).response();
        let refused = (response.status, response.code());
        assert_eq!(refused, (400, Some("invalid_request".to_owned())), "{coded:?}");
        assert!(client.is_closed(), "{coded:?}");
    }
    assert_eq!(gateway.house.requests(), 0);
}

#[test]
fn a_body_that_breaks_off_reaches_nobody() {
    let gateway = echoing(|_| {});
    let whole = body("small", 5_000);
    for framing in FRAMINGS {
        let coded = raw(framing, &whole);
        let mut client = gateway.client();
        client.send(&coded[..coded.len() - 7]);
        client.half_close();
        assert!(client.try_head().is_none_or(|head| head.status == 400), "{framing:?}");
    }
    // a request from elsewhere is served meanwhile and after
    assert_eq!(gateway.chat("small", "hi").status, 200);
    assert_eq!(gateway.house.requests(), 1);
}
