//! Mistakes in `sluice.yaml`, and what its values become.

use std::path::Path;
use std::time::Duration;

use super::{POLICY, load_both, wrong_settings};
use crate::config::{LogFormat, LogLevel, Settings};

fn right(lines: &str) -> Settings {
    load_both(&format!("version: 1\n{lines}"), POLICY).unwrap_or_else(|said| panic!("{said}")).settings
}

fn line_2(lines: &str, said: &str) {
    assert_eq!(wrong_settings(lines), format!("sluice.yaml:2: {said}"));
}

#[test]
fn a_section_of_the_wrong_type() {
    line_2(
        "limits: 32MiB",
        "limits: expected a map, found \"32MiB\" (write `key: value` lines below it, or {} for none)",
    );
    line_2(
        "limits:",
        "limits: expected a map, found nothing (write `key: value` lines below it, or {} for none)",
    );
}

#[test]
fn values_of_the_wrong_type() {
    line_2("policy: 7", "policy: expected a text, found the number 7 (put it in quotes)");
    line_2("policy: ''", "policy: is empty (write a value)");
    line_2(
        "threads: two",
        "threads: expected a whole number, found \"two\" (write a whole number from 1 to 64)",
    );
    line_2(
        "threads: 1.5",
        "threads: expected a whole number, found the number 1.5 (write a whole number from 1 to 64)",
    );
    let help = "(write [one, another], or one `- item` a line)";
    line_2("admin: { hosts: a }", &format!("admin.hosts: expected a list, found \"a\" {help}"));
}

#[test]
fn numbers_out_of_range() {
    line_2("threads: 65", "threads: 65 is out of range (legal: 1 to 64)");
    line_2("threads: -1", "threads: -1 is out of range (legal: 1 to 64)");
    line_2(
        "limits: { requests: 99999999999999999999 }",
        "limits.requests: 99999999999999999999 is out of range (legal: 1 to 65536)",
    );
}

#[test]
fn durations() {
    let help = "(write 500ms, 2s, 5m; legal: 50ms to 24h)";
    for (written, found) in [
        ("500", "the number 500"),
        ("0.5s", "\"0.5s\""),
        ("5 s", "\"5 s\""),
        ("-5s", "\"-5s\""),
        ("ms", "\"ms\""),
    ] {
        let said = format!("limits.write_timeout: expected a duration, found {found} {help}");
        line_2(&format!("limits: {{ write_timeout: {written} }}"), &said);
    }
    for written in ["49ms", "25h", "0s", "99999999999999999999s"] {
        let said = format!("limits.write_timeout: {written} is out of range (legal: 50ms to 24h)");
        line_2(&format!("limits: {{ write_timeout: {written} }}"), &said);
    }
    let limits =
        right("limits: { write_timeout: 50ms, keepalive_timeout: 1d, body_read_timeout: 2h }").limits;
    assert_eq!(limits.write_timeout, Duration::from_millis(50));
    assert_eq!(limits.keepalive_timeout, Duration::from_secs(86_400));
    assert_eq!(right("shutdown_grace: 0s").shutdown_grace, Duration::ZERO);
}

#[test]
fn sizes() {
    let help = "(write 64KiB, 32MiB; legal: 1KiB to 256MiB)";
    for (written, found) in [("1024", "the number 1024"), ("32MB", "\"32MB\""), ("1.5MiB", "\"1.5MiB\"")] {
        let said = format!("limits.body: expected a size, found {found} {help}");
        line_2(&format!("limits: {{ body: {written} }}"), &said);
    }
    line_2("limits: { body: 257MiB }", "limits.body: 257MiB is out of range (legal: 1KiB to 256MiB)");
    assert_eq!(right("limits: { body: 1KiB, buffered: 1GiB }").limits.buffered, 1 << 30);
}

#[test]
fn one_body_must_fit_into_what_is_buffered() {
    let said = "limits.buffered is smaller than limits.body (one body of the full size must fit)";
    line_2("limits: { buffered: 16MiB }", &format!("limits.buffered: {said}"));
    line_2("limits: { body: 2MiB, buffered: 1MiB }", &format!("limits.buffered: {said}"));
}

#[test]
fn listeners() {
    let help = "(write an address and a port, such as 0.0.0.0:8080 or [::1]:8080; names are not looked up)";
    line_2(
        "listen: { proxy: '8080' }",
        &format!("listen.proxy: \"8080\" is not an address to listen on {help}"),
    );
    line_2("listen: { proxy: [] }", "listen.proxy: the list is empty (name at least one)");
    line_2(
        "listen: { proxy: ['127.0.0.1:80', '127.0.0.1:80'] }",
        "listen.proxy[1]: 127.0.0.1:80 stands twice (remove one of them)",
    );
    let settings = right("listen: { proxy: ['[::1]:8080', '0.0.0.0:0', '0.0.0.0:0'], admin: 127.0.0.2:0 }");
    assert_eq!((settings.proxy.len(), settings.admin.len()), (3, 1));
}

#[test]
fn an_admin_address_beyond_loopback_needs_a_token() {
    let help = "(set admin.token_file, or listen on 127.0.0.1 or [::1])";
    line_2(
        "listen: { admin: ['127.0.0.1:1', '0.0.0.0:8081'] }",
        &format!("listen.admin[1]: 0.0.0.0:8081 is not loopback and there is no admin.token_file {help}"),
    );
    let settings = right("listen: { admin: '0.0.0.0:8081' }\nadmin: { token_file: policy.yaml }\n");
    assert!(settings.admin_token_file.unwrap().ends_with("policy.yaml"));
}

#[test]
fn a_token_file_that_is_not_there() {
    let help = "(the path is taken from this file's directory; `null` asks for no token)";
    line_2("admin: { token_file: t }", &format!("admin.token_file: there is no file \"t\" {help}"));
}

#[test]
fn admin_hosts_are_names_in_lower_case() {
    let help = "(write the name alone, without scheme or port)";
    line_2(
        "admin: { hosts: ['sluice:8081'] }",
        &format!("admin.hosts[0]: \"sluice:8081\" is not a host name {help}"),
    );
    assert_eq!(right("admin: { hosts: [Sluice.LAN] }").admin_hosts, ["sluice.lan"]);
}

#[test]
fn origins_are_as_a_browser_writes_them() {
    let help =
        "(write each as a browser does, such as https://chat.home.lan; there is no word for all of them)";
    for origin in ["*", "chat.lan", "https://chat.lan/", "https://Chat.lan", "https://", "null", "http://a b"]
    {
        let said = format!("cors.origins[0]: \"{origin}\" is not an origin {help}");
        line_2(&format!("cors: {{ origins: ['{origin}'] }}"), &said);
    }
    let listed = ["http://localhost:3000", "https://chat.lan", "chrome-extension://abc"];
    assert_eq!(right(&format!("cors: {{ origins: {listed:?} }}")).cors_origins, listed);
}

#[test]
fn state_is_kept_in_a_directory_that_is_there() {
    let help = "(make it, or write `null`)";
    line_2("state: nowhere", &format!("state: there is no directory \"nowhere\" {help}"));
    assert_eq!(right("state: null").state, None);
    assert!(right("state: .").state.is_some());
}

#[test]
fn audit_and_log() {
    let settings = right("audit: { path: audit.jsonl, keep: 0 }\nlog: { level: debug, format: json }\n");
    let path = settings.audit.path.unwrap();
    assert!(path.is_absolute() && path.ends_with("audit.jsonl"));
    assert_eq!((settings.log.level, settings.log.format), (LogLevel::Debug, LogFormat::Json));
    assert_eq!(right("audit: { path: '-' }").audit.path.as_deref(), Some(Path::new("-")));
}
