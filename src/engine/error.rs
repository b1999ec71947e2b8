//! Owns what goes wrong at a source or in a restored copy, and whether trying again can help.

use std::path::{Path, PathBuf};

/// Whether trying the same again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will fail again.
    Never,
    /// The cause may pass.
    Later,
}

/// Most letters of a name that are shown.
const MOST_SHOWN: usize = 300;

/// A path for people: what would control a terminal is escaped, the middle of a very long one left
/// out.
#[must_use]
pub fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    let mut plain = String::new();
    for letter in text.chars() {
        if letter.is_control() {
            plain.extend(letter.escape_default());
        } else {
            plain.push(letter);
        }
    }
    let letters: Vec<char> = plain.chars().collect();
    if letters.len() <= MOST_SHOWN {
        return plain;
    }
    let half = MOST_SHOWN / 2;
    let (first, last) = (&letters[..half], &letters[letters.len() - half..]);
    first.iter().chain(&['…']).chain(last).collect()
}

/// What goes wrong at a source or in a restored copy. Texts are lowercase fragments.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file cannot be opened, read or written.
    #[error("cannot {action} {}: {cause}", shown(path))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// The source is not what the inventory says.
    #[error("{} is not {expected}: {found}", shown(path))]
    NotASource {
        /// The path.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// The source is busy; waiting may help.
    #[error("{what} is busy: {cause}")]
    Busy {
        /// What.
        what: String,
        /// The engine's answer.
        cause: String,
    },
    /// The source changed in a way that spoils this attempt.
    #[error("{what} changed while it was read: {detail}")]
    Changed {
        /// What.
        what: String,
        /// How.
        detail: String,
    },
    /// The log continues nothing that is archived: the chain is broken.
    #[error("the log of {what} does not continue what is archived: {detail}")]
    ChainBroken {
        /// What.
        what: String,
        /// How it shows.
        detail: String,
    },
    /// The engine's own check says that the data is damaged.
    #[error("{what} is damaged: {detail}")]
    Damaged {
        /// What.
        what: String,
        /// The check's words.
        detail: String,
    },
    /// The recovery target lies outside the log.
    #[error("the target was not reached: {0}")]
    NotReached(String),
    /// This engine cannot do it.
    #[error("{engine} cannot {what}")]
    Unsupported {
        /// The engine.
        engine: &'static str,
        /// What.
        what: String,
    },
    /// The engine's library or server refused.
    #[error("{what}: {cause}")]
    Refused {
        /// What was tried.
        what: String,
        /// The answer.
        cause: String,
    },
    /// The sink could not take the bytes; the device's error is inside.
    #[error(transparent)]
    Sink(#[from] crate::media::DeviceError),
}

impl EngineError {
    /// An error of the system at a path, ready for `map_err`.
    pub fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Io {
            action,
            path,
            cause,
        }
    }

    /// A refusal with its reason.
    #[must_use]
    pub fn refused(what: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::Refused {
            what: what.into(),
            cause: cause.into(),
        }
    }

    /// What the operator does next.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Io { .. } => "look at the path, its owner and mode, and the free space",
            Self::NotASource { .. } => "correct `path` or `engine` of the service in the inventory",
            Self::Busy { .. } | Self::Changed { .. } => {
                "wait until it is less busy, then run again"
            }
            Self::ChainBroken { .. } => "restore from a newer full, or choose an earlier target",
            Self::Damaged { .. } => "restore from another copy; look at the disk of the source",
            Self::NotReached(_) => "`planc list` tells how far the archived log goes",
            Self::Unsupported { .. } => "choose a method that the engine has",
            Self::Refused { .. } => "remove the cause that is named, then run again",
            Self::Sink(error) => error.help(),
        }
    }

    /// Whether trying again can help.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Busy { .. } | Self::Changed { .. } => Retry::Later,
            Self::Sink(error) => error.retry(),
            _ => Retry::Never,
        }
    }
}
