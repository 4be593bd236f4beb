//! A slot on the card: at once, or after a wait in its queue. Who waits is decided about again whenever
//! a gate, a peer or the policy has changed.

use std::sync::Arc;

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
    /// It is there; `None` where none is needed.
    Ready(Option<Held>),
    /// The request must be decided about again.
    DecideAgain,
}

impl Gateway {
    /// A slot on the backend's card.
    pub(super) async fn slot(
        &self,
        session: &mut Session,
        exchange: &mut Exchange,
        id: BackendId,
    ) -> Result<Slotted> {
        let Some((gpu, configured)) = card(exchange, id) else { return Ok(Slotted::Ready(None)) };
        match gpu.ask(Claim::of(id, &configured)) {
            Turn::Now(held) => {
                self.metrics.queued(&gpu.name, std::time::Duration::ZERO);
                Ok(Slotted::Ready(Some(held)))
            }
            Turn::Full => Ok(exchange.passed_over(id, Reason::QueueFull)),
            Turn::Later(waiting) => {
                let until = exchange.began + configured.queue_timeout;
                let began = Instant::now();
                let outcome = self.wait(session, exchange, id, waiting, until).await;
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
        id: BackendId,
        mut waiting: Waiting,
        until: Instant,
    ) -> Result<Slotted> {
        let mut news = exchange.live.news.listen();
        let mut stopping = self.stopping.clone();
        loop {
            tokio::select! {
                biased;
                () = waiting.turn() => return Ok(Slotted::Ready(Some(waiting.into_held()))),
                gone = session.as_downstream_mut().read_body_or_idle(true) => return Err(left(gone)),
                _ = news.changed() => if !self.stands(exchange, id) { return Ok(Slotted::DecideAgain) },
                () = sleep_until(until) => return Ok(exchange.passed_over(id, Reason::QueueTimeout)),
                _ = async { stopping.wait_for(|stopping| *stopping).await.is_ok() } => {
                    return Err(exchange.refuse(refuse::stopping()));
                }
            }
        }
    }
}

impl Gateway {
    /// Whether the request would still go to this backend, under the policy it was read under.
    fn stands(&self, exchange: &mut Exchange, id: BackendId) -> bool {
        self.fleet.live().generation == exchange.live.generation && self.decide(exchange).ok() == Some(id)
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
