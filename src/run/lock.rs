//! Owns the lock of a state folder: one run at a time changes catalog and journals.
//! The system frees it when its holder dies; what is written in the file is for messages only.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

use super::stop::Stop;
use crate::durable;

/// How often a waiting run looks whether the lock is free.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    /// Process.
    pub process: u32,
    /// Machine.
    pub host: String,
    /// Since when.
    pub since: Timestamp,
    /// What it does: `planc run`.
    pub command: String,
}

/// What goes wrong with the lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run works.
    #[error("{path} is held by {holder}")]
    Held {
        /// The file.
        path: PathBuf,
        /// Who, in words.
        holder: String,
    },
    /// The system refused.
    #[error("cannot lock {path}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// The operator gave up waiting.
    #[error("stopped while waiting for {0}")]
    Stopped(PathBuf),
}

/// Held as long as the value lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a state folder, which is made when it does not exist.
    ///
    /// # Errors
    /// [`LockError::Held`] when another run has it.
    pub fn take(state: &Path, command: &str) -> Result<Self, LockError> {
        let path = state.join("lock");
        let io = |cause| LockError::Io {
            path: path.clone(),
            cause,
        };
        durable::make_folder(state, durable::OPEN).map_err(io)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let mut file = file.map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = holder(&mut file);
                return Err(LockError::Held { path, holder });
            }
            Err(TryLockError::Error(cause)) => return Err(LockError::Io { path, cause }),
        }
        sign(&mut file, command).map_err(io)?;
        Ok(Self { _file: file })
    }

    /// Takes the lock, waiting until the other run has ended. `waiting` is told once, with the
    /// holder.
    ///
    /// # Errors
    /// [`LockError::Stopped`] when `stop` is asked meanwhile.
    pub fn wait(
        state: &Path,
        command: &str,
        stop: &Stop,
        waiting: &mut dyn FnMut(&str),
    ) -> Result<Self, LockError> {
        let mut told = false;
        loop {
            match Self::take(state, command) {
                Err(LockError::Held { holder, .. }) if !told => {
                    told = true;
                    waiting(&holder);
                }
                Err(LockError::Held { path, .. }) if stop.asked() => {
                    return Err(LockError::Stopped(path));
                }
                Err(LockError::Held { .. }) => std::thread::sleep(LOOK_EVERY),
                other => return other,
            }
        }
    }
}

/// Who works in a state folder, in words, as far as the process that signed last still lives here;
/// none when nobody does. The lock is not touched: a run that begins at this moment must find it
/// free.
#[must_use]
pub fn at_work(state: &Path) -> Option<String> {
    let text = std::fs::read_to_string(state.join("lock")).ok()?;
    let owner: Owner = serde_json::from_str(&text).ok()?;
    (owner.host == host() && lives(owner.process)).then(|| owner.words())
}

fn lives(process: u32) -> bool {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    // a process of somebody else may not be signalled, but is there
    process.is_some_and(|process| !matches!(test_kill_process(process), Err(Errno::SRCH)))
}

impl Owner {
    fn words(&self) -> String {
        let Self {
            process,
            host,
            since,
            command,
        } = self;
        format!("`{command}`, process {process} on {host}, since {since:.0}")
    }
}

fn sign(file: &mut File, command: &str) -> std::io::Result<()> {
    let owner = Owner {
        process: std::process::id(),
        host: host(),
        since: Timestamp::now(),
        command: command.to_owned(),
    };
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&serde_json::to_vec(&owner)?)
}

/// The name of this machine.
#[must_use]
pub fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

/// The holder in words; the holder may be about to write its name.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.read_to_string(&mut text);
    let owner = read.ok().and_then(|_| serde_json::from_str(&text).ok());
    owner.map_or_else(
        || "another run that has just begun".to_owned(),
        |owner: Owner| owner.words(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_is_told_who_holds_it() {
        let state = tempfile::tempdir().expect("folder");
        let first = Lock::take(state.path(), "planc run").expect("free");
        let error = Lock::take(state.path(), "planc run").expect_err("held");
        let expected = format!("`planc run`, process {}", std::process::id());
        assert!(error.to_string().contains(&expected), "{error}");
        drop(first);
        Lock::take(state.path(), "planc run").expect("free again");
    }

    #[test]
    fn a_waiting_run_goes_on_when_the_lock_is_free() {
        let state = tempfile::tempdir().expect("folder");
        let first = Lock::take(state.path(), "planc run").expect("free");
        let mut told = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(150));
                drop(first);
            });
            let mut tell = |who: &str| told.push(who.to_owned());
            Lock::wait(state.path(), "second", &Stop::new(), &mut tell).expect("waited");
        });
        assert_eq!(told.len(), 1);
    }
}
