//! One client: what it asks, how it behaves, how it ended.

use std::time::Duration;

use serde_json::{Value, json};

use super::dice::Dice;
use super::support::client::{Client, eventually};
use super::support::gateway::{CHAT, Gateway, chat, streamed};
use super::tally::{End, Tally};

const MODELS: [&str; 6] = ["auto", "small", "qwen3-coder-7b", "qwen3-coder-14b", "big", "auto"];
const SAID: [&str; 3] = ["hello", "please refactor", "#force_big hi"];

/// One request of any kind, to its end.
pub fn ask(gateway: &Gateway, id: &str, dice: &mut Dice, tally: &Tally) {
    let (path, body) = question(dice);
    let mut client = gateway.client();
    match dice.below(20) {
        0 => return leave_while_uploading(client, id, path, dice, tally),
        1 => {
            client.post(path, &[("X-Request-Id", id)], body.to_string().as_bytes());
            let _ = eventually(Duration::from_millis(dice.below(400)), || false);
            return tally.note(End::Left);
        }
        2 => return leave_in_mid_answer(client, id, path, &body, dice, tally),
        3 => {
            client.post(path, &[("X-Request-Id", id)], body.to_string().as_bytes()).half_close();
            // no answer is owed; what comes, ends
            let _ = client.try_head();
            return tally.note(End::Left);
        }
        4 => drop(client.post_chunked(path, &[("X-Request-Id", id)], body.to_string().as_bytes(), 100)),
        _ => drop(client.post(path, &[("X-Request-Id", id)], body.to_string().as_bytes())),
    }
    tally.note(end(&mut client));
}

/// A chat that nothing goes wrong with.
pub fn ask_plainly(gateway: &Gateway, id: &str, tally: &Tally) {
    tally.note(end(&mut gateway.ask(id, CHAT, &chat("small", "hi"))));
}

fn question(dice: &mut Dice) -> (&'static str, Value) {
    let mut body = chat(dice.one(&MODELS), dice.one(&SAID));
    match dice.below(12) {
        0 => ("/v1/audio/speech", json!({"model": "tts-1", "input": "hi", "voice": "x"})),
        1 => ("/tokenize", json!({"model": "small", "prompt": "hi"})),
        2 => (CHAT, chat("no-such-model", "hi")),
        3 => {
            body["messages"][0]["content"] = json!("word ".repeat(8_000));
            (CHAT, body)
        }
        4..8 => (CHAT, streamed(body)),
        _ => (CHAT, body),
    }
}

/// Half of its body is never sent.
fn leave_while_uploading(mut client: Client, id: &str, path: &str, dice: &mut Dice, tally: &Tally) {
    let fields = [("X-Request-Id", id), ("Content-Type", "application/json"), ("Content-Length", "90000")];
    client.send_head("POST", path, &fields);
    // refused already, it may be
    let _ = client.try_send(&[b' '; 40_000]);
    // a reset takes back what was not read yet: the head is to be read first
    let _ = eventually(Duration::from_millis(50 + dice.below(100)), || false);
    if dice.once_in(2) {
        client.reset();
    }
    tally.note(End::Left);
}

/// It reads a little, and leaves by a close or a reset.
fn leave_in_mid_answer(
    mut client: Client,
    id: &str,
    path: &str,
    body: &Value,
    dice: &mut Dice,
    tally: &Tally,
) {
    client.post(path, &[("X-Request-Id", id)], body.to_string().as_bytes());
    let mut response = client.head();
    let _ = client.piece(&mut response);
    if dice.once_in(2) {
        client.reset();
    }
    tally.note(End::Left);
}

/// Reads the answer to its end.
fn end(client: &mut Client) -> End {
    let Some(mut response) = client.try_head() else { return End::Nothing };
    while client.piece(&mut response).is_some() {}
    let is_events = response.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    let last_word = is_events && response.text().contains("\"error\"");
    match (response.complete, last_word) {
        (true, false) => End::Whole(response.status),
        (_, true) => End::LastWord(response.status),
        (false, false) => End::Broken(response.status),
    }
}
