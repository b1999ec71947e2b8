//! Owns how parts of different age become one cluster: the oldest part's label says where replay
//! begins, the newest part's end is how far it must go. Pure; files are written by `restore`.

use super::component::Place;
use super::label::{MappedTablespace, print_map};
use super::lsn::{Lsn, Timeline};
use super::notes::PartNotes;
use crate::engine::{EndedBackup, EngineError};

/// What the data directory needs besides the files of the parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assembly {
    /// `backup_label`, byte for byte that of the oldest part.
    pub label: String,
    /// Where replay begins.
    pub start: Lsn,
    /// Timeline of the start.
    pub start_timeline: Timeline,
    /// Was the oldest part taken from a standby?
    pub from_standby: bool,
    /// How far replay must go before the whole is consistent.
    pub stop: Lsn,
    /// Timeline of the stop.
    pub stop_timeline: Timeline,
    /// Tablespaces of all parts, by object id, where they were.
    pub tablespaces: Vec<MappedTablespace>,
    /// May the group of the owner read the data directory?
    pub group_access: bool,
    /// Parts whose pages have no checksums, in words, where those of base have: the whole has none.
    pub unsummed: Vec<String>,
    /// Version of the server that was copied.
    pub version_num: u32,
    /// Identity of the cluster.
    pub system_identifier: u64,
}

impl Assembly {
    /// Judges that the parts make a whole.
    ///
    /// # Errors
    /// When base is missing or twice there, a part that base leaves out is missing, or parts are
    /// of different clusters or versions.
    pub fn of(parts: &[(PartNotes, EndedBackup)]) -> Result<Self, EngineError> {
        let base = base(parts)?;
        for place in &base.apart {
            // a standby may hold it elsewhere than its primary
            let same = |(part, _): &(PartNotes, _)| {
                part.place.folder() == place.folder() || words(&part.place) == words(place)
            };
            // one that was made again under its name: the log drops the old one, and where it was
            // renamed instead, the check of the whole misses its files
            let given = parts.iter().any(same);
            if !given {
                let left_out = words(place);
                let detail = format!(
                    "base leaves out {left_out}, no part of it is given: the plan must name it, in \
                     `backup … of` and among the `tablespaces` of the service"
                );
                return Err(incomplete(detail));
            }
        }
        for (part, _) in parts {
            check_same(base, part)?;
        }
        let (mut oldest, mut newest) = (None, None);
        for (part, ended) in parts {
            let start = (part.label.start, part);
            let stop = stop(ended)?;
            if oldest.is_none_or(|(lsn, _)| start.0 < lsn) {
                oldest = Some(start);
            }
            if newest.is_none_or(|(lsn, _)| stop.0 > lsn) {
                newest = Some(stop);
            }
        }
        let missing = || incomplete("no part is given".to_owned());
        let ((start, oldest), (stop, stop_timeline)) =
            (oldest.ok_or_else(missing)?, newest.ok_or_else(missing)?);
        let unsummed = parts.iter().map(|(part, _)| part);
        let unsummed = unsummed.filter(|part| base.checksums && !part.checksums);
        Ok(Self {
            unsummed: unsummed.map(|part| words(&part.place)).collect(),
            group_access: base.group_access,
            label: oldest.label_text.clone(),
            start,
            start_timeline: oldest.label.timeline,
            from_standby: oldest.label.from_standby,
            stop,
            stop_timeline,
            tablespaces: tablespaces(parts)?,
            version_num: base.version_num,
            system_identifier: base.system_identifier,
        })
    }

    /// The tablespace map with each tablespace at a new place.
    #[must_use]
    pub fn map(&self, place: impl Fn(&MappedTablespace) -> String) -> String {
        let moved = |tablespace: &MappedTablespace| MappedTablespace {
            oid: tablespace.oid,
            path: place(tablespace),
        };
        print_map(&self.tablespaces.iter().map(moved).collect::<Vec<_>>())
    }
}

fn base(parts: &[(PartNotes, EndedBackup)]) -> Result<&PartNotes, EngineError> {
    let mut found = parts.iter().filter(|(part, _)| part.place == Place::Base);
    match (found.next(), found.next()) {
        (Some((base, _)), None) => Ok(base),
        (None, _) => Err(incomplete("no part of base is given".to_owned())),
        (Some(_), Some(_)) => Err(incomplete("two parts of base are given".to_owned())),
    }
}

fn check_same(base: &PartNotes, part: &PartNotes) -> Result<(), EngineError> {
    let (one, other) = (base.system_identifier, part.system_identifier);
    if one != other {
        let detail = format!("{} is of system {other}, base of {one}", words(&part.place));
        return Err(incomplete(detail));
    }
    let (one, other) = (base.version_num / 10_000, part.version_num / 10_000);
    if one == other {
        return Ok(());
    }
    let place = words(&part.place);
    Err(incomplete(format!(
        "{place} is of version {other}, base of {one}"
    )))
}

fn stop(ended: &EndedBackup) -> Result<(Lsn, Timeline), EngineError> {
    let until = ended.until.as_ref();
    let until = until.ok_or_else(|| incomplete("a part does not tell its end".to_owned()))?;
    let (timeline, lsn) = Timeline::of(until).map_err(|error| error.of("the end of a part"))?;
    Ok((lsn, timeline))
}

/// Tablespaces that base knew when it ended, and those that are parts of their own.
fn tablespaces(parts: &[(PartNotes, EndedBackup)]) -> Result<Vec<MappedTablespace>, EngineError> {
    let mut all = std::collections::BTreeMap::new();
    for (part, _) in parts {
        if part.place == Place::Base {
            for tablespace in part.map()? {
                all.insert(tablespace.oid, tablespace.path);
            }
        }
        if let Place::Tablespace { oid, path, .. } = &part.place {
            all.insert(*oid, path.clone());
        }
    }
    let mapped = |(oid, path)| MappedTablespace { oid, path };
    Ok(all.into_iter().map(mapped).collect())
}

fn words(place: &Place) -> String {
    match place {
        Place::Base => "base".to_owned(),
        Place::Tablespace { name, .. } => format!("tablespace {name}"),
        Place::Database { name, .. } => format!("database {name}"),
    }
}

/// That pages of these parts made the whole do without checksums.
pub(super) fn told_unsummed(parts: &str) -> String {
    format!(
        "the cluster has no page checksums now, because {parts} was copied before it had any: to \
         have them again, run `pg_checksums --enable` while it is stopped"
    )
}

fn incomplete(detail: String) -> EngineError {
    EngineError::Damaged {
        what: "the set of parts".to_owned(),
        detail,
    }
}
