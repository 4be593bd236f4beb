//! The routing decision: which backend answers a request, or why none does.
//!
//! First the candidates are named (by the path, a pinned model or the first rule that holds), then the
//! first usable one is elected. What holds whatever the rules say stands here and nowhere else:
//! no gate that is not open is passed unless the rule overrides it, nothing behind a sleeping model and
//! no unhealthy backend is ever used, a context window is exceeded by a quarter at most, and a manual
//! backend is reached by its own model's name alone.

use std::borrow::Cow;

use super::{
    BackendId, DecidedBy, Decision, Facts, Kind, Model, Outcome, Policy, Reason, Refusal, RuleId, Verdict,
    View,
};
use crate::openai::Endpoint;

impl Policy {
    /// Where the request goes. Total: whatever the ids in the arguments are, there is an answer, and the
    /// same arguments have the same one.
    pub fn decide(&self, facts: &Facts, view: &View) -> Decision {
        match self.nominate(facts, view) {
            Ok(slate) => self.elect(slate, facts, view),
            Err((decided_by, refusal)) => Slate::empty(decided_by).refuse(refusal),
        }
    }

    /// The candidates, or why the request has none to begin with.
    fn nominate(&self, facts: &Facts, view: &View) -> Result<Slate, (Option<DecidedBy>, Refusal)> {
        let model =
            facts.model_id.and_then(|id| self.models.get(id.0)).ok_or((None, Refusal::UnknownModel))?;
        if !self.allows(&facts.client, model) {
            return Err((None, Refusal::NoCandidate(Reason::NotAllowed)));
        }
        if facts.endpoint == Endpoint::Speech {
            return self.by_path(model).ok_or((Some(DecidedBy::Path), Refusal::WrongEndpoint));
        }
        match model.backend {
            Some(id) if self.is_speech(id) => Err((Some(DecidedBy::Model), Refusal::WrongEndpoint)),
            // Who names no model asks for `auto`: that is nobody's name.
            Some(id)
                if self.kind(id) == Some(Kind::Manual)
                    && (model.clients.is_none() || model.name == "auto") =>
            {
                Err((Some(DecidedBy::Model), Refusal::NoCandidate(Reason::NotAllowed)))
            }
            Some(id) => Ok(self.by_model(id)),
            None => Ok(self.by_rule(facts, view)),
        }
    }

    /// The speech backends that serve the model; `None` when no speech is meant by it.
    fn by_path(&self, model: &Model) -> Option<Slate> {
        let mut slate = Slate::empty(Some(DecidedBy::Path));
        match model.backend.filter(|id| self.is_speech(*id)) {
            Some(id) => {
                slate.add(id);
                slate.extend(self.speech().filter(|other| self.serve_the_same(*other, id)));
                slate.extend(self.fail_soft(id).iter().copied().filter(|other| self.is_speech(*other)));
            }
            None if model.name == "auto" => slate.extend(self.speech()),
            None => return None,
        }
        // `auto` in a house without speech can only mean a language model.
        (!slate.candidates.is_empty()).then_some(slate)
    }

    /// The backend that the model is pinned to, and its chain. A manual one only where the model says for
    /// whom: `allows` has seen to it that this client is among them.
    fn by_model(&self, id: BackendId) -> Slate {
        let mut slate = Slate::empty(Some(DecidedBy::Model));
        slate.add(id);
        slate.extend(self.language(self.fail_soft(id)));
        slate
    }

    /// What the first rule that holds names; nothing when none does, which `config` rules out.
    fn by_rule(&self, facts: &Facts, view: &View) -> Slate {
        let Some((place, rule)) = self.rules.iter().enumerate().find(|(_, rule)| rule.holds(facts, view))
        else {
            return Slate::empty(None);
        };
        let mut slate = Slate::empty(Some(DecidedBy::Rule(RuleId(place))));
        slate.forced = rule.override_gate;
        slate.extend(self.language(&[rule.route]));
        slate.extend(self.language(rule.fail_soft.as_deref().unwrap_or(self.fail_soft(rule.route))));
        slate
    }

    /// The first candidate that is usable and fits; else the first that nearly fits; else a refusal.
    fn elect(&self, mut slate: Slate, facts: &Facts, view: &View) -> Decision {
        let needed = counts_context(facts.endpoint).then(|| facts.needed());
        let (mut nearly, mut blocked, mut largest) = (None, None, 0);
        for (place, (id, verdict)) in slate.candidates.iter_mut().enumerate() {
            match self.standing(*id, slate.forced, needed, view) {
                Standing::Fits => {
                    let id = *id;
                    return slate.choose(place, id);
                }
                Standing::Exceeded { window, nearly: near } => {
                    *verdict = Verdict::Not(Reason::OverContext);
                    largest = window.max(largest);
                    nearly = nearly.or(near.then_some((place, *id)));
                }
                Standing::Blocked(reason) => {
                    *verdict = Verdict::Not(reason);
                    blocked = Some(reason);
                }
            }
        }
        match (nearly, blocked) {
            (Some((place, id)), _) => slate.choose(place, id),
            (None, Some(reason)) => slate.refuse(Refusal::NoCandidate(reason)),
            (None, None) if slate.candidates.is_empty() => {
                slate.refuse(Refusal::NoCandidate(Reason::Unhealthy))
            }
            (None, None) => slate.refuse(Refusal::ContextLengthExceeded { window: largest }),
        }
    }

    /// What can be said of one candidate by itself. `needed`: tokens, `None` where no context counts.
    fn standing(&self, id: BackendId, forced: bool, needed: Option<u64>, view: &View) -> Standing {
        let Some(backend) = self.backends.get(id.0) else {
            return Standing::Blocked(Reason::Unhealthy);
        };
        if let Some(reason) = view.bars(backend.gate, forced).or(view.unusable(id)) {
            return Standing::Blocked(reason);
        }
        match (needed, backend.context_window) {
            (Some(needed), Some(window)) if needed > window => {
                Standing::Exceeded { window, nearly: within_a_quarter(needed, window) }
            }
            _ => Standing::Fits,
        }
    }

    fn is_speech(&self, id: BackendId) -> bool {
        self.kind(id) == Some(Kind::Speech)
    }

    fn kind(&self, id: BackendId) -> Option<Kind> {
        self.backends.get(id.0).map(|backend| backend.kind)
    }

    fn serve_the_same(&self, one: BackendId, other: BackendId) -> bool {
        let model = |id: BackendId| self.backends.get(id.0).map(|backend| &backend.model);
        model(one) == model(other)
    }

    fn fail_soft(&self, id: BackendId) -> &[BackendId] {
        self.backends.get(id.0).map_or(&[], |backend| &backend.fail_soft)
    }

    /// All speech backends, in the file's order.
    fn speech(&self) -> impl Iterator<Item = BackendId> {
        (0..self.backends.len()).map(BackendId).filter(|id| self.is_speech(*id))
    }

    /// Those of `chain` that may answer where no speech is asked for: none that only speaks, and none that
    /// waits for a person to ask for it by name.
    fn language(&self, chain: &[BackendId]) -> impl Iterator<Item = BackendId> {
        chain.iter().copied().filter(|id| self.kind(*id).is_none_or(Kind::answers_by_rule))
    }
}

impl Decision {
    /// The name of what decided: a rule's, `model:NAME`, `path`, or nothing.
    pub fn rule_name<'a>(&self, policy: &'a Policy, facts: &Facts) -> Cow<'a, str> {
        match self.decided_by {
            Some(DecidedBy::Rule(id)) => policy.rules.get(id.0).map_or("", |rule| &rule.name).into(),
            Some(DecidedBy::Model) => format!("model:{}", facts.model).into(),
            Some(DecidedBy::Path) => "path".into(),
            None => "".into(),
        }
    }
}

/// A decision in the making: the candidates, and what named them.
struct Slate {
    decided_by: Option<DecidedBy>,
    forced: bool,
    candidates: Vec<(BackendId, Verdict)>,
}

/// What can be said of one candidate by itself.
enum Standing {
    /// Usable, and the request fits.
    Fits,
    /// Usable, but the request needs more tokens than this window has.
    Exceeded { window: u64, nearly: bool },
    /// Not usable.
    Blocked(Reason),
}

impl Slate {
    fn empty(decided_by: Option<DecidedBy>) -> Self {
        Self { decided_by, forced: false, candidates: Vec::new() }
    }

    /// Appends a candidate; one that is there already counts once, at its first place.
    fn add(&mut self, id: BackendId) {
        if !self.candidates.iter().any(|(there, _)| *there == id) {
            self.candidates.push((id, Verdict::NotNeeded));
        }
    }

    fn extend(&mut self, ids: impl Iterator<Item = BackendId>) {
        ids.for_each(|id| self.add(id));
    }

    /// The one at `place` gets it; those before it keep their verdicts, none after it is needed.
    fn choose(mut self, place: usize, id: BackendId) -> Decision {
        for (at, (_, verdict)) in self.candidates.iter_mut().enumerate().skip(place) {
            *verdict = if at == place { Verdict::Chosen } else { Verdict::NotNeeded };
        }
        self.close(Outcome::Route(id))
    }

    fn refuse(self, refusal: Refusal) -> Decision {
        self.close(Outcome::Refuse(refusal))
    }

    fn close(self, outcome: Outcome) -> Decision {
        let reason = match (self.candidates.first(), &outcome) {
            (Some((_, Verdict::Not(reason))), _)
            | (None, Outcome::Refuse(Refusal::NoCandidate(reason @ Reason::NotAllowed))) => *reason,
            _ => Reason::Matched,
        };
        let Self { decided_by, forced, candidates } = self;
        Decision { decided_by, outcome, reason, forced, candidates }
    }
}

/// Whether a context window limits what the endpoint takes.
fn counts_context(endpoint: Endpoint) -> bool {
    endpoint.generates() && endpoint != Endpoint::Speech
}

/// Whether `needed` exceeds the window by no more than a quarter of it: an estimate errs.
fn within_a_quarter(needed: u64, window: u64) -> bool {
    u128::from(needed) * 4 <= u128::from(window) * 5
}

#[cfg(test)]
mod tests;
