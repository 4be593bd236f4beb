//! The mode endpoint's answer, and the body of a push: `{"mode":"NORMAL"}`, with or without `available`.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::{Deserializer, Value};

use super::{Mode, Observation, PollFault};

/// The largest body that is read, in bytes.
pub const ANSWER_LIMIT: usize = 64 * 1024;

/// Reads a body. Members of other names are ignored.
///
/// # Errors
/// Anything but one JSON object with the exact words: a mode that is guessed opens a gate by mistake.
pub fn parse(body: &[u8]) -> Result<Observation, PollFault> {
    if body.len() > ANSWER_LIMIT {
        return Err(PollFault::TooLarge);
    }
    let mut json = Deserializer::from_slice(body);
    let members = json.deserialize_map(MembersVisitor).map_err(|_| PollFault::Json)?;
    json.end().map_err(|_| PollFault::Json)?;
    Ok(Observation { mode: mode(&members.mode)?, available: available(&members.available)? })
}

/// The word must be there once.
fn mode(values: &[Value]) -> Result<Mode, PollFault> {
    match values {
        [Value::String(word)] => Mode::of_word(word).ok_or(PollFault::Mode),
        _ => Err(PollFault::Mode),
    }
}

/// Absent means available.
fn available(values: &[Value]) -> Result<bool, PollFault> {
    match values {
        [] => Ok(true),
        [Value::Bool(available)] => Ok(*available),
        _ => Err(PollFault::Available),
    }
}

/// Every value of the two members: a tree would keep one of a doubled key, and say nothing.
#[derive(Default)]
struct Members {
    mode: Vec<Value>,
    available: Vec<Value>,
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with a mode")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            match key.as_str() {
                "mode" => members.mode.push(value),
                "available" => members.available.push(value),
                _ => {}
            }
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::{ANSWER_LIMIT, parse};
    use crate::gate::{Mode, Observation, PollFault};

    #[test]
    fn good_answers() {
        for (body, mode, available) in [
            (r#"{"mode":"NORMAL"}"#, Mode::Normal, true),
            (r#"{"mode":"GAMING"}"#, Mode::Gaming, true),
            (" \r\n{ \"mode\" :\t\"GAMING\" }\r\n", Mode::Gaming, true),
            (r#"{"mode":"NORMAL","available":true}"#, Mode::Normal, true),
            (r#"{"available":false,"mode":"NORMAL"}"#, Mode::Normal, false),
            (r#"{"mode":"GAMING","available":false}"#, Mode::Gaming, false),
            (r#"{"since":[1,{"mode":"x"}],"mode":"NORMAL","Mode":"GAMING","game":null}"#, Mode::Normal, true),
            (r#"{"mode":"\u004eORMAL"}"#, Mode::Normal, true),
        ] {
            assert_eq!(parse(body.as_bytes()), Ok(Observation { mode, available }), "{body}");
        }
    }

    #[test]
    fn no_good_answers() {
        for (body, fault) in [
            ("", PollFault::Json),
            ("NORMAL", PollFault::Json),
            ("\"NORMAL\"", PollFault::Json),
            ("[]", PollFault::Json),
            ("null", PollFault::Json),
            (r#"[{"mode":"NORMAL"}]"#, PollFault::Json),
            (r#"{"mode": "NORM"#, PollFault::Json),
            (r#"{"mode":"NORMAL"} x"#, PollFault::Json),
            (r#"{"mode":"NORMAL"}{"mode":"NORMAL"}"#, PollFault::Json),
            (r#"{"mode":"NORMAL",}"#, PollFault::Json),
            (r"{'mode':'NORMAL'}", PollFault::Json),
            ("\u{feff}{\"mode\":\"NORMAL\"}", PollFault::Json),
            ("{}", PollFault::Mode),
            (r#"{"Mode":"NORMAL"}"#, PollFault::Mode),
            (r#"{"mode":"MAYBE"}"#, PollFault::Mode),
            (r#"{"mode":"normal"}"#, PollFault::Mode),
            (r#"{"mode":"NORMAL "}"#, PollFault::Mode),
            (r#"{"mode":""}"#, PollFault::Mode),
            (r#"{"mode":null}"#, PollFault::Mode),
            (r#"{"mode":true}"#, PollFault::Mode),
            (r#"{"mode":["NORMAL"]}"#, PollFault::Mode),
            (r#"{"mode":"NORMAL","mode":"GAMING"}"#, PollFault::Mode),
            (r#"{"mode":"NORMAL","mode":"NORMAL"}"#, PollFault::Mode),
            (r#"{"mode":"NORMAL","available":"false"}"#, PollFault::Available),
            (r#"{"mode":"NORMAL","available":null}"#, PollFault::Available),
            (r#"{"mode":"NORMAL","available":0}"#, PollFault::Available),
            (r#"{"mode":"NORMAL","available":false,"available":true}"#, PollFault::Available),
        ] {
            assert_eq!(parse(body.as_bytes()), Err(fault), "{body}");
        }
        assert_eq!(parse(b"{\"mode\":\"NORMAL\",\"x\":\"\xff\"}"), Err(PollFault::Json));
    }

    #[test]
    fn size_and_depth_are_bounded() {
        let padded = |size: usize| format!("{{\"mode\":\"NORMAL\"{}}}", " ".repeat(size - 17));
        assert!(parse(padded(ANSWER_LIMIT).as_bytes()).is_ok());
        assert_eq!(parse(padded(ANSWER_LIMIT + 1).as_bytes()), Err(PollFault::TooLarge));
        let deep = format!("{{\"x\":{}{},\"mode\":\"NORMAL\"}}", "[".repeat(20_000), "]".repeat(20_000));
        assert_eq!(parse(deep.as_bytes()), Err(PollFault::Json));
    }
}
