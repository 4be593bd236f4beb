//! A rule, and the whole policy it stands in.

use std::fmt;

use super::{Backend, BackendId, Client, Condition, Facts, Gate, GateId, Gpu, Model, ModelId, View};

/// When something holds, where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name: in headers, metrics, audit.
    pub name: String,
    /// `None` holds always: the last rule.
    pub when: Option<Condition>,
    /// The backend of first choice.
    pub route: BackendId,
    /// Takes the place of the backend's own chain where given.
    pub fail_soft: Option<Vec<BackendId>>,
    /// Whether a gate that is not open may be passed.
    pub override_gate: bool,
}

/// Everything a decision needs that the operator wrote. Ids are places in these lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Physical cards, in the file's order.
    pub gpus: Vec<Gpu>,
    /// Gates, in the file's order.
    pub gates: Vec<Gate>,
    /// Backends, in the file's order.
    pub backends: Vec<Backend>,
    /// Those who have a key; none: nobody is asked for one.
    pub clients: Vec<Client>,
    /// Names a client may send; `auto` is always there.
    pub models: Vec<Model>,
    /// Rules, first match wins; the last has no condition.
    pub rules: Vec<Rule>,
    /// What is looked for in prompts.
    pub prompt: PromptPolicy,
    /// Header tests that the rules name, each once.
    pub header_tests: Vec<HeaderTest>,
}

/// What is looked for in prompts, as sources; `prompt` compiles them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PromptPolicy {
    /// Tags: name and pattern source.
    pub tags: Vec<(String, String)>,
    /// Whether what a tag's pattern matches is taken out of user messages.
    pub strip_tags: bool,
    /// Pattern sources that rules name in `prompt_matches`, each once.
    pub patterns: Vec<String>,
    /// Tokens that one image counts.
    pub image_tokens: u64,
}

/// A test of one request header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderTest {
    /// The header's name, lower case.
    pub name: String,
    /// What is asked of it.
    pub test: HeaderOp,
}

/// What a header test asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderOp {
    /// It is a yes (`true|1|yes`) or a no (`false|0|no`, empty, absent); anything else is refused.
    Is(bool),
    /// It is exactly this.
    Equals(String),
    /// The pattern with this source matches somewhere in it; absent never matches.
    Matches(String),
    /// It is there, or is not.
    Present(bool),
}

impl Rule {
    /// Whether it holds for this request at this moment.
    pub fn holds(&self, facts: &Facts, view: &View) -> bool {
        self.when.as_ref().is_none_or(|condition| condition.holds(facts, view))
    }
}

impl Policy {
    /// A backend's name; `?` for an id that is not of this policy.
    pub fn backend_name(&self, id: BackendId) -> &str {
        self.backends.get(id.0).map_or("?", |backend| &backend.name)
    }

    /// A gate's name; `?` for an id that is not of this policy.
    pub fn gate_name(&self, id: GateId) -> &str {
        self.gates.get(id.0).map_or("?", |gate| &gate.name)
    }
}

/// The test in words, `x-force-big is true`: the key of its outcome in a decision's facts.
impl fmt::Display for HeaderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.test {
            HeaderOp::Is(yes) => write!(f, "{name} is {yes}"),
            HeaderOp::Equals(value) => write!(f, "{name} equals {value}"),
            HeaderOp::Matches(source) => write!(f, "{name} matches {source}"),
            HeaderOp::Present(there) => write!(f, "{name} present {there}"),
        }
    }
}

impl Policy {
    /// Whether a client may name a model: neither the client's own list nor the model's leaves it out.
    pub fn allows(&self, client: &str, model: &Model) -> bool {
        let known = self.clients.iter().find(|known| known.name == client);
        let by_client = known.and_then(|known| known.models.as_ref());
        by_client.is_none_or(|names| names.contains(&model.name))
            && model.clients.as_ref().is_none_or(|names| names.iter().any(|name| name == client))
    }

    /// The place of a model's name.
    pub fn model_id(&self, name: &str) -> Option<ModelId> {
        self.models.iter().position(|model| model.name == name).map(ModelId)
    }
}
