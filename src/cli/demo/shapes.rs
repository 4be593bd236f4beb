//! Whole answers in the shapes of vLLM 0.32, member for member as they were recorded from it.

use serde_json::{Value, json};

use super::reply::Reply;
use super::tokens;

/// What vLLM calls its build.
pub(super) const FINGERPRINT: &str = "vllm-0.32.0-simulated";

/// An object with the members of another one added, or put in the place of its own.
pub(super) fn with(base: Value, members: Value) -> Value {
    match (base, members) {
        (Value::Object(mut base), Value::Object(members)) => {
            base.extend(members);
            Value::Object(base)
        }
        (base, _) => base,
    }
}

/// `finish_reason` of an OpenAI answer.
pub(super) const fn finish_reason(reply: &Reply<'_>) -> &'static str {
    if reply.cut { "length" } else { "stop" }
}

/// `stop_reason` of an Anthropic answer.
pub(super) const fn stop_reason(reply: &Reply<'_>) -> &'static str {
    if reply.cut { "max_tokens" } else { "end_turn" }
}

fn usage(reply: &Reply<'_>) -> Value {
    json!({
        "prompt_tokens": reply.prompt_tokens, "total_tokens": reply.total_tokens(),
        "completion_tokens": reply.words.len(), "prompt_tokens_details": null, "completion_tokens_details": null,
    })
}

/// `/v1/chat/completions`
pub(super) fn chat(reply: &Reply<'_>) -> Value {
    json!({
        "id": format!("chatcmpl-{}", reply.id), "object": "chat.completion", "created": reply.created,
        "model": reply.model,
        "choices": [{
            "index": 0,
            "message": {
                "role": "assistant", "content": reply.text(), "refusal": null, "annotations": null, "audio": null,
                "function_call": null, "reasoning": null,
            },
            "logprobs": null, "finish_reason": finish_reason(reply), "stop_reason": null, "token_ids": null,
            "routed_experts": null,
        }],
        "service_tier": null, "system_fingerprint": FINGERPRINT, "usage": usage(reply),
        "prompt_logprobs": null, "prompt_token_ids": null, "prompt_text": null, "kv_transfer_params": null,
        "ec_transfer_params": null, "metrics": null,
    })
}

/// `/v1/completions`
pub(super) fn completion(reply: &Reply<'_>) -> Value {
    json!({
        "id": format!("cmpl-{}", reply.id), "object": "text_completion", "created": reply.created,
        "model": reply.model,
        "choices": [{
            "index": 0, "text": reply.text(), "logprobs": null, "finish_reason": finish_reason(reply),
            "stop_reason": null, "token_ids": null, "prompt_logprobs": null, "prompt_token_ids": null,
            "routed_experts": null,
        }],
        "service_tier": null, "system_fingerprint": FINGERPRINT, "usage": usage(reply),
        "kv_transfer_params": null, "ec_transfer_params": null, "metrics": null,
    })
}

/// `/v1/messages`
pub(super) fn message(reply: &Reply<'_>) -> Value {
    json!({
        "id": format!("chatcmpl-{}", reply.id), "type": "message", "role": "assistant",
        "content": [{"type": "text", "text": reply.text()}], "model": reply.model,
        "stop_reason": stop_reason(reply),
        "usage": {"input_tokens": reply.prompt_tokens, "output_tokens": reply.words.len()},
    })
}

/// `/v1/responses`, finished.
pub(super) fn response(reply: &Reply<'_>) -> Value {
    let status = if reply.cut { "incomplete" } else { "completed" };
    let incomplete = reply.cut.then(|| json!({"reason": "max_output_tokens"}));
    let usage = json!({
        "input_tokens": reply.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": 0, "cache_write_tokens": 0, "input_tokens_per_turn": [], "cached_tokens_per_turn": [],
        },
        "output_tokens": reply.words.len(),
        "output_tokens_details": {
            "reasoning_tokens": 0, "tool_output_tokens": 0, "output_tokens_per_turn": [],
            "tool_output_tokens_per_turn": [],
        },
        "total_tokens": reply.total_tokens(),
    });
    let end = json!({
        "output": [output_item(reply)], "status": status, "incomplete_details": incomplete, "usage": usage,
    });
    with(response_begun(reply), end)
}

/// `/v1/responses` before it has any output, as its stream begins.
pub(super) fn response_begun(reply: &Reply<'_>) -> Value {
    json!({
        "id": format!("resp_{}", reply.id), "created_at": reply.created, "incomplete_details": null,
        "instructions": null, "metadata": null, "model": reply.model, "object": "response", "output": [],
        "parallel_tool_calls": true, "temperature": 0.0, "tool_choice": "none", "tools": [], "top_p": 1.0,
        "background": false, "max_output_tokens": reply.max_tokens, "max_tool_calls": null,
        "previous_response_id": null, "prompt": null, "reasoning": null, "service_tier": "auto",
        "status": "in_progress", "text": null, "top_logprobs": null, "truncation": "disabled", "usage": null,
        "user": null, "presence_penalty": 0.0, "frequency_penalty": 0.0, "kv_transfer_params": null,
        "ec_transfer_params": null, "input_messages": null, "output_messages": null,
    })
}

/// The one message that a response's output consists of.
pub(super) fn output_item(reply: &Reply<'_>) -> Value {
    json!({
        "id": format!("msg_{}", reply.id), "content": [output_text(&reply.text())], "role": "assistant",
        "status": "completed", "type": "message", "phase": null,
    })
}

/// The one part of that message.
pub(super) fn output_text(text: &str) -> Value {
    json!({"annotations": [], "text": text, "type": "output_text", "logprobs": null})
}

/// `/v1/models`
pub(super) fn models(model: &str, context: Option<u64>, created: u64) -> Value {
    json!({
        "object": "list",
        "data": [{
            "id": model, "object": "model", "created": created, "owned_by": "simulated", "root": model,
            "parent": null, "max_model_len": context, "permission": [],
        }],
    })
}

/// `/tokenize`
pub(super) fn tokenized(prompt: &str, context: u64) -> Value {
    let tokens = tokens::of(prompt);
    json!({"count": tokens.len(), "max_model_len": context, "tokens": tokens, "token_strs": null})
}

/// An error as vLLM words it: its `code` is the status, a number.
pub(super) fn error(status: u16, kind: &str, param: Option<&str>, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": param, "code": status}})
}
