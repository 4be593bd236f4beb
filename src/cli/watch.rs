//! `--watch`: a screen that is shown again and again, until Ctrl-C.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

/// How often, as it is written on the command line.
///
/// # Errors
/// When it is no duration, or too short to be of use.
pub fn interval(text: &str) -> Result<Duration, String> {
    let every = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if every < SHORTEST { Err("at least 100ms".to_owned()) } else { Ok(every) }
}

/// Shows what `frame` makes, every so often. On a terminal each takes the place of the one before, on a
/// screen of its own; elsewhere they follow each other.
///
/// # Errors
/// When nobody reads it any more.
pub async fn watch(every: Duration, frame: impl AsyncFnMut() -> String) -> anyhow::Result<u8> {
    let on_screen = io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|it| it != "dumb");
    let mut terminate = signal(SignalKind::terminate())?;
    write(if on_screen { ENTER } else { "" })?;
    let outcome = tokio::select! {
        outcome = repeat(every, on_screen, frame) => outcome,
        _ = tokio::signal::ctrl_c() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    write(if on_screen { LEAVE } else { "" })?;
    outcome.map(|()| 0)
}

async fn repeat(
    every: Duration,
    on_screen: bool,
    mut frame: impl AsyncFnMut() -> String,
) -> anyhow::Result<()> {
    loop {
        let mut shown = frame().await;
        if AutoStream::choice(&io::stdout()) == ColorChoice::Never {
            shown = strip_str(&shown).to_string();
        }
        write(&if on_screen { in_place(&shown) } else { shown })?;
        sleep(every).await;
    }
}

/// Over what is there, without a flicker: each line clears its own rest, the last one all below.
fn in_place(frame: &str) -> String {
    let lines = frame.replace('\n', "\u{1b}[K\r\n");
    format!("\u{1b}[H{lines}\u{1b}[J")
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The terminal's second screen, without a cursor; and back.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";
const SHORTEST: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_a_duration_of_use() {
        assert_eq!(interval("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(interval("99ms"), Err("at least 100ms".to_owned()));
        assert!(interval("2").is_err() && interval("soon").is_err());
    }

    #[test]
    fn a_frame_leaves_nothing_of_the_one_before() {
        assert_eq!(in_place("a\nb\n"), "\u{1b}[Ha\u{1b}[K\r\nb\u{1b}[K\r\n\u{1b}[J");
    }
}
