//! A peer whose listener can be jammed: connects to it then hang, as to a machine that fell off the network.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use tokio::net::TcpSocket;

/// A connect that takes longer hangs.
const HANGS: Duration = Duration::from_millis(100);
/// More connections than any backlog of one takes.
const MANY: usize = 64;

/// Answers probes; it does not end before the test binary does.
pub struct Jam {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// `jammed` or `parked` has changed.
    turned: Condvar,
}

#[derive(Default)]
struct State {
    jammed: bool,
    /// Whether the accepting thread has stopped.
    parked: bool,
    /// What fills the backlog.
    fillers: Vec<TcpStream>,
    /// First lines of requests that were no probes.
    received: Vec<String>,
}

impl Jam {
    /// One that answers probes with 200 and everything else too.
    pub fn start() -> Self {
        let listener = tiny_backlog();
        let addr = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        thread::spawn(move || serving.accept(&listener));
        Self { addr, shared }
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// From now on connects hang. False where this system does not let them.
    #[must_use]
    pub fn jam(&self) -> bool {
        self.shared.state().jammed = true;
        // the first one stops the accepting thread, the rest fill the backlog
        let first = TcpStream::connect(self.addr).expect("it listens");
        let parked = self.shared.turned.wait_while(self.shared.state(), |state| !state.parked);
        parked.expect("no thread panics with the lock").fillers.push(first);
        for _ in 0..MANY {
            match TcpStream::connect_timeout(&self.addr, HANGS) {
                Ok(filler) => self.shared.state().fillers.push(filler),
                Err(_) => return true,
            }
        }
        false
    }

    /// Connects succeed again, those that hang too, at their next try.
    pub fn open(&self) {
        let mut state = self.shared.state();
        state.jammed = false;
        state.fillers.clear();
        self.shared.turned.notify_all();
    }

    /// First lines of the requests that came, probes left out.
    pub fn received(&self) -> Vec<String> {
        self.shared.state().received.clone()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with the lock")
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            let mut state = self.state();
            state.parked = state.jammed;
            self.turned.notify_all();
            let state = self.turned.wait_while(state, |state| state.jammed);
            state.expect("no thread panics with the lock").parked = false;
            let shared = Arc::clone(self);
            thread::spawn(move || stream.map(|stream| shared.serve(stream)));
        }
    }

    /// One request a connection.
    fn serve(&self, mut stream: TcpStream) {
        let mut head = [0; 16 << 10];
        let count = stream.read(&mut head).unwrap_or_default();
        let text = String::from_utf8_lossy(&head[..count]);
        let line = text.lines().next().unwrap_or_default().to_owned();
        if !line.is_empty() && !line.starts_with("GET /health ") {
            self.state().received.push(line);
        }
        // the prober may be gone
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
    }
}

fn tiny_backlog() -> TcpListener {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    let _inside = runtime.enter();
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let listener = socket.listen(1).and_then(tokio::net::TcpListener::into_std).expect("a listener");
    listener.set_nonblocking(false).expect("an option");
    listener
}
