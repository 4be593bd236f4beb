//! PowerShell source as the checks see it: a syntax tree, and what Windows PowerShell 5.1 would refuse in it.

use tree_sitter::{Node, Parser, Tree};

/// Nodes that only PowerShell 7 has.
const NEWER: [&str; 3] = ["ternary_expression", "null_coalesce_expression", "pipeline_chain_tail"];
/// Words that cannot begin a command: where they stand as one, something before them is broken.
const STRAY: [&str; 10] =
    ["else", "elseif", "catch", "finally", "param", "=", "until", "process", "begin", "end"];
/// What may stand before the colon of a variable in a string.
const SCOPES: [&str; 8] = ["env", "script", "global", "local", "private", "using", "variable", "function"];

/// One parsed file.
pub struct Script<'s> {
    text: &'s str,
    tree: Tree,
}

impl<'s> Script<'s> {
    /// Parses it; what cannot be parsed is among the faults.
    pub fn of(text: &'s str) -> Self {
        let mut parser = Parser::new();
        parser.set_language(&tree_sitter_pwsh::LANGUAGE.into()).expect("the grammar fits the parser");
        let tree = parser.parse(text, None).expect("no time limit is set");
        Self { text, tree }
    }

    /// What is wrong, each with its line.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(line) = self.text.lines().position(|line| !line.is_ascii()) {
            faults.push(format!("{}: not ASCII: 5.1 reads it as ANSI", line + 1));
        }
        for node in self.nodes() {
            if let Some(what) = self.fault(node) {
                faults.push(format!("{}: {what}", node.start_position().row + 1));
            }
        }
        faults
    }

    fn fault(&self, node: Node<'_>) -> Option<&'static str> {
        let text = self.of_node(node);
        match node.kind() {
            _ if node.is_error() || node.is_missing() => Some("syntax"),
            kind if NEWER.contains(&kind) || ["&&", "||", "??="].contains(&kind) => {
                Some("needs PowerShell 7")
            }
            "try_statement" if !has_any(node, &["catch_clauses", "finally_clause"]) => {
                Some("try without catch or finally")
            }
            "file_redirection_operator" if text == "<" => Some("`<` is reserved: -lt"),
            "command_name" if STRAY.contains(&text.to_lowercase().as_str()) => Some("a stray keyword"),
            "left_assignment_expression"
                if text.starts_with(|c: char| c.is_ascii_digit() || "'\"".contains(c)) =>
            {
                Some("assigns to a literal")
            }
            "expandable_string_literal" | "expandable_here_string_literal" if has_drive(text) => {
                Some("`$name:` in a string is a drive: ${name}:")
            }
            _ => None,
        }
    }

    /// The names of the functions that it defines.
    pub fn functions(&self) -> Vec<(&str, Vec<&str>)> {
        let statements = self.nodes().into_iter().filter(|node| node.kind() == "function_statement");
        statements
            .map(|node| {
                let name = child(node, "function_name").map_or("", |name| self.of_node(name));
                let block = child(node, "script_block").and_then(|block| child(block, "param_block"));
                (name, block.map_or_else(Vec::new, |block| self.parameters_of(block)))
            })
            .collect()
    }

    /// The names of its own parameters.
    pub fn parameters(&self) -> Vec<&str> {
        child(self.tree.root_node(), "param_block").map_or_else(Vec::new, |block| self.parameters_of(block))
    }

    fn parameters_of(&self, block: Node<'_>) -> Vec<&str> {
        let parameters = descend(block).into_iter().filter(|node| node.kind() == "script_parameter");
        parameters
            .filter_map(|node| Some(self.of_node(child(node, "variable")?).trim_start_matches('$')))
            .collect()
    }

    /// Every bracket of the code, strings and comments left out: where it is, and which.
    pub fn brackets(&self) -> Vec<(usize, &str)> {
        let is =
            |node: &Node<'_>| ["(", ")", "{", "}"].contains(&node.kind()) && node.byte_range().len() == 1;
        self.nodes().into_iter().filter(is).map(|node| (node.start_byte(), self.of_node(node))).collect()
    }

    fn nodes(&self) -> Vec<Node<'_>> {
        descend(self.tree.root_node())
    }

    fn of_node(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }
}

/// A node and all below it.
fn descend(root: Node<'_>) -> Vec<Node<'_>> {
    let (mut open, mut all) = (vec![root], Vec::new());
    while let Some(node) = open.pop() {
        let mut cursor = node.walk();
        open.extend(node.children(&mut cursor));
        all.push(node);
    }
    all
}

fn child<'t>(node: Node<'t>, kind: &str) -> Option<Node<'t>> {
    let mut cursor = node.walk();
    node.children(&mut cursor).find(|child| child.kind() == kind)
}

fn has_any(node: Node<'_>, kinds: &[&str]) -> bool {
    kinds.iter().any(|kind| child(node, kind).is_some())
}

/// Whether a string holds `$name:` that PowerShell would take for a drive.
fn has_drive(text: &str) -> bool {
    let mut before = None;
    text.split('$').any(|piece| {
        let escaped = before.replace(piece).is_none_or(|before| before.ends_with('`'));
        let end = piece.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(piece.len());
        let (name, rest) = piece.split_at(end);
        let scope = SCOPES.contains(&name.to_lowercase().as_str());
        !escaped && rest.starts_with(':') && !name.is_empty() && !scope
    })
}
