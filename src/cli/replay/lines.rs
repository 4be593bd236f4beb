//! The lines of a file of any size, with their numbers, and on a terminal how far it is.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

/// A file that is read line by line.
pub struct Lines {
    reader: BufReader<Box<dyn Read>>,
    name: String,
    number: u64,
    read: u64,
    /// Bytes there are, where that is known.
    size: Option<u64>,
    /// When it was last told how far it is; `None` where nobody looks.
    told: Option<Instant>,
    /// Whether the terminal's line has to be cleared.
    dirty: bool,
}

impl Lines {
    /// Opens a file, `-` for standard input.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let (source, size): (Box<dyn Read>, _) = if path == Path::new("-") {
            (Box::new(io::stdin()), None)
        } else {
            let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
            let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
            (Box::new(file), size)
        };
        let told = io::stderr().is_terminal().then(Instant::now);
        Ok(Self { reader: BufReader::new(source), name, number: 0, read: 0, size, told, dirty: false })
    }

    /// The next line and its number, from 1; one that is too long is cut, and so is no JSON.
    ///
    /// # Errors
    /// When the file cannot be read any further.
    pub fn next(&mut self) -> anyhow::Result<Option<(u64, Vec<u8>)>> {
        let mut line = Vec::new();
        let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        let mut read = read.with_context(|| format!("cannot read {}", self.name))?;
        if read == 0 {
            self.clear();
            return Ok(None);
        }
        if !line.ends_with(b"\n") {
            read += self.reader.skip_until(b'\n').with_context(|| format!("cannot read {}", self.name))?;
        }
        self.number += 1;
        self.read += u64::try_from(read).unwrap_or(u64::MAX);
        self.tell();
        Ok(Some((self.number, line)))
    }

    /// Says something of a line.
    pub fn say(&mut self, what: &dyn Display) {
        self.clear();
        crate::cli::complain(what);
    }

    fn tell(&mut self) {
        let Some(told) = self.told.filter(|told| told.elapsed() >= STEP) else { return };
        self.told = Some(told + told.elapsed());
        self.dirty = true;
        let done = match self.size {
            Some(size @ 1..) => format!("{} %", self.read.saturating_mul(100) / size),
            _ => format!("{} lines", self.number),
        };
        let _ = write!(io::stderr().lock(), "\r{CLEAR}{}: {done}", self.name); // nobody to tell, then
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.dirty) {
            let _ = write!(io::stderr().lock(), "\r{CLEAR}");
        }
    }
}

/// Bytes of a line; a record is one or two thousand.
const LONGEST: u64 = 1 << 20;
/// Between two words of how far it is.
const STEP: Duration = Duration::from_millis(200);
/// Empties the terminal's line from here on.
const CLEAR: &str = "\u{1b}[K";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_their_numbers_whatever_they_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let long = "x".repeat(3 << 20);
        std::fs::write(&path, format!("one\n\n{long}\nlast")).unwrap();
        let mut lines = Lines::open(&path).unwrap();
        let mut seen = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            seen.push((number, line.len()));
        }
        assert_eq!(seen, [(1, 4), (2, 1), (3, 1 << 20), (4, 4)]);
        assert_eq!(lines.read, u64::try_from(long.len()).unwrap() + 10);
        assert!(Lines::open(&folder.path().join("nowhere")).is_err());
    }
}
