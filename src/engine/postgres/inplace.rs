//! Owns putting back one lost tablespace of a cluster that is stopped: its part is written where the
//! tablespace was, everything else stays where it is, and the log is replayed from the part's start
//! to its end. Pages that are newer than the log's records are left alone by replay.
//!
//! Unlogged tables of the whole cluster are emptied, as after a crash. The cluster goes on with a
//! new timeline.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::component::Place;
use super::files::cannot;
use super::history::History;
use super::lsn::Lsn;
use super::notes::{LABEL, PartNotes};
use super::replay::{self, Replay, Replayed};
use super::target::Target;
use super::write::Writer;
use super::{PostgresSpec, control, read};
use crate::engine::{EndedBackup, EngineError, Entry};

/// How long a replay may take.
const PATIENCE: Duration = Duration::from_hours(24);

/// A tablespace that is being put back.
pub struct TablespaceRestore {
    spec: PostgresSpec,
    data: PathBuf,
    notes: PartNotes,
    writer: Writer,
    at_least: Lsn,
}

impl TablespaceRestore {
    /// Judges that the part fits the stopped cluster in `data`; changes nothing.
    ///
    /// # Errors
    /// When the server runs, the part is another cluster's, of another history or no tablespace,
    /// or something lies where the tablespace was.
    pub fn new(spec: PostgresSpec, data: &Path, ended: &EndedBackup) -> Result<Self, EngineError> {
        let notes = PartNotes::parse(ended)?;
        let Place::Tablespace { oid, path, .. } = &notes.place else {
            return Err(refuse("the part is none of a tablespace".to_owned()));
        };
        check_stopped(data)?;
        let file = read::control_file(&data.join(control::PATH))?;
        if file.system_identifier != notes.system_identifier {
            return Err(refuse(format!(
                "the part is of system {}, the cluster is system {}",
                notes.system_identifier, file.system_identifier
            )));
        }
        check_history(data, &notes, file.timeline)?;
        super::files::check_empty(Path::new(path))?;
        let mut writer = Writer::new();
        writer.map(&format!("pg_tblspc/{oid}"), Path::new(path));
        // the checkpoint's record must be replayed, too: the other files are as new as it
        let at_least = Lsn(file.checkpoint.0 + 1);
        Ok(Self {
            spec,
            data: data.to_owned(),
            notes,
            writer,
            at_least,
        })
    }

    /// Receives one entry of the part.
    ///
    /// # Errors
    /// When the name leads out of the tablespace or the folder refuses.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), EngineError> {
        self.writer.entry(entry)
    }

    /// Writes bytes of the entry announced last.
    ///
    /// # Errors
    /// When the folder refuses.
    pub fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), EngineError> {
        self.writer.data(offset, bytes)
    }

    /// Ends the entry announced last.
    ///
    /// # Errors
    /// When the folder refuses.
    pub fn close(&mut self, length: u64) -> Result<(), EngineError> {
        self.writer.close(length)
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.writer.bytes()
    }

    /// Replays the log to its end and stops the server again; `scratch` is an empty folder.
    ///
    /// # Errors
    /// [`EngineError::NotReached`] when the log ends before what the other files hold.
    pub fn recover(&self, restore_command: &str, scratch: &Path) -> Result<Replayed, EngineError> {
        self.link()?;
        let file = read::control_file(&self.data.join(control::PATH))?;
        let mut raised = file.clone();
        let done = raised.raise_min_recovery(self.at_least, file.timeline);
        done.map_err(|error| error.of(control::PATH))?;
        self.write(control::PATH, raised.bytes())?;
        self.write(LABEL, self.notes.label_text.as_bytes())?;
        self.write("recovery.signal", b"")?;
        self.writer.own(scratch)?;
        let programs = self.spec.programs.as_deref();
        let user = self.spec.connect.get("user");
        let replay = Replay {
            programs: replay::programs(programs, self.notes.version_num / 10_000)?,
            data: self.data.clone(),
            scratch: scratch.to_owned(),
            restore_command: restore_command.to_owned(),
            target: Target::Latest,
            at_least: self.at_least,
            patience: PATIENCE,
            user: user.cloned().unwrap_or_else(|| "postgres".to_owned()),
        };
        replay.run(|_| Ok(()))
    }

    /// Makes the link to the tablespace again if it is gone.
    fn link(&self) -> Result<(), EngineError> {
        let Place::Tablespace { oid, path, .. } = &self.notes.place else {
            return Ok(());
        };
        let link = self.data.join(format!("pg_tblspc/{oid}"));
        if std::fs::symlink_metadata(&link).is_ok() {
            return Ok(());
        }
        let made = std::os::unix::fs::symlink(path, &link);
        made.map_err(|error| cannot("create", &link, error))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), EngineError> {
        let path = self.data.join(name);
        std::fs::write(&path, bytes).map_err(|error| cannot("write", &path, error))?;
        self.writer.own(&path)
    }
}

/// A server that runs must be stopped by its operator.
fn check_stopped(data: &Path) -> Result<(), EngineError> {
    let path = data.join("postmaster.pid");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot("read", &path, error)),
    };
    let pid = text
        .lines()
        .next()
        .and_then(|line| line.trim().parse().ok());
    let alive = pid
        .and_then(rustix::process::Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok());
    if alive {
        return Err(refuse("the server runs: stop it first".to_owned()));
    }
    Ok(())
}

/// The part must be of the cluster's own history.
fn check_history(
    data: &Path,
    notes: &PartNotes,
    now: super::lsn::Timeline,
) -> Result<(), EngineError> {
    let history = if now.number() == 1 {
        History::first(now)
    } else {
        let path = data.join(format!("pg_wal/{now}.history"));
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| cannot("read", &path, error))?;
        History::parse(now, &text).map_err(|error| error.of(path.display()))?
    };
    if history.contains(notes.label.timeline, notes.label.start) {
        return Ok(());
    }
    Err(refuse(format!(
        "the part begins at {} on timeline {}, which the cluster's timeline {} left before",
        notes.label.start,
        notes.label.timeline.number(),
        now.number()
    )))
}

fn refuse(cause: String) -> EngineError {
    EngineError::Refused {
        what: "put back a tablespace".to_owned(),
        cause,
    }
}
