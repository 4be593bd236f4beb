//! `sluice explain`: decides for a request body with the engine and the reading of live traffic, and
//! says why.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use pingora_http::RequestHeader;
use serde_json::{Value, json};

use super::{EXIT_CONFIG, EXIT_REFUSED, explain_text, out};
use crate::config;
use crate::fleet::{Fleet, Live};
use crate::openai::{Endpoint, Refused};
use crate::policy::{GateState, GateView, Outcome, Reason, View};
use crate::proxy::{facts, refused, unread};
use crate::telemetry::record;

/// What to decide about, and what to assume.
#[derive(Debug, Args)]
pub struct Explain {
    /// The settings file
    #[arg(long, value_name = "FILE", default_value = "conf/sluice.yaml")]
    config: PathBuf,
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
    let config = match config::load(&asked.config) {
        Ok(config) => config,
        Err(problems) => {
            super::complain(&problems);
            return Ok(EXIT_CONFIG);
        }
    };
    let live = Fleet::new(config.policy, config.policy_hash)?.live();
    let view = assumed(&live, asked)?;
    let decision = decide(&live, &view, asked)?;
    let shown = if asked.json { format!("{decision:#}\n") } else { explain_text::render(&decision) };
    out(&shown)?;
    let routed = decision.get("outcome").is_some_and(|outcome| outcome == "route");
    Ok(if routed { 0 } else { EXIT_REFUSED })
}

fn decide(live: &Live, view: &View, asked: &Explain) -> anyhow::Result<Value> {
    let Some(endpoint) = Endpoint::of_path(&asked.path) else {
        let paths: Vec<_> = Endpoint::ALL.iter().map(|endpoint| endpoint.path()).collect();
        bail!("{} is none of the paths that are decided about: {}", asked.path, paths.join(", "));
    };
    let body = body(&asked.file)?;
    let (facts, _) = match facts(live, endpoint, &head(asked)?, &body, &asked.client) {
        Ok(read) => read,
        Err(fault) => return Ok(unreadable(&unread(fault))),
    };
    let decision = live.policy.decide(&facts, view);
    let refusal = match &decision.outcome {
        Outcome::Route(_) => None,
        Outcome::Refuse(refusal) => Some(shown(&refused(&live.policy, &facts, refusal))),
    };
    let rules = live.policy.trace(&facts, view);
    Ok(record::decision(&live.policy, &facts, view, &decision, Some(&rules), refusal))
}

/// A request that is refused before anything is decided.
fn unreadable(refused: &Refused) -> Value {
    json!({
        "outcome": "refuse", "backend": null, "rule": null, "reason": refused.code, "facts": null,
        "rules": [], "candidates": [], "refusal": shown(refused),
    })
}

fn shown(refused: &Refused) -> Value {
    json!({"status": refused.status, "code": refused.code, "message": refused.message})
}

fn body(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file != Path::new("-") {
        return std::fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    }
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body).context("cannot read standard input")?;
    Ok(body)
}

fn head(asked: &Explain) -> anyhow::Result<RequestHeader> {
    let mut head = RequestHeader::build("POST", asked.path.as_bytes(), None)?;
    for header in &asked.header {
        let (name, value) =
            header.split_once(':').with_context(|| format!("{header:?} is not 'Name: value'"))?;
        head.append_header(name.trim().to_owned(), value.trim())?;
    }
    Ok(head)
}

/// Every gate open and every backend up, but for what was said.
fn assumed(live: &Live, asked: &Explain) -> anyhow::Result<View> {
    let policy = &live.policy;
    let mut view = View {
        gates: vec![GateView { state: GateState::Open, available: true }; policy.gates.len()],
        backends: vec![None; policy.backends.len()],
    };
    for gate in &asked.gate {
        let (name, state) = gate.split_once('=').with_context(|| format!("{gate:?} is not NAME=STATE"))?;
        let mut gates = policy.gates.iter().zip(&mut view.gates);
        let (_, seen) = gates
            .find(|(gate, _)| gate.name == name)
            .with_context(|| format!("the policy has no gate {name:?}"))?;
        seen.state = state_of(state)?;
    }
    for name in &asked.down {
        let mut backends = policy.backends.iter().zip(&mut view.backends);
        let (_, seen) = backends
            .find(|(backend, _)| backend.name == *name)
            .with_context(|| format!("the policy has no backend {name:?}"))?;
        *seen = Some(Reason::Unhealthy);
    }
    Ok(view)
}

fn state_of(word: &str) -> anyhow::Result<GateState> {
    match word {
        "open" => Ok(GateState::Open),
        "closed" => Ok(GateState::Closed),
        "unknown" => Ok(GateState::Unknown),
        _ => bail!("a gate is open, closed or unknown, not {word:?}"),
    }
}
