//! The composition root: settings and a policy become a running process. Wires everything, decides nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pingora_core::apps::ServerApp;
use pingora_core::protocols::SocketDigest;
use pingora_core::protocols::l4::stream::Stream as TcpLayer;
use pingora_core::server::configuration::ServerConf;
use pingora_proxy::{HttpProxy, http_proxy};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::config::{Config, Settings};
use crate::fleet::{Fleet, Live};
use crate::proxy::{Gateway, Reception};
use crate::service::admin::{Admin, Guard};
use crate::service::gates::Watcher;
use crate::service::health::Prober;
use crate::telemetry::{Journal, Metrics};
use crate::transport::{Admission, Door, Limits};

/// A server whose listeners are bound and which serves nobody yet.
pub struct Server {
    proxies: Vec<TcpListener>,
    admins: Vec<TcpListener>,
    door: Arc<Door<HttpProxy<Gateway>>>,
    admin: Arc<Admin>,
    fleet: Arc<Fleet>,
    metrics: Arc<Metrics>,
    journal: Arc<Journal>,
    ready: Arc<AtomicBool>,
    stopping: watch::Sender<bool>,
    grace: Duration,
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
    /// Something that `config` and the tests rule out.
    #[error("{0}")]
    Internal(String),
}

impl Server {
    /// Binds every listener and builds everything. Must be called within a runtime.
    ///
    /// # Errors
    /// [`StartError`]; nothing stays bound then.
    pub fn bind(config: Config) -> Result<Self, StartError> {
        let settings = config.settings;
        let internal = |error: &dyn std::fmt::Display| StartError::Internal(error.to_string());
        let fleet = Fleet::new(config.policy, config.policy_hash).map_err(|error| internal(&error))?;
        let metrics = Metrics::new().map_err(|error| internal(&error))?;
        let (stopping, stop) = watch::channel(false);
        let (journal, ready) = (Journal::new(), Arc::new(AtomicBool::new(false)));
        let admission = Admission::new(settings.limits.requests, settings.limits.buffered);
        let gateway = Gateway {
            fleet: fleet.clone(),
            metrics: metrics.clone(),
            journal: journal.clone(),
            stopping: stop.clone(),
        };
        let door = Door {
            app: Arc::new(http_proxy(&pingora_conf(&settings), gateway)),
            gatekeeper: Arc::new(Reception { fleet: fleet.clone() }),
            admission: admission.clone(),
            limits: limits(&settings),
            stopping: stop,
        };
        let guard = guard(&settings)?;
        let (app_fleet, app_metrics) = (fleet.clone(), metrics.clone());
        let buffered = Box::new(move || admission.buffered());
        let admin = Admin { fleet: app_fleet, metrics: app_metrics, buffered, guard, ready: ready.clone() };
        Ok(Self {
            proxies: listen_all(&settings.proxy)?,
            admins: listen_all(&settings.admin)?,
            door: Arc::new(door),
            admin: Arc::new(admin),
            fleet,
            metrics,
            journal,
            ready,
            stopping,
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

    /// Decisions as they happen.
    pub fn journal(&self) -> Arc<Journal> {
        Arc::clone(&self.journal)
    }

    /// Serves until `stop` is ready, then stops without losing anybody, within the grace.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut tasks = JoinSet::new();
        self.admins.into_iter().for_each(|listener| {
            tasks.spawn(accept_admin(listener, Arc::clone(&self.admin), self.stopping.subscribe()));
        });
        self.fleet.live().watch(&self.metrics, &self.stopping, &mut tasks).await;
        let exchanges = Arc::clone(&self.door.admission);
        self.proxies.into_iter().for_each(|listener| {
            tasks.spawn(accept(listener, Arc::clone(&self.door), self.stopping.subscribe()));
        });
        self.ready.store(true, Ordering::Release);
        tracing::info!("ready");
        stop.await;
        tracing::info!(in_flight = exchanges.exchanges(), "stopping");
        self.ready.store(false, Ordering::Release);
        self.stopping.send_replace(true);
        drained(tasks, self.grace).await;
        tracing::info!(cut = exchanges.exchanges(), "stopped");
    }
}

impl Live {
    /// First polls and probes, all at one time and each with its deadline; then their watchers.
    async fn watch(&self, metrics: &Arc<Metrics>, stopping: &watch::Sender<bool>, tasks: &mut JoinSet<()>) {
        let mut first = JoinSet::new();
        for (gate, configured) in self.gates.iter().zip(&self.policy.gates) {
            let watcher = Arc::new(Watcher::new(gate.clone(), configured.clone(), metrics.clone()));
            let polling = watcher.clone();
            first.spawn(async move { polling.poll().await });
            let stop = stopping.subscribe();
            tasks.spawn(async move { watcher.run(stop).await });
        }
        for (backend, configured) in self.backends.iter().zip(&self.policy.backends) {
            let Some(health) = &configured.health else { continue };
            for peer in &backend.peers {
                match Prober::new(&backend.name, peer.clone(), health.clone()) {
                    Ok(prober) => {
                        let prober = Arc::new(prober);
                        let probing = prober.clone();
                        first.spawn(async move { probing.probe().await });
                        let stop = stopping.subscribe();
                        tasks.spawn(async move { prober.run(stop).await });
                    }
                    Err(error) => tracing::error!(backend = backend.name, "cannot probe: {error}"),
                }
            }
        }
        while first.join_next().await.is_some() {}
    }
}

async fn accept(listener: TcpListener, door: Arc<Door<HttpProxy<Gateway>>>, stopping: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Some(tcp) = next_connection(&listener, stopping.clone(), &mut connections).await {
        let door = Arc::clone(&door);
        connections.spawn(async move { door.serve(tcp).await });
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

/// Waits for every task, at most as long as the grace.
async fn drained(mut tasks: JoinSet<()>, grace: Duration) {
    let deadline = Instant::now() + grace;
    while let Ok(Some(_)) = tokio::time::timeout_at(deadline, tasks.join_next()).await {}
    tasks.abort_all();
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
    let read = |path: &Option<std::path::PathBuf>| match path {
        None => Ok(None),
        Some(path) => match std::fs::read_to_string(path) {
            Ok(token) => Ok(Some(token.trim_end().to_owned())),
            Err(source) => Err(StartError::Token { path: path.display().to_string(), source }),
        },
    };
    let (token, gate_token) = (read(&settings.admin_token_file)?, read(&settings.gate_token_file)?);
    Ok(Guard { token, gate_token, hosts: settings.admin_hosts.clone() })
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

/// Attempts of one exchange; every candidate and peer is tried once at most, this only bounds a mistake.
const MAX_ATTEMPTS: usize = 256;
/// Connections that the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;
/// Before the next accept, when one failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
