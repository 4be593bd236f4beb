//! `sluice replay`: decides again about what the audit file recorded, under a policy that may come, and
//! shows what would change.

mod lines;
mod report;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::config_file::ConfigFile;
use super::{EXIT_CONFIG, EXIT_DIFFERENT};
use crate::config;
use crate::policy::{Decision, Facts, Outcome, Policy};
use crate::proxy::explain;
use crate::telemetry::replay::{self, Again};
use lines::Lines;
use report::{Answer, Change, Report, WouldBe};

/// Under which policy, about what.
#[derive(Debug, Args)]
pub struct Replay {
    #[command(flatten)]
    config: ConfigFile,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
    /// Audit files, those put aside too (audit.jsonl.1 …); `-` for standard input
    #[arg(required = true, value_name = "AUDIT.jsonl")]
    files: Vec<PathBuf>,
}

/// Decides again and prints.
///
/// # Errors
/// A file that cannot be read, or in which there is no record at all.
pub fn run(asked: &Replay) -> anyhow::Result<u8> {
    let policy = match config::load(asked.config.path()) {
        Ok(config) => config.policy,
        Err(problems) => {
            super::complain(&problems);
            return Ok(EXIT_CONFIG);
        }
    };
    let mut report = Report::default();
    for file in &asked.files {
        read(file, &policy, &mut report)?;
    }
    if report.records == 0 && report.bad_lines > 0 {
        anyhow::bail!("there is no audit record among {} lines", report.bad_lines);
    }
    report.changes.sort_by(|one, other| one.time.cmp(&other.time));
    super::out(&if asked.json { format!("{:#}\n", report.json()) } else { report.text() })?;
    Ok(if report.changes.is_empty() { 0 } else { EXIT_DIFFERENT })
}

fn read(file: &Path, policy: &Policy, report: &mut Report) -> anyhow::Result<()> {
    let mut lines = Lines::open(file)?;
    while let Some((number, line)) = lines.next()? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if let Err(problem) = one(&line, policy, report) {
            lines.say(&format_args!("{}:{number}: skipped: {problem}", file.display()));
            report.bad_lines += 1;
        }
    }
    Ok(())
}

/// One line: counted, and kept where the answer would be another one.
fn one(line: &[u8], policy: &Policy, report: &mut Report) -> Result<(), String> {
    let record: Value = serde_json::from_slice(line).map_err(|error| format!("no JSON: {error}"))?;
    let facts = record.get("facts").ok_or("no audit record: it has no facts")?;
    if facts.is_null() {
        report.records += 1;
        report.never_decided += 1;
        return Ok(());
    }
    let again = replay::decide(policy, facts).map_err(|error| error.to_string())?;
    report.records += 1;
    let was = recorded_answer(&record);
    let would_be = match again {
        Again::Decided { decision, facts } => WouldBe::Decided(answer(policy, &facts, &decision)),
        Again::Undecidable(needs) => WouldBe::Undecidable(needs),
    };
    if would_be != WouldBe::Decided(was.clone()) {
        report.changes.push(Change::new(&record, facts, was, would_be));
    }
    Ok(())
}

/// What the engine decided then. That a request got no answer for another reason (it died twice, the
/// process stopped) is no part of its decision: the candidate that was chosen tells.
fn recorded_answer(record: &Value) -> Answer {
    let candidates = record.get("candidates").and_then(Value::as_array).into_iter().flatten();
    let chosen = candidates.filter(|it| it["verdict"] == "chosen").find_map(|it| it["backend"].as_str());
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let refusal = if chosen.is_some() { None } else { text("/refusal/code") };
    Answer { backend: chosen.map(str::to_owned), rule: text("/rule"), refusal }
}

fn answer(policy: &Policy, facts: &Facts, decision: &Decision) -> Answer {
    let rule = decision.rule_name(policy, facts);
    let (backend, refusal) = match &decision.outcome {
        Outcome::Route(id) => (Some(policy.backend_name(*id).to_owned()), None),
        Outcome::Refuse(refusal) => (None, Some(explain::refused(policy, facts, refusal).code.to_owned())),
    };
    Answer { backend, rule: (!rule.is_empty()).then(|| rule.into_owned()), refusal }
}

#[cfg(test)]
mod tests;
