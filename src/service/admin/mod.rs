//! The admin listener: probes, metrics, status, the push of a mode. A Pingora HTTP application.
//!
//! | call | file |
//! |---|---|
//! | who may ask | `guard` |
//! | `GET /livez`, `/readyz`, `/metrics`, `/status` | here |
//! | `PUT /gates/{name}` | `push` |
//! | `POST /explain`, `POST /reload` | `policy` |
//! | `GET /log`, `PUT /log` | `log` |
//! | `GET /decisions`, `/decisions/stream` | `decisions` |
//! | `GET /` and what it loads | `dashboard` |

mod dashboard;
mod decisions;
mod guard;
mod log;
mod policy;
mod push;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use pingora_core::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream};
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;
use pingora_error::Result;
use pingora_http::ResponseHeader;
use serde_json::Value;
use tokio::time::timeout;

use super::reload::Reloader;
use super::{scrape, status};
use crate::fleet::{Fleet, Live};
use crate::openai::{self, Refused, Shape};
use crate::telemetry::{Journal, Metrics};
pub use guard::Guard;

/// The application behind the admin listener.
pub struct Admin {
    /// Policy and live state.
    pub fleet: Arc<Fleet>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Puts policies in force.
    pub reloader: Arc<Reloader>,
    /// Decides about a request that nobody sent.
    pub explain: Explain,
    /// Bytes of request bodies held now.
    pub buffered: Box<dyn Fn() -> usize + Send + Sync>,
    /// The records of the exchanges that are over.
    pub journal: Arc<Journal>,
    /// Who may ask what.
    pub guard: Guard,
    /// Whether the first polls are done and the process does not stop.
    pub ready: Arc<AtomicBool>,
}

/// Decides about a request that nobody sent, under this policy.
pub type Explain = Box<dyn Fn(&Live, &[u8]) -> Result<Value, Refused> + Send + Sync>;

/// An answer: status, media type, body.
struct Answer {
    status: u16,
    media_type: &'static str,
    body: Bytes,
}

#[async_trait]
impl HttpServerApp for Admin {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        session.set_read_timeout(Some(READ_TIMEOUT));
        match timeout(IDLE, session.read_request()).await {
            Ok(Ok(true)) => {}
            _ => return None,
        }
        if self.streams_to(&session) {
            self.stream(&mut session, shutdown).await.ok()?;
            return None;
        }
        let kept = session.get_keepalive().filter(|_| !*shutdown.borrow());
        session.set_keepalive(kept);
        let outcome = self.answer(&mut session).await;
        write(&mut session, outcome).await.ok()?;
        let settings = HttpPersistentSettings::for_session(&session);
        let stream = session.finish().await.ok().flatten()?;
        Some(ReusedHttpStream::from_reusable_stream(stream, settings))
    }
}

impl Admin {
    async fn answer(&self, session: &mut ServerSession) -> Result<Answer, Refused> {
        let head = session.req_header();
        let (method, path) = (head.method.clone(), head.uri.path().to_owned());
        if !matches!(path.as_str(), "/livez" | "/readyz" | "/metrics") {
            self.guard.check(head, &path)?;
        }
        match (method.as_str(), path.as_str()) {
            ("GET", "/livez") => Ok(Answer::text(200, "ok\n")),
            ("GET", "/readyz") if self.ready.load(Ordering::Acquire) => Ok(Answer::text(200, "ready\n")),
            ("GET", "/readyz") => Ok(Answer::text(503, "not ready: starting or stopping\n")),
            ("GET", "/metrics") => Ok(self.metrics()),
            ("GET", "/status") => Ok(Answer::json(&self.status())),
            ("GET", "/decisions") => self.decisions(session.req_header().uri.query().unwrap_or_default()),
            ("GET", page) if dashboard::serves(page) => dashboard::file(page).ok_or_else(unknown_path),
            ("GET", log::PATH) => Ok(Self::log_level()),
            ("PUT", log::PATH) => Self::change_log_level(session).await,
            ("PUT", gate) if gate.starts_with(push::PREFIX) => self.push(session).await,
            ("POST", "/explain") => self.explained(session).await,
            ("POST", "/reload") => self.reload().await,
            (_, "/livez" | "/readyz" | "/metrics" | "/status" | "/decisions" | decisions::STREAM) => {
                Err(method_not_allowed("GET"))
            }
            (_, "/explain" | "/reload") => Err(method_not_allowed("POST")),
            (_, log::PATH) => Err(method_not_allowed("GET and PUT")),
            (_, gate) if gate.starts_with(push::PREFIX) => Err(method_not_allowed("PUT")),
            (_, page) if dashboard::serves(page) => Err(method_not_allowed("GET")),
            _ => Err(unknown_path()),
        }
    }

    fn status(&self) -> Value {
        status::status(&self.fleet.live(), self.reloader.last_error())
    }

    fn metrics(&self) -> Answer {
        let body = scrape::text(&self.fleet.live(), (self.buffered)(), &self.metrics).into();
        Answer { status: 200, media_type: "text/plain; version=0.0.4; charset=utf-8", body }
    }
}

impl Answer {
    fn text(status: u16, body: &'static str) -> Self {
        Self { status, media_type: "text/plain; charset=utf-8", body: Bytes::from_static(body.as_bytes()) }
    }

    fn json(value: &Value) -> Self {
        Self { status: 200, media_type: "application/json", body: value.to_string().into() }
    }
}

async fn write(session: &mut ServerSession, outcome: Result<Answer, Refused>) -> Result<()> {
    let (answer, refused) = match outcome {
        Ok(answer) => (answer, None),
        Err(refused) => (of_refusal(&refused), Some(refused)),
    };
    let mut head = ResponseHeader::build(answer.status, Some(12))?;
    head.insert_header("content-type", answer.media_type)?;
    head.insert_header("content-length", answer.body.len())?;
    protect(&mut head)?;
    if let Some(refused) = refused {
        add_refusal(&mut head, &refused)?;
    }
    session.write_response_header(Box::new(head)).await?;
    session.write_response_body(answer.body, true).await
}

/// What every answer tells a browser: keep no copy, guess no type, show it in no other page.
fn protect(head: &mut ResponseHeader) -> Result<()> {
    head.insert_header("cache-control", "no-store")?;
    head.insert_header("x-content-type-options", "nosniff")?;
    head.insert_header("content-security-policy", "default-src 'self'; frame-ancestors 'none'")
}

fn of_refusal(refused: &Refused) -> Answer {
    let body =
        openai::error::body(Shape::OpenAi, refused.status, refused.code, &refused.message, refused.param);
    Answer { status: refused.status, media_type: "application/json", body: body.into() }
}

fn add_refusal(head: &mut ResponseHeader, refused: &Refused) -> Result<()> {
    if let Some(methods) = refused.allow {
        head.insert_header("allow", methods)?;
    }
    if refused.status == 401 {
        head.insert_header("www-authenticate", "Bearer")?;
    }
    Ok(())
}

/// A body of a few lines at most.
async fn whole_body(session: &mut ServerSession) -> Result<BytesMut, Refused> {
    let mut body = BytesMut::new();
    let read = async {
        while let Ok(Some(piece)) = session.read_request_body().await {
            body.extend_from_slice(&piece);
            if body.len() > MAX_BODY {
                return Err(Refused::new(413, "body_too_large", "the body is larger than 256 KiB"));
            }
        }
        Ok(())
    };
    let late = || Refused::new(408, "body_timeout", "the body did not come in time");
    timeout(READ_TIMEOUT, read).await.map_err(|_elapsed| late())??;
    Ok(body)
}

fn unknown_path() -> Refused {
    Refused::new(404, "unknown_path", "there is nothing at this path")
}

fn method_not_allowed(allowed: &'static str) -> Refused {
    Refused::new(405, "method_not_allowed", format!("this path takes {allowed} alone")).allow(allowed)
}

const MAX_BODY: usize = 256 * 1024;
const READ_TIMEOUT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(75);
