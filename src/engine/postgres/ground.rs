//! Owns the damaged folder that a cluster is restored onto: whose it is, that nobody uses it, that
//! it never looks whole before it is, and what is removed from it. Content is written by others.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::assemble::Assembly;
use super::component::Place;
use super::files::cannot;
use super::label::MappedTablespace;
use super::lsn::Lsn;
use super::notes::PartNotes;
use super::walfile::SegmentHeader;
use super::{PostgresSpec, connect, fence, instance, scope};
use crate::durable;
use crate::engine::EngineError;

/// Folders of the data directory whose files are the server's alone.
const SERVERS: [&str; 14] = [
    "base",
    "global",
    "pg_xact",
    "pg_multixact",
    "pg_commit_ts",
    "pg_subtrans",
    "pg_notify",
    "pg_serial",
    "pg_snapshots",
    "pg_twophase",
    "pg_logical",
    "pg_replslot",
    "pg_stat",
    "pg_dynshmem",
];
/// Files that tell a server how to start.
const STARTS: [&str; 8] = [
    "backup_label",
    "backup_label.old",
    "tablespace_map",
    "tablespace_map.old",
    "recovery.signal",
    "standby.signal",
    "postmaster.pid",
    "postmaster.opts",
];

/// A damaged folder of a stopped cluster.
#[derive(Debug)]
pub(super) struct Ground {
    data: PathBuf,
    claimed: bool,
    removed: u64,
    /// Where the log that was set aside lies.
    pub(super) aside: Option<PathBuf>,
    /// The last checkpoint of what was there.
    pub(super) checkpoint: Option<Lsn>,
}

impl Ground {
    /// Judges the folder; changes nothing.
    ///
    /// # Errors
    /// When a server uses it, answers for the service, or it is no cluster's.
    pub(super) fn find(spec: &PostgresSpec, data: &Path) -> Result<Self, EngineError> {
        instance::check_stopped(data)?;
        if connect::open(&spec.service, &spec.connect).is_ok() {
            return Err(refuse(format!(
                "a server answers for {}: stop it first, there must never be two",
                spec.service
            )));
        }
        if !data.join("PG_VERSION").is_file() && !scope::is_claimed(data) {
            return Err(refuse(format!(
                "{} is no data directory: restore the whole with `--to PATH`",
                data.display()
            )));
        }
        let file = fence::before(data);
        Ok(Self {
            data: data.to_owned(),
            claimed: false,
            removed: 0,
            aside: None,
            checkpoint: file.map(|file| file.checkpoint),
        })
    }

    /// The data directory.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// Judges that a part is of the cluster that lies here, and claims the folder for it: from now
    /// on no server starts on it.
    ///
    /// # Errors
    /// When the folder is another cluster's.
    pub(super) fn claim(&mut self, notes: &PartNotes) -> Result<(), EngineError> {
        if self.claimed {
            return Ok(());
        }
        check_owner(&self.data, notes)?;
        scope::mark(&self.data)?;
        fence::shut(&self.data)?;
        self.claimed = true;
        Ok(())
    }

    /// Tablespaces of a part with the place where each one lies now.
    ///
    /// # Errors
    /// When the part's notes are damaged.
    pub(super) fn places(&self, notes: &PartNotes) -> Result<Vec<(u32, PathBuf)>, EngineError> {
        let mut all = notes.map()?;
        if let Place::Tablespace { oid, path, .. } = &notes.place {
            let (oid, path) = (*oid, path.clone());
            all.push(MappedTablespace { oid, path });
        }
        let place = |one: MappedTablespace| (one.oid, self.place(&one));
        Ok(all.into_iter().map(place).collect())
    }

    /// Where a tablespace lies: where its link leads, or where it was when it was copied.
    pub(super) fn place(&self, tablespace: &MappedTablespace) -> PathBuf {
        let there = std::fs::read_link(self.link(tablespace.oid));
        there.unwrap_or_else(|_| PathBuf::from(&tablespace.path))
    }

    fn link(&self, oid: u32) -> PathBuf {
        self.data.join(format!("pg_tblspc/{oid}"))
    }

    /// Makes the link to a tablespace where it is missing.
    ///
    /// # Errors
    /// When the folder refuses.
    pub(super) fn connect(&self, tablespace: &MappedTablespace) -> Result<(), EngineError> {
        let (link, place) = (self.link(tablespace.oid), self.place(tablespace));
        if std::fs::read_link(&link).is_ok() {
            return Ok(());
        }
        let made = std::os::unix::fs::symlink(&place, &link);
        made.map_err(|error| cannot("create", &link, error))
    }

    /// Links to tablespaces that no part knows: the log makes them again.
    fn unknown(&self, known: &[MappedTablespace]) -> Vec<PathBuf> {
        let links = std::fs::read_dir(self.data.join("pg_tblspc"));
        let links = links.into_iter().flatten().flatten();
        let unknown = links.filter(|link| {
            let oid = link.file_name().to_string_lossy().parse();
            !known.iter().any(|one| Ok(one.oid) == oid)
        });
        unknown.map(|link| link.path()).collect()
    }

    /// Removes the server's files that no part has, and what tells a server how to start.
    ///
    /// # Errors
    /// When the folder refuses.
    pub(super) fn sweep(
        &mut self,
        kept: &BTreeSet<PathBuf>,
        assembly: &Assembly,
    ) -> Result<(), EngineError> {
        for name in STARTS {
            fence::remove(&self.data.join(name))?;
        }
        let known = &assembly.tablespaces;
        let unknown = self.unknown(known);
        let places = known.iter().map(|one| self.place(one));
        let places = places.chain(unknown.iter().cloned());
        let version = format!("PG_{}_", assembly.version_num / 10_000);
        let tablespaces: Vec<PathBuf> = places.flat_map(|at| of_version(&at, &version)).collect();
        self.sweep_folders(kept, &tablespaces)?;
        for link in unknown {
            let about = std::fs::symlink_metadata(&link);
            if about.is_ok_and(|about| about.is_symlink()) {
                fence::remove(&link)?;
            }
        }
        Ok(())
    }

    fn sweep_folders(
        &mut self,
        kept: &BTreeSet<PathBuf>,
        tablespaces: &[PathBuf],
    ) -> Result<(), EngineError> {
        let mine = self.data.join(fence::KEPT);
        let own = SERVERS.map(|name| self.data.join(name));
        let own = own.iter().map(|folder| (1, folder));
        let folders = own.chain(tablespaces.iter().map(|folder| (0, folder)));
        for (depth, folder) in folders.filter(|(_, folder)| folder.is_dir()) {
            let entries = walkdir::WalkDir::new(folder).contents_first(true);
            for entry in entries.min_depth(depth) {
                let entry = entry.map_err(|error| cannot("list", folder, error.into()))?;
                let path = entry.path();
                if kept.contains(path) || path == mine {
                    continue;
                }
                if entry.file_type().is_dir() {
                    // one that still holds something of the copy stays
                    let _ = std::fs::remove_dir(path);
                } else {
                    fence::remove(path)?;
                    self.removed += 1;
                }
            }
        }
        Ok(())
    }

    /// Files that were removed because no part has them.
    pub(super) fn removed(&self) -> u64 {
        self.removed
    }

    /// Sets the log that lies here aside: it goes beyond the target.
    ///
    /// # Errors
    /// When a folder refuses.
    pub(super) fn set_log_aside(&mut self) -> Result<(), EngineError> {
        let log = self.data.join("pg_wal");
        let aside = self.place_aside(&log)?;
        std::fs::create_dir_all(&aside).map_err(|error| cannot("create", &aside, error))?;
        let entries = std::fs::read_dir(&log).map_err(|error| cannot("list", &log, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| cannot("list", &log, error))?;
            if entry.path().is_file() {
                let moved = std::fs::rename(entry.path(), aside.join(entry.file_name()));
                moved.map_err(|error| cannot("set aside", &entry.path(), error))?;
            }
        }
        for folder in [&aside, &log, durable::parent(&aside)] {
            let done = durable::sync_folder(folder);
            done.map_err(|error| cannot("make durable", folder, error))?;
        }
        self.aside = Some(aside);
        Ok(())
    }

    /// Beside the data directory; within the log's own folder when that lies on another disk, where
    /// the server minds no folder that it does not know.
    fn place_aside(&self, log: &Path) -> Result<PathBuf, EngineError> {
        let name = self.data.file_name().unwrap_or_default().to_string_lossy();
        let beside = self.data.with_file_name(format!(".{name}.planc-log-aside"));
        let disk = |path: &Path| {
            let about = std::fs::metadata(path);
            about.map_err(|error| cannot("look at", path, error))
        };
        let above = beside.parent().unwrap_or(&self.data);
        if disk(log)?.dev() == disk(above)?.dev() {
            return Ok(beside);
        }
        Ok(log.join("planc-log-aside"))
    }

    /// The restore has ended well.
    ///
    /// # Errors
    /// When the folder refuses.
    pub(super) fn release(&self) -> Result<(), EngineError> {
        fence::forget(&self.data)?;
        scope::release(&self.data)
    }
}

/// Folders of a version in a tablespace.
fn of_version(place: &Path, version: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let own = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(version));
    own.map(|entry| entry.path()).collect()
}

/// Whatever tells whose folder it is must say the part's cluster.
pub(super) fn check_owner(data: &Path, notes: &PartNotes) -> Result<(), EngineError> {
    let major = std::fs::read_to_string(data.join("PG_VERSION")).unwrap_or_default();
    let wanted = (notes.version_num / 10_000).to_string();
    if !major.is_empty() && major.trim() != wanted {
        return Err(refuse(format!(
            "the folder is of version {}, the part of version {wanted}",
            major.trim()
        )));
    }
    let told = fence::before(data).map(|file| file.system_identifier);
    let found = match told {
        Some(found) => Some(found),
        None => of_log(data)?,
    };
    match found {
        Some(found) if found != notes.system_identifier => Err(refuse(format!(
            "the folder is of system {found}, the part of system {}",
            notes.system_identifier
        ))),
        _ => Ok(()),
    }
}

/// The system whose log lies here.
fn of_log(data: &Path) -> Result<Option<u64>, EngineError> {
    let folder = data.join("pg_wal");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("list", &folder, error)),
    };
    for entry in entries.flatten() {
        let first = File::open(entry.path()).and_then(|mut file| {
            let mut page = vec![0; 8192];
            std::io::Read::read_exact(&mut file, &mut page).map(|()| page)
        });
        let header = first.ok().and_then(|page| SegmentHeader::parse(&page).ok());
        if let Some(header) = header {
            return Ok(Some(header.system_identifier));
        }
    }
    Ok(None)
}

fn refuse(cause: String) -> EngineError {
    EngineError::refused("restore onto a damaged folder", cause)
}
