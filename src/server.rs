//! The composition root: settings and a policy become a running process. Wires everything, decides nothing.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use pingora_core::apps::ServerApp;
use pingora_core::protocols::SocketDigest;
use pingora_core::protocols::l4::stream::Stream as TcpLayer;
use pingora_core::server::configuration::ServerConf;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::config::{BadRoots, Config, Settings, check_roots};
use crate::fleet::{Fleet, Ledger};
use crate::proxy::{Gateway, Origins, Proxy, Reception, explain, proxies};
use crate::service::admin::{Admin, Guard};
use crate::service::ledger_file;
use crate::service::reload::Reloader;
use crate::service::supervisor::{self, Supervisor};
use crate::service::watch::Watch;
use crate::telemetry::audit::{Audit, Place};
use crate::telemetry::{Journal, Metrics};
use crate::transport::{Admission, Door, Guests, Limits, Workers};

/// A server whose listeners are bound and which serves nobody yet.
pub struct Server {
    proxies: Vec<TcpListener>,
    admins: Vec<TcpListener>,
    workers: Arc<Workers<Proxy>>,
    admission: Arc<Admission>,
    admin: Arc<Admin>,
    reloader: Arc<Reloader>,
    supervisor: Arc<Supervisor>,
    journal: Arc<Journal>,
    ledger: Arc<Ledger>,
    /// Where the ledger is kept.
    budgets: PathBuf,
    ready: Arc<AtomicBool>,
    stopping: watch::Sender<bool>,
    cutting: watch::Sender<bool>,
    /// Turns true when the last exchange is over: until then gates and the admin listener live.
    over: watch::Sender<bool>,
    grace: Duration,
}

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// What runs may end, within the grace; what waits is refused.
    Gracefully,
    /// What runs is cut.
    AtOnce,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A token file cannot be read.
    #[error("cannot read {path}: {source}")]
    Token {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// Pingora could not read the certificate authorities.
    #[error(transparent)]
    Roots(#[from] BadRoots),
    /// Something that `config` and the tests rule out.
    #[error("{0}")]
    Internal(String),
}

/// Where what must survive a restart is kept: as written, else where the service manager says, else beside
/// the policy.
fn state_directory(settings: &Settings) -> PathBuf {
    // systemd names several with colons between them.
    let given = std::env::var("STATE_DIRECTORY").unwrap_or_default();
    let given = given.split(':').next().filter(|first| !first.is_empty()).map(PathBuf::from);
    let beside = || settings.policy_path.parent().map(Path::to_owned).unwrap_or_default();
    settings.state.clone().or(given).unwrap_or_else(beside)
}

impl Server {
    /// Binds every listener and builds everything. Must be called within a runtime.
    ///
    /// # Errors
    /// [`StartError`]; nothing stays bound then.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        let settings = config.settings;
        let internal = |error: &dyn std::fmt::Display| StartError::Internal(error.to_string());
        check_roots()?;
        let budgets = state_directory(&settings).join(ledger_file::NAME);
        let ledger = Ledger::new(ledger_file::load(&budgets));
        let fleet = Fleet::with_ledger(config.policy, config.policy_hash, Arc::clone(&ledger))
            .map_err(|error| internal(&error))?;
        let metrics = Metrics::new().map_err(|error| internal(&error))?;
        metrics.set_buffered_limit(settings.limits.buffered);
        let ((stopping, stop), (cutting, cut)) = (watch::channel(false), watch::channel(false));
        let (over, ended) = watch::channel(false);
        let audit = audit(&settings, &metrics).map_err(|error| internal(&error))?;
        let (journal, ready) = (Journal::new(audit), Arc::new(AtomicBool::new(false)));
        let admission = Admission::new(settings.limits.requests, settings.limits.buffered);
        let watch = Watch::new(metrics.clone(), ended);
        let supervisor = Supervisor::new();
        let path = settings.policy_path.clone();
        let reloader = Reloader::new(fleet.clone(), path, metrics.clone(), watch, supervisor.clone());
        let gateway = Gateway {
            fleet: fleet.clone(),
            metrics: metrics.clone(),
            journal: journal.clone(),
            stopping: stop.clone(),
            origins: Origins::new(settings.cors_origins.clone()),
        };
        let held = admission.clone();
        let admin = Admin {
            fleet,
            metrics,
            reloader: reloader.clone(),
            explain: Box::new(explain::answer),
            buffered: Box::new(move || held.buffered()),
            guard: guard(&settings)?,
            journal: journal.clone(),
            ready: ready.clone(),
        };
        Ok(Self {
            proxies: listen_all(&settings.proxy)?,
            admins: listen_all(&settings.admin)?,
            workers: Arc::new(workers(&settings, &gateway, &admission, &stop, &cut).await?),
            admission,
            admin: Arc::new(admin),
            reloader,
            supervisor,
            journal,
            ledger,
            budgets,
            ready,
            stopping,
            cutting,
            over,
            grace: settings.shutdown_grace,
        })
    }

    /// Where the proxy listens; with port 0 in the settings, the port that the system chose.
    pub fn proxy_addresses(&self) -> Vec<SocketAddr> {
        self.proxies.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Where the admin listener is.
    pub fn admin_addresses(&self) -> Vec<SocketAddr> {
        self.admins.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Puts policies in force.
    pub fn reloader(&self) -> Arc<Reloader> {
        Arc::clone(&self.reloader)
    }

    /// Decisions as they happen.
    pub fn journal(&self) -> Arc<Journal> {
        Arc::clone(&self.journal)
    }

    /// Serves until it is told to stop; then without losing anybody, within the grace, or at once. Returns
    /// when the audit file has its last record.
    pub async fn run(self, stops: mpsc::Receiver<Stop>) {
        let journal = self.journal();
        let (over, ended) = watch::channel(false);
        let keeper = tokio::spawn(ledger_file::keep(Arc::clone(&self.ledger), self.budgets.clone(), ended));
        self.serve(stops).await;
        journal.close().await;
        over.send_replace(true);
        // It writes the last change and returns; a panic of it is in the log.
        let _ = keeper.await;
    }

    async fn serve(self, mut stops: mpsc::Receiver<Stop>) {
        let (mut house, mut tasks) = (JoinSet::new(), JoinSet::new());
        self.admins.into_iter().for_each(|listener| {
            house.spawn(accept_admin(listener, Arc::clone(&self.admin), self.over.subscribe()));
        });
        house.spawn(supervisor::beat(self.workers.runtimes()));
        self.reloader.begin().await;
        let (reloader, ended) = (Arc::clone(&self.reloader), self.over.subscribe());
        house.spawn(async move { reloader.follow(ended).await });
        let exchanges = self.admission;
        self.proxies.into_iter().for_each(|listener| {
            tasks.spawn(accept(listener, Arc::clone(&self.workers), self.stopping.subscribe()));
        });
        self.ready.store(true, Ordering::Release);
        tracing::info!("ready");
        self.supervisor.ready();
        let mut stop = stops.recv().await.unwrap_or(Stop::Gracefully);
        tracing::info!(in_flight = exchanges.exchanges(), "stopping");
        self.supervisor.stopping(self.grace);
        self.ready.store(false, Ordering::Release);
        self.stopping.send_replace(true);
        if stop == Stop::Gracefully {
            stop = tokio::select! {
                () = all(&mut tasks) => return tracing::info!("stopped"),
                () = sleep(self.grace) => Stop::AtOnce,
                Some(again) = stops.recv() => again,
            };
        }
        tracing::warn!(cut = exchanges.exchanges(), ?stop, "what still runs is cut");
        self.cutting.send_replace(true);
        // Time for a last word to those who are cut, and no more.
        let _ = tokio::time::timeout(LAST_WORD, all(&mut tasks)).await;
        tasks.abort_all();
    }
}

async fn all(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

async fn accept(listener: TcpListener, workers: Arc<Workers<Proxy>>, stopping: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Some(tcp) = next_connection(&listener, stopping.clone(), &mut connections).await {
        workers.serve(tcp, &mut connections);
    }
    // Those that the kernel has accepted already would be reset with their requests.
    while let Some(tcp) = already_there(&listener).await {
        workers.serve(tcp, &mut connections);
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn accept_admin(listener: TcpListener, admin: Arc<Admin>, stopping: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Some(tcp) = next_connection(&listener, stopping.clone(), &mut connections).await {
        let (admin, stopping) = (Arc::clone(&admin), stopping.clone());
        connections.spawn(async move {
            let mut stream: TcpLayer = tcp.into();
            let _ = stream.set_nodelay();
            let digest = SocketDigest::from_raw_fd(pingora_core::protocols::UniqueID::id(&stream));
            pingora_core::protocols::GetSocketDigest::set_socket_digest(&mut stream, digest);
            admin.process_new(Box::new(stream), &stopping).await;
        });
    }
    // Probes and scrapes that are under way end with the process.
}

/// A connection that need not be waited for.
async fn already_there(listener: &TcpListener) -> Option<TcpStream> {
    let accepted = poll_fn(|cx| match listener.poll_accept(cx) {
        Poll::Ready(accepted) => Poll::Ready(accepted.ok()),
        Poll::Pending => Poll::Ready(None),
    });
    accepted.await.map(|(tcp, _)| tcp)
}

/// The next connection, or `None` once the process stops. Ended ones are forgotten on the way.
async fn next_connection(
    listener: &TcpListener,
    mut stopping: watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
) -> Option<TcpStream> {
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => return Some(tcp),
                // Out of descriptors, most likely: a busy loop would not bring any back.
                Err(error) => {
                    tracing::error!("accept: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = async { stopping.wait_for(|stopping| *stopping).await.is_ok() } => return None,
        }
    }
}

fn listen_all(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, StartError> {
    let bind = |address: &SocketAddr| {
        listen(*address).map_err(|source| StartError::Bind { address: *address, source })
    };
    addresses.iter().map(bind).collect()
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The threads that serve; each has a Pingora proxy, and with it upstream connections, of its own.
async fn workers(
    settings: &Settings,
    gateway: &Gateway,
    admission: &Arc<Admission>,
    stopping: &watch::Receiver<bool>,
    cutting: &watch::Receiver<bool>,
) -> Result<Workers<Proxy>, StartError> {
    let gatekeeper = Arc::new(Reception {
        metrics: gateway.metrics.clone(),
        fleet: gateway.fleet.clone(),
        origins: gateway.origins.clone(),
    });
    let guests = Guests::within(descriptors(), settings.threads);
    let internal = |error| StartError::Internal(format!("the proxy: {error}"));
    let proxies = proxies(settings.threads, &pingora_conf(settings), gateway).await.map_err(internal)?;
    let door = |app| Door {
        app,
        gatekeeper: gatekeeper.clone(),
        admission: admission.clone(),
        guests: guests.clone(),
        limits: limits(settings),
        stopping: stopping.clone(),
        cutting: cutting.clone(),
    };
    let doors = proxies.into_iter().map(door).collect();
    Workers::start(doors).map_err(internal)
}

/// File descriptors that the process may have: as many as the system lets it.
fn descriptors() -> u64 {
    let raised = rlimit::increase_nofile_limit(u64::MAX);
    raised.unwrap_or_else(|error| {
        tracing::warn!("the limit of open files stays as it is: {error}");
        1024 // what shells and services usually give
    })
}

fn limits(settings: &Settings) -> Limits {
    let limits = &settings.limits;
    Limits {
        body: limits.body,
        header_read: limits.header_read_timeout,
        body_read: limits.body_read_timeout,
        write: limits.write_timeout,
        keepalive: limits.keepalive_timeout,
    }
}

fn guard(settings: &Settings) -> Result<Guard, StartError> {
    let read = |path: &Option<PathBuf>| match path {
        None => Ok(None),
        Some(path) => match std::fs::read_to_string(path) {
            Ok(token) => Ok(Some(token.trim_end().to_owned())),
            Err(source) => Err(StartError::Token { path: path.display().to_string(), source }),
        },
    };
    let (token, gate_token) = (read(&settings.admin_token_file)?, read(&settings.gate_token_file)?);
    Ok(Guard { token, gate_token, hosts: settings.admin_hosts.clone() })
}

fn audit(settings: &Settings, metrics: &Arc<Metrics>) -> io::Result<Option<Audit>> {
    let Some(path) = settings.audit.path.clone() else { return Ok(None) };
    let place = Place { path, max_size: settings.audit.max_size, keep: settings.audit.keep };
    Audit::start(place, Arc::clone(metrics)).map(Some)
}

fn pingora_conf(settings: &Settings) -> Arc<ServerConf> {
    Arc::new(ServerConf {
        threads: settings.threads,
        max_retries: MAX_ATTEMPTS,
        // A pool smaller than the concurrency costs a connect per request.
        upstream_keepalive_pool_size: settings.limits.requests.max(128),
        ..ServerConf::default()
    })
}

/// After the cut, until nobody is waited for any more.
const LAST_WORD: Duration = Duration::from_millis(500);
/// Attempts of one exchange; every candidate and peer is tried once at most, this only bounds a mistake.
const MAX_ATTEMPTS: usize = 256;
/// Connections that the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;
/// Before the next accept, when one failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
