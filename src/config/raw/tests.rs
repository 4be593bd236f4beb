//! Tests of the tree: lines, order, and the copies that aliases make.

use super::*;

fn text(text: &str, line: usize) -> Node {
    Node { value: Value::Text(text.into()), line }
}

fn key(text: &str, line: usize) -> Key {
    Key { text: text.into(), line }
}

#[test]
fn every_node_knows_its_line() {
    let node = parse(b"a:\n  b: x\nc:\n  - y\n  -\n    z\nd:\n").unwrap();
    let Value::Map(entries) = node.value else { panic!("no map") };
    let b = Node { value: Value::Map(vec![(key("b", 2), text("x", 2))]), line: 1 };
    let c = Node { value: Value::List(vec![text("y", 4), text("z", 6)]), line: 3 };
    let d = Node { value: Value::Null, line: 7 };
    assert_eq!(entries, [(key("a", 1), b), (key("c", 3), c), (key("d", 7), d)]);
}

#[test]
fn quotes_make_text() {
    let Value::List(nodes) = parse(b"['1', \"true\", 1, true, !!str 2]").unwrap().value else {
        panic!("no list")
    };
    let values: Vec<Value> = nodes.into_iter().map(|node| node.value).collect();
    let text = |text: &str| Value::Text(text.into());
    assert_eq!(values, [text("1"), text("true"), Value::Whole(1), Value::Bool(true), text("2")]);
}

#[test]
fn an_alias_is_its_anchors_value_on_its_own_line() {
    let Value::Map(entries) = parse(b"a: &x 1\nb:\n  - *x\n").unwrap().value else { panic!("no map") };
    let copy = Node { value: Value::Whole(1), line: 3 };
    assert_eq!(entries[1].1.value, Value::List(vec![copy]));
}

#[test]
fn aliases_count_as_deep_as_they_are() {
    let nested = |levels: usize| {
        format!(
            "a: &a {}{}\nb: {}*a{}\n",
            "[".repeat(40),
            "]".repeat(40),
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    assert!(parse(nested(23).as_bytes()).is_ok());
    assert_eq!(parse(nested(24).as_bytes()).unwrap_err().line, 2);
}

#[test]
fn a_byte_order_mark_is_no_text() {
    assert_eq!(parse("\u{feff}x".as_bytes()).unwrap(), text("x", 1));
}

#[test]
fn no_line_is_past_the_files_end() {
    for (broken, line) in [("a:\nb", 2), ("a:\r\nb", 2), ("a:\rb", 2), ("a: [", 1)] {
        assert_eq!(parse(broken.as_bytes()).unwrap_err().line, line, "{broken:?}");
    }
    let Value::Map(entries) = parse(b"? ").unwrap().value else { panic!("no map") };
    assert_eq!(entries[0].0, key("", 1));
}
