//! `GET /log` and `PUT /log`: how much is logged, without a restart.

use pingora_core::protocols::http::ServerSession;
use serde_json::{Value, json};

use super::{Admin, Answer, whole_body};
use crate::config::LogLevel;
use crate::openai::Refused;
use crate::service::log;

impl Admin {
    pub(super) fn log_level() -> Answer {
        Answer::json(&json!({"level": log::level().map(LogLevel::as_str)}))
    }

    pub(super) async fn change_log_level(session: &mut ServerSession) -> Result<Answer, Refused> {
        let body = whole_body(session).await?;
        let level = asked(&body).ok_or_else(|| {
            let words = "the body must be {\"level\":\"error\"|\"warn\"|\"info\"|\"debug\"|\"trace\"}";
            Refused::new(400, "invalid_request", words)
        })?;
        let before = log::change(level).map(LogLevel::as_str);
        Ok(Answer::json(&json!({"level": level.as_str(), "before": before})))
    }
}

/// The level that the body asks for, and nothing else.
fn asked(body: &[u8]) -> Option<LogLevel> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let members = body.as_object().filter(|members| members.len() == 1)?;
    LogLevel::of(members.get("level")?.as_str()?)
}

/// Where it is.
pub const PATH: &str = "/log";
