//! Clients that leave, wherever they are, and clients that are slow: slot, place and upstream connection are free within
//! a second, and nobody else notices.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;
use socket2::{Domain, Socket, Type};

use super::support::behaviour::{Behaviour, Latch};
use super::support::client::{Client, Response, eventually};
use super::support::gateway::{CHAT, Gateway, chat, streamed};

/// Within so long after a client left everything is free.
const FREE: Duration = Duration::from_secs(1);
const WAYS: [Way; 3] = [Way::Closes, Way::Resets, Way::ShutsItsSendingSide];
/// What a slow client asks for.
const FLOOD: usize = 20 << 20;

/// How a client leaves.
#[derive(Debug, Clone, Copy)]
enum Way {
    Closes,
    Resets,
    ShutsItsSendingSide,
}

impl Way {
    /// What is left of the client.
    fn leave(self, client: Client) -> Option<Client> {
        match self {
            Self::Closes => drop(client),
            Self::Resets => client.reset(),
            Self::ShutsItsSendingSide => {
                client.half_close();
                return Some(client);
            }
        }
        None
    }
}

/// One slot on the card of `small`, and one exchange beside the one that waits.
fn house() -> Gateway {
    Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.card("card", &["small"], json!({"max_in_flight": 1, "max_queue": 1}));
        setup.settings["limits"]["requests"] = json!(2);
    })
}

/// Waits until nothing is held, at most a second from `since`.
fn free(gateway: &Gateway, since: Instant, what: &str) {
    let is_free = || {
        let status = gateway.status();
        let at = |pointer: &str| status.pointer(pointer).cloned();
        let zero = Some(json!(0));
        [at("/gpus/card/in_flight"), at("/gpus/card/queued"), at("/backends/small/peers/0/in_flight")]
            .iter()
            .all(|it| *it == zero)
            && gateway.metric("sluice_buffered_bytes", &[]) == 0.0
    };
    let came = eventually(FREE.saturating_sub(since.elapsed()), is_free);
    assert!(came, "{what}: not free after {:?}: {:#}", since.elapsed(), gateway.status());
}

/// Waits until the peer has lost its client, at most a second from `since`.
fn lost(gateway: &Gateway, since: Instant, what: &str) {
    let all = gateway.house.small.wait(what, |all| all.iter().all(|it| it.client_left.is_some()));
    let last = all.iter().filter_map(|it| it.client_left).max().expect("it left");
    let took = last.saturating_duration_since(since);
    assert!(took < FREE, "{what}: the peer lost its client after {took:?}");
}

#[test]
fn while_uploading() {
    for way in WAYS {
        let gateway = house();
        let mut clients = Vec::new();
        for framing in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
            let mut client = gateway.client();
            let head = format!(
                "POST {CHAT} HTTP/1.1\r\nHost: it\r\nContent-Type: application/json\r\n{framing}\r\n\r\n2710\r\n"
            );
            client.send(head.as_bytes()).send(&[b' '; 10_000]);
            clients.push(client);
        }
        let held = || gateway.metric("sluice_buffered_bytes", &[]) >= 20_000.0;
        assert!(eventually(Duration::from_secs(5), held), "{way:?}: both are being read");
        assert_eq!(gateway.chat("small", "hi").code().as_deref(), Some("overloaded"), "both are counted");
        let left = Instant::now();
        let kept: Vec<_> = clients.into_iter().map(|client| way.leave(client)).collect();
        free(&gateway, left, &format!("{way:?}"));
        assert_eq!(gateway.chat("small", "hi").status, 200, "{way:?}");
        assert_eq!(gateway.house.small.requests().len(), 1, "{way:?}: nobody was asked for half a body");
        drop(kept);
    }
}

#[test]
fn while_queued() {
    for way in WAYS {
        let gateway = house();
        let hold = Latch::new();
        gateway.house.small.push(Behaviour::chat().hold(&hold));
        let mut running = gateway.ask("runs", CHAT, &chat("small", "hi"));
        gateway.house.small.wait_requests(1);
        let waiting = gateway.ask("waits", CHAT, &chat("small", "hi"));
        gateway.wait_card("card", 1, 1);
        let left = Instant::now();
        let kept = way.leave(waiting);
        gateway.wait_card("card", 1, 0);
        assert!(left.elapsed() < FREE, "{way:?}: {:?}", left.elapsed());
        let mut next = gateway.ask("next", CHAT, &chat("small", "hi"));
        gateway.wait_card("card", 1, 1);
        hold.release();
        for client in [&mut running, &mut next] {
            assert_eq!(client.response().status, 200, "{way:?}");
        }
        let counted = || gateway.count("sluice_client_aborts_total", &[]);
        assert!(eventually(FREE, || counted() == 1), "{way:?}: {}", counted());
        assert_eq!(gateway.house.small.requests().len(), 2, "{way:?}: who left was never sent");
        drop(kept);
    }
}

#[test]
fn while_waiting_for_the_first_byte() {
    for way in WAYS {
        for behaviour in [Behaviour::hang(), Behaviour::chat().chunked().delay_body(Duration::from_secs(60))]
        {
            let gateway = house();
            gateway.house.small.push(behaviour);
            let client = gateway.ask("waits", CHAT, &streamed(chat("small", "hi")));
            gateway.house.small.wait_requests(1);
            let left = Instant::now();
            let kept = way.leave(client);
            lost(&gateway, left, &format!("{way:?}"));
            free(&gateway, left, &format!("{way:?}"));
            assert_eq!(gateway.chat("small", "hi").status, 200, "{way:?}");
            drop(kept);
        }
    }
}

#[test]
fn while_the_peer_does_not_read_the_request() {
    for way in WAYS {
        let gateway = Gateway::with(|setup| {
            setup.never_unhealthy();
            setup.no_windows();
            setup.card("card", &["small"], json!({"max_in_flight": 1}));
        });
        gateway.house.small.push(Behaviour::chat().slow_reader(1_000));
        let client = gateway.ask("long", CHAT, &chat("small", &"x".repeat(12 << 20)));
        gateway.house.small.wait("its head", |all| !all.is_empty());
        let left = Instant::now();
        let kept = way.leave(client);
        free(&gateway, left, &format!("{way:?}"));
        assert_eq!(gateway.chat("small", "hi").status, 200, "{way:?}");
        drop(kept);
    }
}

#[test]
fn while_streaming() {
    let endless: Vec<_> = (0..1_000).map(|number| format!("data: {number}")).collect();
    for way in WAYS {
        // one that speaks, and one that is silent: a write does not tell that the client left
        for pace in [Duration::from_millis(20), Duration::from_secs(60)] {
            let gateway = house();
            gateway.house.small.push(Behaviour::events(&endless).pace(pace));
            let mut client = gateway.ask("streams", CHAT, &streamed(chat("small", "hi")));
            let mut response = client.head();
            client.event(&mut response).expect("the first event");
            let left = Instant::now();
            let kept = way.leave(client);
            lost(&gateway, left, &format!("{way:?} {pace:?}"));
            free(&gateway, left, &format!("{way:?} {pace:?}"));
            assert_eq!(gateway.chat("small", "hi").status, 200, "{way:?} {pace:?}");
            assert_eq!(gateway.count("sluice_broken_answers_total", &[]), 0, "it was the client that left");
            drop(kept);
        }
    }
}

#[test]
fn a_client_that_sent_early_bytes_is_noticed_too() {
    let gateway = house();
    gateway.house.small.push(Behaviour::hang());
    let mut client = gateway.ask("waits", CHAT, &chat("small", "hi"));
    gateway.house.small.wait_requests(1);
    client.send(&[b'x'; 40_000]);
    let left = Instant::now();
    drop(client);
    lost(&gateway, left, "early bytes");
    free(&gateway, left, "early bytes");
}

/// A client that has the head of a flood and takes nothing more.
fn slow(gateway: &Gateway) -> (Client, Response) {
    let mut client = gateway.ask("slow", CHAT, &chat("small", "hi"));
    let response = client.head();
    assert_eq!(response.status, 200);
    (client, response)
}

#[test]
fn slow_readers_hold_their_own_streams_alone_and_memory_stays_bounded() {
    const READERS: usize = 32;
    let gateway = Gateway::with(super::support::gateway::Setup::never_unhealthy);
    assert_eq!(gateway.chat("small", "warms up").status, 200);
    let (before, open) = (gateway.process.resident(), gateway.process.descriptors());
    gateway.house.small.set_default(Behaviour::flood(FLOOD));
    let mut clients: Vec<_> = (0..READERS).map(|_| slow(&gateway)).collect();
    gateway.house.small.set_default(Behaviour::chat());
    // what the peers could send has stood still when two looks see the same
    let (mut seen, sent) = (usize::MAX, || gateway.house.small.requests().iter().map(|it| it.sent).sum());
    let stands = eventually(Duration::from_secs(10), || {
        let _ = eventually(Duration::from_millis(200), || false);
        std::mem::replace(&mut seen, sent()) == sent()
    });
    assert!(stands && seen < READERS * FLOOD, "{seen} bytes taken from the peers");
    let grown = gateway.process.resident().saturating_sub(before);
    println!("slow readers: {READERS} x {FLOOD} bytes, {seen} taken, resident memory grew by {grown}");
    assert!(grown < 48 << 20, "{grown} bytes for {READERS} slow readers");
    let began = Instant::now();
    assert_eq!(gateway.chat("small", "hi").status, 200);
    assert!(began.elapsed() < Duration::from_millis(500), "others do not notice: {:?}", began.elapsed());
    let (client, response) = &mut clients[0];
    while client.piece(response).is_some() {}
    assert!(response.complete && response.body.len() == FLOOD, "{}", response.body.len());
    let left = Instant::now();
    drop(clients);
    let gone = || gateway.status()["backends"]["small"]["peers"][0]["in_flight"] == 0;
    assert!(eventually(FREE, gone), "{:?}: {:#}", left.elapsed(), gateway.status());
    // what was read whole is pooled
    let closed = || gateway.process.descriptors() <= open + 3;
    assert!(eventually(FREE, closed), "{open} before, {} now", gateway.process.descriptors());
}

#[test]
fn a_client_that_takes_nothing_is_cut_after_write_timeout() {
    let gateway = Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.limit("write_timeout", "400ms");
        setup.card("card", &["small"], json!({"max_in_flight": 1}));
    });
    gateway.house.small.push(Behaviour::flood(FLOOD));
    let began = Instant::now();
    let (mut client, mut response) = slow(&gateway);
    gateway.house.small.wait("it is cut", |all| all[0].client_left.is_some());
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(3), "{took:?}");
    gateway.wait_card("card", 0, 0);
    while client.piece(&mut response).is_some() {}
    assert!(!response.complete && response.body.len() < FLOOD, "it looks broken: {}", response.body.len());
}

#[test]
fn a_client_that_takes_a_little_now_and_then_is_not_cut() {
    let gateway = Gateway::with(|setup| setup.limit("write_timeout", "1s"));
    gateway.house.small.push(Behaviour::flood(FLOOD));
    let (mut client, mut response) = slow(&gateway);
    // the system tells of room only when much of what it holds is gone: a trickle would be too little
    for _ in 0..10 {
        let _ = eventually(Duration::from_millis(200), || false);
        for _ in 0..16 {
            client.piece(&mut response).expect("there is more");
        }
    }
    while client.piece(&mut response).is_some() {}
    assert!(response.complete, "{}", response.body.len());
}

/// What a client gets that asks for the models without end and takes nothing for so long.
fn floods_and_reads_after(gateway: &Gateway, pause: Duration) -> Vec<u8> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.connect(&gateway.proxy.into()).unwrap();
    let mut reader = TcpStream::from(socket);
    reader.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut writer = reader.try_clone().unwrap();
    let ask = |number| format!("GET /v1/models HTTP/1.1\r\nHost: h\r\nX-Request-Id: i{number}\r\n\r\n");
    let flood = std::thread::spawn(move || {
        // it ends when sluice closes the connection, or we do
        (0..10_000_000).find(|number| writer.write_all(ask(*number).as_bytes()).is_err())
    });
    let _ = eventually(pause, || false);
    let (mut got, mut piece) = (Vec::new(), [0; 16 * 1024]);
    while got.len() < 4 << 20 {
        match reader.read(&mut piece) {
            Ok(count @ 1..) => got.extend_from_slice(&piece[..count]),
            _ => break, // closed, or reset
        }
    }
    let _ = reader.shutdown(Shutdown::Both);
    flood.join().unwrap();
    got
}

#[test]
fn an_answer_of_our_own_that_nobody_takes_is_not_followed_by_a_second() {
    // Long enough for the clients to begin to read while a second answer would wait to be taken.
    let gateway = &Gateway::with(|setup| setup.limit("write_timeout", "2s"));
    std::thread::scope(|scope| {
        let pauses = (0..4).map(|step| Duration::from_millis(2_900 + 300 * step));
        let clients: Vec<_> =
            pauses.map(|pause| scope.spawn(move || floods_and_reads_after(gateway, pause))).collect();
        for client in clients {
            let got = String::from_utf8(client.join().unwrap()).unwrap();
            let ids = got.lines().filter_map(|line| line.strip_prefix("x-request-id: i"));
            let mut numbers: Vec<usize> = ids.map(|id| id.trim().parse().unwrap()).collect();
            let last = numbers.pop().expect("something was taken"); // perhaps cut short
            let odd = numbers.iter().enumerate().find(|(place, number)| place != *number);
            assert_eq!(odd, None, "each is answered once, in order");
            assert!(!numbers.contains(&last), "{last} is answered twice");
            assert!(!got.contains("HTTP/1.1 500"));
        }
    });
}
