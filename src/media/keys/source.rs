//! Owns where keys come from: a file or a variable of the environment. Reads them, refuses what
//! is no key or can be read by others, and keeps the variables from child processes.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use age::secrecy::{ExposeSecret, SecretString};

use super::keyring::Key;
use super::{KeyError, KeyState};

/// Longest key file.
const LONGEST: u64 = 64 << 10;

/// Variables that hold secrets and that no child process needs.
static SECRET_VARIABLES: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Where a secret is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file.
    File(PathBuf),
    /// A variable of planc's environment.
    Env(String),
    /// A source that this version cannot ask, by its word.
    Other(String),
}

impl fmt::Display for KeySource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(out, "{}", path.display()),
            Self::Env(name) => write!(out, "the variable {name}"),
            Self::Other(word) => write!(out, "a {word}"),
        }
    }
}

impl KeySource {
    /// A source by its word (`file`, `env`) and locator.
    #[must_use]
    pub fn of(word: &str, locator: &str, base: &std::path::Path) -> Self {
        match word {
            "file" => Self::File(base.join(locator)),
            "env" => Self::Env(locator.to_owned()),
            other => Self::Other(other.to_owned()),
        }
    }

    /// Keeps a variable from child processes, whether its secret is read or not.
    pub fn keep(&self) {
        if let Self::Env(name) = self {
            secret_variables().insert(name.clone());
        }
    }

    /// Reads a secret as text; variables read here are kept from children.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn read(&self) -> Result<SecretString, String> {
        self.keep();
        match self {
            Self::File(path) => {
                let file = std::fs::File::open(path).map_err(|cause| cause.to_string())?;
                let mut text = String::new();
                let read = file.take(LONGEST + 1).read_to_string(&mut text);
                read.map_err(|cause| cause.to_string())?;
                if text.len() as u64 > LONGEST {
                    return Err("it is longer than a key file can be".into());
                }
                Ok(text.into())
            }
            Self::Env(name) => {
                let text = std::env::var(name);
                text.map(SecretString::from).map_err(|cause| match cause {
                    std::env::VarError::NotPresent => "it is not set".to_owned(),
                    std::env::VarError::NotUnicode(_) => "it is not text".to_owned(),
                })
            }
            Self::Other(_) => Err("keys are read from `file` and `env`".into()),
        }
    }

    /// Mode of the file when others may read it.
    fn exposed(&self) -> Option<u32> {
        let Self::File(path) = self else { return None };
        let mode = std::fs::metadata(path).ok()?.mode() & 0o777;
        (mode & 0o077 != 0).then_some(mode)
    }
}

fn secret_variables() -> std::sync::MutexGuard<'static, BTreeSet<String>> {
    SECRET_VARIABLES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Keeps variables that hold keys and passwords out of a child's environment (R29).
pub fn withhold(command: &mut Command) -> &mut Command {
    for name in secret_variables().iter() {
        command.env_remove(name);
    }
    command
}

/// Reads a key.
pub(super) fn key(name: &str, source: &KeySource) -> KeyState {
    let place = source.to_string();
    let text = source.read().map_err(|cause| KeyError::Unreadable {
        key: name.to_owned(),
        place: place.clone(),
        cause,
    })?;
    let key = Key::parse(text.expose_secret()).map_err(|detail| KeyError::Malformed {
        key: name.to_owned(),
        place: place.clone(),
        detail,
    })?;
    match source.exposed() {
        Some(mode) if key.can_open() => Err(KeyError::Exposed {
            key: name.to_owned(),
            place,
            mode,
        }),
        _ => Ok(key),
    }
}
