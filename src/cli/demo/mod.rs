//! `sluice demo`: everything on one machine with nothing else installed.
//!
//! ```text
//! client ─▶ the real proxy ─▶ small, big, speech: simulated peers (peer.rs)
//!                 └─ polls ─▶ the gaming PC's mode: simulated (mode.rs, pc.rs)
//! ```

mod answers;
mod connection;
mod embedding;
mod events;
mod files;
mod head;
mod heard;
mod listener;
mod mode;
mod nap;
mod pc;
mod peer;
mod reply;
mod script;
mod sentence;
mod shapes;
mod stage;
mod tokens;
mod tone;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tracing::level_filters::LevelFilter;

use crate::config;
use crate::server::{Server, Stop};
use crate::telemetry::{Journal, logging};
use pc::Saying;
use script::banner;
use sentence::sentence;
use stage::{Stage, port};

/// How the demo runs.
#[derive(Debug, Args)]
pub struct Demo {
    /// The proxy's port; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The admin listener's port; 0 takes a free one
    #[arg(long, default_value_t = 8081)]
    admin_port: u16,
    /// End by itself after this time: 30s, 5m (otherwise it runs until Ctrl-C)
    #[arg(long, value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
}

/// Runs everything in this process, tells each decision, leaves nothing behind.
///
/// # Errors
/// A port that is taken, a folder that cannot be written.
pub fn run(demo: &Demo) -> anyhow::Result<u8> {
    logging::start(LevelFilter::WARN, false);
    super::serve::runtime(2)?.block_on(async {
        let (proxy_port, admin_port) = (port("--port", demo.port)?, port("--admin-port", demo.admin_port)?);
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let stage = Stage::start(folder.path()).context("cannot start the simulated peers")?;
        let server = bind(&stage, folder.path(), proxy_port, admin_port).await?;
        let (proxy, admin) = (server.proxy_addresses(), server.admin_addresses());
        let (Some(proxy), Some(admin)) = (proxy.first(), admin.first()) else {
            anyhow::bail!("nothing is listened on");
        };
        let stops = ends(demo.duration)?;
        super::out(&banner(*proxy, *admin, &stage.mode))?;
        let telling = tokio::spawn(tell(server.journal(), stage.mode.watch()));
        server.run(stops).await;
        telling.abort();
        super::out("The demo is over; nothing is left running.\n")?;
        Ok(0)
    })
}

async fn bind(stage: &Stage, folder: &Path, proxy_port: u16, admin_port: u16) -> anyhow::Result<Server> {
    let settings = stage.write_files(folder, proxy_port, admin_port)?;
    let config = config::load(&settings).map_err(|problems| anyhow::anyhow!("{problems}"))?;
    Server::bind(config).await.context("choose other ports with --port and --admin-port")
}

/// Each decision as a sentence when it happens.
async fn tell(journal: Arc<Journal>, mut mode: watch::Receiver<Saying>) -> anyhow::Result<()> {
    let mut decisions = journal.listen();
    loop {
        let line = tokio::select! {
            decision = decisions.recv() => match decision {
                Ok(record) => sentence(&record),
                Err(RecvError::Lagged(missed)) => format!("({missed} more)"),
                Err(RecvError::Closed) => return Ok(()),
            },
            Ok(()) = mode.changed() => format!("the gaming PC says {}", mode.borrow_and_update().told()),
        };
        super::out(&format!("{line}\n"))?;
    }
}

/// Says when the time is up, or what a signal says before.
fn ends(duration: Option<Duration>) -> anyhow::Result<mpsc::Receiver<Stop>> {
    let mut told = super::serve::stops()?;
    let Some(duration) = duration else { return Ok(told) };
    let (sender, stops) = mpsc::channel(2);
    tokio::spawn(async move {
        let stop = tokio::select! {
            Some(stop) = told.recv() => stop,
            () = tokio::time::sleep(duration) => Stop::Gracefully,
        };
        // Nobody listens any more when the demo is over already.
        let _ = sender.send(stop).await;
    });
    Ok(stops)
}
