//! A listener on a free loopback port, and its connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};

/// Serves connections until it is dropped; then every one of them is closed.
#[derive(Debug)]
pub(super) struct Listener {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens on 127.0.0.1 at a port the kernel picks; `serve` is run for each connection.
    ///
    /// # Errors
    /// When called outside of a tokio runtime, or when no port can be had.
    pub(super) fn start<S, F>(serve: S) -> io::Result<Self>
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let listener = StdListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let task = runtime.spawn(run(TcpListener::from_std(listener)?, serve));
        Ok(Self { addr, task })
    }

    /// Where it listens.
    pub(super) const fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run<S, F>(listener: TcpListener, serve: S)
where
    S: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    // dropped with this task, and its connections with it
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // a failed accept is the connection's trouble, not the listener's
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(serve(stream));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
