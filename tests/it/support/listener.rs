//! A blocking listener on a free loopback port that can refuse connections and accept them again on the same port.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use socket2::{Domain, Socket, Type};

/// Serves each connection on a thread of its own; all end when it is dropped.
pub struct Listener {
    addr: SocketAddr,
    /// Bound beside the one that listens, and never listening: while nobody listens, connects are refused
    /// and nobody else gets the port.
    _port: Socket,
    shared: Arc<Shared>,
}

struct Shared {
    door: Mutex<Door>,
    moved: Condvar,
    live: Mutex<Live>,
    serve: Box<dyn Fn(TcpStream, usize) + Send + Sync>,
}

/// Who has the port.
enum Door {
    /// The accepting thread.
    Open,
    /// Still the accepting thread, which was told to let go.
    Closing,
    /// Nobody listens.
    Closed,
}

/// Open connections by number, and how many there were.
#[derive(Default)]
struct Live {
    streams: HashMap<usize, TcpStream>,
    accepted: usize,
}

impl Listener {
    /// `serve` gets each connection and its number, from 0.
    pub fn start(serve: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        let port = bound((Ipv4Addr::LOCALHOST, 0).into());
        let addr = port.local_addr().expect("its address").as_socket().expect("an IP address");
        let listener = listening(addr);
        let shared = Shared {
            door: Mutex::new(Door::Open),
            moved: Condvar::new(),
            live: Mutex::default(),
            serve: Box::new(serve),
        };
        let started = Self { addr, _port: port, shared: Arc::new(shared) };
        started.run(listener);
        started
    }

    /// Where it listens, also while it refuses.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        lock(&self.shared.live).accepted
    }

    /// Refuses connections from now on and closes those that stand.
    pub fn refuse(&self) {
        self.close();
        self.drop_connections();
    }

    /// Accepts connections (again).
    pub fn accept(&self) {
        let mut door = lock(&self.shared.door);
        if matches!(*door, Door::Closed) {
            let listener = listening(self.addr);
            *door = Door::Open;
            drop(door);
            self.run(listener);
        }
    }

    /// Closes every connection that stands; the listener stays.
    pub fn drop_connections(&self) {
        for stream in lock(&self.shared.live).streams.values() {
            // it may be closed already
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Makes the accepting thread let go of the port; false when there was none.
    fn close(&self) -> bool {
        let mut door = lock(&self.shared.door);
        if !matches!(*door, Door::Open) {
            return false;
        }
        *door = Door::Closing;
        drop(door);
        // wakes the thread from its accept; when the backlog is full something else does
        let _ = TcpStream::connect(self.addr);
        let mut door = lock(&self.shared.door);
        while matches!(*door, Door::Closing) {
            door = self.shared.moved.wait(door).expect("no thread panics with the lock");
        }
        true
    }

    fn run(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if !matches!(*lock(&shared.door), Door::Open) {
                    break;
                }
                if let Ok(stream) = stream {
                    welcome(&shared, stream);
                }
            }
            drop(listener);
            *lock(&shared.door) = Door::Closed;
            shared.moved.notify_all();
        });
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
        self.drop_connections();
    }
}

fn welcome(shared: &Arc<Shared>, stream: TcpStream) {
    let Ok(second) = stream.try_clone() else { return };
    let mut live = lock(&shared.live);
    let number = live.accepted;
    live.accepted += 1;
    live.streams.insert(number, second);
    drop(live);
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        (shared.serve)(stream, number);
        // the last handle: only now the connection is closed
        lock(&shared.live).streams.remove(&number);
    });
}

/// A socket on this port, which others of this process may share.
fn bound(addr: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("an option");
    socket.set_reuse_port(true).expect("an option");
    socket.bind(&addr.into()).expect("a port");
    socket
}

fn listening(addr: SocketAddr) -> TcpListener {
    let socket = bound(addr);
    socket.listen(128).expect("it listens");
    socket.into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics with the lock")
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::time::Duration;

    use super::*;

    fn greeter() -> Listener {
        Listener::start(|mut stream, number| {
            let _ = write!(stream, "{number}");
            let _ = stream.read(&mut [0; 1]);
        })
    }

    fn greeting(addr: SocketAddr) -> String {
        let mut digit = [0; 1];
        TcpStream::connect(addr).unwrap().read_exact(&mut digit).unwrap();
        char::from(digit[0]).to_string()
    }

    #[test]
    fn connections_are_numbered_over_refusals() {
        let listener = greeter();
        assert_eq!(greeting(listener.addr()), "0");
        for number in 1..4 {
            listener.refuse();
            listener.refuse();
            assert_eq!(TcpStream::connect(listener.addr()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
            listener.accept();
            listener.accept();
            assert_eq!(greeting(listener.addr()), number.to_string());
        }
        assert_eq!(listener.connections(), 4);
    }

    #[test]
    fn a_refusal_closes_what_stands() {
        let listener = greeter();
        let mut stream = TcpStream::connect(listener.addr()).unwrap();
        stream.read_exact(&mut [0; 1]).unwrap();
        listener.refuse();
        assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)));
    }

    #[test]
    fn a_dropped_listener_is_gone() {
        let listener = greeter();
        let addr = listener.addr();
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.read_exact(&mut [0; 1]).unwrap();
        drop(listener);
        assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)));
        match TcpStream::connect(addr) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionRefused),
            // The port is free, so another test may have it by now: nobody greets there.
            Ok(mut other) => {
                other.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
                assert!(!matches!(other.read(&mut [0; 1]), Ok(1..)));
            }
        }
    }
}
