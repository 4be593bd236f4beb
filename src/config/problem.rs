//! What is wrong with a file, and where: the one line a person gets, and the list of all of them.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::{Path, PathBuf};

/// Past this many a file is not worth more lines; it also bounds the work on a hostile one.
const MOST: usize = 1000;

/// Longest piece of the file's own text that a line repeats, in characters.
const QUOTED: usize = 60;

/// One mistake in one file. Shown as `file:line: path: problem (help)`, always on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as its path was given.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: usize,
    /// The place in the document, such as `backends.small.timeouts.connect`; `(file)` for the whole.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub help: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, path, problem, help } = self;
        write!(f, "{}:{line}: {path}: {problem} ({help})", file.display())
    }
}

/// Everything that is wrong, settings first, each file from top to bottom. Shown one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// A problem of a whole file that showed only in use.
    pub fn of(file: &Path, problem: &dyn fmt::Display) -> Self {
        let (path, problem) = ("(file)".to_owned(), problem.to_string());
        Self(vec![Problem {
            file: file.to_owned(),
            line: 1,
            path,
            problem,
            help: "mend it and reload".to_owned(),
        }])
    }

    /// Each of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// How many there are; never 0.
    #[expect(
        clippy::len_without_is_empty,
        reason = "an empty list of problems is no error and is never made"
    )]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Both files' problems as one list.
    pub(super) fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Where the readers of one file put what they find. Shared by reference, so that a reader can go on after a
/// mistake and the caller learns at the end whether there was any.
pub(super) struct Findings {
    file: PathBuf,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    left_out: Cell<usize>,
}

impl Findings {
    pub(super) fn new(file: &Path) -> Self {
        let (problems, warnings) = (RefCell::default(), RefCell::default());
        Self { file: file.to_owned(), problems, warnings, left_out: Cell::new(0) }
    }

    /// A mistake: the file is refused.
    pub(super) fn problem(
        &self,
        line: usize,
        path: &str,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.full() {
            self.left_out.set(self.left_out.get() + 1);
        } else {
            self.problems.borrow_mut().push(self.entry(line, path, problem.into(), help.into()));
        }
    }

    /// Something legal that is hardly meant: the file is taken.
    pub(super) fn warning(
        &self,
        line: usize,
        path: &str,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.warnings.borrow().len() < MOST {
            self.warnings.borrow_mut().push(self.entry(line, path, problem.into(), help.into()));
        }
    }

    /// Whether more would not be listed, so that nobody need look for suggestions.
    pub(super) fn full(&self) -> bool {
        self.problems.borrow().len() >= MOST
    }

    /// The value when nothing was wrong, together with the warnings; otherwise all problems.
    pub(super) fn finish<T>(self, value: T) -> Result<(T, Vec<Problem>), Problems> {
        let mut problems = self.problems.take();
        if problems.is_empty() {
            return Ok((value, sorted(self.warnings.take())));
        }
        problems = sorted(problems);
        if self.left_out.get() > 0 {
            let line = problems.last().map_or(1, |problem| problem.line);
            let more = format!("{} more problems are not listed", self.left_out.get());
            problems.push(Problem {
                file: self.file,
                line,
                path: "(file)".into(),
                problem: more,
                help: "mend these first".into(),
            });
        }
        Err(Problems(problems))
    }

    fn entry(&self, line: usize, path: &str, problem: String, help: String) -> Problem {
        let path = if path.is_empty() { "(file)".into() } else { path.into() };
        Problem { file: self.file.clone(), line, path, problem, help }
    }
}

/// From the top of the file to its bottom; what stands on one line stays in the order of reading.
fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.line);
    problems
}

/// The file's own text in a message: quoted, on one line, cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", shortened(text))
}

/// Without the quotes: for a path's segment.
pub(super) fn shortened(text: &str) -> String {
    let mut short = String::new();
    for c in text.chars().take(QUOTED) {
        if c == '\'' { short.push(c) } else { short.extend(c.escape_debug()) }
    }
    if text.chars().nth(QUOTED).is_some() {
        short.push('…');
    }
    short
}
