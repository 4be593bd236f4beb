//! The life of one client connection: request after request, until somebody closes it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pingora_core::apps::HttpServerApp;
use pingora_core::protocols::SocketDigest;
use pingora_core::protocols::http::ServerSession;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::client_stream::Line;
use super::intake::{Intake, Taken};
use super::{Admission, ClientStream, Cut, Gatekeeper, Guests};

/// How much and how long a connection may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one body.
    pub body: usize,
    /// For a whole head, from its first byte.
    pub header_read: Duration,
    /// For a whole body.
    pub body_read: Duration,
    /// A client that takes nothing for so long is cut.
    pub write: Duration,
    /// Between two requests.
    pub keepalive: Duration,
}

/// Where connections come in: what serves them, and by which rules.
pub struct Door<A> {
    /// The Pingora application, `HttpProxy`.
    pub app: Arc<A>,
    /// Looks at heads before bodies are read.
    pub gatekeeper: Arc<dyn Gatekeeper>,
    /// Counts connections.
    pub guests: Arc<Guests>,
    /// Counts what is held.
    pub admission: Arc<Admission>,
    /// Sizes and deadlines.
    pub limits: Limits,
    /// Turns true when the process stops.
    pub stopping: watch::Receiver<bool>,
    /// Turns true when what still runs then must end.
    pub cutting: watch::Receiver<bool>,
}

impl<A: HttpServerApp + Send + Sync + 'static> Door<A> {
    /// Serves one connection to its end.
    pub async fn serve(&self, tcp: TcpStream) {
        let Ok(client) = tcp.peer_addr() else { return };
        // Too many are here already: closed without a word, which costs nothing.
        let Some(_guest) = self.guests.enter(client.ip()) else { return };
        let Ok(digest) = digest_of(&tcp) else { return };
        let mut line = Line::new(tcp);
        let mut patience = self.limits.header_read;
        while let Some(taken) = self.next(&mut line, client, patience).await {
            let whole = taken.arrival.body.is_ok();
            match self.exchange(line, digest.clone(), taken).await {
                Ok(goes_on) => line = goes_on,
                Err(Some(line)) if !whole => return linger(line.tcp.into_inner()).await,
                Err(_) => return,
            }
            patience = self.limits.keepalive;
        }
    }

    /// Reads the next request. Once the process stops, an idle connection is kept for a moment only.
    async fn next(&self, line: &mut Line, client: SocketAddr, patience: Duration) -> Option<Taken> {
        let (deadline, mut stopping) = (Instant::now() + patience, self.stopping.clone());
        let Line { tcp, early: buffer, deadline: alarm } = line;
        let tcp = tcp.get_mut();
        buffer.reserve(FIRST_READ);
        let idle = async move {
            tokio::select! {
                () = poll_fn(|cx| alarm.poll_until(deadline, cx)) => {}
                _ = async { stopping.wait_for(|stopping| *stopping).await.is_ok() } => sleep(LAST_CALL).await,
            }
        };
        let (limits, gatekeeper, admission) = (&self.limits, &*self.gatekeeper, &self.admission);
        Intake { tcp, buffer, client, limits, gatekeeper, admission }.next(idle).await
    }

    /// Hands one request to Pingora. `Err` when the connection is not to be used again, with it
    /// where it is still there.
    async fn exchange(
        &self,
        line: Line,
        digest: Arc<SocketDigest>,
        taken: Taken,
    ) -> Result<Line, Option<Line>> {
        let control = Arc::clone(&taken.arrival.control);
        let stream = ClientStream::new(line, digest, taken.head, Arc::clone(&control), self.limits.write);
        let mut session = ServerSession::new_http1(Box::new(stream));
        session.set_connection_user_context(Some(Box::new(taken.arrival)));
        let mut process = std::pin::pin!(self.app.process_new_http(session, &self.stopping));
        let mut cutting = self.cutting.clone();
        let reused = tokio::select! {
            biased;
            reused = &mut process => reused,
            _ = async { cutting.wait_for(|cutting| *cutting).await.is_ok() } => {
                control.cut(Cut::Stop);
                process.await
            }
        };
        let stream = reused.and_then(|reused| reused.consume().0.into_any().downcast::<ClientStream>().ok());
        match stream.and_then(|stream| stream.into_line()).ok_or_else(|| control.returned()) {
            Err(Some(line)) if control.goes_on() => Ok(line),
            outcome => outcome,
        }
    }
}

fn digest_of(tcp: &TcpStream) -> std::io::Result<Arc<SocketDigest>> {
    use std::os::fd::AsRawFd;
    tcp.set_nodelay(true)?;
    let digest = SocketDigest::from_raw_fd(tcp.as_raw_fd());
    // Asked for now: the descriptor may be another's when somebody asks later.
    let _ = (digest.peer_addr(), digest.local_addr());
    Ok(Arc::new(digest))
}

/// Closes a connection whose request was not read to its end: what still comes is read and thrown
/// away for a while, or the reset that closing would send could overtake the answer.
async fn linger(mut tcp: TcpStream) {
    use tokio::io::AsyncWriteExt;
    let deadline = Instant::now() + LINGER;
    if tcp.shutdown().await.is_err() {
        return;
    }
    let mut nowhere = vec![0_u8; 16 * 1024];
    while let Ok(Ok(1..)) = timeout_at(deadline, tcp.read(&mut nowhere)).await {}
}

/// The first read of a request; most fit.
const FIRST_READ: usize = 8 * 1024;
/// How long a refused client may go on sending before the connection is closed under it.
const LINGER: Duration = Duration::from_secs(5);
/// How long an idle connection is still served when the process stops: a request may be on its way.
const LAST_CALL: Duration = Duration::from_millis(500);
