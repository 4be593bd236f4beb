//! How much is logged, changed while the process runs.

use tracing::level_filters::LevelFilter;

use crate::config::LogLevel;
use crate::telemetry::logging;

/// The level now; `None` where nothing is logged.
pub fn level() -> Option<LogLevel> {
    LogLevel::of(&logging::level().to_string())
}

/// Logs at this level until the next change or the end of the process. What it was before.
pub fn change(to: LogLevel) -> Option<LogLevel> {
    let before = level();
    let from = before.map_or("off", LogLevel::as_str);
    // Told at the one of both levels that lets more through.
    let more = LevelFilter::from(to) > logging::level();
    let tell = || tracing::info!(from, to = to.as_str(), "the log level changes");
    if !more {
        tell();
    }
    logging::set_level(to.into());
    if more {
        tell();
    }
    before
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_found_again() {
        for word in ["error", "warn", "info", "debug", "trace"] {
            let level = LogLevel::of(word).unwrap();
            assert_eq!(LevelFilter::from(level).to_string(), word);
        }
        assert_eq!(LogLevel::of("off"), None);
    }
}
