//! Who may ask for what: keys, rates, models for some.

use serde_json::{Value, json};

use super::support::client::{Client, Response, get, post};
use super::support::gateway::{CHAT, Gateway, Setup, chat};
use super::support::process::sluice;

const TAYNE: &str = "sk-tayne";
const LAPTOP: &str = "sk-laptop";

/// Two clients: tayne may name three models, the laptop all.
fn two_clients(setup: &mut Setup) {
    setup.add_client("tayne", TAYNE, &json!({"models": ["auto", "small", "big"]}));
    setup.add_client("laptop", LAPTOP, &json!({"models": ["all"]}));
}

fn ask(gateway: &Gateway, fields: &[(&str, &str)], model: &str) -> Response {
    post(gateway.proxy, CHAT, fields, &chat(model, "hi"))
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

#[test]
fn a_key_is_asked_for_and_goes_no_further() {
    let gateway = Gateway::with(two_clients);
    for fields in [
        vec![("Authorization", bearer(TAYNE))],
        vec![("authorization", format!("bearer {LAPTOP}"))],
        vec![("x-api-key", TAYNE.to_owned())],
        vec![("x-api-key", TAYNE.to_owned()), ("Authorization", bearer(TAYNE))],
    ] {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(ask(&gateway, &fields, "auto").status, 200, "{fields:?}");
    }
    for request in gateway.house.small.requests() {
        assert_eq!((request.header("authorization"), request.header("x-api-key")), (None, None));
    }
    let before = gateway.house.requests();
    for fields in [
        vec![],
        vec![("Authorization", bearer("sk-nobody"))],
        vec![("Authorization", bearer(""))],
        vec![("Authorization", format!("Basic {TAYNE}"))],
        vec![("x-api-key", format!("{TAYNE}x"))],
        vec![("x-api-key", LAPTOP.to_owned()), ("Authorization", bearer(TAYNE))],
        vec![("x-api-key", "sk-nobody".to_owned()), ("Authorization", bearer(TAYNE))],
    ] {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let response = ask(&gateway, &fields, "auto");
        assert_eq!(
            (response.status, response.code().as_deref()),
            (401, Some("invalid_api_key")),
            "{fields:?}"
        );
    }
    assert_eq!(gateway.house.requests(), before);
    let anthropic = post(gateway.proxy, "/v1/messages", &[], &json!({"messages": [], "max_tokens": 1}));
    assert_eq!(
        (anthropic.status, anthropic.json()["error"]["type"].as_str()),
        (401, Some("authentication_error"))
    );
    let shown = [
        gateway.process.lines().join("\n"),
        get(gateway.admin, "/decisions").text(),
        gateway.status().to_string(),
    ];
    for secret in [TAYNE, LAPTOP, "sk-nobody"] {
        assert!(!shown.iter().any(|text| text.contains(secret)), "{secret} is shown");
    }
}

#[test]
fn a_refused_client_uploads_nothing() {
    let gateway = Gateway::with(two_clients);
    let mut client = gateway.client();
    client.send_head("POST", CHAT, &[("Content-Type", "application/json"), ("Content-Length", "1000000")]);
    assert_eq!(client.response().status, 401, "without a byte of the body");
}

#[test]
fn models_are_listed_for_those_who_have_a_key_and_as_far_as_they_may() {
    let gateway = Gateway::with(|setup| {
        two_clients(setup);
        setup.policy["models"]["small"]["clients"] = json!(["laptop"]);
    });
    let models = |key: &str, path: &str| {
        let mut client = gateway.client();
        client.send_head("GET", path, &[("x-api-key", key)]);
        client.response()
    };
    assert_eq!(gateway.get("/v1/models").status, 401);
    assert_eq!(gateway.get("/v1/models/auto").status, 401);
    assert_eq!(gateway.get("/health").status, 200, "nobody is asked there");
    let ids = |response: Response| {
        let list = response.json()["data"].clone();
        let mut ids: Vec<_> =
            list.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(models(TAYNE, "/v1/models")), ["auto", "big"]);
    assert_eq!(ids(models(LAPTOP, "/v1/models")).len(), 6);
    assert_eq!(models(TAYNE, "/v1/models/auto").status, 200);
    assert_eq!(models(TAYNE, "/v1/models/small").code().as_deref(), Some("not_allowed"));
    assert_eq!(models(TAYNE, "/v1/models/nobody").code().as_deref(), Some("model_not_found"));
}

#[test]
fn a_name_that_is_not_for_a_client_is_403_whatever_the_rules_say() {
    let gateway = Gateway::with(two_clients);
    let key = bearer(TAYNE);
    let fields = [("Authorization", key.as_str()), ("X-Force-Big", "true")];
    let response = ask(&gateway, &fields, "qwen3-coder-14b");
    assert_eq!((response.status, response.code().as_deref()), (403, Some("not_allowed")));
    assert_eq!(response.header("x-sluice-reason"), Some("not_allowed"));
    let unknown = ask(&gateway, &fields, "nobody");
    assert_eq!(unknown.status, 404);
    assert!(!unknown.text().contains("qwen3-coder-14b"), "names that are not for it are not listed");
    // it limits names, not where the rules lead
    assert_eq!(ask(&gateway, &fields, "auto").header("x-sluice-backend"), Some("big"));
    assert_eq!(gateway.house.requests(), 1);
}

#[test]
fn a_rule_may_ask_for_the_client() {
    let gateway = Gateway::with(|setup| {
        two_clients(setup);
        let rule = json!({"name": "mine", "when": {"client": ["laptop"]}, "route": "big"});
        setup.policy["rules"].as_array_mut().unwrap().insert(0, rule);
    });
    let by = |key: &str| ask(&gateway, &[("x-api-key", key)], "auto");
    assert_eq!(by(LAPTOP).header("x-sluice-rule"), Some("mine"));
    assert_eq!(by(TAYNE).header("x-sluice-rule"), Some("default"));
    let told = gateway.wait_decisions(2);
    assert_eq!(told[1]["facts"]["client"], "laptop");
    assert_eq!(told[0]["facts"]["client"], "tayne");
}

#[test]
fn nobody_is_asked_about_who_has_no_key() {
    let gateway = Gateway::with(two_clients);
    let about = |client: &str| {
        let question = json!({"body": chat("small", "hi"), "client": client});
        post(gateway.admin, "/explain", &[], &question)
    };
    assert_eq!(about("tayne").json()["facts"]["client"], "tayne");
    let stranger = about("tanye");
    assert_eq!((stranger.status, stranger.code().as_deref()), (400, Some("invalid_request")));
    assert!(stranger.text().contains("no client"), "{}", stranger.text());
}

#[test]
fn a_client_that_asks_too_often_is_told_when_to_come_again() {
    let gateway = Gateway::with(|setup| {
        setup.add_client("slow", "sk-slow", &json!({"rate": {"requests": 1, "per": "1h", "burst": 2}}));
        setup.add_client("fast", "sk-fast", &json!({}));
    });
    let by = |key: &str| ask(&gateway, &[("x-api-key", key)], "auto");
    assert_eq!((by("sk-slow").status, by("sk-slow").status), (200, 200));
    for _ in 0..3 {
        let response = by("sk-slow");
        assert_eq!((response.status, response.code().as_deref()), (429, Some("rate_limited")));
        let seconds: u32 = response.header("retry-after").unwrap().parse().unwrap();
        assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    }
    let told = gateway.wait_decisions(5);
    let told = told.as_array().unwrap().iter().find(|it| it["reason"] == "rate_limited").unwrap();
    assert_eq!((&told["client"], &told["path"]), (&json!("slow"), &json!(CHAT)), "{told}");
    assert_eq!(by("sk-nobody").status, 401);
    let told = gateway.wait_decisions(6);
    let told = told.as_array().unwrap().iter().find(|it| it["reason"] == "invalid_api_key").unwrap();
    assert_eq!((&told["client"], &told["path"]), (&Value::Null, &json!(CHAT)), "{told}");
    assert_eq!(by("sk-fast").status, 200, "each has a bucket of its own");
    // a reload that does not touch it fills no bucket
    gateway.reload_with(|setup| setup.policy["models"]["more"] = json!({}));
    assert_eq!(by("sk-slow").status, 429);
    gateway.reload_with(|setup| setup.policy["clients"]["slow"]["rate"]["burst"] = json!(3));
    assert_eq!(by("sk-slow").status, 200, "another rate is another bucket");
}

#[test]
fn a_key_that_is_taken_away_is_nobodys_at_once() {
    let gateway = Gateway::with(two_clients);
    let mut client = Client::connect(gateway.proxy);
    let mut ask = || {
        client.post(CHAT, &[("x-api-key", LAPTOP)], chat("auto", "hi").to_string().as_bytes());
        client.response().status
    };
    assert_eq!(ask(), 200);
    gateway.reload_with(|setup| {
        setup.policy["clients"].as_object_mut().unwrap().remove("laptop");
    });
    assert_eq!(ask(), 401, "on the same connection");
}

#[test]
fn a_key_file_is_read_again_with_the_policy() {
    let gateway = Gateway::with(|setup| {
        setup.policy["clients"] = json!({"laptop": {"key_file": "laptop.key"}});
        setup.files.push(("laptop.key".into(), b"sk-old".to_vec()));
    });
    let by = |key: &str| ask(&gateway, &[("x-api-key", key)], "auto").status;
    assert_eq!((by("sk-old"), by("sk-new")), (200, 401));
    std::fs::write(gateway.config().with_file_name("laptop.key"), "sk-new\n").unwrap();
    assert_eq!(gateway.reload().status, 200, "the policy's own text is the same");
    assert_eq!((by("sk-old"), by("sk-new")), (401, 200));
}

#[test]
fn a_key_that_was_made_is_one() {
    let made = sluice(&["key", "new", "phone", "--json"]).output().unwrap();
    assert!(made.status.success());
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let key = made["key"].as_str().unwrap();
    let gateway = Gateway::with(|setup| {
        setup.policy["clients"] = json!({"phone": {"key_sha256": made["key_sha256"]}});
    });
    assert_eq!(ask(&gateway, &[("x-api-key", key)], "auto").status, 200);
    let shown = sluice(&["key", "new", "phone"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("phone: { key_sha256: \""), "{shown}");
    assert!(!shown.contains(key), "another one each time");
    assert_eq!(sluice(&["key", "new", "no name"]).output().unwrap().status.code(), Some(2));
}

#[test]
fn a_manual_backend_answers_to_its_name_and_its_people_alone() {
    let bridge = super::support::peer::Peer::start();
    let gateway = Gateway::with(|setup| {
        two_clients(setup);
        let budget = json!({"budget": {"requests": 2, "per": "1d"}});
        setup.add_outside("claude", "manual", &bridge.addr().to_string(), &budget);
        setup.policy["models"]["claude"] = json!({"backend": "claude", "clients": ["laptop"]});
    });
    let by = |key: &str, model: &str| ask(&gateway, &[("x-api-key", key), ("X-Force-Big", "true")], model);
    assert_eq!(by(TAYNE, "claude").code().as_deref(), Some("not_allowed"));
    for (model, backend) in [("auto", "big"), ("claude", "claude")] {
        assert_eq!(by(LAPTOP, model).header("x-sluice-backend"), Some(backend));
    }
    assert_eq!(bridge.requests()[0].json()["model"], "claude-served");
    // when all else is down nothing leads there
    for peer in [&gateway.house.small, &gateway.house.big] {
        peer.refuse();
    }
    gateway.wait_backend("small", false);
    gateway.wait_backend("big", false);
    assert_eq!(by(LAPTOP, "auto").status, 503);
    assert_eq!(bridge.requests().len(), 1);
    assert_eq!(bridge.probes(), 0, "nobody probes it");
    // two a day
    assert_eq!(by(LAPTOP, "claude").status, 200);
    let over = by(LAPTOP, "claude");
    assert_eq!((over.status, over.code().as_deref()), (429, Some("over_budget")));
    assert!(over.header("retry-after").unwrap().parse::<u32>().unwrap() <= 86_400);
    assert_eq!(bridge.requests().len(), 2);
}
