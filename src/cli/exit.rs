//! Owns exit codes and the error that ends a command. One meaning each, the same in every format.

use std::fmt;

use crate::run::Verdict;

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: nothing at or above `--fail-on`; done, promises hold.
    Ok,
    /// 1: findings at or above it, not formatted, a step failed, a copy is damaged.
    Findings,
    /// 2: not judged, or refused to start and nothing was changed.
    Refused,
    /// 3: stopped midway; `--resume` goes on.
    Resumable,
    /// 126: only `planc log fetch`: nobody can say whether the file exists, so a server that
    /// recovers must stop instead of opening early.
    Undecided,
}

impl Exit {
    /// The number the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Findings => 1,
            Self::Refused => 2,
            Self::Resumable => 3,
            Self::Undecided => 126,
        }
    }
}

/// Why a command gave up: printed once, by `cli::run`.
#[derive(Debug)]
pub struct CliError {
    /// What went wrong, a lowercase sentence that names the place and the cause.
    pub message: String,
    /// The next action.
    pub help: Option<String>,
    /// How the process ends.
    pub exit: Exit,
}

impl CliError {
    /// A refusal: nothing was changed (exit 2).
    pub fn refused(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            help: None,
            exit: Exit::Refused,
        }
    }

    /// A failure of the work itself (exit 1).
    pub fn failed(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            help: None,
            exit: Exit::Findings,
        }
    }

    /// Adds the next action.
    #[must_use]
    pub fn help(mut self, help: impl fmt::Display) -> Self {
        self.help = Some(help.to_string());
        self
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Good => Self::Ok,
            Verdict::Bad => Self::Findings,
            Verdict::Stopped => Self::Resumable,
        }
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::refused(format!("cannot write the result: {error}"))
    }
}
