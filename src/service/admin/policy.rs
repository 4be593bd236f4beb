//! `POST /explain` and `POST /reload`.

use bytes::Bytes;
use pingora_core::protocols::http::ServerSession;
use serde_json::json;

use super::{Admin, Answer, whole_body};
use crate::openai::Refused;

impl Admin {
    pub(super) async fn explained(&self, session: &mut ServerSession) -> Result<Answer, Refused> {
        let question = whole_body(session).await?;
        let decision = (self.explain)(&self.fleet.live(), &question)?;
        Ok(Answer::json(&decision))
    }

    pub(super) async fn reload(&self) -> Result<Answer, Refused> {
        match self.reloader.reload().await {
            Ok(generation) => Ok(Answer::json(&json!({"generation": generation}))),
            Err(problems) => {
                let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
                let body = Bytes::from(json!({"problems": problems}).to_string());
                Ok(Answer { status: 422, media_type: "application/json", body })
            }
        }
    }
}
