//! The process's own log, on standard error: what failed (`error`), what was mended (`warn`), what
//! happens (`info`), how (`debug`).
//!
//! The level can be changed while the process runs. It is the level of sluice's own lines: dependencies
//! tell of trouble only, at every level, because some of them would log what they send and receive.

mod journal;
mod plain;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use anstream::{AutoStream, ColorChoice};
use parking_lot::Mutex;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

/// The log of this process: there is one, as there is one standard error.
static LOG: OnceLock<Log> = OnceLock::new();

struct Log {
    filter: reload::Handle<Targets, Registry>,
    level: Mutex<LevelFilter>,
}

/// Starts logging at this level, as text or as JSON lines. Called twice it does nothing.
pub fn start(level: LevelFilter, json: bool) {
    let (filter, handle) = reload::Layer::new(targets(level));
    let lines = lines(json, journal::is_stderr());
    // A second start in one process (tests) keeps the first.
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        let _ = LOG.set(Log { filter: handle, level: Mutex::new(level) });
    }
}

/// The level now; off where no log was started.
pub fn level() -> LevelFilter {
    LOG.get().map_or(LevelFilter::OFF, |log| *log.level.lock())
}

/// Logs at this level from now on. What it was before.
pub fn set_level(level: LevelFilter) -> LevelFilter {
    let Some(log) = LOG.get() else { return LevelFilter::OFF };
    let mut current = log.level.lock();
    // It fails for a subscriber that is gone; ours stays as long as the process.
    let _ = log.filter.reload(targets(level));
    std::mem::replace(&mut current, level)
}

/// Who may say what. Pingora's trouble with an exchange is told once, by us, with its decision.
fn targets(level: LevelFilter) -> Targets {
    let pingora = ["pingora_core", "pingora_proxy", "pingora_pool", "pingora_load_balancing"];
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(pingora.map(|name| (name, level.min(LevelFilter::ERROR))))
        .with_target(env!("CARGO_CRATE_NAME"), level)
}

/// How a line looks. To the journal it carries its priority, and as text no time, which the journal adds.
fn lines<S>(json: bool, journal: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let colours = colours() && !journal;
    let plain = fmt::layer().with_ansi(colours).with_writer(writer());
    let text = Format::default().with_target(false).with_timer(Clock);
    let structured = text.clone().json().flatten_event(true);
    match (json, journal) {
        (false, false) if colours => plain.event_format(text).boxed(),
        (false, false) => plain.fmt_fields(plain::Fields).event_format(text).boxed(),
        (false, true) => {
            plain.fmt_fields(plain::Fields).event_format(journal::Prefixed(text.without_time())).boxed()
        }
        (true, false) => plain.json().event_format(structured).boxed(),
        (true, true) => plain.json().event_format(journal::Prefixed(structured)).boxed(),
    }
}

/// UTC to the microsecond, as the usual clock writes it, in less work.
#[derive(Clone)]
struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", humantime::format_rfc3339_micros(SystemTime::now()))
    }
}

/// Standard error without the lock that the standard library puts around it: each line is written at once,
/// and threads that log at one time need not wait for each other.
fn writer() -> BoxMakeWriter {
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(own) => BoxMakeWriter::new(Arc::new(File::from(own))),
        Err(_) => BoxMakeWriter::new(io::stderr),
    }
}

/// On a terminal, unless `NO_COLOR` or the like is set.
fn colours() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn dependencies_never_tell_more_than_trouble() {
        for level in [LevelFilter::ERROR, LevelFilter::INFO, LevelFilter::TRACE] {
            let targets = targets(level);
            assert_eq!(targets.would_enable("sluice::proxy::finish", &Level::INFO), level >= Level::INFO);
            assert_eq!(targets.would_enable("rustls::client", &Level::WARN), level >= Level::WARN);
            assert!(!targets.would_enable("h2::codec", &Level::INFO), "{level}");
            assert!(targets.would_enable("pingora_core::server", &Level::ERROR), "{level}");
            assert!(!targets.would_enable("pingora_proxy", &Level::WARN), "{level}");
        }
    }
}
