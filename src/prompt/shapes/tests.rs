//! What is read of each endpoint's body.

use super::*;

fn tokens(endpoint: Endpoint, body: &str) -> u64 {
    let mut reader = Reader::new(body);
    reader.read(endpoint).unwrap_or_else(|fault| panic!("{fault}: {body}"));
    reader.tally.tokens()
}

#[test]
fn limits_are_whole_numbers_however_written() {
    let cases = [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("100", Some(100)),
        ("100.0", Some(100)),
        ("1e2", Some(100)),
        ("-1", None),
        ("0.5", None),
        ("1e999", None),
        ("123456789012345678901234567890", Some(u64::MAX)),
        ("1e30", Some(u64::MAX)),
    ];
    for (number, limit) in cases {
        assert_eq!(whole(number), limit, "{number}");
    }
}

#[test]
fn a_token_id_is_one_token() {
    assert_eq!(tokens(Endpoint::Completions, r#"{"prompt":[1,22,333]}"#), 3);
    assert_eq!(tokens(Endpoint::Completions, r#"{"prompt":[[1,22],[333]]}"#), 3);
    assert_eq!(tokens(Endpoint::Embeddings, r#"{"input":[1,2]}"#), 2);
    assert_eq!(tokens(Endpoint::Detokenize, r#"{"tokens":[1,2,3,4]}"#), 4);
}

#[test]
fn each_endpoint_counts_what_it_sends_to_the_model() {
    let text = "word ".repeat(100);
    let cases = [
        (Endpoint::ChatCompletions, r#"{"messages":[{"role":"assistant","content":"TEXT"}]}"#),
        (
            Endpoint::ChatCompletions,
            r#"{"messages":[{"role":"tool","content":[{"type":"text","text":"TEXT"}]}]}"#,
        ),
        (Endpoint::ChatCompletions, r#"{"messages":[{"tool_calls":[{"function":{"arguments":"TEXT"}}]}]}"#),
        (Endpoint::ChatCompletions, r#"{"tools":[{"function":{"description":"TEXT"}}]}"#),
        (Endpoint::ChatCompletions, r#"{"functions":[{"TEXT":1}]}"#),
        (Endpoint::Completions, r#"{"prompt":["TEXT"]}"#),
        (Endpoint::Completions, r#"{"prompt":"","suffix":"TEXT"}"#),
        (Endpoint::Responses, r#"{"instructions":"TEXT"}"#),
        (Endpoint::Responses, r#"{"input":[{"type":"function_call","arguments":"TEXT"}]}"#),
        (
            Endpoint::Responses,
            r#"{"input":[{"type":"function_call_output","output":[{"type":"input_text","text":"TEXT"}]}]}"#,
        ),
        (Endpoint::Messages, r#"{"system":[{"type":"text","text":"TEXT"}]}"#),
        (Endpoint::Messages, r#"{"messages":[{"content":[{"type":"tool_use","input":{"a":"TEXT"}}]}]}"#),
        (Endpoint::CountTokens, r#"{"messages":[{"content":[{"type":"tool_result","content":"TEXT"}]}]}"#),
        (Endpoint::Speech, r#"{"input":"TEXT"}"#),
        (Endpoint::Tokenize, r#"{"messages":[{"content":"TEXT"}]}"#),
    ];
    for (endpoint, body) in cases {
        let added =
            tokens(endpoint, &body.replace("TEXT", &text)) - tokens(endpoint, &body.replace("TEXT", ""));
        assert!((100..140).contains(&added), "{added}: {body}");
    }
}

#[test]
fn what_the_model_does_not_read_as_text_does_not_count() {
    let text = "word ".repeat(100);
    let cases = [
        (Endpoint::ChatCompletions, r#"{"metadata":"TEXT","user":"TEXT","prompt":"TEXT"}"#),
        (
            Endpoint::ChatCompletions,
            r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"TEXT"}}]}]}"#,
        ),
        (
            Endpoint::ChatCompletions,
            r#"{"messages":[{"content":[{"type":"input_audio","input_audio":{"data":"TEXT"}}]}]}"#,
        ),
        (Endpoint::Messages, r#"{"messages":[{"content":[{"type":"image","source":{"data":"TEXT"}}]}]}"#),
        (Endpoint::Responses, r#"{"input":[{"content":[{"type":"input_image","image_url":"TEXT"}]}]}"#),
        (Endpoint::Speech, r#"{"input":"","instructions":"TEXT"}"#),
    ];
    for (endpoint, body) in cases {
        assert_eq!(
            tokens(endpoint, &body.replace("TEXT", &text)),
            tokens(endpoint, &body.replace("TEXT", "")),
            "{body}"
        );
    }
}

#[test]
fn indentation_of_tools_does_not_count() {
    let tight = r#"{"tools":[{"a":{"b":[1,true,"x"]}}]}"#;
    let wide = tight.replace(':', "  : \n\n ").replace(',', "\n\t, ");
    assert_eq!(tokens(Endpoint::ChatCompletions, tight), tokens(Endpoint::ChatCompletions, &wide));
}
