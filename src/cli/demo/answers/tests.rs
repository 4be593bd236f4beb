//! Every endpoint's answer, held against the members that were recorded from a real vLLM.

use serde_json::{Value, json};

use super::*;

const STAMP: Stamp = Stamp { serial: 7, created: 1_795_496_872 };

fn language() -> PeerKind {
    PeerKind::Language { model: "tiny".to_owned(), context: 100 }
}

fn asked(kind: &PeerKind, method: &str, path: &str, body: &[u8]) -> Answer {
    answer(kind, &Request { method: method.to_owned(), path: path.to_owned(), body: body.to_vec() }, STAMP)
}

fn post(path: &str, body: &Value) -> (u16, Value) {
    whole_json(asked(&language(), "POST", path, body.to_string().as_bytes()))
}

fn whole_json(answer: Answer) -> (u16, Value) {
    match answer {
        Answer::Whole { status, content_type: Some("application/json"), body } => {
            (status, serde_json::from_slice(&body).unwrap())
        }
        other => panic!("no JSON: {other:?}"),
    }
}

/// The events' names (empty where they have none) and data.
fn streamed(path: &str, body: &Value) -> Vec<(String, Value)> {
    match asked(&language(), "POST", path, body.to_string().as_bytes()) {
        Answer::Stream(events) => events.iter().map(|event| read_event(event)).collect(),
        other => panic!("no stream but {other:?}"),
    }
}

fn read_event(event: &str) -> (String, Value) {
    let lines = event.strip_suffix("\n\n").expect("a blank line ends it");
    let (name, data) = lines.split_once('\n').unwrap_or(("", lines));
    let data = data.strip_prefix("data: ").expect("data");
    let name = name.strip_prefix("event: ").unwrap_or_default().to_owned();
    (name, serde_json::from_str(data).unwrap_or_else(|_| json!(data)))
}

fn members(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn user(said: &str) -> Value {
    json!([{"role": "user", "content": said}])
}

#[test]
fn a_chat_answer_has_every_recorded_member() {
    let (status, body) =
        post("/v1/chat/completions", &json!({"model": "tiny", "messages": user("What is it?")}));
    assert_eq!(status, 200);
    assert_eq!(
        members(&body),
        [
            "id",
            "object",
            "created",
            "model",
            "choices",
            "service_tier",
            "system_fingerprint",
            "usage",
            "prompt_logprobs",
            "prompt_token_ids",
            "prompt_text",
            "kv_transfer_params",
            "ec_transfer_params",
            "metrics"
        ]
    );
    let choice = &body["choices"][0];
    assert_eq!(choice["message"]["content"], "I am the simulated tiny; you said 3 words: \"What is it?\"");
    assert_eq!(choice["finish_reason"], "stop");
    let usage = &body["usage"];
    let total = usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], total);
}

#[test]
fn a_chat_stream_is_role_words_reason_and_done() {
    let body = json!({"stream": true, "max_tokens": 3, "messages": user("Hi")});
    let events: Vec<Value> =
        streamed("/v1/chat/completions", &body).into_iter().map(|(_, data)| data).collect();
    let deltas: Vec<_> =
        events.iter().map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(deltas, [Some(""), Some("I"), Some(" am"), Some(" the"), None]);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    let reasons: Vec<_> = events.iter().map(|event| event["choices"][0]["finish_reason"].as_str()).collect();
    assert_eq!(reasons, [None, None, None, Some("length"), None]);
    assert_eq!(events[4], "[DONE]");
    assert!(events.iter().all(|event| event.get("usage").is_none()), "usage was not asked for");
}

#[test]
fn usage_comes_in_a_chunk_of_its_own_when_asked_for() {
    let asked = json!({"stream": true, "stream_options": {"include_usage": true}});
    for (path, name, value) in
        [("/v1/chat/completions", "messages", user("Hi")), ("/v1/completions", "prompt", json!("Hi"))]
    {
        let mut body = asked.clone();
        body[name] = value;
        let events = streamed(path, &body);
        let [.., (_, last_word), (_, usage), (_, done)] = events.as_slice() else {
            panic!("too few: {events:?}")
        };
        assert_eq!(last_word["choices"][0]["finish_reason"], "stop");
        assert_eq!(usage["choices"], json!([]));
        assert_eq!(members(&usage["usage"]), ["prompt_tokens", "total_tokens", "completion_tokens"]);
        assert_eq!(done, "[DONE]");
    }
}

#[test]
fn a_message_stream_has_named_events_and_no_done() {
    let body = json!({"stream": true, "max_tokens": 2, "messages": user("Hi")});
    let events = streamed("/v1/messages", &body);
    let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert!(events.iter().all(|(name, data)| data["type"] == name.as_str()));
    assert_eq!(events[5].1["delta"]["stop_reason"], "max_tokens");
    assert_eq!(events[5].1["usage"]["output_tokens"], 2);
}

#[test]
fn a_response_stream_is_numbered_and_ends_with_the_whole_response() {
    let events = streamed("/v1/responses", &json!({"stream": true, "input": "Hi"}));
    assert_eq!(events.first().unwrap().0, "response.created");
    assert_eq!(events.last().unwrap().0, "response.completed");
    for (number, (name, data)) in events.iter().enumerate() {
        assert_eq!((&data["sequence_number"], &data["type"]), (&json!(number), &json!(name)));
    }
    let deltas = events.iter().filter(|(name, _)| name == "response.output_text.delta");
    let text: String = deltas.map(|(_, data)| data["delta"].as_str().unwrap()).collect();
    assert_eq!(events.last().unwrap().1["response"], post("/v1/responses", &json!({"input": "Hi"})).1);
    assert_eq!(events.last().unwrap().1["response"]["output"][0]["content"][0]["text"], text);
}

#[test]
fn a_response_that_was_cut_says_so() {
    let (_, body) = post("/v1/responses", &json!({"input": "Hi", "max_output_tokens": 2}));
    assert_eq!(body["status"], "incomplete");
    assert_eq!(body["incomplete_details"], json!({"reason": "max_output_tokens"}));
    assert_eq!(body["usage"]["output_tokens"], 2);
    let events = streamed("/v1/responses", &json!({"input": "Hi", "max_output_tokens": 2, "stream": true}));
    assert_eq!(events.last().unwrap().0, "response.incomplete");
}

#[test]
fn tokens_can_be_counted_and_turned_back() {
    let (_, body) = post("/tokenize", &json!({"prompt": "over the weir"}));
    assert_eq!(members(&body), ["count", "max_model_len", "tokens", "token_strs"]);
    assert_eq!(body["count"], body["tokens"].as_array().unwrap().len());
    let (_, back) = post("/detokenize", &json!({"tokens": body["tokens"]}));
    assert_eq!(back, json!({"prompt": "over the weir"}));
    let messages = json!({"messages": user("Hi")});
    let (_, counted) = post("/v1/messages/count_tokens", &messages);
    assert_eq!(counted["input_tokens"], post("/tokenize", &messages).1["count"]);
    assert_eq!(counted["input_tokens"], post("/v1/messages", &messages).1["usage"]["input_tokens"]);
}

#[test]
fn each_text_has_its_embedding_in_the_form_that_was_asked_for() {
    let (_, floats) = post("/v1/embeddings", &json!({"input": ["a", "b"]}));
    assert_eq!(floats["data"][1]["index"], 1);
    assert!(floats["data"][0]["embedding"].is_array());
    let (_, packed) = post("/v1/embeddings", &json!({"input": "a", "encoding_format": "base64"}));
    assert!(packed["data"][0]["embedding"].is_string());
}

#[test]
fn refusals_are_worded_as_recorded() {
    let (status, body) = post("/v1/chat/completions", &json!({"model": "nope", "messages": user("Hi")}));
    let message = "The model `nope` does not exist. Valid aliases: tiny.";
    let error =
        json!({"error": {"message": message, "type": "NotFoundError", "param": "model", "code": 404}});
    assert_eq!((status, body), (404, error));

    let (status, body) = post("/v1/chat/completions", &json!({"messages": user(&"word ".repeat(200))}));
    assert_eq!(status, 400);
    let message = body["error"]["message"].as_str().unwrap();
    assert!(
        message
            .starts_with("This model's maximum context length is 100 tokens. However, your prompt contains")
    );
    assert!(message.ends_with("(parameter=input_tokens, value=101)"), "{message}");

    let (status, body) = post("/v1/chat/completions", &json!({"max_tokens": 101, "messages": user("Hi")}));
    assert_eq!((status, &body["error"]["param"]), (400, &json!("max_tokens")));

    let (status, body) = post("/v1/chat/completions", &json!({"model": "tiny"}));
    assert_eq!((status, &body["error"]["param"]), (400, &json!("body.messages")));
}

#[test]
fn bad_json_is_refused_with_its_place() {
    let (status, body) = whole_json(asked(&language(), "POST", "/v1/completions", b"{\n\"a\": x}"));
    assert_eq!((status, &body["error"]["param"]), (400, &json!("body.8")));
    assert_eq!(body["error"]["type"], "Bad Request");
    let deep = "[".repeat(100_000);
    assert_eq!(whole_json(asked(&language(), "POST", "/v1/completions", deep.as_bytes())).0, 400);
}

#[test]
fn a_speech_peer_speaks_and_does_nothing_else() {
    let kind = PeerKind::Speech { model: "voice".to_owned() };
    let body = json!({"model": "voice", "input": "Good evening"}).to_string();
    match asked(&kind, "POST", "/v1/audio/speech", body.as_bytes()) {
        Answer::Whole { status: 200, content_type: Some("audio/wav"), body } => {
            assert!(body.starts_with(b"RIFF"));
        }
        other => panic!("no sound: {other:?}"),
    }
    assert_eq!(whole_json(asked(&kind, "POST", "/v1/chat/completions", b"{}")).0, 404);
    assert_eq!(whole_json(asked(&language(), "POST", "/v1/audio/speech", body.as_bytes())).0, 404);
}

#[test]
fn the_other_paths_are_there() {
    let healthy = Answer::Whole { status: 200, content_type: None, body: Vec::new() };
    assert_eq!(asked(&language(), "GET", "/health", b""), healthy);
    let (_, models) = whole_json(asked(&language(), "GET", "/v1/models", b""));
    assert_eq!(
        (&models["data"][0]["id"], &models["data"][0]["max_model_len"]),
        (&json!("tiny"), &json!(100))
    );
    assert_eq!(whole_json(asked(&language(), "GET", "/v1/chat/completions", b"")).0, 405);
    assert_eq!(whole_json(asked(&language(), "POST", "/pause", b"")), (404, json!({"detail": "Not Found"})));
}
