//! `sluice serve`: runs until it is told to stop.

use std::path::Path;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::EXIT_CONFIG;
use crate::config::{self, LogFormat};
use crate::server::Server;
use crate::telemetry::logging;

/// Runs the proxy and the admin listener.
///
/// # Errors
/// A listener that cannot be bound, a runtime that cannot be made.
pub fn run(path: &Path) -> anyhow::Result<u8> {
    let config = match config::load(path) {
        Ok(config) => config,
        Err(problems) => {
            super::complain(&problems);
            return Ok(EXIT_CONFIG);
        }
    };
    logging::start(config.settings.log.level.as_str(), config.settings.log.format == LogFormat::Json);
    runtime(config.settings.threads)?.block_on(async {
        let server = Server::bind(config)?;
        for address in server.proxy_addresses() {
            tracing::info!("proxy listening on http://{address}");
        }
        for address in server.admin_addresses() {
            tracing::info!("admin listening on http://{address}");
        }
        server.run(told_to_stop()?).await;
        Ok(0)
    })
}

/// A runtime with this many workers.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime(threads: usize) -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .worker_threads(threads)
        .thread_name("sluice")
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Ready at the first SIGTERM or SIGINT.
///
/// # Errors
/// When the system refuses the handlers.
pub fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle SIGINT")?;
    // SIGHUP would end the process; a reload is not built yet, so it is taken and told.
    let mut hangup = signal(SignalKind::hangup()).context("cannot handle SIGHUP")?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hangup.recv() => tracing::warn!("SIGHUP: reloading the policy is not built yet; restart to apply it"),
            }
        }
    })
}
