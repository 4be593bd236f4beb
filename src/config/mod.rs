//! Configuration: two YAML files become typed values that cannot be wrong, or a list of all that is wrong.
//!
//! ```text
//! bytes ─▶ raw ─────▶ reader ─────────▶ settings.rs ─▶ Settings
//!          a tree     typed, collects   policy.rs ───▶ crate::policy::Policy
//!          with lines every problem
//! ```
//!
//! Where is it? A default or a legal range: `defaults.rs`. A key of `sluice.yaml`: `settings.rs`. Of `policy.yaml`:
//! `estate.rs` (GPUs, gates, models), `backends.rs`, `outside.rs` (what an API asks for), `clients.rs`, `prompt.rs`,
//! `rules.rs`, `condition.rs`. What the system gives instead of a file: `roots.rs`.

mod backends;
mod clients;
mod condition;
mod defaults;
mod estate;
mod names;
mod outside;
mod policy;
mod problem;
mod prompt;
mod raw;
mod reader;
mod roots;
mod rules;
mod scalar;
mod secrets;
mod settings;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::policy::Policy;
use problem::Findings;
pub use problem::{Problem, Problems};
use raw::{Node, Unreadable};
use reader::Item;
pub use roots::{BadRoots, check_roots};
pub use settings::{Audit, Limits, Log, LogFormat, LogLevel, Settings};

/// Both files, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `sluice.yaml`.
    pub settings: Settings,
    /// `policy.yaml`.
    pub policy: Policy,
    /// What tells one content of `policy.yaml` from another; see [`load_policy`].
    pub policy_hash: String,
    /// What is legal and hardly meant, in both files.
    pub warnings: Vec<Problem>,
}

/// `policy.yaml` alone, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedPolicy {
    /// The policy.
    pub policy: Policy,
    /// The first 12 hex digits of the file's SHA-256.
    pub hash: String,
    /// What is legal and hardly meant.
    pub warnings: Vec<Problem>,
}

/// Reads `sluice.yaml` and the policy it names.
///
/// # Errors
/// Everything that is wrong in both files; `policy.yaml` is also looked at when `sluice.yaml` is wrong, as long as
/// it says where the policy is.
pub fn load(settings_path: &Path) -> Result<Config, Problems> {
    let (settings, policy_path) = load_settings(settings_path);
    let policy = policy_path.map(|path| load_policy(&path));
    match (settings, policy) {
        (Ok((settings, mut warnings)), Some(Ok(loaded))) => {
            warnings.extend(loaded.warnings);
            Ok(Config { settings, policy: loaded.policy, policy_hash: loaded.hash, warnings })
        }
        (Err(problems), Some(Err(more))) => Err(problems.and(more)),
        (Err(problems), _) | (Ok(_), Some(Err(problems))) => Err(problems),
        // Settings without a mistake always name a policy.
        (Ok(_), None) => Err(unreadable(settings_path, nowhere())),
    }
}

/// Reads `policy.yaml`: at start and at each reload.
///
/// # Errors
/// Everything that is wrong in it.
pub fn load_policy(path: &Path) -> Result<LoadedPolicy, Problems> {
    parse_policy(path, &read(path).map_err(|problem| unreadable(path, problem))?)
}

/// The same of bytes that are at hand; `path` is only said in problems.
///
/// # Errors
/// Everything that is wrong in them.
pub fn parse_policy(path: &Path, bytes: &[u8]) -> Result<LoadedPolicy, Problems> {
    let node = raw::parse(bytes).map_err(|problem| unreadable(path, problem))?;
    let findings = Findings::new(path);
    let directory = path.parent().unwrap_or(Path::new(""));
    let policy = policy::read(&Item::root(&node, &findings), directory);
    let (policy, warnings) = findings.finish(policy)?;
    Ok(LoadedPolicy { policy, hash: hash(bytes), warnings })
}

type SettingsAndWarnings = (Settings, Vec<Problem>);

/// The settings, and where the policy is: known also from settings with mistakes elsewhere.
fn load_settings(path: &Path) -> (Result<SettingsAndWarnings, Problems>, Option<PathBuf>) {
    let node = match document(path) {
        Ok(node) => node,
        Err(problems) => return (Err(problems), None),
    };
    let directory = path.parent().unwrap_or(Path::new(""));
    let findings = Findings::new(path);
    let item = Item::root(&node, &findings);
    let root = settings::open(&item);
    let policy_path = settings::policy_path(&root, directory);
    let settings = settings::read(&root, directory, policy_path.clone().unwrap_or_default());
    (findings.finish(settings), policy_path)
}

/// A file's tree.
fn document(path: &Path) -> Result<Node, Problems> {
    let parsed = read(path).and_then(|bytes| raw::parse(&bytes));
    parsed.map_err(|problem| unreadable(path, problem))
}

/// The file's bytes, never more than one past the limit: a device or a pipe may have no end.
fn read(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    let most = u64::try_from(raw::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let done = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    done.map(|_| bytes).map_err(|error| Unreadable {
        line: 1,
        problem: format!("cannot be read: {error}"),
        help: "check the path and who may read it".to_owned(),
    })
}

fn unreadable(path: &Path, problem: Unreadable) -> Problems {
    let Unreadable { line, problem, help } = problem;
    Problems::from(Problem { file: path.to_owned(), line, path: "(file)".to_owned(), problem, help })
}

fn nowhere() -> Unreadable {
    let problem = "does not say where the policy is".to_owned();
    Unreadable { line: 1, problem, help: "write `policy: policy.yaml`".to_owned() }
}

/// The beginning of what `sha256sum` prints for the file.
fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
