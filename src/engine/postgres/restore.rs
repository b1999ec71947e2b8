//! Owns a cluster that is being put together in a staging folder: files of its parts, the label of
//! the oldest, the raised control file, and the log handed over segment by segment.
//!
//! A copy that is built aside replays while log is fetched, once it is foreseen where it ends. On a
//! damaged folder all log is there before the server begins.
//!
//! Layout of the staging folder: `cluster/data`, `cluster/tablespaces/OID` (the result: links
//! between them are relative, so the folder can be renamed as a whole), `log` (segments and
//! histories) and `scratch` (log of the server that replays). Tablespaces that move lie where
//! they go from the beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::assemble::{Assembly, told_unsummed};
use super::blank::{self, Blank};
use super::connect::refused;
use super::control::{self, ControlFile};
use super::crossing::Unfinished;
use super::files::cannot;
use super::ground::Ground;
use super::handover::{self, Handover};
use super::hollow::Hollow;
use super::instance::Instance;
use super::lsn::{Lsn, Segment, Timeline};
use super::notes::{LABEL, MAP, PartNotes};
use super::replay::{Replay, Replayed};
use super::scope::Scope;
use super::target::Target;
use super::write::Writer;
use super::{
    FormatError, PostgresSpec, aside, base, fence, foresight, instance, prepared, read, sound,
    spoilt, subscribed,
};
use crate::durable;
use crate::engine::{EndedBackup, EngineError, Entry, GoOn, LogRange, RestoreSession, Wanted};
use crate::facts::holdings::Position;
use crate::graph::step::RecoveryTarget;

/// How long a replay may take.
const PATIENCE: Duration = Duration::from_hours(24);
/// How often a server that has enough log is looked at.
const PAUSE: Duration = Duration::from_millis(20);
/// In the restored cluster no log is archived until an operator says where.
const UNARCHIVED: &str = "\n# set by the recovery: run ALTER SYSTEM RESET archive_mode\n\
                          # once the log has a place of its own\narchive_mode = 'off'\n";

/// Where the control file waits until everything else lies in a damaged folder.
const CONTROL: &str = "pg_control";

/// What becomes of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is looked at as it is, or goes on in its old place.
    Rehearsed,
    /// Something is taken out of it: it need not outlive a crash of the host.
    Dropped,
    /// It gets a name of its own.
    Kept,
}

/// A cluster that is being restored.
pub struct ClusterRestore {
    spec: PostgresSpec,
    root: PathBuf,
    writer: Writer,
    parts: Vec<(PartNotes, EndedBackup)>,
    scope: Scope,
    /// What lacks its content.
    hollow: Hollow,
    /// Tablespaces that the log makes.
    made: BTreeSet<u32>,
    /// Pages that are damaged as their parts hold them.
    spoilt: Vec<String>,
    /// What is to be done before the copy is used.
    to_do: Vec<String>,
    until: RecoveryTarget,
    /// A record behind the target was seen.
    beyond: bool,
    /// The log that was given goes beyond the target.
    covered: bool,
    before: Option<(Lsn, Lsn)>,
    /// The last record of the segment that was looked into last: it ends in the next one.
    unfinished: Option<Unfinished>,
    newest: Option<Segment>,
    handover: Handover,
    /// Log on its way to the server of a copy that lacks databases and is dropped soon.
    blank: Blank,
    /// Where the log ends and what the server is told to end at, when that is known beforehand.
    goal: Option<(Target, Timeline)>,
    /// The server that replays, and since when.
    running: Option<(Instance, Instant)>,
    /// How long it replayed while log was still coming.
    alongside: Duration,
    replayed: Option<Replayed>,
    restore_command: Option<String>,
    target: Option<Target>,
    fate: Fate,
    /// The damaged folder that is restored onto; none when the copy is built aside.
    ground: Option<Ground>,
    go_on: GoOn,
}

impl ClusterRestore {
    /// Begins in an empty folder.
    ///
    /// # Errors
    /// When the folder refuses.
    pub fn new(spec: PostgresSpec, staging: &Path) -> Result<Self, EngineError> {
        let mut restore = Self::within(spec, staging)?;
        for folder in ["cluster/data", "cluster/tablespaces"] {
            let folder = restore.root.join(folder);
            let made = std::fs::create_dir_all(&folder);
            made.map_err(|error| cannot("create", &folder, error))?;
        }
        let (data, tablespaces) = ("cluster/data", "cluster/tablespaces");
        restore.writer.map("", &restore.root.join(data));
        let tablespaces = restore.root.join(tablespaces);
        restore.writer.map("pg_tblspc/", &tablespaces);
        Ok(restore)
    }

    /// Begins on the damaged data directory of the stopped cluster: only what differs from the
    /// parts will be written. `staging` is an empty folder for the log.
    ///
    /// # Errors
    /// When the directory is in use or none of a cluster.
    pub fn onto(spec: PostgresSpec, data: &Path, staging: &Path) -> Result<Self, EngineError> {
        let ground = Ground::find(&spec, data)?;
        let mut restore = Self::within(spec, staging)?;
        restore.writer = Writer::over();
        restore.writer.map("", data);
        restore
            .writer
            .map(control::PATH, &restore.root.join(CONTROL));
        restore.ground = Some(ground);
        Ok(restore)
    }

    /// With a place for log and words of the server, and none for the cluster yet.
    fn within(spec: PostgresSpec, staging: &Path) -> Result<Self, EngineError> {
        let root = std::path::absolute(staging);
        let root = root.map_err(|error| cannot("find", staging, error))?;
        let scratch = root.join("scratch");
        let made = std::fs::create_dir_all(&scratch);
        made.map_err(|error| cannot("create", &scratch, error))?;
        Ok(Self {
            spec,
            handover: Handover::new(root.join("log"))?,
            root,
            writer: Writer::new(),
            parts: Vec::new(),
            scope: Scope::default(),
            hollow: Hollow::default(),
            made: BTreeSet::new(),
            spoilt: Vec::new(),
            to_do: Vec::new(),
            until: RecoveryTarget::Latest,
            beyond: false,
            covered: false,
            before: None,
            unfinished: None,
            newest: None,
            blank: Blank::default(),
            goal: None,
            running: None,
            alongside: Duration::ZERO,
            replayed: None,
            restore_command: None,
            target: None,
            fate: Fate::Rehearsed,
            ground: None,
            go_on: GoOn::default(),
        })
    }

    /// Takes the log by this command (`planc log fetch %f %p`) instead of ranges handed over.
    pub fn fetch_by(&mut self, restore_command: &str) {
        self.restore_command = Some(restore_command.to_owned());
    }

    /// Ends at a target that only PostgreSQL has: a transaction id, a restore point.
    pub fn end_at(&mut self, target: Target) {
        self.target = Some(target);
    }

    /// How the recovery ended, once it has.
    #[must_use]
    pub fn replayed(&self) -> Option<&Replayed> {
        self.replayed.as_ref()
    }

    /// The data directory.
    #[must_use]
    pub fn data_directory(&self) -> PathBuf {
        match &self.ground {
            Some(ground) => ground.data().to_owned(),
            None => self.root.join("cluster/data"),
        }
    }

    /// Writes what the parts need to be one cluster.
    fn assemble(&self, assembly: &Assembly) -> Result<(), EngineError> {
        let data = self.data_directory();
        self.write(&data.join(LABEL), assembly.label.as_bytes())?;
        match &self.ground {
            Some(ground) => {
                let mut tablespaces = assembly.tablespaces.iter();
                tablespaces.try_for_each(|tablespace| ground.connect(tablespace))?;
            }
            None => self.place_tablespaces(assembly)?,
        }
        if self.ground.is_none() {
            self.unarchived()?;
        }
        self.write(&data.join("recovery.signal"), b"")?;
        // last: with it the folder looks whole
        self.raise(assembly)?;
        let mode = if assembly.group_access { 0o750 } else { 0o700 };
        let done = std::fs::set_permissions(&data, Permissions::from_mode(mode));
        done.map_err(|error| cannot("change", &data, error))?;
        for folder in ["", "scratch"] {
            self.writer.own(&self.root.join(folder))?;
        }
        self.handover.own(&self.writer)?;
        if self.ground.is_none() {
            for folder in ["cluster", "cluster/data", "cluster/tablespaces"] {
                self.writer.own(&self.root.join(folder))?;
            }
        }
        Ok(())
    }

    /// Makes the folders of tablespaces and the map that leads to them.
    fn place_tablespaces(&self, assembly: &Assembly) -> Result<(), EngineError> {
        let data = self.data_directory();
        for tablespace in &assembly.tablespaces {
            let inside = format!("cluster/tablespaces/{}", tablespace.oid);
            let folder = self.scope.place(tablespace.oid);
            let folder = folder.map_or_else(|| self.root.join(inside), Path::to_owned);
            let made = std::fs::create_dir_all(&folder);
            made.map_err(|error| cannot("create", &folder, error))?;
            self.writer.own(&folder)?;
        }
        aside::put_inside(&self.root, &assembly.tablespaces)?;
        let map = assembly.map(|tablespace| {
            let moved = self.scope.place(tablespace.oid);
            moved.map_or_else(
                || aside::link(tablespace.oid),
                |place| place.display().to_string(),
            )
        });
        if !map.is_empty() {
            self.write(&data.join(MAP), map.as_bytes())?;
        }
        Ok(())
    }

    /// Makes the server replay to where all parts agree.
    fn raise(&self, assembly: &Assembly) -> Result<(), EngineError> {
        let data = self.data_directory();
        let path = match &self.ground {
            Some(_) => self.root.join(CONTROL),
            None => data.join(control::PATH),
        };
        let mut file = read::control_file(&path)?;
        self.check_control(&file, assembly)?;
        let raised = file.raise_min_recovery(assembly.stop, assembly.stop_timeline);
        raised.map_err(|error| error.of(path.display()))?;
        if assembly.from_standby {
            let said = file.in_archive_recovery();
            said.map_err(|error| error.of(path.display()))?;
        }
        if !assembly.unsummed.is_empty() {
            let said = file.without_checksums();
            said.map_err(|error| error.of(path.display()))?;
        }
        fence::reopen(&data, &file)?;
        self.writer.own(&data.join(control::PATH))
    }

    /// Readies a damaged folder for the recovery: what no part has goes.
    fn clear_ground(&mut self, assembly: &Assembly) -> Result<(), EngineError> {
        let (Some(ground), Some(over)) = (&mut self.ground, self.writer.overwritten()) else {
            return Ok(());
        };
        ground.sweep(&over.seen, assembly)?;
        if self.until != RecoveryTarget::Latest {
            ground.set_log_aside()?;
        }
        Ok(())
    }

    /// What a restore onto a damaged folder did, in words.
    fn told_of_ground(&self) -> Vec<String> {
        let (Some(ground), Some(over)) = (&self.ground, self.writer.overwritten()) else {
            return Vec::new();
        };
        let mut told = vec![format!(
            "{} of {} bytes were written, the rest was the same; {} files that no copy has were \
             removed; the cluster is stopped and begins with a history of its own: start it, then \
             take a full copy",
            self.writer.bytes(),
            over.total,
            ground.removed()
        )];
        if let Some(aside) = &ground.aside {
            let aside = aside.display();
            told.push(format!("log that goes beyond the target lies in {aside}"));
        }
        let ended = self.replayed.as_ref().map(|replayed| replayed.ended);
        if let (Some(held), Some(ended)) = (ground.checkpoint, ended)
            && self.until == RecoveryTarget::Latest
            && ended <= held
        {
            told.push(format!(
                "the log that was found ends at {ended}, before the checkpoint at {held} that the \
                 folder held: what came between is lost"
            ));
        }
        told
    }

    fn told_of_checksums(&self) -> Option<String> {
        let unsummed = Assembly::of(&self.parts).ok()?.unsummed;
        (!unsummed.is_empty()).then(|| told_unsummed(&unsummed.join(", ")))
    }

    fn check_control(&self, file: &ControlFile, of: &Assembly) -> Result<(), EngineError> {
        if file.system_identifier == of.system_identifier {
            return Ok(());
        }
        let error = FormatError::differs(
            "the system identifier",
            of.system_identifier,
            file.system_identifier,
        );
        Err(error.of(self.data_directory().join(control::PATH).display()))
    }

    fn unarchived(&self) -> Result<(), EngineError> {
        let path = self.data_directory().join("postgresql.auto.conf");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(cannot("read", &path, error)),
        };
        self.write(&path, format!("{text}{UNARCHIVED}").as_bytes())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
        let written = durable::replace(path, |file| file.write_all(bytes));
        written.map_err(|error| cannot("write", path, error))?;
        self.writer.own(path)
    }

    /// What the server is told to end at, by what was seen of the log.
    fn told_target(&self) -> Result<Target, EngineError> {
        match &self.target {
            Some(target) => Ok(target.clone()),
            None => Target::of(&self.shown(), |end| self.start_of(end))
                .map_err(|error| error.of("the target")),
        }
    }

    /// Makes the parts one cluster, and starts the server that replays.
    fn begin_replay(&mut self) -> Result<(), EngineError> {
        let assembly = Assembly::of(&self.parts)?;
        self.clear_ground(&assembly)?;
        self.assemble(&assembly)?;
        self.running = Some((self.replay(&assembly)?.start()?, Instant::now()));
        Ok(())
    }

    fn replay(&self, assembly: &Assembly) -> Result<Replay, EngineError> {
        let (target, timeline) = match &self.goal {
            Some((target, timeline)) => (target.clone(), Some(*timeline)),
            None => (self.told_target()?, None),
        };
        let programs = self.spec.programs.as_deref();
        let user = self.spec.connect.get("user");
        let handed = || self.handover.command();
        Ok(Replay {
            programs: instance::programs(programs, assembly.version_num / 10_000)?,
            data: self.data_directory(),
            log: target
                .end(assembly.stop)
                .map(|end| end.0.saturating_sub(assembly.start.0)),
            scratch: self.root.join("scratch"),
            restore_command: self.restore_command.clone().unwrap_or_else(handed),
            target,
            timeline,
            at_least: assembly.stop,
            patience: PATIENCE,
            user: user.cloned().unwrap_or_else(|| "postgres".to_owned()),
            go_on: self.go_on.clone(),
            keeps_log: self.ground.is_some(),
            passing: self.fate == Fate::Dropped,
        })
    }

    /// Hands a segment to the server. In a copy that is dropped nobody asks for what is left out, and
    /// none of its log goes anywhere: what changes nothing else is passed over. A copy that is built
    /// aside never makes a tablespace where the log says: another cluster may live there.
    fn hand_over(&mut self, of: (Segment, &str), payload: &[u8]) -> Result<(), EngineError> {
        let (scope, handover, writer) = (&self.scope, &mut self.handover, &self.writer);
        let mut give = |name: &str, bytes: &[u8]| handover.give(name, bytes, writer);
        let passes = self.fate == Fate::Dropped && !scope.wanted().is_empty();
        let is_aside = self.ground.is_none();
        let moves = is_aside && (self.blank.holds() || blank::may_make_tablespace(payload));
        if !passes && !moves {
            return give(of.1, payload);
        }
        let is_left_out = |database| passes && scope.leaves_out(database);
        self.blank.pass(of, payload, is_left_out, give)
    }

    /// Waits until the server needs more log; true when it needs none, because it has opened.
    fn wait_for_room(&mut self) -> Result<bool, EngineError> {
        let Some((instance, _)) = &mut self.running else {
            return Ok(false);
        };
        while self.handover.is_full()? {
            instance::check_wanted(&self.go_on)?;
            if instance.is_open()? {
                return Ok(true);
            }
            std::thread::sleep(PAUSE);
        }
        Ok(false)
    }

    /// The server ends at a target only when it sees a record behind it. Where the log that was
    /// given ends before there is one, its end is the target.
    fn shown(&self) -> RecoveryTarget {
        match self.until {
            RecoveryTarget::Instant(_) | RecoveryTarget::Transaction(_)
                if self.covered && !self.beyond =>
            {
                RecoveryTarget::Latest
            }
            _ => self.until.clone(),
        }
    }

    fn start_of(&self, end: Lsn) -> Option<Lsn> {
        self.before
            .filter(|(_, found)| *found == end)
            .map(|(start, _)| start)
    }

    /// Looks into a segment for what the recovery must know beforehand; whether a record behind the
    /// target is there.
    fn inspect(&mut self, range: &LogRange, until: &RecoveryTarget) -> Result<bool, EngineError> {
        let mut beyond = false;
        let assembly = Assembly::of(&self.parts)?;
        let begun = std::mem::replace(&mut self.unfinished, foresight::unfinished(range));
        let crossing = begun.and_then(|begun| begun.whole(&range.payload));
        let records =
            foresight::records(range, until).map_err(|error| error.of("a log segment"))?;
        for record in crossing.into_iter().chain(records) {
            match until {
                RecoveryTarget::Before(position) => {
                    if record.end.0 == position.value {
                        self.before = Some((record.lsn, record.end));
                    }
                    beyond |= record.end.0 >= position.value;
                }
                RecoveryTarget::Transaction(position) => {
                    beyond |= record.lsn.0 >= position.value;
                }
                RecoveryTarget::Instant(at) => {
                    let ended = record.ending();
                    beyond |= ended.is_some_and(|(_, ended)| ended > *at);
                }
                _ => {}
            }
            // what was made before the replay begins came with the parts
            let copied = record.copied_database();
            if let Some((made, from)) = copied.filter(|_| record.lsn >= assembly.start) {
                self.scope.copies(made, from);
            }
            self.made.extend(record.new_tablespace());
        }
        self.beyond |= beyond;
        self.covered |= match until {
            RecoveryTarget::Instant(at) => range.last_at > *at,
            RecoveryTarget::Transaction(at) => range.until.value >= at.value,
            _ => false,
        };
        Ok(beyond)
    }

    /// What the copy lacks, when the content of some databases only was wanted.
    fn told_of_scope(&self) -> Vec<String> {
        let wanted = self.scope.wanted();
        if wanted.is_empty() {
            return Vec::new();
        }
        let mut told = format!(
            "{} bytes were restored of {} that the cluster has: only the content of {} was wanted",
            self.writer.bytes(),
            self.writer.whole(),
            wanted.join(", ")
        );
        let names = self.hollow.left_out();
        if !names.is_empty() {
            told = format!("{told}; left out, and unusable in the copy: {names}");
        }
        let passed = self.blank.passed();
        if passed > 0 {
            told =
                format!("{told}; {passed} bytes of log that change nothing else were passed over");
        }
        let mut all = vec![told];
        if self.fate != Fate::Dropped {
            all.extend(self.hollow.to_do());
        }
        all
    }

    /// Judges the recovered cluster while its server is open.
    fn judge(&mut self, instance: &Instance) -> Result<(), EngineError> {
        if let RecoveryTarget::Instant(at) = self.until {
            not_behind(instance, at)?;
        }
        self.hollow = Hollow::find(instance, &self.scope)?;
        if self.fate != Fate::Dropped {
            self.hollow.close(instance)?;
        }
        if self.fate == Fate::Kept {
            self.to_do = subscribed::told(instance)?;
            self.to_do.extend(prepared::told(instance)?);
            let notes = self.parts.iter().map(|(notes, _)| notes);
            self.to_do
                .extend(notes.filter_map(|notes| notes.outside.to_do()));
        }
        sound::check(instance, &self.data_directory(), &self.hollow.databases)
    }
}

impl RestoreSession for ClusterRestore {
    fn heed(&mut self, go_on: &GoOn) {
        self.go_on = go_on.clone();
    }

    fn relocate(&mut self, places: &BTreeMap<String, PathBuf>) -> Result<(), EngineError> {
        self.scope.relocate(places)
    }

    fn will_be_dropped(&mut self) {
        self.fate = Fate::Dropped;
    }

    fn will_stay(&mut self) {
        self.fate = Fate::Kept;
    }

    fn only(&mut self, databases: &[String], newest: &EndedBackup) -> Result<(), EngineError> {
        self.scope.only(databases, &PartNotes::parse(newest)?.names);
        Ok(())
    }

    fn begin_part(&mut self, ended: &EndedBackup) -> Result<(), EngineError> {
        let notes = PartNotes::parse(ended)?;
        // a missing program is told before anything is read
        instance::programs(self.spec.programs.as_deref(), notes.version_num / 10_000)?;
        for (oid, place) in self.scope.learn(&notes)? {
            self.writer.map(&format!("pg_tblspc/{oid}"), &place);
        }
        if let Some(ground) = &mut self.ground {
            ground.claim(&notes)?;
            for (oid, place) in ground.places(&notes)? {
                self.writer.map(&format!("pg_tblspc/{oid}"), &place);
            }
        }
        self.writer.begin_part(&notes, ended)
    }

    fn wanted(&mut self, entry: &Entry) -> Result<Wanted, EngineError> {
        if !self.scope.judge(&entry.path) {
            return Ok(Wanted::Name);
        }
        let there = self.writer.there(entry)?;
        Ok(there.map_or(Wanted::Whole, Wanted::Beside))
    }

    fn wants(&self, entry: &Entry) -> bool {
        self.scope.wants(&entry.path)
    }

    fn history(&mut self, incarnation: &str, text: &[u8]) -> Result<(), EngineError> {
        let name = format!("{incarnation}.history");
        self.handover.give(&name, text, &self.writer)
    }

    fn foresee(
        &mut self,
        until: &RecoveryTarget,
        earlier: &mut dyn FnMut() -> Result<Option<LogRange>, EngineError>,
    ) -> Result<(), EngineError> {
        if self.ground.is_some() || self.restore_command.is_some() {
            return Ok(());
        }
        let mut newest = None;
        while let Some(range) = earlier()? {
            let range = handover::filled(&range)?;
            let (timeline, _) = Timeline::of(&range.from).map_err(|error| error.of("the log"))?;
            newest.get_or_insert(timeline);
            self.inspect(&range, until)?;
            let begins_before = match until {
                RecoveryTarget::Latest | RecoveryTarget::Backup => true,
                RecoveryTarget::Instant(at) => range.first_at <= *at,
                RecoveryTarget::Transaction(at) | RecoveryTarget::Before(at) => {
                    range.from.value < at.value
                }
            };
            if begins_before {
                break;
            }
        }
        self.until = until.clone();
        // when it is not known yet, all log comes first
        self.goal = self.told_target().ok().zip(newest);
        Ok(())
    }

    fn reach(&mut self, until: &RecoveryTarget, _reached: bool) -> Result<bool, EngineError> {
        self.until = until.clone();
        let give = |name: &str, bytes: &[u8]| self.handover.give(name, bytes, &self.writer);
        self.blank.end(give)?;
        self.handover.end()?;
        match &self.running {
            Some((_, begun)) => self.alongside = begun.elapsed(),
            None => self.begin_replay()?,
        }
        let replay = self.replay(&Assembly::of(&self.parts)?)?;
        if let Some((instance, _)) = self.running.take() {
            let replayed = replay.finish(instance, |instance| self.judge(instance))?;
            if let RecoveryTarget::Transaction(at) = until
                && replayed.ended.0 > at.value
            {
                let (wanted, ended) = (Lsn(at.value), replayed.ended);
                let told = format!("position {wanted}: replay went on to {ended}");
                return Err(EngineError::NotReached(told));
            }
            self.replayed = Some(replayed);
        }
        // the server's own history tells that it is
        Ok(true)
    }

    fn redo(&self) -> Option<Duration> {
        let redo = self.replayed.as_ref()?.redo?;
        Some(redo.saturating_sub(self.alongside))
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.told_of_scope();
        warnings.extend(self.told_of_ground());
        warnings.extend(self.told_of_checksums());
        warnings.extend(spoilt::told(&self.spoilt));
        warnings.extend_from_slice(&self.to_do);
        warnings
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

    fn finish_part(&mut self, ended: &EndedBackup) -> Result<(), EngineError> {
        let notes = PartNotes::parse(ended)?;
        self.writer.finish_part()?;
        if base::start_of_base(ended)?.is_some() {
            // of a chain only the newest part counts: replay begins where it began
            let folder = notes.place.folder();
            self.parts.retain(|(part, _)| part.place.folder() != folder);
        }
        self.parts.push((notes, ended.clone()));
        Ok(())
    }

    fn apply(&mut self, range: &LogRange, until: &RecoveryTarget) -> Result<bool, EngineError> {
        self.until = until.clone();
        let range = &*handover::filled(range)?;
        let (segment, size) = handover::segment_of(range)?;
        let follows = |before: Segment| {
            before.number.checked_add(1) == Some(segment.number)
                || before.number == segment.number && before.timeline < segment.timeline
        };
        if self.newest.is_some_and(|before| !follows(before)) {
            return Err(EngineError::ChainBroken {
                what: self.spec.service.clone(),
                detail: format!("{} does not follow what was given", segment.name(size)),
            });
        }
        let beyond = self.inspect(range, until)?;
        if self.goal.is_some() && self.running.is_none() {
            self.begin_replay()?;
        }
        self.newest = Some(segment);
        let payload = handover::leading(range);
        self.hand_over((segment, &segment.name(size)), &payload)?;
        Ok(self.is_enough(range, until, beyond) || self.wait_for_room()?)
    }

    fn position(&self) -> Option<Position> {
        let replayed = self.replayed.as_ref()?;
        Some(replayed.timeline.at(replayed.ended))
    }

    fn check(&mut self) -> Result<(), EngineError> {
        if self.replayed.is_none() {
            let until = self.until.clone();
            self.reach(&until, true)?;
        }
        self.spoilt = spoilt::left(&self.data_directory(), self.parts.iter())?;
        if self.fate == Fate::Rehearsed && self.ground.is_none() {
            spoilt::refuse(&self.spoilt)?;
        }
        self.scope.release()?;
        if self.ground.is_none() {
            aside::put_beside(&self.root, &self.made)?;
        }
        for name in ["backup_label.old", "tablespace_map.old"] {
            // left by the server as a record of what it read; not part of the result
            let _ = std::fs::remove_file(self.data_directory().join(name));
        }
        match &self.ground {
            Some(ground) => ground.release(),
            None => fence::sync(&self.data_directory(), ""),
        }
    }

    fn result(&self) -> PathBuf {
        match &self.ground {
            Some(ground) => ground.data().to_owned(),
            None => self.root.join("cluster"),
        }
    }
}

impl ClusterRestore {
    /// Is the target surely inside what was given? A doubt asks for the next range.
    fn is_enough(&self, range: &LogRange, until: &RecoveryTarget, beyond: bool) -> bool {
        let Ok(assembly) = Assembly::of(&self.parts) else {
            return false;
        };
        let consistent = range.until.value > assembly.stop.0;
        consistent
            && match until {
                RecoveryTarget::Latest => false,
                RecoveryTarget::Backup => true,
                // a record behind the target must be seen, too
                RecoveryTarget::Instant(_)
                | RecoveryTarget::Transaction(_)
                | RecoveryTarget::Before(_) => beyond,
            }
    }
}

/// Whatever the server was told to end at, by what was seen of the log: nothing that ended later
/// than the target may be in the cluster. The server counts microseconds.
fn not_behind(instance: &Instance, at: Timestamp) -> Result<(), EngineError> {
    let query = "select (extract(epoch from pg_last_xact_replay_timestamp()) * 1000000)::int8";
    let row = instance.home()?.query_one(query, &[]);
    let row = row.map_err(|error| refused("ask how far it replayed", &error))?;
    let last = row
        .get::<_, Option<i64>>(0)
        .filter(|last| *last > at.as_microsecond() + 1)
        .and_then(|last| Timestamp::from_microsecond(last).ok());
    last.map_or(Ok(()), |last| {
        let told = format!("{at}: replay went on to a transaction of {last}");
        Err(EngineError::NotReached(told))
    })
}
