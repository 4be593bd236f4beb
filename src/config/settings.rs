//! `sluice.yaml`: what is read once at start.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::defaults as d;
use super::estate::is_host_port;
use super::problem::quoted;
use super::reader::{Item, Table};

const KEYS: [&str; 11] = [
    "version",
    "listen",
    "admin",
    "policy",
    "state",
    "threads",
    "limits",
    "cors",
    "audit",
    "log",
    "shutdown_grace",
];

/// Everything of `sluice.yaml`. Paths are taken from the directory of that file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where clients connect.
    pub proxy: Vec<SocketAddr>,
    /// Where operators and Prometheus connect.
    pub admin: Vec<SocketAddr>,
    /// Holds the token that may do everything on the admin listener.
    pub admin_token_file: Option<PathBuf>,
    /// Holds the token that may only push a gate's mode.
    pub gate_token_file: Option<PathBuf>,
    /// Names, lower case, that a `Host` header to the admin listener may carry besides loopback and addresses.
    pub admin_hosts: Vec<String>,
    /// Where `policy.yaml` is.
    pub policy_path: PathBuf,
    /// The directory of what must survive a restart; `None`: the service manager's, else the policy's.
    pub state: Option<PathBuf>,
    /// Threads of the proxy service.
    pub threads: usize,
    /// Bounds on what clients may take.
    pub limits: Limits,
    /// Origins of browsers that may call the proxy listener.
    pub cors_origins: Vec<String>,
    /// Where decisions are recorded.
    pub audit: Audit,
    /// How the program logs.
    pub log: Log,
    /// How long a stop may wait for what runs.
    pub shutdown_grace: Duration,
}

/// Bounds on what clients may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request body.
    pub body: usize,
    /// Bytes of all bodies held at one time; at least `body`.
    pub buffered: usize,
    /// Exchanges in flight, queued ones included.
    pub requests: usize,
    /// Time for a whole request head.
    pub header_read_timeout: Duration,
    /// Time for a whole request body.
    pub body_read_timeout: Duration,
    /// A client that takes nothing for so long is cut.
    pub write_timeout: Duration,
    /// How long an idle connection is kept.
    pub keepalive_timeout: Duration,
}

/// Where decisions are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// The file; `None` is off, `-` is standard output.
    pub path: Option<PathBuf>,
    /// Bytes at which a file is put aside and a new one begun.
    pub max_size: u64,
    /// How many files put aside are kept.
    pub keep: u32,
}

/// How the program logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The least important line that is written.
    pub level: LogLevel,
    /// What a line looks like.
    pub format: LogFormat,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Failures only.
    Error,
    /// And what somebody should look at.
    Warn,
    /// And what happens.
    Info,
    /// And why.
    Debug,
    /// And every step.
    Trace,
}

/// What a log line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogLevel {
    const WORDS: [(&str, Self); 5] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];

    /// The level of this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, level)| *level)
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Where `policy.yaml` is, as far as a document with mistakes says so.
pub(super) fn policy_path(root: &Table<'_>, directory: &Path) -> Option<PathBuf> {
    match root.find("policy") {
        Some(item) => item.text().map(|path| directory.join(path)),
        None => root.is_map().then(|| directory.join(d::POLICY)),
    }
}

/// Opens the document: its keys are checked here.
pub(super) fn open<'a>(root: &Item<'a>) -> Table<'a> {
    root.table(&KEYS)
}

/// Reads the document. What it gives back is only worth something when nothing was found wrong.
pub(super) fn read(root: &Table<'_>, directory: &Path, policy_path: PathBuf) -> Settings {
    root.version(&d::VERSION);
    let admin = root.table("admin", &["token_file", "gate_token_file", "hosts"]);
    let admin_token_file = token_file(&admin, "token_file", directory);
    let gate_token_file = token_file(&admin, "gate_token_file", directory);
    if let (None, Some(item)) =
        (&admin_token_file, admin.find("gate_token_file").filter(|_| gate_token_file.is_some()))
    {
        let help = "set admin.token_file too: without it nobody is asked for anything";
        item.problem("a token for gates alone guards nothing", help);
    }
    let listen = root.table("listen", &["proxy", "admin"]);
    Settings {
        proxy: addresses(&listen, "proxy", d::LISTEN_PROXY).into_iter().map(|(address, _)| address).collect(),
        admin: admin_addresses(&listen, admin_token_file.is_some()),
        admin_token_file,
        gate_token_file,
        admin_hosts: admin.list("hosts").iter().filter_map(host).collect(),
        policy_path,
        state: state(root, directory),
        threads: count(root.whole("threads", &d::THREADS)),
        limits: limits(&root.table("limits", &LIMIT_KEYS)),
        cors_origins: cors_origins(root),
        audit: audit(&root.table("audit", &["path", "max_size", "keep"]), directory),
        log: log(&root.table("log", &["level", "format"])),
        shutdown_grace: root.duration("shutdown_grace", &d::SHUTDOWN_GRACE),
    }
}

fn state(root: &Table<'_>, directory: &Path) -> Option<PathBuf> {
    let item = root.nullable("state")?;
    let path = directory.join(item.text()?);
    if !path.is_dir() {
        let problem = format!("there is no directory {}", quoted(&path.to_string_lossy()));
        item.problem(problem, "make it, or write `null`");
    }
    Some(path)
}

const LIMIT_KEYS: [&str; 7] = [
    "body",
    "buffered",
    "requests",
    "header_read_timeout",
    "body_read_timeout",
    "write_timeout",
    "keepalive_timeout",
];

fn limits(table: &Table<'_>) -> Limits {
    let (body, buffered) = (table.size("body", &d::BODY), table.size("buffered", &d::BUFFERED));
    if body > buffered {
        let blamed = table.find("buffered").or_else(|| table.find("body"));
        if let Some(item) = blamed {
            item.problem("limits.buffered is smaller than limits.body", "one body of the full size must fit");
        }
    }
    Limits {
        body: bytes(body),
        buffered: bytes(buffered),
        requests: count(table.whole("requests", &d::REQUESTS)),
        header_read_timeout: table.duration("header_read_timeout", &d::HEADER_READ_TIMEOUT),
        body_read_timeout: table.duration("body_read_timeout", &d::BODY_READ_TIMEOUT),
        write_timeout: table.duration("write_timeout", &d::WRITE_TIMEOUT),
        keepalive_timeout: table.duration("keepalive_timeout", &d::KEEPALIVE_TIMEOUT),
    }
}

fn audit(table: &Table<'_>, directory: &Path) -> Audit {
    let place = |text: &str| if text == "-" { PathBuf::from("-") } else { directory.join(text) };
    Audit {
        path: table.nullable("path").and_then(|item| item.text().map(place)),
        max_size: table.size("max_size", &d::AUDIT_MAX_SIZE),
        keep: table.whole("keep", &d::AUDIT_KEEP),
    }
}

fn log(table: &Table<'_>) -> Log {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    Log {
        level: table.word("level", &LogLevel::WORDS, LogLevel::Info),
        format: table.word("format", &formats, LogFormat::Text),
    }
}

fn cors_origins(root: &Table<'_>) -> Vec<String> {
    root.table("cors", &["origins"]).list("origins").iter().filter_map(origin).collect()
}

/// As a browser writes it: `scheme://host[:port]` in lower case, no path.
fn origin(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let written = text.split_once("://").is_some_and(|(scheme, host)| {
        let known = scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c));
        known && is_host_port(host, false) && !host.chars().any(|c| c.is_ascii_uppercase())
    });
    if written {
        return Some(text.to_owned());
    }
    let help =
        "write each as a browser does, such as https://chat.home.lan; there is no word for all of them";
    item.missing(&format!("{} is not an origin", quoted(text)), help)
}

/// One address or a list of them, each with the place that an objection belongs to.
fn addresses<'a>(listen: &Table<'a>, key: &str, default: &str) -> Vec<(SocketAddr, Option<Item<'a>>)> {
    let Some(item) = listen.find(key) else {
        return default.parse().map(|address| (address, None)).into_iter().collect();
    };
    let items = if item.is_list() { item.some() } else { vec![item] };
    let mut found: Vec<(SocketAddr, Option<Item<'a>>)> = Vec::new();
    for item in items {
        let Some(address) = address(&item) else { continue };
        // Port 0 is a free port each time.
        if address.port() != 0 && found.iter().any(|(other, _)| *other == address) {
            item.problem(format!("{address} stands twice"), "remove one of them");
        }
        found.push((address, Some(item)));
    }
    found
}

fn address(item: &Item<'_>) -> Option<SocketAddr> {
    let text = item.text()?;
    text.parse().ok().or_else(|| {
        let help = "write an address and a port, such as 0.0.0.0:8080 or [::1]:8080; names are not looked up";
        item.missing(&format!("{} is not an address to listen on", quoted(text)), help)
    })
}

/// Whoever reaches the admin listener may close gates and read decisions: beyond loopback it needs a token.
fn admin_addresses(listen: &Table<'_>, has_token: bool) -> Vec<SocketAddr> {
    let found = addresses(listen, "admin", d::LISTEN_ADMIN);
    for (address, item) in &found {
        if !has_token
            && !address.ip().to_canonical().is_loopback()
            && let Some(item) = item
        {
            let help = "set admin.token_file, or listen on 127.0.0.1 or [::1]";
            item.problem(format!("{address} is not loopback and there is no admin.token_file"), help);
        }
    }
    found.into_iter().map(|(address, _)| address).collect()
}

/// The place of a token. One that is not there is found here, not at the first call; one that may not be looked
/// at is left to the server, which may run as somebody else.
fn token_file(admin: &Table<'_>, key: &str, directory: &Path) -> Option<PathBuf> {
    let item = admin.nullable(key)?;
    let path = directory.join(item.text()?);
    if matches!(path.try_exists(), Ok(false)) {
        let problem = format!("there is no file {}", quoted(&path.to_string_lossy()));
        item.problem(problem, "the path is taken from this file's directory; `null` asks for no token");
    } else if std::fs::read_to_string(&path).is_ok_and(|token| token.trim().is_empty()) {
        // It would let in whoever sends nothing.
        item.problem("the token is empty", "write a long random word into the file");
    }
    Some(path)
}

fn host(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    if text.len() <= 253 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
        return Some(text.to_ascii_lowercase());
    }
    item.missing(
        &format!("{} is not a host name", quoted(text)),
        "write the name alone, without scheme or port",
    )
}

/// In range by now, and so small enough for any machine's `usize`.
fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A limit that is more than the machine can address is as good as none.
fn bytes(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
