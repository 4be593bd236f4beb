//! The files in `conf/`, booted as they are but for the ports they listen on.

use std::path::Path;

use serde_json::{Value, json};

use super::support::client;
use super::support::gateway::{CHAT, address, chat};
use super::support::process::{Process, sluice};

/// The shipped files in a folder of their own, with free ports.
fn shipped() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    for name in ["sluice.yaml", "policy.yaml"] {
        let text = std::fs::read_to_string(conf.join(name)).expect("a shipped file");
        let text = text.replace("proxy: 0.0.0.0:8080", "proxy: 127.0.0.1:0");
        let text = text.replace("admin: 127.0.0.1:8081", "admin: 127.0.0.1:0");
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

#[test]
fn the_shipped_files_boot() {
    let folder = shipped();
    let config = folder.path().join("sluice.yaml");
    let process = Process::start(&["serve".as_ref(), "--config".as_ref(), config.as_os_str()]);
    process.wait_line("ready");
    let (proxy, admin) = (address(&process, "proxy listening on"), address(&process, "admin listening on"));
    assert_eq!(client::get(admin, "/readyz").status, 200);
    assert_eq!(client::get(admin, "/livez").status, 200);

    let models = client::get(proxy, "/v1/models").json();
    let names: Vec<_> = models["data"].as_array().expect("a list").iter().map(|model| &model["id"]).collect();
    let wanted = ["auto", "big", "small", "qwen3-coder-7b", "qwen3-coder-14b", "chatterbox-turbo", "tts-1"]
        .map(Value::from);
    assert_eq!(names, wanted.iter().collect::<Vec<_>>());

    // nobody answers at the gaming PC's address: its gate is unknown, which is not open
    let big = client::get(proxy, "/v1/models/qwen3-coder-14b").json();
    assert_eq!(big["sluice"], json!({"backend": "big", "available": false, "reason": "gate_unknown"}));
    let status = client::get(admin, "/status").json();
    assert_eq!(status["gates"]["gaming_pc"]["state"], "unknown");
    assert_eq!(status["gpus"]["rtx3070"]["limit"], 8);
    assert_eq!(status["gpus"]["rtx3090"]["limit"], 1);
    let refused = client::post(proxy, CHAT, &[], &chat("qwen3-coder-14b", "hi"));
    assert!(matches!(refused.status, 502 | 503), "{}", refused.text());

    process.terminate();
    let (ended, lines) = process.wait();
    assert!(ended.success(), "{}", lines.join("\n"));
}

#[test]
fn the_shipped_files_are_sound_where_they_lie() {
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/sluice.yaml");
    let checked =
        sluice(&["check".as_ref(), "--config".as_ref(), conf.as_os_str()]).output().expect("it runs");
    let said = String::from_utf8_lossy(&checked.stdout);
    assert_eq!(checked.status.code(), Some(0), "{said}");
    assert!(!said.contains("warning"), "{said}");
}
