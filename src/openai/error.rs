//! The bodies of errors, in the shape that the client's library expects.

use serde_json::{Value, json};

use super::Endpoint;

/// Whose shape an error has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// `{"error":{"message","type","param","code"}}`
    OpenAi,
    /// `{"type":"error","error":{"type","message"}}`
    Anthropic,
}

impl Shape {
    /// The shape that clients of this endpoint expect; the first where the path is none of ours.
    pub fn of(endpoint: Option<Endpoint>) -> Self {
        if endpoint.is_some_and(Endpoint::is_anthropic) { Self::Anthropic } else { Self::OpenAi }
    }
}

/// The body of an error answer. Anthropic's shape has no place for `code` and `param`.
pub fn body(shape: Shape, status: u16, code: &str, message: &str, param: Option<&str>) -> Vec<u8> {
    let document = match shape {
        Shape::OpenAi => openai(openai_type(status), code, message, param),
        Shape::Anthropic => anthropic(anthropic_type(status), message),
    };
    document.to_string().into_bytes()
}

/// The event that ends a stream which broke after its first byte: the status has gone out long before,
/// so this is the only way to say it.
pub fn last_event(shape: Shape, code: &str, message: &str) -> Vec<u8> {
    match shape {
        Shape::OpenAi => format!("data: {}\n\n", openai("server_error", code, message, None)),
        Shape::Anthropic => format!("event: error\ndata: {}\n\n", anthropic("api_error", message)),
    }
    .into_bytes()
}

fn openai(kind: &str, code: &str, message: &str, param: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

fn anthropic(kind: &str, message: &str) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message}})
}

const fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

const fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).expect("JSON")
    }

    #[test]
    fn openai_shape() {
        let wanted = r#"{"error":{"message":"no such model","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#;
        let bytes = body(Shape::OpenAi, 404, "model_not_found", "no such model", Some("model"));
        assert_eq!(String::from_utf8(bytes).expect("text"), wanted);
        let bytes = body(Shape::OpenAi, 400, "invalid_json", "bad", None);
        assert_eq!(read(&bytes).pointer("/error/param"), Some(&Value::Null), "there, and null");
    }

    #[test]
    fn anthropic_shape() {
        let wanted = r#"{"type":"error","error":{"type":"not_found_error","message":"no such model"}}"#;
        let bytes = body(Shape::Anthropic, 404, "model_not_found", "no such model", Some("model"));
        assert_eq!(String::from_utf8(bytes).expect("text"), wanted);
    }

    #[test]
    fn types_by_status() {
        for (status, openai, anthropic) in [
            (400, "invalid_request_error", "invalid_request_error"),
            (401, "authentication_error", "authentication_error"),
            (403, "permission_error", "permission_error"),
            (404, "invalid_request_error", "not_found_error"),
            (405, "invalid_request_error", "invalid_request_error"),
            (408, "invalid_request_error", "invalid_request_error"),
            (413, "invalid_request_error", "request_too_large"),
            (415, "invalid_request_error", "invalid_request_error"),
            (429, "rate_limit_error", "rate_limit_error"),
            (431, "invalid_request_error", "invalid_request_error"),
            (500, "server_error", "api_error"),
            (502, "server_error", "api_error"),
            (503, "server_error", "overloaded_error"),
            (504, "server_error", "timeout_error"),
        ] {
            for (shape, wanted) in [(Shape::OpenAi, openai), (Shape::Anthropic, anthropic)] {
                let document = read(&body(shape, status, "x", "y", None));
                assert_eq!(document.pointer("/error/type"), Some(&json!(wanted)), "{status} {shape:?}");
            }
        }
    }

    #[test]
    fn last_events() {
        let event = last_event(Shape::OpenAi, "upstream_error", "it broke");
        let wanted = "data: {\"error\":{\"message\":\"it broke\",\"type\":\"server_error\",\"param\":null,\
            \"code\":\"upstream_error\"}}\n\n";
        assert_eq!(String::from_utf8(event).expect("text"), wanted);
        let event = last_event(Shape::Anthropic, "upstream_error", "it broke");
        let wanted = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\
            \"message\":\"it broke\"}}\n\n";
        assert_eq!(String::from_utf8(event).expect("text"), wanted);
    }

    #[test]
    fn no_message_breaks_out_of_its_event() {
        for shape in [Shape::OpenAi, Shape::Anthropic] {
            let event = last_event(shape, "x\n\ny", "a\r\n\r\ndata: [DONE]\n\n\"\\\u{0}é");
            let text = String::from_utf8(event).expect("text");
            assert_eq!(text.matches("\n\n").count(), 1, "{text:?}");
            assert!(!text.contains('\r') && !text.contains("\ndata: [DONE]"), "{text:?}");
        }
    }

    #[test]
    fn shapes_by_endpoint() {
        assert_eq!(Shape::of(Some(Endpoint::Messages)), Shape::Anthropic);
        assert_eq!(Shape::of(Some(Endpoint::CountTokens)), Shape::Anthropic);
        assert_eq!(Shape::of(Some(Endpoint::ChatCompletions)), Shape::OpenAi);
        assert_eq!(Shape::of(None), Shape::OpenAi);
    }
}
