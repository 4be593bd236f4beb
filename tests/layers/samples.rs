//! Samples for the layer rules: each rule sees what it must catch and what must not fool it.

use super::{Breach, DRAWING, File, GROUND_FLOOR, MOST_LINES, breaches};

/// The rules and lines of all breaches in one file, which says what it is for unless it is about that.
fn caught(path: &str, body: &str) -> Vec<(&'static str, usize)> {
    let source = format!("//! A sample.\n{body}");
    let found = breaches(&[File { path: path.into(), source }]);
    found.iter().map(|breach| (breach.rule, breach.line)).collect()
}

fn file(path: &str, source: &str) -> File {
    File { path: path.into(), source: source.into() }
}

const CLEAN: Vec<(&str, usize)> = Vec::new();

#[test]
fn an_import_against_an_arrow_is_caught() {
    assert_eq!(caught("fleet/lease.rs", "use crate::proxy::Exchange;"), [("layers", 2)]);
    assert_eq!(caught("policy/decide.rs", "\n\nfn f(x: crate::fleet::Fleet) {}"), [("layers", 4)]);
    assert_eq!(caught("proxy/peek.rs", "use crate::config::Settings;"), [("layers", 2)]);
    assert_eq!(caught("service/health.rs", "use crate::proxy::x;"), [("layers", 2)]);
    assert_eq!(caught("config/raw.rs", "use crate::fleet::x;"), [("layers", 2)]);
    assert_eq!(caught("transport/mod.rs", "use crate::fleet::x;"), [("layers", 2)]);
    assert_eq!(caught("fleet/live.rs", "use crate::telemetry::x;"), [("layers", 2)]);
    assert_eq!(caught("telemetry/metrics.rs", "use crate::fleet::x;"), [("layers", 2)]);
    assert_eq!(caught("server.rs", "use crate::cli::x;"), [("layers", 2)]);
}

#[test]
fn an_import_inside_a_group_is_caught_on_its_own_line() {
    let body = "use crate::{\n    policy::{Facts, View},\n    proxy::{self as p, x::Y},\n};";
    assert_eq!(caught("fleet/mod.rs", body), [("layers", 4), ("layers", 4)]);
}

#[test]
fn an_import_by_super_is_caught() {
    assert_eq!(caught("fleet/lease.rs", "use super::super::proxy::Exchange;"), [("layers", 2)]);
    assert_eq!(caught("fleet/mod.rs", "use super::proxy::Exchange;"), [("layers", 2)]);
    assert_eq!(
        caught("fleet/lease.rs", "use super::proxy::Exchange;"),
        CLEAN,
        "a child of fleet may have any name"
    );
}

#[test]
fn a_module_that_nobody_drew_is_caught() {
    assert_eq!(caught("proxy/mod.rs", "use crate::billing::Bill;"), [("layers", 2)]);
    assert_eq!(caught("proxy/mod.rs", "use crate::*;"), [("layers", 2)]);
    assert_eq!(caught("billing/mod.rs", "use crate::policy::Facts;"), [("layers", 2)]);
}

#[test]
fn what_the_arrows_allow_is_clean() {
    assert_eq!(
        caught("proxy/peek.rs", "use crate::{transport::x, fleet::y, policy::Facts, wire::z};"),
        CLEAN
    );
    assert_eq!(caught("cli/mod.rs", "use crate::config::x;\npub(crate) use crate::openai::y;"), CLEAN);
    assert_eq!(caught("lib.rs", "pub use crate::cli::run;"), CLEAN, "lib.rs is the map");
    assert_eq!(caught("proxy/mod.rs", "pub(crate) fn f() {} pub(in crate::proxy) fn g() {}"), CLEAN);
}

#[test]
fn an_impure_name_on_the_ground_floor_is_caught() {
    let bad = [
        "use tokio::time::sleep;",
        "use pingora_core::Error;",
        "fn f() { tracing::info!(\"x\") }",
        "use std::{fs, time::Duration};",
        "fn f() { let _ = std::fs::read(\"x\"); }",
        "fn f() { let _ = std::env::var(\"x\"); }",
        "fn f() { std::thread::spawn(g); }",
        "use std::time::Instant; fn f() { Instant::now(); }",
        "fn f() { std::time::SystemTime::now(); }",
        "fn f(since: std::time::Instant) { since.elapsed(); }",
    ];
    for layer in GROUND_FLOOR {
        for body in bad {
            assert_eq!(caught(&format!("{layer}/x.rs"), body), [("pure", 2)], "{layer}: {body}");
        }
    }
}

#[test]
fn a_file_format_in_the_policy_is_caught() {
    for body in ["#[derive(serde::Serialize)] struct S;", "use serde_json::Value;"] {
        assert_eq!(caught("policy/facts.rs", body), [("pure", 2)], "{body}");
        assert_eq!(caught("gate/answer.rs", body), CLEAN, "{body}");
    }
}

#[test]
fn plain_values_and_upper_floors_are_not_impure() {
    assert_eq!(
        caught("gate/machine.rs", "use std::time::{Duration, Instant};\nfn on(now: Instant) {}"),
        CLEAN
    );
    assert_eq!(caught("openai/error.rs", "use serde_json::Value; use std::net::IpAddr;"), CLEAN);
    assert_eq!(caught("gate/machine.rs", "struct S { elapsed: u8 } fn f(s: S) -> u8 { s.elapsed }"), CLEAN);
    assert_eq!(caught("service/health.rs", "use tokio::time; fn f() { std::time::Instant::now(); }"), CLEAN);
}

#[test]
fn prometheus_outside_the_metrics_is_caught() {
    for path in ["telemetry/audit.rs", "proxy/finish.rs", "server.rs"] {
        assert_eq!(caught(path, "use prometheus::Registry;"), [("prometheus", 2)], "{path}");
    }
    assert_eq!(caught("telemetry/metrics.rs", "use prometheus::Registry;"), CLEAN);
    assert_eq!(caught("telemetry/metrics/families.rs", "use prometheus::Registry;"), CLEAN);
}

#[test]
fn pingora_proxy_outside_the_proxy_is_caught() {
    for body in ["use pingora_proxy::Session;", "use pingora::proxy::Session;", "use pingora::prelude::*;"] {
        assert_eq!(caught("service/health.rs", body), [("pingora_proxy", 2)], "{body}");
    }
    for path in ["proxy/mod.rs", "transport/client_stream.rs", "server.rs", "server/accept.rs"] {
        assert_eq!(caught(path, "use pingora_proxy::Session;"), CLEAN, "{path}");
    }
    assert_eq!(caught("service/health.rs", "use pingora_core::services::background::x;"), CLEAN);
}

#[test]
fn an_empty_name_is_caught() {
    for path in ["proxy/utils.rs", "helpers/mod.rs", "common.rs", "config/types/x.rs", "misc.rs"] {
        assert_eq!(caught(path, ""), [("name", 1)], "{path}");
    }
    assert_eq!(caught("proxy/utility_bill.rs", ""), CLEAN);
}

#[test]
fn a_file_without_a_purpose_is_caught() {
    for source in ["", "use std::fmt;\n", "// a comment\n//! too late\n", "/// an item's\nstruct S;\n"] {
        let found = breaches(&[file("proxy/x.rs", source)]);
        assert_eq!(found.iter().map(|breach| breach.rule).collect::<Vec<_>>(), ["purpose"], "{source:?}");
    }
}

#[test]
fn a_long_file_is_caught() {
    assert_eq!(caught("proxy/x.rs", &"\n".repeat(MOST_LINES - 1)), CLEAN);
    assert_eq!(caught("proxy/x.rs", &"\n".repeat(MOST_LINES)), [("length", MOST_LINES + 1)]);
}

#[test]
fn comments_and_literals_do_not_count() {
    let words = "use tokio::x; use crate::proxy::x; use prometheus::x; Instant::now()";
    let disguises = [
        format!("// {words}"),
        format!("/// {words}\nfn f() {{}}"),
        format!("/* {words} /* {words} */ {words} */"),
        format!("const A: &str = \"\\\" {words} \\\\\";"),
        format!("const A: &str = r\"{words}\\\";"),
        format!("const A: &[u8] = br##\"{words} \"# {words}\"##;"),
        format!("const A: &std::ffi::CStr = c\"{words}\";"),
        format!("const A: char = '\"'; const B: &str = \" {words} \";"),
        format!("const A: u8 = b'\"'; const B: &str = \" {words} \";"),
        format!("const A: char = '\\''; const B: &str = \"'{words}\";"),
    ];
    for body in disguises {
        assert_eq!(caught("policy/x.rs", &body), CLEAN, "{body}");
    }
}

#[test]
fn what_stands_behind_a_comment_or_a_literal_counts() {
    let openings = [
        "/* /* */ */ ",
        "const A: &str = \"\\\\\"; ",
        "const A: &str = r#\"\\\"#; ",
        "const A: char = '\"'; ",
        "const A: char = 'é'; const B: char = '\\\\'; ",
        "fn f<'a>(x: &'a str) -> &'a str { x } ",
        "fn r#fn() {} ",
        "// a comment\n",
    ];
    for opening in openings {
        let found = caught("policy/x.rs", &format!("{opening}use tokio::x;"));
        assert_eq!(found.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), ["pure"], "{opening}");
    }
}

#[test]
fn test_code_may_name_what_it_needs() {
    let body =
        "#[cfg(test)]\nmod tests {\n    use crate::fleet::x;\n    fn f() { std::fs::read(\"}\"); }\n}\n";
    assert_eq!(caught("policy/x.rs", body), CLEAN);
    assert_eq!(caught("policy/x.rs", &format!("{body}use crate::fleet::y;")), [("layers", 7)]);

    let declares = "//! x\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod laws;\nmod other;\n";
    let names_fleet = "//! x\nuse crate::fleet::x;\n";
    let files = [
        file("policy/x.rs", declares),
        file("policy/x/tests.rs", names_fleet),
        file("policy/x/laws/deep.rs", names_fleet),
        file("policy/x/other.rs", names_fleet),
    ];
    let found: Vec<String> = breaches(&files).iter().map(|breach| breach.file.clone()).collect();
    assert_eq!(found, ["policy/x/other.rs"]);
}

#[test]
fn a_breach_says_where_and_which_rule() {
    let breach = Breach { rule: "layers", file: "fleet/x.rs".into(), line: 7, what: "why".into() };
    assert_eq!(breach.to_string(), "src/fleet/x.rs:7: layers: why");
}

#[test]
fn every_pure_module_is_drawn() {
    for layer in GROUND_FLOOR {
        assert!(DRAWING.iter().any(|(module, _)| module == layer), "{layer}");
    }
}
