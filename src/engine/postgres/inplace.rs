//! Owns putting back what is lost of a cluster that is stopped: a tablespace, files, pages or the
//! control file are written where they were, everything else stays where it is, and the log is
//! replayed from the part's start to its end. Pages that are newer than the log's records are left
//! alone by replay.
//!
//! Unlogged tables of the whole cluster are emptied, as after a crash. The cluster goes on with a
//! new timeline.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::component::{Component, Place};
use super::control::ControlFile;
use super::files::cannot;
use super::handover::{self, Handover};
use super::lsn::{Lsn, Timeline};
use super::notes::{LABEL, PartNotes};
use super::pieces::Pieces;
use super::replay::{Replay, Replayed};
use super::target::Target;
use super::write::Writer;
use super::{
    PostgresSpec, assemble, base, control, fence, ground, instance, leads, positions, read, scope,
    sound, spoilt,
};
use crate::durable;
use crate::engine::restore::WHOLE;
use crate::engine::{
    EndedBackup, EngineError, Entry, GoOn, LogRange, Lost, RestoreSession, Wanted,
};
use crate::facts::holdings::Position;
use crate::graph::step::RecoveryTarget;

/// How long a replay may take.
const PATIENCE: Duration = Duration::from_hours(24);

/// What is put back.
enum What {
    /// A tablespace, at another place if one is given.
    Tablespace(Option<PathBuf>),
    /// Files, or pages of them.
    Files(Pieces),
}

/// A piece of a cluster that is being put back.
pub struct InPlaceRestore {
    spec: PostgresSpec,
    data: PathBuf,
    staging: PathBuf,
    handover: Handover,
    component: Component,
    what: What,
    part: Option<(PartNotes, EndedBackup)>,
    writer: Writer,
    /// An earlier try was killed when all was done.
    whole: bool,
    /// Replay that ends before this is none: the other files are as new.
    at_least: Lsn,
    timeline: Option<Timeline>,
    /// Are the pages of the cluster protected by checksums?
    checksums: bool,
    replayed: Option<Replayed>,
    told: Vec<String>,
    go_on: GoOn,
}

impl InPlaceRestore {
    /// Judges that the cluster in `data` is stopped; changes nothing. `staging` takes log.
    ///
    /// # Errors
    /// When the server runs, or what is lost cannot be put back alone.
    pub fn new(
        spec: PostgresSpec,
        data: &Path,
        lost: &Lost,
        staging: &Path,
    ) -> Result<Self, EngineError> {
        let (component, what) = what(lost)?;
        instance::check_stopped(data)?;
        let before = fence::before(data);
        let control_lost = matches!(&what, What::Files(pieces) if pieces.names(control::PATH));
        if before.is_none() && !control_lost {
            // says what is wrong with it
            read::control_file(&data.join(control::PATH))?;
        }
        let writer = match &what {
            What::Tablespace(_) => Writer::new(),
            What::Files(_) => Writer::over(),
        };
        Ok(Self {
            spec,
            data: data.to_owned(),
            staging: staging.to_owned(),
            handover: Handover::new(staging.join("log"))?,
            component,
            what,
            part: None,
            writer,
            whole: false,
            at_least: before.as_ref().map_or(Lsn(0), least),
            checksums: before.as_ref().is_some_and(|file| file.checksums),
            timeline: before.map(|file| file.timeline),
            replayed: None,
            told: Vec::new(),
            go_on: GoOn::default(),
        })
    }

    /// Judges that a part fits.
    fn judge(&self, notes: &PartNotes) -> Result<(), EngineError> {
        let of = match &notes.place {
            Place::Base => Component::Base,
            Place::Tablespace { name, .. } => Component::Tablespace(name.clone()),
            Place::Database { name, .. } => Component::Database(name.clone()),
        };
        if of != self.component {
            return Err(refuse(format!("the part is of {}", words(&of))));
        }
        ground::check_owner(&self.data, notes)?;
        if let Some(timeline) = self.timeline {
            check_history(&self.data, notes, timeline)?;
        }
        let programs = self.spec.programs.as_deref();
        instance::programs(programs, notes.version_num / 10_000)?;
        Ok(())
    }

    /// Claims what will be written, and fences the cluster until it is whole again.
    fn claim(&mut self, notes: &PartNotes) -> Result<(), EngineError> {
        let place = self.place_of(notes);
        match &mut self.what {
            What::Tablespace(_) if self.staging.join(WHOLE).exists() => {
                self.whole = true;
                return Ok(());
            }
            What::Tablespace(_) => {
                scope::claim(&place)?;
                self.writer.map(&notes.place.folder(), &place);
            }
            What::Files(pieces) => {
                pieces.within(&notes.place.folder());
                if pieces.names(control::PATH) {
                    self.judge_control(notes)?;
                }
                self.writer.map("", &self.data);
                self.writer
                    .map(control::PATH, &self.staging.join("pg_control"));
            }
        }
        fence::shut(&self.data)
    }

    /// Reads how new all files are: the control file that comes must be led at least that far.
    fn judge_control(&mut self, notes: &PartNotes) -> Result<(), EngineError> {
        let newest = positions::newest(&self.data, notes.version_num)?;
        let held = fence::before(&self.data);
        let held = held.map_or_else(
            || "no readable control file".to_owned(),
            |file| format!("the control file at {}", file.checkpoint),
        );
        let folder = newest.iter().max_by_key(|(_, lsn)| **lsn);
        if let Some((folder, lsn)) = folder {
            self.at_least = self.at_least.max(*lsn);
            self.told
                .push(format!("found {held}, pages up to {lsn} in {folder}"));
        }
        Ok(())
    }

    fn place_of(&self, notes: &PartNotes) -> PathBuf {
        match (&self.what, &notes.place) {
            (What::Tablespace(Some(place)), _) => place.clone(),
            (_, Place::Tablespace { path, .. }) => PathBuf::from(path),
            _ => self.data.clone(),
        }
    }

    /// Do pages come without checksums into a cluster whose pages have them?
    fn is_unsummed(&self) -> bool {
        self.checksums && self.notes().is_ok_and(|part| !part.checksums)
    }

    fn notes(&self) -> Result<&PartNotes, EngineError> {
        let missing = || refuse("no part was given".to_owned());
        self.part
            .as_ref()
            .map(|(notes, _)| notes)
            .ok_or_else(missing)
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
        let (mut file, timeline) = self.control()?;
        let raised = file.raise_min_recovery(self.at_least, timeline);
        raised.map_err(|error| error.of(control::PATH))?;
        if notes.label.from_standby {
            let said = file.in_archive_recovery();
            said.map_err(|error| error.of(control::PATH))?;
        }
        if self.is_unsummed() {
            let said = file.without_checksums();
            said.map_err(|error| error.of(control::PATH))?;
        }
        self.write(&self.data.join(LABEL), notes.label_text.as_bytes())?;
        self.write(&self.data.join("recovery.signal"), b"")?;
        fence::reopen(&self.data, &file)?;
        self.writer.own(&self.data.join(control::PATH))?;
        self.writer.own(scratch)?;
        let programs = self.spec.programs.as_deref();
        let user = self.spec.connect.get("user");
        let replay = Replay {
            programs: instance::programs(programs, notes.version_num / 10_000)?,
            data: self.data.clone(),
            log: None,
            scratch: scratch.to_owned(),
            restore_command: restore_command.to_owned(),
            target: Target::Latest,
            timeline: None,
            at_least: self.at_least,
            patience: PATIENCE,
            user: user.cloned().unwrap_or_else(|| "postgres".to_owned()),
            go_on: self.go_on.clone(),
            keeps_log: true,
            passing: false,
        };
        replay.run(|instance| sound::check(instance, &self.data, &BTreeMap::new()))
    }

    /// The control file to go on with, and the timeline that the other files are on.
    fn control(&self) -> Result<(ControlFile, Timeline), EngineError> {
        let new = self.staging.join("pg_control");
        let file = if new.exists() {
            read::control_file(&new)?
        } else {
            match fence::before(&self.data) {
                Some(file) => file,
                None => read::control_file(&self.data.join(control::PATH))?,
            }
        };
        let timeline = self.timeline.unwrap_or(file.timeline);
        Ok((file, timeline))
    }

    /// Makes the link to the tablespace lead to its place.
    fn link(&self, notes: &PartNotes) -> Result<(), EngineError> {
        let (What::Tablespace(_), Place::Tablespace { oid, .. }) = (&self.what, &notes.place)
        else {
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
        let made = std::os::unix::fs::symlink(&place, &link)
            .and_then(|()| durable::sync_folder(durable::parent(&link)));
        made.map_err(|error| cannot("create", &link, error))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
        let written = durable::replace(path, |file| file.write_all(bytes));
        written.map_err(|error| cannot("write", path, error))?;
        self.writer.own(path)
    }
}

impl RestoreSession for InPlaceRestore {
    fn follows(&self, stored: &Position) -> Result<(), EngineError> {
        let before = fence::before(&self.data);
        let Some(size) = before.map(|file| file.wal_segment_size) else {
            return Ok(());
        };
        leads::check(&self.data, Lsn(stored.value), self.at_least, size)
    }

    fn heed(&mut self, go_on: &GoOn) {
        self.go_on = go_on.clone();
    }

    fn begin_part(&mut self, ended: &EndedBackup) -> Result<(), EngineError> {
        let notes = PartNotes::parse(ended)?;
        // what builds on the part before goes over it, where that was put
        if self.part.is_none() || base::start_of_base(ended)?.is_none() {
            self.judge(&notes)?;
            self.claim(&notes)?;
        }
        if !self.whole {
            self.writer.begin_part(&notes, ended)?;
        }
        self.part = Some((notes, ended.clone()));
        Ok(())
    }

    fn wanted(&mut self, entry: &Entry) -> Result<Wanted, EngineError> {
        Ok(match &self.what {
            What::Tablespace(_) if self.whole => Wanted::Name,
            What::Tablespace(_) => Wanted::Whole,
            What::Files(pieces) => pieces.wanted(&entry.path),
        })
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), EngineError> {
        match &mut self.what {
            What::Tablespace(_) if self.whole => Ok(()),
            What::Tablespace(_) => self.writer.entry(entry),
            What::Files(pieces) => pieces.entry(entry, &mut self.writer),
        }
    }

    fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), EngineError> {
        match &self.what {
            What::Tablespace(_) => self.writer.data(offset, bytes),
            What::Files(pieces) => pieces.data(offset, bytes, &mut self.writer),
        }
    }

    fn close(&mut self, length: u64) -> Result<(), EngineError> {
        match &mut self.what {
            What::Tablespace(_) if self.whole => Ok(()),
            What::Tablespace(_) => self.writer.close(length),
            What::Files(pieces) => pieces.close(length, &mut self.writer),
        }
    }

    fn finish_part(&mut self, _ended: &EndedBackup) -> Result<(), EngineError> {
        if let What::Files(pieces) = &self.what {
            self.told.extend(pieces.finish(&self.data)?);
        }
        if self.whole {
            return Ok(());
        }
        self.writer.finish_part()
    }

    fn history(&mut self, incarnation: &str, text: &[u8]) -> Result<(), EngineError> {
        let name = format!("{incarnation}.history");
        self.handover.give(&name, text, &self.writer)
    }

    fn apply(&mut self, range: &LogRange, _until: &RecoveryTarget) -> Result<bool, EngineError> {
        let (segment, size) = handover::segment_of(range)?;
        let name = segment.name(size);
        self.handover.give(&name, &range.payload, &self.writer)?;
        Ok(false)
    }

    /// What is not archived yet lies in the cluster's own folder; the server takes it from there.
    fn reach(&mut self, _until: &RecoveryTarget, _reached: bool) -> Result<bool, EngineError> {
        if self.whole {
            return Ok(true);
        }
        self.handover.end()?;
        self.writer.own(&self.staging)?;
        self.handover.own(&self.writer)?;
        let handed = self.handover.command();
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
        match &self.what {
            What::Tablespace(_) => {
                let note = self.staging.join(WHOLE);
                durable::note(&note).map_err(|error| cannot("write", &note, error))?;
                scope::release(&self.place_of(self.notes()?))?;
            }
            What::Files(pieces) => pieces.check(&self.data)?,
        }
        let spoilt = spoilt::left(&self.data, self.part.iter())?;
        self.told.extend(spoilt::told(&spoilt));
        fence::forget(&self.data)
    }

    fn warnings(&self) -> Vec<String> {
        let mut told = self.told.clone();
        if self.is_unsummed() {
            told.push(assemble::told_unsummed(&words(&self.component)));
        }
        told.push(format!(
            "{} bytes were put back; the cluster is stopped and begins with a history of its own: \
             start it, then take a full copy",
            self.bytes()
        ));
        told
    }

    fn result(&self) -> PathBuf {
        self.data.clone()
    }
}

/// Reads what is lost.
fn what(lost: &Lost) -> Result<(Component, What), EngineError> {
    match lost {
        Lost::Component { component, place } => match Component::parse(component)? {
            tablespace @ Component::Tablespace(_) => {
                Ok((tablespace, What::Tablespace(place.clone())))
            }
            _ => Err(refuse("only a tablespace can be put back alone".to_owned())),
        },
        Lost::Files { component, files } => {
            let pieces = Pieces::parse(files).map_err(|error| error.of("what is lost"))?;
            Ok((Component::parse(component)?, What::Files(pieces)))
        }
        Lost::Differing => Err(refuse("nothing is named".to_owned())),
    }
}

/// What the other files hold: the checkpoint's record must be replayed, too, and what an earlier
/// recovery that did not end had to reach.
fn least(file: &ControlFile) -> Lsn {
    let reached = file.min_recovery.map_or(Lsn(0), |(lsn, _)| lsn);
    reached.max(Lsn(file.checkpoint.0 + 1))
}

fn words(component: &Component) -> String {
    match component {
        Component::Base => "base".to_owned(),
        Component::Tablespace(name) => format!("tablespace {name}"),
        Component::Database(name) => format!("database {name}"),
    }
}

/// The part must be of the cluster's own history.
fn check_history(data: &Path, notes: &PartNotes, now: Timeline) -> Result<(), EngineError> {
    let history = read::history(data, now)?;
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
    EngineError::refused("put back what is lost", cause)
}
