//! Owns which files of a cluster belong to a copy, and in which order: what the server rebuilds
//! itself, temporary and unlogged relations, and folders that are parts of their own are left out.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{DirEntry, FileType, Metadata};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::configuration;
use crate::engine::{EngineError, entry};

/// Folders whose content the server makes anew; the folders themselves are copied.
const EMPTIED: [&str; 9] = [
    "pg_dynshmem",
    "pg_notify",
    "pg_replslot",
    "pg_serial",
    "pg_snapshots",
    "pg_stat_tmp",
    "pg_subtrans",
    "pg_wal/archive_status",
    "pg_wal/summaries",
];

/// Folders of the server: where one of them, or what lies in it, is a link to a folder, that is its
/// content.
/// Those whose content is not copied are [`EMPTIED`].
const SERVERS: [&str; 9] = [
    "base",
    "global",
    "pg_commit_ts",
    "pg_logical",
    "pg_multixact",
    "pg_stat",
    "pg_tblspc",
    "pg_twophase",
    "pg_xact",
];

/// Files of the data directory that describe the running server or an older copy, or are the file
/// system's own.
const LEFT_OUT: [&str; 13] = [
    "lost+found",
    "postmaster.pid",
    "postmaster.opts",
    "postgresql.auto.conf.tmp",
    "current_logfiles.tmp",
    "backup_label",
    "backup_label.old",
    "tablespace_map",
    "tablespace_map.old",
    "backup_manifest",
    // came with a restore: the files that it is a copy of are copied anew
    configuration::FOLDER,
    // a copy of a standby is no standby
    "standby.signal",
    "recovery.signal",
];

/// What a found file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A folder.
    Directory,
    /// Pages of a relation; the file begins with this block.
    Relation {
        /// Number of its first block in the relation.
        first_block: u32,
    },
    /// Any other file.
    File,
    /// A link to a folder that is none of the server's: it is not followed.
    Elsewhere,
    /// A file or folder that is none of the server's and that this process may not read.
    Closed,
}

/// One file that belongs to a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path relative to the data directory, also for tablespaces, written as entries write it.
    pub path: String,
    /// What it is.
    pub found: Found,
    /// Bytes when it was listed.
    pub bytes: u64,
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The data directory.
    pub data: PathBuf,
    /// Folder of the component, relative to the data directory; empty for all of it.
    pub root: String,
    /// Folders that are parts of their own.
    pub skip: BTreeSet<String>,
    /// Name of the folder that holds this version's files in a tablespace.
    pub version_folder: String,
    /// Pages of one file of a large relation.
    pub segment_blocks: u32,
}

impl Selection {
    /// Lists a component, folders before their content, names in order.
    ///
    /// # Errors
    /// When a folder cannot be read. One that vanishes meanwhile was dropped and is left out.
    pub fn list(&self) -> Result<Vec<SourceFile>, EngineError> {
        let root = SourceFile {
            path: self.root.clone(),
            found: Found::Directory,
            bytes: 0,
        };
        let files = if self.root.is_empty() {
            Vec::new()
        } else {
            vec![root]
        };
        let mut walk = Walk { of: self, files };
        walk.folder(&self.root)?;
        Ok(walk.files)
    }
}

struct Walk<'a> {
    of: &'a Selection,
    files: Vec<SourceFile>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &str) -> Result<(), EngineError> {
        let Some(mut names) = self.names(folder)? else {
            if let Some(last) = self.files.last_mut() {
                last.found = Found::Closed;
            }
            return Ok(());
        };
        names.sort_by(|a, b| a.0.cmp(&b.0));
        let unlogged = unlogged(&names);
        for (name, kind) in names {
            let path = match folder {
                "" => name.clone(),
                _ => format!("{folder}/{name}"),
            };
            if !is_left_out(&path, &name, &unlogged) && !self.is_foreign(&path) {
                self.take(path, kind)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, path: String, kind: FileType) -> Result<(), EngineError> {
        let is_tablespace = kind.is_symlink()
            && path
                .strip_prefix("pg_tblspc/")
                .is_some_and(|name| !name.contains('/'));
        if kind.is_dir() || is_tablespace || path == "pg_wal" {
            return self.take_folder(&path, is_tablespace);
        }
        let about = match self.about(&path) {
            Ok(Some(about)) => about,
            Ok(None) => return Ok(()),
            Err(error) if is_strange(&self.of.data, &path, &error) => {
                self.files.push(SourceFile {
                    path,
                    found: Found::Closed,
                    bytes: 0,
                });
                return Ok(());
            }
            Err(error) => return Err(cannot("look at", &below(&self.of.data, &path), error)),
        };
        let bytes = about.len();
        let found = match path.split('/').next() {
            _ if !about.is_dir() => kind_of(&path, self.of.segment_blocks),
            Some(own) if SERVERS.contains(&own) || EMPTIED.contains(&own) => {
                return self.take_folder(&path, false);
            }
            _ => Found::Elsewhere,
        };
        self.files.push(SourceFile { path, found, bytes });
        Ok(())
    }

    fn take_folder(&mut self, path: &str, is_tablespace: bool) -> Result<(), EngineError> {
        if self.of.skip.contains(path) {
            return Ok(());
        }
        // a tablespace is a link that recovery makes from the map, not a folder of the copy
        if !is_tablespace {
            self.files.push(SourceFile {
                path: path.to_owned(),
                found: Found::Directory,
                bytes: 0,
            });
        }
        if EMPTIED.contains(&path) {
            return Ok(());
        }
        self.folder(path)
    }

    /// Names and kinds in a folder: nothing when it is gone, none when it is closed.
    fn names(&self, folder: &str) -> Result<Option<Vec<(String, FileType)>>, EngineError> {
        let path = below(&self.of.data, folder);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            // a link that still stands points to a tablespace that is missing, not dropped
            Err(error) if error.kind() == ErrorKind::NotFound && self.is_gone(folder) => {
                return Ok(Some(Vec::new()));
            }
            Err(error) if is_strange(&self.of.data, folder, &error) => return Ok(None),
            Err(error) => return Err(cannot("list", &path, error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| cannot("list", &path, error))?;
            names.extend(named(&entry, folder)?);
        }
        Ok(Some(names))
    }

    /// In a tablespace: does this belong to another version or to somebody else?
    fn is_foreign(&self, path: &str) -> bool {
        let below = path.strip_prefix("pg_tblspc/");
        let inside = below.and_then(|below| below.split_once('/'));
        inside.is_some_and(|(_, rest)| !rest.contains('/') && rest != self.of.version_folder)
    }

    /// Was this folder dropped since its parent was listed?
    fn is_gone(&self, folder: &str) -> bool {
        let gone = std::fs::symlink_metadata(below(&self.of.data, folder))
            .is_err_and(|error| error.kind() == ErrorKind::NotFound);
        gone && folder != self.of.root
    }

    /// What a file or a link leads to; none when it is gone.
    fn about(&self, path: &str) -> std::io::Result<Option<Metadata>> {
        match std::fs::metadata(below(&self.of.data, path)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn named(entry: &DirEntry, folder: &str) -> Result<Option<(String, FileType)>, EngineError> {
    let kind = match entry.file_type() {
        Ok(kind) => kind,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("look at", &entry.path(), error)),
    };
    let usual = kind.is_file() || kind.is_dir() || kind.is_symlink();
    let name = entry::encode(entry.file_name().as_bytes());
    // log comes from the archive; other folders there are not the server's
    let of_log = EMPTIED.contains(&&*format!("pg_wal/{name}"));
    Ok((usual && (folder != "pg_wal" || of_log)).then_some((name, kind)))
}

/// Where a path that is written as entries write it lies.
pub(super) fn below(data: &Path, path: &str) -> PathBuf {
    let bytes = entry::decode(path).unwrap_or_else(|_| path.as_bytes().to_owned());
    data.join(OsStr::from_bytes(&bytes))
}

/// Whether what this process may not read is none of the server's: it lies outside of the server's
/// own folders, and has another owner than the data directory. The server cannot read it either.
pub(super) fn is_strange(data: &Path, path: &str, error: &std::io::Error) -> bool {
    let first = path.split('/').next().unwrap_or(path);
    let owner = |path: &Path| std::fs::symlink_metadata(path).map(|about| about.uid());
    let other = owner(data).ok() != owner(&below(data, path)).ok();
    error.kind() == ErrorKind::PermissionDenied
        && !SERVERS.contains(&first)
        && !EMPTIED.contains(&first)
        && other
}

/// Relations of a folder of which only the initial fork is kept: recovery makes them empty.
fn unlogged(names: &[(String, FileType)]) -> BTreeSet<String> {
    let init = |(name, _): &(String, FileType)| name.strip_suffix("_init").map(str::to_owned);
    names.iter().filter_map(init).collect()
}

fn is_left_out(path: &str, name: &str, unlogged: &BTreeSet<String>) -> bool {
    let rebuilt = name.starts_with("pg_internal.init") || name.starts_with("pgsql_tmp");
    let described = path == name && LEFT_OUT.contains(&name);
    // the control file is copied last, by the one who copies
    let control = path == super::control::PATH;
    rebuilt || described || control || is_temporary(name) || {
        let number = name.split(['_', '.']).next().unwrap_or(name);
        !name.ends_with("_init") && is_number(number) && unlogged.contains(number)
    }
}

/// `t3_16385`: a relation of one session.
fn is_temporary(name: &str) -> bool {
    let parts = name.strip_prefix('t').and_then(|rest| rest.split_once('_'));
    parts.is_some_and(|(backend, rest)| {
        let relation = rest.split(['_', '.']).next().unwrap_or(rest);
        is_number(backend) && is_number(relation)
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Do files of this path's folder hold pages of relations?
fn is_relation_folder(path: &str) -> bool {
    let words: Vec<&str> = path.split('/').collect();
    matches!(
        words.as_slice(),
        ["global", _] | ["base", _, _] | ["pg_tblspc", _, _, _, _]
    )
}

/// What a file of a cluster is, by its path.
pub(super) fn kind_of(path: &str, segment_blocks: u32) -> Found {
    let name = path.rsplit('/').next().unwrap_or(path);
    if is_relation_folder(path) {
        relation(name, segment_blocks)
    } else {
        Found::File
    }
}

/// `16385`, `16385.2`, `16385_vm`: pages; everything else in such a folder is an ordinary file.
fn relation(name: &str, segment_blocks: u32) -> Found {
    let (stem, part) = match name.split_once('.') {
        Some((stem, part)) if is_number(part) => (stem, part.parse().ok()),
        Some(_) => return Found::File,
        None => (name, Some(0)),
    };
    let (number, fork) = stem.split_once('_').unwrap_or((stem, "main"));
    let forks = ["main", "fsm", "vm", "init"];
    let first = part.and_then(|part: u32| part.checked_mul(segment_blocks));
    match first {
        Some(first_block) if is_number(number) && forks.contains(&fork) => {
            Found::Relation { first_block }
        }
        _ => Found::File,
    }
}

/// Refuses a target that holds anything (R19); one that does not exist is fine.
///
/// # Errors
/// When it is no folder, holds something or cannot be looked at.
pub fn check_empty(target: &Path) -> Result<(), EngineError> {
    let mut entries = match std::fs::read_dir(target) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot("look into", target, error)),
    };
    match entries.next() {
        None => Ok(()),
        Some(Err(error)) => Err(cannot("look into", target, error)),
        Some(Ok(entry)) => Err(EngineError::NotASource {
            path: target.to_owned(),
            expected: "an empty folder",
            found: format!("it holds {}", entry.file_name().display()),
        }),
    }
}

/// An error about a file.
pub(super) fn cannot(action: &'static str, path: &Path, cause: std::io::Error) -> EngineError {
    EngineError::Io {
        action,
        path: PathBuf::from(OsStr::new(path)),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_are_told_by_their_names() {
        let at = |first_block| Found::Relation { first_block };
        for (name, found) in [
            ("16385", at(0)),
            ("16385.2", at(262_144)),
            ("16385_vm", at(0)),
            ("16385_fsm.1", at(131_072)),
            ("pg_filenode.map", Found::File),
            ("PG_VERSION", Found::File),
            ("16385_old", Found::File),
            ("16385.99999999", Found::File),
        ] {
            assert_eq!(relation(name, 131_072), found, "{name}");
        }
        assert!(is_relation_folder("base/5/1"));
        assert!(is_relation_folder("pg_tblspc/16384/PG_15_202209061/5/1"));
        assert!(!is_relation_folder("pg_xact/0000"));
    }

    fn listed(files: &[&str], skip: &[&str]) -> Vec<String> {
        let data = tempfile::tempdir().expect("folder");
        for file in files {
            let path = data.path().join(file);
            std::fs::create_dir_all(path.parent().expect("folder")).expect("folder");
            std::fs::write(path, "x").expect("file");
        }
        let selection = Selection {
            data: data.path().to_owned(),
            root: String::new(),
            skip: skip.iter().map(|path| (*path).to_owned()).collect(),
            version_folder: "PG_15_202209061".to_owned(),
            segment_blocks: 131_072,
        };
        let found = selection.list().expect("a listing");
        found.into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn what_the_server_makes_anew_is_left_out() {
        let files = [
            "PG_VERSION",
            "postmaster.pid",
            "backup_label",
            "global/pg_control",
            "global/1262",
            "global/pg_internal.init.77",
            "pg_wal/000000010000000000000001",
            "pg_wal/archive_status/x.ready",
            "pg_wal/set-aside/000000010000000000000001",
            "lost+found/x",
            "pg_replslot/s/state",
            "base/pgsql_tmp/pgsql_tmp1.0",
            "base/5/t3_16385",
            "base/5/t3_16385_fsm.1",
            "base/5/tea_1",
        ];
        let expected = [
            "PG_VERSION",
            "base",
            "base/5",
            "base/5/tea_1",
            "global",
            "global/1262",
            "pg_replslot",
            "pg_wal",
            "pg_wal/archive_status",
        ];
        assert_eq!(listed(&files, &[]), expected);
    }

    #[test]
    fn an_unlogged_relation_keeps_only_its_initial_fork() {
        let files = [
            "base/5/7",
            "base/5/7.1",
            "base/5/7_fsm",
            "base/5/7_init",
            "base/5/70",
        ];
        let expected = ["base", "base/5", "base/5/70", "base/5/7_init"];
        assert_eq!(listed(&files, &[]), expected);
    }

    #[test]
    fn only_this_version_of_a_tablespace_is_taken() {
        let files = ["pg_tblspc/9/PG_15_202209061/5/7", "pg_tblspc/9/PG_14_1/5/7"];
        let listed = listed(&files, &[]);
        assert!(listed.contains(&files[0].to_owned()));
        assert!(!listed.contains(&files[1].to_owned()));
    }

    #[test]
    fn links_of_the_server_are_followed_and_those_of_others_are_not() {
        let (data, disk) = (tempfile::tempdir(), tempfile::tempdir());
        let (data, disk) = (data.expect("folder"), disk.expect("folder"));
        std::fs::create_dir(data.path().join("base")).expect("folder");
        std::fs::write(disk.path().join("7"), "x").expect("file");
        for link in ["base/5", "pg_stat_tmp", "pg_xact", "logs"] {
            let made = std::os::unix::fs::symlink(disk.path(), data.path().join(link));
            made.expect("a link");
        }
        let selection = Selection {
            data: data.path().to_owned(),
            root: String::new(),
            skip: BTreeSet::new(),
            version_folder: String::new(),
            segment_blocks: 131_072,
        };
        let found = selection.list().expect("a listing").into_iter();
        let found: Vec<_> = found.map(|file| (file.path, file.found)).collect();
        let expected = [
            ("base", Found::Directory),
            ("base/5", Found::Directory),
            ("base/5/7", Found::Relation { first_block: 0 }),
            ("logs", Found::Elsewhere),
            ("pg_stat_tmp", Found::Directory),
            ("pg_xact", Found::Directory),
            ("pg_xact/7", Found::File),
        ];
        let expected = expected.map(|(path, found)| (path.to_owned(), found));
        assert_eq!(found, expected);
    }

    #[test]
    fn parts_of_their_own_are_left_out() {
        let files = ["base/5/1", "base/6/1"];
        assert_eq!(listed(&files, &["base/5"]), ["base", "base/6", "base/6/1"]);
    }
}
