//! The paid tier: TLS, its own key and path, what it costs, and that it is asked once.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::behaviour::Behaviour;
use super::support::client::{Response, eventually, get};
use super::support::gateway::{CHAT, Gateway, House, Setup, chat};
use super::support::listener::Listener;
use super::support::peer::{Health, Peer};
use super::support::tls::{Authority, Flaw};

/// Prices at which a token of the prompt is a cent and one of the answer a dollar.
const PRICE: [f64; 2] = [10_000.0, 1_000_000.0];

/// A house whose model `far` is asked over TLS, and small when that fails.
struct Far {
    gateway: Gateway,
    api: Peer,
    _door: Listener,
}

fn far(flaw: Flaw, more: &Value, change: impl FnOnce(&mut Setup)) -> Far {
    let (authority, api) = (Authority::new(), Peer::start());
    let door = authority.door(api.addr(), flaw);
    let gateway = House::build().open(|setup| {
        let peer = format!("https://localhost:{}", door.addr().port());
        setup.add_outside("far", "external", &peer, more);
        setup.backend("far")["api_key_file"] = json!("far.key");
        setup.backend("far")["timeouts"] = json!({"connect": "5s"});
        setup.policy["models"]["far"] = json!({"backend": "far"});
        setup.files.push(("far.key".into(), b"sk-far\n".to_vec()));
        setup.files.push(("ca.pem".into(), authority.pem().into_bytes()));
        change(setup);
    });
    Far { gateway, api, _door: door }
}

/// The environment names the authority before the process starts: a second start in the same folder.
fn trusting(far: Far) -> Far {
    let Far { mut gateway, api, _door } = far;
    let ca = gateway.config().with_file_name("ca.pem").to_string_lossy().into_owned();
    gateway.set_env("SSL_CERT_FILE", &ca);
    Far { gateway: gateway.restart(), api, _door }
}

fn priced(more: &Value) -> Value {
    let mut all = json!({"price": {"prompt": PRICE[0], "completion": PRICE[1]}});
    for (key, value) in more.as_object().unwrap() {
        all[key] = value.clone();
    }
    all
}

fn ask(far: &Far, more: &Value) -> Response {
    let mut body = chat("far", "hi");
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    far.gateway.post(CHAT, &body)
}

/// What is spent once nothing is set aside any more: an answer is settled a moment after it.
/// Once nothing is set aside any more: an exchange is settled when its client has the answer already.
fn spent(far: &Far) -> f64 {
    far.gateway.wait_status("/backends/far/budget/reserved_usd", &json!(0.0));
    far.gateway.wait_status("/backends/far/budget/reserved_usd", &json!(0.0));
    far.gateway.status()["backends"]["far"]["budget"]["spent_usd"].as_f64().unwrap()
}

fn usage(prompt: u64, completion: u64) -> Value {
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
}

fn answer(prompt: u64, completion: u64) -> Behaviour {
    Behaviour::json(
        &json!({"choices": [{"message": {"content": "far"}}], "usage": usage(prompt, completion)}),
    )
}

#[test]
fn it_is_asked_over_tls_with_its_own_key_and_path() {
    let far = trusting(far(Flaw::None, &json!({"base_path": "/api/paas/v4"}), |_| {}));
    let mut client = far.gateway.client();
    let body = chat("far", "hi").to_string();
    client.post("/v1/chat/completions?x=1", &[("Authorization", "Bearer none")], body.as_bytes());
    let response = client.response();
    assert_eq!((response.status, response.header("x-sluice-backend")), (200, Some("far")));
    let request = &far.api.requests()[0];
    assert_eq!(request.path, "/api/paas/v4/chat/completions?x=1");
    assert_eq!(request.header("authorization"), Some("Bearer sk-far"));
    assert!(request.header("host").unwrap().starts_with("localhost:"));
    assert_eq!(request.json()["model"], "far-served");
    assert_eq!(far.api.probes(), 0, "nobody probes what is metered");
    let told = far.gateway.wait_decisions(1);
    assert_eq!((&told[0]["external"], &told[0]["backend"]), (&json!(true), &json!("far")));
    let shown = [far.gateway.process.lines().join("\n"), told.to_string(), far.gateway.status().to_string()];
    assert!(!shown.iter().any(|text| text.contains("sk-far")), "the key is shown");
}

#[test]
fn a_certificate_that_is_not_good_is_a_failed_connect() {
    for flaw in [Flaw::WrongName, Flaw::Expired] {
        let far = trusting(far(flaw, &json!({}), |_| {}));
        let response = ask(&far, &json!({}));
        assert_eq!((response.status, response.code().as_deref()), (502, Some("upstream_error")), "{flaw:?}");
        assert_eq!(response.header("x-sluice-reason"), Some("connect_failed"), "{flaw:?}");
        assert_eq!(far.api.requests().len(), 0, "{flaw:?}");
    }
    // an authority that this machine does not know
    let unknown = far(Flaw::None, &json!({"fail_soft": ["small"]}), |_| {});
    let response = ask(&unknown, &json!({}));
    assert_eq!((response.status, response.header("x-sluice-backend")), (200, Some("small")));
    assert_eq!(response.header("x-sluice-reason"), Some("connect_failed"));
    assert_eq!(unknown.api.requests().len(), 0);
}

#[test]
fn a_probe_that_is_asked_for_is_made_over_tls_too() {
    let far = trusting(far(Flaw::None, &json!({"health": {"interval": "100ms"}}), |_| {}));
    far.api.wait_probes(2);
    far.gateway.wait_backend("far", true);
    far.api.set_health(Health::Down);
    far.gateway.wait_backend("far", false);
}

#[test]
fn nothing_reaches_it_that_does_not_name_it() {
    let far = trusting(far(Flaw::None, &json!({}), |_| {}));
    for peer in [&far.gateway.house.small, &far.gateway.house.big] {
        peer.refuse();
    }
    for name in ["small", "big"] {
        far.gateway.wait_backend(name, false);
    }
    for model in ["auto", "small", "big"] {
        assert_eq!(far.gateway.chat(model, "hi").status, 503, "{model}");
    }
    assert_eq!(far.api.requests().len(), 0);
    far.gateway.reload_with(|setup| setup.backend("big")["fail_soft"] = json!(["small", "far"]));
    assert_eq!(far.gateway.chat("big", "hi").header("x-sluice-backend"), Some("far"), "now it is named");
}

#[test]
fn usage_is_asked_for_and_what_that_adds_is_taken_out_again() {
    let far = trusting(far(Flaw::None, &priced(&json!({"budget": {"usd": 100_000}})), |_| {}));
    let words = [
        r#"data: {"choices":[{"delta":{"content":"a"}}],"usage":null}"#,
        r#"data: {"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}],"usage":null}"#,
        &format!("data: {}", json!({"choices": [], "usage": usage(10, 2)})),
        "data: [DONE]",
    ];
    far.api.set_default(Behaviour::events(&words));
    let hidden = ask(&far, &json!({"stream": true}));
    let wanted = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n\
                  data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\n\
                  data: [DONE]\n\n";
    assert_eq!(hidden.text(), wanted);
    assert!((spent(&far) - 2.1).abs() < 1e-9, "{}", spent(&far));
    let asked = ask(&far, &json!({"stream": true, "stream_options": {"include_usage": true}}));
    assert_eq!(asked.text(), words.map(|word| format!("{word}\n\n")).concat(), "who asks gets it");
    ask(&far, &json!({"stream": true, "stream_options": {"include_usage": false, "x": 1}}));
    let requests = far.api.requests();
    let options: Vec<_> = requests.iter().map(|request| request.json()["stream_options"].clone()).collect();
    assert_eq!(
        options,
        [
            json!({"include_usage": true}),
            json!({"include_usage": true}),
            json!({"include_usage": true, "x": 1}),
        ]
    );
    // a plain request is the client's, byte for byte but for its model
    far.api.set_default(answer(1, 1));
    ask(&far, &json!({}));
    let plain = far.api.requests().pop().unwrap();
    assert_eq!(plain.json().get("stream_options"), None);
}

#[test]
fn a_budget_is_kept_settled_and_survives_a_restart() {
    let terms = priced(&json!({"budget": {"usd": 10, "per": "366d"}}));
    let far = trusting(far(Flaw::None, &terms, |_| {}));
    far.api.set_default(answer(100, 3));
    let short = json!({"max_tokens": 1});
    assert_eq!(ask(&far, &short).status, 200);
    assert!((spent(&far) - 4.0).abs() < 1e-9, "what is reported counts: {}", spent(&far));
    assert_eq!(ask(&far, &short).status, 200);
    assert!((spent(&far) - 8.0).abs() < 1e-9);
    let huge = ask(&far, &json!({"max_tokens": 3}));
    assert_eq!((huge.status, huge.code().as_deref()), (429, Some("over_budget")), "there is no room for it");
    let Far { gateway, api, _door } = far;
    let far = Far { gateway: gateway.restart(), api, _door };
    assert!((spent(&far) - 8.0).abs() < 1e-9, "{}", spent(&far));
    assert_eq!(ask(&far, &short).status, 200, "overshot by an answer that runs");
    assert!((spent(&far) - 12.0).abs() < 1e-9);
    let over = ask(&far, &short);
    assert_eq!((over.status, over.code().as_deref()), (429, Some("over_budget")));
    assert!(over.text().contains("opens again at"), "{}", over.text());
    assert!(over.header("retry-after").unwrap().parse::<u64>().unwrap() > 1);
    assert_eq!(far.api.requests().len(), 3);
    let counted =
        || get(far.gateway.admin, "/metrics").text().contains("sluice_spend_usd_total{backend=\"far\"} 4\n");
    assert!(eventually(Duration::from_secs(5), counted), "since the restart");
    let told = far.gateway.wait_decisions(2);
    assert_eq!(told[1]["cost"], json!({"usd": 4.0, "estimated": false}));
    // where there is another, it goes there
    far.gateway.reload_with(|setup| setup.backend("far")["fail_soft"] = json!(["small"]));
    let soft = ask(&far, &short);
    assert_eq!((soft.status, soft.header("x-sluice-reason")), (200, Some("over_budget")));
}

#[test]
fn what_is_not_reported_is_guessed_and_said_so_and_a_failure_costs_nothing() {
    let far = trusting(far(Flaw::None, &priced(&json!({"budget": {"usd": 100_000}})), |_| {}));
    far.api.push(Behaviour::status(400));
    assert_eq!(ask(&far, &json!({})).status, 400);
    assert!(spent(&far).abs() < 1e-9);
    far.api.push(Behaviour::json(&json!({"choices": []})));
    let response = ask(&far, &json!({}));
    let tokens: f64 = response.header("x-sluice-tokens").unwrap().parse().unwrap();
    let told = far.gateway.wait_decisions(2);
    assert_eq!(told[0]["cost"]["estimated"], true);
    assert!(spent(&far) >= tokens * PRICE[0] / 1e6, "{}", spent(&far));
}

#[test]
fn it_is_never_asked_twice() {
    let far = trusting(far(Flaw::None, &json!({"fail_soft": ["small"]}), |_| {}));
    for behaviour in [Behaviour::close(), Behaviour::status(503)] {
        let before = far.api.requests().len();
        far.api.push(behaviour);
        let response = ask(&far, &json!({}));
        assert_eq!((response.status, response.header("x-sluice-backend")), (200, Some("small")));
        assert_eq!(far.api.requests().len(), before + 1);
        assert_eq!(ask(&far, &json!({})).header("x-sluice-backend"), Some("far"));
    }
    // also not when a pooled connection was closed under the request
    let fell = eventually(Duration::from_secs(10), || {
        // it is not pooled yet where the last answer has only just ended
        far.api.push(Behaviour::close_reused());
        let before = far.api.requests().len();
        let response = ask(&far, &json!({}));
        assert_eq!(response.status, 200);
        assert!(far.api.requests().len() <= before + 1, "once");
        response.header("x-sluice-backend") == Some("small")
    });
    assert!(fell);
}

#[test]
fn one_that_says_429_is_left_alone_as_long_as_it_asks() {
    let far = trusting(far(Flaw::None, &json!({"fail_soft": ["small"]}), |_| {}));
    far.api.push(Behaviour::status(429).header("Retry-After", "60"));
    let response = ask(&far, &json!({}));
    assert_eq!((response.status, response.header("x-sluice-backend")), (429, Some("far")), "its own answer");
    assert_eq!(response.header("retry-after"), Some("60"));
    let next = ask(&far, &json!({}));
    assert_eq!(
        (next.header("x-sluice-backend"), next.header("x-sluice-reason")),
        (Some("small"), Some("unhealthy"))
    );
    assert_eq!(far.api.requests().len(), 1);
}
