//! The forwarded body.

use super::quoted;

#[test]
fn a_name_is_quoted() {
    assert_eq!(quoted("qwen3"), r#""qwen3""#);
    assert_eq!(quoted("a\"b\\c\n\u{1f}é😀\u{7f}"), "\"a\\\"b\\\\c\\u000a\\u001fé😀\u{7f}\"");
}
