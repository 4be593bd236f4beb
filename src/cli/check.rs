//! `sluice check`: both files read, every problem printed, nothing started.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::EXIT_CONFIG;
use super::config_file::ConfigFile;
use crate::config::{self, Config, Problem, Problems};

/// What to check, and how to say it.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    config: ConfigFile,
    /// Print the problems and the warnings as JSON
    #[arg(long)]
    json: bool,
}

/// Checks the settings and the policy they name, and says on `out` what is wrong, one problem a line, or in a few
/// words what there is. Gives back the exit code: 0, or 78 when there is a problem.
pub fn run(asked: &Check, out: &mut dyn Write) -> u8 {
    check(asked.config.path(), asked.json, out)
}

fn check(path: &Path, json: bool, out: &mut dyn Write) -> u8 {
    let loaded = config::load(path);
    let code = if loaded.is_ok() { 0 } else { EXIT_CONFIG };
    let said = match loaded {
        loaded if json => writeln!(out, "{:#}", structured(&loaded)),
        Ok(config) => summary(path, &config, out),
        Err(problems) => writeln!(out, "{problems}"),
    };
    // A reader that went away changes nothing about the configuration.
    drop(said);
    code
}

fn structured(loaded: &Result<Config, Problems>) -> Value {
    let (problems, warnings) = match loaded {
        Ok(config) => (Vec::new(), config.warnings.iter().map(each).collect()),
        Err(problems) => (problems.iter().map(each).collect(), Vec::new()),
    };
    let hash = loaded.as_ref().ok().map(|config| &config.policy_hash);
    json!({"ok": loaded.is_ok(), "policy_hash": hash, "problems": problems, "warnings": warnings})
}

fn each(problem: &Problem) -> Value {
    let Problem { file, line, path, problem, help } = problem;
    json!({"file": file.display().to_string(), "line": line, "path": path, "problem": problem, "help": help})
}

fn summary(path: &Path, config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let Config { settings, policy, policy_hash, warnings } = config;
    for warning in warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let counts = [
        counted(policy.backends.len(), "backend"),
        counted(policy.gates.len(), "gate"),
        counted(policy.gpus.len(), "gpu"),
        counted(policy.models.len(), "model"),
        counted(policy.rules.len(), "rule"),
    ];
    writeln!(out, "{}: ok", path.display())?;
    writeln!(out, "{}: ok, {} (hash {policy_hash})", settings.policy_path.display(), counts.join(", "))
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(settings: &str, policy: &str) -> (u8, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sluice.yaml");
        std::fs::write(&path, settings).unwrap();
        std::fs::write(directory.path().join("policy.yaml"), policy).unwrap();
        let mut out = Vec::new();
        let code = check(&path, false, &mut out);
        let said = String::from_utf8(out).unwrap();
        (code, said.replace(&format!("{}/", directory.path().display()), ""))
    }

    const POLICY: &str = "version: 1
backends: { small: { peers: ['127.0.0.1:8000'], model: m } }
rules: [{ name: all, route: small }]
";

    #[test]
    fn a_good_configuration_is_summed_up() {
        let said = "sluice.yaml: ok\n\
                    policy.yaml: ok, 1 backend, 0 gates, 0 gpus, 1 model, 1 rule (hash ";
        let (code, out) = checked("version: 1\n", POLICY);
        assert_eq!(code, 0);
        assert!(out.starts_with(said), "{out}");
    }

    #[test]
    fn problems_of_both_files_are_printed_one_a_line() {
        let (code, out) = checked("version: 1\nthreads: 65\n", "version: 1\nbackends: {}\nrules: []\n");
        let lines = "sluice.yaml:2: threads: 65 is out of range (legal: 1 to 64)
policy.yaml:2: backends: no backend is configured (name at least one model server)
policy.yaml:3: rules: the list is empty (name at least one)
";
        assert_eq!((code, out.as_str()), (EXIT_CONFIG, lines));
    }

    #[test]
    fn warnings_do_not_refuse() {
        let (code, out) = checked("version: 1\n", &format!("{POLICY}gates: {{ pc: {{}} }}\n"));
        let warning = "warning: policy.yaml:4: gates.pc: no backend stands behind this gate: \"pc\" ";
        assert_eq!(code, 0);
        assert!(out.starts_with(warning), "{out}");
    }

    #[test]
    fn a_token_that_guards_nothing_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("policy.yaml"), POLICY).unwrap();
        std::fs::write(directory.path().join("empty"), "\n").unwrap();
        std::fs::write(directory.path().join("word"), "word\n").unwrap();
        let path = directory.path().join("sluice.yaml");
        for (admin, wanted) in [
            ("token_file: empty", "admin.token_file: the token is empty"),
            ("gate_token_file: word", "admin.gate_token_file: a token for gates alone guards nothing"),
        ] {
            std::fs::write(&path, format!("version: 1\nadmin: {{ {admin} }}\n")).unwrap();
            let mut out = Vec::new();
            assert_eq!(check(&path, false, &mut out), EXIT_CONFIG, "{admin}");
            let said = String::from_utf8(out).unwrap();
            assert!(said.contains(wanted), "{said}");
        }
    }
}
