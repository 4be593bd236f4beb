//! Writes one scripted answer, as its behaviour says.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::behaviour::{AnswerFraming, Behaviour, Body, EVENTS, Latch};
use super::request::Request;
use super::wire::{LAST_CHUNK, Wire, chunk};

/// Between two looks at a latch.
const LOOK: Duration = Duration::from_millis(2);
/// What a flood is written in.
const BLOCK: usize = 64 << 10;
const WORDS: [&str; 6] = [" one", " two", " three", " four", " five", " six"];

/// How an answer ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The connection can serve another request.
    Open,
    /// It is to be closed.
    Close,
}

/// Writes the answer to `request`. `sent` is told of each piece of the body before it goes out, and whether it is
/// the last one.
///
/// # Errors
/// When the client went away first.
pub(super) fn give(
    wire: &mut Wire,
    behaviour: &Behaviour,
    request: &Request,
    sent: impl FnMut(usize, bool),
) -> io::Result<End> {
    wire.wait(behaviour.before_head)?;
    held(wire, behaviour.head_hold.as_ref())?;
    let (content_type, pieces, pace) = match &behaviour.body {
        Body::Raw(bytes) => return raw(wire, behaviour, bytes, sent),
        Body::Flood(length) => return flood(wire, behaviour, *length, sent),
        Body::Events { content_type, events, pace } => (content_type.as_str(), events.clone(), *pace),
        Body::Bytes { content_type, bytes } => (content_type.as_str(), vec![bytes.clone()], Duration::ZERO),
        Body::Echo => (JSON, vec![echo(request)], Duration::ZERO),
        Body::Chat if wants_stream(request) => (EVENTS, chat_events(), Duration::ZERO),
        Body::Chat => (JSON, vec![chat()], Duration::ZERO),
    };
    let chunked = match behaviour.framing {
        AnswerFraming::Usual => content_type == EVENTS || matches!(behaviour.body, Body::Events { .. }),
        AnswerFraming::Chunked => true,
        AnswerFraming::Close => false,
    };
    let length = pieces.iter().map(Vec::len).sum();
    wire.write(head(behaviour, content_type, chunked, length).as_bytes())?;
    wire.wait(behaviour.before_body)?;
    held(wire, behaviour.body_hold.as_ref())?;
    Pieces { wire, behaviour, chunked, pace }.write(&pieces, sent)
}

fn raw(
    wire: &mut Wire,
    behaviour: &Behaviour,
    bytes: &[u8],
    mut sent: impl FnMut(usize, bool),
) -> io::Result<End> {
    sent(bytes.len(), true);
    wire.write(bytes)?;
    Ok(end(behaviour))
}

fn flood(
    wire: &mut Wire,
    behaviour: &Behaviour,
    length: usize,
    mut sent: impl FnMut(usize, bool),
) -> io::Result<End> {
    let block = vec![b'x'; BLOCK];
    wire.write(head(behaviour, "application/octet-stream", false, length).as_bytes())?;
    let mut left = length;
    while left > 0 {
        let piece = &block[..left.min(BLOCK)];
        left -= piece.len();
        sent(piece.len(), left == 0);
        wire.write(piece)?;
    }
    Ok(end(behaviour))
}

/// A body on its way, piece by piece.
struct Pieces<'a> {
    wire: &'a mut Wire,
    behaviour: &'a Behaviour,
    chunked: bool,
    pace: Duration,
}

impl Pieces<'_> {
    fn write(self, pieces: &[Vec<u8>], mut sent: impl FnMut(usize, bool)) -> io::Result<End> {
        let mut room = self.behaviour.cut.map_or(usize::MAX, |cut| cut.after);
        for (index, piece) in pieces.iter().enumerate() {
            if index > 0 {
                self.wire.wait(self.pace)?;
                held(self.wire, self.behaviour.event_holds.get(index - 1))?;
            }
            let shown = piece.get(..room).unwrap_or(piece);
            sent(shown.len(), index + 1 == pieces.len());
            if !shown.is_empty() {
                self.wire.write(&if self.chunked { chunk(shown) } else { shown.to_vec() })?;
            }
            room -= shown.len();
            if room == 0 {
                return self.cut();
            }
        }
        if self.chunked {
            self.wire.write(LAST_CHUNK)?;
        }
        Ok(end(self.behaviour))
    }

    fn cut(self) -> io::Result<End> {
        if self.behaviour.cut.is_some_and(|cut| cut.reset) {
            self.wire.reset_on_close()?;
        }
        Ok(End::Close)
    }
}

const JSON: &str = "application/json";

fn end(behaviour: &Behaviour) -> End {
    let closes = behaviour.close_after || behaviour.unread || behaviour.framing == AnswerFraming::Close;
    if closes { End::Close } else { End::Open }
}

fn held(wire: &mut Wire, latch: Option<&Latch>) -> io::Result<()> {
    while latch.is_some_and(|latch| !latch.is_released()) {
        wire.wait(LOOK)?;
    }
    Ok(())
}

fn head(behaviour: &Behaviour, content_type: &str, chunked: bool, length: usize) -> String {
    let mut head = format!("HTTP/1.1 {} Scripted\r\ncontent-type: {content_type}\r\n", behaviour.status);
    if chunked {
        head += "transfer-encoding: chunked\r\n";
    } else if behaviour.framing == AnswerFraming::Usual {
        head += &format!("content-length: {length}\r\n");
    }
    for (name, value) in &behaviour.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

fn wants_stream(request: &Request) -> bool {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    body["stream"] == true
}

fn echo(request: &Request) -> Vec<u8> {
    let echo = json!({
        "sha256": sha256(&request.body), "len": request.body.len(), "method": request.method, "path": request.path,
    });
    echo.to_string().into_bytes()
}

/// In lower-case hexadecimal, as the echo gives it.
pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn usage() -> Value {
    json!({"prompt_tokens": 14, "total_tokens": 14 + WORDS.len(), "completion_tokens": WORDS.len()})
}

fn chat() -> Vec<u8> {
    let message = json!({"role": "assistant", "content": WORDS.concat()});
    let chat = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_795_496_872, "model": "scripted",
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"}], "usage": usage(),
    });
    chat.to_string().into_bytes()
}

fn chat_events() -> Vec<Vec<u8>> {
    let chunk = |delta: Value, reason: Option<&str>| {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_795_496_872, "model": "scripted",
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}],
        })
    };
    let role = chunk(json!({"role": "assistant", "content": ""}), None);
    let words = WORDS
        .iter()
        .enumerate()
        .map(|(index, word)| chunk(json!({ "content": word }), (index + 1 == WORDS.len()).then_some("stop")));
    let events = std::iter::once(role).chain(words).map(|event| format!("data: {event}\n\n"));
    events.chain(["data: [DONE]\n\n".to_owned()]).map(String::into_bytes).collect()
}
