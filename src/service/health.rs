//! Health of the next exchanges: each peer is probed with Pingora's load-balancing check at its
//! interval, and at once after a failure in traffic.

use std::sync::Arc;

use pingora_error::{Error, ErrorType, OrErr, Result};
use pingora_http::RequestHeader;
use pingora_load_balancing::Backend as Target;
use pingora_load_balancing::health_check::{HealthCheck, HttpHealthCheck};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::fleet::LivePeer;
use crate::policy::Health;
use crate::telemetry::Fault;

/// Probes one peer.
pub struct Prober {
    backend: String,
    peer: Arc<LivePeer>,
    health: Health,
    check: HttpHealthCheck,
}

impl Prober {
    /// A prober of this peer.
    ///
    /// # Errors
    /// A path that is no request target; `config` has checked it, so it does not happen.
    pub fn new(backend: &str, peer: Arc<LivePeer>, health: Health) -> Result<Self> {
        let tls_name = peer.tls_name.as_deref();
        let mut check = HttpHealthCheck::new(tls_name.unwrap_or(&peer.target), tls_name.is_some());
        let mut head = RequestHeader::build("GET", health.path.as_bytes(), Some(2))?;
        head.insert_header("host", peer.host())?;
        check.req = head;
        check.peer_template.options.connection_timeout = Some(health.timeout);
        check.peer_template.options.read_timeout = Some(health.timeout);
        check.validator = Some(Box::new(|head| match head.status.is_success() {
            true => Ok(()),
            false => Error::e_explain(ErrorType::HTTPStatus(head.status.as_u16()), "the probe's status"),
        }));
        Ok(Self { backend: backend.to_owned(), peer, health, check })
    }

    /// Probes until the process stops.
    pub async fn run(&self, mut stopping: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = sleep(self.health.interval) => {}
                () = self.peer.probe_now.notified() => {}
                _ = async { stopping.wait_for(|stopping| *stopping).await.is_ok() } => return,
            }
            self.probe().await;
        }
    }

    /// One probe, and what follows from it; at most the probe's timeout.
    pub async fn probe(&self) {
        let outcome = timeout(self.health.timeout, self.ask()).await;
        let good = matches!(outcome, Ok(Ok(())));
        tracing::debug!(backend = self.backend, peer = self.peer.address, good, "probe");
        if let Some(healthy) = self.peer.observe(good, &self.health) {
            let why = match outcome {
                Ok(Err(error)) => Fault(&error).to_string(),
                Err(_) => "no answer in time".to_owned(),
                Ok(Ok(())) => String::new(),
            };
            tracing::info!(backend = self.backend, peer = self.peer.address, healthy, why, "health");
        }
    }

    async fn ask(&self) -> Result<()> {
        let address = match self.peer.literal {
            Some(address) => address,
            None => {
                let mut found = tokio::net::lookup_host(&self.peer.target)
                    .await
                    .or_err(ErrorType::ConnectError, "looking up")?;
                found
                    .next()
                    .ok_or_else(|| Error::explain(ErrorType::ConnectError, "the name has no address"))?
            }
        };
        self.check.check(&Target::new(&address.to_string())?).await
    }
}
