//! A scriptable upstream peer: remembers every request to the byte, and answers as it is told to.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::answer::{self, End};
use super::behaviour::{Behaviour, Fault};
use super::listener::Listener;
use super::meter::{Meter, Work};
use super::request::{Framing, Request};
use super::wire::Wire;
use sleep::Life;

/// What does not happen for so long fails the test.
const PATIENCE: Duration = Duration::from_secs(10);
/// As good as for ever: a hang ends when the client leaves.
const FOR_EVER: Duration = Duration::from_secs(3600);
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// A running peer; it stops when it is dropped.
pub struct Peer {
    listener: Listener,
    shared: Arc<Shared>,
}

/// What a probe finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// 200.
    Up,
    /// 503.
    Down,
    /// 404.
    Missing,
    /// No answer.
    Hang,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    health: Health,
    life: Life,
    probes: usize,
    requests: Vec<Request>,
    script: VecDeque<Behaviour>,
    default: Behaviour,
    in_flight: usize,
    peak: usize,
    meter: Option<(Meter, Work)>,
}

impl Peer {
    /// Starts one that is healthy and answers chat completions.
    pub fn start() -> Self {
        let state = State {
            health: Health::Up,
            life: Life::Awake,
            probes: 0,
            requests: Vec::new(),
            script: VecDeque::new(),
            default: Behaviour::chat(),
            in_flight: 0,
            peak: 0,
            meter: None,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let serving = Arc::clone(&shared);
        let listener = Listener::start(move |stream, connection| {
            // a client that goes away is noted with its request
            let _ = serve(&serving, stream, connection);
        });
        Self { listener, shared }
    }

    /// Where it listens, also while it refuses.
    pub const fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// Refuses connections from now on and closes those that stand.
    pub fn refuse(&self) {
        self.listener.refuse();
    }

    /// Accepts connections again, on the same port.
    pub fn accept(&self) {
        self.listener.accept();
    }

    /// Closes every connection that stands, pooled ones too.
    pub fn drop_connections(&self) {
        self.listener.drop_connections();
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.listener.connections()
    }

    /// Counts its requests from now on at this meter too.
    pub fn measure(&self, meter: &Meter, work: Work) {
        self.state().meter = Some((meter.clone(), work));
    }

    /// What probes find from now on.
    pub fn set_health(&self, health: Health) {
        self.state().health = health;
    }

    /// How requests are answered that have no behaviour of their own.
    pub fn set_default(&self, behaviour: Behaviour) {
        self.state().default = behaviour;
    }

    /// How the next request without one is answered.
    pub fn push(&self, behaviour: Behaviour) {
        self.state().script.push_back(behaviour);
    }

    /// How many probes came.
    pub fn probes(&self) -> usize {
        self.state().probes
    }

    /// All requests so far but the probes.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// How many requests are being answered.
    pub fn in_flight(&self) -> usize {
        self.state().in_flight
    }

    /// How many were at most, at one time.
    pub fn peak(&self) -> usize {
        self.state().peak
    }

    /// Waits for so many requests, read as far as they will be; all of them.
    ///
    /// # Panics
    /// When they do not come.
    pub fn wait_requests(&self, count: usize) -> Vec<Request> {
        self.wait(&format!("{count} requests"), |requests| {
            requests.iter().filter(|request| request.settled).count() >= count
        })
    }

    /// Waits until the requests are as a test wants them; all of them.
    ///
    /// # Panics
    /// When they never are.
    pub fn wait(&self, what: &str, mut wanted: impl FnMut(&[Request]) -> bool) -> Vec<Request> {
        let state = self.wait_state(what, |state| wanted(&state.requests));
        state.requests.clone()
    }

    /// Waits for so many probes more. With two, the answer to the first was surely taken.
    ///
    /// # Panics
    /// When they do not come.
    pub fn wait_probes(&self, more: usize) {
        let goal = self.state().probes + more;
        drop(self.wait_state(&format!("{more} probes more"), |state| state.probes >= goal));
    }

    fn wait_state(&self, what: &str, mut holds: impl FnMut(&State) -> bool) -> MutexGuard<'_, State> {
        let waited = self.shared.changed.wait_timeout_while(self.state(), PATIENCE, |state| !holds(state));
        let (state, result) = waited.expect("no thread panics with the lock");
        assert!(
            !result.timed_out(),
            "{what} awaited; {} probes and {:#?} came",
            state.probes,
            state.requests
        );
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with the lock")
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.notify_all();
        result
    }

    /// The request's place and how it is to be answered.
    fn enter(&self, request: Request) -> (usize, Behaviour) {
        self.change(|state| {
            state.requests.push(request);
            state.in_flight += 1;
            state.peak = state.peak.max(state.in_flight);
            if let Some((meter, work)) = &state.meter {
                meter.enter(*work);
            }
            let behaviour = state.script.pop_front().unwrap_or_else(|| state.default.clone());
            (state.requests.len() - 1, behaviour)
        })
    }
}

fn serve(shared: &Shared, stream: TcpStream, connection: usize) -> io::Result<()> {
    let mut wire = Wire::new(stream)?;
    let mut nth = 0;
    while let Some(head) = wire.head()? {
        let request = Request::begun(head, connection, nth);
        nth += 1;
        let probe = request.method == "GET" && request.path == "/health";
        if shared.dies_of(probe) {
            break;
        }
        if probe {
            probed(shared, &mut wire)?;
        } else if exchange(shared, &mut wire, request)? == End::Close {
            break;
        }
    }
    Ok(())
}

fn probed(shared: &Shared, wire: &mut Wire) -> io::Result<()> {
    let health = shared.change(|state| {
        state.probes += 1;
        state.health
    });
    let status = match health {
        Health::Up => "200 OK",
        Health::Down => "503 Service Unavailable",
        Health::Missing => "404 Not Found",
        Health::Hang => return wire.wait(FOR_EVER),
    };
    wire.write(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes())
}

/// Reads one request's body and answers it, keeping book of both.
fn exchange(shared: &Shared, wire: &mut Wire, mut request: Request) -> io::Result<End> {
    let (place, behaviour) = shared.enter(request.clone());
    let mut flying = true;
    let mut land = |state: &mut State| {
        if std::mem::take(&mut flying) {
            state.in_flight -= 1;
            if let Some((meter, work)) = &state.meter {
                meter.leave(*work);
            }
        }
    };
    let ended = read_body(wire, &behaviour, &mut request).and_then(|()| {
        shared.change(|state| note_body(&mut state.requests[place], &request, !behaviour.unread));
        answered(wire, &behaviour, &request, |bytes, last| {
            shared.change(|state| {
                state.requests[place].sent += bytes;
                if last {
                    // before the client can have it: it may be quicker than this thread
                    land(state);
                }
            });
        })
    });
    shared.change(|state| {
        land(state);
        let noted = &mut state.requests[place];
        let now = Some(Instant::now());
        if ended.is_ok() {
            noted.finished = now;
        } else {
            note_body(noted, &request, noted.complete);
            noted.client_left = now;
        }
    });
    ended
}

fn note_body(noted: &mut Request, read: &Request, complete: bool) {
    noted.body.clone_from(&read.body);
    noted.complete = complete;
    noted.settled = true;
}

fn answered(
    wire: &mut Wire,
    behaviour: &Behaviour,
    request: &Request,
    sent: impl FnMut(usize, bool),
) -> io::Result<End> {
    match behaviour.fault {
        Some(Fault::Hang) => wire.wait(FOR_EVER).map(|()| End::Close),
        Some(Fault::Close) => Ok(End::Close),
        Some(Fault::Reset) => wire.reset_on_close().map(|()| End::Close),
        Some(Fault::CloseReused) if request.is_reused() => Ok(End::Close),
        Some(Fault::CloseReused) | None => answer::give(wire, behaviour, request, sent),
    }
}

/// Reads the body into the request; what came before it broke off stays there.
fn read_body(wire: &mut Wire, behaviour: &Behaviour, request: &mut Request) -> io::Result<()> {
    if behaviour.unread {
        return Ok(());
    }
    if request.header("expect").is_some() {
        wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = Body { wire, bytes_per_second: behaviour.bytes_per_second, into: &mut request.body };
    match request.framing {
        Framing::None => Ok(()),
        Framing::Length(length) => body.read(length),
        Framing::Chunked => body.read_chunks(),
    }
}

struct Body<'a> {
    wire: &'a mut Wire,
    bytes_per_second: Option<u32>,
    into: &'a mut Vec<u8>,
}

impl Body<'_> {
    fn read(&mut self, mut left: usize) -> io::Result<()> {
        while left > 0 {
            // a tenth of a second's bytes at a time
            let most = self.bytes_per_second.map_or(PIECE, |rate| (rate as usize / 10).max(1));
            let piece = self.wire.some(left.min(most))?;
            left -= piece.len();
            self.into.extend_from_slice(&piece);
            if let Some(rate) = self.bytes_per_second {
                pause(Duration::from_secs(1) * u32::try_from(piece.len()).expect("a piece") / rate);
            }
        }
        Ok(())
    }

    fn read_chunks(&mut self) -> io::Result<()> {
        loop {
            match self.wire.chunk_size()? {
                0 => return Ok(()),
                size => self.read(size)?,
            }
            self.wire.chunk_end()?;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a slow reader is slow; nothing shares its thread")]
fn pause(wait: Duration) {
    thread::sleep(wait);
}

mod sleep;
#[cfg(test)]
mod tests;
