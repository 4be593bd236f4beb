//! Messages of every shape: whose text counts.

use super::*;
use crate::openai::Endpoint;

/// The user texts of a body, whether each is of the last user message, and the number of images.
fn texts(endpoint: Endpoint, body: &str) -> (Vec<(&str, bool)>, u64) {
    let mut reader = Reader::new(body);
    reader.read(endpoint).unwrap_or_else(|fault| panic!("{fault}: {body}"));
    let last = reader.last.clone();
    let texts = reader.texts.iter().enumerate().map(|(place, text)| (text.raw(body), last.contains(&place)));
    (texts.collect(), reader.images)
}

#[test]
fn only_a_users_own_texts_are_kept() {
    let body = r#"{"messages":[
        {"content":"one","role":"user"},
        {"role":"assistant","content":[{"type":"text","text":"not"}]},
        {"role":"user","content":[{"text":"two","type":"text"},{"type":"tool_result","content":"not","text":"not"},
            "three",{"type":"input_text","text":"four"},{"text":"not"}]},
        {"content":"not","role":"tool"},
        {"role":"user","content":null}]}"#;
    let wanted = vec![("one", false), ("two", true), ("three", true), ("four", true)];
    assert_eq!(texts(Endpoint::ChatCompletions, body), (wanted, 0));
}

#[test]
fn strings_among_items_are_messages() {
    let body = r#"{"input":["one","two",{"role":"system","content":"not"}]}"#;
    assert_eq!(texts(Endpoint::Responses, body).0, [("one", false), ("two", true)]);
}

#[test]
fn images_are_counted_wherever_a_message_holds_them() {
    let cases = [
        (
            Endpoint::ChatCompletions,
            r#"{"messages":[{"content":[{"type":"image_url","image_url":{}},{"image_url":"x"}]}]}"#,
            2,
        ),
        (
            Endpoint::ChatCompletions,
            r#"{"messages":[{"content":[{"type":"text","image_url":"x"},{"image_url":null}]}]}"#,
            0,
        ),
        (
            Endpoint::Messages,
            r#"{"messages":[{"content":[{"type":"tool_result","content":[{"type":"image","source":{}}]}]}]}"#,
            1,
        ),
        (Endpoint::Responses, r#"{"input":[{"content":[{"type":"input_image","image_url":"x"}]}]}"#, 1),
        (Endpoint::Responses, r#"{"input":[{"output":{"type":"computer_screenshot","image_url":"x"}}]}"#, 1),
    ];
    for (endpoint, body, images) in cases {
        assert_eq!(texts(endpoint, body).1, images, "{body}");
    }
}

#[test]
fn parts_of_any_shape_stand_in_a_tools_result() {
    let body = r#"{"messages":[{"role":"user","content":[{"type":"search_result","content":{"error":7}},
        {"type":"tool_result","content":[7,null,"x",{"content":[[]]}]}]}]}"#;
    assert_eq!(texts(Endpoint::Messages, body), (vec![], 0));
}
