//! The dashboard: a few files of the admin listener that load nothing from elsewhere and ask for no token.
//! What the page does with them is tried in a browser, not here.

use serde_json::json;

use super::support::client::{Client, Response, get};
use super::support::gateway::Gateway;

/// Each file and its media type.
const FILES: [(&str, &str); 7] = [
    ("/", "text/html; charset=utf-8"),
    ("/dashboard.js", "text/javascript; charset=utf-8"),
    ("/dashboard-cards.js", "text/javascript; charset=utf-8"),
    ("/dashboard-nodes.js", "text/javascript; charset=utf-8"),
    ("/dashboard-words.js", "text/javascript; charset=utf-8"),
    ("/dashboard.css", "text/css; charset=utf-8"),
    ("/dashboard.svg", "image/svg+xml"),
];

fn asked(gateway: &Gateway, method: &str, path: &str, host: &str) -> Response {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n");
    let head = format!("{head}Content-Length: 0\r\n\r\n");
    Client::connect(gateway.admin).send(head.as_bytes()).response()
}

/// With an admin token.
fn locked() -> (Gateway, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "open sesame\n").expect("a file");
    (Gateway::with(|setup| setup.settings["admin"] = json!({"token_file": token})), folder)
}

/// What an attribute or an `import` of this text names, by the words before it.
fn named<'t>(text: &'t str, before: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
}

#[test]
fn each_file_comes_with_its_type_and_what_a_browser_must_know() {
    let gateway = Gateway::start();
    for (path, media_type) in FILES {
        let file = get(gateway.admin, path);
        assert_eq!(file.status, 200, "{path}");
        assert_eq!(file.header("content-type"), Some(media_type), "{path}");
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"), "{path}");
        let policy = file.header("content-security-policy").expect("a policy");
        assert_eq!(policy, "default-src 'self'; frame-ancestors 'none'", "{path}");
        assert_eq!(asked(&gateway, "POST", path, "localhost").status, 405, "{path}");
    }
    assert_eq!(get(gateway.admin, "/index.html").status, 404);
}

#[test]
fn nothing_comes_from_elsewhere_and_nothing_is_inline() {
    let gateway = Gateway::start();
    let paths = FILES.map(|(path, _)| path);
    for path in paths {
        let text = get(gateway.admin, path).text();
        // The namespace of SVG is a name: nothing is loaded from there.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        for foreign in ["://", "\"//", "'//", "@import", "url(", "innerHTML", "insertAdjacentHTML", "eval("] {
            assert!(!text.contains(foreign), "{path} has {foreign}");
        }
        for inline in ["<style", " style=\"", "<script>", " onclick", "javascript:"] {
            assert!(!text.contains(inline), "{path} has {inline}, which the policy forbids");
        }
    }
    let page = get(gateway.admin, "/").text();
    let script = get(gateway.admin, "/dashboard.js").text();
    let wanted: Vec<_> = named(&page, " src=\"").chain(named(&page, "\" href=\"/")).collect();
    assert_eq!(wanted, ["/dashboard.js", "dashboard.svg", "dashboard.css"]);
    let imports: Vec<_> = named(&script, " from \"").collect();
    assert_eq!(imports, ["./dashboard-cards.js", "./dashboard-nodes.js", "./dashboard-words.js"]);
}

#[test]
fn every_node_that_the_script_asks_for_is_on_the_page() {
    let gateway = Gateway::start();
    let page = get(gateway.admin, "/").text();
    let script = get(gateway.admin, "/dashboard.js").text();
    let ids: Vec<_> = named(&script, "at(\"").collect();
    assert!(ids.len() > 10, "{ids:?}");
    for id in ids {
        assert!(page.contains(&format!(" id=\"{id}\"")), "{id} is not there");
    }
}

#[test]
fn it_asks_for_no_token_but_what_it_calls_does() {
    let (gateway, _folder) = locked();
    for (path, _) in FILES {
        assert_eq!(get(gateway.admin, path).status, 200, "{path}");
        assert_eq!(asked(&gateway, "GET", path, "evil.example").status, 421, "{path}");
    }
    for path in ["/status", "/decisions", "/decisions/stream", "/dashboard", "/index.html"] {
        assert_eq!(get(gateway.admin, path).status, 401, "{path}");
    }
}
