//! `sluice explain`: decides for a request body with the engine and the reading of live traffic, and
//! says why.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::config_file::ConfigFile;
use super::{EXIT_CONFIG, EXIT_REFUSED, explain_text, out};
use crate::config;
use crate::fleet::Fleet;
use crate::proxy::explain::{self, Question};

/// What to decide about, and what to assume.
#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    config: ConfigFile,
    /// Assume a gate's state: NAME=open|closed|unknown (may be given again; gates are open unless told)
    #[arg(long, value_name = "NAME=STATE")]
    gate: Vec<String>,
    /// Assume that a backend is down (may be given again)
    #[arg(long, value_name = "BACKEND")]
    down: Vec<String>,
    /// A request header: 'Name: value' (may be given again)
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// The path that is asked
    #[arg(long, default_value = "/v1/chat/completions")]
    path: String,
    /// The client's name
    #[arg(long, default_value = "lan")]
    client: String,
    /// Print the decision as JSON
    #[arg(long)]
    json: bool,
    /// The request body, `-` for standard input
    file: PathBuf,
}

/// Decides and prints.
///
/// # Errors
/// A file that cannot be read, a gate or backend that the policy does not have.
pub fn run(asked: &Explain) -> anyhow::Result<u8> {
    let config = match config::load(asked.config.path()) {
        Ok(config) => config,
        Err(problems) => {
            super::complain(&problems);
            return Ok(EXIT_CONFIG);
        }
    };
    let live = Fleet::new(config.policy, config.policy_hash)?.live();
    let gates = pairs(&asked.gate, '=', "NAME=STATE")?;
    let view = explain::assume(&live, &gates, &asked.down)?;
    let decision = explain::explain(&live, &view, &question(asked)?)?;
    let shown = if asked.json { format!("{decision:#}\n") } else { explain_text::render(&decision) };
    out(&shown)?;
    let routed = decision.get("outcome").is_some_and(|outcome| outcome == "route");
    Ok(if routed { 0 } else { EXIT_REFUSED })
}

fn question(asked: &Explain) -> anyhow::Result<Question> {
    Ok(Question {
        endpoint: explain::endpoint(&asked.path)?,
        headers: pairs(&asked.header, ':', "'Name: value'")?,
        body: body(&asked.file)?,
        client: asked.client.clone(),
    })
}

fn pairs(written: &[String], separator: char, form: &str) -> anyhow::Result<Vec<(String, String)>> {
    let split = |text: &String| {
        let (name, value) = text.split_once(separator).with_context(|| format!("{text:?} is not {form}"))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    written.iter().map(split).collect()
}

fn body(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file != Path::new("-") {
        return std::fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    }
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body).context("cannot read standard input")?;
    Ok(body)
}
