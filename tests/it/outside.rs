//! The paid tier where things go oddly: streams that are framed or spaced in other ways, failures on the way, dates
//! to come again at, answers that nobody hears to their end.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::support::behaviour::Behaviour;
use super::support::client::{Response, eventually, get};
use super::support::gateway::{CHAT, Gateway, chat, streamed};
use super::support::peer::Peer;
use super::support::process::Process;
use super::support::tls::Authority;

/// Dollars per million tokens, of the prompt and of the answer: one dollar a token.
const A_DOLLAR: f64 = 1_000_000.0;
/// What does not happen for so long fails the test.
const PATIENCE: Duration = Duration::from_secs(10);
const WORD: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n\n";
const USED: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":2}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// The usual house with a service `far` at a dollar a token, behind which stands `small`.
fn far(api: &Peer, more: &Value) -> Gateway {
    Gateway::with(|setup| {
        let mut terms = json!({
            "price": {"prompt": A_DOLLAR, "completion": A_DOLLAR}, "budget": {"usd": 1_000_000, "per": "366d"},
            "fail_soft": ["small"],
        });
        for (key, value) in more.as_object().expect("a map") {
            terms[key] = value.clone();
        }
        setup.add_outside("far", "external", &api.addr().to_string(), &terms);
        setup.policy["models"]["far"] = json!({"backend": "far"});
    })
}

/// What is spent once nothing is set aside any more: an exchange is settled when its client has the answer already.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole dollars")]
fn spent(gateway: &Gateway) -> u64 {
    gateway.wait_status("/backends/far/budget/reserved_usd", &json!(0.0));
    gateway.status()["backends"]["far"]["budget"]["spent_usd"].as_f64().expect("a number").round() as u64
}

/// The record of the exchange with this id.
fn record(gateway: &Gateway, id: &str) -> Value {
    let mut found = None;
    let told = eventually(PATIENCE, || {
        let records = get(gateway.admin, "/decisions").json();
        found = records.as_array().and_then(|all| all.iter().find(|it| it["request_id"] == id).cloned());
        found.is_some()
    });
    assert!(told, "no record of {id}");
    found.expect("it is there")
}

fn told(gateway: &Gateway, response: &Response) -> Value {
    record(gateway, response.header("x-request-id").expect("an id"))
}

fn ask(gateway: &Gateway) -> Response {
    gateway.chat("far", "hi")
}

#[test]
fn what_was_added_is_taken_out_of_any_framing() {
    let api = Peer::start();
    let gateway = far(&api, &json!({}));
    let whole = format!("{WORD}{USED}{DONE}");
    let wanted = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"a\"}}}}]}}\n\n{DONE}");
    let events = |text: &str| Behaviour::bytes("text/event-stream", text.as_bytes().to_vec());
    let unended = format!("{WORD}{DONE}{}", USED.trim_end());
    for (told, answer) in [
        ("a length", events(&whole)),
        ("chunks", events(&whole).chunked()),
        ("the connection's end", events(&whole).close_delimited()),
        ("blanks", events(&whole.replace(':', ": ").replace("data:  ", "data: ")).chunked()),
        ("no empty line at the end", events(&unended).chunked()),
    ] {
        let before = spent(&gateway);
        api.push(answer);
        let response = gateway.post(CHAT, &streamed(chat("far", "hi")));
        assert_eq!(response.text().replace(": ", ":"), wanted.replace(": ", ":"), "{told}");
        assert_eq!(spent(&gateway) - before, 12, "{told}");
    }
}

#[test]
fn a_prompt_that_left_the_house_is_told_whoever_answered() {
    let api = Peer::start();
    let gateway = far(&api, &json!({}));
    api.push(Behaviour::status(503));
    let response = ask(&gateway);
    assert_eq!(response.header("x-sluice-backend"), Some("small"));
    assert_eq!(spent(&gateway), 0, "a failure costs nothing, also where another answers");
    let record = told(&gateway, &response);
    assert_eq!((&record["backend"], &record["external"]), (&json!("small"), &json!(true)));
    api.push(Behaviour::close());
    let response = ask(&gateway);
    assert_eq!(response.header("x-sluice-backend"), Some("small"));
    let tokens: u64 = response.header("x-sluice-tokens").expect("a header").parse().expect("a number");
    assert_eq!(spent(&gateway), tokens, "it may have been read");
    let record = told(&gateway, &response);
    assert_eq!((&record["external"], &record["cost"]["estimated"]), (&json!(true), &json!(true)));
    assert_eq!(gateway.count("sluice_spend_usd_total", &["backend=\"far\""]) as u64, tokens);
    assert_eq!(told(&gateway, &gateway.chat("small", "hi"))["external"], false);
}

#[test]
fn vectors_cost_their_prompt_alone() {
    let api = Peer::start();
    let gateway = far(&api, &json!({}));
    let usage = json!({"prompt_tokens": 7, "total_tokens": 7});
    api.push(Behaviour::json(&json!({"data": [{"embedding": vec![0.125; 500]}], "usage": usage})));
    let response = gateway.post("/v1/embeddings", &json!({"model": "far", "input": "hi"}));
    assert_eq!((response.status, spent(&gateway)), (200, 7));
    assert_eq!(told(&gateway, &response)["cost"], json!({"usd": 7.0, "estimated": false}));
}

#[test]
fn who_leaves_in_mid_answer_is_charged_what_went_by() {
    let api = Peer::start();
    let gateway = far(&api, &json!({}));
    let begun =
        "event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n";
    let word = "event: content_block_delta\ndata: {\"delta\":{\"text\":\"a\"}}\n\n";
    let mut pieces = vec![begun.as_bytes().to_vec()];
    pieces.extend(std::iter::repeat_n(word.as_bytes().to_vec(), 400));
    let slow = Behaviour::pieces(pieces).content_type("text/event-stream").pace(Duration::from_millis(5));
    api.push(slow);
    let body = json!({"model": "far", "max_tokens": 500, "stream": true, "messages": []});
    let mut client = gateway.ask("leaver", "/v1/messages", &body);
    let mut response = client.head();
    for _ in 0..20 {
        client.event(&mut response).expect("an event");
    }
    client.reset();
    let cost = record(&gateway, "leaver")["cost"].clone();
    assert_eq!(cost["estimated"], true);
    assert!(spent(&gateway) >= 30, "ten of the prompt and twenty that went by: {cost}");
}

#[test]
fn it_may_say_by_a_date_and_beside_probes_when_to_come_again() {
    let soon = SystemTime::now() + Duration::from_secs(600);
    let date = httpdate::fmt_http_date(soon);
    let probed = json!({"health": {"interval": "100ms", "timeout": "1s"}});
    for (terms, asked) in [(json!({}), date.as_str()), (probed.clone(), date.as_str()), (probed, "600")] {
        let api = Peer::start();
        let gateway = far(&api, &terms);
        gateway.wait_backend("far", true);
        api.push(Behaviour::status(429).header("Retry-After", asked));
        assert_eq!(ask(&gateway).status, 429);
        assert_eq!(ask(&gateway).header("x-sluice-backend"), Some("small"), "{terms} {asked}");
        assert_eq!(api.requests().len(), 1);
    }
}

#[test]
fn authorities_that_cannot_be_read_are_said_and_no_panic() {
    let mut gateway = Gateway::start();
    let file = gateway.config().with_file_name("authorities.pem");
    let write = |text: &str| std::fs::write(&file, text).expect("written");
    write(&Authority::new().pem());
    gateway.set_env("SSL_CERT_FILE", &file.to_string_lossy());
    gateway.set_env("SSL_CERT_DIR", &file.with_file_name("").to_string_lossy());
    let gateway = gateway.restart();
    // a reload, which reads them again
    gateway.reload_with(|setup| setup.backend("small")["health"]["interval"] = json!("200ms"));
    let said = "certificate authorities cannot be used";
    write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    gateway.write_policy(
        &gateway.changed_policy(|setup| setup.backend("small")["health"]["interval"] = json!("300ms")),
    );
    let refused = gateway.reload();
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains(said), "{}", refused.text());
    assert_eq!(gateway.chat("small", "hi").status, 200, "the last good policy keeps serving");
    // a start
    std::fs::remove_file(&file).expect("removed");
    let environment = [("SSL_CERT_FILE", &file), ("SSL_CERT_DIR", &file.with_file_name(""))];
    let environment = environment.map(|(name, value)| (name, value.to_string_lossy().into_owned()));
    let config = gateway.config();
    let arguments = ["serve", "--config", config.to_str().expect("a path")];
    let (status, lines) = Process::start_with(&arguments, &environment).wait();
    let lines = lines.join("\n");
    assert_eq!(status.code(), Some(1), "{lines}");
    assert!(lines.contains(said) && !lines.contains("panicked"), "{lines}");
}
