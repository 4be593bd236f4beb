//! Each decision as a sentence, when it happens. Made from the audit record's JSON; total, whatever is missing.

use serde_json::Value;

/// Characters of a client's words that are shown.
const SHOWN: usize = 40;

/// `12:01:07  small  default           "auto", 9 tokens: no rule asked for more. 200 in 412 ms`
///
/// `record` is a decision with `time`, `status`, `attempts`, `first_byte`, `total` and `aborted`, all optional.
pub fn sentence(record: &Value) -> String {
    let backend = text(record, "/backend").unwrap_or("-");
    let rule = printable(text(record, "/rule").unwrap_or("-"));
    let columns = format!("{:8}  {backend:<5}  {rule:<16}  ", clock(record));
    format!("{columns}{}: {}.{}", subject(record), cause(record), end(record))
}

/// The time of day in a time such as `2026-11-24T12:01:07.123Z`.
fn clock(record: &Value) -> &str {
    let time = text(record, "/time").and_then(|time| time.split('T').nth(1));
    time.and_then(|time| time.get(..8)).unwrap_or_default()
}

/// `"auto", 9 tokens`
fn subject(record: &Value) -> String {
    let model = printable(text(record, "/facts/model").unwrap_or("?"));
    let streamed = if flag(record, "/facts/stream") { ", streamed" } else { "" };
    match number(record, "/facts/tokens") {
        Some(1) => format!("\"{model}\", 1 token{streamed}"),
        Some(tokens) => format!("\"{model}\", {tokens} tokens{streamed}"),
        None => format!("\"{model}\"{streamed}"),
    }
}

fn cause(record: &Value) -> String {
    let reason = text(record, "/reason").unwrap_or("matched");
    if text(record, "/outcome") == Some("refuse") {
        let message = text(record, "/refusal/message").or(text(record, "/refusal/code")).unwrap_or(reason);
        return format!("refused, {}", one_line(message).trim_end_matches('.'));
    }
    if reason != "matched" {
        return instead(record, reason);
    }
    match text(record, "/rule").unwrap_or_default() {
        "default" => "no rule asked for more".to_owned(),
        "gaming" => "the gaming PC is not free".to_owned(),
        "path" => "speech has a model of its own".to_owned(),
        rule if rule.starts_with("model:") => "the model was asked for by name".to_owned(),
        rule => matched(record, rule),
    }
}

/// Why the route's own backend was passed over.
fn instead(record: &Value, reason: &str) -> String {
    let wanted = text(record, "/candidates/0/backend").unwrap_or("its backend");
    let trouble = match reason {
        "gate_closed" => "is behind a closed gate",
        "gate_unknown" => "is behind a gate of unknown state",
        "asleep" => "is asleep",
        "unhealthy" => "does not answer its probes",
        "connect_failed" => "took no connection",
        "upstream_error" => "failed",
        "upstream_timeout" => "did not answer in time",
        "over_context" => "has too small a context window",
        "queue_full" => "has a full queue",
        "queue_timeout" => "had no free slot in time",
        "not_allowed" => "is not allowed",
        "over_budget" => "is over its budget",
        other => other,
    };
    format!("{wanted} {trouble}")
}

/// What made a rule hold, and whether that passed a gate that was not open.
fn matched(record: &Value, rule: &str) -> String {
    let told = because(record, rule);
    let signs = if told.is_empty() { signs(record) } else { told };
    let signs = if signs.is_empty() { "its condition holds".to_owned() } else { signs.join(", ") };
    match shut_gate(record) {
        Some(state) => format!("{signs}, which passes the {state} gate"),
        None => signs,
    }
}

/// The lines of the rule's own trace, where the record has it.
fn because(record: &Value, rule: &str) -> Vec<String> {
    let rules = record.pointer("/rules").and_then(Value::as_array).into_iter().flatten();
    let lines = rules
        .filter(|traced| text(traced, "/name") == Some(rule))
        .filter_map(|traced| traced.get("because").and_then(Value::as_array))
        .flatten();
    lines.filter_map(Value::as_str).map(printable).collect()
}

/// What of the facts the demo's rules look at: the name `big`, tags, headers, patterns, length.
fn signs(record: &Value) -> Vec<String> {
    let tags = record.pointer("/facts/tags").and_then(Value::as_array).into_iter().flatten();
    let tags = tags.filter_map(Value::as_str).map(|tag| format!("tag {tag}"));
    let headers = holding(record, "/facts/headers").map(|test| format!("header {test}"));
    let patterns = holding(record, "/facts/patterns").map(|source| format!("the prompt matches {source}"));
    let named = (text(record, "/facts/model") == Some("big")).then(|| "asked for by name".to_owned());
    let heavy =
        (text(record, "/rule") == Some("heavy-by-tokens")).then(|| "long enough for the big one".to_owned());
    named.into_iter().chain(tags).chain(headers).chain(patterns).chain(heavy).collect()
}

/// The names of the tests that came out true.
fn holding<'a>(record: &'a Value, pointer: &str) -> impl Iterator<Item = &'a str> {
    let tests = record.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
    tests.filter(|(_, holds)| holds.as_bool() == Some(true)).map(|(test, _)| test.as_str())
}

/// The state of the gate that the chosen backend stands behind, unless it is open. The demo has one such backend.
fn shut_gate(record: &Value) -> Option<&str> {
    let gates = record.pointer("/facts/gates").and_then(Value::as_object)?;
    let state = gates.values().filter_map(Value::as_str).find(|state| *state != "open")?;
    (text(record, "/backend") == Some("big")).then_some(state)
}

/// ` 200 in 412 ms`
fn end(record: &Value) -> String {
    let attempts = number(record, "/attempts").filter(|&attempts| attempts > 1);
    let attempts = attempts.map(|attempts| format!(", {attempts} attempts")).unwrap_or_default();
    let time = number(record, "/total").map(|total| format!("{total} ms"));
    if flag(record, "/aborted") {
        let after = time.map(|time| format!(" after {time}")).unwrap_or_default();
        return format!(" The client left{after}{attempts}");
    }
    let status = number(record, "/status").or_else(|| number(record, "/refusal/status"));
    match (status, time) {
        (Some(status), Some(time)) => format!(" {status} in {time}{attempts}"),
        (Some(status), None) => format!(" {status}{attempts}"),
        (None, Some(time)) => format!(" Done in {time}{attempts}"),
        (None, None) => String::new(),
    }
}

fn text<'a>(record: &'a Value, pointer: &str) -> Option<&'a str> {
    record.pointer(pointer).and_then(Value::as_str)
}

fn flag(record: &Value, pointer: &str) -> bool {
    record.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

/// A whole number; a fraction of a millisecond is rounded away.
fn number(record: &Value, pointer: &str) -> Option<u64> {
    let value = record.pointer(pointer)?;
    value.as_u64().or_else(|| format!("{:.0}", value.as_f64()?).parse().ok())
}

/// A message that may quote a client, safe for a terminal.
fn one_line(message: &str) -> String {
    message.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// A client's or a file's words, safe for a terminal and not too long.
fn printable(words: &str) -> String {
    match words.char_indices().nth(SHOWN).and_then(|(end, _)| words.get(..end)) {
        Some(beginning) => one_line(beginning) + "…",
        None => one_line(words),
    }
}

#[cfg(test)]
mod tests;
