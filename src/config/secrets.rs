//! Keys that stand in files of their own: found, private, one word. They are read here and shown nowhere.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::problem::quoted;
use super::reader::Item;

/// What a file is that everybody on the machine may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exposed {
    /// A mistake: who has a client's key is that client.
    Refused,
    /// Hardly meant.
    Warned,
}

/// The key in the file that the item names; its path is taken from `directory`.
pub(super) fn key(item: &Item<'_>, directory: &Path, exposed: Exposed) -> Option<String> {
    let path = directory.join(item.text()?);
    let shown = quoted(&path.to_string_lossy());
    if matches!(path.try_exists(), Ok(false)) {
        return item
            .missing(&format!("there is no file {shown}"), "the path is taken from this file's directory");
    }
    if std::fs::metadata(&path).is_ok_and(|it| !it.is_file()) {
        // A pipe would be waited for, without end.
        return item.missing(&format!("{shown} is not a file"), "write the key into a file of its own");
    }
    if is_open_to_others(&path) {
        let (problem, help) =
            (format!("everybody on this machine may read {shown}"), "chmod 640 it: a key is its owner's");
        match exposed {
            Exposed::Refused => return item.missing(&problem, help),
            Exposed::Warned => item.warning(problem, help),
        }
    }
    let text = read(&path).map_err(|error| {
        let help = "run this as the user that sluice runs as";
        item.problem(format!("{shown} cannot be read: {error}"), help);
    });
    word(item, &text.ok()?, &shown)
}

/// The file's text, never more than one byte past the limit.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    Ok(text)
}

/// The file's one word; the newline at its end does not count.
fn word(item: &Item<'_>, text: &str, shown: &str) -> Option<String> {
    let key = text.strip_suffix('\n').unwrap_or(text);
    let key = key.strip_suffix('\r').unwrap_or(key);
    let fits = u64::try_from(text.len()).is_ok_and(|length| length <= LONGEST);
    if !fits || key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return item.missing(&format!("{shown} does not hold one key"), "write the key alone, on one line");
    }
    Some(key.to_owned())
}

/// Bytes of the longest key: a request's whole head is not much longer.
const LONGEST: u64 = 8 * 1024;

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|it| it.permissions().mode() & 0o006 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}
