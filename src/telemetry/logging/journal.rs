//! Lines for systemd's journal: each with its priority in front (`<4>`), as `sd-daemon(3)` has it.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Whether standard error goes straight to the journal: `JOURNAL_STREAM` names its device and inode. A
/// process whose output somebody has redirected inherits the variable, and the numbers differ.
pub fn is_stderr() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    let metadata = io::stderr().as_fd().try_clone_to_owned().map(File::from).and_then(|it| it.metadata());
    metadata.is_ok_and(|it| named == format!("{}:{}", it.dev(), it.ino()))
}

/// Another format, with the priority in front of each of its lines: the journal takes every line for a
/// message of its own.
pub struct Prefixed<F>(pub F);

impl<S, N, F> FormatEvent<S, N> for Prefixed<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.0.format_event(context, Writer::new(&mut text), event)?;
        let priority = priority(*event.metadata().level());
        // The level's word is right-justified, for columns that begin with a time.
        text.trim_start().lines().try_for_each(|line| writeln!(writer, "<{priority}>{line}"))
    }
}

/// Syslog's number for a level.
const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}
