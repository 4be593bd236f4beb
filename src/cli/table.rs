//! Columns for a terminal: as wide as their widest cell, apart by two blanks. Colours are written always;
//! the stream that prints them takes them out where nobody would see them.

use anstyle::{AnsiColor, Style};

/// A text and how it looks.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// All is well.
    pub fn good(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: AnsiColor::Green.on_default() }
    }

    /// Worth a look.
    pub fn fair(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: AnsiColor::Yellow.on_default() }
    }

    /// Somebody should mend it.
    pub fn bad(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: AnsiColor::Red.on_default().bold() }
    }
}

impl<S: Into<String>> From<S> for Cell {
    fn from(text: S) -> Self {
        Self { text: text.into(), style: Style::new() }
    }
}

/// A line of its own, above others.
pub fn heading(text: &str) -> String {
    painted(text, Style::new().bold())
}

/// A sentence that says how something ended, as a line.
pub fn sentence(text: &str, well: bool) -> String {
    let colour = if well { AnsiColor::Green } else { AnsiColor::Red };
    painted(printable(text).trim_end(), colour.on_default().bold()) + "\n"
}

/// The rows as lines, each indented. Control characters, which a client may have put into a name, are
/// shown as `?`.
pub fn table<C: Clone + Into<Cell>, const N: usize>(indent: &str, rows: &[[C; N]]) -> String {
    let rows: Vec<[Cell; N]> = rows.iter().map(|row| row.clone().map(Into::into)).collect();
    let width = |column| rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    rows.iter().map(|row| line(indent, row, &widths)).collect()
}

/// Blanks are written before a cell, never after the last one that says something.
fn line(indent: &str, row: &[Cell], widths: &[usize]) -> String {
    let (mut line, mut owed) = (String::new(), indent.len());
    for (cell, width) in row.iter().zip(widths) {
        if !cell.text.is_empty() {
            line.push_str(&" ".repeat(owed));
            line.push_str(&painted(&printable(&cell.text), cell.style));
            owed = 0;
        }
        owed += width - cell.width() + 2;
    }
    line + "\n"
}

impl Cell {
    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

fn painted(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// A text without control characters.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [row(["a", "", "x"]), row(["größer", "2", ""]), row(["b\u{1b}[2J", "", "y"])];
        assert_eq!(table("  ", &rows), "  a          x\n  größer  2\n  b?[2J      y\n");
        assert_eq!(table::<String, 2>("  ", &[]), "");
    }

    #[test]
    fn colours_take_no_room() {
        let rows = [[Cell::good("up"), "1".into()], [Cell::bad("DOWN"), "2".into()]];
        let shown = table("", &rows);
        assert!(shown.contains("\u{1b}[32mup"), "{shown:?}");
        assert_eq!(anstream::adapter::strip_str(&shown).to_string(), "up    1\nDOWN  2\n");
    }
}
