//! The gaming PC on Linux: its two files, the endpoint that reads them, a vLLM that dies when it is asked in its sleep.
//! The mode is set by the steps that `windows/set-mode.ps1` takes, from the table that both are held to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::eventually;
use super::gateway::Gateway;

/// What set-mode.ps1 does, by mode, wish and state of the model.
const STEPS: &str = include_str!("../../../windows/tests/tables/Get-ModeSteps.json");
/// What does not happen for so long fails the test.
const PATIENCE: Duration = Duration::from_secs(10);

/// The PC's folder.
pub struct Pc {
    folder: TempDir,
}

/// What came of a change of mode.
#[derive(Debug)]
pub struct Done {
    /// The answers to the pushes.
    pub pushed: Vec<Value>,
    /// The steps that were taken.
    pub steps: Vec<String>,
}

impl Pc {
    /// A fresh install: no file yet.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    /// The folder, for the endpoint.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes mode.txt by hand.
    pub fn write_mode(&self, text: &str) {
        replace(&self.file("mode.txt"), text);
    }

    /// Sets the mode as set-mode.ps1 does; `model` is keep, sleep or stop.
    ///
    /// # Panics
    /// When a step fails.
    pub fn set_mode(&self, gateway: &Gateway, mode: &str, model: &str) -> Done {
        let plan = plan(mode, model, &self.model());
        let mut done = Done { pushed: Vec::new(), steps: Vec::new() };
        for step in plan["Steps"].as_array().expect("steps").iter().filter_map(Value::as_str) {
            done.steps.push(step.to_owned());
            if let Some(answer) = self.step(gateway, mode, step, plan["Mark"].as_str().expect("a mark")) {
                done.pushed.push(answer);
            }
        }
        done
    }

    /// One step; what sluice answered to a push.
    fn step(&self, gateway: &Gateway, mode: &str, step: &str, mark: &str) -> Option<Value> {
        let vllm = &gateway.house.big;
        match step {
            "mode" => self.write_mode(mode),
            "mark" => replace(&self.file("model.txt"), mark),
            "unmark" => drop(fs::remove_file(self.file("model.txt"))),
            "push" => return Some(self.push(gateway, mode)),
            "idle" => rest(gateway),
            "sleep" => vllm.fall_asleep(),
            "wake" => vllm.wake(),
            "stop" => vllm.refuse(),
            "start" => vllm.accept(),
            "health" => assert!(vllm.is_alive(), "it is healthy"),
            other => panic!("no step {other:?}"),
        }
        None
    }

    fn push(&self, gateway: &Gateway, mode: &str) -> Value {
        let body = if self.model() == "AWAKE" {
            json!({"mode": mode})
        } else {
            json!({"mode": mode, "available": false})
        };
        let query = if mode == "GAMING" { "?wait=drained&timeout=10s" } else { "" };
        let response = gateway.push_to(&format!("/gates/gaming_pc{query}"), &body);
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    }

    fn model(&self) -> String {
        text(&self.file("model.txt")).map_or_else(|| "AWAKE".to_owned(), |text| text.trim().to_owned())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }
}

/// Waits until nothing runs: neither in vLLM nor, forced or not, on its way there.
fn rest(gateway: &Gateway) {
    for member in ["in_flight", "forced"] {
        gateway.wait_status(&format!("/gates/gaming_pc/{member}"), &json!(0));
    }
    assert!(eventually(PATIENCE, || gateway.house.big.in_flight() == 0), "vLLM comes to rest");
}

/// The row of the table.
fn plan(mode: &str, model: &str, now: &str) -> Value {
    let table: Value = serde_json::from_str(STEPS).expect("JSON");
    let given = json!({"Mode": mode, "Model": model, "Now": now});
    let row = table["rows"].as_array().expect("rows").iter().find(|row| row["given"] == given);
    row.unwrap_or_else(|| panic!("no row for {given}"))["then"].clone()
}

/// What the endpoint answers for the files of a folder: status and body.
pub fn answer(folder: &Path) -> (u16, String) {
    let mode = text(&folder.join("mode.txt"));
    let model = text(&folder.join("model.txt"));
    answer_to(mode.as_deref(), model.as_deref())
}

fn answer_to(mode: Option<&str>, model: Option<&str>) -> (u16, String) {
    let mode = mode.unwrap_or("NORMAL").trim();
    if !["NORMAL", "GAMING"].contains(&mode) {
        return (500, r#"{"error":"mode.txt holds neither NORMAL nor GAMING"}"#.to_owned());
    }
    match model.unwrap_or("AWAKE").trim() {
        "AWAKE" => (200, format!(r#"{{"mode":"{mode}"}}"#)),
        "ASLEEP" | "STOPPED" => (200, format!(r#"{{"mode":"{mode}","available":false}}"#)),
        _ => (500, r#"{"error":"model.txt holds none of AWAKE, ASLEEP, STOPPED"}"#.to_owned()),
    }
}

fn text(file: &Path) -> Option<String> {
    match fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => panic!("{}: {error}", file.display()),
    }
}

/// Whole or not at all, as on the PC.
fn replace(file: &Path, text: &str) {
    let fresh = file.with_extension("new");
    fs::write(&fresh, format!("{text}\r\n")).expect("a file");
    fs::rename(fresh, file).expect("a file in its place");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_as_the_real_one() {
        let table = include_str!("../../../windows/tests/tables/Get-ModeAnswer.json");
        let table: Value = serde_json::from_str(table).unwrap();
        for row in table["rows"].as_array().unwrap() {
            let (status, body) =
                answer_to(row["given"]["ModeText"].as_str(), row["given"]["ModelText"].as_str());
            assert_eq!(json!({"Status": status, "Body": body}), row["then"], "{}", row["name"]);
        }
    }
}
