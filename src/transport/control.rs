//! The handle by which a running exchange is cut from outside: a deadline, a gate that closes.

use std::sync::Arc;
use std::task::{Context, Waker};

use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Shared between an exchange and its [`super::ClientStream`].
#[derive(Debug, Default)]
pub struct Control {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    cut: Option<Cut>,
    deadline: Option<(Instant, Cut)>,
    waker: Option<Waker>,
    /// The connection, when Pingora dropped the stream without handing it back.
    returned: Option<TcpStream>,
}

/// Why an exchange was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The upstream's first body byte did not come in time.
    FirstByte,
    /// The upstream said nothing for too long, in mid answer.
    Idle,
}

impl Control {
    /// A control with nothing set.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Cuts the exchange when this moment has come; takes the place of an earlier deadline.
    pub fn cut_at(&self, deadline: Instant, why: Cut) {
        let mut state = self.state.lock();
        let sooner = state.deadline.is_none_or(|(set, _)| deadline < set);
        state.deadline = Some((deadline, why));
        if sooner {
            state.wake();
        }
    }

    /// Takes the deadline away, and a cut that has not been seen.
    pub fn clear(&self) {
        let mut state = self.state.lock();
        (state.deadline, state.cut) = (None, None);
    }

    /// Whether the exchange was cut, and why; asking takes the cut away.
    pub fn take_cut(&self) -> Option<Cut> {
        self.state.lock().cut.take()
    }

    /// For the stream's read side: `Err` when it is to be cut now, else the deadline to sleep until.
    pub(super) fn poll(&self, now: Instant, cx: &Context<'_>) -> Result<Option<Instant>, Cut> {
        let mut state = self.state.lock();
        if let Some((deadline, why)) = state.deadline
            && deadline <= now
        {
            (state.deadline, state.cut) = (None, Some(why));
        }
        if let Some(cut) = state.cut {
            return Err(cut);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Ok(state.deadline.map(|(deadline, _)| deadline))
    }

    pub(super) fn hand_back(&self, tcp: TcpStream) {
        self.state.lock().returned = Some(tcp);
    }

    pub(super) fn returned(&self) -> Option<TcpStream> {
        self.state.lock().returned.take()
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
