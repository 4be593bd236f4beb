//! `policy.yaml`: who has a key, how often each may come, and which models each may name.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::names::{self, Names};
use super::problem::quoted;
use super::reader::{Item, Table};
use super::{defaults as d, secrets};
use crate::policy::{Client, KeyHash, Rate};

/// In a client's list of models: every one.
const ALL: &str = "all";

/// The clients. `models`: the names there are.
pub(super) fn clients(entries: &[(&str, Item<'_>)], models: &Names<'_>, directory: &Path) -> Vec<Client> {
    let mut found: Vec<Client> = Vec::new();
    for (name, item) in entries {
        let Some(client) = client(name, item, models, directory) else { continue };
        if let Some(other) = found.iter().find(|other| other.key == client.key) {
            item.problem(
                format!("has the key of {}", quoted(&other.name)),
                "make one for each: sluice key new NAME",
            );
        }
        found.push(client);
    }
    found
}

fn client(name: &str, item: &Item<'_>, models: &Names<'_>, directory: &Path) -> Option<Client> {
    names::check_name(name, item);
    let table = item.table(&["key_sha256", "key_file", "rate", "models"]);
    let rate = table.find("rate").and_then(|item| rate(&item));
    let listed = table.find("models").and_then(|item| listed(&item, models));
    let key = key(&table, directory)?;
    Some(Client { name: name.to_owned(), key, rate, models: listed })
}

fn key(table: &Table<'_>, directory: &Path) -> Option<KeyHash> {
    const HELP: &str = "write key_sha256 or key_file; sluice key new NAME makes one";
    match (table.find("key_sha256"), table.find("key_file")) {
        (Some(_), Some(file)) => file.missing("the client has two keys", HELP),
        (Some(hash), None) => key_hash(&hash),
        (None, Some(file)) => {
            secrets::key(&file, directory, secrets::Exposed::Refused).map(|key| Sha256::digest(key).into())
        }
        (None, None) if table.is_map() => table.at().missing("the client has no key", HELP),
        (None, None) => None,
    }
}

fn key_hash(item: &Item<'_>) -> Option<KeyHash> {
    let text = item.text()?;
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    let hash = bytes.and_then(|bytes| bytes.try_into().ok());
    hash.or_else(|| {
        item.missing("is not a SHA-256", "64 digits of 0-9a-f: what `sluice key new NAME` prints")
    })
}

fn rate(item: &Item<'_>) -> Option<Rate> {
    let table = item.table(&["requests", "per", "burst"]);
    let requests = table.need("requests", "how many in each period")?.whole(&d::RATE_REQUESTS)?;
    let burst = table.find("burst").and_then(|item| item.whole(&d::RATE_BURST));
    Some(Rate { requests, per: table.duration("per", &d::RATE_PER), burst: burst.unwrap_or(requests) })
}

/// `None` where every model is meant.
fn listed(item: &Item<'_>, models: &Names<'_>) -> Option<Vec<String>> {
    let items = item.some();
    if items.iter().any(|item| item.plain_text() == Some(ALL)) {
        return None;
    }
    let found = items.iter().filter_map(|item| models.find(item).and(item.text()).map(str::to_owned));
    Some(found.collect())
}
