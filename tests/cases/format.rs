//! The format of a case file, and how its words become a policy, a fleet and a request.
//!
//! ```yaml
//! given:
//!   mode: GAMING            # NORMAL, GAMING, draining or unknown
//!   asleep: true            # the model behind the gate; absent: it is awake
//!   down: { big: unhealthy }
//!   policy: {}              # changes to the example policy, in its own syntax; lists are replaced
//! when:
//!   path: /v1/messages      # absent: /v1/chat/completions
//!   model: big              # absent: auto
//!   headers: { X-Force-Big: "true" }
//!   message: Please refactor this. #force_big
//!   tokens: 2000
//!   max_output_tokens: 512
//! then:
//!   backend: big            # or `refuse`, with `because` or `window`
//!   rule: force-big
//!   reason: matched
//!   forced: true            # absent: it is not
//!   candidates: [{ big: chosen }, { small: not_needed }]   # absent: they are not looked at
//! ```

use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;
use sluice::openai::Endpoint;
use sluice::policy::{
    Backend, BackendId, Condition, Facts, GateId, GateState, GateView, GateWord, HeaderOp, HeaderTestId,
    Kind, Model, ModelId, PatternId, Policy, Reason, Rule, TagId, View,
};

use super::{Result, sample};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub given: Given,
    pub when: When,
    pub then: Then,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    mode: Mode,
    #[serde(default)]
    asleep: bool,
    #[serde(default)]
    down: BTreeMap<String, Ailment>,
    #[serde(default)]
    policy: Changes,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum Mode {
    #[serde(rename = "NORMAL")]
    Normal,
    #[serde(rename = "GAMING")]
    Gaming,
    #[serde(rename = "draining")]
    Draining,
    #[serde(rename = "unknown")]
    Unknown,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ailment {
    Unhealthy,
    ConnectFailed,
    OverBudget,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Changes {
    backends: BTreeMap<String, BackendChange>,
    models: BTreeMap<String, ModelChange>,
    rules: Option<Vec<RuleText>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BackendChange {
    kind: Option<String>,
    gate: Option<String>,
    model: Option<String>,
    context_window: Option<u64>,
    fail_soft: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelChange {
    backend: String,
    clients: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    name: String,
    when: Option<WhenText>,
    route: String,
    fail_soft: Option<Vec<String>>,
    #[serde(default)]
    override_gate: bool,
}

/// The conditions that the cases need, in the policy's syntax; several mean all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WhenText {
    model: Option<Vec<String>>,
    tokens: Option<TokensText>,
    gate: BTreeMap<String, Vec<WordText>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensText {
    at_least: Option<u64>,
    below: Option<u64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WordText {
    Open,
    Closed,
    Unknown,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    path: String,
    model: String,
    headers: BTreeMap<String, String>,
    message: String,
    tokens: u64,
    max_output_tokens: Option<u64>,
}

impl Default for When {
    fn default() -> Self {
        let facts = sample::facts();
        Self {
            path: facts.endpoint.path().to_owned(),
            model: facts.model,
            headers: BTreeMap::new(),
            message: "Hello.".to_owned(),
            tokens: facts.tokens,
            max_output_tokens: None,
        }
    }
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Then {
    pub backend: Option<String>,
    pub refuse: Option<String>,
    pub because: Option<String>,
    pub window: Option<u64>,
    pub rule: String,
    pub reason: String,
    pub forced: bool,
    pub candidates: Option<Vec<BTreeMap<String, String>>>,
}

impl Given {
    /// The example with the case's changes.
    pub fn policy(&self, mut policy: Policy) -> Result<Policy> {
        let changes = &self.policy;
        for name in changes.backends.keys() {
            if backend(&policy, name).is_err() {
                policy.backends.push(sample::backend(name, name, None));
            }
        }
        for (name, change) in &changes.backends {
            let BackendId(place) = backend(&policy, name)?;
            policy.backends[place] = change.applied(&policy, policy.backends[place].clone())?;
        }
        for (name, change) in &changes.models {
            let pinned = Some(backend(&policy, &change.backend)?);
            policy.models.retain(|model| model.name != *name);
            policy.models.push(Model {
                name: name.clone(),
                backend: pinned,
                clients: change.clients.clone(),
            });
        }
        if let Some(rules) = &changes.rules {
            policy.rules = rules.iter().map(|rule| rule.typed(&policy)).collect::<Result<_>>()?;
        }
        Ok(policy)
    }

    /// The house at that moment: every gate says the same.
    pub fn view(&self, policy: &Policy) -> Result<View> {
        let state = match self.mode {
            Mode::Normal => GateState::Open,
            Mode::Gaming => GateState::Closed,
            Mode::Draining => GateState::Draining,
            Mode::Unknown => GateState::Unknown,
        };
        let mut view = sample::view();
        view.gates = vec![GateView { state, available: !self.asleep }; policy.gates.len()];
        view.backends = vec![None; policy.backends.len()];
        for (name, ailment) in &self.down {
            let BackendId(place) = backend(policy, name)?;
            view.backends[place] = Some(match ailment {
                Ailment::Unhealthy => Reason::Unhealthy,
                Ailment::ConnectFailed => Reason::ConnectFailed,
                Ailment::OverBudget => Reason::OverBudget,
            });
        }
        Ok(view)
    }
}

impl BackendChange {
    fn applied(&self, policy: &Policy, backend: Backend) -> Result<Backend> {
        Ok(Backend {
            kind: match self.kind.as_deref() {
                None => backend.kind,
                Some("speech") => Kind::Speech,
                Some("external") => Kind::External,
                Some("manual") => Kind::Manual,
                Some(other) => return Err(format!("kind {other}").into()),
            },
            gate: self.gate.as_ref().map(|name| gate(policy, name)).transpose()?.or(backend.gate),
            model: self.model.clone().unwrap_or(backend.model),
            context_window: self.context_window.or(backend.context_window),
            fail_soft: match &self.fail_soft {
                Some(names) => backends(policy, names)?,
                None => backend.fail_soft,
            },
            ..backend
        })
    }
}

impl RuleText {
    fn typed(&self, policy: &Policy) -> Result<Rule> {
        Ok(Rule {
            name: self.name.clone(),
            when: self.when.as_ref().map(|when| when.typed(policy)).transpose()?,
            route: backend(policy, &self.route)?,
            fail_soft: self.fail_soft.as_ref().map(|names| backends(policy, names)).transpose()?,
            override_gate: self.override_gate,
        })
    }
}

impl WhenText {
    fn typed(&self, policy: &Policy) -> Result<Condition> {
        let mut all = Vec::new();
        all.extend(self.model.clone().map(Condition::Model));
        if let Some(TokensText { at_least, below }) = self.tokens {
            all.push(Condition::Tokens { at_least, below });
        }
        for (name, words) in &self.gate {
            let words = words.iter().map(|word| match word {
                WordText::Open => GateWord::Open,
                WordText::Closed => GateWord::Closed,
                WordText::Unknown => GateWord::Unknown,
            });
            all.push(Condition::Gate(gate(policy, name)?, words.collect()));
        }
        Ok(Condition::All(all))
    }
}

impl When {
    /// What the rules can see of the request.
    pub fn facts(&self, policy: &Policy) -> Result<Facts> {
        let tags = policy.prompt.tags.iter().map(|(_, source)| source);
        Ok(Facts {
            endpoint: Endpoint::of_path(&self.path).ok_or_else(|| format!("path {}", self.path))?,
            model: self.model.clone(),
            model_id: policy.models.iter().position(|model| model.name == self.model).map(ModelId),
            tokens: self.tokens,
            max_output_tokens: self.max_output_tokens,
            tags: self.found(tags)?.into_iter().map(TagId).collect(),
            patterns: self.found(policy.prompt.patterns.iter())?.into_iter().map(PatternId).collect(),
            headers: self.header_tests(policy)?,
            ..sample::facts()
        })
    }

    /// The places of the patterns that match the message.
    fn found<'a>(&self, sources: impl Iterator<Item = &'a String>) -> Result<Vec<usize>> {
        let mut found = Vec::new();
        for (place, source) in sources.enumerate() {
            if Regex::new(source)?.is_match(&self.message) {
                found.push(place);
            }
        }
        Ok(found)
    }

    fn header_tests(&self, policy: &Policy) -> Result<Vec<HeaderTestId>> {
        let mut held = Vec::new();
        for (place, test) in policy.header_tests.iter().enumerate() {
            let value = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(&test.name));
            let holds = match &test.test {
                HeaderOp::Is(yes) => *yes == value.is_some_and(|(_, value)| value == "true"),
                HeaderOp::Present(there) => *there == value.is_some(),
                other => return Err(format!("no case knows the header test {other:?}").into()),
            };
            held.extend(holds.then_some(HeaderTestId(place)));
        }
        Ok(held)
    }
}

fn backend(policy: &Policy, name: &str) -> Result<BackendId> {
    let place = policy.backends.iter().position(|backend| backend.name == name);
    Ok(BackendId(place.ok_or_else(|| format!("no backend {name}"))?))
}

fn backends(policy: &Policy, names: &[String]) -> Result<Vec<BackendId>> {
    names.iter().map(|name| backend(policy, name)).collect()
}

fn gate(policy: &Policy, name: &str) -> Result<GateId> {
    let place = policy.gates.iter().position(|gate| gate.name == name);
    Ok(GateId(place.ok_or_else(|| format!("no gate {name}"))?))
}
