//! One test for each class of mistake, each with the exact line that a person gets.

mod backends;
mod clients;
mod estate;
mod files;
mod rules;
mod settings;

use std::path::Path;

use super::{Config, Problems, load};
use crate::policy::Policy;

/// A policy to which each test adds one mistake, line by line.
const POLICY: &str = "version: 1
gpus:
  card: { max_in_flight: 4, exclusive: [voice] }
gates:
  pc: {}
backends:
  small: { gpu: card, peers: ['127.0.0.1:8000'], model: m }
  big: { gate: pc, peers: ['[::1]:8000', pc.lan:8001], model: n, fail_soft: [small] }
  voice: { kind: speech, gpu: card, peers: ['127.0.0.1:8004'], model: v }
models:
  big: {}
  little: { backend: small }
  voice: { backend: voice }
prompt:
  tags: { force: '#force' }
rules:
  - name: forced
    when: { tag: [force] }
    route: big
  - name: default
    route: small
";

/// Loads both texts from one directory; paths in what is said are relative to it.
fn load_both(settings: &str, policy: &str) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sluice.yaml");
    std::fs::write(&path, settings).unwrap();
    std::fs::write(directory.path().join("policy.yaml"), policy).unwrap();
    load(&path).map_err(|problems| without(&problems, directory.path()))
}

fn without(problems: &Problems, directory: &Path) -> String {
    problems.to_string().replace(&format!("{}/", directory.display()), "")
}

/// What is wrong with the settings `version: 1` and these lines after it.
fn wrong_settings(lines: &str) -> String {
    load_both(&format!("version: 1\n{lines}"), POLICY).unwrap_err()
}

/// [`POLICY`] with `from`, which stands in it once, turned into `to`.
fn changed(from: &str, to: &str) -> String {
    assert_eq!(POLICY.matches(from).count(), 1, "{from}");
    POLICY.replace(from, to)
}

/// What is wrong with the changed policy.
fn wrong(from: &str, to: &str) -> String {
    load_both("version: 1", &changed(from, to)).unwrap_err()
}

/// The changed policy, which has no mistake.
fn right(from: &str, to: &str) -> Policy {
    load_both("version: 1", &changed(from, to)).unwrap_or_else(|said| panic!("{said}")).policy
}

/// The warnings about the changed policy.
fn warnings(from: &str, to: &str) -> Vec<String> {
    let config = load_both("version: 1", &changed(from, to)).unwrap_or_else(|said| panic!("{said}"));
    let said = config.warnings.iter().map(ToString::to_string);
    said.map(|line| line.split_once("policy.yaml:").unwrap().1.to_owned()).collect()
}
