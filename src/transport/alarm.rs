//! A timer that is set often and rings seldom: it is moved only when it must ring sooner, and when it
//! rings too early it is set anew. A timer of tokio's costs a lock for each move.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Made when first needed.
#[derive(Debug, Default)]
pub struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once the deadline has come.
    pub(super) fn poll_until(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                self.0 = None;
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }

    /// Ready once this long has passed since the first call after [`Self::stop`].
    pub(super) fn poll_for(&mut self, time: Duration, cx: &mut Context<'_>) -> Poll<()> {
        self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep(time))).as_mut().poll(cx)
    }

    /// Whether it was running.
    pub(super) fn stop(&mut self) -> bool {
        self.0.take().is_some()
    }

    /// Whether it is running.
    pub(super) const fn is_set(&self) -> bool {
        self.0.is_some()
    }
}
