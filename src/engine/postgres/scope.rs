//! Owns what of a cluster is restored and where: tablespaces that move, databases whose content
//! is left out. A file that is left out keeps its name and length, without content, so that the
//! log can be replayed over it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::component::Place;
use super::files::{self, cannot};
use super::notes::{Names, PartNotes};
use crate::durable;
use crate::engine::EngineError;
use crate::facts::sizes::NEEDED;

/// Says that a folder was claimed by a restore that has not ended.
const CLAIM: &str = ".planc-restoring";

/// What is restored and where.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    relocate: BTreeMap<String, PathBuf>,
    only: Vec<String>,
    /// Databases whose content is left out, by object id.
    left_out: BTreeSet<u32>,
    /// Databases that the log made by copying files of another, which follows; by object id.
    copied: BTreeMap<u32, u32>,
    /// Tablespaces, and the databases that have files there.
    used: BTreeMap<u32, BTreeSet<u32>>,
    /// New places by object id.
    moved: BTreeMap<u32, PathBuf>,
}

impl Scope {
    /// Claims new places of tablespaces, by name or by old path.
    ///
    /// # Errors
    /// When a place is not absolute or not free.
    pub fn relocate(&mut self, places: &BTreeMap<String, PathBuf>) -> Result<(), EngineError> {
        for (name, place) in places {
            if !place.is_absolute() {
                let what = format!("relocate {name}");
                let cause = format!("{} is no absolute path", place.display());
                return Err(EngineError::refused(what, cause));
            }
            claim(place)?;
        }
        self.relocate.clone_from(places);
        Ok(())
    }

    /// Wants the content of these databases only, of those that the newest part knows. One that it
    /// does not know may have had any of the other names: then nothing is left out.
    pub fn only(&mut self, databases: &[String], known: &Names) {
        self.only = databases.to_vec();
        self.left_out = BTreeSet::new();
        if known.check_databases(databases).is_ok() {
            let wanted =
                |name: &String| NEEDED.contains(&name.as_str()) || databases.contains(name);
            let others = known.databases.iter().filter(|(_, name)| !wanted(name));
            self.left_out = others.map(|(oid, _)| *oid).collect();
        }
    }

    /// The databases that are wanted; empty for all.
    #[must_use]
    pub fn wanted(&self) -> &[String] {
        &self.only
    }

    /// The log makes a database by copying the files of another one.
    pub fn copies(&mut self, made: u32, from: u32) {
        self.copied.insert(made, from);
    }

    /// Databases that lack their content: those that are left out, and what the log made of them.
    #[must_use]
    pub fn lacking(&self) -> BTreeSet<u32> {
        let mut lacking: BTreeSet<u32> = self.left_out.clone();
        loop {
            let of_them = |(_, from): &(&u32, &u32)| lacking.contains(from);
            let made = self.copied.iter().filter(of_them);
            let made: Vec<u32> = made.map(|(made, _)| *made).collect();
            let known = lacking.len();
            lacking.extend(made);
            if lacking.len() == known {
                return lacking;
            }
        }
    }

    /// Whether the content of a database is left out.
    #[must_use]
    pub fn leaves_out(&self, database: u32) -> bool {
        self.left_out.contains(&database)
    }

    /// Learns from a part what its folders are; tells which ones have new places.
    ///
    /// # Errors
    /// When a tablespace that is to move does not exist.
    pub fn learn(&mut self, notes: &PartNotes) -> Result<Vec<(u32, PathBuf)>, EngineError> {
        let mut known: BTreeMap<u32, (String, String)> = BTreeMap::new();
        for one in notes.map()? {
            let name = notes.names.tablespaces.get(&one.oid).cloned();
            known.insert(one.oid, (name.unwrap_or_default(), one.path));
        }
        if let Place::Tablespace { oid, name, path } = &notes.place {
            known.insert(*oid, (name.clone(), path.clone()));
        }
        let mut found = Vec::new();
        for (oid, (name, path)) in &known {
            let place = self.relocate.get(name).or_else(|| self.relocate.get(path));
            if let Some(place) = place {
                self.moved.insert(*oid, place.clone());
                found.push((*oid, place.clone()));
            }
        }
        if notes.place == Place::Base {
            self.check_known(&known)?;
        }
        Ok(found)
    }

    fn check_known(&self, known: &BTreeMap<u32, (String, String)>) -> Result<(), EngineError> {
        let is = |wanted: &str| {
            known
                .values()
                .any(|(name, path)| name == wanted || path == wanted)
        };
        let Some(unknown) = self.relocate.keys().find(|name| !is(name)) else {
            return Ok(());
        };
        let names: Vec<&str> = known.values().map(|(name, _)| name.as_str()).collect();
        let cause = format!(
            "the copy has no such tablespace; it has {}",
            if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            }
        );
        Err(EngineError::refused(format!("relocate {unknown}"), cause))
    }

    /// Where a tablespace goes, when it moves.
    #[must_use]
    pub fn place(&self, oid: u32) -> Option<&Path> {
        self.moved.get(&oid).map(PathBuf::as_path)
    }

    /// Whether the content of an entry is wanted.
    #[must_use]
    pub fn wants(&self, path: &str) -> bool {
        database_of(path).is_none_or(|oid| !self.leaves_out(oid))
    }

    /// As [`Scope::wants`], of an entry that is about to come.
    pub fn judge(&mut self, path: &str) -> bool {
        // folders above those of databases are everybody's
        if let Some((space, database)) = tablespace_of(path).zip(database_of(path)) {
            self.used.entry(space).or_default().insert(database);
        }
        self.wants(path)
    }

    /// Tablespaces of which nothing was wanted.
    #[must_use]
    pub fn unused(&self) -> Vec<u32> {
        let spaces = self
            .used
            .iter()
            .filter(|(_, users)| self.is_unwanted(users));
        spaces.map(|(oid, _)| *oid).collect()
    }

    /// Tablespaces in which a database lies beside others that are wanted.
    #[must_use]
    pub fn shared_by(&self, database: u32) -> Vec<u32> {
        let shared = |(_, users): &(&u32, &BTreeSet<u32>)| {
            users.contains(&database) && !self.is_unwanted(users)
        };
        let spaces = self.used.iter().filter(shared);
        spaces.map(|(oid, _)| *oid).collect()
    }

    fn is_unwanted(&self, users: &BTreeSet<u32>) -> bool {
        users.is_subset(&self.left_out)
    }

    /// The restore has ended well: the new places are the cluster's own.
    ///
    /// # Errors
    /// When a claim cannot be taken back.
    pub fn release(&self) -> Result<(), EngineError> {
        for place in self.relocate.values() {
            release(place)?;
        }
        Ok(())
    }
}

/// The database whose folder holds an entry.
fn database_of(path: &str) -> Option<u32> {
    let mut words = path.split('/');
    match words.next()? {
        "base" => words.next()?.parse().ok(),
        "pg_tblspc" => words.nth(2)?.parse().ok(),
        _ => None,
    }
}

/// The tablespace that holds an entry.
fn tablespace_of(path: &str) -> Option<u32> {
    let (oid, _) = path.strip_prefix("pg_tblspc/")?.split_once('/')?;
    oid.parse().ok()
}

/// Claims a folder: it must be empty, or left by a restore that did not end.
///
/// # Errors
/// When it holds something of others.
pub(super) fn claim(place: &Path) -> Result<(), EngineError> {
    let mark = place.join(CLAIM);
    if mark.is_file() {
        clear(place)?;
    }
    files::check_empty(place)?;
    let made = durable::make_folder(place, durable::OPEN);
    made.map_err(|error| cannot("create", place, error))?;
    self::mark(place)
}

/// Marks a folder that holds something as claimed; durable when this returns.
///
/// # Errors
/// When the folder refuses.
pub(super) fn mark(place: &Path) -> Result<(), EngineError> {
    let mark = place.join(CLAIM);
    durable::note(&mark).map_err(|error| cannot("write", &mark, error))
}

/// Whether a restore that has not ended claimed the folder.
pub(super) fn is_claimed(place: &Path) -> bool {
    place.join(CLAIM).is_file()
}

/// Removes what an earlier try left, the claim last.
fn clear(place: &Path) -> Result<(), EngineError> {
    let entries = std::fs::read_dir(place).map_err(|error| cannot("list", place, error))?;
    for entry in entries {
        let path = entry.map_err(|error| cannot("list", place, error))?.path();
        if path.file_name().is_some_and(|name| name == CLAIM) {
            continue;
        }
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        removed.map_err(|error| cannot("remove", &path, error))?;
    }
    release(place)
}

/// Takes a claim back; durable when this returns: a folder that is claimed is cleared by the next
/// restore.
///
/// # Errors
/// When the folder refuses.
pub(super) fn release(place: &Path) -> Result<(), EngineError> {
    let mark = place.join(CLAIM);
    let removed = std::fs::remove_file(&mark).and_then(|()| durable::sync_folder(place));
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(cannot("remove", &mark, error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_belong_to_databases_by_their_folder() {
        assert_eq!(database_of("base/16384/1259"), Some(16384));
        assert_eq!(database_of("pg_tblspc/9/PG_15_1/5/2"), Some(5));
        for path in [
            "global/1260",
            "base",
            "pg_tblspc/9",
            "pg_wal/0000",
            "base/pgsql_tmp/x",
        ] {
            assert_eq!(database_of(path), None, "{path}");
        }
    }

    #[test]
    fn a_place_of_others_is_refused_and_the_own_one_is_cleared() {
        let folder = tempfile::tempdir().expect("folder");
        let place = folder.path().join("new");
        claim(&place).expect("free");
        std::fs::write(place.join("half"), "x").expect("written");
        claim(&place).expect("its own");
        assert!(!place.join("half").exists());
        release(&place).expect("released");
        std::fs::write(place.join("theirs"), "x").expect("written");
        assert!(claim(&place).is_err());
        assert!(place.join("theirs").exists());
        let mut scope = Scope::default();
        let places = BTreeMap::from([("hot".to_owned(), PathBuf::from("relative"))]);
        assert!(scope.relocate(&places).is_err());
    }
}
