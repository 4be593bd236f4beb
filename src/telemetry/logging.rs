//! The process's own log, on standard error: what failed (`error`), what was mended (`warn`), what
//! happens (`info`), how (`debug`).

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging at this level, as text or as JSON lines. Pingora's own crates tell of trouble only:
/// what they would say of an exchange is told once, with its decision. Called twice it does nothing.
pub fn start(level: &str, json: bool) {
    let quiet = ["pingora_core", "pingora_proxy", "pingora_pool", "pingora_load_balancing"];
    let directives = quiet.map(|name| format!("{name}=error")).join(",");
    let filter = EnvFilter::new(format!("{level},{directives}"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first.
    let _ = if json { builder.json().flatten_event(true).try_init() } else { builder.try_init() };
}
