//! docs/routing.md: each of its examples is put into the shipped policy, each row of its tables decided about, and
//! what it says of a mistake compared with what is said.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use serde_yaml::Value as Yaml;
use sluice::config::{self, LoadedPolicy, Problems};
use sluice::fleet::{Fleet, Live};
use sluice::openai::Endpoint;
use sluice::policy::{GateState, Reason, View};
use sluice::proxy::explain::{self, Question};

/// Fewer rows than this: the document is not read as it was meant.
const LEAST_ROWS: usize = 90;

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(root(name)).expect("a file of the repository")
}

/// What of the document is tried, in order.
#[derive(Debug)]
enum Part {
    /// A new section: the shipped policy again.
    Heading(String),
    /// A part of a policy.
    Yaml(String),
    /// What is said of the mistakes in it.
    Problems(String),
    /// The cells of a table, its head first.
    Table(Vec<Vec<String>>),
}

fn parts(document: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut lines = document.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            parts.push(Part::Heading(title.to_owned()));
        } else if let Some(kind) = line.strip_prefix("```") {
            let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            match kind {
                "yaml" => parts.push(Part::Yaml(text.join("\n"))),
                "text" => parts.push(Part::Problems(text.join("\n"))),
                _ => {}
            }
        } else if line.starts_with('|') {
            let mut rows = vec![cells(line)];
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                rows.push(cells(row));
            }
            rows.remove(1); // the rule below the head
            parts.push(Part::Table(rows));
        }
    }
    parts
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
}

/// The shipped policy with this example in it, as somebody would put it there.
fn policy_with(example: &str) -> Yaml {
    let mut policy: Yaml = serde_yaml::from_str(&read("conf/policy.yaml")).expect("the shipped policy");
    let example: Yaml = serde_yaml::from_str(example).expect("the example is YAML");
    for (key, value) in example.as_mapping().expect("a map") {
        if matches!(key.as_str(), Some("backends" | "models")) {
            let there = policy[key].as_mapping_mut().expect("a map");
            there.extend(value.as_mapping().expect("a map").clone());
        } else {
            policy[key] = value.clone();
        }
    }
    policy
}

/// Reads a policy in a folder that has the keys of all examples.
fn load(policy: &Yaml) -> Result<LoadedPolicy, Problems> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("keys")).expect("a folder");
    for name in ["tayne", "laptop", "glm"] {
        let key = folder.path().join("keys").join(name);
        fs::write(&key, format!("sk-{name}-of-the-examples")).expect("a key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("ours alone");
    }
    let path = folder.path().join("policy.yaml");
    fs::write(&path, serde_yaml::to_string(policy).expect("YAML")).expect("a policy");
    config::load_policy(&path)
}

/// One row: what is asked, in which house, and what is to come of it. An empty cell is what a table leaves out.
struct Row<'t> {
    head: &'t [String],
    cells: &'t [String],
}

impl Row<'_> {
    const ASKED: [&'static str; 8] =
        ["message", "model", "tokens", "output", "header", "path", "client", "has"];
    const HOUSE: [&'static str; 2] = ["gate", "down"];
    const CAME: [&'static str; 3] = ["answers", "rule", "reason"];

    fn cell(&self, name: &str) -> Option<&str> {
        let place = self.head.iter().position(|column| column == name)?;
        self.cells.get(place).map(String::as_str).filter(|cell| !cell.is_empty())
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.cell(name).map(|cell| cell.parse().expect("a number"))
    }

    /// The body, with so many words besides the message.
    fn body(&self, endpoint: Endpoint, words: u64) -> Value {
        let message = self.cell("message").unwrap_or("Hello.");
        let filling = "word ".repeat(usize::try_from(words).expect("some words"));
        let mut body = match endpoint {
            Endpoint::ChatCompletions | Endpoint::Messages => {
                json!({"messages": [{"role": "assistant", "content": filling}, self.user(message)]})
            }
            Endpoint::Completions => json!({"prompt": message}),
            _ => json!({"input": message}),
        };
        let has = self.cell("has").unwrap_or_default();
        body["stream"] = has.contains("stream").into();
        if has.contains("tools") {
            body["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
        }
        if let Some(model) = self.cell("model") {
            body["model"] = model.into();
        }
        if let Some(output) = self.number("output") {
            body["max_tokens"] = output.into();
        }
        body
    }

    fn user(&self, message: &str) -> Value {
        let mut content = vec![json!({"type": "text", "text": message})];
        if self.cell("has").unwrap_or_default().contains("images") {
            content.push(json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}));
        }
        json!({"role": "user", "content": content})
    }

    fn question(&self, words: u64) -> Question {
        let path = self.cell("path").unwrap_or("/v1/chat/completions");
        let endpoint = explain::endpoint(path).expect("a path");
        let header = self.cell("header").map(|header| header.split_once(':').expect("a header"));
        Question {
            endpoint,
            headers: header
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.trim().to_owned()))
                .collect(),
            body: self.body(endpoint, words).to_string().into_bytes(),
            client: self.cell("client").unwrap_or("lan").to_owned(),
        }
    }

    fn view(&self, live: &Live) -> View {
        let mut view = explain::assume(live, &[], &[]).expect("all is well");
        for gate in &mut view.gates {
            match self.cell("gate").unwrap_or("open") {
                "open" => {}
                "closed" => gate.state = GateState::Closed,
                "unknown" => gate.state = GateState::Unknown,
                "draining" => gate.state = GateState::Draining,
                "asleep" => gate.available = false,
                other => panic!("no gate is {other}"),
            }
        }
        for down in self.cell("down").unwrap_or_default().split(", ").filter(|down| !down.is_empty()) {
            let (name, reason) = match down.split_once(' ') {
                Some((name, "over_budget")) => (name, Reason::OverBudget),
                Some((_, other)) => panic!("nobody is {other}"),
                None => (down, Reason::Unhealthy),
            };
            let place = live.policy.backends.iter().position(|backend| backend.name == name);
            view.backends[place.unwrap_or_else(|| panic!("there is no {name}"))] = Some(reason);
        }
        view
    }

    /// Decides; where the row has tokens, with as many words as make up for them.
    fn decided(&self, live: &Live) -> Value {
        let view = self.view(live);
        let ask = |words| explain::explain(live, &view, &self.question(words)).expect("a decision");
        let Some(wanted) = self.number("tokens") else { return ask(0) };
        let estimate = |decision: &Value| decision["facts"]["tokens"].as_u64().expect("an estimate");
        let least = estimate(&ask(0));
        let per_thousand = estimate(&ask(1_000)) - least;
        let decision = ask(wanted.saturating_sub(least) * 1_000 / per_thousand);
        let off = estimate(&decision).abs_diff(wanted);
        assert!(off * 50 <= wanted, "{wanted} tokens are wanted, {decision}");
        decision
    }

    /// What is wrong with this row, if anything.
    fn check(&self, live: &Live) -> Option<String> {
        let known = |column: &&String| {
            [&Self::ASKED[..], &Self::HOUSE, &Self::CAME].concat().contains(&column.as_str())
        };
        if let Some(column) = self.head.iter().find(|column| !known(column)) {
            return Some(format!("nobody knows the column {column}"));
        }
        let decision = self.decided(live);
        let answers = match decision["backend"].as_str() {
            Some(backend) => backend.to_owned(),
            None => format!("{} {}", decision["refusal"]["status"], text(&decision["refusal"]["code"])),
        };
        let came = [answers.as_str(), text(&decision["rule"]), text(&decision["reason"])];
        let wanted = Self::CAME.map(|name| self.cell(name).unwrap_or_default());
        // Empty cells are for what is refused as it is, before or beside all rules.
        let beside = answers.starts_with('4').then_some("");
        let agree = came.iter().zip(wanted).all(|(came, wanted)| *came == wanted || Some(wanted) == beside);
        (!agree).then(|| format!("{:?}: wanted {wanted:?}, came {came:?}", self.cells))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn check_table(rows: &[Vec<String>], policy: &Yaml, wrong: &mut Vec<String>) -> usize {
    let loaded = load(policy).unwrap_or_else(|problems| panic!("{problems}"));
    let live = Fleet::new(loaded.policy, loaded.hash).expect("a fleet").live();
    let (head, rows) = rows.split_first().expect("a head");
    for cells in rows {
        assert_eq!(cells.len(), head.len(), "{cells:?}");
        wrong.extend(Row { head, cells }.check(&live));
    }
    rows.len()
}

/// Without file and line, which are those of the whole policy.
fn said(problems: &Problems) -> String {
    let lines = problems.iter().map(|problem| problem.to_string());
    let short = lines.map(|line| line.splitn(3, ':').nth(2).unwrap_or_default().trim().to_owned());
    short.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_example_does_what_the_document_says() {
    let (mut policy, mut title) = (policy_with("{}"), String::new());
    let (mut rows, mut wrong) = (0, Vec::new());
    for part in parts(&read("docs/routing.md")) {
        let mut found = Vec::new();
        match part {
            Part::Heading(next) => (policy, title) = (policy_with("{}"), next),
            Part::Yaml(example) => policy = policy_with(&example),
            Part::Table(table) => rows += check_table(&table, &policy, &mut found),
            Part::Problems(wanted) => {
                let came = said(&load(&policy).expect_err("a mistake"));
                found.extend((came != wanted).then(|| format!("what is said:\n{came}")));
            }
        }
        wrong.extend(found.into_iter().map(|it| format!("{title}: {it}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows >= LEAST_ROWS, "{rows} rows");
}
