//! A scriptable mode endpoint: the gaming PC as the gate's poller sees it.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::listener::Listener;
use super::pc;
use super::wire::Wire;

/// Polls that do not come for so long fail the test.
const PATIENCE: Duration = Duration::from_secs(10);
/// As good as for ever: a hang ends when the poller leaves.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// What is wrong with the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// JSON that breaks off.
    Garbage,
    /// A mode that is neither of the two.
    WrongWord,
    /// No body at all.
    Empty,
    /// Status 500, with the right body.
    Status500,
    /// No answer.
    Hang,
}

/// A running endpoint; it stops when it is dropped.
pub struct ModeEndpoint {
    listener: Listener,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<Script>,
    polled: Condvar,
}

struct Script {
    answer: Value,
    folder: Option<PathBuf>,
    fault: Option<Fault>,
    delay: Duration,
    polls: Vec<Instant>,
}

impl ModeEndpoint {
    /// Starts one in mode NORMAL.
    pub fn start() -> Self {
        let script = Script {
            answer: json!({"mode": "NORMAL"}),
            folder: None,
            fault: None,
            delay: Duration::ZERO,
            polls: Vec::new(),
        };
        let shared = Arc::new(Shared { script: Mutex::new(script), polled: Condvar::new() });
        let serving = Arc::clone(&shared);
        let listener = Listener::start(move |stream, _| {
            // the poller's end of the connection is of no interest here
            let _ = serve(&serving, stream);
        });
        Self { listener, shared }
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// What `mode_url` takes.
    pub fn url(&self) -> String {
        format!("http://{}/", self.addr())
    }

    /// Answers this mode from now on: `NORMAL` or `GAMING`.
    pub fn set(&self, mode: &str) {
        self.answer(json!({ "mode": mode }));
    }

    /// Answers this from now on.
    pub fn answer(&self, answer: Value) {
        self.script().answer = answer;
    }

    /// Answers from now on what the gaming PC's files in this folder say, read anew each time.
    pub fn read_files(&self, folder: &Path) {
        self.script().folder = Some(folder.to_owned());
    }

    /// Answers wrongly from now on, or rightly again.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.script().fault = fault;
    }

    /// Lets so much time pass between a question and its answer, which is the one of the question's moment.
    pub fn set_delay(&self, delay: Duration) {
        self.script().delay = delay;
    }

    /// Refuses connections, as a PC that is off.
    pub fn refuse(&self) {
        self.listener.refuse();
    }

    /// Accepts them again.
    pub fn accept(&self) {
        self.listener.accept();
    }

    /// When each question came.
    pub fn polls(&self) -> Vec<Instant> {
        self.script().polls.clone()
    }

    /// Waits for so many questions more. With two, the answer to the first was surely taken.
    ///
    /// # Panics
    /// When they do not come.
    pub fn wait_polls(&self, more: usize) {
        let script = self.script();
        let goal = script.polls.len() + more;
        let waited =
            self.shared.polled.wait_timeout_while(script, PATIENCE, |script| script.polls.len() < goal);
        let (script, result) = waited.expect("no thread panics with the lock");
        assert!(!result.timed_out(), "{} polls came, {goal} awaited", script.polls.len());
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.shared.script()
    }
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().expect("no thread panics with the lock")
    }
}

fn serve(shared: &Shared, stream: TcpStream) -> std::io::Result<()> {
    let mut wire = Wire::new(stream)?;
    while wire.head()?.is_some() {
        let ((status, answer), fault, delay) = {
            let mut script = shared.script();
            script.polls.push(Instant::now());
            let answer =
                script.folder.as_deref().map_or_else(|| (200, script.answer.to_string()), pc::answer);
            (answer, script.fault, script.delay)
        };
        shared.polled.notify_all();
        let delay = if fault == Some(Fault::Hang) { FOR_EVER } else { delay };
        wire.wait(delay)?;
        wire.write(answered(status, &answer, fault).as_bytes())?;
    }
    Ok(())
}

fn answered(status: u16, answer: &str, fault: Option<Fault>) -> String {
    let right = if status == 200 { "200 OK" } else { "500 Internal Server Error" };
    let (status, body) = match fault {
        None | Some(Fault::Hang) => (right, answer),
        Some(Fault::Garbage) => ("200 OK", r#"{"mode": "NORM"#),
        Some(Fault::WrongWord) => ("200 OK", r#"{"mode":"MAYBE"}"#),
        Some(Fault::Empty) => ("200 OK", ""),
        Some(Fault::Status500) => ("500 Internal Server Error", answer),
    };
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\ncontent-type: application/json\r\n\r\n{body}")
}

#[cfg(test)]
mod tests {
    use super::super::client::get;
    use super::*;

    #[test]
    fn it_answers_what_it_was_told() {
        let mode = ModeEndpoint::start();
        assert_eq!(get(mode.addr(), "/").json(), json!({"mode": "NORMAL"}));
        mode.set("GAMING");
        assert_eq!(get(mode.addr(), "/").json(), json!({"mode": "GAMING"}));
        assert_eq!(mode.polls().len(), 2);
    }

    #[test]
    fn every_fault_is_no_good_answer() {
        let mode = ModeEndpoint::start();
        for fault in [Fault::Garbage, Fault::WrongWord, Fault::Empty, Fault::Status500] {
            mode.set_fault(Some(fault));
            let answer = get(mode.addr(), "/");
            let good = answer.status == 200 && answer.text() == r#"{"mode":"NORMAL"}"#;
            assert!(!good && answer.complete, "{fault:?}: {answer:?}");
        }
        mode.set_fault(None);
        assert_eq!(get(mode.addr(), "/").text(), r#"{"mode":"NORMAL"}"#);
    }

    #[test]
    fn a_late_answer_is_the_one_of_the_question() {
        let mode = ModeEndpoint::start();
        mode.set_delay(Duration::from_millis(100));
        let addr = mode.addr();
        let asking = std::thread::spawn(move || get(addr, "/").text());
        mode.wait_polls_since_start(1);
        mode.set("GAMING");
        assert_eq!(asking.join().unwrap(), r#"{"mode":"NORMAL"}"#);
    }

    impl ModeEndpoint {
        fn wait_polls_since_start(&self, count: usize) {
            let missing = count.saturating_sub(self.polls().len());
            if missing > 0 {
                self.wait_polls(missing);
            }
        }
    }
}
