//! `sluice serve`: runs until it is told to stop.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::EXIT_CONFIG;
use crate::config::{self, LogFormat};
use crate::server::{Server, Stop};
use crate::service::reload::Reloader;
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
    logging::start(config.settings.log.level.into(), config.settings.log.format == LogFormat::Json);
    runtime(HOUSEKEEPERS)?.block_on(async {
        let server = Server::bind(config).await?;
        for address in server.proxy_addresses() {
            tracing::info!("proxy listening on http://{address}");
        }
        for address in server.admin_addresses() {
            tracing::info!("admin listening on http://{address}");
        }
        let (stops, hangup) = (stops()?, at_hangup(server.reloader())?);
        tokio::spawn(hangup);
        server.run(stops).await;
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

/// What the process is told by signals: SIGTERM stops gracefully, SIGINT at once, and so does a second
/// signal of either kind.
///
/// # Errors
/// When the system refuses the handlers.
pub fn stops() -> anyhow::Result<mpsc::Receiver<Stop>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot handle SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot handle SIGINT")?;
    let (sender, stops) = mpsc::channel(2);
    tokio::spawn(async move {
        let mut first = true;
        loop {
            let stop = tokio::select! {
                _ = terminate.recv() => if first { Stop::Gracefully } else { Stop::AtOnce },
                _ = interrupt.recv() => Stop::AtOnce,
            };
            first = false;
            if sender.send(stop).await.is_err() {
                return; // nobody runs any more
            }
        }
    });
    Ok(stops)
}

/// Reloads the policy at every SIGHUP, for as long as it is polled.
fn at_hangup(reloader: Arc<Reloader>) -> anyhow::Result<impl Future<Output = ()>> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot handle SIGHUP")?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            // What is wrong has been told.
            let _ = reloader.reload().await;
        }
    })
}

/// Threads beside those that serve clients: for gates, probes, the admin listener.
const HOUSEKEEPERS: usize = 1;
