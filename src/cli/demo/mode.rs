//! A simulated gaming PC's mode endpoint, on a free port: asked with GET, set with PUT or POST.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::connection::{self, Answer, Request, Rhythm};
use super::listener::Listener;
use super::pc::{Pc, Saying, Wish};

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
    desk: Arc<Desk>,
}

/// The PC, and what it said last.
#[derive(Debug)]
struct Desk {
    pc: Pc,
    said: watch::Sender<Saying>,
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
    /// Starts one on 127.0.0.1, at a port the kernel picks.
    ///
    /// # Errors
    /// When called outside of a tokio runtime, or when no port can be had.
    pub fn start(pc: Pc) -> io::Result<Self> {
        let desk = Arc::new(Desk::new(pc));
        let serving = Arc::clone(&desk);
        let listener = Listener::start(move |stream| {
            let serving = Arc::clone(&serving);
            connection::serve(stream, move |request| (serving.answer(request), Rhythm::AT_ONCE))
        })?;
        Ok(Self { listener, desk })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// The file that holds the mode.
    pub fn mode_file(&self) -> PathBuf {
        self.desk.pc.mode_file()
    }

    /// What was said, and a way to wait until it is something else.
    pub fn watch(&self) -> watch::Receiver<Saying> {
        self.desk.said.subscribe()
    }
}

impl Desk {
    fn new(pc: Pc) -> Self {
        let (said, _) = watch::channel(Saying::Mode(Mode::Normal, true));
        Self { pc, said }
    }

    fn answer(&self, request: &Request) -> Answer {
        if !matches!(request.path.as_str(), "/" | "/mode") {
            return whole(404, &json!({"error": "only / and /mode are here"}));
        }
        match request.method.as_str() {
            "GET" => self.says(),
            "PUT" | "POST" => match asked(&request.body) {
                Some((mode, wish)) => {
                    self.pc.set(mode, wish).map_or_else(|error| failed(&error), |()| self.says())
                }
                None => whole(400, &json!({"error": SEND})),
            },
            _ => whole(405, &json!({"error": "GET, PUT or POST"})),
        }
    }

    /// Only a change wakes those who watch.
    fn says(&self) -> Answer {
        match self.pc.says() {
            Ok(saying) => {
                self.said.send_if_modified(|last| std::mem::replace(last, saying) != saying);
                let (status, body) = saying.answer();
                Answer::Whole { status, content_type: Some("application/json"), body: body.into_bytes() }
            }
            Err(error) => failed(&error),
        }
    }
}

const SEND: &str = r#"send {"mode":"NORMAL"}, {"mode":"GAMING"} or {"mode":"GAMING","model":"sleep"}"#;

/// The mode that a body asks for, and what becomes of the model; whatever content type it claims, as curl claims a
/// wrong one.
fn asked(body: &[u8]) -> Option<(Mode, Wish)> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let wish = body.get("model").map_or(Some(Wish::Keep), |word| Wish::of_word(word.as_str()?))?;
    Some((Mode::of_word(body.get("mode")?.as_str()?)?, wish))
}

fn failed(error: &io::Error) -> Answer {
    whole(500, &json!({"error": error.to_string()}))
}

fn whole(status: u16, body: &Value) -> Answer {
    Answer::Whole { status, content_type: Some("application/json"), body: body.to_string().into_bytes() }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::nap::Nap;
    use super::*;

    fn desk() -> (TempDir, Desk) {
        let folder = tempfile::tempdir().unwrap();
        let pc = Pc::new(folder.path(), Arc::new(Nap::default()));
        (folder, Desk::new(pc))
    }

    fn asked_with(desk: &Desk, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = Request { method: method.to_owned(), path: path.to_owned(), body: body.into() };
        match desk.answer(&request) {
            Answer::Whole { status, body, .. } => (status, String::from_utf8(body).unwrap()),
            other => panic!("no whole answer: {other:?}"),
        }
    }

    #[test]
    fn it_is_asked_and_set_on_both_paths_and_by_its_file() {
        let (_folder, desk) = desk();
        let (normal, gaming) = (r#"{"mode":"NORMAL"}"#.to_owned(), r#"{"mode":"GAMING"}"#.to_owned());
        assert_eq!(asked_with(&desk, "GET", "/", ""), (200, normal.clone()));
        assert_eq!(asked_with(&desk, "PUT", "/", &gaming), (200, gaming.clone()));
        assert_eq!(asked_with(&desk, "GET", "/mode", "").1, gaming);
        assert_eq!(asked_with(&desk, "POST", "/mode", &normal).1, normal);
        std::fs::write(desk.pc.mode_file(), "GAMING\r\n").unwrap();
        assert_eq!(asked_with(&desk, "GET", "/", "").1, gaming);
        std::fs::write(desk.pc.mode_file(), "gaming").unwrap();
        assert_eq!(asked_with(&desk, "GET", "/", "").0, 500);
        let asleep = r#"{"mode":"GAMING","available":false}"#.to_owned();
        assert_eq!(asked_with(&desk, "PUT", "/", r#"{"mode":"GAMING","model":"sleep"}"#), (200, asleep));
    }

    #[test]
    fn what_is_no_mode_changes_nothing() {
        let (_folder, desk) = desk();
        let watcher = desk.said.subscribe();
        let wrong = r#"{"mode":"GAMING","model":"doze"}"#;
        for body in ["", "GAMING", r#"{"mode":"normal"}"#, r#"{"mode":1}"#, "[]", wrong] {
            assert_eq!(asked_with(&desk, "PUT", "/", body).0, 400, "{body}");
        }
        assert_eq!(asked_with(&desk, "DELETE", "/", "").0, 405);
        assert_eq!(asked_with(&desk, "PUT", "/elsewhere", r#"{"mode":"NORMAL"}"#).0, 404);
        assert!(!watcher.has_changed().unwrap() && !desk.pc.mode_file().exists());
    }

    #[test]
    fn only_a_change_wakes_those_who_watch() {
        let (_folder, desk) = desk();
        let mut watcher = desk.said.subscribe();
        asked_with(&desk, "GET", "/", "");
        assert!(!watcher.has_changed().unwrap());
        asked_with(&desk, "PUT", "/", r#"{"mode":"GAMING"}"#);
        assert_eq!(*watcher.borrow_and_update(), Saying::Mode(Mode::Gaming, true));
    }
}
