//! The threads that serve connections, each with a runtime and upstream connections of its own.
//!
//! An exchange stays where it began, with its sockets, its timers and its memory: no other thread takes it
//! over, so threads wake each other for nothing and do not meet in the allocator (`docs/performance.md` has
//! the figures). The price: what keeps a thread busy holds up the others of that thread.

use std::io;
use std::sync::Arc;
use std::thread;

use pingora_core::apps::HttpServerApp;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::Door;

/// All of them. They end when this is dropped, and what they still serve with them.
pub struct Workers<A>(Vec<Worker<A>>);

struct Worker<A> {
    runtime: Handle,
    /// Cloned for each connection, so that its count tells how many there are.
    door: Arc<Door<A>>,
    /// Dropped, it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl<A: HttpServerApp + Send + Sync + 'static> Workers<A> {
    /// Starts a thread for each of these doors.
    ///
    /// # Errors
    /// What the system says when it gives no thread, or nothing to wait for events with.
    pub fn start(doors: Vec<Door<A>>) -> io::Result<Self> {
        let start = |(number, door)| {
            let (runtime, stop) = thread_of_its_own(number)?;
            Ok(Worker { runtime, door: Arc::new(door), _stop: stop })
        };
        (1..).zip(doors).map(start).collect::<io::Result<_>>().map(Self)
    }

    /// Serves a connection on the thread that has the fewest; `connections` waits for its end.
    pub fn serve(&self, tcp: TcpStream, connections: &mut JoinSet<()>) {
        let Some(worker) = self.0.iter().min_by_key(|worker| Arc::strong_count(&worker.door)) else { return };
        // It waits for events where it is served, and no longer where it was accepted.
        let Ok(tcp) = tcp.into_std() else { return };
        let door = Arc::clone(&worker.door);
        connections.spawn_on(
            async move {
                if let Ok(tcp) = TcpStream::from_std(tcp) {
                    door.serve(tcp).await;
                }
            },
            &worker.runtime,
        );
    }

    /// Where tasks can be spawned on each of the threads.
    pub fn runtimes(&self) -> Vec<Handle> {
        self.0.iter().map(|worker| worker.runtime.clone()).collect()
    }
}

fn thread_of_its_own(number: usize) -> io::Result<(Handle, oneshot::Sender<()>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (handle, (stop, stopped)) = (runtime.handle().clone(), oneshot::channel());
    thread::Builder::new().name(format!("sluice-{number}")).spawn(move || {
        // An error says that the sender was dropped: that is the sign.
        let _ = runtime.block_on(stopped);
        runtime.shutdown_background(); // a name that is being looked up is not waited for
    })?;
    Ok((handle, stop))
}
