//! The body, whole: read for what the rules may see. Reading from the wire is `transport::intake`.

use std::borrow::Cow;

use pingora_http::RequestHeader;

use crate::fleet::Live;
use crate::openai::Endpoint;
use crate::policy::Facts;
use crate::prompt::{self, Prompt};
use crate::wire::NotAYesOrNo;

/// Why a request with a body cannot be decided about.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// A header's value is not one of those it may have.
    #[error("{0}")]
    Header(#[from] NotAYesOrNo),
    /// The body is not what the endpoint takes.
    #[error("{0}")]
    Body(#[from] prompt::Fault),
}

/// Everything a rule can see of this request. The same for live traffic and for `explain`.
///
/// # Errors
/// [`Unread`] when the body or a header cannot be read without guessing.
pub fn facts(
    live: &Live,
    endpoint: Endpoint,
    head: &RequestHeader,
    body: &[u8],
    client: &str,
) -> Result<(Facts, Prompt), Unread> {
    let headers = live.header_tests.holding(|name| joined(head, name))?;
    let prompt = prompt::read(body, endpoint, &live.patterns)?;
    let model = if prompt.model.is_empty() { "auto" } else { &prompt.model };
    let facts = Facts {
        endpoint,
        model: model.to_owned(),
        model_id: live.policy.model_id(model),
        tokens: prompt.tokens,
        max_output_tokens: prompt.max_output_tokens,
        tags: prompt.tags.clone(),
        patterns: prompt.patterns.clone(),
        headers,
        stream: prompt.stream,
        tools: prompt.tools,
        images: prompt.images,
        client: client.to_owned(),
    };
    Ok((facts, prompt))
}

/// A header's value; several fields of one name are joined with commas, so that no reader sees
/// only one of them.
fn joined<'h>(head: &'h RequestHeader, name: &str) -> Option<Cow<'h, str>> {
    let mut values = head.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let first = values.next()?;
    Some(values.fold(first, |all, value| Cow::Owned(format!("{all},{value}"))))
}
