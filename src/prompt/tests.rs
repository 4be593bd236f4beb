//! Whole bodies, read as a request comes.

#![expect(clippy::string_slice, reason = "the texts are ours; a bad cut fails the test")]

use bytes::Bytes;

use super::*;
use crate::policy::PromptPolicy;

const CHAT: Endpoint = Endpoint::ChatCompletions;

fn patterns() -> Patterns {
    Patterns::new(&PromptPolicy {
        tags: vec![("force_big".to_owned(), r"(?i)#force_big\b".to_owned())],
        strip_tags: true,
        patterns: vec![r"(?i)\brefactor\b".to_owned()],
        image_tokens: 1_000,
    })
    .unwrap()
}

fn on(endpoint: Endpoint, body: &str) -> Prompt {
    read(body.as_bytes(), endpoint, &patterns()).unwrap_or_else(|fault| panic!("{fault}: {body}"))
}

fn chat(body: &str) -> Prompt {
    on(CHAT, body)
}

fn refused(body: impl AsRef<[u8]>) -> Fault {
    read(body.as_ref(), CHAT, &patterns()).unwrap_err()
}

fn forwarded(endpoint: Endpoint, body: &str) -> String {
    let sent = Bytes::copy_from_slice(body.as_bytes());
    String::from_utf8(on(endpoint, body).forwarded(&sent, "big").whole().into()).unwrap()
}

#[test]
fn what_a_rule_may_see_of_a_chat() {
    let prompt = chat(
        r#"{"messages":[{"role":"system","content":"short"},{"content":[{"text":"Refactor this #force_big","type":"text"},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}],"role":"user"}],"tools":[{"type":"function"}],
        "stream":true,"stream_options":{"include_usage":true},"max_tokens":10,"max_completion_tokens":20,"model":"\u0061uto"}"#,
    );
    assert_eq!(prompt.model, "auto");
    assert_eq!(prompt.max_output_tokens, Some(20));
    assert!(prompt.stream && prompt.include_usage && prompt.tools && prompt.images);
    assert_eq!((prompt.tags, prompt.patterns), (vec![TagId(0)], vec![PatternId(0)]));
    assert!((1_100..1_300).contains(&prompt.tokens), "{}", prompt.tokens);
}

#[test]
fn what_is_not_said_is_nothing() {
    for body in [
        "{}",
        r#"{"messages":[]}"#,
        r#"{"messages":null,"stream":null,"max_tokens":null,"tools":[],"model":null}"#,
    ] {
        let prompt = chat(body);
        assert_eq!((prompt.model.as_str(), prompt.max_output_tokens), ("", None), "{body}");
        assert!(!prompt.stream && !prompt.tools && !prompt.images && prompt.tags.is_empty(), "{body}");
        assert!(prompt.tokens <= 3, "{body}");
    }
}

#[test]
fn a_document_that_is_not_taken() {
    let cases: [(&[u8], usize, Syntax); 16] = [
        (b"", 0, Syntax::Empty),
        (b" \n", 2, Syntax::Empty),
        (b"\xef\xbb\xbf{}", 0, Syntax::ByteOrderMark),
        (b"{\"a\":\"\xff\"}", 6, Syntax::NotUtf8),
        (b"{\"a\":\"\xed\xa0\x80\"}", 6, Syntax::NotUtf8),
        (b"{\"model\":\"auto\",", 16, Syntax::Unfinished),
        (b"{\"model\":\"auto", 14, Syntax::Unfinished),
        (b"{\"a\":\"\\u00", 10, Syntax::Unfinished),
        (b"{\"a\":\"\n\"}", 6, Syntax::ControlCharacter),
        (b"{\"a\":\"x\\x\"}", 7, Syntax::Escape),
        (b"{\"a\":\"x\\u00g0\"}", 7, Syntax::Escape),
        (b"{\"a\":-}", 5, Syntax::Number),
        (b"{\"a\":01}", 6, Syntax::Expected("`,` or `}`")),
        (b"{\"a\" 1}", 5, Syntax::Expected("`:`")),
        (b"{\"a\":1,}", 7, Syntax::Expected("a key in double quotes")),
        (b"{\"messages\":[]} x", 16, Syntax::TrailingData),
    ];
    for (body, offset, problem) in cases {
        assert_eq!(
            refused(body),
            Fault::InvalidJson { offset, problem },
            "{}",
            String::from_utf8_lossy(body)
        );
    }
}

#[test]
fn a_shape_that_is_not_taken() {
    let wrong = |key, wanted| Shape::WrongType { key, wanted };
    let cases = [
        ("[]", 0, Shape::NotAnObject),
        (" \"x\"", 1, Shape::NotAnObject),
        (r#"{"model":7}"#, 9, wrong("model", "a string")),
        (r#"{"model":{}}"#, 9, wrong("model", "a string")),
        (r#"{"stream":1}"#, 10, wrong("stream", "true or false")),
        (r#"{"messages":{}}"#, 12, wrong("messages", "an array")),
        (r#"{"messages":["x"]}"#, 13, wrong("messages", "an array of objects")),
        (r#"{"messages":[{"content":7}]}"#, 24, wrong("content", "a string or an array of parts")),
        (r#"{"messages":[{"content":[7]}]}"#, 25, wrong("content", "a string or an array of parts")),
        (r#"{"messages":[{"role":7}]}"#, 21, wrong("role", "a string")),
        (r#"{"max_tokens":-1}"#, 14, wrong("max_tokens", "a whole number, 0 or more")),
        (r#"{"max_tokens":1.5}"#, 14, wrong("max_tokens", "a whole number, 0 or more")),
        (r#"{"max_tokens":"9"}"#, 14, wrong("max_tokens", "a whole number, 0 or more")),
    ];
    for (body, offset, problem) in cases {
        assert_eq!(refused(body), Fault::InvalidRequest { offset, problem }, "{body}");
    }
}

#[test]
fn a_shape_is_only_wrong_in_a_document_that_is_right() {
    let fault = refused(r#"{"model":7,"messages":[}"#);
    assert_eq!(fault, Fault::InvalidJson { offset: 23, problem: Syntax::Expected("a value") });
}

#[test]
fn a_key_that_is_read_stands_once() {
    let cases = [
        (r#"{"model":"a","model":"b"}"#, 13, "model"),
        (r#"{"model":null,"mod\u0065l":"b"}"#, 14, "model"),
        (r#"{"messages":[],"messages":[]}"#, 15, "messages"),
        (r#"{"stream_options":{"include_usage":true,"include_usage":false}}"#, 40, "include_usage"),
        (r#"{"messages":[{"role":"user","role":"tool"}]}"#, 28, "role"),
        (r#"{"messages":[{"content":[{"type":"text","text":"","text":""}]}]}"#, 50, "text"),
    ];
    for (body, offset, key) in cases {
        let problem = Shape::Duplicate(key);
        assert_eq!(refused(body), Fault::InvalidRequest { offset, problem }, "{body}");
        assert_eq!(refused(body).param(), Some(key));
    }
}

#[test]
fn a_key_that_is_not_read_may_stand_twice() {
    chat(
        r#"{"x":1,"x":2,"Model":1,"MODEL":1,"Model":2,"metadata":{"model":1,"model":2},"prompt":1,"prompt":2}"#,
    );
    chat(r#"{"tools":[{"name":1,"name":2}],"messages":[{"x":1,"x":2,"content":[{"y":1,"y":2}]}]}"#);
}

#[test]
fn faults_are_sentences() {
    assert_eq!(
        refused("{").to_string(),
        "the body is not valid JSON: it ends before the document does, at byte 1"
    );
    assert_eq!(refused("{\"model\":7}").to_string(), "`model` must be a string (at byte 9 of the body)");
    assert_eq!(
        refused("[".repeat(129)).to_string(),
        "the body is not valid JSON: more than 128 levels of nesting at byte 128"
    );
}

#[test]
fn odd_but_legal_documents_are_forwarded_as_they_are() {
    let bodies = [
        r#"{"model":"auto","seed":123456789012345678901234567890,"t":1.0,"e":1E+2,"n":-0.0}"#,
        "\n { \"model\" :\t\"auto\" , \r\n \"messages\":[ {\"role\":\"user\" ,\"content\": \"hi\" } ]  } \n",
        r#"{"a":"\ud800","b":"\udc00\ud800","model":"auto","messages":[{"role":"user","content":"\ud83d\/\u0000"}]}"#,
        r#"{"metadata":{"model":"auto"},"x":1,"x":2,"messages":[],"model" : "auto" }"#,
    ];
    for body in bodies {
        let at = body.rfind("\"auto\"").unwrap();
        let wanted = format!("{}\"big\"{}", &body[..at], &body[at + 6..]);
        assert_eq!(forwarded(CHAT, body), wanted);
    }
}

#[test]
fn the_models_name_is_put_in_where_it_was_not() {
    assert_eq!(forwarded(CHAT, "{}"), r#"{"model":"big"}"#);
    assert_eq!(forwarded(CHAT, " { } "), r#" {"model":"big" } "#);
    assert_eq!(forwarded(CHAT, r#"{ "a":1}"#), r#"{"model":"big", "a":1}"#);
    assert_eq!(forwarded(CHAT, r#"{"a":1,"model": null }"#), r#"{"a":1,"model": "big" }"#);
    assert_eq!(forwarded(CHAT, r#"{"model":"","a":1}"#), r#"{"model":"big","a":1}"#);
}

#[test]
fn tags_are_stripped_from_every_user_message() {
    let cases = [
        ("do it #force_big now", "do it  now"),
        ("#force_big", ""),
        ("#force_big a #FORCE_BIG b", " a  b"),
        (r#"\u00e9\n#force_big\t\"x\\"#, r#"\u00e9\n\t\"x\\"#),
        (r"a \u0023force\u005fbig, b", "a , b"),
        (r"\ud83d\ude00 😀#force_big!", r"\ud83d\ude00 😀!"),
        (r"\ud83d#force_big\\u0023force_big", r"\ud83d\\u0023force_big"),
    ];
    for (written, left) in cases {
        let body = |old: &str, text: &str| {
            format!(
                r#"{{"messages":[{{"role":"user","content":"old{old}"}},{{"role":"user","content":"{text}"}}],"model":"big"}}"#
            )
        };
        let sent = body(" #force_big", written);
        assert_eq!(forwarded(CHAT, &sent), body(" ", left));
        assert_eq!(chat(&sent).tags, [TagId(0)], "{written}");
    }
}

#[test]
fn a_tag_counts_in_the_last_user_message_with_text_of_its_own() {
    let cases = [
        (
            r##"{"role":"user","content":"#force_big"},{"role":"assistant","content":"x"},{"role":"tool","content":"y"}"##,
            true,
        ),
        (
            r##"{"role":"user","content":"#force_big"},{"role":"user","content":[{"type":"tool_result","content":"y"}]}"##,
            true,
        ),
        (
            r##"{"role":"user","content":"#force_big"},{"role":"user","content":[{"type":"text","text":""}]}"##,
            true,
        ),
        (r##"{"role":"user","content":"#force_big"},{"role":"user","content":"hi"}"##, false),
        (
            r##"{"role":"user","content":"hi"},{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"#force_big"}]}]}"##,
            false,
        ),
        (r##"{"role":"system","content":"#force_big"},{"role":"user","content":"hi"}"##, false),
        (r##"{"role":"user","content":"hi"},{"role":"assistant","content":"#force_big"}"##, false),
        (r##"{"role":"user","name":"#force_big","content":"hi"}"##, false),
        (
            r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x/#force_big"}}]}"#,
            false,
        ),
        (
            r#"{"role":"user","content":[{"type":"text","text":"one #force"},{"type":"text","text":"_big"}]}"#,
            false,
        ),
        (
            r##"{"role":"us\u0065r","content":[{"type":"t\u0065xt","t\u0065xt":"one"},{"type":"text","text":"#force_big"}]}"##,
            true,
        ),
        (r##"{"role":"user","content":"#force_bigger"}"##, false),
    ];
    for (messages, found) in cases {
        assert_eq!(!chat(&format!(r#"{{"messages":[{messages}]}}"#)).tags.is_empty(), found, "{messages}");
    }
}

#[test]
fn texts_on_other_endpoints() {
    use Endpoint::{Completions, CountTokens, Embeddings, Messages, Responses, Speech, Tokenize};
    let cases = [
        (Completions, r#"{"model":"big","prompt":"x #force_big"}"#),
        (Completions, r#"{"model":"big","prompt":["x #force_big","y"]}"#),
        (Embeddings, r#"{"model":"big","input":["y","x #force_big"]}"#),
        (Speech, r#"{"model":"big","input":"x #force_big"}"#),
        (Tokenize, r#"{"model":"big","prompt":"x #force_big"}"#),
        (Tokenize, r#"{"model":"big","messages":[{"role":"user","content":"x #force_big"}]}"#),
        (Responses, r#"{"model":"big","input":"x #force_big"}"#),
        (
            Responses,
            r#"{"model":"big","input":[{"role":"user","content":[{"type":"input_text","text":"x #force_big"}]},
            {"type":"function_call_output","output":"y"}]}"#,
        ),
        (
            Messages,
            r#"{"model":"big","system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text",
            "text":"x #force_big"}]}]}"#,
        ),
        (CountTokens, r#"{"model":"big","messages":[{"role":"user","content":"x #force_big"}]}"#),
    ];
    for (endpoint, body) in cases {
        assert_eq!(on(endpoint, body).tags, [TagId(0)], "{body}");
        assert_eq!(forwarded(endpoint, body), body.replace("#force_big", ""));
    }
}

#[test]
fn a_tag_elsewhere_is_left_alone() {
    use Endpoint::{Messages, Responses};
    let cases = [
        (Responses, r##"{"model":"big","instructions":"#force_big","input":"hi"}"##),
        (
            Responses,
            r##"{"model":"big","input":[{"role":"user","content":"hi"},{"type":"function_call_output","output":"#force_big"},
            {"role":"assistant","content":[{"type":"output_text","text":"#force_big"}]}]}"##,
        ),
        (Messages, r##"{"model":"big","system":"#force_big","messages":[{"role":"user","content":"hi"}]}"##),
        (
            CHAT,
            r##"{"model":"big","prompt":"#force_big","messages":[],"tools":[{"description":"#force_big"}]}"##,
        ),
    ];
    for (endpoint, body) in cases {
        assert!(on(endpoint, body).tags.is_empty(), "{body}");
        assert_eq!(forwarded(endpoint, body), body);
    }
}
