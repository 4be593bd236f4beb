//! What a new policy changes, in words for the log.

use crate::policy::Policy;

/// One line a change; "nothing that matters" when there is none.
pub fn between(before: &Policy, after: &Policy) -> Vec<String> {
    let mut changes = Vec::new();
    named("gpu", &before.gpus, &after.gpus, |it| &it.name, &mut changes);
    named("gate", &before.gates, &after.gates, |it| &it.name, &mut changes);
    named("backend", &before.backends, &after.backends, |it| &it.name, &mut changes);
    named("client", &before.clients, &after.clients, |it| &it.name, &mut changes);
    named("model", &before.models, &after.models, |it| &it.name, &mut changes);
    named("rule", &before.rules, &after.rules, |it| &it.name, &mut changes);
    let order = |policy: &Policy| policy.rules.iter().map(|rule| rule.name.clone()).collect::<Vec<_>>();
    let (mut old, mut new) = (order(before), order(after));
    if old != new {
        old.sort();
        new.sort();
        if old == new {
            changes.push("the rules stand in another order".to_owned());
        }
    }
    if before.prompt != after.prompt || before.header_tests != after.header_tests {
        changes.push("what is looked for in prompts and headers has changed".to_owned());
    }
    if changes.is_empty() {
        changes.push("nothing that matters has changed".to_owned());
    }
    changes
}

/// Additions, removals and changes of things that have names.
fn named<T: PartialEq>(
    kind: &str,
    before: &[T],
    after: &[T],
    name: impl Fn(&T) -> &String,
    changes: &mut Vec<String>,
) {
    let find = |list: &'_ [T], wanted: &String| list.iter().position(|it| name(it) == wanted);
    for old in before {
        if find(after, name(old)).is_none() {
            changes.push(format!("{kind} {} is gone", name(old)));
        }
    }
    for new in after {
        match find(before, name(new)).and_then(|place| before.get(place)) {
            None => changes.push(format!("{kind} {} is new", name(new))),
            Some(old) if old != new => changes.push(format!("{kind} {} has changed", name(new))),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample;

    #[test]
    fn what_is_new_gone_changed_or_moved_is_said() {
        let before = sample::policy();
        assert_eq!(between(&before, &before), ["nothing that matters has changed"]);
        let mut after = before.clone();
        after.backends[0].context_window = Some(1);
        after.gates[0].name = "den".into();
        after.rules.swap(0, 1);
        let said = between(&before, &after);
        for wanted in [
            "gate gaming_pc is gone",
            "gate den is new",
            "backend small has changed",
            "the rules stand in another order",
        ] {
            assert!(said.iter().any(|line| line == wanted), "{wanted}: {said:?}");
        }
    }
}
