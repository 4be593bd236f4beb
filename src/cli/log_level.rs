//! `sluice log-level`: reads how much a running sluice logs, or changes it.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::admin::Admin;

/// Whom to ask, and what to say.
#[derive(Debug, Args)]
pub struct LogLevel {
    #[command(flatten)]
    admin: Admin,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    /// What is logged until the next change or restart; without it the level is read
    #[arg(value_name = "LEVEL")]
    level: Option<Level>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    /// What failed
    Error,
    /// And what was mended
    Warn,
    /// And what happens: a line an exchange
    Info,
    /// And how: each decision, attempt, poll and probe
    Debug,
    /// And every step
    Trace,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Reads or changes the level.
///
/// # Errors
/// When nobody answers, or not to us.
pub fn run(asked: &LogLevel) -> anyhow::Result<u8> {
    let answer = match asked.level {
        Some(level) => asked.admin.write("/log", &json!({"level": level.as_str()}), Duration::ZERO)?,
        None => asked.admin.read("/log")?,
    };
    let word = |member: &str| answer.get(member).and_then(|it| it.as_str()).unwrap_or("off");
    let told = match asked.level {
        Some(_) => format!("{} (it was {})\n", word("level"), word("before")),
        None => format!("{}\n", word("level")),
    };
    super::out(&if asked.json { format!("{answer:#}\n") } else { told })?;
    Ok(0)
}
