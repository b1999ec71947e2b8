//! Owns putting back one lost tablespace of a cluster that is stopped: its part is written where the
//! tablespace was, everything else stays where it is, and the log is replayed from the part's start
//! to its end. Pages that are newer than the log's records are left alone by replay.
//!
//! Unlogged tables of the whole cluster are emptied, as after a crash. The cluster goes on with a
//! new timeline.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::component::{Component, Place};
use super::files::cannot;
use super::history::History;
use super::lsn::{Lsn, Segment, SegmentSize, Timeline};
use super::notes::{LABEL, PartNotes};
use super::replay::{Replay, Replayed};
use super::target::Target;
use super::write::Writer;
use super::{PostgresSpec, control, instance, read, scope, sound};
use crate::engine::{EndedBackup, EngineError, Entry, LogRange, RestoreSession};
use crate::facts::holdings::Position;
use crate::graph::step::RecoveryTarget;

/// How long a replay may take.
const PATIENCE: Duration = Duration::from_hours(24);

/// A tablespace that is being put back.
pub struct TablespaceRestore {
    spec: PostgresSpec,
    data: PathBuf,
    staging: PathBuf,
    component: Component,
    /// Where it goes instead of its old place.
    place: Option<PathBuf>,
    part: Option<PartNotes>,
    writer: Writer,
    at_least: Lsn,
    newest: Option<Lsn>,
    replayed: Option<Replayed>,
}

impl TablespaceRestore {
    /// Judges that the cluster in `data` is stopped; changes nothing. `staging` takes log.
    ///
    /// # Errors
    /// When the server runs, or the component is no tablespace.
    pub fn new(
        spec: PostgresSpec,
        data: &Path,
        component: &str,
        place: Option<&Path>,
        staging: &Path,
    ) -> Result<Self, EngineError> {
        let component = Component::parse(component)?;
        if !matches!(component, Component::Tablespace(_)) {
            return Err(refuse("only a tablespace can be put back alone".to_owned()));
        }
        check_stopped(data)?;
        let file = read::control_file(&data.join(control::PATH))?;
        Ok(Self {
            spec,
            data: data.to_owned(),
            staging: staging.to_owned(),
            component,
            place: place.map(Path::to_owned),
            part: None,
            writer: Writer::new(),
            // the checkpoint's record must be replayed, too: the other files are as new as it
            at_least: Lsn(file.checkpoint.0 + 1),
            newest: None,
            replayed: None,
        })
    }

    /// Judges that a part fits, and claims the place.
    fn judge(&self, notes: &PartNotes) -> Result<(), EngineError> {
        let Place::Tablespace { name, .. } = &notes.place else {
            return Err(refuse("the part is none of a tablespace".to_owned()));
        };
        if Component::Tablespace(name.clone()) != self.component {
            return Err(refuse(format!("the part is of tablespace {name}")));
        }
        let file = read::control_file(&self.data.join(control::PATH))?;
        if file.system_identifier != notes.system_identifier {
            return Err(refuse(format!(
                "the part is of system {}, the cluster is system {}",
                notes.system_identifier, file.system_identifier
            )));
        }
        check_history(&self.data, notes, file.timeline)?;
        let programs = self.spec.programs.as_deref();
        instance::programs(programs, notes.version_num / 10_000)?;
        scope::claim(&self.place_of(notes))
    }

    fn place_of(&self, notes: &PartNotes) -> PathBuf {
        match (&self.place, &notes.place) {
            (Some(place), _) => place.clone(),
            (None, Place::Tablespace { path, .. }) => PathBuf::from(path),
            (None, _) => PathBuf::new(),
        }
    }

    fn notes(&self) -> Result<&PartNotes, EngineError> {
        let missing = || refuse("no part was given".to_owned());
        self.part.as_ref().ok_or_else(missing)
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.writer.bytes()
    }

    /// How the recovery ended, once it has.
    #[must_use]
    pub fn replayed(&self) -> Option<&Replayed> {
        self.replayed.as_ref()
    }

    /// Replays the log to its end and stops the server again; `scratch` is a folder for its words.
    ///
    /// # Errors
    /// [`EngineError::NotReached`] when the log ends before what the other files hold.
    pub fn recover(&self, restore_command: &str, scratch: &Path) -> Result<Replayed, EngineError> {
        let notes = self.notes()?;
        self.link(notes)?;
        let file = read::control_file(&self.data.join(control::PATH))?;
        let mut raised = file.clone();
        let done = raised.raise_min_recovery(self.at_least, file.timeline);
        done.map_err(|error| error.of(control::PATH))?;
        self.write(&self.data.join(control::PATH), raised.bytes())?;
        self.write(&self.data.join(LABEL), notes.label_text.as_bytes())?;
        self.write(&self.data.join("recovery.signal"), b"")?;
        self.writer.own(scratch)?;
        let programs = self.spec.programs.as_deref();
        let user = self.spec.connect.get("user");
        let replay = Replay {
            programs: instance::programs(programs, notes.version_num / 10_000)?,
            data: self.data.clone(),
            scratch: scratch.to_owned(),
            restore_command: restore_command.to_owned(),
            target: Target::Latest,
            at_least: self.at_least,
            patience: PATIENCE,
            user: user.cloned().unwrap_or_else(|| "postgres".to_owned()),
            keeps_log: true,
        };
        replay.run(|instance| sound::check(instance, &self.data, &[]))
    }

    /// Makes the link to the tablespace lead to its place.
    fn link(&self, notes: &PartNotes) -> Result<(), EngineError> {
        let Place::Tablespace { oid, .. } = &notes.place else {
            return Ok(());
        };
        let place = self.place_of(notes);
        let link = self.data.join(format!("pg_tblspc/{oid}"));
        if std::fs::read_link(&link).is_ok_and(|there| there == place) {
            return Ok(());
        }
        if std::fs::symlink_metadata(&link).is_ok() {
            let removed = std::fs::remove_file(&link);
            removed.map_err(|error| cannot("replace", &link, error))?;
        }
        let made = std::os::unix::fs::symlink(&place, &link);
        made.map_err(|error| cannot("create", &link, error))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
        std::fs::write(path, bytes).map_err(|error| cannot("write", path, error))?;
        self.writer.own(path)
    }

    fn log(&self) -> Result<PathBuf, EngineError> {
        let log = self.staging.join("log");
        let made = std::fs::create_dir_all(&log);
        made.map_err(|error| cannot("create", &log, error))?;
        for folder in [&self.staging, &log] {
            self.writer.own(folder)?;
        }
        Ok(log)
    }
}

impl RestoreSession for TablespaceRestore {
    fn begin_part(&mut self, ended: &EndedBackup) -> Result<(), EngineError> {
        let notes = PartNotes::parse(ended)?;
        self.judge(&notes)?;
        if let Place::Tablespace { oid, .. } = &notes.place {
            let place = self.place_of(&notes);
            self.writer.map(&format!("pg_tblspc/{oid}"), &place);
        }
        self.part = Some(notes);
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), EngineError> {
        self.writer.entry(entry)
    }

    fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), EngineError> {
        self.writer.data(offset, bytes)
    }

    fn close(&mut self, length: u64) -> Result<(), EngineError> {
        self.writer.close(length)
    }

    fn finish_part(&mut self, _ended: &EndedBackup) -> Result<(), EngineError> {
        Ok(())
    }

    fn history(&mut self, incarnation: &str, text: &[u8]) -> Result<(), EngineError> {
        let path = self.log()?.join(format!("{incarnation}.history"));
        self.write(&path, text)
    }

    fn apply(&mut self, range: &LogRange, _until: &RecoveryTarget) -> Result<bool, EngineError> {
        let wrong = |error: super::FormatError| error.of("a log segment");
        let (timeline, start) = Timeline::of(&range.from).map_err(wrong)?;
        let length = u32::try_from(range.payload.len()).unwrap_or(0);
        let size = SegmentSize::new(length).map_err(wrong)?;
        let segment = Segment::holding(timeline, start, size);
        let path = self.log()?.join(segment.name(size));
        self.write(&path, &range.payload)?;
        self.newest = Some(Lsn(range.until.value));
        Ok(false)
    }

    /// What is not archived yet lies in the cluster's own folder; the server takes it from there.
    fn reach(&mut self, _until: &RecoveryTarget, _reached: bool) -> Result<bool, EngineError> {
        let log = self.log()?;
        let handed = format!("cp '{}/%f' '%p'", log.display());
        let replayed = self.recover(&handed, &self.staging.clone())?;
        self.replayed = Some(replayed);
        Ok(true)
    }

    fn position(&self) -> Option<Position> {
        let replayed = self.replayed.as_ref()?;
        Some(replayed.timeline.at(replayed.ended))
    }

    fn check(&mut self) -> Result<(), EngineError> {
        if self.replayed.is_none() {
            self.reach(&RecoveryTarget::Latest, true)?;
        }
        let place = self.place_of(self.notes()?);
        scope::release(&place)
    }

    fn warnings(&self) -> Vec<String> {
        vec![format!(
            "{} bytes were put back; the cluster is stopped and begins with a history of its own: \
             start it, then take a full copy",
            self.bytes()
        )]
    }

    fn result(&self) -> PathBuf {
        self.data.clone()
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
