//! What a simulated peer answers to a request: pure, so that every shape can be tested without a connection.

use serde_json::{Value, json};

use super::connection::{Answer, Request};
use super::heard::{Heard, Missing};
use super::peer::PeerKind;
use super::reply::{self, Reply};
use super::{embedding, events, shapes, tokens, tone};
use crate::openai::Endpoint;

/// What makes one answer differ from the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp {
    /// Counts the answers of a peer.
    pub(super) serial: u64,
    /// Seconds since 1970.
    pub(super) created: u64,
}

/// The answer of a peer to a request.
pub(super) fn answer(kind: &PeerKind, request: &Request, stamp: Stamp) -> Answer {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/health" | "/ping") => Answer::Whole { status: 200, content_type: None, body: Vec::new() },
        ("GET", "/version") => whole(200, &json!({"version": "0.32.0"})),
        ("GET", "/v1/models") => whole(200, &shapes::models(kind.model(), kind.context(), stamp.created)),
        (method, path) => match (Endpoint::of_path(path), method) {
            (Some(endpoint), "POST") if kind.serves(endpoint) => {
                generated(kind, endpoint, &request.body, stamp).unwrap_or_else(|refusal| refusal)
            }
            (Some(endpoint), _) if kind.serves(endpoint) => {
                whole(405, &json!({"detail": "Method Not Allowed"}))
            }
            _ => whole(404, &json!({"detail": "Not Found"})),
        },
    }
}

/// The checks in vLLM's order, then the answer.
fn generated(kind: &PeerKind, endpoint: Endpoint, bytes: &[u8], stamp: Stamp) -> Result<Answer, Answer> {
    let body: Value = serde_json::from_slice(bytes).map_err(|error| bad_json(bytes, &error))?;
    let heard = Heard::of(endpoint, &body).map_err(|missing| no_prompt(&body, &missing))?;
    right_model(kind, &body)?;
    if endpoint == Endpoint::Speech {
        return Ok(Answer::Whole {
            status: 200,
            content_type: Some("audio/wav"),
            body: tone::wav(&heard.said),
        });
    }
    let max_tokens = reply::max_tokens(&body);
    let context = kind.context().unwrap_or(u64::MAX);
    if endpoint.generates() {
        within(context, &heard, max_tokens)?;
    }
    let limit = max_tokens.map(|(_, limit)| limit);
    let reply = Reply::new(kind.model(), &heard, limit, stamp.serial, stamp.created);
    Ok(shaped(endpoint, &body, &heard, &reply, context))
}

fn shaped(endpoint: Endpoint, body: &Value, heard: &Heard, reply: &Reply<'_>, context: u64) -> Answer {
    let stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    let usage = body.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false);
    match endpoint {
        Endpoint::ChatCompletions if stream => Answer::Stream(events::chat(reply, usage)),
        Endpoint::ChatCompletions => whole(200, &shapes::chat(reply)),
        Endpoint::Completions if stream => Answer::Stream(events::completion(reply, usage)),
        Endpoint::Completions => whole(200, &shapes::completion(reply)),
        Endpoint::Responses if stream => Answer::Stream(events::response(reply)),
        Endpoint::Responses => whole(200, &shapes::response(reply)),
        Endpoint::Messages if stream => Answer::Stream(events::message(reply)),
        Endpoint::Messages => whole(200, &shapes::message(reply)),
        Endpoint::CountTokens => whole(200, &json!({"input_tokens": heard.tokens()})),
        Endpoint::Embeddings => whole(200, &embedding::list(reply, body)),
        Endpoint::Tokenize => whole(200, &shapes::tokenized(&heard.prompt, context)),
        // a speech peer's answer is given before there is a reply
        Endpoint::Detokenize | Endpoint::Speech => whole(200, &json!({"prompt": heard.said})),
    }
}

/// JSON with this status.
pub(super) fn whole(status: u16, body: &Value) -> Answer {
    Answer::Whole { status, content_type: Some("application/json"), body: body.to_string().into_bytes() }
}

fn refused(status: u16, kind: &str, param: Option<&str>, message: &str) -> Answer {
    whole(status, &shapes::error(status, kind, param, message))
}

fn bad_json(bytes: &[u8], error: &serde_json::Error) -> Answer {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let place = format!("body.{}", before + error.column());
    let message = format!(
        "1 validation error:\n  {{'type': 'json_invalid', 'loc': '{place}', 'msg': 'JSON decode error', \
         'input': '<dict of 0 items>', 'ctx': {{'error': '{error}'}}}}"
    );
    refused(400, "Bad Request", Some(&place), &message)
}

fn no_prompt(body: &Value, Missing(name): &Missing) -> Answer {
    let place = format!("body.{name}");
    let items = body.as_object().map_or(0, serde_json::Map::len);
    let message = format!(
        "1 validation error:\n  {{'type': 'missing', 'loc': '{place}', 'msg': 'Field required', \
         'input': '<dict of {items} items>'}}"
    );
    refused(400, "Bad Request", Some(&place), &message)
}

fn right_model(kind: &PeerKind, body: &Value) -> Result<(), Answer> {
    match body.get("model").and_then(Value::as_str) {
        Some(asked) if asked != kind.model() => {
            let message = format!("The model `{asked}` does not exist. Valid aliases: {}.", kind.model());
            Err(refused(404, "NotFoundError", Some("model"), &message))
        }
        _ => Ok(()),
    }
}

/// Whether the prompt, and the output that was asked for, fit the context window each.
fn within(context: u64, heard: &Heard, max_tokens: Option<(&'static str, u64)>) -> Result<(), Answer> {
    if let Some((name, value)) = max_tokens.filter(|&(_, value)| value > context) {
        let message = format!(
            "{name}={value} cannot be greater than max_model_len={context}. Please request fewer output tokens. \
             (parameter={name}, value={value})"
        );
        return Err(refused(400, "BadRequestError", Some(name), &message));
    }
    if u64::try_from(tokens::count(&heard.prompt)).is_ok_and(|tokens| tokens <= context) {
        return Ok(());
    }
    // vLLM stops counting at the first token too many
    let over = context.saturating_add(1);
    let message = format!(
        "This model's maximum context length is {context} tokens. However, your prompt contains at least {over} \
         input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the \
         input prompt. (parameter=input_tokens, value={over})"
    );
    Err(refused(400, "BadRequestError", Some("input_tokens"), &message))
}

#[cfg(test)]
mod tests;
