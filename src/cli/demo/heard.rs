//! What a simulated peer hears of a request: the last thing the user said, and the whole prompt.

use serde_json::Value;

use super::tokens;
use crate::openai::Endpoint;

/// A prompt as far as a simulated model understands it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// The text of the last user message, or of the plain prompt.
    pub(super) said: String,
    /// System, history, tools: everything that counts.
    pub(super) prompt: String,
}

/// The member of the body that should be there and is not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing(pub(super) &'static str);

impl Heard {
    /// Reads a body in the shape of its endpoint.
    ///
    /// # Errors
    /// The name of the member without which there is no prompt.
    pub(super) fn of(endpoint: Endpoint, body: &Value) -> Result<Self, Missing> {
        match endpoint {
            Endpoint::ChatCompletions | Endpoint::Messages | Endpoint::CountTokens => {
                required(body, "messages").map(|messages| conversation(body, messages))
            }
            Endpoint::Responses => required(body, "input").map(|input| conversation(body, input)),
            Endpoint::Tokenize if body.get("messages").is_some() => {
                required(body, "messages").map(|messages| conversation(body, messages))
            }
            Endpoint::Completions | Endpoint::Tokenize => required(body, "prompt").map(plain),
            Endpoint::Embeddings | Endpoint::Speech => required(body, "input").map(plain),
            Endpoint::Detokenize => required(body, "tokens").map(plain),
        }
    }

    /// Tokens of the whole prompt.
    pub(super) fn tokens(&self) -> usize {
        tokens::count(&self.prompt)
    }
}

fn required<'a>(body: &'a Value, name: &'static str) -> Result<&'a Value, Missing> {
    body.get(name).filter(|value| !value.is_null()).ok_or(Missing(name))
}

fn plain(value: &Value) -> Heard {
    let said = text(value);
    Heard { prompt: said.clone(), said }
}

/// Messages, or the plain string that `/v1/responses` also takes, and what stands beside them in the body.
fn conversation(body: &Value, messages: &Value) -> Heard {
    let mut lines = beside(body);
    let Value::Array(messages) = messages else {
        let said = text(messages);
        lines.push(said.clone());
        return Heard { said, prompt: lines.join("\n") };
    };
    let mut last = String::new();
    for message in messages {
        let role = message.get("role").and_then(Value::as_str).unwrap_or("user");
        let said = message.get("content").map(text).unwrap_or_default();
        lines.push(format!("{role}: {said}"));
        if role == "user" && !said.is_empty() {
            last = said;
        }
    }
    Heard { said: last, prompt: lines.join("\n") }
}

/// What counts to the prompt besides the messages: Anthropic's `system`, OpenAI's `instructions`, the tools.
fn beside(body: &Value) -> Vec<String> {
    let system = ["system", "instructions"].into_iter().filter_map(|name| body.get(name)).map(text);
    let tools = body.get("tools").filter(|tools| !tools.is_null()).map(Value::to_string);
    system.chain(tools).filter(|line| !line.is_empty()).collect()
}

/// The text in a value: a string, content parts, lists of either, token numbers.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(token) => tokens::text(token.as_u64()),
        Value::Array(items) if items.iter().all(Value::is_number) => {
            tokens::text(items.iter().filter_map(Value::as_u64))
        }
        Value::Array(items) => {
            items.iter().map(text).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
        }
        Value::Object(part) => part.get("text").map(text).unwrap_or_default(),
        Value::Null | Value::Bool(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_user_message_is_what_was_said() {
        let body = json!({"messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "well"},
            {"role": "user", "content": [{"type": "text", "text": "second"}, {"type": "image_url", "image_url": {}}]},
            {"role": "tool", "content": "42"}]});
        let heard = Heard::of(Endpoint::ChatCompletions, &body).unwrap();
        assert_eq!(heard.said, "second");
        assert_eq!(heard.prompt, "system: Be brief.\nuser: first\nassistant: well\nuser: second\ntool: 42");
    }

    #[test]
    fn every_shape_has_its_prompt() {
        let said = |endpoint, body| Heard::of(endpoint, &body).unwrap().said;
        assert_eq!(said(Endpoint::Completions, json!({"prompt": ["a", "b"]})), "a\nb");
        assert_eq!(said(Endpoint::Completions, json!({"prompt": tokens::of("by number")})), "by number");
        assert_eq!(said(Endpoint::Responses, json!({"input": "hi"})), "hi");
        let items = json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]});
        assert_eq!(said(Endpoint::Responses, items), "hi");
        assert_eq!(said(Endpoint::Speech, json!({"input": "say it"})), "say it");
        assert_eq!(said(Endpoint::Tokenize, json!({"messages": [{"role": "user", "content": "hi"}]})), "hi");
        assert_eq!(said(Endpoint::Detokenize, json!({"tokens": tokens::of("hi")})), "hi");
    }

    #[test]
    fn system_and_tools_count() {
        let body = json!({"system": "s", "tools": [{"name": "t"}], "messages": []});
        assert_eq!(Heard::of(Endpoint::Messages, &body).unwrap().prompt, "s\n[{\"name\":\"t\"}]");
    }

    #[test]
    fn a_missing_prompt_is_named() {
        assert_eq!(Heard::of(Endpoint::ChatCompletions, &json!({})), Err(Missing("messages")));
        assert_eq!(Heard::of(Endpoint::Responses, &json!({"input": null})), Err(Missing("input")));
        assert_eq!(Heard::of(Endpoint::Tokenize, &json!([])), Err(Missing("prompt")));
    }
}
