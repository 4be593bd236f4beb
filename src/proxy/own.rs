//! What sluice answers itself: the model list and `/health`, from the policy and the live state, at once.

use serde_json::{Value, json};

use super::Gateway;
use super::refuse;
use super::route::Received;
use crate::fleet::Live;
use crate::openai::Refused;
use crate::policy::{BackendId, Kind, Model, Reason};

impl Gateway {
    /// `GET /v1/models`: what this client may name.
    pub(super) fn models(&self, live: &Live, client: &str) -> Value {
        let allowed = live.policy.models.iter().filter(|model| live.policy.allows(client, model));
        let entries: Vec<_> = allowed.map(|model| entry(live, model)).collect();
        json!({"object": "list", "data": entries})
    }

    /// `GET /v1/models/{id}`
    pub(super) fn model(&self, live: &Live, id: &str, client: &str) -> Result<Value, Refused> {
        let model = live.policy.models.iter().find(|model| model.name == id);
        let model = model.ok_or_else(|| refuse::unknown_model(&live.policy, id, client))?;
        if live.policy.allows(client, model) { Ok(entry(live, model)) } else { Err(refuse::not_allowed()) }
    }

    /// `GET /health`: whether at least one language model can be used.
    pub(super) fn health(&self, live: &Live) -> Result<Received, Refused> {
        let language =
            (0..live.policy.backends.len()).map(BackendId).filter(|id| kind(live, *id).answers_by_rule());
        let usable: Vec<_> =
            language.filter(|id| unusable(live, *id).is_none()).map(|id| name(live, id)).collect();
        if usable.is_empty() {
            return Err(refuse::nobody());
        }
        Ok(Received::Own(200, json!({"status": "ok", "backends": usable})))
    }
}

/// One model as OpenAI shows it, with where it leads and whether that can be used now. For a name
/// that the rules decide about, any language backend may be the one.
fn entry(live: &Live, model: &Model) -> Value {
    let reason = match model.backend {
        Some(id) => unusable(live, id),
        None => any_language(live),
    };
    let started = live.loaded_at.duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    json!({
        "id": model.name,
        "object": "model",
        "created": started,
        "owned_by": "sluice",
        "max_model_len": window(live, model),
        "sluice": {
            "backend": model.backend.map(|id| name(live, id)),
            "available": reason.is_none(),
            "reason": reason.unwrap_or(Reason::Matched).as_str(),
        },
    })
}

/// `None` when some language backend can be used, else why the last one cannot.
fn any_language(live: &Live) -> Option<Reason> {
    let ids = (0..live.policy.backends.len()).map(BackendId).filter(|id| kind(live, *id).answers_by_rule());
    let mut last = Some(Reason::Unhealthy);
    for id in ids {
        last = Some(unusable(live, id)?);
    }
    last
}

/// Why a backend cannot be used without force.
fn unusable(live: &Live, id: BackendId) -> Option<Reason> {
    let view = live.view(None, &[]);
    live.policy
        .backends
        .get(id.0)
        .and_then(|backend| backend.gate)
        .and_then(|gate| view.gate(gate).bars(false))
        .or_else(|| view.unusable(id))
}

/// The window of its backend; of the largest one where the rules decide.
fn window(live: &Live, model: &Model) -> Option<u64> {
    match model.backend {
        Some(id) => live.policy.backends.get(id.0)?.context_window,
        None => {
            let language = live.policy.backends.iter().filter(|backend| backend.kind.answers_by_rule());
            language.filter_map(|backend| backend.context_window).max()
        }
    }
}

fn kind(live: &Live, id: BackendId) -> Kind {
    live.policy.backends.get(id.0).map_or(Kind::Speech, |backend| backend.kind)
}

fn name(live: &Live, id: BackendId) -> &str {
    live.policy.backends.get(id.0).map_or("", |backend| &backend.name)
}
