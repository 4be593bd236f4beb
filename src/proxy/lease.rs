//! A slot on the card: at once, or after a wait in its queue. Who waits is decided about again whenever
//! a gate, a peer or the policy has changed.

use std::sync::Arc;
use std::time::Duration;

use pingora_error::{Error, ErrorType, Result};
use pingora_proxy::Session;
use tokio::time::{Instant, sleep_until};

use super::exchange::Exchange;
use super::{Gateway, refuse};
use crate::fleet::{Claim, Held, LiveGpu, Turn, Waiting};
use crate::openai::Endpoint;
use crate::policy::{BackendId, Gpu, Reason};

/// What came of asking for a slot.
pub enum Slotted {
    /// It is there, for this backend; `None` where none is needed.
    Ready(BackendId, Option<Held>),
    /// The request must be decided about again.
    DecideAgain,
}

/// What ends a wait, or interrupts it.
enum Event {
    Granted,
    Gone(Result<Option<bytes::Bytes>>),
    News,
    TimeUp,
    Stopping,
}

impl Gateway {
    /// A slot on the backend's card.
    pub(super) async fn slot(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        id: BackendId,
    ) -> Result<Slotted> {
        let Some((gpu, configured)) = card(exchange, id) else { return Ok(Slotted::Ready(id, None)) };
        match gpu.ask(Claim::of(id, &configured)) {
            Turn::Now(held) => {
                self.metrics.queued(&gpu.name, Duration::ZERO);
                Ok(Slotted::Ready(id, Some(held)))
            }
            Turn::Full => Ok(exchange.passed_over(id, Reason::QueueFull)),
            Turn::Later(waiting) => {
                let began = Instant::now();
                tracing::debug!(request_id = exchange.request_id, gpu = gpu.name, "waits for a slot");
                let outcome = self.wait(session, exchange, id, waiting).await;
                exchange.queued += began.elapsed();
                self.metrics.queued(&gpu.name, began.elapsed());
                outcome
            }
        }
    }

    async fn wait(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        mut id: BackendId,
        mut waiting: Waiting,
    ) -> Result<Slotted> {
        let mut news = exchange.live.news.listen();
        let mut stopping = self.stopping.clone();
        loop {
            let until =
                exchange.began + card(exchange, id).map_or(Duration::ZERO, |(_, gpu)| gpu.queue_timeout);
            let event = tokio::select! {
                biased;
                () = waiting.turn() => Event::Granted,
                gone = session.as_downstream_mut().read_body_or_idle(true) => Event::Gone(gone),
                _ = news.changed() => Event::News,
                () = sleep_until(until) => Event::TimeUp,
                _ = async { stopping.wait_for(|stopping| *stopping).await.is_ok() } => Event::Stopping,
            };
            match event {
                Event::Granted => return Ok(Slotted::Ready(id, Some(waiting.into_held()))),
                Event::Gone(gone) => return Err(left(gone)),
                Event::News => match self.still_for(session, exchange, id) {
                    Some(same) => id = same,
                    None => return Ok(Slotted::DecideAgain),
                },
                Event::TimeUp => return Ok(exchange.passed_over(id, Reason::QueueTimeout)),
                Event::Stopping => return Err(exchange.refuse(refuse::stopping())),
            }
        }
    }

    /// Decides again while the place in the queue is kept: the backend that it is good for, under the
    /// policy of this moment; `None` when the request is for another card, or for nobody.
    fn still_for(&self, session: &Session, exchange: &mut Exchange, id: BackendId) -> Option<BackendId> {
        let (before, terms) = card(exchange, id)?;
        let claim = Claim::of(id, &terms);
        self.renew(session, exchange).ok()?;
        let now = self.decide(exchange).ok()?;
        let (gpu, terms) = card(exchange, now)?;
        (Arc::ptr_eq(&gpu, &before) && Claim::of(now, &terms) == claim).then_some(now)
    }
}

impl Exchange {
    /// This backend is not for this request.
    fn passed_over(&mut self, id: BackendId, reason: Reason) -> Slotted {
        self.excluded.push((id, reason));
        Slotted::DecideAgain
    }
}

/// The card that a model of this backend works on, where this request needs one.
fn card(exchange: &Exchange, id: BackendId) -> Option<(Arc<LiveGpu>, Gpu)> {
    let place = exchange.live.policy.backends.get(id.0)?.gpu?;
    let works = exchange.endpoint.is_some_and(Endpoint::generates);
    let gpu = exchange.live.gpus.get(place.0).filter(|_| works)?;
    Some((Arc::clone(gpu), exchange.live.policy.gpus.get(place.0)?.clone()))
}

/// The client went away while it waited.
fn left(outcome: Result<Option<bytes::Bytes>>) -> Box<Error> {
    let why = "the client went away while it waited";
    match outcome {
        Err(error) => error.into_down(),
        Ok(_) => Error::explain(ErrorType::ConnectionClosed, why).into_down(),
    }
}
