//! The fuzz targets' checks on a stable compiler: every file of `fuzz/corpus/`, and every beginning of the
//! small ones; and of bodies that are made up, for every path. `docs/fuzzing.md` says what the checks hold and where the files come from.

#![cfg(test)]

#[path = "../fuzz/checks/lib.rs"]
mod checks;

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A corpus without so many files is not the one that was committed.
const FEWEST: usize = 20;

/// A file of up to so many bytes is also tried cut off at every byte.
const SMALL: usize = 100;

/// Runs a check on a target's corpus.
fn corpus(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let whole = std::panic::catch_unwind(|| {
            check(&bytes);
            (0..bytes.len().min(SMALL + 1) % (SMALL + 1)).for_each(|end| check(&bytes[..end]));
        });
        assert!(whole.is_ok(), "{} fails, as said above", path.display());
        files += 1;
    }
    assert!(files >= FEWEST, "only {files} files in {}", folder.display());
}

#[test]
fn body() {
    corpus("body", checks::body::check);
}

#[test]
fn head() {
    corpus("head", checks::head::check);
}

#[test]
fn chunked() {
    corpus("chunked", checks::chunked::check);
}

#[test]
fn sse() {
    corpus("sse", checks::sse::check);
}

#[test]
fn policy() {
    corpus("policy", checks::policy::check);
}

// --- bodies that are made up -------------------------------------------------------------------------------

/// A string of a body: words that are read, tags, halves of pairs, written in some way.
fn string() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "user",
        "text",
        "input_text",
        "image_url",
        "tool_result",
        "#force_big",
        "#think",
        "ink!",
        "refactor",
        r"\u0023force_big",
        r"\ud83d",
        r"\ude00",
        r"\n",
        r#"\""#,
        "é",
        "日本",
        "😀",
        " ",
    ]);
    let word = prop_oneof![2 => vec(pieces.clone(), 1..2), 3 => vec(pieces, 0..5)];
    word.prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// A value as one that knows the API half might write it.
fn value() -> impl Strategy<Value = String> {
    let keys = select(vec![
        "model",
        "messages",
        "input",
        "prompt",
        "system",
        "instructions",
        "tools",
        "stream",
        "stream_options",
        "include_usage",
        "max_tokens",
        "max_output_tokens",
        "role",
        "content",
        "type",
        "text",
        "image_url",
        "output",
        r"mod\u0065l",
        "other",
    ]);
    let number = select(vec!["0", "7", "1e2", "-1", "1.5", "null", "true", "false"]).prop_map(str::to_owned);
    let message = (select(vec!["user", "assistant"]), string());
    let message = message.prop_map(|(role, said)| format!(r#"{{"role":"{role}","content":{said}}}"#));
    prop_oneof![4 => string(), 1 => number, 2 => message].prop_recursive(4, 24, 5, move |inner| {
        let member = (keys.clone(), inner.clone()).prop_map(|(key, value)| format!("\"{key}\": {value}"));
        prop_oneof![
            vec(inner, 0..4).prop_map(|elements| format!("[{}]", elements.join(" ,\n"))),
            vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(" ,"))),
        ]
    })
}

/// A request with the keys of all endpoints.
fn request() -> impl Strategy<Value = String> {
    let key = select(vec!["messages", "input", "prompt", "system", "tools", "model"]);
    vec((key, value()), 1..4).prop_map(|members| {
        let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Splicing and then parsing is parsing and then replacing, on every path.
    #[test]
    fn a_body_that_is_made_up(body in request()) {
        checks::body::check(body.as_bytes());
    }
}
