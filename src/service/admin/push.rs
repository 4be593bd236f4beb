//! `PUT /gates/{name}`: somebody says the mode. In force before the answer.

use std::sync::Arc;
use std::time::Duration;

use pingora_core::protocols::http::ServerSession;
use serde_json::json;
use tokio::time::timeout;

use super::{Admin, Answer, whole_body};
use crate::fleet::LiveGate;
use crate::gate::answer;
use crate::openai::Refused;
use crate::service::gates::settled;

impl Admin {
    pub(super) async fn push(&self, session: &mut ServerSession) -> Result<Answer, Refused> {
        let gate = self.gate_of(session.req_header().uri.path())?;
        let wait = wait_of(session.req_header().uri.query().unwrap_or_default())?;
        let body = whole_body(session).await?;
        let observation = answer::parse(&body)
            .map_err(|fault| Refused::new(400, "invalid_request", format!("not a mode: {fault}")))?;
        let mut heard = gate.polled_since_push();
        settled(&gate, &self.metrics, gate.push(observation));
        // The push holds already. What the PC itself says is asked at once, and heard if it is quick: a
        // GAMING that both have said ends with the PC's next NORMAL.
        if self.is_polled(&gate) {
            let _ = timeout(CONFIRM, heard.changed()).await;
        }
        if let Some(limit) = wait {
            // Time up is an answer too: `drained` says it.
            let _ = timeout(limit, gate.drained()).await;
        }
        let status = gate.status();
        Ok(Answer::json(&json!({
            "state": status.view.state.as_str(),
            "in_flight": status.in_flight,
            "forced": status.forced,
            "drained": status.in_flight == 0,
        })))
    }

    fn gate_of(&self, path: &str) -> Result<Arc<LiveGate>, Refused> {
        let name = path.strip_prefix(PREFIX).unwrap_or_default();
        let live = self.fleet.live();
        let found = live.gates.iter().find(|gate| gate.name == name).cloned();
        found.ok_or_else(|| Refused::new(404, "unknown_gate", "the policy has no gate of this name"))
    }

    /// Whether anybody answers when the gate's mode is asked for.
    fn is_polled(&self, gate: &LiveGate) -> bool {
        let gates = &self.fleet.live().policy.gates;
        gates.iter().any(|it| it.name == gate.name && it.mode_url.is_some())
    }
}

/// `?wait=drained&timeout=30s`: how long to wait, where that is asked for.
fn wait_of(query: &str) -> Result<Option<Duration>, Refused> {
    let (mut wait, mut limit) = (false, DEFAULT_WAIT);
    for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match (key, value) {
            ("wait", "drained") => wait = true,
            ("timeout", text) => {
                let parsed = humantime::parse_duration(text).ok().filter(|limit| *limit <= MAX_WAIT);
                limit = parsed
                    .ok_or_else(|| bad_query("timeout must be a duration of at most 10m, such as 30s"))?;
            }
            _ => return Err(bad_query("only wait=drained and timeout=30s are known")),
        }
    }
    Ok(wait.then_some(limit))
}

fn bad_query(words: &'static str) -> Refused {
    Refused::new(400, "invalid_request", words)
}

/// Where the gates are.
pub const PREFIX: &str = "/gates/";
/// How long a push waits for the PC to be asked.
const CONFIRM: Duration = Duration::from_millis(100);
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
const MAX_WAIT: Duration = Duration::from_secs(600);
