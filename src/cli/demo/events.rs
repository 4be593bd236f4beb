//! Streamed answers in the shapes of vLLM 0.32: server-sent events, one a word.

use serde_json::{Value, json};

use super::reply::Reply;
use super::shapes::{self, with};

const DONE: &str = "data: [DONE]\n\n";

/// `/v1/chat/completions`: a role, the words, with `usage` a last chunk without choices, `[DONE]`.
pub(super) fn chat(reply: &Reply<'_>, usage: bool) -> Vec<String> {
    let base = base(reply, "chatcmpl", "chat.completion.chunk");
    let role = json!({
        "choices": [{
            "index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": null, "finish_reason": null,
        }],
        "prompt_token_ids": null, "prompt_text": null,
    });
    let words = words(reply, &base, |word| json!({"index": 0, "delta": {"content": word}}));
    let chunks = std::iter::once(with(base.clone(), role)).chain(words).collect();
    openai(reply, &base, chunks, usage)
}

/// `/v1/completions`: the words, with `usage` a last chunk without choices, `[DONE]`.
pub(super) fn completion(reply: &Reply<'_>, usage: bool) -> Vec<String> {
    let base = base(reply, "cmpl", "text_completion");
    let words = words(reply, &base, |word| json!({"index": 0, "text": word})).collect();
    openai(reply, &base, words, usage)
}

/// What every chunk of OpenAI's streams begins with.
fn base(reply: &Reply<'_>, prefix: &str, object: &str) -> Value {
    json!({
        "id": format!("{prefix}-{}", reply.id), "object": object, "created": reply.created, "model": reply.model,
        "choices": [],
    })
}

/// A chunk a word; the last one says why the answer ends.
fn words(reply: &Reply<'_>, base: &Value, said: impl Fn(&str) -> Value) -> impl Iterator<Item = Value> {
    reply.words.iter().enumerate().map(move |(index, word)| {
        let last = index + 1 == reply.words.len();
        let reason = last.then(|| shapes::finish_reason(reply));
        let end = if last { json!({"stop_reason": null}) } else { json!({}) };
        let choice = with(said(word), json!({"logprobs": null, "finish_reason": reason, "token_ids": null}));
        with(base.clone(), json!({"choices": [with(choice, end)]}))
    })
}

/// Adds what was asked for, the fingerprint of the very last chunk, and the end.
fn openai(reply: &Reply<'_>, base: &Value, mut chunks: Vec<Value>, usage: bool) -> Vec<String> {
    if usage {
        let usage = json!({
            "prompt_tokens": reply.prompt_tokens, "total_tokens": reply.total_tokens(),
            "completion_tokens": reply.words.len(),
        });
        chunks.push(with(base.clone(), json!({ "usage": usage })));
    }
    let last = chunks.pop().map(|last| with(last, json!({"system_fingerprint": shapes::FINGERPRINT})));
    let events = chunks.into_iter().chain(last).map(|chunk| format!("data: {chunk}\n\n"));
    events.chain([DONE.to_owned()]).collect()
}

/// `/v1/messages`: named events and no `[DONE]`.
pub(super) fn message(reply: &Reply<'_>) -> Vec<String> {
    let begin = json!({"type": "message_start", "message": {
        "id": format!("chatcmpl-{}", reply.id), "type": "message", "role": "assistant", "content": [],
        "model": reply.model, "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": reply.prompt_tokens, "output_tokens": 0},
    }});
    let block =
        json!({"type": "content_block_start", "content_block": {"type": "text", "text": ""}, "index": 0});
    let words = reply.words.iter().map(|word| {
        json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": word}, "index": 0})
    });
    let end = [
        json!({"type": "content_block_stop", "index": 0}),
        json!({
            "type": "message_delta", "delta": {"stop_reason": shapes::stop_reason(reply), "stop_sequence": null},
            "usage": {"input_tokens": reply.prompt_tokens, "output_tokens": reply.words.len()},
        }),
        json!({"type": "message_stop"}),
    ];
    [begin, block].into_iter().chain(words).chain(end).map(|event| named(&event)).collect()
}

/// `/v1/responses`: named, numbered events and no `[DONE]`.
pub(super) fn response(reply: &Reply<'_>) -> Vec<String> {
    let empty_response = shapes::response_begun(reply);
    let item = format!("msg_{}", reply.id);
    let text = reply.text();
    let place = json!({"item_id": item, "output_index": 0, "content_index": 0});
    let empty_item =
        json!({"id": item, "content": [], "role": "assistant", "status": "in_progress", "type": "message"});
    let begin = [
        json!({"type": "response.created", "response": empty_response}),
        json!({"type": "response.in_progress", "response": empty_response}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": empty_item}),
        with(place.clone(), json!({"type": "response.content_part.added", "part": shapes::output_text("")})),
    ];
    let words = reply.words.iter().map(|word| {
        with(place.clone(), json!({"type": "response.output_text.delta", "delta": word, "logprobs": []}))
    });
    let ended = if reply.cut { "response.incomplete" } else { "response.completed" };
    let end = [
        with(place.clone(), json!({"type": "response.output_text.done", "text": text, "logprobs": []})),
        with(
            place.clone(),
            json!({"type": "response.content_part.done", "part": shapes::output_text(&text)}),
        ),
        json!({"type": "response.output_item.done", "output_index": 0, "item": shapes::output_item(reply)}),
        json!({"type": ended, "response": shapes::response(reply)}),
    ];
    let events = begin.into_iter().chain(words).chain(end).enumerate();
    events.map(|(number, event)| named(&with(event, json!({ "sequence_number": number })))).collect()
}

/// An event under the name of its type.
fn named(event: &Value) -> String {
    let name = event.get("type").and_then(Value::as_str).unwrap_or_default();
    format!("event: {name}\ndata: {event}\n\n")
}
