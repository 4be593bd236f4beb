//! Pages in browsers: which may call, and the question that they ask first.

use serde_json::json;

use super::support::behaviour::Behaviour;
use super::support::client::{Response, post};
use super::support::gateway::{CHAT, Gateway, chat};

const PAGE: &str = "https://chat.home.lan";

fn open_to_the_page() -> Gateway {
    Gateway::with(|setup| setup.settings["cors"] = json!({"origins": [PAGE]}))
}

fn preflight(gateway: &Gateway, origin: &str) -> Response {
    let mut client = gateway.client();
    let fields = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type"),
    ];
    client.send_head("OPTIONS", CHAT, &fields);
    client.response()
}

#[test]
fn the_question_is_answered_by_sluice() {
    let gateway = open_to_the_page();
    let answer = preflight(&gateway, PAGE);
    assert_eq!(answer.status, 204);
    assert!(answer.header("x-request-id").is_some());
    assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("x-sluice-")), "nothing was routed");
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(answer.header("access-control-allow-headers"), Some("authorization,content-type"));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("POST"));
    let stranger = preflight(&gateway, "https://evil.example");
    assert_eq!((stranger.status, stranger.header("access-control-allow-origin")), (204, None));
    assert_eq!(stranger.header("access-control-allow-methods"), None);
    assert_eq!(gateway.house.requests(), 0);
}

#[test]
fn an_answer_may_be_read_by_the_page_and_by_no_other() {
    let gateway = open_to_the_page();
    let from =
        |origin: &str, body: &serde_json::Value| post(gateway.proxy, CHAT, &[("Origin", origin)], body);
    let answer = from(PAGE, &chat("auto", "hi"));
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(PAGE)));
    assert!(answer.header("vary").unwrap().eq_ignore_ascii_case("origin"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("x-sluice-backend"));
    let refused = from(PAGE, &json!({"model": "nobody", "messages": []}));
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (404, Some(PAGE)));
    for origin in
        ["https://evil.example", "https://chat.home.lan.evil.example", "null", "http://chat.home.lan"]
    {
        assert_eq!(from(origin, &chat("auto", "hi")).header("access-control-allow-origin"), None, "{origin}");
    }
    for request in gateway.house.small.requests() {
        assert_eq!(request.header("origin"), None);
    }
    // some servers allow every page, asked or not: that is not theirs to say
    let open = Behaviour::chat().header("Access-Control-Allow-Origin", "*");
    gateway.house.small.set_default(open.header("Access-Control-Allow-Credentials", "true"));
    for (origin, allowed) in [("https://evil.example", None), (PAGE, Some(PAGE))] {
        let answer = from(origin, &chat("auto", "hi"));
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{origin}");
    }
}

#[test]
fn a_key_is_not_asked_for_before_the_request_itself() {
    let gateway = Gateway::with(|setup| {
        setup.settings["cors"] = json!({"origins": [PAGE]});
        setup.add_client("page", "sk-page", &json!({}));
    });
    assert_eq!(preflight(&gateway, PAGE).status, 204, "a browser sends no key with its question");
    let answer = post(gateway.proxy, CHAT, &[("Origin", PAGE)], &chat("auto", "hi"));
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (401, Some(PAGE)));
}

#[test]
fn nothing_is_said_by_default() {
    let gateway = Gateway::start();
    let answer = preflight(&gateway, PAGE);
    assert_eq!(answer.status, 405);
    assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control") || name == "vary"));
    let answer = post(gateway.proxy, CHAT, &[("Origin", PAGE)], &chat("auto", "hi"));
    assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control") || name == "vary"));
}
