//! A simulated gaming PC's mode endpoint, on a free port: asked with GET, flipped with PUT or POST.

use std::io;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::connection::{self, Answer, Request, Rhythm};
use super::listener::Listener;

/// What the PC is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nobody plays: its card may be used.
    Normal,
    /// Somebody plays.
    Gaming,
}

/// A running mode endpoint; it stops when it is dropped.
#[derive(Debug)]
pub struct ModeEndpoint {
    listener: Listener,
    mode: watch::Sender<Mode>,
}

impl Mode {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Gaming => "GAMING",
        }
    }

    /// The mode of exactly this word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Normal, Self::Gaming].into_iter().find(|mode| mode.as_str() == word)
    }
}

impl ModeEndpoint {
    /// Starts one on 127.0.0.1, at a port the kernel picks, in mode NORMAL.
    ///
    /// # Errors
    /// When called outside of a tokio runtime, or when no port can be had.
    pub fn start() -> io::Result<Self> {
        let (mode, _) = watch::channel(Mode::Normal);
        let shared = mode.clone();
        let listener = Listener::start(move |stream| {
            let shared = shared.clone();
            connection::serve(stream, move |request| (answer(&shared, request), Rhythm::AT_ONCE))
        })?;
        Ok(Self { listener, mode })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// The mode, and a way to wait until it is flipped, by whomever.
    pub fn watch(&self) -> watch::Receiver<Mode> {
        self.mode.subscribe()
    }
}

/// Only a change wakes those who watch.
fn flip(state: &watch::Sender<Mode>, mode: Mode) {
    state.send_if_modified(|current| std::mem::replace(current, mode) != mode);
}

fn answer(state: &watch::Sender<Mode>, request: &Request) -> Answer {
    if !matches!(request.path.as_str(), "/" | "/mode") {
        return whole(404, &json!({"error": "only / and /mode are here"}));
    }
    match request.method.as_str() {
        "GET" => {}
        "PUT" | "POST" => match asked(&request.body) {
            Some(mode) => flip(state, mode),
            None => {
                return whole(400, &json!({"error": "send {\"mode\":\"NORMAL\"} or {\"mode\":\"GAMING\"}"}));
            }
        },
        _ => return whole(405, &json!({"error": "GET, PUT or POST"})),
    }
    let mode = *state.borrow();
    whole(200, &json!({"mode": mode.as_str()}))
}

/// The mode that a body asks for; whatever content type it claims, as curl claims a wrong one.
fn asked(body: &[u8]) -> Option<Mode> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Mode::of_word(body.get("mode")?.as_str()?)
}

fn whole(status: u16, body: &Value) -> Answer {
    Answer::Whole { status, content_type: Some("application/json"), body: body.to_string().into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_with(state: &watch::Sender<Mode>, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = Request { method: method.to_owned(), path: path.to_owned(), body: body.into() };
        match answer(state, &request) {
            Answer::Whole { status, body, .. } => (status, String::from_utf8(body).unwrap()),
            Answer::Stream(events) => panic!("a stream: {events:?}"),
        }
    }

    #[test]
    fn it_is_asked_and_flipped_on_both_paths() {
        let (state, _) = watch::channel(Mode::Normal);
        assert_eq!(asked_with(&state, "GET", "/", ""), (200, r#"{"mode":"NORMAL"}"#.to_owned()));
        assert_eq!(
            asked_with(&state, "PUT", "/", r#"{"mode":"GAMING"}"#),
            (200, r#"{"mode":"GAMING"}"#.to_owned())
        );
        assert_eq!(asked_with(&state, "GET", "/mode", "").1, r#"{"mode":"GAMING"}"#);
        assert_eq!(asked_with(&state, "POST", "/mode", r#"{"mode":"NORMAL"}"#).1, r#"{"mode":"NORMAL"}"#);
    }

    #[test]
    fn what_is_no_mode_changes_nothing() {
        let (state, watcher) = watch::channel(Mode::Gaming);
        for body in ["", "GAMING", r#"{"mode":"normal"}"#, r#"{"mode":1}"#, "[]"] {
            assert_eq!(asked_with(&state, "PUT", "/", body).0, 400, "{body}");
        }
        assert_eq!(asked_with(&state, "DELETE", "/", "").0, 405);
        assert_eq!(asked_with(&state, "PUT", "/elsewhere", r#"{"mode":"NORMAL"}"#).0, 404);
        assert!(!watcher.has_changed().unwrap());
        assert_eq!(*watcher.borrow(), Mode::Gaming);
    }

    #[test]
    fn only_a_change_wakes_those_who_watch() {
        let (state, mut watcher) = watch::channel(Mode::Normal);
        flip(&state, Mode::Normal);
        assert!(!watcher.has_changed().unwrap());
        flip(&state, Mode::Gaming);
        assert_eq!(*watcher.borrow_and_update(), Mode::Gaming);
    }
}
