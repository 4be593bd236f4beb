//! A simulated model server on a free port: vLLM or a speech server, as far as a client can tell.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::answers::{self, Stamp};
use super::connection::{self, Answer, Request, Rhythm};
use super::listener::Listener;
use super::nap::Nap;
use crate::openai::Endpoint;

/// Before the first word of a stream: as long as a short prompt takes to be read.
const PREFILL: Duration = Duration::from_millis(80);
/// Between two words of a stream.
const WORD: Duration = Duration::from_millis(60);
/// Before a whole answer.
const WHOLE: Duration = Duration::from_millis(250);

/// What a peer simulates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerKind {
    /// A language model behind vLLM's API.
    Language {
        /// The name it is served under.
        model: String,
        /// Its context window in tokens.
        context: u64,
    },
    /// A speech server: `/v1/audio/speech` alone.
    Speech {
        /// The name it is served under.
        model: String,
    },
}

/// A running simulated peer; it stops, and its connections with it, when it is dropped.
#[derive(Debug)]
pub struct Peer {
    listener: Listener,
}

impl Peer {
    /// Starts one on 127.0.0.1, at a port the kernel picks.
    ///
    /// # Errors
    /// When called outside of a tokio runtime, or when no port can be had.
    pub fn start(kind: PeerKind, nap: Arc<Nap>) -> io::Result<Self> {
        let shared = Arc::new((kind, nap, AtomicU64::new(0)));
        let listener = Listener::start(move |stream| {
            let shared = Arc::clone(&shared);
            connection::serve(stream, move |request| {
                let (kind, nap, served) = &*shared;
                let answer =
                    slept(nap, request).unwrap_or_else(|| answers::answer(kind, request, stamp(served)));
                let rhythm = rhythm(request, &answer);
                (answer, rhythm)
            })
        })?;
        Ok(Self { listener })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }
}

impl PeerKind {
    /// The name it is served under.
    pub fn model(&self) -> &str {
        match self {
            Self::Language { model, .. } | Self::Speech { model } => model,
        }
    }

    /// The context window in tokens, where there is one.
    pub const fn context(&self) -> Option<u64> {
        match self {
            Self::Language { context, .. } => Some(*context),
            Self::Speech { .. } => None,
        }
    }

    /// Whether it has this endpoint at all.
    pub(super) fn serves(&self, endpoint: Endpoint) -> bool {
        (endpoint == Endpoint::Speech) == matches!(self, Self::Speech { .. })
    }
}

/// What the development endpoints of a vLLM that can sleep answer, and what a sleeping or a dead one does with the
/// rest: nothing at all. `None` where it answers as always.
fn slept(nap: &Nap, request: &Request) -> Option<Answer> {
    if nap.is_dead() {
        return Some(Answer::Nothing);
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/sleep") => nap.fall_asleep(),
        ("POST", "/wake_up") => nap.wake(),
        ("GET", "/is_sleeping") => return Some(answers::whole(200, &nap.body())),
        (_, path) if Endpoint::of_path(path).is_some() => {
            return (!nap.survives()).then_some(Answer::Nothing);
        }
        _ => return None,
    }
    Some(answers::whole(200, &json!({})))
}

fn stamp(served: &AtomicU64) -> Stamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Stamp { serial: served.fetch_add(1, Ordering::Relaxed), created: since.as_secs() }
}

/// Only what a model works for takes time.
fn rhythm(request: &Request, answer: &Answer) -> Rhythm {
    let generates = Endpoint::of_path(&request.path).is_some_and(Endpoint::generates);
    match answer {
        Answer::Stream(_) => Rhythm { first: PREFILL, event: WORD },
        Answer::Whole { status: 200, .. } if generates => Rhythm { first: WHOLE, event: Duration::ZERO },
        Answer::Whole { .. } | Answer::Nothing => Rhythm::AT_ONCE,
    }
}

#[cfg(test)]
mod tests;
