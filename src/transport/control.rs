//! The handle by which a running exchange is steered from outside its stream: cut it (a deadline, a
//! gate that closes), hold its answer's head back.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::client_stream::Line;

/// Shared between an exchange and its [`super::ClientStream`].
#[derive(Debug, Default)]
pub struct Control {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    cut: Option<Cut>,
    patience: Option<Patience>,
    /// Whether what is written is kept back.
    holding: bool,
    /// Header lines for the answer's head, until that is written.
    lines: Option<Vec<u8>>,
    waker: Option<Waker>,
    /// The connection, when Pingora dropped the stream without handing it back.
    returned: Option<Line>,
    /// Whether the client was promised that the connection goes on.
    goes_on: bool,
}

/// How long the upstream may be silent, and until when.
#[derive(Debug, Clone, Copy)]
struct Patience {
    span: Duration,
    until: Instant,
    why: Cut,
}

/// Why an exchange was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The upstream's first body byte did not come in time.
    FirstByte,
    /// The upstream said nothing for too long, in mid answer.
    Idle,
    /// The gate that it passed has closed, and its time to drain is over.
    Gate,
    /// The process stops, and its grace is over.
    Stop,
}

impl Control {
    /// A control with nothing set.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Cuts the exchange now.
    pub fn cut(&self, why: Cut) {
        let mut state = self.state.lock();
        state.cut = Some(why);
        state.wake();
    }

    /// Cuts the exchange when the upstream is silent for so long from now; takes the place of what was
    /// set before.
    pub fn expect_within(&self, span: Duration, why: Cut) {
        let mut state = self.state.lock();
        let until = Instant::now() + span;
        let sooner = state.patience.is_none_or(|before| until < before.until);
        state.patience = Some(Patience { span, until, why });
        if sooner {
            state.wake();
        }
    }

    /// Takes the deadline and a cut away, holds nothing back and adds nothing.
    pub fn clear(&self) {
        let mut state = self.state.lock();
        (state.patience, state.cut, state.lines) = (None, None, None);
        state.holding = false;
    }

    /// Puts these header lines, each with its CRLF, into the head that is written next.
    pub fn add_lines(&self, lines: Vec<u8>) {
        self.state.lock().lines = Some(lines);
    }

    pub(super) fn take_lines(&self) -> Option<Vec<u8>> {
        self.state.lock().lines.take()
    }

    /// Whether the exchange was cut, and why; asking takes the cut away.
    pub fn take_cut(&self) -> Option<Cut> {
        self.state.lock().cut.take()
    }

    /// Keeps what is written from now on, or lets it go.
    pub fn hold(&self, holding: bool) {
        self.state.lock().holding = holding;
    }

    pub(super) fn is_holding(&self) -> bool {
        self.state.lock().holding
    }

    /// For the stream's read side: `Err` when it is to be cut now, else the deadline to sleep until.
    pub(super) fn poll(&self, now: Instant, cx: &Context<'_>) -> Result<Option<Instant>, Cut> {
        let mut state = self.state.lock();
        if let Some(patience) = state.patience.filter(|patience| patience.until <= now) {
            (state.patience, state.cut) = (None, Some(patience.why));
        }
        if let Some(cut) = state.cut {
            return Err(cut);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Ok(state.patience.map(|patience| patience.until))
    }

    /// For the stream's write side: the client held the upstream up, not the upstream itself.
    pub(super) fn restart_patience(&self) {
        if let Some(patience) = &mut self.state.lock().patience {
            patience.until = Instant::now() + patience.span;
        }
    }

    /// The answer is written whole and said that the connection goes on: it does, even where Pingora
    /// would close it, as it does behind every failed attempt.
    pub fn go_on(&self) {
        self.state.lock().goes_on = true;
    }

    pub(super) fn goes_on(&self) -> bool {
        self.state.lock().goes_on
    }

    pub(super) fn hand_back(&self, line: Line) {
        self.state.lock().returned = Some(line);
    }

    pub(super) fn returned(&self) -> Option<Line> {
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
