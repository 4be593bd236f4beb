//! From a request that was read to a decision.

use pingora_error::Result;
use pingora_proxy::Session;

use super::admit::Target;
use super::exchange::{Exchange, request_id, session_id};
use super::{Gateway, identify, peek, refuse};
use crate::openai::{Endpoint, Refused};
use crate::policy::{BackendId, Outcome, Reason};

/// What the request filter has come to.
pub enum Received {
    /// A backend is to be asked.
    Proxy,
    /// We answer ourselves, with this JSON value.
    Own(u16, serde_json::Value),
    /// A browser asks what it may send.
    Preflight,
}

impl Gateway {
    /// Reads the request and decides. No I/O: the body is there already.
    pub(super) fn receive(&self, session: &Session, exchange: &mut Exchange) -> Result<Received, Refused> {
        let head = session.req_header();
        (exchange.request_id, exchange.session) = (request_id(head), session_id(head));
        exchange.origin = self.origins.of(&head.headers);
        let target = Target::of(head.uri.path());
        if let Some(Target::Endpoint(endpoint)) = target {
            exchange.endpoint = Some(endpoint);
        }
        let arrival = exchange.arrival.as_mut().ok_or_else(refuse::no_arrival)?;
        let body = std::mem::replace(&mut arrival.body, Ok(bytes::Bytes::new()));
        exchange.unread = body.is_err();
        if exchange.unread {
            exchange.client = client(session, exchange).ok();
        }
        exchange.body = body.map_err(refuse::fault)?;
        if head.method == "OPTIONS" {
            return Ok(Received::Preflight); // `admit` lets no other through
        }
        match target.ok_or_else(refuse::unknown_path)? {
            Target::Endpoint(endpoint) => {
                self.read(session, exchange, endpoint)?;
                self.decide(exchange).map(|_| Received::Proxy)
            }
            Target::Models => {
                Ok(Received::Own(200, self.models(&exchange.live, &client(session, exchange)?)))
            }
            Target::Model(id) => {
                Ok(Received::Own(200, self.model(&exchange.live, id, &client(session, exchange)?)?))
            }
            Target::Health => self.health(&exchange.live),
        }
    }

    fn read(&self, session: &Session, exchange: &mut Exchange, endpoint: Endpoint) -> Result<(), Refused> {
        let client = client(session, exchange)?;
        let read = peek::facts(&exchange.live, endpoint, session.req_header(), &exchange.body, &client);
        exchange.client = Some(client);
        let (facts, prompt) = read.map_err(refuse::unread)?;
        (exchange.facts, exchange.prompt) = (Some(facts), Some(prompt));
        Ok(())
    }

    /// Takes the policy of this moment, when another has come into force since the exchange was read.
    pub(super) fn renew(&self, session: &Session, exchange: &mut Exchange) -> Result<(), Refused> {
        let live = self.fleet.live();
        // Without facts it could not be read under this policy, and will not be now.
        let old = live.generation != exchange.live.generation || exchange.facts.is_none();
        let Some(endpoint) = exchange.endpoint.filter(|_| old) else { return Ok(()) };
        let place = |name: &str| live.policy.backends.iter().position(|backend| backend.name == name);
        let still = |(id, reason): &(BackendId, Reason)| {
            Some((BackendId(place(exchange.backend_name(*id))?), *reason))
        };
        exchange.excluded = exchange.excluded.iter().filter_map(still).collect();
        exchange.live = live;
        // What was decided named the places of the other policy.
        (exchange.facts, exchange.decision, exchange.seen) = (None, None, None);
        self.read(session, exchange, endpoint)
    }

    /// Decides, or decides again, with what is known of the fleet at this moment.
    pub(super) fn decide(&self, exchange: &mut Exchange) -> Result<BackendId, Refused> {
        let Some(facts) = &exchange.facts else { return Err(refuse::no_arrival()) };
        let live = &exchange.live;
        let view = live.view(Some(facts), &exchange.excluded);
        let decision = live.policy.decide(facts, &view);
        let outcome = match &decision.outcome {
            Outcome::Route(backend) => Ok(*backend),
            Outcome::Refuse(refusal) => {
                let refused = refuse::refused(&live.policy, facts, refusal);
                Err(refuse::with_reset(refused, live, &decision))
            }
        };
        (exchange.decision, exchange.seen) = (Some(decision), Some(view));
        tracing::debug!(
            request_id = exchange.request_id,
            rule = exchange.rule().as_ref(),
            backend = outcome.as_ref().ok().map(|id| exchange.backend_name(*id)),
            refused = outcome.as_ref().err().map(|refused| refused.code),
            reason = exchange.reason(),
            "decided"
        );
        outcome
    }
}

/// The name of the client whose key the request carries.
fn client(session: &Session, exchange: &Exchange) -> Result<String, Refused> {
    let found = identify::client(&exchange.live, identify::keys(&session.req_header().headers))?;
    Ok(found.map_or_else(|| identify::OPEN_LAN.to_owned(), |client| client.name.clone()))
}
