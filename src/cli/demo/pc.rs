//! The simulated gaming PC's two files, as `windows/` keeps them, and what its mode endpoint says of them.
//!
//! `mode.txt` holds NORMAL or GAMING and is NORMAL where it is missing; `model.txt` holds AWAKE, ASLEEP or STOPPED and
//! is AWAKE where it is missing. Both are read anew for every answer. Another word in one of them is no mode at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::mode::Mode;
use super::nap::Nap;

/// Between the word that the model is asleep and its falling asleep: the proxy asks four times meanwhile.
const SETTLE: Duration = Duration::from_secs(1);

/// What the PC says when it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saying {
    /// A mode, and whether the model is awake.
    Mode(Mode, bool),
    /// The file of this name holds another word: an error, so that the proxy keeps away.
    Nonsense(&'static str),
}

/// What becomes of the model while somebody plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It stays loaded.
    Keep,
    /// It sleeps.
    Sleep,
}

/// The files, and the model that they are about.
#[derive(Debug)]
pub struct Pc {
    folder: PathBuf,
    nap: Arc<Nap>,
    falling: Mutex<Option<Instant>>,
}

impl Saying {
    /// What the files' texts mean; `None` is a file that is missing.
    pub fn of_files(mode: Option<&str>, model: Option<&str>) -> Self {
        let Some(mode) = Mode::of_word(mode.unwrap_or("NORMAL").trim()) else {
            return Self::Nonsense("mode.txt");
        };
        match model.unwrap_or("AWAKE").trim() {
            "AWAKE" => Self::Mode(mode, true),
            "ASLEEP" | "STOPPED" => Self::Mode(mode, false),
            _ => Self::Nonsense("model.txt"),
        }
    }

    /// Status and body of the answer.
    pub fn answer(self) -> (u16, String) {
        match self {
            Self::Mode(mode, true) => (200, format!(r#"{{"mode":"{}"}}"#, mode.as_str())),
            Self::Mode(mode, false) => (200, format!(r#"{{"mode":"{}","available":false}}"#, mode.as_str())),
            Self::Nonsense("mode.txt") => {
                (500, r#"{"error":"mode.txt holds neither NORMAL nor GAMING"}"#.to_owned())
            }
            Self::Nonsense(_) => {
                (500, r#"{"error":"model.txt holds none of AWAKE, ASLEEP, STOPPED"}"#.to_owned())
            }
        }
    }

    /// `GAMING, its model asleep`
    pub fn told(self) -> String {
        match self {
            Self::Mode(mode, true) => mode.as_str().to_owned(),
            Self::Mode(mode, false) => format!("{}, its model asleep", mode.as_str()),
            Self::Nonsense(file) => format!("nothing that is known: {file}"),
        }
    }
}

impl Wish {
    /// The wish of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "keep" => Some(Self::Keep),
            "sleep" => Some(Self::Sleep),
            _ => None,
        }
    }
}

impl Pc {
    /// A PC whose files are in this folder.
    pub fn new(folder: &Path, nap: Arc<Nap>) -> Self {
        Self { folder: folder.to_owned(), nap, falling: Mutex::new(None) }
    }

    /// `mode.txt`
    pub fn mode_file(&self) -> PathBuf {
        self.folder.join("mode.txt")
    }

    /// What it says now. A model that has been told of as asleep for long enough falls asleep here.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn says(&self) -> io::Result<Saying> {
        let saying = Saying::of_files(
            text(&self.mode_file())?.as_deref(),
            text(&self.folder.join("model.txt"))?.as_deref(),
        );
        let mut falling = self.falling.lock();
        if falling.is_some_and(|since| since.elapsed() >= SETTLE) {
            *falling = None;
            self.nap.fall_asleep();
        }
        Ok(saying)
    }

    /// Sets the mode, in the order of `windows/set-mode.ps1`: the model is said to be asleep from before its sleep
    /// until after its wake.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn set(&self, mode: Mode, wish: Wish) -> io::Result<()> {
        let model = self.folder.join("model.txt");
        match (mode, wish) {
            (Mode::Normal, _) => {
                *self.falling.lock() = None;
                self.nap.wake();
                if model.exists() {
                    fs::remove_file(model)?;
                }
                fs::write(self.mode_file(), "NORMAL\n")
            }
            (Mode::Gaming, Wish::Keep) => fs::write(self.mode_file(), "GAMING\n"),
            (Mode::Gaming, Wish::Sleep) => {
                fs::write(self.mode_file(), "GAMING\n")?;
                fs::write(model, "ASLEEP\n")?;
                self.falling.lock().get_or_insert_with(Instant::now);
                Ok(())
            }
        }
    }
}

/// `None` where there is no such file.
fn text(file: &Path) -> io::Result<Option<String>> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_files_mean_what_they_mean_on_the_real_pc() {
        let table: Value =
            serde_json::from_str(include_str!("../../../windows/tests/tables/Get-ModeAnswer.json")).unwrap();
        for row in table["rows"].as_array().unwrap() {
            let (given, then) = (&row["given"], &row["then"]);
            let (status, body) =
                Saying::of_files(given["ModeText"].as_str(), given["ModelText"].as_str()).answer();
            assert_eq!(
                (Some(u64::from(status)), Some(body.as_str())),
                (then["Status"].as_u64(), then["Body"].as_str()),
                "{}",
                row["name"]
            );
        }
    }

    #[test]
    fn a_mode_is_set_and_read_and_the_model_sleeps_late_and_wakes_first() {
        let folder = tempfile::tempdir().unwrap();
        let nap = Arc::new(Nap::default());
        let pc = Pc::new(folder.path(), Arc::clone(&nap));
        assert_eq!(pc.says().unwrap(), Saying::Mode(Mode::Normal, true), "a fresh install");
        pc.set(Mode::Gaming, Wish::Keep).unwrap();
        assert_eq!(pc.says().unwrap(), Saying::Mode(Mode::Gaming, true));
        pc.set(Mode::Gaming, Wish::Sleep).unwrap();
        assert_eq!(pc.says().unwrap(), Saying::Mode(Mode::Gaming, false));
        assert!(!nap.is_asleep(), "said before it is so");
        *pc.falling.lock() = Instant::now().checked_sub(SETTLE);
        assert_eq!(pc.says().unwrap(), Saying::Mode(Mode::Gaming, false));
        assert!(nap.is_asleep());
        pc.set(Mode::Normal, Wish::Keep).unwrap();
        assert!(!nap.is_asleep());
        assert_eq!(pc.says().unwrap(), Saying::Mode(Mode::Normal, true));
        fs::write(pc.mode_file(), "MAYBE").unwrap();
        assert_eq!(pc.says().unwrap(), Saying::Nonsense("mode.txt"));
    }
}
