//! One card, one budget: who runs, who waits and in which order, and what becomes of those who wait when a gate
//! closes, a policy changes or the process stops.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::behaviour::{Behaviour, Latch};
use super::support::client::{Client, Response};
use super::support::gateway::{CHAT, Gateway, Setup, chat};
use super::support::meter::{Meter, Work};
use super::support::peer::Peer;

/// Where speech is asked for.
const SPEECH: &str = "/v1/audio/speech";
/// Leads to big, and to small where that cannot be.
const BIG: &str = "qwen3-coder-14b";

/// A house in which these backends share the one card.
fn shared(backends: &[&str], terms: &Value) -> Gateway {
    Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.card("card", backends, terms.clone());
    })
}

fn ask(gateway: &Gateway, id: &str, model: &str) -> Client {
    gateway.ask(id, CHAT, &chat(model, "hi"))
}

fn speak(gateway: &Gateway, id: &str) -> Client {
    gateway.ask(id, SPEECH, &json!({"model": "tts-1", "input": "hi", "voice": "x"}))
}

/// The ids of what a peer got, in order.
fn ids(peer: &Peer) -> Vec<String> {
    let requests = peer.requests();
    requests.iter().map(|it| it.header("x-request-id").unwrap_or_default().to_owned()).collect()
}

/// Status, backend and reason.
fn outcome(response: &Response) -> (u16, Option<&str>, Option<&str>) {
    (response.status, response.header("x-sluice-backend"), response.header("x-sluice-reason"))
}

#[test]
fn one_budget_whatever_backends_models_and_aliases_use_the_card() {
    let (other, meter) = (Peer::start(), Meter::default());
    let gateway = Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.add_backend("other", &other);
        setup.card("card", &["small", "other"], json!({"max_in_flight": 2}));
    });
    let hold = Latch::new();
    for peer in [&gateway.house.small, &other] {
        peer.measure(&meter, Work::Text);
        peer.set_default(Behaviour::chat().hold(&hold));
    }
    let models = ["small", "other", "qwen3-coder-7b", "auto", "other", "small", "other", "auto"];
    let mut clients: Vec<_> = models.iter().map(|model| ask(&gateway, "x", model)).collect();
    gateway.wait_card("card", 2, 6);
    assert_eq!(gateway.status()["gpus"]["card"], json!({"in_flight": 2, "limit": 2, "queued": 6}));
    assert_eq!(gateway.metric("sluice_gpu_in_flight", &["gpu=\"card\""]), 2.0);
    assert_eq!(gateway.metric("sluice_queue_depth", &["gpu=\"card\""]), 6.0);
    hold.release();
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
    assert_eq!(meter.read().most_text, 2, "seen at the peers");
    assert_eq!((ids(&gateway.house.small).len(), ids(&other).len()), (5, 3));
    gateway.wait_card("card", 0, 0);
    assert_eq!(gateway.metric("sluice_queue_wait_seconds_count", &["gpu=\"card\""]), 8.0);
}

#[test]
fn who_waits_is_served_in_the_order_of_arrival() {
    let gateway = shared(&["small"], &json!({"max_in_flight": 1}));
    let hold = Latch::new();
    gateway.house.small.push(Behaviour::chat().hold(&hold));
    let mut clients = vec![ask(&gateway, "0", "small")];
    gateway.wait_card("card", 1, 0);
    for number in 1..8 {
        clients.push(ask(&gateway, &number.to_string(), ["small", "auto", "qwen3-coder-7b"][number % 3]));
        gateway.wait_card("card", 1, number);
    }
    hold.release();
    clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    assert_eq!(ids(&gateway.house.small), ["0", "1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(gateway.house.small.peak(), 1);
}

#[test]
fn a_full_queue_is_429_where_nobody_else_takes_it() {
    let gateway = shared(&["small"], &json!({"max_in_flight": 1, "max_queue": 1}));
    let hold = Latch::new();
    gateway.house.small.push(Behaviour::chat().hold(&hold));
    let mut clients = [ask(&gateway, "runs", "small"), ask(&gateway, "waits", "small")];
    gateway.wait_card("card", 1, 1);
    let refused = gateway.chat("small", "hi");
    assert_eq!(outcome(&refused), (429, None, Some("queue_full")));
    assert_eq!(refused.code().as_deref(), Some("queue_full"));
    let retry = refused.header("retry-after").expect("a hint").parse::<u64>();
    assert!(retry.is_ok_and(|seconds| seconds > 0));
    assert_eq!(refused.header("x-sluice-attempts"), Some("0"));
    hold.release();
    clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    assert_eq!(gateway.house.requests(), 2, "nobody was asked for what was refused");
}

#[test]
fn a_full_queue_sends_on_to_the_next_candidate() {
    let gateway = shared(&["big"], &json!({"max_in_flight": 1, "max_queue": 0}));
    let hold = Latch::new();
    gateway.house.big.push(Behaviour::chat().hold(&hold));
    let mut running = ask(&gateway, "runs", BIG);
    gateway.wait_card("card", 1, 0);
    let response = gateway.chat(BIG, "hi");
    assert_eq!(outcome(&response), (200, Some("small"), Some("queue_full")));
    assert_eq!(response.header("x-sluice-rule"), Some("model:qwen3-coder-14b"));
    assert_eq!(response.header("x-sluice-attempts"), Some("1"));
    hold.release();
    assert_eq!(running.response().status, 200);
}

#[test]
fn a_wait_that_is_too_long_goes_to_the_next_candidate_or_is_504() {
    let wait = Duration::from_millis(300);
    let gateway = Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.card("one", &["big"], json!({"max_in_flight": 1, "queue_timeout": "300ms"}));
        setup.card("two", &["tts"], json!({"max_in_flight": 1, "queue_timeout": "300ms"}));
    });
    let hold = Latch::new();
    gateway.house.big.push(Behaviour::chat().hold(&hold));
    gateway.house.tts.push(Behaviour::chat().hold(&hold));
    let mut running = [ask(&gateway, "a", BIG), speak(&gateway, "b")];
    gateway.wait_card("one", 1, 0);
    gateway.wait_card("two", 1, 0);
    let began = Instant::now();
    let response = gateway.chat(BIG, "hi");
    assert_eq!(outcome(&response), (200, Some("small"), Some("queue_timeout")));
    let took = began.elapsed();
    assert!(took >= wait && took < wait + Duration::from_secs(1), "{took:?}");
    let refused = speak(&gateway, "c").response();
    assert_eq!(outcome(&refused), (504, None, Some("queue_timeout")));
    assert_eq!(refused.code().as_deref(), Some("queue_timeout"));
    gateway.wait_card("two", 1, 0);
    hold.release();
    running.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
}

/// Text and speech on one card.
fn speaking(max_in_flight: u32, exclusive_wait: &str, meter: &Meter) -> Gateway {
    let gateway = shared(
        &["small", "tts"],
        &json!({"max_in_flight": max_in_flight, "exclusive": ["tts"], "exclusive_wait": exclusive_wait}),
    );
    gateway.house.small.measure(meter, Work::Text);
    gateway.house.tts.measure(meter, Work::Speech);
    gateway
}

#[test]
fn speech_is_never_beside_text() {
    let meter = Meter::default();
    let gateway = speaking(3, "200ms", &meter);
    let slow = Duration::from_millis(15);
    gateway.house.small.set_default(Behaviour::chat().delay(slow));
    gateway.house.tts.set_default(Behaviour::bytes("audio/wav", vec![7; 9_000]).delay(slow));
    std::thread::scope(|scope| {
        for client in 0..8 {
            let gateway = &gateway;
            scope.spawn(move || {
                for turn in 0..8 {
                    let mut asked = if (client + turn) % 3 == 0 {
                        speak(gateway, "s")
                    } else {
                        ask(gateway, "t", "small")
                    };
                    assert_eq!(asked.response().status, 200);
                }
            });
        }
    });
    let reading = meter.read();
    assert!(!reading.together, "{reading:?}");
    assert_eq!((reading.most_speech, reading.most_text), (1, 3), "speech alone, text up to the limit");
    gateway.wait_card("card", 0, 0);
}

#[test]
fn a_chat_behind_speech_behind_a_long_generation_is_held_up_for_exclusive_wait_alone() {
    let meter = Meter::default();
    let gateway = speaking(4, "400ms", &meter);
    let hold = Latch::new();
    gateway.house.small.push(Behaviour::chat().hold(&hold));
    let mut long = ask(&gateway, "long", "small");
    gateway.house.small.wait_requests(1);
    let mut speech = speak(&gateway, "speech");
    gateway.wait_card("card", 1, 1);
    let began = Instant::now();
    for (turn, held_up) in [(0, true), (1, false)] {
        let asked = Instant::now();
        assert_eq!(ask(&gateway, "chat", "small").response().status, 200, "{turn}");
        let took = asked.elapsed();
        assert!(took < Duration::from_millis(1_000), "{turn}: exclusive_wait and its own time: {took:?}");
        assert!(held_up || took < Duration::from_millis(300), "{turn}: held up once alone: {took:?}");
    }
    assert!(began.elapsed() >= Duration::from_millis(300), "the first was held up: {:?}", began.elapsed());
    assert_eq!(gateway.house.tts.requests().len(), 0, "speech waits for the card to be empty");
    hold.release();
    assert_eq!(long.response().status, 200);
    assert_eq!(speech.response().status, 200, "it kept its place");
    assert!(!meter.read().together);
}

#[test]
fn counting_takes_no_slot() {
    let gateway = shared(&["small"], &json!({"max_in_flight": 1, "max_queue": 0}));
    let hold = Latch::new();
    gateway.house.small.push(Behaviour::chat().hold(&hold));
    let mut running = ask(&gateway, "runs", "small");
    gateway.house.small.wait_requests(1);
    let bodies = [
        ("/tokenize", json!({"model": "small", "prompt": "hi"})),
        ("/detokenize", json!({"model": "small", "tokens": [1, 2]})),
        (
            "/v1/messages/count_tokens",
            json!({"model": "small", "messages": [{"role": "user", "content": "hi"}]}),
        ),
    ];
    for (path, body) in bodies {
        assert_eq!(gateway.post(path, &body).status, 200, "{path}");
        gateway.wait_card("card", 1, 0);
    }
    assert_eq!(gateway.chat("small", "hi").status, 429, "what generates does");
    hold.release();
    assert_eq!(running.response().status, 200);
}

#[test]
fn a_slot_is_free_with_the_last_byte_of_the_upstream() {
    let gateway = shared(&["small"], &json!({"max_in_flight": 1}));
    gateway.house.small.push(Behaviour::bytes("application/json", vec![b' '; 100_000]));
    // it takes nothing of its answer, which fits into what lies between
    let _slow = ask(&gateway, "slow", "small");
    gateway.house.small.wait("its answer", |all| all.iter().any(|it| it.finished.is_some()));
    let began = Instant::now();
    assert_eq!(gateway.chat("small", "hi").status, 200);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_gate_that_closes_while_one_waits_sends_it_on_at_once() {
    let gateway = shared(&["big"], &json!({"max_in_flight": 1}));
    let hold = Latch::new();
    gateway.house.big.push(Behaviour::chat().hold(&hold));
    let mut running = ask(&gateway, "runs", BIG);
    gateway.wait_card("card", 1, 0);
    let mut waiting = ask(&gateway, "waits", BIG);
    let mut forced = gateway.ask("forced", CHAT, &chat("big", "hi"));
    gateway.wait_card("card", 1, 2);
    let pushed = Instant::now();
    assert_eq!(gateway.push(&json!({"mode": "GAMING"})).status, 200);
    let response = waiting.response();
    assert_eq!(outcome(&response), (200, Some("small"), Some("gate_closed")));
    assert!(pushed.elapsed() < Duration::from_secs(1), "{:?}", pushed.elapsed());
    gateway.wait_card("card", 1, 1);
    hold.release();
    assert_eq!(running.response().status, 200, "what ran may end");
    assert_eq!(outcome(&forced.response()), (200, Some("big"), Some("matched")), "the forced one waits on");
    assert_eq!(ids(&gateway.house.big), ["runs", "forced"]);
}

#[test]
fn a_backend_that_turns_unhealthy_sends_on_those_who_wait() {
    let gateway = Gateway::with(|setup| setup.card("card", &["big"], json!({"max_in_flight": 1})));
    let hold = Latch::new();
    gateway.house.big.push(Behaviour::chat().hold(&hold));
    let mut running = ask(&gateway, "runs", BIG);
    gateway.wait_card("card", 1, 0);
    let mut waiting = ask(&gateway, "waits", BIG);
    gateway.wait_card("card", 1, 1);
    gateway.house.big.set_health(super::support::peer::Health::Down);
    assert_eq!(outcome(&waiting.response()), (200, Some("small"), Some("unhealthy")));
    hold.release();
    assert_eq!(running.response().status, 200);
}

/// One runs, held, and so many wait behind it.
fn line(gateway: &Gateway, hold: &Latch, waiting: usize) -> Vec<Client> {
    gateway.house.small.set_default(Behaviour::chat().hold(hold));
    let mut clients = Vec::new();
    for number in 0..=waiting {
        clients.push(ask(gateway, &number.to_string(), "small"));
        gateway.wait_card("card", 1, number);
    }
    clients
}

fn reload_card(gateway: &Gateway, limit: u32, queue: u32) {
    gateway.reload_with(|setup: &mut Setup| {
        setup.policy["gpus"]["card"] = json!({"max_in_flight": limit, "max_queue": queue});
    });
}

#[test]
fn a_reload_that_raises_the_limit_lets_them_begin_at_once() {
    let gateway = shared(&["small"], &json!({"max_in_flight": 1}));
    let hold = Latch::new();
    let mut clients = line(&gateway, &hold, 5);
    let raised = Instant::now();
    reload_card(&gateway, 4, 64);
    gateway.house.small.wait_requests(4);
    assert!(raised.elapsed() < Duration::from_secs(1), "{:?}", raised.elapsed());
    gateway.wait_card("card", 4, 2);
    hold.release();
    clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    gateway.wait_card("card", 0, 0);
}

#[test]
fn a_reload_that_lowers_the_limits_drops_nobody() {
    let gateway = shared(&["small"], &json!({"max_in_flight": 4}));
    let hold = Latch::new();
    gateway.house.small.set_default(Behaviour::chat().hold(&hold));
    let mut clients: Vec<_> = (0..7).map(|number| ask(&gateway, &number.to_string(), "small")).collect();
    gateway.wait_card("card", 4, 3);
    reload_card(&gateway, 1, 1);
    // both have been told of the new policy before its answer to a request is there
    let refused = gateway.chat("small", "hi");
    assert_eq!(refused.code().as_deref(), Some("queue_full"), "the new terms hold for who comes now");
    assert_eq!(gateway.status()["gpus"]["card"], json!({"in_flight": 4, "limit": 1, "queued": 3}));
    hold.release();
    clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200, "nobody was dropped"));
    gateway.wait_card("card", 0, 0);
}

#[test]
fn a_reload_keeps_the_order_of_those_who_wait() {
    let gateway = shared(&["small"], &json!({"max_in_flight": 1}));
    let hold = Latch::new();
    let mut clients = line(&gateway, &hold, 7);
    for queue in [60, 61, 62, 63] {
        reload_card(&gateway, 1, queue);
        gateway.wait_card("card", 1, 7);
    }
    hold.release();
    clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    assert_eq!(ids(&gateway.house.small), ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn a_card_that_goes_and_comes_back_still_knows_what_runs_on_it() {
    let gateway = shared(&["small"], &json!({"max_in_flight": 1}));
    let hold = Latch::new();
    let mut clients = line(&gateway, &hold, 0);
    gateway.reload_with(|setup: &mut Setup| {
        setup.policy.as_object_mut().unwrap().remove("gpus");
        setup.backend("small").as_object_mut().unwrap().remove("gpu");
    });
    assert_eq!(gateway.status()["gpus"], json!({}));
    reload_card(&gateway, 1, 1);
    gateway.wait_card("card", 1, 0);
    clients.push(ask(&gateway, "late", "small"));
    gateway.wait_card("card", 1, 1);
    hold.release();
    clients.iter_mut().for_each(|client| assert_eq!(client.response().status, 200));
    gateway.wait_card("card", 0, 0);
}
