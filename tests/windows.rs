//! The scripts in `windows/`: their syntax, what every one of them has to have, and that their tables fit them.
//!
//! No PowerShell is here. The syntax is checked on the tree-sitter grammar; the tables (`windows/tests/tables`) are run
//! by Pester on Windows, and here as far as Rust has the same thing to say: `src/cli/demo/pc.rs` and
//! `tests/it/support/pc.rs` answer by the table of the mode, `tests/it/evening.rs` takes the steps of the table of steps.

#![cfg(test)]

#[path = "windows/samples.rs"]
mod samples;
#[path = "windows/script.rs"]
mod script;
#[path = "windows/tables.rs"]
mod tables;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use script::Script;
use sluice::openai::Endpoint;

/// Every file of PowerShell under `windows/`.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("windows"), &mut found);
    found.sort();
    assert!(found.len() >= 17, "all are found: {found:?}");
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path
            .extension()
            .is_some_and(|end| ["ps1", "psm1", "psd1"].iter().any(|known| end == *known))
        {
            found.push(path);
        }
    }
}

/// The scripts that people and tasks start.
fn scripts() -> Vec<PathBuf> {
    files()
        .into_iter()
        .filter(|path| path.parent().is_some_and(|folder| folder.ends_with("windows")))
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_file_is_powershell_5_1() {
    let faults: Vec<_> = files()
        .iter()
        .flat_map(|path| {
            let faults = Script::of(&read(path)).faults();
            faults.into_iter().map(|fault| format!("{}:{fault}", path.display())).collect::<Vec<_>>()
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_script_has_what_a_script_has_to_have() {
    for path in scripts() {
        let text = read(&path);
        let name = path.display();
        for wanted in [
            "<#\n.SYNOPSIS\n",
            "\n.EXAMPLE\n",
            "[CmdletBinding(",
            "Set-StrictMode -Version Latest",
            "$ErrorActionPreference = 'Stop'",
        ] {
            assert!(text.contains(wanted), "{name}: {wanted:?} is missing");
        }
        assert!(text.starts_with("<#\n"), "{name}: the help comes first");
        let script = Script::of(&text);
        let helped: BTreeSet<_> = text.lines().filter_map(|line| line.strip_prefix(".PARAMETER ")).collect();
        let parameters: BTreeSet<_> = script.parameters().into_iter().collect();
        assert_eq!(parameters, helped, "{name}: its parameters and those with a help");
        let changes = ["install", "uninstall", "set-mode", "refresh-portproxy"];
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if changes.contains(&stem) {
            assert!(text.contains("SupportsShouldProcess = $true"), "{name}: no -WhatIf");
            assert!(text.contains("$PSCmdlet.ShouldProcess("), "{name}: -WhatIf is not asked");
        }
    }
}

#[test]
fn what_is_known_to_be_wrong_is_refused() {
    for sample in samples::BROKEN {
        assert!(!Script::of(sample).faults().is_empty(), "{sample:?} passes");
    }
    for sample in samples::RIGHT {
        assert_eq!(Script::of(sample).faults(), Vec::<String>::new(), "{sample:?}");
    }
}

#[test]
fn a_bracket_that_is_taken_away_is_noticed() {
    let (mut missed, mut all) = (Vec::new(), 0);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("windows");
    for path in [folder.join("set-mode.ps1"), folder.join("refresh-portproxy.ps1")] {
        let text = read(&path);
        for (at, bracket) in Script::of(&text).brackets() {
            all += 1;
            let (before, rest) = text.split_at(at);
            let mutant = format!("{before}{}", rest.strip_prefix(bracket).expect("it is there"));
            if Script::of(&mutant).faults().is_empty() {
                missed.push(format!("{}: {bracket} at {at}", path.display()));
            }
        }
    }
    // a few of them leave correct code of another meaning
    assert!(all > 200 && missed.len() * 50 < all, "{} of {all} pass:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn tasks_and_shortcuts_name_scripts_that_are_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("windows");
    let mut named = 0;
    for (file, _) in tables::all() {
        if file != "Get-Tasks" && file != "Get-Shortcuts" {
            continue;
        }
        let text = read(&folder.join("tests/tables").join(format!("{file}.json")));
        for piece in text.split("bin\\\\").skip(1) {
            let script = piece.split(".ps1").next().expect("a name");
            assert!(folder.join(format!("{script}.ps1")).is_file(), "{file}: {script}.ps1");
            named += 1;
        }
    }
    assert_eq!(named, 5, "three tasks, two shortcuts");
}

#[test]
fn the_door_lets_through_what_sluice_asks_for_and_nothing_else() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("windows/vllm/sleep.yaml");
    let text = read(&path);
    let open: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("location = ")?.split_once(' '))
        .map(|(path, action)| {
            assert_eq!(action, "{ proxy_pass $$vllm; }", "{path}");
            path
        })
        .collect();
    let asked =
        Endpoint::ALL.into_iter().filter(|endpoint| *endpoint != Endpoint::Speech).map(Endpoint::path);
    let probed_and_scraped = ["/health", "/metrics", "/v1/models"];
    assert_eq!(open, asked.chain(probed_and_scraped).collect());
    assert!(text.contains("location / { return 404; }"), "all else");
    assert!(text.contains("- \"127.0.0.1:8001:8000\""), "vLLM itself is on the loopback");
}
