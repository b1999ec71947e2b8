//! Owns the old primary's side on its own host: the fence in its data directory, stopping it and
//! starting it again. Must not judge whether that is safe.
//!
//! The fence is the file that makes a server start as a standby. It is there before the server is
//! told to stop, so that whatever starts it again finds a standby. Its content says which run put
//! it there and how far that run got; the server looks at its name only.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use postgres::Client;
use rustix::process::{Pid, Signal};

use super::Pair;
use crate::engine::EngineError;
use crate::engine::postgres::connect::refused;
use crate::engine::postgres::control::{self, ControlFile};
use crate::engine::postgres::files::cannot;
use crate::engine::postgres::{PostgresSpec, fence, instance, read};
use crate::media::keys::withhold;

const FENCE: &str = "standby.signal";
const OWN_SETTINGS: &str = "postgresql.auto.conf";
const FOLLOWS: &[u8] = b"primary_conninfo";
const MARK: &str = "planc switchover";
const LOG: &str = "planc-switchover.log";

/// How far the run got that fenced a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The standby was not told to take over.
    Fenced,
    /// It may have been.
    Promoting,
}

/// What the fence says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) run: String,
    pub(super) stage: Stage,
}

impl Note {
    fn words(&self) -> String {
        let stage = match self.stage {
            Stage::Fenced => "fenced",
            Stage::Promoting => "promoting",
        };
        format!("{MARK} {} {stage}\n", self.run)
    }

    fn parse(text: &str) -> Option<Self> {
        let (run, stage) = text.trim().strip_prefix(MARK)?.trim().split_once(' ')?;
        let stage = match stage {
            "fenced" => Stage::Fenced,
            "promoting" => Stage::Promoting,
            _ => return None,
        };
        Some(Self {
            run: run.to_owned(),
            stage,
        })
    }
}

/// The data directory of the old primary, on this host.
pub(super) struct Old<'a> {
    spec: &'a PostgresSpec,
    pub(super) data: &'a Path,
}

impl<'a> Old<'a> {
    pub(super) fn of(spec: &'a PostgresSpec) -> Result<Self, EngineError> {
        let data = spec.data_directory.as_deref().ok_or_else(|| {
            EngineError::refused(
                format!("fence {}", spec.service),
                "the inventory gives no `path` of its data directory",
            )
        })?;
        Ok(Self { spec, data })
    }

    /// What the fence says; none where there is none of planc's.
    pub(super) fn note(&self) -> Result<Option<Note>, EngineError> {
        let path = self.data.join(FENCE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Note::parse(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot("read", &path, error)),
        }
    }

    /// Whether it would start as a standby.
    pub(super) fn is_fenced(&self) -> bool {
        self.data.join(FENCE).exists()
    }

    /// Puts the fence up, or notes on it how far the run got; durable when this returns.
    pub(super) fn fence(&self, run: &str, stage: Stage) -> Result<(), EngineError> {
        let note = Note {
            run: run.to_owned(),
            stage,
        };
        fence::place(self.data, FENCE, note.words().as_bytes())
    }

    /// Takes the fence away; durable when this returns.
    pub(super) fn open(&self) -> Result<(), EngineError> {
        fence::remove(&self.data.join(FENCE))?;
        fence::sync(self.data, "")
    }

    pub(super) fn running(&self) -> Result<Option<Pid>, EngineError> {
        instance::running(self.data)
    }

    pub(super) fn control(&self) -> Result<ControlFile, EngineError> {
        read::control_file(&self.data.join(control::PATH))
    }

    /// Makes sure that the server which answers runs on this data directory, on this host: else
    /// another one would be fenced than the one that takes writes.
    pub(super) fn is_here(&self, client: &mut Client) -> Result<(), EngineError> {
        let what = format!("fence {}", self.spec.service);
        if runs_on(self.data, client, &what)? {
            return Ok(());
        }
        let data = self.data.display();
        let cause = format!(
            "the server that answers does not run on {data} of this host: run planc on the host of \
             the old primary"
        );
        Err(EngineError::refused(what, cause))
    }

    /// Sends it a signal. `INT` asks it to stop in order: sessions are ended, standbys get all
    /// that was written.
    pub(super) fn signal(&self, pid: Pid, signal: Signal) -> Result<(), EngineError> {
        let asked = rustix::process::kill_process(pid, signal);
        match asked {
            // it has ended meanwhile
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(EngineError::refused(
                format!("signal {}", self.spec.service),
                format!("{error}: run planc as the owner of the data directory"),
            )),
        }
    }

    /// Starts it with the options it was last started with, and waits until sessions can begin.
    pub(super) fn start(&self, pair: &Pair<'_>) -> Result<(), EngineError> {
        let major = self.control()?.version.major;
        let programs = instance::programs(self.spec.programs.as_deref(), major)?;
        let program = programs.join("pg_ctl");
        let log: PathBuf = self.data.join(LOG);
        let owner = std::fs::metadata(self.data);
        let owner = owner.map_err(|error| cannot("look at", self.data, error))?;
        let mut command = Command::new(&program);
        // of a server that is down, `restart` starts it with the options of its last start
        withhold(&mut command)
            .args(["restart", "-s", "-w", "-t"])
            .arg(pair.patience.as_secs().max(1).to_string())
            .arg("-D")
            .arg(self.data)
            .arg("-l")
            .arg(&log)
            .env_remove("PGDATA")
            .current_dir(self.data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        instance::become_owner(&mut command, &owner);
        let status = command.status();
        let status = status.map_err(|error| cannot("start", &program, error))?;
        if status.success() {
            return Ok(());
        }
        let what = format!("start {}", self.spec.service);
        let cause = format!("look at the server's log and at {}", log.display());
        Err(EngineError::refused(what, cause))
    }

    /// Writes which server it follows.
    pub(super) fn follow(&self, conninfo: &str) -> Result<(), EngineError> {
        let path = self.data.join(OWN_SETTINGS);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(cannot("read", &path, error)),
        };
        let others = text.split_inclusive(|byte| *byte == b'\n');
        let mut text = others
            .filter(|line| !line.starts_with(FOLLOWS))
            .collect::<Vec<_>>()
            .concat();
        let line = format!("primary_conninfo = '{}'\n", conninfo.replace('\'', "''"));
        text.extend_from_slice(line.as_bytes());
        fence::place(self.data, OWN_SETTINGS, &text)
    }
}

/// Whether the server that answers runs on a data directory of this host.
pub(super) fn runs_on(data: &Path, client: &mut Client, what: &str) -> Result<bool, EngineError> {
    let row = client.query_one("select pg_backend_pid()", &[]);
    let pid: i32 = row.map_err(|error| refused(what, &error))?.get(0);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
    let parent = status.ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("PPid:"));
        line.and_then(|id| id.trim().parse().ok())
    });
    let parent: Option<Pid> = parent.and_then(Pid::from_raw);
    Ok(parent.is_some() && parent == instance::running(data)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_says_whose_it_is() {
        for stage in [Stage::Fenced, Stage::Promoting] {
            let note = Note {
                run: "00ff".to_owned(),
                stage,
            };
            assert_eq!(Note::parse(&note.words()), Some(note));
        }
        for other in ["", "planc switchover", "planc switchover 00ff going"] {
            assert_eq!(Note::parse(other), None, "{other}");
        }
    }
}
