//! `sluice key new`: a key for a client. Only its SHA-256 goes into the policy.

use clap::{Args, Subcommand};
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};

use super::out;

/// Keys of clients
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key: it is printed once, with the line for policy.yaml
    New(New),
}

/// Whose key.
#[derive(Debug, Args)]
struct New {
    /// The client's name: letters, digits and . _ -
    #[arg(value_parser = name)]
    name: String,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Makes a key and prints it.
///
/// # Errors
/// No random bytes, or nowhere to print.
pub fn run(key: &Key) -> anyhow::Result<u8> {
    let Command::New(New { name, json }) = &key.command;
    let mut bytes = [0_u8; 32];
    OsRng.try_fill_bytes(&mut bytes)?;
    let secret = format!("sk-sluice-{}", hex(&bytes));
    let hash = hex(&Sha256::digest(&secret));
    let line = format!("{name}: {{ key_sha256: \"{hash}\" }}");
    if *json {
        let shown = serde_json::json!({"name": name, "key": secret, "key_sha256": hash, "policy": line});
        out(&format!("{shown:#}\n"))?;
    } else {
        out(&format!(
            "The key of {name}, shown this once:\n\n  {secret}\n\nUnder `clients:` in policy.yaml:\n\n  {line}\n"
        ))?;
    }
    Ok(0)
}

/// As `policy.yaml` takes it.
fn name(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.len() > 64 || !text.chars().all(legal) {
        return Err("1 to 64 letters, digits and . _ -".to_owned());
    }
    Ok(text.to_owned())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
