//! `sluice status`: the house on one screen, from a running sluice.

use std::time::{Duration, SystemTime};

use clap::Args;
use serde_json::{Map, Value, json};

use super::admin::Admin;
use super::table::{self, Cell, printable, table};
use super::{serve, watch};

/// Whom to ask, and how to show it.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    admin: Admin,
    /// Print what the admin listener says, as JSON
    #[arg(long)]
    json: bool,
    /// Show it again every second, or every TIME, until Ctrl-C; with --json a line each
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "1s",
          value_parser = watch::interval)]
    watch: Option<Duration>,
}

/// Asks and prints.
///
/// # Errors
/// When nobody answers, or not to us.
pub fn run(asked: &Status) -> anyhow::Result<u8> {
    if let Some(every) = asked.watch {
        return serve::runtime(1)?.block_on(watch::watch(every, async || asked.frame().await));
    }
    let status = asked.admin.read("/status")?;
    let shown = if asked.json { format!("{status:#}\n") } else { render(&status, SystemTime::now()) };
    super::out(&shown)?;
    Ok(0)
}

impl Status {
    /// One of many looks: that nobody answers is something to see, and may pass.
    async fn frame(&self) -> String {
        match self.admin.fetch("/status").await {
            Ok(status) if self.json => format!("{status}\n"),
            Ok(status) => render(&status, SystemTime::now()) + "\n",
            Err(error) if self.json => format!("{}\n", json!({"error": format!("{error:#}")})),
            Err(error) => format!("{error:#}\n\n"),
        }
    }
}

/// The screen. Total: what is not there is left out.
fn render(status: &Value, now: SystemTime) -> String {
    let mut out = heading(status, now);
    section(&mut out, "gates", table("  ", &rows(status, "gates", |name, gate| gate_row(name, gate, now))));
    section(&mut out, "cards", table("  ", &rows(status, "gpus", gpu_row)));
    let backends: Vec<_> =
        members(status, "backends").flat_map(|(name, it)| backend_rows(name, it)).collect();
    section(&mut out, "backends", table("  ", &backends));
    out
}

/// `sluice 0.1.0, policy 3 (54b1ff0c2a11) for 2h 5m`, and what is wrong with a newer one.
fn heading(status: &Value, now: SystemTime) -> String {
    let policy = &status["policy"];
    let (version, generation) = (text(&status["version"]), number(&policy["generation"]));
    let (hash, age) = (text(&policy["hash"]), age(&policy["loaded_at"], now));
    let mut out = format!("sluice {version}, policy {generation} ({hash}) for {age}\n");
    if let Some(error) = policy["last_error"].as_str() {
        out.push_str("the latest policy was refused, the one before it is in force:\n");
        error.lines().for_each(|line| out.push_str(&format!("  {}\n", printable(line))));
    }
    out
}

fn section(out: &mut String, heading: &str, rows: String) {
    if !rows.is_empty() {
        out.push_str(&format!("\n{}\n{rows}", table::heading(heading)));
    }
}

/// `gaming_pc  closed  GAMING by push, for 4m 2s  1 unforced and 2 forced in flight`
fn gate_row(name: &str, gate: &Value, now: SystemTime) -> [Cell; 4] {
    let asleep = if gate["available"] == false { ", asleep" } else { "" };
    let mode = match gate["mode"].as_str() {
        Some(mode) => format!("{mode} by {}", text(&gate["source"])),
        None => "nobody has said a mode".to_owned(),
    };
    let (in_flight, forced) = (number(&gate["in_flight"]), number(&gate["forced"]));
    [
        name.into(),
        gate_state(text(&gate["state"]), asleep),
        format!("for {}, {mode}", age(&gate["since"], now)).into(),
        format!("{in_flight} unforced and {forced} forced in flight").into(),
    ]
}

fn gate_state(state: &str, asleep: &str) -> Cell {
    let shown = format!("{state}{asleep}");
    match state {
        "open" if asleep.is_empty() => Cell::good(shown),
        "unknown" => Cell::bad(shown),
        _ => Cell::fair(shown),
    }
}

fn gpu_row(name: &str, gpu: &Value) -> [String; 3] {
    let (in_flight, limit) = (number(&gpu["in_flight"]), number(&gpu["limit"]));
    [name.to_owned(), format!("{in_flight} of {limit} slots"), format!("{} waiting", number(&gpu["queued"]))]
}

/// A row for each peer; the backend's name stands on the first.
fn backend_rows(name: &str, backend: &Value) -> Vec<[Cell; 5]> {
    let up = |up: &Value, word: &str| if *up == true { Cell::good(word) } else { Cell::bad("DOWN") };
    let peers = backend["peers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |(place, peer): (usize, &Value)| {
        let available = up(&backend["available"], "available");
        let (name, available) = if place == 0 { (name, available) } else { ("", "".into()) };
        let in_flight = format!("{} in flight", number(&peer["in_flight"]));
        [
            name.into(),
            available,
            text(&peer["address"]).into(),
            up(&peer["healthy"], "healthy"),
            in_flight.into(),
        ]
    };
    peers.iter().enumerate().map(row).collect()
}

fn rows<C, const N: usize>(
    status: &Value,
    member: &str,
    row: impl Fn(&str, &Value) -> [C; N],
) -> Vec<[C; N]> {
    members(status, member).map(|(name, value)| row(name, value)).collect()
}

fn members<'a>(status: &'a Value, member: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    status.get(member).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// How long ago a time is: `2h 5m`; two units are enough.
pub fn age(time: &Value, now: SystemTime) -> String {
    let Ok(time) = humantime::parse_rfc3339(text(time)) else { return "?".to_owned() };
    let seconds = now.duration_since(time).unwrap_or_default().as_secs();
    let shown = humantime::format_duration(Duration::from_secs(seconds)).to_string();
    shown.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
