//! Tests of how values are written.

use proptest::prelude::*;

use super::*;

#[test]
fn plain_words_are_what_the_core_schema_says() {
    for text in ["", "~", "null", "NULL"] {
        assert_eq!(plain(text), Value::Null, "{text}");
    }
    for (text, number) in [("0", 0), ("-7", -7), ("+7", 7), ("0o17", 15), ("0xfF", 255), ("007", 7)] {
        assert_eq!(plain(text), Value::Whole(number), "{text}");
    }
    for text in ["1.5", ".5", "1e3", "-.inf", ".NaN"] {
        assert_eq!(plain(text), Value::Float(text.into()), "{text}");
    }
    for text in ["yes", "on", "inf", "nan", "0x", "0x-1", "1_000", "1.2.3", "5m", "-", "é"] {
        assert_eq!(plain(text), Value::Text(text.into()), "{text}");
    }
}

#[test]
fn quantities_have_digits_and_a_unit() {
    assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
    assert_eq!(duration("1d"), Some(Duration::from_secs(86_400)));
    assert_eq!(size("1TiB"), Some(1 << 40));
    for text in ["", "5", "s", "5 s", "5S", "1.5s", "-5s", "5sec", "+5s"] {
        assert_eq!(duration(text), None, "{text}");
    }
    for text in ["5", "5KB", "5kib", "5B", "KiB"] {
        assert_eq!(size(text), None, "{text}");
    }
    assert_eq!(size("99999999999999999999999KiB"), Some(u64::MAX));
}

proptest! {
    #[test]
    fn what_is_shown_is_read_again(millis in 0u64..1 << 40, bytes in 0u64..1 << 30) {
        let span = Duration::from_millis(millis);
        prop_assert_eq!(duration(&show_duration(span)), Some(span));
        let bytes = bytes << 10;
        prop_assume!(bytes > 0);
        prop_assert_eq!(size(&show_size(bytes)), Some(bytes));
    }
}
