//! `sluice mode`: reads the gaming PC's mode, or says it.

use std::time::{Duration, SystemTime};

use anyhow::bail;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::admin::Admin;
use super::status::age;

/// Whom to ask, and what to say.
#[derive(Debug, Args)]
pub struct Mode {
    #[command(flatten)]
    admin: Admin,
    /// The gate (needed where the policy has several)
    #[arg(long, value_name = "NAME")]
    gate: Option<String>,
    /// Wait so long until nothing unforced is in flight behind the gate: 30s (at most 10m)
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, requires = "word")]
    wait: Option<Duration>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    /// What holds from now on; without it the mode is read
    #[arg(value_name = "MODE")]
    word: Option<Word>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Word {
    /// Nobody plays: the gate opens
    Normal,
    /// Somebody plays: the gate closes
    Gaming,
}

impl Word {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Gaming => "GAMING",
        }
    }
}

/// Reads or says the mode.
///
/// # Errors
/// When nobody answers, there is no such gate, or it is not known which is meant.
pub fn run(asked: &Mode) -> anyhow::Result<u8> {
    match asked.word {
        Some(word) => push(asked, word),
        None => read(asked),
    }
}

fn read(asked: &Mode) -> anyhow::Result<u8> {
    let gates = gates(asked)?;
    let shown =
        if asked.json { format!("{:#}\n", Value::from(gates)) } else { told(&gates, SystemTime::now()) };
    super::out(&shown)?;
    Ok(0)
}

/// The gates that are asked for: one, or all.
fn gates(asked: &Mode) -> anyhow::Result<Map<String, Value>> {
    let status = asked.admin.read("/status")?;
    let mut gates = status.get("gates").and_then(Value::as_object).cloned().unwrap_or_default();
    if gates.is_empty() {
        bail!("the policy has no gate");
    }
    if let Some(name) = &asked.gate {
        gates.retain(|gate, _| gate == name);
        if gates.is_empty() {
            bail!("the policy has no gate {name:?}");
        }
    }
    Ok(gates)
}

/// `gaming_pc: NORMAL, open for 2h 5m, by poll`
fn told(gates: &Map<String, Value>, now: SystemTime) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let line = |(name, gate): (&String, &Value)| {
        let (state, age) = (text(&gate["state"]), age(&gate["since"], now));
        match gate["mode"].as_str() {
            Some(mode) => format!("{name}: {mode}, {state} for {age}, by {}\n", text(&gate["source"])),
            None => format!("{name}: not known, {state} for {age}\n"),
        }
    };
    gates.iter().map(line).collect()
}

/// Exit code 1 where it was to be drained and is not: what follows may rely on it.
fn push(asked: &Mode, word: Word) -> anyhow::Result<u8> {
    let gate = which(asked)?;
    // Nobody has to leave before a gate opens.
    let wait = asked.wait.filter(|_| word == Word::Gaming);
    let query = wait.map(|wait| format!("?wait=drained&timeout={}ms", wait.as_millis()));
    let path = format!("/gates/{gate}{}", query.unwrap_or_default());
    let body = json!({"mode": word.as_str()});
    let answer = asked.admin.write(&path, &body, wait.unwrap_or_default())?;
    super::out(&if asked.json { format!("{answer:#}\n") } else { outcome(&gate, &answer, wait) })?;
    let drained = answer.get("drained").is_some_and(|drained| *drained == true);
    Ok(u8::from(wait.is_some() && !drained))
}

/// The gate that is meant. It is not asked for where it is given: the token may allow to push and no more.
fn which(asked: &Mode) -> anyhow::Result<String> {
    if let Some(name) = &asked.gate {
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
            bail!("{name:?} is no gate's name");
        }
        return Ok(name.clone());
    }
    let names: Vec<_> = gates(asked)?.into_iter().map(|(name, _)| name).collect();
    match names.as_slice() {
        [name] => Ok(name.clone()),
        _ => bail!("which gate? --gate {}", names.join(" or --gate ")),
    }
}

/// `gaming_pc is draining: 1 unforced request still runs behind it.`
fn outcome(gate: &str, answer: &Value, wait: Option<Duration>) -> String {
    let count = |member: &str| answer[member].as_u64().unwrap_or(0);
    let state = answer["state"].as_str().unwrap_or("?");
    let runs = match (count("in_flight"), wait) {
        (0, _) => "drained: nothing unforced runs behind it".to_owned(),
        (left, None) => format!("{left} unforced still in flight behind it"),
        (left, Some(wait)) => {
            format!(
                "NOT drained after {}: {left} unforced in flight behind it",
                humantime::format_duration(wait)
            )
        }
    };
    let runs = if state == "open" { String::new() } else { format!("; {runs}") };
    match count("forced") {
        0 => format!("{gate} is {state}{runs}.\n"),
        forced => format!("{gate} is {state}{runs}; {forced} forced in flight.\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(state: &str, in_flight: u64, forced: u64, wait: Option<u64>) -> String {
        let answer =
            json!({"state": state, "in_flight": in_flight, "forced": forced, "drained": in_flight == 0});
        outcome("gaming_pc", &answer, wait.map(Duration::from_secs))
    }

    #[test]
    fn a_push_says_what_still_runs() {
        assert_eq!(said("open", 3, 0, None), "gaming_pc is open.\n");
        let drained = "gaming_pc is closed; drained: nothing unforced runs behind it.\n";
        assert_eq!(said("closed", 0, 0, None), drained);
        let left = "gaming_pc is draining; 2 unforced still in flight behind it; 1 forced in flight.\n";
        assert_eq!(said("draining", 2, 1, None), left);
        let not = "gaming_pc is draining; NOT drained after 30s: 2 unforced in flight behind it.\n";
        assert_eq!(said("draining", 2, 0, Some(30)), not);
    }

    #[test]
    fn a_mode_is_told_with_its_age() {
        let now = humantime::parse_rfc3339("2026-11-24T12:00:00Z").unwrap();
        let gates = json!({
            "a": {"mode": "NORMAL", "state": "open", "since": "2026-11-24T11:00:00Z", "source": "poll"},
            "b": {"mode": null, "state": "unknown", "since": "2026-11-24T11:59:00Z", "source": "none"},
        });
        let told = told(gates.as_object().unwrap(), now);
        assert_eq!(told, "a: NORMAL, open for 1h, by poll\nb: not known, unknown for 1m\n");
    }
}
