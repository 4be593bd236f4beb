//! A decision for a terminal: the sentence first, then what it was made from, on one screen.
//!
//! It is made from the decision's JSON, so that the text can say nothing that the JSON does not.

use serde_json::Value;

use super::table;
use crate::policy::grouped;

/// The decision as lines of text, ended by a newline. Members that are absent are left out; control
/// characters, which a client may have put into a name, are shown as `?`.
pub fn render(decision: &Value) -> String {
    let mut out = String::new();
    let first = sentence(decision);
    let routed = text(&decision["outcome"]) == "route";
    out.push_str(&table::sentence(&first, routed));
    facts(&mut out, &decision["facts"]);
    rules(&mut out, decision);
    candidates(&mut out, &decision["candidates"]);
    out
}

/// `-> big, by rule heavy-by-tokens (matched)`, or `-> refused, …`.
fn sentence(decision: &Value) -> String {
    let by = match text(&decision["rule"]) {
        "" => String::new(),
        "path" => ", by path".to_owned(),
        rule => match rule.strip_prefix("model:") {
            Some(model) => format!(", by model {model}"),
            None => format!(", by rule {rule}"),
        },
    };
    if text(&decision["outcome"]) == "route" {
        return format!("-> {}{by} ({})", text(&decision["backend"]), text(&decision["reason"]));
    }
    let refusal = &decision["refusal"];
    let with = match &refusal["status"] {
        Value::Null => String::new(),
        status => format!(" with {status} {}", text(&refusal["code"])),
    };
    match text(&refusal["message"]) {
        "" => format!("-> refused{with}{by}"),
        message => format!("-> refused{with}{by}: {message}"),
    }
}

fn facts(out: &mut String, facts: &Value) {
    heading(out, "facts");
    entry(out, "path", text(&facts["path"]));
    entry(out, "model", text(&facts["model"]));
    entry(out, "tokens", &tokens(facts));
    entry(out, "tags", &words(&facts["tags"]));
    entry(out, "has", &words(&facts["has"]));
    entry(out, "client", text(&facts["client"]));
    entry(out, "headers", &tests(&facts["headers"]));
    entry(out, "patterns", &tests(&facts["patterns"]));
    entry(out, "gates", &states(&facts["gates"]));
    entry(out, "unusable", &states(&facts["unusable"]));
}

/// `2,431, and up to 512 of output`.
fn tokens(facts: &Value) -> String {
    let Some(prompt) = facts["tokens"].as_u64() else { return String::new() };
    match facts["max_output_tokens"].as_u64() {
        Some(output) => format!("{}, and up to {} of output", grouped(prompt), grouped(output)),
        None => grouped(prompt),
    }
}

/// Every rule with yes or no; the one that decided has a mark.
fn rules(out: &mut String, decision: &Value) {
    let rules = items(&decision["rules"]);
    if rules.is_empty() {
        return;
    }
    heading(out, "rules (the first that holds decides)");
    let width = widest(rules, "name");
    for rule in rules {
        let name = text(&rule["name"]);
        let mark = if name == text(&decision["rule"]) { '>' } else { ' ' };
        let holds = if rule["matched"] == true { "yes" } else { "no" };
        let because = joined(items(&rule["because"]).iter().map(text), "; ");
        line(out, format_args!("{mark} {holds:<3}  {name:<width$}  {because}"));
    }
}

fn candidates(out: &mut String, candidates: &Value) {
    let candidates = items(candidates);
    if candidates.is_empty() {
        return;
    }
    heading(out, "candidates (the first that can be used is chosen)");
    let width = widest(candidates, "backend");
    for candidate in candidates {
        let verdict = text(&candidate["verdict"]);
        let mark = if verdict == "chosen" { '>' } else { ' ' };
        let backend = text(&candidate["backend"]);
        line(out, format_args!("{mark} {backend:<width$}  {}", verdict_in_words(verdict)));
    }
}

/// A verdict as a person would say it; a word that is not known stays as it is.
fn verdict_in_words(verdict: &str) -> &str {
    match verdict {
        "chosen" => "chosen",
        "not_needed" => "not needed",
        "gate_closed" => "its gate is closed",
        "gate_unknown" => "its gate's mode is not known",
        "asleep" => "the model behind its gate is asleep or stopped",
        "unhealthy" => "no peer of it is healthy",
        "connect_failed" => "no connection could be made",
        "upstream_error" => "it failed, or went away without an answer",
        "upstream_timeout" => "it did not answer in time",
        "over_context" => "prompt and output exceed its context window",
        "queue_full" => "its card's queue is full",
        "queue_timeout" => "its card had no free slot in time",
        "not_allowed" => "the client may not use it",
        "over_budget" => "its budget is used up",
        other => other,
    }
}

fn heading(out: &mut String, heading: &str) {
    out.push_str(&format!("\n{}\n", table::heading(heading)));
}

/// A name and what it is; nothing is said of what is empty.
fn entry(out: &mut String, name: &str, is: &str) {
    if !is.is_empty() {
        line(out, format_args!("  {name:<10}{is}"));
    }
}

fn line(out: &mut String, line: std::fmt::Arguments<'_>) {
    let shown = |c: char| if c.is_control() { '?' } else { c };
    out.extend(line.to_string().trim_end().chars().map(shown));
    out.push('\n');
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn words(list: &Value) -> String {
    joined(items(list).iter().map(text), ", ")
}

/// `x-force-big is true: yes, …`.
fn tests(outcomes: &Value) -> String {
    let outcomes = outcomes.as_object().into_iter().flatten();
    joined(outcomes.map(|(name, held)| format!("{name}: {}", if *held == true { "yes" } else { "no" })), ", ")
}

/// `gaming_pc open, …`.
fn states(states: &Value) -> String {
    let states = states.as_object().into_iter().flatten();
    joined(states.map(|(name, state)| format!("{name} {}", text(state))), ", ")
}

fn joined<S: AsRef<str>>(words: impl Iterator<Item = S>, between: &str) -> String {
    let mut out = String::new();
    for word in words {
        out.push_str(if out.is_empty() { "" } else { between });
        out.push_str(word.as_ref());
    }
    out
}

fn widest(rows: &[Value], member: &str) -> usize {
    rows.iter().map(|row| text(&row[member]).chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
