//! What runs beside the exchanges: thin shells over pure steps. They stop when the process does.

pub mod admin;
mod fetch;
pub mod gates;
pub mod health;
mod scrape;
mod status;
