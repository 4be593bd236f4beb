//! How single values are written: the core schema's plain words, durations, sizes.

use std::time::Duration;

use super::raw::Value;

const DURATIONS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// What an unquoted word is in YAML's core schema. `yes`, `on` and the like are text there.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).unwrap_or_else(|| Value::Text(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Value> {
    if let Some(whole) = whole(text) {
        return Some(Value::Whole(whole));
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let special = matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN");
    // `parse` also takes words such as `inf`, which are text in YAML.
    let digits =
        unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') && text.parse::<f64>().is_ok();
    (special || digits).then(|| Value::Float(text.to_owned()))
}

fn whole(text: &str) -> Option<i128> {
    let (digits, radix) = match text.get(..2) {
        Some("0x") => (text.get(2..)?, 16),
        Some("0o") => (text.get(2..)?, 8),
        _ => (text, 10),
    };
    // `0x-1` would pass for a number otherwise.
    if radix != 10 && !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    i128::from_str_radix(digits, radix).ok()
}

/// `500ms`, `2s`, `5m`, `1h`, `1d`. `None` when it is not written so; too much to count is the longest there is.
pub(super) fn duration(text: &str) -> Option<Duration> {
    with_unit(text, &DURATIONS).map(Duration::from_millis)
}

/// `64KiB`, `32MiB`, `1GiB` in bytes, as [`duration`].
pub(super) fn size(text: &str) -> Option<u64> {
    with_unit(text, &SIZES)
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    if digits.is_empty() {
        return None;
    }
    // Digits only, so that the one way to fail is to be too large: out of any range, which the caller says.
    Some(digits.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(*factor))
}

/// A duration as it is written: in the largest unit that leaves no rest.
pub(super) fn show_duration(duration: Duration) -> String {
    match u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) {
        0 => "0s".to_owned(),
        millis => in_largest_unit(millis, &DURATIONS[..4]).unwrap_or_else(|| format!("{millis}ms")),
    }
}

/// A size as it is written.
pub(super) fn show_size(bytes: u64) -> String {
    in_largest_unit(bytes, &SIZES).unwrap_or_else(|| format!("{bytes} bytes"))
}

fn in_largest_unit(amount: u64, units: &[(&str, u64)]) -> Option<String> {
    let fits = |(_, factor): &&(&str, u64)| amount >= *factor && amount.is_multiple_of(*factor);
    units.iter().rev().find(fits).map(|(name, factor)| format!("{}{name}", amount / factor))
}

#[cfg(test)]
mod tests;
