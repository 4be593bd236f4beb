//! Names that the operator chose: how they may look, which exist, and which one was probably meant.

use indexmap::IndexSet;

use super::problem::quoted;
use super::reader::Item;

/// Longest name of anything that the operator names.
const LONGEST: usize = 64;
/// Longest name of a model.
const LONGEST_MODEL: usize = 256;
/// Longest word that is compared for a suggestion.
const COMPARED: usize = 64;
/// Most names listed in a help.
const LISTED: usize = 16;

/// The names of one sort of thing, by their places in the policy.
pub(super) struct Names<'a> {
    sort: &'static str,
    names: IndexSet<&'a str>,
}

impl<'a> Names<'a> {
    /// `sort` is the word for one of them: `backend`, `gate`.
    pub(super) fn new(sort: &'static str, names: impl IntoIterator<Item = &'a str>) -> Self {
        Self { sort, names: names.into_iter().collect() }
    }

    /// The place of the name that the item holds; a name that does not exist is a problem.
    pub(super) fn find(&self, item: &Item<'_>) -> Option<usize> {
        item.text().and_then(|name| self.place(name, item))
    }

    /// The place of this name, which stands at the item.
    pub(super) fn place(&self, name: &str, item: &Item<'_>) -> Option<usize> {
        self.names.get_index_of(name).or_else(|| {
            let help = item.suggestion(name, self.names.iter().copied(), &format!("{}s", self.sort));
            item.missing(&format!("there is no {} {}", self.sort, quoted(name)), &help)
        })
    }
}

/// Which of the known words was meant, or all of them.
pub(super) fn suggestion<'a>(
    word: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    label: &str,
) -> String {
    if let Some(near) = nearest(word, known.clone()) {
        return format!("did you mean {}?", quoted(near));
    }
    // What cannot be a name is a problem of its own, and would break the line.
    let legal = known.filter(|name| name.len() <= LONGEST_MODEL && !name.contains(char::is_control));
    let mut listed: Vec<&str> = legal.clone().take(LISTED).collect();
    if legal.count() > LISTED {
        listed.push("…");
    }
    if listed.is_empty() {
        "none is configured".to_owned()
    } else {
        format!("{label}: {}", listed.join(", "))
    }
}

/// The word that a slip of the finger or two turns into this one.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters = word.chars().count();
    let slips = match letters {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    if letters > COMPARED {
        return None;
    }
    let lower = word.to_lowercase();
    let distance = |other: &str| strsim::damerau_levenshtein(&lower, &other.to_lowercase());
    known
        .filter(|other| other.len() <= 2 * COMPARED)
        .map(|other| (distance(other), other))
        // Nothing of the word left is no likeness.
        .filter(|(far, other)| *far <= slips && *far < letters.max(other.chars().count()))
        .min_by_key(|(far, _)| *far)
        .map(|(_, other)| other)
}

/// Names stand in headers, metric labels and paths: letters, digits and `._-` only.
pub(super) fn check_name(name: &str, item: &Item<'_>) {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(legal) {
        let help = format!("1 to {LONGEST} letters, digits and . _ -");
        item.problem(format!("{} cannot be a name", quoted(name)), help);
    }
}

/// A model's name may be anything that a client sends in one word, such as `org/model:7b`.
pub(super) fn check_model(name: &str, item: &Item<'_>) {
    if name.is_empty() || name.len() > LONGEST_MODEL || !name.chars().all(|c| c.is_ascii_graphic()) {
        item.problem(
            format!("{} cannot be a model's name", quoted(name)),
            format!("1 to {LONGEST_MODEL} visible ASCII characters"),
        );
    }
}
