//! What a simulated model answers: an honest sentence that says who speaks and what it heard.

use serde_json::Value;

use super::heard::Heard;
use super::tokens;

/// Words of the user's that are said back at most.
const QUOTED: usize = 8;

/// An answer, before it has the shape of any API.
#[derive(Debug)]
pub(super) struct Reply<'a> {
    /// Hexadecimal, unlike any other answer's.
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) created: u64,
    /// The name it answers to.
    pub(super) model: &'a str,
    /// Word by word, each with the space before it.
    pub(super) words: Vec<String>,
    /// Whether the words end because no more were asked for.
    pub(super) cut: bool,
    /// Tokens of the prompt.
    pub(super) prompt_tokens: usize,
    /// The output limit that was asked for.
    pub(super) max_tokens: Option<u64>,
}

impl<'a> Reply<'a> {
    /// The answer of `model` to what it heard; a word counts as a token of the output.
    pub(super) fn new(
        model: &'a str,
        heard: &Heard,
        max_tokens: Option<u64>,
        serial: u64,
        created: u64,
    ) -> Self {
        let sentence = sentence(model, &heard.said);
        let mut words: Vec<String> = tokens::words(&sentence).map(str::to_owned).collect();
        let room = max_tokens.and_then(|tokens| usize::try_from(tokens).ok()).unwrap_or(usize::MAX).max(1);
        let cut = words.len() > room;
        words.truncate(room);
        let id = format!("{:016x}", mixed(serial));
        Self { id, created, model, words, cut, prompt_tokens: heard.tokens(), max_tokens }
    }

    /// All words.
    pub(super) fn text(&self) -> String {
        self.words.concat()
    }

    /// Tokens of prompt and answer.
    pub(super) const fn total_tokens(&self) -> usize {
        self.prompt_tokens + self.words.len()
    }
}

/// The output limit in a body, under any of its names.
pub(super) fn max_tokens(body: &Value) -> Option<(&'static str, u64)> {
    ["max_completion_tokens", "max_tokens", "max_output_tokens"]
        .into_iter()
        .find_map(|name| body.get(name).and_then(Value::as_u64).map(|limit| (name, limit)))
}

fn sentence(model: &str, said: &str) -> String {
    let words: Vec<&str> = said.split_whitespace().collect();
    let quoted = words.iter().take(QUOTED).copied().collect::<Vec<_>>().join(" ");
    match words.len() {
        0 => format!("I am the simulated {model}; you said nothing."),
        1 => format!("I am the simulated {model}; you said one word: \"{quoted}\""),
        count if count <= QUOTED => {
            format!("I am the simulated {model}; you said {count} words: \"{quoted}\"")
        }
        count => format!("I am the simulated {model}; you said {count} words, beginning with \"{quoted} …\""),
    }
}

/// Spreads neighbouring numbers over all of them (the finalizer of splitmix64): identifiers that look like some.
const fn mixed(serial: u64) -> u64 {
    let mut z = serial.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(said: &str, max_tokens: Option<u64>) -> Reply<'static> {
        let heard = Heard { said: said.to_owned(), prompt: format!("user: {said}\n") };
        Reply::new("tiny", &heard, max_tokens, 1, 2)
    }

    #[test]
    fn it_says_who_it_is_and_what_it_heard() {
        assert_eq!(reply("", None).text(), "I am the simulated tiny; you said nothing.");
        assert_eq!(reply("Hi", None).text(), "I am the simulated tiny; you said one word: \"Hi\"");
        assert_eq!(
            reply("Hi  there", None).text(),
            "I am the simulated tiny; you said 2 words: \"Hi there\""
        );
        let long = reply("one two three four five six seven eight nine", None).text();
        assert!(
            long.ends_with("you said 9 words, beginning with \"one two three four five six seven eight …\""),
            "{long}"
        );
    }

    #[test]
    fn an_output_limit_cuts_it() {
        let short = reply("Hi", Some(3));
        assert_eq!((short.text().as_str(), short.cut), ("I am the", true));
        assert_eq!(short.total_tokens(), short.prompt_tokens + 3);
        assert!(!reply("Hi", Some(1000)).cut);
    }

    #[test]
    fn the_limit_goes_by_three_names() {
        assert_eq!(max_tokens(&json!({"max_tokens": 5})), Some(("max_tokens", 5)));
        assert_eq!(max_tokens(&json!({"max_output_tokens": 6})), Some(("max_output_tokens", 6)));
        assert_eq!(
            max_tokens(&json!({"max_tokens": 5, "max_completion_tokens": 7})),
            Some(("max_completion_tokens", 7))
        );
        assert_eq!(max_tokens(&json!({"max_tokens": null})), None);
    }

    #[test]
    fn identifiers_differ() {
        assert_ne!(mixed(1), mixed(2));
    }
}
