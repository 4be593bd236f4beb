//! `policy.yaml`: what a backend's API asks for. Its path, its key, what it costs, how much of it may be used.

use std::path::Path;

use super::defaults as d;
use super::problem::quoted;
use super::reader::{Item, Table};
use super::secrets::{self, Exposed};
use crate::policy::{Access, Budget, Money, Price, Secret};

/// `base_path` and `api_key_file`.
pub(super) fn access(table: &Table<'_>, directory: &Path) -> Access {
    let key = table.nullable("api_key_file").and_then(|item| secrets::key(&item, directory, Exposed::Warned));
    Access {
        base_path: table.find("base_path").and_then(|item| base_path(&item)),
        api_key: key.map(Secret::new),
    }
}

/// Without a slash at its end: `/api/paas/v4`, or nothing for `/`.
fn base_path(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let legal = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    let dots = text.split('/').any(|segment| matches!(segment, "." | ".."));
    if text.starts_with('/') && text.chars().all(legal) && !dots && !text.contains("//") {
        return Some(text.trim_end_matches('/').to_owned());
    }
    item.missing(&format!("{} is not a path", quoted(text)), "write the API's own, such as /api/paas/v4")
}

/// US dollars per million tokens.
pub(super) fn price(table: &Table<'_>) -> Option<Price> {
    let item = table.find("price")?;
    let table = item.table(&["prompt", "completion"]);
    let each = |key| {
        let item = table.need(key, "US dollars per million tokens")?;
        item.decimal(d::MOST_DOLLARS).map(|dollars| Money::of_dollars(dollars / 1e6))
    };
    let (prompt, completion) = (each("prompt"), each("completion"));
    Some(Price { prompt: prompt?, completion: completion? })
}

/// Money or requests, or both, in each period.
pub(super) fn budget(table: &Table<'_>, priced: bool) -> Option<Budget> {
    let item = table.find("budget")?;
    let table = item.table(&["usd", "requests", "per"]);
    if let (Some(usd), false) = (table.find("usd"), priced) {
        usd.problem("money cannot be counted without a price", "add `price`, or count `requests`");
    }
    if table.is_map() && table.find("usd").is_none() && table.find("requests").is_none() {
        item.problem("limits nothing", "write usd or requests");
    }
    Some(Budget {
        money: table.find("usd").and_then(|item| item.decimal(d::MOST_DOLLARS)).map(Money::of_dollars),
        requests: table.find("requests").and_then(|item| item.whole(&d::BUDGET_REQUESTS)),
        per: table.duration("per", &d::BUDGET_PER),
    })
}
