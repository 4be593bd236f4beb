//! The scripted peer does what it is told to and remembers what came.

use super::super::answer::sha256;
use super::super::behaviour::Latch;
use super::super::client::{Client, eventually, get, post};
use super::*;
use serde_json::json;

const CHAT: &str = "/v1/chat/completions";

#[test]
fn a_request_is_remembered_to_the_byte() {
    let peer = Peer::start();
    let mut client = Client::connect(peer.addr());
    let head = b"POST /echo?x=1 HTTP/1.1\r\nHost:  a \r\nX-Odd: \xe9\r\nContent-Length: 5\r\n\r\n";
    client.send(head).send(b"he").send(b"llo");
    assert_eq!(client.response().status, 200);
    let [request] = peer.requests().try_into().unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/echo?x=1"));
    assert_eq!(request.head, head);
    assert_eq!(request.header("host"), Some("a"));
    assert_eq!((request.body.as_slice(), request.framing), (b"hello".as_slice(), Framing::Length(5)));
    assert!(request.complete && !request.is_reused());
}

#[test]
fn both_framings_arrive_whole() {
    let peer = Peer::start();
    peer.set_default(Behaviour::echo());
    let body: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut client = Client::connect(peer.addr());
    for chunked in [false, true] {
        let response = if chunked {
            client.post_chunked(CHAT, &[], &body, 70_001).response()
        } else {
            client.post(CHAT, &[], &body).response()
        };
        assert_eq!(response.json()["sha256"], sha256(&body));
        assert_eq!(response.json()["len"], body.len());
    }
    let requests = peer.wait_requests(2);
    assert_eq!(requests[1].framing, Framing::Chunked);
    assert_eq!((requests[1].connection, requests[1].nth), (0, 1));
    assert_eq!(peer.connections(), 1);
}

#[test]
fn behaviours_are_used_up_one_by_one() {
    let peer = Peer::start();
    peer.push(Behaviour::status(503));
    peer.push(Behaviour::bytes("text/plain", b"hi".to_vec()).header("x-own", "1").with_status(201));
    let statuses: Vec<_> = (0..3).map(|_| post(peer.addr(), CHAT, &[], &json!({}))).collect();
    assert_eq!(statuses.iter().map(|answer| answer.status).collect::<Vec<_>>(), [503, 201, 200]);
    assert_eq!(statuses[0].json()["error"]["code"], 503);
    assert_eq!((statuses[1].header("x-own"), statuses[1].text().as_str()), (Some("1"), "hi"));
    assert_eq!(statuses[2].json()["object"], "chat.completion");
}

#[test]
fn events_come_apart_and_end_with_done() {
    let peer = Peer::start();
    let pace = Duration::from_millis(30);
    peer.push(Behaviour::events(&["data: 1", "data: 2", "data: [DONE]"]).pace(pace));
    let mut client = Client::connect(peer.addr());
    let mut response = client.post(CHAT, &[], b"{}").head();
    let first = client.event(&mut response);
    let began = Instant::now();
    let events: Vec<_> =
        first.into_iter().chain(std::iter::from_fn(|| client.event(&mut response))).collect();
    assert_eq!(events, ["data: 1", "data: 2", "data: [DONE]"]);
    assert!(began.elapsed() >= pace, "two pauses lie between them");
    assert!(response.complete);
}

#[test]
fn a_stream_is_given_to_those_who_ask_for_one() {
    let peer = Peer::start();
    let answer = post(peer.addr(), CHAT, &[], &json!({"stream": true}));
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert!(answer.text().ends_with("data: [DONE]\n\n"));
}

#[test]
fn faults_end_the_connection_as_they_say() {
    let peer = Peer::start();
    let mut client = Client::connect(peer.addr());
    for fault in [Behaviour::close(), Behaviour::reset()] {
        peer.push(fault);
        let mut client = Client::connect(peer.addr());
        assert!(client.post(CHAT, &[], b"{}").is_closed());
    }
    peer.set_default(Behaviour::close_reused());
    assert_eq!(client.post(CHAT, &[], b"{}").response().status, 200);
    assert!(client.post(CHAT, &[], b"{}").is_closed());
}

#[test]
fn a_reset_is_a_reset_and_a_close_is_none() {
    let peer = Peer::start();
    for (behaviour, kind) in
        [(Behaviour::reset(), Some(io::ErrorKind::ConnectionReset)), (Behaviour::close(), None)]
    {
        peer.push(behaviour);
        let mut wire = Wire::new(TcpStream::connect(peer.addr()).unwrap()).unwrap();
        wire.write(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").unwrap();
        assert_eq!(wire.fill().map_err(|error| error.kind()).err(), kind);
    }
}

#[test]
fn an_answer_can_break_off() {
    let peer = Peer::start();
    for behaviour in [
        Behaviour::bytes("text/plain", vec![b'a'; 100]).cut(40),
        Behaviour::events(&["data: 1", "data: 2"]).cut(13),
        Behaviour::events(&["data: 1", "data: 2"]).cut(9),
    ] {
        let after = behaviour.cut.unwrap().after;
        peer.push(behaviour);
        let answer = post(peer.addr(), CHAT, &[], &json!({}));
        assert_eq!((answer.body.len(), answer.complete), (after, false));
    }
}

#[test]
fn an_answer_can_be_held_at_its_head_and_at_its_body() {
    let peer = Peer::start();
    let latch = Latch::new();
    peer.push(Behaviour::chat().hold_body(&latch));
    let mut client = Client::connect(peer.addr());
    let mut response = client.post(CHAT, &[], b"{}").head();
    assert_eq!(peer.wait_requests(1)[0].sent, 0);
    assert_eq!((peer.in_flight(), peer.peak()), (1, 1));
    latch.release();
    while client.piece(&mut response).is_some() {}
    assert!(response.complete);
    assert_eq!(peer.in_flight(), 0);

    let latch = Latch::new();
    peer.push(Behaviour::chat().hold(&latch));
    client.post(CHAT, &[], b"{}");
    peer.wait_requests(2);
    latch.release();
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_client_that_leaves_is_noticed() {
    let peer = Peer::start();
    peer.set_default(Behaviour::hang());
    let mut leaves = Client::connect(peer.addr());
    leaves.post(CHAT, &[], b"{}");
    peer.wait_requests(1);
    drop(leaves);
    let mut breaks_off = Client::connect(peer.addr());
    breaks_off.send_head("POST", CHAT, &[("Content-Length", "10")]).send(b"12345");
    drop(breaks_off);
    let requests = peer.wait("both gone", |requests| {
        requests.len() == 2 && requests.iter().all(|request| request.client_left.is_some())
    });
    assert!(requests[0].complete && !requests[1].complete);
    assert_eq!(requests[1].body, b"12345");
    assert_eq!(peer.in_flight(), 0);
}

#[test]
fn a_body_can_be_left_unread_or_read_slowly() {
    let peer = Peer::start();
    peer.push(Behaviour::status(413).unread());
    let mut client = Client::connect(peer.addr());
    client.send_head("POST", CHAT, &[("Content-Length", "1000000")]);
    assert_eq!(client.response().status, 413);
    assert!(!peer.requests()[0].complete);

    peer.push(Behaviour::echo().slow_reader(100_000));
    let begun = Instant::now();
    Client::connect(peer.addr()).post(CHAT, &[], &vec![b' '; 20_000]).response();
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
}

#[test]
fn an_answer_without_a_length_ends_with_its_connection() {
    let peer = Peer::start();
    peer.push(Behaviour::bytes("text/plain", b"to the end".to_vec()).close_delimited());
    let answer = post(peer.addr(), CHAT, &[], &json!({}));
    assert_eq!((answer.text().as_str(), answer.complete), ("to the end", true));
    assert_eq!(answer.header("content-length"), None);
    peer.push(Behaviour::raw(b"HTTP/1.1 299 Odd\r\ncontent-length: 1\r\n\r\nx").close_after());
    assert_eq!(post(peer.addr(), CHAT, &[], &json!({})).status, 299);
    peer.push(Behaviour::bytes("text/plain", b"in chunks".to_vec()).chunked());
    let answer = post(peer.addr(), CHAT, &[], &json!({}));
    assert_eq!((answer.text().as_str(), answer.header("transfer-encoding")), ("in chunks", Some("chunked")));
}

#[test]
fn probes_are_counted_apart_and_answered_by_the_switch() {
    let peer = Peer::start();
    for (health, status) in [(Health::Up, 200), (Health::Down, 503), (Health::Missing, 404)] {
        peer.set_health(health);
        assert_eq!(get(peer.addr(), "/health").status, status);
    }
    assert_eq!((peer.probes(), peer.requests().len()), (3, 0));
    peer.set_health(Health::Hang);
    let mut probe = Client::connect(peer.addr());
    probe.get("/health");
    assert!(eventually(PATIENCE, || peer.probes() == 4));
    peer.drop_connections();
    assert!(probe.is_closed());
}

#[test]
fn a_refusing_peer_remembers_and_comes_back() {
    let peer = Peer::start();
    post(peer.addr(), CHAT, &[], &json!({}));
    peer.refuse();
    assert_eq!(TcpStream::connect(peer.addr()).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    peer.accept();
    post(peer.addr(), CHAT, &[], &json!({}));
    assert_eq!(peer.wait_requests(2)[1].connection, 1);
}

#[test]
fn a_hundred_continue_is_said_before_the_body_is_read() {
    let peer = Peer::start();
    let mut client = Client::connect(peer.addr());
    client.send_head("POST", CHAT, &[("Content-Length", "2"), ("Expect", "100-continue")]);
    assert_eq!(client.try_head().map(|response| response.status), Some(100));
    assert_eq!(client.send(b"{}").response().status, 200);
}
