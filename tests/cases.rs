//! Golden decisions: every file under `tests/cases/` says what is given, when a request comes, and what is
//! then decided. `routing/` is the routing table, a file a row, written by `generate.py`; `guarantees/` is
//! what the engine promises whatever the rules say.

#![cfg(test)]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use sluice::policy::{Decision, Facts, Outcome, Policy, Refusal};
use sluice::{openai, policy};

#[path = "cases/format.rs"]
mod format;
#[path = "../src/policy/sample.rs"]
mod sample;

use format::{Case, Then};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Mode 3 × signal 4 × tokens 3 × pattern 2 × big 2 × small 2.
const ROUTING_ROWS: usize = 288;

/// The policy that the cases are about: the manual's example.
fn example() -> Policy {
    sample::policy()
}

#[test]
fn the_routing_table() {
    assert_eq!(run("routing"), ROUTING_ROWS, "rows of the routing table");
}

#[test]
fn the_guarantees() {
    assert!(run("guarantees") > 0, "no file was found");
}

/// Runs every file of a folder, reports all that fail, and says how many there were.
fn run(folder: &str) -> usize {
    let files = files(folder).unwrap_or_else(|problem| panic!("{folder}: {problem}"));
    let problems: Vec<_> = files
        .iter()
        .filter_map(|file| check(file).err().map(|problem| format!("{}\n    {problem}", file.display())))
        .collect();
    let (failed, all) = (problems.len(), files.len());
    assert!(problems.is_empty(), "{failed} of {all} cases in {folder} fail:\n{}", problems.join("\n"));
    all
}

fn files(folder: &str) -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(folder);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    Ok(files)
}

fn check(file: &Path) -> Result<()> {
    let case: Case = serde_yaml::from_str(&fs::read_to_string(file)?)?;
    let policy = case.given.policy(example())?;
    let facts = case.when.facts(&policy)?;
    let view = case.given.view(&policy)?;
    let decided = told(&policy, &facts, &policy.decide(&facts, &view));
    let decided =
        Then { candidates: decided.candidates.filter(|_| case.then.candidates.is_some()), ..decided };
    if decided == case.then {
        return Ok(());
    }
    Err(format!("expected {:?}\n    but got  {decided:?}", case.then).into())
}

/// A decision in the words of a case.
fn told(policy: &Policy, facts: &Facts, decision: &Decision) -> Then {
    let candidates = decision.candidates.iter();
    let candidates = candidates
        .map(|(id, verdict)| [(policy.backend_name(*id).to_owned(), verdict.as_str().to_owned())].into());
    let mut then = Then {
        rule: decision.rule_name(policy, facts).into_owned(),
        reason: decision.reason.as_str().to_owned(),
        forced: decision.forced,
        candidates: Some(candidates.collect()),
        ..Then::default()
    };
    match &decision.outcome {
        Outcome::Route(id) => then.backend = Some(policy.backend_name(*id).to_owned()),
        Outcome::Refuse(refusal) => tell_refusal(&mut then, refusal),
    }
    then
}

fn tell_refusal(then: &mut Then, refusal: &Refusal) {
    let word = match refusal {
        Refusal::UnknownModel => "unknown_model",
        Refusal::WrongEndpoint => "wrong_endpoint",
        Refusal::ContextLengthExceeded { window } => {
            then.window = Some(*window);
            "context_length_exceeded"
        }
        Refusal::NoCandidate(reason) => {
            then.because = Some(reason.as_str().to_owned());
            "no_candidate"
        }
    };
    then.refuse = Some(word.to_owned());
}
