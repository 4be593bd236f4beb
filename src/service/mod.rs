//! What runs beside the exchanges: thin shells over pure steps. They stop when the process does.

pub mod admin;
mod changes;
pub mod fetch;
pub mod gates;
pub mod health;
pub mod ledger_file;
pub mod log;
pub mod reload;
mod scrape;
mod status;
pub mod supervisor;
pub mod watch;
