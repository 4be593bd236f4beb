//! The audit file: a line an exchange, nothing secret in it, and no request waits for it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::behaviour::Behaviour;
use super::support::client::{Client, eventually, get, post};
use super::support::gateway::{CHAT, Gateway, Setup, chat};

/// What does not happen for so long fails the test.
const PATIENCE: Duration = Duration::from_secs(10);

fn audited(setup: &mut Setup) {
    setup.settings["audit"] = json!({"path": "audit.jsonl"});
}

fn file(gateway: &Gateway) -> PathBuf {
    gateway.config().with_file_name("audit.jsonl")
}

fn lines(gateway: &Gateway) -> Vec<String> {
    let text = std::fs::read_to_string(file(gateway)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// All records, once there are so many.
fn records(gateway: &Gateway, count: usize) -> Vec<Value> {
    let came = eventually(PATIENCE, || lines(gateway).len() >= count);
    assert!(came, "{count} records awaited, there are:\n{}", lines(gateway).join("\n"));
    let records: Vec<_> =
        lines(gateway).iter().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert_eq!(records.len(), count, "and no more: {records:#?}");
    records
}

fn metric(gateway: &Gateway, name: &str) -> String {
    let text = get(gateway.admin, "/metrics").text();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
    line.rsplit(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn a_routed_exchange_is_its_decision_and_what_came_of_it() {
    let gateway = Gateway::with(audited);
    let answer = post(gateway.proxy, CHAT, &[("X-Request-Id", "mine-1")], &chat("auto", "hello #force_big"));
    assert_eq!(answer.status, 200);
    let record = &records(&gateway, 1)[0];
    let members: Vec<_> = record.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        members,
        [
            "time",
            "request_id",
            "outcome",
            "backend",
            "rule",
            "reason",
            "facts",
            "candidates",
            "refusal",
            "status",
            "attempts",
            "tokens",
            "queued",
            "first_byte",
            "total",
            "aborted",
            "broken",
            "external",
        ]
    );
    assert_eq!(record["request_id"], "mine-1");
    assert_eq!(record["outcome"], "route");
    assert_eq!((&record["backend"], &record["rule"]), (&json!("big"), &json!("force-big")));
    assert_eq!(record["facts"]["tags"], json!(["force_big"]));
    assert_eq!(record["facts"]["gates"], json!({"gaming_pc": "open"}));
    assert_eq!(record["candidates"][0], json!({"backend": "big", "verdict": "chosen"}));
    assert_eq!((&record["status"], &record["attempts"]), (&json!(200), &json!(1)));
    assert_eq!(record["tokens"], json!({"prompt": 14, "completion": 6}), "as the backend reported");
    assert!(
        record["first_byte"].as_f64() > Some(0.0)
            && record["total"].as_f64() >= record["first_byte"].as_f64()
    );
    assert_eq!(record["aborted"], false);
    let time = record["time"].as_str().expect("a time");
    assert!(
        humantime::parse_rfc3339(time).is_ok() && time.len() == "2026-11-24T12:01:07.123Z".len(),
        "{time}"
    );
}

#[test]
fn every_exchange_on_an_endpoint_has_one_and_nothing_else_has() {
    let gateway = Gateway::with(audited);
    assert_eq!(gateway.get("/v1/models").status, 200);
    assert_eq!(gateway.get("/health").status, 200);
    assert_eq!(gateway.get("/nowhere").status, 404);
    assert_eq!(gateway.post(CHAT, &json!({"messages": 7})).status, 400);
    records(&gateway, 1); // made when the answer has gone out: the next request must not overtake it
    assert_eq!(gateway.chat("no-such-model", "hi").status, 404);
    records(&gateway, 2);
    gateway.house.small.push(Behaviour::status(500));
    assert_eq!(gateway.chat("auto", "hi").status, 500);
    let records = records(&gateway, 3);
    let told: Vec<_> = records.iter().map(|it| (it["status"].clone(), it["reason"].clone())).collect();
    let wanted = [(400, "invalid_request"), (404, "matched"), (500, "matched")];
    assert_eq!(told, wanted.map(|(status, reason)| (json!(status), json!(reason))));
    let unread = &records[0];
    assert_eq!((&unread["facts"], &unread["candidates"]), (&Value::Null, &json!([])));
    assert_eq!(unread["refusal"]["code"], "invalid_request");
    assert_eq!(records[1]["refusal"]["code"], "model_not_found");
    assert_eq!(records[2]["outcome"], "route", "the backend's own failure was passed on");
}

#[test]
fn it_is_decided_by_what_was_seen_then() {
    let gateway = Gateway::with(|setup| {
        audited(setup);
        setup.backend("big")["health"]["interval"] = json!("1h");
    });
    gateway.house.big.refuse();
    let answer = gateway.chat("big", "hi");
    assert_eq!(answer.header("x-sluice-backend"), Some("small"));
    let record = &records(&gateway, 1)[0];
    assert_eq!((&record["reason"], &record["attempts"]), (&json!("connect_failed"), &json!(2)));
    assert_eq!(record["facts"]["unusable"], json!({"big": "connect_failed"}));
    assert_eq!(record["candidates"][0], json!({"backend": "big", "verdict": "connect_failed"}));
}

#[test]
fn a_client_that_leaves_is_told_as_aborted() {
    let gateway = Gateway::with(audited);
    gateway.house.small.push(Behaviour::hang());
    let mut client = gateway.client();
    client.post(CHAT, &[], chat("auto", "hi").to_string().as_bytes());
    gateway.house.small.wait_requests(1);
    client.reset();
    let record = &records(&gateway, 1)[0];
    assert_eq!((&record["status"], &record["aborted"]), (&json!(499), &json!(true)));
    assert_eq!((&record["first_byte"], &record["tokens"]), (&Value::Null, &Value::Null));
}

#[test]
fn nothing_secret_is_in_it() {
    const SECRET: &str = "xyzzy-4711";
    let gateway = Gateway::with(audited);
    let bearer = format!("Bearer {SECRET}");
    let fields = [("Authorization", bearer.as_str()), ("x-api-key", SECRET), ("X-Session-Id", SECRET)];
    post(gateway.proxy, CHAT, &fields, &chat("auto", &format!("refactor {SECRET}")));
    post(gateway.proxy, CHAT, &[("X-Force-Big", SECRET)], &chat("auto", SECRET));
    let broken = [
        format!("{{\"messages\": [{{\"role\": \"user\", \"content\": \"{SECRET}"),
        format!("{{\"messages\": [{{\"role\": \"{SECRET}\", \"content\": {{\"{SECRET}\": 1}}}}]}}"),
        format!("{{\"{SECRET}\": 1, \"messages\": \"{SECRET}\", \"prompt\": {SECRET}}}"),
    ];
    for body in &broken {
        let mut client = gateway.client();
        assert_eq!(client.post(CHAT, &[], body.as_bytes()).response().status, 400, "{body}");
    }
    let told = records(&gateway, 5);
    let shown = get(gateway.admin, "/decisions").text();
    assert!(!format!("{told:?}").contains(SECRET), "{told:#?}");
    assert!(!shown.contains(SECRET) && !gateway.log().contains(SECRET), "{shown}");
}

#[test]
fn a_full_file_is_put_aside() {
    let gateway = Gateway::with(|setup| {
        setup.settings["audit"] = json!({"path": "audit.jsonl", "max_size": "2KiB", "keep": 2});
    });
    for _ in 0..12 {
        gateway.chat("auto", "hi");
    }
    let aside = |number: usize| file(&gateway).with_file_name(format!("audit.jsonl.{number}"));
    assert!(eventually(PATIENCE, || aside(2).exists()), "some were put aside");
    assert!(!aside(3).exists(), "and no more are kept");
    for path in [file(&gateway), aside(1), aside(2)] {
        // while a file is put aside its name is nobody's for a moment
        assert!(eventually(PATIENCE, || path.exists()), "{}", path.display());
        let text = std::fs::read_to_string(path).expect("a file");
        assert!(text.len() <= 2048, "{} bytes", text.len());
        assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "whole lines: {text}");
    }
}

#[test]
fn a_full_disk_costs_records_and_nothing_else() {
    let gateway = Gateway::with(|setup| setup.settings["audit"] = json!({"path": "/dev/full"}));
    assert_eq!(metric(&gateway, "sluice_audit_dropped_total"), "0");
    assert_eq!(gateway.chat("auto", "hi").status, 200);
    assert_eq!(gateway.chat("auto", "hi").status, 200);
    let counted = eventually(PATIENCE, || metric(&gateway, "sluice_audit_dropped_total") == "2");
    assert!(counted, "{}", gateway.log());
    assert!(gateway.log().contains("the audit file /dev/full cannot be written"), "{}", gateway.log());
}

#[test]
fn a_disk_that_comes_back_is_written_again() {
    let gateway = Gateway::with(|setup| setup.settings["audit"] = json!({"path": "disk/audit.jsonl"}));
    let disk = gateway.config().with_file_name("disk");
    assert_eq!(gateway.chat("auto", "hi").status, 200);
    assert!(eventually(PATIENCE, || metric(&gateway, "sluice_audit_dropped_total") == "1"));
    std::fs::create_dir(&disk).expect("a folder");
    let written = eventually(PATIENCE, || {
        gateway.chat("auto", "hi");
        std::fs::read_to_string(disk.join("audit.jsonl")).is_ok_and(|text| text.contains("\"request_id\""))
    });
    assert!(written, "{}", gateway.log());
}

#[test]
fn a_stop_leaves_no_record_behind() {
    let gateway = Gateway::with(|setup| {
        setup.settings["audit"] = json!({"path": "-"});
    });
    gateway.house.small.push(Behaviour::chat().delay(Duration::from_millis(300)));
    let mut client = Client::connect(gateway.proxy);
    client.post(CHAT, &[("X-Request-Id", "last-1")], chat("auto", "hi").to_string().as_bytes());
    gateway.house.small.wait_requests(1);
    let lines = gateway.stop();
    let told = lines.iter().filter(|line| line.starts_with('{') && line.contains("last-1")).count();
    assert_eq!(told, 1, "{lines:#?}");
}
