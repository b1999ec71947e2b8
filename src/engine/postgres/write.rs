//! Owns writing the entries of parts into folders: names from outside never lead out of them, no
//! file is written over but by a part that builds on the one that wrote it, owners and modes are
//! those of the source (R26).

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component as PathPart, Path, PathBuf};

use rustix::fs::Advice;

use super::files::{below, cannot};
use super::layers::Layers;
use super::notes::PartNotes;
use super::over::Over;
use super::paste::Paste;
use crate::durable;
use crate::engine::large::LargeWriter;
use crate::engine::{EndedBackup, EngineError, Entry, EntryKind};

/// Files that are made durable together: each is open until then.
const TOGETHER: usize = 128;

/// Writes entries; folders of the part are mapped to folders of this host.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// Folder of the part and its place here, the longest first.
    places: Vec<(String, PathBuf)>,
    owner: Option<(u32, u32)>,
    open: Option<(File, PathBuf, Entry)>,
    large: LargeWriter,
    /// Files that are written and not durable yet.
    written: Vec<(File, PathBuf)>,
    /// Folders with names that came or went and are not durable yet.
    named: BTreeSet<PathBuf>,
    /// Changed pages on their way into the open file, and the length it will have.
    paste: Option<(Paste, u64)>,
    layers: Layers,
    bytes: u64,
    /// Files may be there already: only what differs is written.
    over: Option<Over>,
    /// Length of all files, also of those whose content was left out.
    whole: u64,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// One that writes over what is there, where it differs.
    pub(super) fn over() -> Self {
        Self {
            over: Some(Over::default()),
            ..Self::default()
        }
    }

    /// What was written over.
    pub(super) fn overwritten(&self) -> Option<&Over> {
        self.over.as_ref()
    }

    /// The file that lies at the place of an entry already; none where there is none to be kept.
    pub(super) fn there(&self, entry: &Entry) -> Result<Option<File>, EngineError> {
        if self.over.is_none() || entry.kind != EntryKind::File {
            return Ok(None);
        }
        let path = self.place(&entry.path)?;
        match std::fs::symlink_metadata(&path) {
            Ok(about) if about.is_file() => {
                let file = File::open(&path);
                file.map(Some).map_err(|error| cannot("open", &path, error))
            }
            _ => Ok(None),
        }
    }

    /// `folder` and what is below it (empty: everything; with a `/` at its end: only what is below
    /// it) goes to `place`.
    pub(super) fn map(&mut self, folder: &str, place: &Path) {
        self.places.push((folder.to_owned(), place.to_owned()));
        self.places
            .sort_by_key(|(folder, _)| usize::MAX - folder.len());
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that the files have that were announced, with or without their content.
    pub(super) fn whole(&self) -> u64 {
        self.whole
    }

    /// Gives a path to the owner of the source's files, when this runs as root.
    pub(super) fn own(&self, path: &Path) -> Result<(), EngineError> {
        let Some((uid, gid)) = self.owner else {
            return Ok(());
        };
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let done = std::os::unix::fs::chown(path, Some(uid), Some(gid));
        done.map_err(|error| cannot("change the owner of", path, error))
    }

    /// The part whose entries come next.
    ///
    /// # Errors
    /// When it does not build on the part of its component that came before.
    pub(super) fn begin_part(
        &mut self,
        notes: &PartNotes,
        ended: &EndedBackup,
    ) -> Result<(), EngineError> {
        self.layers.begin(notes, ended)
    }

    /// All entries of the part came: they are made durable, and what it does not name any more is
    /// removed.
    ///
    /// # Errors
    /// When a file cannot be made durable or removed.
    pub(super) fn finish_part(&mut self) -> Result<(), EngineError> {
        self.settle()?;
        for gone in self.layers.end() {
            let path = self.place(&gone)?;
            remove(&path)?;
            self.named.insert(durable::parent(&path).to_owned());
        }
        // the server does this when it starts only where the cluster was not stopped in order
        std::mem::take(&mut self.named)
            .iter()
            .filter(|folder| folder.is_dir())
            .try_for_each(|folder| {
                durable::sync_folder(folder).map_err(|error| cannot("make durable", folder, error))
            })
    }

    pub(super) fn entry(&mut self, entry: &Entry) -> Result<(), EngineError> {
        let (meant, length) = self.layers.name(&entry.path);
        let path = self.place(&meant)?;
        self.named.insert(durable::parent(&path).to_owned());
        self.owner.get_or_insert((entry.uid, entry.gid));
        if let Some(over) = &mut self.over {
            over.seen.insert(path.clone());
        }
        match entry.kind {
            EntryKind::Directory => {
                let made = std::fs::create_dir_all(&path);
                made.map_err(|error| cannot("create", &path, error))?;
                self.finish(&path, entry)
            }
            EntryKind::File if length.is_some() => {
                let file = OpenOptions::new().read(true).write(true).open(&path);
                let file = file.map_err(|error| cannot("open", &path, error))?;
                self.paste = length.map(|length| (Paste::new(&meant), length));
                self.open = Some((file, path, entry.clone()));
                Ok(())
            }
            EntryKind::File => {
                let file = if let Some(over) = &mut self.over {
                    over.open(&path)?
                } else {
                    if self.layers.is_over() {
                        remove(&path)?;
                    }
                    let file = OpenOptions::new().write(true).create_new(true).open(&path);
                    file.map_err(|error| cannot("create", &path, error))?
                };
                self.large.next();
                self.open = Some((file, path, entry.clone()));
                Ok(())
            }
            _ => Err(EngineError::Damaged {
                what: format!("the entry {}", entry.path),
                detail: "a cluster has files and folders only".to_owned(),
            }),
        }
    }

    pub(super) fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), EngineError> {
        let Some((file, path, _)) = &self.open else {
            return Ok(());
        };
        if let Some((paste, _)) = &mut self.paste {
            self.bytes += bytes.len() as u64;
            return paste.take(file, offset, bytes);
        }
        let written = if let Some(over) = &mut self.over {
            over.write(file, offset, bytes)
        } else {
            let written = self.large.write_at(file, bytes, offset);
            written.map(|()| bytes.len() as u64)
        };
        self.bytes += written.map_err(|error| cannot("write", path, error))?;
        Ok(())
    }

    pub(super) fn close(&mut self, length: u64) -> Result<(), EngineError> {
        let Some((file, path, entry)) = self.open.take() else {
            return Ok(());
        };
        self.whole += length;
        // what is written over in place is made durable there, where it changed
        let later = self.over.is_none() || self.paste.is_some();
        let done = match (self.paste.take(), &mut self.over) {
            (Some((paste, known)), _) => {
                let length = paste.end(known)?;
                file.set_len(length)
            }
            (None, Some(over)) => over.close(&file, length),
            (None, None) => file.set_len(length),
        };
        done.map_err(|error| cannot("write", &path, error))?;
        self.finish(&path, &entry)?;
        if later {
            self.written.push((file, path));
        }
        if self.written.len() < TOGETHER {
            return Ok(());
        }
        self.settle()
    }

    /// Makes durable what was written. The disk is told of all files before the first is waited
    /// for, so that they share its work.
    ///
    /// # Errors
    /// When a file cannot be made durable.
    pub(super) fn settle(&mut self) -> Result<(), EngineError> {
        for (file, _) in &self.written {
            // only advice: it begins to write what is not written yet
            let _ = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
        }
        for (file, path) in self.written.drain(..) {
            let done = file.sync_all();
            done.map_err(|error| cannot("make durable", &path, error))?;
        }
        Ok(())
    }

    fn finish(&self, path: &Path, entry: &Entry) -> Result<(), EngineError> {
        let mode = Permissions::from_mode(entry.mode);
        let done = std::fs::set_permissions(path, mode);
        done.map_err(|error| cannot("change", path, error))?;
        self.own(path)
    }

    /// Where an entry goes.
    fn place(&self, path: &str) -> Result<PathBuf, EngineError> {
        let normal = |part| matches!(part, PathPart::Normal(_));
        let meant = below(Path::new(""), path);
        let inside = !path.is_empty() && meant.components().all(normal);
        let found = self
            .places
            .iter()
            .filter(|_| inside)
            .find_map(|(folder, place)| {
                if folder.is_empty() {
                    return Some(below(place, path));
                }
                let rest = path.strip_prefix(folder.as_str())?;
                if folder.ends_with('/') {
                    return Some(below(place, rest));
                }
                match rest.strip_prefix('/') {
                    Some(rest) => Some(below(place, rest)),
                    None => rest.is_empty().then(|| place.clone()),
                }
            });
        found.ok_or_else(|| EngineError::Damaged {
            what: format!("the name `{path}` of an entry"),
            detail: "it leads out of the folder".to_owned(),
        })
    }
}

/// Removes what an earlier part of the chain wrote; a folder only when it is empty.
fn remove(path: &Path) -> Result<(), EngineError> {
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    if found.is_dir() {
        // one that holds files of another component stays
        let _ = std::fs::remove_dir(path);
        return Ok(());
    }
    std::fs::remove_file(path).map_err(|error| cannot("remove", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_stay_inside() {
        let mut writer = Writer::new();
        writer.map("", Path::new("/data"));
        writer.map("pg_tblspc/", Path::new("/spaces"));
        writer.map("pg_tblspc/7", Path::new("/seven"));
        let place = |path: &str| writer.place(path).ok();
        assert_eq!(place("base/5/1"), Some("/data/base/5/1".into()));
        assert_eq!(place("pg_tblspc"), Some("/data/pg_tblspc".into()));
        assert_eq!(place("pg_tblspc/9/PG/1"), Some("/spaces/9/PG/1".into()));
        assert_eq!(place("pg_tblspc/7/PG/1"), Some("/seven/PG/1".into()));
        assert_eq!(place("pg_tblspc/7"), Some("/seven".into()));
        assert_eq!(place("pg_tblspc/77"), Some("/spaces/77".into()));
        assert_eq!(place("a%25b"), Some("/data/a%b".into()));
        for path in ["", "/etc/passwd", "../x", "a/../../x", "./a", "."] {
            assert_eq!(place(path), None, "{path}");
        }
    }

    #[test]
    fn only_declared_folders_take_entries_and_no_file_is_written_over() {
        let folder = tempfile::tempdir().expect("folder");
        let mut writer = Writer::new();
        writer.map("pg_tblspc/7", folder.path());
        let entry = |path: &str| Entry {
            path: path.to_owned(),
            kind: EntryKind::File,
            mode: 0o600,
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            mtime: (0, 0),
        };
        assert!(writer.entry(&entry("base/5/1")).is_err());
        writer.entry(&entry("pg_tblspc/7/a")).expect("a file");
        writer.data(2, b"xy").expect("bytes");
        writer.close(6).expect("closed");
        assert_eq!(
            std::fs::read(folder.path().join("a")).expect("bytes"),
            b"\0\0xy\0\0"
        );
        assert!(writer.entry(&entry("pg_tblspc/7/a")).is_err());
        assert_eq!(writer.bytes(), 2);
    }
}
