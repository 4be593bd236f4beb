//! From bytes to a tree of nodes that know their lines: bounded in size, depth and alias expansion.
//!
//! No serde here: its YAML readers stop at the first mistake and lose the lines, and a person who edits a file
//! wants all mistakes, each with its line, at once.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::scalar;

/// Largest file that is read, in bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting of lists and maps.
const MAX_DEPTH: usize = 64;
/// Most nodes, aliases written out.
const MAX_NODES: usize = 100_000;
/// Most bytes of text, aliases written out.
const MAX_TEXT: usize = 8 << 20;

/// A value and the line it stands on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    /// From 1; a list's or map's is the line of its key, where a reader of the file looks for it.
    pub(super) line: usize,
}

/// The core schema's values. Maps keep their order and duplicate keys: the typed reader reports those.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Whole(i128),
    /// A number that is not whole, as it is written.
    Float(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A map's key, always text, whatever it looks like.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) line: usize,
}

/// Why there is no tree. Only the first such mistake is known: what comes after it cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) line: usize,
    pub(super) problem: String,
    pub(super) help: String,
}

impl Unreadable {
    fn new(line: usize, problem: impl Into<String>, help: &str) -> Self {
        Self { line: line.max(1), problem: problem.into(), help: help.into() }
    }
}

/// The tree of a file's only document.
pub(super) fn parse(bytes: &[u8]) -> Result<Node, Unreadable> {
    let text = readable(bytes)?;
    // The scanner sees what is missing at the end one line further down.
    let last = lines(text);
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| syntax(&error, last))?;
        builder.on(event, span.start.line().min(last))?;
    }
    builder.root.ok_or_else(|| Unreadable::new(1, "the file is empty", "start from the shipped one in conf/"))
}

/// How many lines there are, as YAML counts them: a CR alone ends one too.
fn lines(text: &str) -> usize {
    1 + text.replace("\r\n", "\n").matches(['\n', '\r']).count()
}

/// The bytes as text without control characters (the parser takes a NUL for the end of the file).
fn readable(bytes: &[u8]) -> Result<&str, Unreadable> {
    if bytes.len() > MAX_BYTES {
        return Err(Unreadable::new(1, "the file is larger than 1 MiB", "is it the right file?"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = line_of(bytes, error.valid_up_to());
        Unreadable::new(line, "is not UTF-8 text", "save the file as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.find(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) {
        Some(at) => {
            let line = line_of(text.as_bytes(), at);
            Err(Unreadable::new(line, "a control character stands here", "remove it; is it a text file?"))
        }
        None => Ok(text),
    }
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    1 + bytes.iter().take(at).filter(|byte| **byte == b'\n').count()
}

fn syntax(error: &ScanError, last: usize) -> Unreadable {
    let line = error.marker().line().min(last);
    // The scanner has a limit of its own, beyond ours, and may look ahead that far.
    if error.info() == "recursion limit exceeded" {
        return too_deep(line);
    }
    let column = error.marker().col() + 1;
    let what = error.info().replace(char::is_control, " ");
    let problem = format!("is not YAML: {what} at column {column}");
    Unreadable::new(line, problem, "look at the indentation, quotes and brackets here")
}

fn too_deep(line: usize) -> Unreadable {
    Unreadable::new(line, format!("nested deeper than {MAX_DEPTH} levels"), "no key needs that")
}

/// Builds the tree from the parser's events.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    text: usize,
}

/// A list or map whose end has not come yet.
struct Open {
    line: usize,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map(Vec<(Key, Node)>, Option<Key>),
}

impl Builder {
    fn on(&mut self, event: Event<'_>, line: usize) -> Result<(), Unreadable> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err(Unreadable::new(
                line,
                "a second document begins here",
                "one document a file: remove the `---`",
            )),
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar_value(&text, style, tag.as_deref(), line)?;
                self.scalar(Node { value, line }, &text, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(line, anchor, tag.as_deref(), Items::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(line, anchor, tag.as_deref(), Items::Map(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => self.alias(anchor, line),
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, node: Node, text: &str, anchor: usize) -> Result<(), Unreadable> {
        if let Some(Open { items: Items::Map(_, key @ None), .. }) = self.open.last_mut() {
            *key = Some(map_key(text, &node)?);
            return self.charge(1, text.len(), node.line);
        }
        self.charge(1, text.len(), node.line)?;
        self.place(node, anchor)
    }

    fn begin(
        &mut self,
        line: usize,
        anchor: usize,
        tag: Option<&Tag>,
        items: Items,
    ) -> Result<(), Unreadable> {
        core_tag(tag, line)?;
        if let Some(Open { items: Items::Map(_, None), .. }) = self.open.last() {
            return Err(Unreadable::new(line, "a list or map as a key", "keys are plain words"));
        }
        self.depth(1, line)?;
        self.charge(1, 0, line)?;
        self.open.push(Open { line, anchor, items });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Unreadable> {
        let Some(Open { line, anchor, items }) = self.open.pop() else { return Ok(()) };
        let value = match items {
            Items::List(nodes) => Value::List(nodes),
            Items::Map(entries, _) => Value::Map(entries),
        };
        self.place(Node { value, line }, anchor)
    }

    /// Writes an anchor's value out once more.
    fn alias(&mut self, anchor: usize, line: usize) -> Result<(), Unreadable> {
        if let Some(Open { items: Items::Map(_, None), .. }) = self.open.last() {
            return Err(Unreadable::new(line, "an alias as a key", "keys are plain words"));
        }
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Unreadable::new(line, "an alias inside its own anchor", "write the value out"));
        };
        let (size, node) = (Size::of(node), Node { line, ..node.clone() });
        self.depth(size.depth, line)?;
        self.charge(size.nodes, size.text, line)?;
        self.place(node, 0)
    }

    /// Puts a whole node where it belongs, and keeps it if an alias may ask for it.
    fn place(&mut self, mut node: Node, anchor: usize) -> Result<(), Unreadable> {
        if anchor > 0 {
            // What an anchor holds is a copy too, and counts like one.
            let size = Size::of(&node);
            self.charge(size.nodes, size.text, node.line)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.items) {
            None => self.root = Some(node),
            Some(Items::List(nodes)) => nodes.push(node),
            Some(Items::Map(entries, key)) => {
                let Some(key) = key.take() else { return Ok(()) };
                if matches!(node.value, Value::Null | Value::List(_) | Value::Map(_)) {
                    node.line = key.line;
                }
                entries.push((key, node));
            }
        }
        Ok(())
    }

    fn depth(&self, more: usize, line: usize) -> Result<(), Unreadable> {
        if self.open.len() + more <= MAX_DEPTH {
            return Ok(());
        }
        Err(too_deep(line))
    }

    fn charge(&mut self, nodes: usize, text: usize, line: usize) -> Result<(), Unreadable> {
        self.nodes += nodes;
        self.text += text;
        if self.nodes <= MAX_NODES && self.text <= MAX_TEXT {
            return Ok(());
        }
        let problem = format!("more than {MAX_NODES} values or 8 MiB of text once aliases are written out");
        Err(Unreadable::new(line, problem, "use fewer or smaller aliases"))
    }
}

/// What a node weighs against the limits.
struct Size {
    nodes: usize,
    text: usize,
    depth: usize,
}

impl Size {
    fn of(node: &Node) -> Self {
        match &node.value {
            Value::Float(text) | Value::Text(text) => Self { nodes: 1, text: text.len(), depth: 0 },
            Value::List(nodes) => Self::around(nodes.iter(), 0),
            Value::Map(entries) => {
                let keys = entries.iter().map(|(key, _)| key.text.len()).sum();
                Self::around(entries.iter().map(|(_, node)| node), keys)
            }
            _ => Self { nodes: 1, text: 0, depth: 0 },
        }
    }

    fn around<'a>(nodes: impl Iterator<Item = &'a Node>, text: usize) -> Self {
        nodes.map(Self::of).fold(Self { nodes: 1, text, depth: 1 }, |all, one| Self {
            nodes: all.nodes + one.nodes,
            text: all.text + one.text,
            depth: all.depth.max(one.depth + 1),
        })
    }
}

fn scalar_value(text: &str, style: ScalarStyle, tag: Option<&Tag>, line: usize) -> Result<Value, Unreadable> {
    core_tag(tag, line)?;
    let plain = style == ScalarStyle::Plain && tag.is_none_or(|tag| tag.suffix != "str");
    Ok(if plain { scalar::plain(text) } else { Value::Text(text.to_owned()) })
}

fn map_key(text: &str, node: &Node) -> Result<Key, Unreadable> {
    // Only written plainly is it YAML 1.1's merge key; quoted it is a name like any other.
    if text == "<<" && matches!(node.value, Value::Text(_)) {
        return Err(Unreadable::new(node.line, "merge keys (`<<`) are not read", "write the keys out"));
    }
    Ok(Key { text: text.to_owned(), line: node.line })
}

/// Only the tags that the core schema has, which say nothing that the reader does not check itself.
fn core_tag(tag: Option<&Tag>, line: usize) -> Result<(), Unreadable> {
    const CORE: [&str; 7] = ["str", "int", "float", "bool", "null", "seq", "map"];
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && CORE.contains(&tag.suffix.as_str())) => {
            let name = super::problem::quoted(&tag.to_string());
            Err(Unreadable::new(line, format!("the tag {name} is not read"), "remove it"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
