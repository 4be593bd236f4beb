//! Rust source as the layer rules see it: comments and literals blanked, test code left out, paths spelled out.

/// One path that the code names, such as `std::fs::read`; a `use` group gives one path an entry.
/// A method call is a path of one segment with a dot before it: `.elapsed`.
#[derive(Debug, PartialEq, Eq)]
pub struct Path {
    /// Where it begins, counted from 1.
    pub line: usize,
    /// `crate::{a::B, c}` is `[crate, a, B]` and `[crate, c]`.
    pub segments: Vec<String>,
}

/// What is left of a file when its test code is taken out.
pub struct Code {
    /// The code, as long as the source, line for line.
    pub text: String,
    /// Names `x` of each `#[cfg(test)] mod x;`.
    pub test_modules: Vec<String>,
}

impl Code {
    /// Reads a whole source file.
    pub fn of(source: &str) -> Self {
        let mut code = Self { text: blank(source), test_modules: Vec::new() };
        while let Some(at) = code.text.find(CFG_TEST) {
            code.take_out_item(at);
        }
        code
    }

    /// Blanks the item whose attribute begins at `at`.
    fn take_out_item(&mut self, at: usize) {
        let end = item_end(&self.text, at);
        if let Some(name) = self.text.get(at..end).and_then(declared_module) {
            self.test_modules.push(name.to_owned());
        }
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        fill(&mut bytes[at..end]);
        self.text = String::from_utf8_lossy(&bytes).into_owned();
    }

    /// Every path that the code names, in order.
    pub fn paths(&self) -> Vec<Path> {
        let tokens = tokens(&self.text);
        let mut found = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            at = if is_name(word(&tokens, at)) { read_chain(&tokens, at, &mut found) } else { at + 1 };
        }
        found
    }
}

const CFG_TEST: &str = "#[cfg(test)]";

/// Where the item that begins with the attribute at `at` ends: behind its `;` or its closing brace.
fn item_end(text: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, byte) in text.bytes().enumerate().skip(at) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return offset + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return offset + 1,
            _ => {}
        }
    }
    text.len()
}

/// `x` of an item that ends in `mod x;`.
fn declared_module(item: &str) -> Option<&str> {
    let (_, name) = item.strip_suffix(';')?.rsplit_once("mod ")?;
    is_name(name).then_some(name)
}

/// The source with every comment, string and character literal turned into blanks; line breaks stay.
fn blank(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut text = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        fill(&mut text[at..end]);
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn fill(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

/// The end of the comment or literal that begins at `at`; `at` itself when none does.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => at + block_comment(rest),
        [b'"', ..] => at + quoted(rest, b'"'),
        [b'\'', ..] => at + character(rest),
        [b'r' | b'b' | b'c', ..] if at == 0 || !is_name_byte(bytes[at - 1]) => at + prefixed(rest),
        _ => at,
    }
}

/// Length of a block comment; they nest.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of a literal in these quotes, with its escapes.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of a character literal; 0 for a lifetime.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return quoted(rest, b'\'');
    }
    let continued = rest.iter().skip(2).take_while(|byte| **byte & 0xC0 == 0x80).count();
    if rest.get(2 + continued) == Some(&b'\'') { 3 + continued } else { 0 }
}

/// Length of a literal with a prefix (`b"`, `c"`, `b'`, `r"`, `br##"`); 0 when it is a name.
fn prefixed(rest: &[u8]) -> usize {
    let letters = rest.iter().take(2).take_while(|byte| matches!(byte, b'r' | b'b' | b'c')).count();
    let hashes = rest[letters..].iter().take_while(|byte| **byte == b'#').count();
    let (raw, start) = (rest[..letters].ends_with(b"r"), letters + hashes);
    match rest.get(start) {
        Some(b'"') if raw => start + raw_string(&rest[start..], hashes),
        Some(b'"') if hashes == 0 => start + quoted(&rest[start..], b'"'),
        Some(b'\'') if !raw && hashes == 0 => start + quoted(&rest[start..], b'\''),
        _ => 0,
    }
}

/// Length of a raw string from its opening quote on, closed by a quote and this many hashes.
fn raw_string(rest: &[u8], hashes: usize) -> usize {
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let inside = rest[1..].windows(close.len()).position(|window| window == close);
    inside.map_or(rest.len(), |length| 1 + length + close.len())
}

struct Token<'a> {
    line: usize,
    text: &'a str,
}

/// Names, `::`, and every other visible byte on its own.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let (mut found, mut line, mut at) = (Vec::new(), 1, 0);
    while at < bytes.len() {
        let length = token_length(&bytes[at..]);
        match text.get(at..at + length) {
            Some("\n") => line += 1,
            Some(word) if !word.trim().is_empty() => found.push(Token { line, text: word }),
            _ => {}
        }
        at += length;
    }
    found
}

fn token_length(rest: &[u8]) -> usize {
    match rest {
        [b':', b':', ..] => 2,
        _ => rest.iter().take_while(|byte| is_name_byte(**byte)).count().max(1),
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_name(word: &str) -> bool {
    word.bytes().all(is_name_byte) && word.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

/// The token's text; empty behind the last one.
fn word<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

/// Reads what begins with the name at `at`: a method call, a field or a path. Gives what comes behind it.
fn read_chain(tokens: &[Token<'_>], at: usize, found: &mut Vec<Path>) -> usize {
    if at == 0 || word(tokens, at - 1) != "." {
        return read_path(tokens, at, &[], found);
    }
    if matches!(word(tokens, at + 1), "(" | "::") {
        found.push(Path { line: tokens[at].line, segments: vec![format!(".{}", tokens[at].text)] });
    }
    at + 1
}

/// Reads a path, or the part of a `use` tree below `prefix`.
fn read_path(tokens: &[Token<'_>], start: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let mut segments = prefix.to_vec();
    let mut at = start;
    loop {
        if word(tokens, at) == "{" {
            return read_group(tokens, at + 1, &segments, found);
        }
        segments.push(word(tokens, at).to_owned());
        at += 1;
        let next = word(tokens, at + 1);
        if word(tokens, at) != "::" || !(is_name(next) || matches!(next, "*" | "{")) {
            break;
        }
        at += 1;
    }
    found.push(Path { line: tokens[start].line, segments });
    at
}

/// Reads the entries of a group up to its closing brace.
fn read_group(tokens: &[Token<'_>], start: usize, prefix: &[String], found: &mut Vec<Path>) -> usize {
    let mut at = start;
    while at < tokens.len() && word(tokens, at) != "}" {
        at = match word(tokens, at) {
            "," => at + 1,
            "as" => at + 2,
            _ => read_path(tokens, at, prefix, found),
        };
    }
    at + 1
}
