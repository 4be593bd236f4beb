//! Under a service manager: what it is told and when, and lines that the journal can read. The manager is a
//! datagram socket of this test.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::behaviour::Behaviour;
use super::support::client::eventually;
use super::support::gateway::{CHAT, Gateway, Setup, chat, streamed};
use super::support::process::sluice;

/// What systemd gives a service to talk to.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn listen() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        Self { socket, folder }
    }

    /// The proxy as its service.
    fn start(&self, change: impl FnOnce(&mut Setup)) -> Gateway {
        let path = self.folder.path().join("notify").to_string_lossy().into_owned();
        Gateway::with(|setup| {
            setup.environment.push(("NOTIFY_SOCKET", path));
            change(setup);
        })
    }

    /// The next message, line by line.
    fn hears(&self) -> Vec<String> {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).expect("a message in time");
        String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_manager_hears_ready_reloading_and_stopping() {
    let manager = Manager::listen();
    let gateway = manager.start(|_| {});
    assert_eq!(manager.hears(), ["READY=1", "STATUS=serving"]);
    assert_eq!(gateway.get("/health").status, 200, "it was");

    gateway.write_policy(&gateway.changed_policy(|setup| setup.no_windows()));
    gateway.process.signal("HUP");
    let before = manager.hears();
    assert_eq!(before[0], "RELOADING=1", "{before:?}");
    let clock: u64 = before[1].strip_prefix("MONOTONIC_USEC=").expect("a time").parse().expect("a number");
    let uptime = std::fs::read_to_string("/proc/uptime").expect("a clock");
    let uptime: f64 = uptime.split(' ').next().expect("a time").parse().expect("a number");
    // Both clocks run since the machine booted, as long as it never slept.
    assert!(clock > 0 && clock as f64 <= uptime * 1e6 + 1e6, "{clock} and {uptime}");
    assert_eq!(manager.hears(), ["READY=1", "STATUS=serving, policy 2"]);
    assert_eq!(gateway.status()["policy"]["generation"], 2, "it was in force when that was said");

    gateway.process.terminate();
    let mut stopping = manager.hears();
    while stopping[0] != "STOPPING=1" {
        // The watch on the file has seen the change too.
        assert!(["RELOADING=1", "READY=1"].contains(&stopping[0].as_str()), "{stopping:?}");
        stopping = manager.hears();
    }
    assert_eq!(stopping[1], "EXTEND_TIMEOUT_USEC=12000000", "2 s of grace, 10 s for the audit file");
    let (_, status, lines) = gateway.ended();
    assert_eq!(status.code(), Some(0), "{lines:#?}");
}

#[test]
fn a_refused_policy_is_said_and_the_service_stays_ready() {
    let manager = Manager::listen();
    let gateway = manager.start(|_| {});
    assert_eq!(manager.hears()[0], "READY=1");
    gateway.write_policy("version: 1\n");
    assert_eq!(gateway.reload().status, 422);
    assert_eq!(manager.hears()[0], "RELOADING=1");
    let outcome = manager.hears();
    assert_eq!(outcome[0], "READY=1");
    assert!(outcome[1].starts_with("STATUS=serving; the latest policy was refused"), "{outcome:?}");
    assert_eq!(gateway.get("/health").status, 200);
}

#[test]
fn the_watchdog_hears_from_it_also_while_it_stops() {
    let manager = Manager::listen();
    let gateway = manager.start(|setup| {
        setup.environment.push(("WATCHDOG_USEC", "200000".to_owned()));
        setup.never_unhealthy();
        setup.settings["shutdown_grace"] = json!("30s");
    });
    let mut beats = 0;
    let began = Instant::now();
    while beats < 4 {
        beats += usize::from(manager.hears() == ["WATCHDOG=1"]);
    }
    assert!(began.elapsed() < Duration::from_secs(5), "every 100 ms: {:?}", began.elapsed());

    gateway.house.small.push(Behaviour::events(&["data: 1", "data: 2"]).pace(Duration::from_secs(60)));
    let mut client = gateway.ask("runs", CHAT, &streamed(chat("small", "hi")));
    let mut response = client.head();
    client.event(&mut response).expect("an event");
    gateway.process.terminate();
    while manager.hears()[0] != "STOPPING=1" {}
    for _ in 0..3 {
        assert_eq!(manager.hears(), ["WATCHDOG=1"]);
    }
}

#[test]
fn a_manager_that_is_gone_is_no_trouble() {
    let gateway = Gateway::with(|setup| {
        setup.environment.push(("NOTIFY_SOCKET", "/nowhere/notify".to_owned()));
    });
    gateway.process.wait_line("the service manager cannot be told");
    assert_eq!(gateway.get("/health").status, 200);
    gateway.stop();
}

/// What `sluice serve` writes to standard error, when that is the file that `JOURNAL_STREAM` names (or not).
fn journal(format: &str, is_journal: bool) -> Vec<String> {
    let gateway = Gateway::start();
    let (config, folder) = (gateway.config(), tempfile::tempdir().expect("a folder"));
    let settings = std::fs::read_to_string(&config).expect("the settings");
    let taken = config.with_file_name("journal.yaml");
    std::fs::write(&taken, format!("{settings}log: {{ format: {format} }}\n")).expect("a file");
    let path = folder.path().join("journal");
    let file = File::create(&path).expect("a file");
    let metadata = file.metadata().expect("its numbers");
    let inode = if is_journal { metadata.ino() } else { metadata.ino() + 1 };
    let mut command = sluice(&["serve".as_ref(), "--config".as_ref(), taken.as_os_str()]);
    command.env("JOURNAL_STREAM", format!("{}:{inode}", metadata.dev())).stdin(Stdio::null()).stderr(file);
    let mut child = command.spawn().expect("it starts");
    let text = || std::fs::read_to_string(&path).expect("the file");
    let ready = eventually(Duration::from_secs(20), || text().contains("ready"));
    child.kill().expect("a child");
    child.wait().expect("a child");
    assert!(ready, "{}", text());
    text().lines().map(str::to_owned).collect()
}

#[test]
fn the_journal_gets_priorities_and_adds_the_time_itself() {
    let lines = journal("text", true);
    assert!(lines.iter().any(|line| line == "<6>INFO ready"), "{lines:#?}");
    assert!(lines.iter().all(|line| line.starts_with('<')), "{lines:#?}");

    let lines = journal("json", true);
    for line in &lines {
        let object: Value = serde_json::from_str(line.strip_prefix("<6>").expect("info")).expect("JSON");
        assert_eq!(object["level"], "INFO");
    }
    let elsewhere = journal("text", false);
    assert!(
        elsewhere.iter().all(|line| line.starts_with("20")),
        "a time where it is no journal: {elsewhere:#?}"
    );
}
