//! Columns for a terminal: as wide as their widest cell, apart by two blanks.

/// The rows as lines, each indented. Control characters, which a client may have put into a name, are
/// shown as `?`.
pub fn table<const N: usize>(indent: &str, rows: &[[String; N]]) -> String {
    let mut out = String::new();
    for row in rows {
        let mut line = String::from(indent);
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
            let (shown, width) = (printable(cell), width.unwrap_or(0));
            line.push_str(&format!("{shown:<width$}  "));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
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
        assert_eq!(table::<2>("  ", &[]), "");
    }
}
