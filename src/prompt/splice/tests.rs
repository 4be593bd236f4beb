//! The forwarded body.

use std::borrow::Cow;

use bytes::Bytes;

use super::{LONG, apply, quoted};

#[test]
fn a_name_is_quoted() {
    assert_eq!(quoted("qwen3"), r#""qwen3""#);
    assert_eq!(quoted("a\"b\\c\n\u{1f}é😀\u{7f}"), "\"a\\\"b\\\\c\\u000a\\u001fé😀\u{7f}\"");
}

/// Long stretches are shared, and what is between them is one piece.
#[test]
fn what_is_long_is_not_copied() {
    let text = "a".repeat(LONG);
    let body = Bytes::from(format!(r#"{{"prompt":"{text}#x # #x{text}","model":"auto"}}"#));
    let at = |text: &[u8]| body.windows(text.len()).position(|window| window == text).unwrap();
    let (tags, model) = (at(b"#x"), at(br#""auto""#));
    let edits = [
        (tags..tags + 2, Cow::Borrowed("")),
        (tags + 5..tags + 7, Cow::Borrowed("")),
        (model..model + 6, Cow::Borrowed(r#""big""#)),
    ];
    let forwarded = apply(&body, &edits);
    let wanted = format!(r#"{{"prompt":"{text} # {text}","model":"big"}}"#);
    assert_eq!(forwarded.whole(), wanted);
    assert_eq!(forwarded.len(), wanted.len());
    let [first, between, second, last] = forwarded.pieces() else { panic!("{:?}", forwarded.pieces().len()) };
    assert_eq!((first.as_ptr(), second.as_ptr()), (body.as_ptr(), body[tags + 7..].as_ptr()));
    assert_eq!((&between[..], &last[..]), (&b" # "[..], &br#""big"}"#[..]));
}

#[test]
fn what_is_short_is_one_piece() {
    let forwarded = apply(&Bytes::from_static(b"abc"), &[(1..2, "--".into())]);
    assert_eq!(forwarded.pieces(), ["a--c"]);
    assert!(apply(&Bytes::new(), &[]).is_empty());
}
