//! The JSON scanner: grammar, depth, offsets.

use super::*;

fn skipped(document: &str) -> Result<(), Fault> {
    let mut cursor = Cursor::new(document);
    cursor.skip(&mut ()).and_then(|()| cursor.end())
}

#[test]
fn a_run_ends_at_the_first_byte_that_a_string_cannot_hold() {
    for length in 0..100 {
        for stop in [b'"', b'\\', 0x00, 0x1f] {
            let mut bytes = vec![b'x'; length];
            assert_eq!(plain_run(&bytes), length);
            bytes.push(stop);
            bytes.extend(*b"more \" text");
            assert_eq!(plain_run(&bytes), length, "{stop}");
        }
    }
    assert_eq!(plain_run("\u{7f}\u{80}é日😀 ".as_bytes()), "\u{7f}\u{80}é日😀 ".len());
}

#[test]
fn every_escape_stands_for_its_unit() {
    let units = [
        (r#""\"""#, 0x22),
        (r#""\\""#, 0x5c),
        (r#""\/""#, 0x2f),
        (r#""\b""#, 8),
        (r#""\f""#, 12),
        (r#""\n""#, 10),
        (r#""\r""#, 13),
        (r#""\t""#, 9),
        (r#""\u00E9""#, 0xe9),
        (r#""\uD83d""#, 0xd83d),
        (r#""\uffff""#, 0xffff),
    ];
    for (string, unit) in units {
        let mut cursor = Cursor { at: 1, ..Cursor::new(string) };
        assert_eq!(cursor.escape(), Ok(unit), "{string}");
        assert_eq!(cursor.offset(), string.len() - 1, "{string}");
    }
}

#[test]
fn numbers_are_given_as_they_are_written() {
    for number in ["0", "-0", "10", "-1.50", "1e9", "1E+09", "0.0e-0", "123456789012345678901234567890"] {
        assert_eq!(Cursor::new(number).number(), Ok(number));
    }
}

#[test]
fn numbers_that_are_none() {
    for number in ["-x", "1.x", "1.e5", "1ex", "1e+x", "-.5"] {
        assert_eq!(Cursor::new(number).number(), Err(Fault::syntax(0, Syntax::Number)), "{number}");
    }
    for number in ["-", "1.", "1e", "1e-"] {
        assert_eq!(
            Cursor::new(number).number(),
            Err(Fault::syntax(number.len(), Syntax::Unfinished)),
            "{number}"
        );
    }
}

#[test]
fn brackets_must_agree() {
    assert_eq!(skipped(r#"[{"a":[[],{}]},[1,{"b":2}]]"#), Ok(()));
    assert_eq!(skipped(r#"{"a":[}"#), Err(Fault::syntax(6, Syntax::Expected("a value"))));
    assert_eq!(skipped(r#"{"a":[1}"#), Err(Fault::syntax(7, Syntax::Expected("`,` or `]`"))));
    assert_eq!(skipped(r#"[{"a":1]"#), Err(Fault::syntax(7, Syntax::Expected("`,` or `}`"))));
    assert_eq!(skipped("[1] ]"), Err(Fault::syntax(4, Syntax::TrailingData)));
    assert_eq!(skipped("{,}"), Err(Fault::syntax(1, Syntax::Expected("a key in double quotes"))));
    assert_eq!(skipped("[,1]"), Err(Fault::syntax(1, Syntax::Expected("a value"))));
}

#[test]
fn a_level_left_may_be_entered_again() {
    let deep = format!("{}{}", "[".repeat(127), "]".repeat(127));
    assert_eq!(skipped(&format!("[{deep},{deep}]")), Ok(()));
    assert_eq!(skipped(&format!("[{deep},[{deep}]]")), Err(Fault::syntax(256 + 127, Syntax::TooDeep)));
}
