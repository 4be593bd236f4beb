//! All that stands around the proxy in the demo: two language models, a speech server, the gaming PC.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{self, BIG_CONTEXT, BIG_MODEL, SMALL_CONTEXT, SMALL_MODEL, SPEECH_MODEL};
use super::mode::ModeEndpoint;
use super::nap::Nap;
use super::pc::Pc;
use super::peer::{Peer, PeerKind};

/// The simulated surroundings, all on free ports of this machine. They stop when this is dropped.
#[derive(Debug)]
pub struct Stage {
    /// What answers as the small model.
    pub small: Peer,
    /// What answers as the big one.
    pub big: Peer,
    /// What speaks.
    pub tts: Peer,
    /// The gaming PC's mode.
    pub mode: ModeEndpoint,
}

impl Stage {
    /// Starts all four; the gaming PC's files are in this folder.
    ///
    /// # Errors
    /// When called outside of a tokio runtime, or when no ports can be had.
    pub fn start(folder: &Path) -> io::Result<Self> {
        let nap = Arc::new(Nap::default());
        let language = |model: &str, context| PeerKind::Language { model: model.to_owned(), context };
        Ok(Self {
            small: Peer::start(language(SMALL_MODEL, SMALL_CONTEXT), Arc::default())?,
            big: Peer::start(language(BIG_MODEL, BIG_CONTEXT), Arc::clone(&nap))?,
            tts: Peer::start(PeerKind::Speech { model: SPEECH_MODEL.to_owned() }, Arc::default())?,
            mode: ModeEndpoint::start(Pc::new(folder, nap))?,
        })
    }

    /// Writes `sluice.yaml` and `policy.yaml` for these surroundings into a folder; the path of the former.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_files(&self, folder: &Path, proxy_port: u16, admin_port: u16) -> io::Result<PathBuf> {
        let policy =
            files::policy_yaml(self.small.addr(), self.big.addr(), self.tts.addr(), self.mode.addr());
        std::fs::write(folder.join("policy.yaml"), policy)?;
        let settings = folder.join("sluice.yaml");
        std::fs::write(&settings, files::settings_yaml(proxy_port, admin_port))?;
        Ok(settings)
    }
}

/// Whether the demo can have a port; 0 is a free one that the kernel picks. The port that it got.
///
/// # Errors
/// A message that names the port and `flag`, by which another one can be chosen.
pub fn port(flag: &str, wanted: u16) -> io::Result<u16> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, wanted))).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("port {wanted} cannot be used ({error}); choose another with `{flag} PORT`, or any free one with `{flag} 0`"),
        )
    })?;
    Ok(listener.local_addr()?.port())
}
