//! `sluice demo`: the real proxy on simulated peers, from its banner to its last line.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use super::support::client::{self, Client, eventually};
use super::support::gateway::{CHAT, chat};
use super::support::process::Process;

/// The address in a line of the banner.
fn banner(demo: &Process, name: &str) -> SocketAddr {
    let line = demo.wait_line(&format!("{name}    "));
    line.rsplit_once("http://").expect("a URL").1.trim().parse().expect("an address")
}

#[test]
fn it_answers_tells_each_decision_and_ends_by_itself() {
    let began = Instant::now();
    let demo = Process::start(&["demo", "--port", "0", "--admin-port", "0", "--duration", "4s"]);
    let (proxy, admin) = (banner(&demo, "proxy"), banner(&demo, "admin"));
    let mode = demo.wait_line("mode     ");
    let mode: SocketAddr = mode.rsplit_once("http://").expect("a URL").1.trim().parse().expect("an address");
    assert!(demo.lines().iter().any(|line| line.contains("curl ")), "there is something to paste");
    let ready = eventually(Duration::from_secs(5), || {
        client::get(admin, "/readyz").status == 200 && client::get(proxy, "/health").status == 200
    });
    assert!(ready, "{}", demo.lines().join("\n"));

    let light = client::post(proxy, CHAT, &[], &chat("auto", "What is a sluice?"));
    assert_eq!((light.status, light.header("x-sluice-backend")), (200, Some("small")));
    assert!(light.json()["choices"][0]["message"]["content"].is_string());
    demo.wait_line("no rule asked for more. 200 in");
    let heavy = client::post(proxy, CHAT, &[], &chat("auto", "Please refactor this loop."));
    assert_eq!((heavy.status, heavy.header("x-sluice-backend")), (200, Some("big")));
    demo.wait_line("heavy-by-pattern");

    let mut phone = Client::connect(mode);
    let gaming = json!({"mode": "GAMING"}).to_string();
    let length = gaming.len().to_string();
    phone.send_head("PUT", "/", &[("Content-Length", length.as_str())]).send(gaming.as_bytes());
    assert_eq!(phone.response().status, 200);
    let closed = eventually(Duration::from_secs(3), || {
        client::get(admin, "/status").json()["gates"]["gaming_pc"]["state"] == "closed"
    });
    assert!(closed, "the flip is noticed");
    let taken = client::post(proxy, CHAT, &[], &chat("auto", "Please refactor this loop."));
    assert_eq!((taken.status, taken.header("x-sluice-backend")), (200, Some("small")));

    let (status, lines) = demo.wait();
    assert_eq!(status.code(), Some(0), "{}", lines.join("\n"));
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    for address in [proxy, admin, mode] {
        assert!(TcpStream::connect(address).is_err(), "{address} still listens");
    }
}

/// PUTs a mode to the simulated PC.
fn put(mode: SocketAddr, body: &str) {
    let length = body.len().to_string();
    let mut phone = Client::connect(mode);
    phone.send_head("PUT", "/", &[("Content-Length", length.as_str())]).send(body.as_bytes());
    assert_eq!(phone.response().status, 200);
}

#[test]
fn its_gaming_pc_has_a_mode_file_and_a_model_that_sleeps() {
    let demo = Process::start(&["demo", "--port", "0", "--admin-port", "0", "--duration", "60s"]);
    let (proxy, admin, mode) = (banner(&demo, "proxy"), banner(&demo, "admin"), banner(&demo, "mode "));
    let gate = |member: &str| client::get(admin, "/status").json()["gates"]["gaming_pc"][member].clone();
    let soon = |holds: &dyn Fn() -> bool| eventually(Duration::from_secs(10), holds);
    let by = |said: &str| {
        let response = client::post(proxy, CHAT, &[], &chat("auto", said));
        assert_eq!(response.status, 200, "{}", response.text());
        response.header("x-sluice-backend").map(str::to_owned)
    };
    let is_up =
        || client::get(proxy, "/health").status == 200 && by("#force_big hi").as_deref() == Some("big");
    assert!(soon(&is_up), "{}", demo.lines().join("\n"));

    let line = demo.wait_line("echo GAMING > ");
    let file = line.rsplit_once("> ").expect("a path").1;
    std::fs::write(file, "GAMING\n").expect("a file");
    assert!(soon(&|| gate("state") == "closed"), "by its file");
    std::fs::write(file, "MAYBE\n").expect("a file");
    assert!(soon(&|| gate("state") == "unknown"), "another word");

    put(mode, r#"{"mode":"GAMING","model":"sleep"}"#);
    assert!(soon(&|| gate("available") == false));
    let sleeps = || client::get(big(admin), "/is_sleeping").json()["is_sleeping"] == true;
    assert!(soon(&sleeps), "it falls asleep after it was told of");
    assert_eq!(by("#force_big hi").as_deref(), Some("small"));
    assert!(sleeps(), "and it is alive");
    put(mode, r#"{"mode":"NORMAL"}"#);
    assert!(soon(&|| gate("available") == true && gate("state") == "open"));
    assert_eq!(by("Please refactor this loop.").as_deref(), Some("big"));
    demo.terminate();
    assert_eq!(demo.wait().0.code(), Some(0));
}

/// Where the simulated big peer is.
fn big(admin: SocketAddr) -> SocketAddr {
    let status = client::get(admin, "/status").json();
    let address = status["backends"]["big"]["peers"][0]["address"].as_str().expect("an address");
    address.parse().expect("an address")
}

#[test]
fn a_signal_ends_it_at_once_and_cleanly() {
    let demo = Process::start(&["demo", "--port", "0", "--admin-port", "0"]);
    let proxy = banner(&demo, "proxy");
    let admin = banner(&demo, "admin");
    assert!(eventually(Duration::from_secs(5), || client::get(admin, "/readyz").status == 200));
    demo.terminate();
    let (status, lines) = demo.wait();
    assert_eq!(status.code(), Some(0), "{}", lines.join("\n"));
    assert!(TcpStream::connect(proxy).is_err(), "nothing listens any more");
}

#[test]
fn a_port_that_is_taken_is_told_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("its address").port().to_string();
    for flag in ["--port", "--admin-port"] {
        let other = if flag == "--port" { "--admin-port" } else { "--port" };
        let demo = Process::start(&["demo", flag, &port, other, "0", "--duration", "30s"]);
        let (status, lines) = demo.wait();
        assert_eq!(status.code(), Some(1), "{}", lines.join("\n"));
        let told = lines.iter().any(|line| line.contains(&port) && line.contains(&format!("{flag} ")));
        assert!(told, "{flag} is named: {}", lines.join("\n"));
    }
}
