//! The policy's header tests, compiled, and what of them holds for a request.

use regex::Regex;

use crate::policy::{HeaderOp, HeaderTest, HeaderTestId};

/// All header tests of a policy, in its order.
#[derive(Debug)]
pub struct HeaderTests {
    tests: Vec<(String, Test)>,
}

#[derive(Debug)]
enum Test {
    Is(bool),
    Equals(String),
    Matches(Regex),
    Present(bool),
}

/// A header that must say yes or no says something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header {name} must be one of true, 1, yes, false, 0, no or empty")]
pub struct NotAYesOrNo {
    /// The header's name.
    pub name: String,
}

impl HeaderTests {
    /// Compiles the patterns among them.
    ///
    /// # Errors
    /// The source of a pattern that does not compile, and why.
    pub fn new(tests: &[HeaderTest]) -> Result<Self, (String, String)> {
        let compiled =
            tests.iter().map(|test| Ok::<_, (String, String)>((test.name.clone(), Test::new(&test.test)?)));
        Ok(Self { tests: compiled.collect::<Result<_, _>>()? })
    }

    /// The tests that hold. `value` gives a header's value by its lower-case name, `None` when it is
    /// absent; several fields of one name are joined with commas.
    ///
    /// # Errors
    /// [`NotAYesOrNo`] for a header that is asked `is` (`x-force-big` always) and says neither.
    pub fn holding<'v>(
        &self,
        value: impl Fn(&str) -> Option<std::borrow::Cow<'v, str>>,
    ) -> Result<Vec<HeaderTestId>, NotAYesOrNo> {
        yes_or_no(FORCE, value(FORCE).as_deref())?;
        let mut holding = Vec::new();
        for (index, (name, test)) in self.tests.iter().enumerate() {
            if test.holds(name, value(name).as_deref())? {
                holding.push(HeaderTestId(index));
            }
        }
        Ok(holding)
    }
}

impl Test {
    fn new(op: &HeaderOp) -> Result<Self, (String, String)> {
        Ok(match op {
            HeaderOp::Is(wanted) => Self::Is(*wanted),
            HeaderOp::Equals(value) => Self::Equals(value.clone()),
            HeaderOp::Present(wanted) => Self::Present(*wanted),
            HeaderOp::Matches(source) => {
                Self::Matches(Regex::new(source).map_err(|error| (source.clone(), error.to_string()))?)
            }
        })
    }

    fn holds(&self, name: &str, value: Option<&str>) -> Result<bool, NotAYesOrNo> {
        Ok(match self {
            Self::Is(wanted) => yes_or_no(name, value)? == *wanted,
            Self::Equals(wanted) => value == Some(wanted),
            Self::Matches(pattern) => value.is_some_and(|value| pattern.is_match(value)),
            Self::Present(wanted) => value.is_some() == *wanted,
        })
    }
}

/// Absent and empty are no.
fn yes_or_no(name: &str, value: Option<&str>) -> Result<bool, NotAYesOrNo> {
    match value.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "" | "false" | "0" | "no" => Ok(false),
        _ => Err(NotAYesOrNo { name: name.to_owned() }),
    }
}

/// The header by which a client forces the big model; checked on every request, whatever the rules.
const FORCE: &str = "x-force-big";

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn holding(op: HeaderOp, value: Option<&'static str>) -> Result<bool, NotAYesOrNo> {
        let tests = HeaderTests::new(&[HeaderTest { name: "x-a".into(), test: op }]).unwrap();
        let asked = |name: &str| if name == "x-a" { value.map(Cow::Borrowed) } else { None };
        tests.holding(asked).map(|ids| !ids.is_empty())
    }

    #[test]
    fn a_yes_or_no_counts_in_any_case_and_nothing_else_does() {
        for yes in ["true", "1", "yes", "TRUE", " Yes "] {
            assert_eq!(holding(HeaderOp::Is(true), Some(yes)), Ok(true), "{yes}");
            assert_eq!(holding(HeaderOp::Is(false), Some(yes)), Ok(false), "{yes}");
        }
        for no in [None, Some(""), Some("false"), Some("0"), Some("No")] {
            assert_eq!(holding(HeaderOp::Is(true), no), Ok(false), "{no:?}");
        }
        assert!(holding(HeaderOp::Is(true), Some("true,false")).is_err());
    }

    #[test]
    fn the_other_tests_look_at_the_value() {
        assert_eq!(holding(HeaderOp::Equals("red".into()), Some("red")), Ok(true));
        assert_eq!(holding(HeaderOp::Equals("red".into()), Some("redder")), Ok(false));
        assert_eq!(holding(HeaderOp::Matches("^bl".into()), Some("blue")), Ok(true));
        assert_eq!(holding(HeaderOp::Matches("".into()), None), Ok(false), "absent never matches");
        assert_eq!(holding(HeaderOp::Present(true), Some("")), Ok(true));
        assert_eq!(holding(HeaderOp::Present(false), None), Ok(true));
    }

    #[test]
    fn force_big_is_checked_even_where_no_rule_asks() {
        let tests = HeaderTests::new(&[]).unwrap();
        assert!(tests.holding(|_| Some(Cow::Borrowed("maybe"))).is_err());
    }
}
