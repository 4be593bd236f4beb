//! The real proxy as a process on free ports, in front of scripted peers and a scripted mode endpoint.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::{self, Client, Response, eventually};
use super::mode::ModeEndpoint;
use super::peer::Peer;
use super::process::Process;

/// What does not happen for so long fails the test.
const PATIENCE: Duration = Duration::from_secs(10);
/// The path that most tests ask.
pub const CHAT: &str = "/v1/chat/completions";

/// Everything behind the proxy.
pub struct House {
    /// Serves `qwen3-coder-7b`.
    pub small: Peer,
    /// Serves `qwen3-coder-14b`, behind the gate `gaming_pc`.
    pub big: Peer,
    /// Speaks.
    pub tts: Peer,
    /// Says whether somebody plays.
    pub mode: ModeEndpoint,
}

/// A running proxy and its house.
pub struct Gateway {
    /// Everything behind it.
    pub house: House,
    /// Where clients ask.
    pub proxy: SocketAddr,
    /// Where operators ask.
    pub admin: SocketAddr,
    /// It itself.
    pub process: Process,
    /// What its files said at first.
    setup: Setup,
    folder: TempDir,
}

/// The two files, before they are written.
#[derive(Debug, Clone)]
pub struct Setup {
    /// `sluice.yaml`
    pub settings: Value,
    /// `policy.yaml`
    pub policy: Value,
    /// Private files beside them: names and contents.
    pub files: Vec<(String, Vec<u8>)>,
    /// What is in the proxy's environment, besides what is in the test's.
    pub environment: Vec<(&'static str, String)>,
}

impl House {
    /// All up, mode NORMAL.
    pub fn build() -> Self {
        Self { small: Peer::start(), big: Peer::start(), tts: Peer::start(), mode: ModeEndpoint::start() }
    }

    /// All requests that the peers received, probes left out.
    pub fn requests(&self) -> usize {
        [&self.small, &self.big, &self.tts].iter().map(|peer| peer.requests().len()).sum()
    }

    /// Opens it: a proxy in front, configured as usual but for `change`.
    pub fn open(self, change: impl FnOnce(&mut Setup)) -> Gateway {
        let mut setup = Setup::of(&self);
        change(&mut setup);
        Gateway::run(self, setup)
    }
}

impl Setup {
    fn of(house: &House) -> Self {
        let health = json!({"interval": "100ms", "timeout": "1s", "unhealthy_after": 2, "healthy_after": 1});
        let gate = json!({
            "mode_url": house.mode.url(), "poll_interval": "100ms", "poll_timeout": "500ms", "stale_after": "5s",
        });
        let backends = json!({
            "small": {
                "peers": [house.small.addr().to_string()], "model": "qwen3-coder-7b", "context_window": 16384,
                "health": health,
            },
            "big": {
                "peers": [house.big.addr().to_string()], "model": "qwen3-coder-14b", "context_window": 32768,
                "health": health, "gate": "gaming_pc", "fail_soft": ["small"],
            },
            "tts": {
                "peers": [house.tts.addr().to_string()], "model": "chatterbox-turbo", "kind": "speech",
                "health": health,
            },
        });
        let models = json!({
            "auto": {}, "big": {}, "small": {"backend": "small"}, "qwen3-coder-7b": {"backend": "small"},
            "qwen3-coder-14b": {"backend": "big"}, "tts-1": {"backend": "tts"},
        });
        let settings = json!({
            "version": 1, "listen": {"proxy": "127.0.0.1:0", "admin": "127.0.0.1:0"}, "policy": "policy.yaml",
            "limits": {}, "shutdown_grace": "2s",
        });
        let policy = json!({
            "version": 1, "gates": {"gaming_pc": gate}, "backends": backends, "models": models,
            "prompt": {"tags": {"force_big": r"(?i)#force_big\b"}}, "rules": rules(),
        });
        Self { settings, policy, files: Vec::new(), environment: Vec::new() }
    }

    /// A key of `limits`.
    pub fn limit(&mut self, key: &str, value: &str) {
        self.settings["limits"][key] = json!(value);
    }

    /// One backend's map.
    pub fn backend(&mut self, name: &str) -> &mut Value {
        &mut self.policy["backends"][name]
    }

    /// The gate's map.
    pub fn gate(&mut self) -> &mut Value {
        &mut self.policy["gates"]["gaming_pc"]
    }

    /// A card under these terms, on which these backends work.
    pub fn card(&mut self, name: &str, backends: &[&str], terms: Value) {
        for backend in backends {
            self.backend(backend)["gpu"] = json!(name);
        }
        self.policy["gpus"][name] = terms;
    }

    /// A backend more, with a model of its own name.
    pub fn add_backend(&mut self, name: &str, peer: &Peer) {
        let health = self.backend("small")["health"].clone();
        self.policy["backends"][name] =
            json!({"peers": [peer.addr().to_string()], "model": name, "health": health});
        self.policy["models"][name] = json!({"backend": name});
    }

    /// A backend outside the house, or one for people, with these keys.
    pub fn add_outside(&mut self, name: &str, kind: &str, peer: &str, more: &Value) {
        let mut backend = json!({"kind": kind, "peers": [peer], "model": format!("{name}-served")});
        for (key, value) in more.as_object().expect("a map") {
            backend[key] = value.clone();
        }
        self.policy["backends"][name] = backend;
    }

    /// A client with this key, and what else is said of it.
    pub fn add_client(&mut self, name: &str, key: &str, more: &Value) {
        let mut client = json!({"key_sha256": super::answer::sha256(key.as_bytes())});
        for (key, value) in more.as_object().expect("a map") {
            client[key] = value.clone();
        }
        self.policy["clients"][name] = client;
    }

    /// No backend is taken for unhealthy, whatever happens to it: only the first probe is made.
    pub fn never_unhealthy(&mut self) {
        for name in ["small", "big", "tts"] {
            self.backend(name)["health"] =
                json!({"interval": "1h", "timeout": "1s", "unhealthy_after": 100, "healthy_after": 1});
        }
    }

    /// Bodies of any length fit every backend.
    pub fn no_windows(&mut self) {
        for name in ["small", "big"] {
            self.backend(name).as_object_mut().expect("a map").remove("context_window");
        }
    }
}

/// The rules of the contract's example.
fn rules() -> Value {
    let forced = json!([
        {"header": {"name": "X-Force-Big", "is": true}}, {"model": ["big"]}, {"tag": ["force_big"]},
    ]);
    json!([
        {"name": "force-big", "when": {"any": forced}, "route": "big", "override_gate": true},
        {"name": "gaming", "when": {"gate": {"gaming_pc": ["closed", "unknown"]}}, "route": "small"},
        {"name": "heavy-by-tokens", "when": {"tokens": {"at_least": 2000}}, "route": "big"},
        {"name": "heavy-by-pattern", "when": {"prompt_matches": [r"(?i)\brefactor\b"]}, "route": "big"},
        {"name": "default", "route": "small"},
    ])
}

impl Gateway {
    /// The usual house with the usual configuration.
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    /// The usual house; its configuration is changed first.
    pub fn with(change: impl FnOnce(&mut Setup)) -> Self {
        House::build().open(change)
    }

    fn run(house: House, setup: Setup) -> Self {
        Self::run_in(tempfile::tempdir().expect("a folder"), house, setup)
    }

    /// Sets a variable of the environment for the next start.
    pub fn set_env(&mut self, name: &'static str, value: &str) {
        self.setup.environment.push((name, value.to_owned()));
    }

    /// Stops it, and starts another in the same folder.
    pub fn restart(self) -> Self {
        let Self { house, process, setup, folder, .. } = self;
        process.terminate();
        process.wait();
        Self::run_in(folder, house, setup)
    }

    fn run_in(folder: TempDir, house: House, setup: Setup) -> Self {
        for (name, value) in [("sluice.yaml", &setup.settings), ("policy.yaml", &setup.policy)] {
            std::fs::write(folder.path().join(name), yaml(value)).expect("a file");
        }
        for (name, bytes) in &setup.files {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("a file");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
        }
        let config = folder.path().join("sluice.yaml");
        let args = ["serve".as_ref(), "--config".as_ref(), config.as_os_str()];
        let process = Process::start_with(&args, &setup.environment);
        process.wait_line("ready");
        let (proxy, admin) =
            (address(&process, "proxy listening on"), address(&process, "admin listening on"));
        Self { house, proxy, admin, process, setup, folder }
    }

    /// `sluice.yaml`, for the commands that take `--config`.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("sluice.yaml")
    }

    /// `policy.yaml`
    pub fn policy_file(&self) -> PathBuf {
        self.folder.path().join("policy.yaml")
    }

    /// The text of the first policy, with a change.
    pub fn changed_policy(&self, change: impl FnOnce(&mut Setup)) -> String {
        let mut setup = self.setup.clone();
        change(&mut setup);
        yaml(&setup.policy)
    }

    /// Writes the policy's file in its place.
    pub fn write_policy(&self, text: &str) {
        std::fs::write(self.policy_file(), text).expect("a file");
    }

    /// Writes the first policy with a change, and has it put in force; its generation.
    ///
    /// # Panics
    /// When it is refused.
    pub fn reload_with(&self, change: impl FnOnce(&mut Setup)) -> u64 {
        self.write_policy(&self.changed_policy(change));
        let response = self.reload();
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()["generation"].as_u64().expect("a number")
    }

    /// `POST /reload`
    pub fn reload(&self) -> Response {
        client::post(self.admin, "/reload", &[], &json!({}))
    }

    /// A connection to the proxy.
    pub fn client(&self) -> Client {
        Client::connect(self.proxy)
    }

    /// A POST of JSON to the proxy, on a connection of its own.
    pub fn post(&self, path: &str, body: &Value) -> Response {
        client::post(self.proxy, path, &[], body)
    }

    /// Sends a POST of JSON with this id on a connection of its own, and waits for nothing.
    pub fn ask(&self, id: &str, path: &str, body: &Value) -> Client {
        let mut client = self.client();
        client.post(path, &[("X-Request-Id", id)], body.to_string().as_bytes());
        client
    }

    /// A chat whose last user message is `said`, with `model`.
    pub fn chat(&self, model: &str, said: &str) -> Response {
        self.post(CHAT, &chat(model, said))
    }

    /// A GET from the proxy, on a connection of its own.
    pub fn get(&self, path: &str) -> Response {
        client::get(self.proxy, path)
    }

    /// `GET /status`
    pub fn status(&self) -> Value {
        client::get(self.admin, "/status").json()
    }

    /// `GET /decisions` once there are so many: a record follows its answer by a moment.
    ///
    /// # Panics
    /// When there never are.
    pub fn wait_decisions(&self, count: usize) -> Value {
        let all = || client::get(self.admin, "/decisions").json();
        let came = eventually(PATIENCE, || all().as_array().is_some_and(|all| all.len() == count));
        assert!(came, "{count} records awaited: {:#}", all());
        all()
    }

    /// `PUT /gates/gaming_pc`
    pub fn push(&self, body: &Value) -> Response {
        self.push_to("/gates/gaming_pc", body)
    }

    /// `PUT` of a mode to this path of the admin listener.
    pub fn push_to(&self, path: &str, body: &Value) -> Response {
        let body = body.to_string();
        let length = body.len().to_string();
        let mut client = Client::connect(self.admin);
        let fields = [("Content-Type", "application/json"), ("Content-Length", length.as_str())];
        client.send_head("PUT", path, &fields).send(body.as_bytes());
        client.response()
    }

    /// Waits until `GET /status` has this at a JSON pointer.
    ///
    /// # Panics
    /// When it never has.
    pub fn wait_status(&self, pointer: &str, wanted: &Value) {
        let came = eventually(PATIENCE, || self.status().pointer(pointer) == Some(wanted));
        assert!(came, "{pointer} = {wanted} awaited: {:#}", self.status());
    }

    /// Waits for the gate's state.
    pub fn wait_gate(&self, state: &str) {
        self.wait_status("/gates/gaming_pc/state", &json!(state));
    }

    /// Waits until a backend is (not) available.
    pub fn wait_backend(&self, name: &str, available: bool) {
        self.wait_status(&format!("/backends/{name}/available"), &json!(available));
    }

    /// Waits until a card has so many on it and so many in its queue.
    pub fn wait_card(&self, name: &str, in_flight: usize, queued: usize) {
        self.wait_status(&format!("/gpus/{name}/queued"), &json!(queued));
        self.wait_status(&format!("/gpus/{name}/in_flight"), &json!(in_flight));
    }

    /// The sum of a metric over all its series that have all of these labels, such as `status="200"`.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = client::get(self.admin, "/metrics").text();
        let of_name = |line: &&str| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' '])) && labels.iter().all(|it| line.contains(it))
        };
        let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        text.lines().filter(of_name).filter_map(value).sum()
    }

    /// The same, where it counts.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    pub fn count(&self, name: &str, labels: &[&str]) -> usize {
        self.metric(name, labels) as usize
    }

    /// Waits until it has counted so many.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_count(&self, name: &str, labels: &[&str], count: usize) {
        let counted = eventually(PATIENCE, || self.count(name, labels) == count);
        assert!(counted, "{name} {labels:?}: {}, not {count}", self.count(name, labels));
    }

    /// Waits for its end: how it ended, and the house that is left.
    pub fn ended(self) -> (House, ExitStatus, Vec<String>) {
        let (status, lines) = self.process.wait();
        (self.house, status, lines)
    }

    /// Stops it gracefully and waits for its end; all that it said.
    ///
    /// # Panics
    /// When it does not end, or not well.
    pub fn stop(self) -> Vec<String> {
        self.process.terminate();
        let (status, lines) = self.process.wait();
        assert!(status.success(), "{status}:\n{}", lines.join("\n"));
        lines
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.process.lines().join("\n")
    }
}

fn yaml(value: &Value) -> String {
    serde_yaml::to_string(value).expect("YAML")
}

/// The same body, with an answer in events.
pub fn streamed(mut body: Value) -> Value {
    body["stream"] = json!(true);
    body
}

/// A chat's body with one user message.
pub fn chat(model: &str, said: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": said}]})
}

/// The address at the end of a line such as `… proxy listening on http://127.0.0.1:4711`.
///
/// # Panics
/// When there is none.
pub fn address(process: &Process, line: &str) -> SocketAddr {
    let line = process.wait_line(line);
    let address = line.rsplit_once("http://").expect("a URL").1;
    // In a line of JSON it ends with the message.
    address.trim().trim_end_matches("\"}").parse().unwrap_or_else(|error| panic!("{line}: {error}"))
}
