//! What holds for every policy, every fleet and every request: the guarantees of the engine as properties.
//! Policies are random and need not make sense; ids may point nowhere.

#![cfg(test)]

#[path = "policy_properties/random.rs"]
mod random;

use proptest::prelude::*;
use random::{Situation, rule, situation};
use sluice::openai::Endpoint;
use sluice::policy::{
    Backend, BackendId, DecidedBy, GateState, Kind, Outcome, Reason, Refusal, RuleId, Verdict,
};

impl Situation {
    /// Whether this client may name this model: neither its own list nor the model's leaves it out.
    fn is_allowed(&self) -> Option<bool> {
        let model = self.policy.models.get(self.facts.model_id?.0)?;
        let client = self.policy.clients.iter().find(|client| client.name == self.facts.client);
        let listed = client.and_then(|client| client.models.as_ref());
        let by_client = listed.is_none_or(|names| names.contains(&model.name));
        Some(by_client && model.clients.as_ref().is_none_or(|names| names.contains(&self.facts.client)))
    }

    /// Whether the model is pinned to a manual backend and says for nobody that it may, or has the name of those
    /// that name none.
    fn names_manual_for_nobody(&self) -> bool {
        let model = self.facts.model_id.and_then(|id| self.policy.models.get(id.0));
        let manual = model.and_then(|model| self.backend(model.backend?)).map(|it| it.kind);
        self.facts.endpoint != Endpoint::Speech
            && manual == Some(Kind::Manual)
            && model.is_some_and(|model| model.clients.is_none() || model.name == "auto")
    }

    /// Whom the guarantees let a request be asked of at all, in order. Written from the manual, apart from the
    /// engine: `None` where the model's name is wrong for the path, is none, or is not for this client.
    fn candidates(&self) -> Option<Vec<BackendId>> {
        let model = self.policy.models.get(self.facts.model_id?.0)?;
        if !self.is_allowed()? {
            return None;
        }
        let is = |id: &BackendId, kind| self.backend(*id).is_some_and(|backend| backend.kind == kind);
        let all: Vec<_> = (0..self.policy.backends.len()).map(BackendId).collect();
        let speaks = |id: &BackendId| self.backend(*id).is_some_and(|backend| backend.kind == Kind::Speech);
        let chain =
            |id: BackendId| self.backend(id).map_or_else(Vec::new, |backend| backend.fail_soft.clone());
        let speech = self.facts.endpoint == Endpoint::Speech;
        let mut named = match (model.backend, speech) {
            (Some(id), _) if speech && speaks(&id) => {
                let same = |other: &BackendId| {
                    self.backend(*other).map(|one| &one.model) == self.backend(id).map(|one| &one.model)
                };
                [vec![id], all.into_iter().filter(same).collect(), chain(id)].concat()
            }
            (_, true) if model.name == "auto" && all.iter().any(speaks) => all,
            (_, true) => return None,
            (Some(id), false) if speaks(&id) => return None,
            (Some(id), false)
                if is(&id, Kind::Manual) && (model.clients.is_none() || model.name == "auto") =>
            {
                return None;
            }
            (Some(id), false) => [vec![id], chain(id)].concat(),
            (None, false) => match self.first_rule() {
                Some(place) => {
                    let rule = &self.policy.rules[place];
                    let fail_soft = rule.fail_soft.clone().unwrap_or_else(|| chain(rule.route));
                    [vec![rule.route], fail_soft].concat()
                }
                None => Vec::new(),
            },
        };
        let pinned = model.backend;
        named.retain(|id| speaks(id) == speech && (!is(id, Kind::Manual) || pinned == Some(*id)));
        let mut once = Vec::new();
        for id in named {
            if !once.contains(&id) {
                once.push(id);
            }
        }
        Some(once)
    }

    fn backend(&self, id: BackendId) -> Option<&Backend> {
        self.policy.backends.get(id.0)
    }

    /// The place of the first rule that holds, if it is the rules that decide.
    fn first_rule(&self) -> Option<usize> {
        self.policy.trace(&self.facts, &self.view).iter().position(|rule| rule.matched)
    }

    fn rules_decide(&self) -> bool {
        let model = self.facts.model_id.and_then(|id| self.policy.models.get(id.0));
        self.facts.endpoint != Endpoint::Speech
            && self.is_allowed() == Some(true)
            && model.is_some_and(|model| model.backend.is_none())
    }

    fn overrides(&self) -> bool {
        self.rules_decide() && self.first_rule().is_some_and(|place| self.policy.rules[place].override_gate)
    }

    /// Whether the gate, the sleep of its model and the fleet let the backend be used, context left out.
    fn usable(&self, id: BackendId) -> bool {
        let Some(backend) = self.backend(id) else { return false };
        let gate = backend.gate.map(|gate| self.view.gate(gate));
        let awake = gate.is_none_or(|gate| gate.available);
        let open = gate.is_none_or(|gate| gate.state == GateState::Open);
        awake && (open || self.overrides()) && self.view.unusable(id).is_none()
    }

    /// How the request fits the backend's window.
    fn fit(&self, id: BackendId) -> Fit {
        let window = self.backend(id).and_then(|backend| backend.context_window);
        let counts = self.facts.endpoint.generates() && self.facts.endpoint != Endpoint::Speech;
        match window.filter(|_| counts) {
            Some(window) if self.facts.needed() > window => {
                let over = u128::from(self.facts.needed() - window);
                if over * 4 <= u128::from(window) { Fit::Nearly } else { Fit::TooLong }
            }
            _ => Fit::Fits,
        }
    }
}

/// From good to bad.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
enum Fit {
    Fits,
    Nearly,
    TooLong,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_input_has_the_same_decision_and_never_panics(given in situation()) {
        let again = given.clone();
        prop_assert_eq!(given.decide(), again.decide());
        let _ = given.decide().rule_name(&given.policy, &given.facts);
    }

    #[test]
    fn it_refuses_exactly_when_no_candidate_can_be_used(given in situation()) {
        let candidates = given.candidates().unwrap_or_default();
        let some = candidates.iter().any(|id| given.usable(*id) && given.fit(*id) <= Fit::Nearly);
        prop_assert_eq!(matches!(given.decide().outcome, Outcome::Route(_)), some);
    }

    #[test]
    fn the_first_that_fits_is_chosen_else_the_first_that_nearly_does(given in situation()) {
        let candidates = given.candidates().unwrap_or_default();
        let first = |worst: Fit| candidates.iter().find(|id| given.usable(**id) && given.fit(**id) <= worst);
        let expected = first(Fit::Fits).or_else(|| first(Fit::Nearly)).copied();
        let Outcome::Route(chosen) = given.decide().outcome else { return Ok(()) };
        prop_assert_eq!(Some(chosen), expected);
    }

    #[test]
    fn over_context_is_chosen_only_within_a_quarter_and_when_nothing_usable_fits(given in situation()) {
        let Outcome::Route(chosen) = given.decide().outcome else { return Ok(()) };
        if given.fit(chosen) != Fit::Fits {
            prop_assert_eq!(given.fit(chosen), Fit::Nearly);
            let candidates = given.candidates().unwrap_or_default();
            prop_assert!(!candidates.iter().any(|id| given.usable(*id) && given.fit(*id) == Fit::Fits));
        }
    }

    #[test]
    fn no_gate_that_is_not_open_is_passed_without_override(given in situation()) {
        let decision = given.decide();
        let Outcome::Route(chosen) = decision.outcome else { return Ok(()) };
        let gate = given.backend(chosen).and_then(|backend| backend.gate).map(|gate| given.view.gate(gate));
        let Some(gate) = gate else { return Ok(()) };
        prop_assert!(gate.available, "the model behind the gate sleeps");
        let overridden = match decision.decided_by {
            Some(DecidedBy::Rule(RuleId(place))) => given.policy.rules[place].override_gate,
            _ => false,
        };
        prop_assert_eq!(decision.forced, overridden);
        prop_assert!(gate.state == GateState::Open || overridden);
    }

    #[test]
    fn an_unusable_backend_is_never_chosen(given in situation()) {
        let Outcome::Route(chosen) = given.decide().outcome else { return Ok(()) };
        prop_assert_eq!(given.view.unusable(chosen), None);
        prop_assert!(given.backend(chosen).is_some());
    }

    #[test]
    fn speech_and_language_never_mix(given in situation()) {
        let speech = given.facts.endpoint == Endpoint::Speech;
        for (id, _) in given.decide().candidates {
            let speaks = given.backend(id).is_some_and(|backend| backend.kind == Kind::Speech);
            prop_assert_eq!(speaks, speech);
        }
    }

    #[test]
    fn a_manual_backend_is_reached_by_its_models_name_and_the_clients_it_names_alone(given in situation()) {
        let decision = given.decide();
        for (id, _) in &decision.candidates {
            if given.policy.backends.get(id.0).is_some_and(|backend| backend.kind == Kind::Manual) {
                let model = &given.policy.models[given.facts.model_id.unwrap().0];
                prop_assert_eq!(&decision.decided_by, &Some(DecidedBy::Model));
                prop_assert_eq!(model.backend, Some(*id));
                prop_assert_ne!(&model.name, "auto");
                prop_assert!(model.clients.as_ref().is_some_and(|names| names.contains(&given.facts.client)));
            }
        }
    }

    #[test]
    fn an_external_backend_is_reached_only_where_the_policy_names_it(given in situation()) {
        let Outcome::Route(id) = given.decide().outcome else { return Ok(()) };
        if given.policy.backends.get(id.0).is_some_and(|backend| backend.kind == Kind::External) {
            let (policy, model) = (&given.policy, given.facts.model_id.unwrap());
            let chains = policy.backends.iter().map(|backend| &backend.fail_soft);
            let by_rule = policy.rules.iter().any(|rule| {
                rule.route == id || rule.fail_soft.iter().flatten().any(|other| *other == id)
            });
            prop_assert!(by_rule || policy.models[model.0].backend == Some(id) || chains.flatten().any(|it| *it == id));
        }
    }

    #[test]
    fn a_client_is_refused_the_names_that_are_not_for_it_whatever_the_rules_say(given in situation()) {
        if given.is_allowed() == Some(false) {
            let decision = given.decide();
            prop_assert_eq!(&decision.outcome, &Outcome::Refuse(Refusal::NoCandidate(Reason::NotAllowed)));
            prop_assert_eq!((decision.reason, decision.candidates.len()), (Reason::NotAllowed, 0));
        }
    }

    #[test]
    fn the_first_rule_that_holds_decides(given in situation()) {
        let by = given.decide().decided_by;
        let rule = match by { Some(DecidedBy::Rule(RuleId(place))) => Some(place), _ => None };
        prop_assert_eq!(rule, given.first_rule().filter(|_| given.rules_decide()));
    }

    #[test]
    fn a_rule_below_the_one_that_decides_changes_nothing(
        given in situation(), more in rule(), below in any::<prop::sample::Index>()
    ) {
        let before = given.decide();
        let lowest = match before.decided_by {
            Some(DecidedBy::Rule(RuleId(place))) => place + 1,
            None if given.candidates().is_some() => return Ok(()), // no rule held: a new one may
            _ => 0,
        };
        let mut given = given;
        let place = lowest + below.index(given.policy.rules.len() + 1 - lowest);
        given.policy.rules.insert(place, more);
        prop_assert_eq!(given.decide(), before);
    }

    #[test]
    fn every_rule_is_traced_as_it_holds_and_says_why(given in situation()) {
        let trace = given.policy.trace(&given.facts, &given.view);
        prop_assert_eq!(trace.len(), given.policy.rules.len());
        for (told, rule) in trace.iter().zip(&given.policy.rules) {
            prop_assert_eq!(told.matched, rule.holds(&given.facts, &given.view));
            prop_assert!(!told.because.is_empty());
            prop_assert!(told.because.iter().all(|line| !line.is_empty()));
        }
    }

    #[test]
    fn the_verdicts_tell_how_the_outcome_came_about(given in situation()) {
        let decision = given.decide();
        let ids: Vec<_> = decision.candidates.iter().map(|(id, _)| *id).collect();
        prop_assert_eq!(ids, given.candidates().unwrap_or_default());
        let verdicts: Vec<_> = decision.candidates.iter().map(|(_, verdict)| *verdict).collect();
        let chosen = verdicts.iter().position(|verdict| *verdict == Verdict::Chosen);
        let until = chosen.unwrap_or(verdicts.len());
        prop_assert!(verdicts.iter().take(until).all(|verdict| matches!(verdict, Verdict::Not(_))));
        prop_assert!(verdicts.iter().skip(until + 1).all(|verdict| *verdict == Verdict::NotNeeded));
        prop_assert_eq!(matches!(decision.outcome, Outcome::Route(_)), chosen.is_some());
        let expected = match (verdicts.first(), &decision.outcome) {
            (Some(Verdict::Not(reason)), _) => *reason,
            (None, Outcome::Refuse(Refusal::NoCandidate(Reason::NotAllowed))) => Reason::NotAllowed,
            _ => Reason::Matched,
        };
        prop_assert_eq!(decision.reason, expected);
    }

    #[test]
    fn a_refusal_names_the_last_reason_that_is_not_mere_size(given in situation()) {
        let decision = given.decide();
        let Outcome::Refuse(refusal) = &decision.outcome else { return Ok(()) };
        let Some(candidates) = given.candidates() else {
            let not_allowed = Refusal::NoCandidate(Reason::NotAllowed);
            let expected = match given.is_allowed() {
                None => Refusal::UnknownModel,
                Some(false) => not_allowed,
                Some(true) if given.names_manual_for_nobody() => not_allowed,
                Some(true) => Refusal::WrongEndpoint,
            };
            prop_assert_eq!(refusal, &expected);
            return Ok(());
        };
        let last = decision.candidates.iter().rev().find(|(id, _)| !given.usable(*id));
        let largest = candidates.iter().filter_map(|id| given.backend(*id)?.context_window).max();
        let expected = match (last, largest) {
            (Some((_, Verdict::Not(reason))), _) => Refusal::NoCandidate(*reason),
            (None, Some(window)) => Refusal::ContextLengthExceeded { window },
            _ => Refusal::NoCandidate(Reason::Unhealthy),
        };
        prop_assert_eq!(refusal, &expected);
    }
}
