//! Asking a running sluice over its admin listener: what `status` and `mode` share.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use pingora_error::{Error, ErrorType};
use serde_json::Value;

use super::serve::runtime;
use crate::service::fetch::{Fetcher, Question};
use crate::telemetry::Fault;

/// Where the admin listener is, and what it asks for.
#[derive(Debug, Args)]
pub struct Admin {
    /// The admin listener
    #[arg(long = "admin", value_name = "URL", default_value = "http://127.0.0.1:8081")]
    pub url: String,
    /// A file with the token, where the admin listener asks for one
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Admin {
    /// `GET {path}`.
    ///
    /// # Errors
    /// As a sentence: nobody there, a token that is missing, no JSON.
    pub fn read(&self, path: &str) -> anyhow::Result<Value> {
        runtime(1)?.block_on(self.fetch(path))
    }

    /// The same, where a runtime runs already.
    ///
    /// # Errors
    /// As those of [`Self::read`].
    pub async fn fetch(&self, path: &str) -> anyhow::Result<Value> {
        self.ask("GET", path, None, PATIENCE).await
    }

    /// `PUT {path}` with a body; its answer may take `wait` longer than usual.
    ///
    /// # Errors
    /// As those of [`Self::read`].
    pub fn write(&self, path: &str, body: &Value, wait: Duration) -> anyhow::Result<Value> {
        runtime(1)?.block_on(self.ask("PUT", path, Some(&body.to_string()), PATIENCE.saturating_add(wait)))
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        json: Option<&str>,
        limit: Duration,
    ) -> anyhow::Result<Value> {
        let (authority, token) = (authority(&self.url)?, self.token()?);
        let question = Question { method, path, token: token.as_deref(), json };
        let answer = Fetcher::new().ask(&authority, &question, limit).await;
        let (status, body) =
            answer.map_err(|error| anyhow::anyhow!("no sluice answers at {}: {}", self.url, why(&error)))?;
        let body: Value = serde_json::from_slice(&body)
            .map_err(|_none| anyhow::anyhow!("what answers at {} is no sluice: no JSON", self.url))?;
        if status != 200 {
            bail!("{} says {status}: {}", self.url, refusal(status, &body));
        }
        Ok(body)
    }

    fn token(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let token =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Some(token.trim_end().to_owned()))
    }
}

/// `http://127.0.0.1:8081/` → `127.0.0.1:8081`.
fn authority(url: &str) -> anyhow::Result<String> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.is_empty() || authority.contains(['/', '?', '#', '@']) {
        bail!("{url:?} is not the address of an admin listener: write http://HOST:PORT");
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(if has_port { authority.to_owned() } else { format!("{authority}:80") })
}

/// Why there was no answer, without the words of a connection pool.
fn why(error: &Error) -> String {
    match error.etype() {
        ErrorType::ConnectRefused => "the connection was refused (is it running?)".to_owned(),
        ErrorType::ConnectTimedout | ErrorType::ReadTimedout => "it took too long".to_owned(),
        ErrorType::ConnectNoRoute => "there is no way to it".to_owned(),
        _ => Fault(error).to_string(),
    }
}

fn refusal(status: u16, body: &Value) -> String {
    let words = body.pointer("/error/message").and_then(Value::as_str).unwrap_or("no reason is given");
    if status == 401 { format!("{words} (--token-file FILE)") } else { words.to_owned() }
}

/// For an answer that need not wait.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let good = [
            ("http://127.0.0.1:8081", "127.0.0.1:8081"),
            ("http://house.lan:8081/", "house.lan:8081"),
            ("[::1]:8081", "[::1]:8081"),
            ("http://house.lan", "house.lan:80"),
        ];
        for (url, wanted) in good {
            assert_eq!(authority(url).unwrap(), wanted);
        }
        for bad in ["", "http://", "https://house.lan", "http://house.lan/status", "http://a@b"] {
            assert!(authority(bad).is_err(), "{bad}");
        }
    }
}
