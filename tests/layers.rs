//! The layers of docs/architecture.md, held by a test: it reads `src/` and names each file and line that goes
//! against the drawing. Comments, literals and test code do not count. Every rule is shown a bad sample below.

#![cfg(test)]

#[cfg(test)]
#[path = "layers/samples.rs"]
mod samples;
#[cfg(test)]
#[path = "layers/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path as FilePath;

use source::{Code, Path};

/// The drawing: a module and what it may name. What those may name, it may name too.
const DRAWING: &[(&str, &[&str])] = &[
    ("cli", &["server"]),
    ("server", &["proxy", "service", "config"]),
    ("proxy", &["transport", "fleet", "telemetry"]),
    ("service", &["fleet", "telemetry", "config"]),
    ("transport", &["wire", "openai"]),
    ("fleet", GROUND_FLOOR),
    ("telemetry", GROUND_FLOOR),
    ("config", GROUND_FLOOR),
    ("prompt", &["policy", "openai", "wire"]),
    ("gate", &["policy"]),
    ("wire", &["policy", "openai"]),
    ("policy", &["openai"]),
    ("openai", &[]),
];

/// The pure modules: values in, values out.
const GROUND_FLOOR: &[&str] = &["policy", "gate", "prompt", "openai", "wire"];

/// Crates that a pure module has no business with.
const IMPURE_CRATES: &[&str] =
    &["tokio", "async_trait", "tracing", "tracing_subscriber", "arc_swap", "tempfile"];

/// Parts of the standard library that reach outside the process or read the clock.
const IMPURE_PATHS: &[&[&str]] = &[
    &["std", "fs"],
    &["std", "net", "TcpStream"],
    &["std", "net", "TcpListener"],
    &["std", "net", "UdpSocket"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "io", "stdin"],
    &["std", "io", "stdout"],
    &["std", "io", "stderr"],
    &["Instant", "now"],
    &["SystemTime", "now"],
    &[".elapsed"],
];

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "types", "misc"];

/// A file longer than this holds two concepts.
const MOST_LINES: usize = 400;

/// A source file, its path relative to `src/` with forward slashes.
struct File {
    path: String,
    source: String,
}

/// One breach of a rule.
#[derive(Debug)]
struct Breach {
    rule: &'static str,
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "src/{}:{}: {}: {}", self.file, self.line, self.rule, self.what)
    }
}

impl File {
    /// `proxy/peek.rs` is the module `[proxy, peek]`, `proxy/mod.rs` is `[proxy]`, `lib.rs` and `main.rs` are `[]`.
    fn module(&self) -> Vec<&str> {
        let path = self.path.trim_end_matches(".rs");
        let path = path.strip_suffix("/mod").unwrap_or(path);
        if matches!(path, "lib" | "main") { Vec::new() } else { path.split('/').collect() }
    }

    /// The name in the drawing; empty for `lib.rs` and `main.rs`, which may name everything.
    fn layer(&self) -> &str {
        self.module().first().copied().unwrap_or_default()
    }

    fn is_in(&self, layers: &[&str]) -> bool {
        layers.contains(&self.layer())
    }

    fn breach(&self, rule: &'static str, line: usize, what: String) -> Breach {
        Breach { rule, file: self.path.clone(), line, what }
    }
}

/// Every breach in these files, which together are `src/`.
fn breaches(files: &[File]) -> Vec<Breach> {
    let codes: Vec<Code> = files.iter().map(|file| Code::of(&file.source)).collect();
    let tests: BTreeSet<String> =
        files.iter().zip(&codes).flat_map(|(file, code)| test_files(file, code)).collect();
    let mut found = Vec::new();
    for (file, code) in files.iter().zip(&codes) {
        found.extend(shape(file));
        if !is_test(file, &tests) {
            found.extend(code.paths().iter().flat_map(|path| names(file, path)));
        }
    }
    found
}

/// Module paths (`proxy/peek/tests`) that the file declares as test code.
fn test_files<'a>(file: &'a File, code: &'a Code) -> impl Iterator<Item = String> + 'a {
    code.test_modules.iter().map(|name| [file.module(), vec![name]].concat().join("/"))
}

fn is_test(file: &File, tests: &BTreeSet<String>) -> bool {
    let module = file.module().join("/");
    tests
        .iter()
        .any(|test| module.strip_prefix(test).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Rules about the file itself.
fn shape(file: &File) -> Vec<Breach> {
    let mut found = Vec::new();
    if !file.source.starts_with("//!") {
        found.push(file.breach(
            "purpose",
            1,
            "the first line is no `//!` that says what the file is for".into(),
        ));
    }
    let lines = file.source.lines().count();
    if lines > MOST_LINES {
        found.push(file.breach(
            "length",
            lines,
            format!("{lines} lines, more than {MOST_LINES}: two concepts?"),
        ));
    }
    if let Some(name) = file.module().into_iter().find(|name| EMPTY_NAMES.contains(name)) {
        found.push(file.breach("name", 1, format!("`{name}` does not say what is inside")));
    }
    found
}

/// Rules about one path that the file names.
fn names(file: &File, path: &Path) -> Vec<Breach> {
    let rules: [(&'static str, Option<String>); 4] = [
        ("layers", against_the_drawing(file, path)),
        ("pure", impure(file, path)),
        ("prometheus", outside_metrics(file, path)),
        ("pingora_proxy", outside_the_proxy(file, path)),
    ];
    rules.into_iter().filter_map(|(rule, what)| Some(file.breach(rule, path.line, what?))).collect()
}

fn against_the_drawing(file: &File, path: &Path) -> Option<String> {
    let named = root_module(file, path)?;
    let layer = file.layer();
    if layer.is_empty() || layer == named || reachable(layer).contains(named) {
        return None;
    }
    let known = DRAWING.iter().any(|(module, _)| *module == named);
    let why = if known { "which lies outside what it may name" } else { "which is not in the drawing" };
    Some(format!("`{layer}` names `{named}`, {why}"))
}

/// The module at the crate's root that the path goes through: by `crate::`, or by `super::` up to the root.
fn root_module<'a>(file: &File, path: &'a Path) -> Option<&'a str> {
    let ups = path.segments.iter().take_while(|segment| *segment == "super").count();
    let at_root = path.segments.first()? == "crate";
    let climbs = at_root || (ups > 0 && ups >= file.module().len());
    path.segments.get(if at_root { 1 } else { ups }).filter(|_| climbs).map(String::as_str)
}

/// All that a module may name, along the arrows.
fn reachable(layer: &str) -> BTreeSet<&'static str> {
    let arrows: BTreeMap<&str, &[&str]> = DRAWING.iter().copied().collect();
    let (mut seen, mut open) = (BTreeSet::new(), vec![layer]);
    while let Some(module) = open.pop() {
        for next in arrows.get(module).copied().unwrap_or_default() {
            if seen.insert(*next) {
                open.push(*next);
            }
        }
    }
    seen
}

fn impure(file: &File, path: &Path) -> Option<String> {
    if !file.is_in(GROUND_FLOOR) {
        return None;
    }
    let first = path.segments.first()?.as_str();
    let by_crate = IMPURE_CRATES.contains(&first) || first.starts_with("pingora");
    // What the policy's types look like in a file or an answer is the business of others.
    let by_format = file.layer() == "policy" && first.starts_with("serde");
    let by_path = IMPURE_PATHS.iter().any(|impure| goes_through(path, impure));
    (by_crate || by_format || by_path).then(|| format!("`{}` in a pure module", path.segments.join("::")))
}

fn goes_through(path: &Path, part: &[&str]) -> bool {
    path.segments.windows(part.len()).any(|window| window.iter().map(String::as_str).eq(part.iter().copied()))
}

fn outside_metrics(file: &File, path: &Path) -> Option<String> {
    let at_home = file.module().starts_with(&["telemetry", "metrics"]);
    let named = path.segments.first().is_some_and(|first| first == "prometheus");
    (named && !at_home).then(|| "only telemetry/metrics.rs may name prometheus".into())
}

fn outside_the_proxy(file: &File, path: &Path) -> Option<String> {
    let at_home = file.is_in(&["proxy", "transport", "server"]);
    let named = path.segments.first().is_some_and(|first| first == "pingora_proxy");
    let by_facade = goes_through(path, &["pingora", "proxy"]) || goes_through(path, &["pingora", "prelude"]);
    ((named || by_facade) && !at_home)
        .then(|| "only proxy, transport and server may name pingora_proxy".into())
}

/// Reads every `.rs` file below `folder`.
fn read_tree(root: &FilePath, folder: &FilePath, files: &mut Vec<File>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_tree(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.push(File { path: relative, source: std::fs::read_to_string(&path)? });
        }
    }
    Ok(())
}

#[test]
fn src_keeps_to_the_drawing() {
    let root = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    read_tree(&root, &root, &mut files).expect("src/ can be read");
    let layers: BTreeSet<&str> = files.iter().map(File::layer).collect();
    assert!(GROUND_FLOOR.iter().all(|layer| layers.contains(layer)), "the ground floor was read: {layers:?}");

    let mut found = breaches(&files);
    found.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    let list: Vec<String> = found.iter().map(Breach::to_string).collect();
    assert!(list.is_empty(), "{} breaches of docs/architecture.md:\n{}", list.len(), list.join("\n"));
}

#[test]
fn the_drawing_has_no_cycle() {
    for (module, _) in DRAWING {
        assert!(!reachable(module).contains(module), "`{module}` reaches itself");
    }
}
