//! The built binary as a child process: its lines as they come, gone when it is dropped.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::client::eventually;

/// What does not happen for so long fails the test.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `sluice`.
pub struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

/// The command `sluice`, with these arguments.
pub fn sluice<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.args(args);
    // What a service manager of this test's own has put there is not for it.
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"] {
        command.env_remove(name);
    }
    command
}

impl Process {
    /// Starts it; both outputs are kept, line by line.
    pub fn start<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Self {
        Self::start_with(args, &[])
    }

    /// The same, with these variables in its environment.
    pub fn start_with<S: AsRef<std::ffi::OsStr>>(args: &[S], environment: &[(&str, String)]) -> Self {
        let mut command = sluice(args);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().expect("a pipe");
        let stderr = child.stderr.take().expect("a pipe");
        let readers = vec![keep(stdout, Arc::clone(&lines)), keep(stderr, Arc::clone(&lines))];
        Self { child, lines, readers }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no thread panics with the lock").clone()
    }

    /// Waits for a line that holds `wanted`; that line.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_line(&self, wanted: &str) -> String {
        let mut found = None;
        let came = eventually(PATIENCE, || {
            found = self.lines().into_iter().find(|line| line.contains(wanted));
            found.is_some()
        });
        assert!(came, "{wanted:?} awaited; there was:\n{}", self.lines().join("\n"));
        found.expect("it came")
    }

    /// Waits for its end; its status and all its lines.
    ///
    /// # Panics
    /// When it does not end.
    pub fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let mut status = None;
        let ended = eventually(PATIENCE, || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        assert!(ended, "it does not end; there was:\n{}", self.lines().join("\n"));
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader");
        }
        (status.expect("it ended"), self.lines())
    }

    /// Sends it SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal: `TERM`, `INT`, `HUP`.
    ///
    /// # Panics
    /// When it is not there.
    pub fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status().expect("kill");
        assert!(sent.success(), "the process is there");
    }

    /// Bytes of memory that it has resident.
    ///
    /// # Panics
    /// When it is not there.
    pub fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).expect("a process");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its line");
        let kibibytes: usize = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
        kibibytes << 10
    }

    /// File descriptors that it has open.
    ///
    /// # Panics
    /// When it is not there.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("a process").count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep(pipe: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            lines.lock().expect("no thread panics with the lock").push(line);
        }
    })
}
