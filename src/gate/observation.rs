//! What is seen of the gaming PC: its mode, and whether the model there is awake.

/// The two modes of the gaming PC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The card is free for models.
    Normal,
    /// Somebody plays.
    Gaming,
}

impl Mode {
    /// Its word on the wire.
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

/// One look at the gaming PC, polled or pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// The mode.
    pub mode: Mode,
    /// False when the model is asleep or stopped: then not even a forced request may go there.
    pub available: bool,
}

/// Why a poll was no good answer. A closed list: it labels a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PollFault {
    /// No connection, or one that broke.
    #[error("no connection to the mode endpoint")]
    Connect,
    /// No whole answer in time.
    #[error("the mode endpoint did not answer in time")]
    Timeout,
    /// Another status than 200.
    #[error("the mode endpoint answered with status {0}")]
    Status(u16),
    /// More bytes than [`super::answer::ANSWER_LIMIT`].
    #[error("the mode answer is larger than 64 KiB")]
    TooLarge,
    /// Not one JSON object in UTF-8.
    #[error("the mode answer is not a JSON object")]
    Json,
    /// `mode` is missing, doubled, or not one of the two words.
    #[error("`mode` is not \"NORMAL\" or \"GAMING\"")]
    Mode,
    /// `available` is there and doubled or not a boolean.
    #[error("`available` is not true or false")]
    Available,
}

impl PollFault {
    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect_failed",
            Self::Timeout => "timeout",
            Self::Status(_) => "bad_status",
            Self::TooLarge | Self::Json => "bad_body",
            Self::Mode | Self::Available => "bad_mode",
        }
    }
}

/// Every outcome of a poll in a word: a mode, or why there was none.
pub const POLL_RESULTS: [&str; 7] =
    ["NORMAL", "GAMING", "connect_failed", "timeout", "bad_status", "bad_body", "bad_mode"];

/// Where the mode that holds came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// Nowhere: it is not known.
    None,
    /// The mode endpoint said so.
    Poll,
    /// It was pushed.
    Push,
}

impl Source {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Poll => "poll",
            Self::Push => "push",
        }
    }
}
