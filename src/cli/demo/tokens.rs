//! A crude tokenizer that needs no vocabulary: a token is a word with the space before it, cut every six bytes.
//!
//! A token's number is its bytes behind a leading 1, so that `/detokenize` gives back exactly what `/tokenize` was given.

/// Bytes in a token at most: with the leading 1 the number stays exact in a JSON double.
const WIDEST: usize = 6;

/// The tokens of a text.
pub(super) fn of(text: &str) -> Vec<u64> {
    words(text).flat_map(|word| word.as_bytes().chunks(WIDEST)).map(number).collect()
}

/// How many tokens a text has.
pub(super) fn count(text: &str) -> usize {
    words(text).map(|word| word.len().div_ceil(WIDEST)).sum()
}

/// The text of tokens; numbers that are none of ours add nothing.
pub(super) fn text(tokens: impl IntoIterator<Item = u64>) -> String {
    let bytes: Vec<u8> = tokens.into_iter().flat_map(bytes).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The words of a text, each with the whitespace before it; together they are the text.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let letters = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        let behind = rest.get(letters..)?;
        let end = letters + behind.find(char::is_whitespace).unwrap_or(behind.len());
        let (word, after) = rest.split_at_checked(end)?;
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(1, |number, &byte| number << 8 | u64::from(byte))
}

fn bytes(token: u64) -> Vec<u8> {
    let mut digits = token.to_be_bytes().into_iter().skip_while(|&byte| byte == 0);
    match digits.next() {
        Some(1) => digits.collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_keep_the_space_before_them() {
        assert_eq!(words("a  bc\nd ").collect::<Vec<_>>(), ["a", "  bc", "\nd", " "]);
        assert_eq!(words("").count(), 0);
    }

    #[test]
    fn long_words_are_several_tokens() {
        assert_eq!(count("what is it"), 3);
        assert_eq!(count("implementation"), 3);
    }

    #[test]
    fn foreign_numbers_add_nothing() {
        assert_eq!(text([0, 7, u64::MAX]), "");
    }

    proptest! {
        #[test]
        fn tokens_give_back_their_text(original in "\\PC{0,40}|[a-z \\n]{0,80}") {
            let tokens = of(&original);
            prop_assert_eq!(tokens.len(), count(&original));
            prop_assert!(tokens.iter().all(|token| *token < 1 << 53));
            prop_assert_eq!(text(tokens), original);
        }
    }
}
