//! Owns reading a tree into a part. The rules for files that change are in the folder's `mod.rs`.

use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use rustix::fs::{OFlags, SeekFrom as Place, seek};
use rustix::io::Errno;

use super::extended::Noted;
use super::seen::{Base, Seen, Stamp};
use super::walk::{Found, entries, is_too_long};
use super::windows;
use crate::engine::entry::{ROOT, encode};
use crate::engine::error::shown;
use crate::engine::live::Guarded;
use crate::engine::{
    BackupSession, EndedBackup, EngineError, Entry, EntryKind, PartSink, Selective,
};

/// One reading of a tree.
pub(super) struct TreeSession {
    root: PathBuf,
    began: Timestamp,
    copied: bool,
    /// The first names of files that have several.
    links: BTreeMap<Inode, String>,
    guarded: Guarded,
    warnings: Vec<String>,
    /// What a copy of changes builds on, or why it cannot; none for a full copy.
    base: Option<Result<Base, String>>,
    seen: Seen,
    extended: Noted,
    tally: Tally,
}

/// What was announced so far.
#[derive(Default)]
struct Tally {
    entries: usize,
    /// Files that were read.
    read: u64,
    /// Those of them that go over files of the base.
    over: u64,
    /// Files that the base has, and their bytes.
    kept: (u64, u64),
}

/// A file under all its names: its numbers, and its birth where the file system tells it, for the
/// number of a file that was deleted meanwhile is given to another one.
type Inode = (u64, u64, Option<SystemTime>);

/// What happened to a file between listing and reading.
enum Opened {
    File(File, Metadata),
    Gone,
    Other,
}

impl TreeSession {
    pub(super) fn new(root: &Path, now: Timestamp) -> Self {
        Self {
            // names are compared with those of databases in use, which have no links either
            root: root.canonicalize().unwrap_or_else(|_| root.to_owned()),
            began: now,
            copied: false,
            links: BTreeMap::new(),
            guarded: Guarded::now(),
            warnings: Vec::new(),
            base: None,
            seen: Seen::default(),
            extended: Noted::default(),
            tally: Tally::default(),
        }
    }

    /// Reads only what changed since a base.
    pub(super) fn since(mut self, base: Result<Base, String>) -> Self {
        self.base = Some(base);
        self
    }

    fn take(&mut self, path: &Path, sink: &mut dyn PartSink) -> Result<(), EngineError> {
        let name = self.name(path);
        let meta = match path.symlink_metadata() {
            Ok(meta) => meta,
            Err(error) => return self.gone(path, &name, error),
        };
        let kind = meta.file_type();
        if kind.is_file() {
            if self.guarded.holds(path, &meta) {
                self.warn(
                    &name,
                    "belongs to a database that planc holds open as a service of its own, \
                     and was left out: restore that service beside this tree",
                );
                return Ok(());
            }
            return self.file(path, name, &meta, sink);
        }
        let kind = if kind.is_dir() {
            EntryKind::Directory
        } else if kind.is_fifo() {
            EntryKind::Fifo
        } else if kind.is_symlink() {
            match path.read_link() {
                Ok(target) => EntryKind::Symlink {
                    target: encode(target.as_os_str().as_bytes()),
                },
                Err(error) => return self.gone(path, &name, error),
            }
        } else {
            self.warn(&name, "is a socket or device node and was left out");
            return Ok(());
        };
        self.announce(path, entry(name, kind, &meta), sink)?;
        sink.close()
    }

    /// Hands on an entry; answers its place in the copy. Links have no attributes of their own.
    fn announce(
        &mut self,
        path: &Path,
        entry: Entry,
        sink: &mut dyn PartSink,
    ) -> Result<usize, EngineError> {
        let place = self.tally.entries;
        let link = matches!(
            entry.kind,
            EntryKind::Symlink { .. } | EntryKind::Hardlink { .. }
        );
        if !link {
            self.extended.look(place, path)?;
        }
        self.tally.entries += 1;
        sink.entry(entry)?;
        Ok(place)
    }

    fn name(&self, path: &Path) -> String {
        let inner = path.strip_prefix(&self.root).unwrap_or(path);
        encode(inner.as_os_str().as_bytes())
    }

    fn warn(&mut self, name: &str, what: &str) {
        let name = shown(Path::new(name));
        self.warnings.push(format!("{name} {what}"));
    }

    /// A name that is too long or surely gone is left out and told; anything else is an error (R7).
    fn gone(&mut self, path: &Path, name: &str, error: std::io::Error) -> Result<(), EngineError> {
        if is_too_long(&error) {
            self.warn(
                name,
                "has a longer path than the system takes and was left out with all below it: copy \
                 it as a service of its own whose `path` lies deeper",
            );
            return Ok(());
        }
        if error.kind() != ErrorKind::NotFound {
            return Err(EngineError::io("read", path)(error));
        }
        self.warn(name, "vanished before it was read and was left out");
        Ok(())
    }

    fn file(
        &mut self,
        path: &Path,
        name: String,
        meta: &Metadata,
        sink: &mut dyn PartSink,
    ) -> Result<(), EngineError> {
        if let Some(target) = self.earlier(&name, meta) {
            self.announce(
                path,
                entry(name, EntryKind::Hardlink { target }, meta),
                sink,
            )?;
            return sink.close();
        }
        if let Some(Ok(base)) = &self.base
            && base.has(&name, meta)
        {
            self.remember(&name, meta);
            return self.keep(path, name, meta, sink);
        }
        match open(path)? {
            Opened::Gone => self.warn(&name, "vanished before it was read and was left out"),
            Opened::Other => self.warn(&name, "was replaced by something else and was left out"),
            Opened::File(file, meta) => {
                self.remember(&name, &meta);
                self.content(path, &name, (file, meta), sink)?;
            }
        }
        Ok(())
    }

    /// The moment of the base, when any file goes over one of it.
    fn builds_on(&self) -> Option<Timestamp> {
        let base = self.base.as_ref()?.as_ref().ok()?;
        (self.tally.kept.0 + self.tally.over > 0).then_some(base.taken_at)
    }

    fn earlier(&self, name: &str, meta: &Metadata) -> Option<String> {
        let first = self.links.get(&inode(meta))?;
        (meta.nlink() > 1 && first != name).then(|| first.clone())
    }

    fn remember(&mut self, name: &str, meta: &Metadata) {
        if meta.nlink() > 1 {
            self.links.insert(inode(meta), name.to_owned());
        }
    }

    /// The base has the file as it is.
    fn keep(
        &mut self,
        path: &Path,
        name: String,
        meta: &Metadata,
        sink: &mut dyn PartSink,
    ) -> Result<(), EngineError> {
        let stamp = Stamp::settled(meta, SystemTime::now());
        let place = self.announce(path, entry(name, EntryKind::Over, meta), sink)?;
        if let Some(stamp) = stamp {
            self.seen.add(place, stamp);
        }
        self.tally.kept.0 += 1;
        self.tally.kept.1 = self.tally.kept.1.saturating_add(meta.len());
        sink.hole(meta.len())?;
        sink.close()
    }

    fn content(
        &mut self,
        path: &Path,
        name: &str,
        (mut file, before): (File, Metadata),
        sink: &mut dyn PartSink,
    ) -> Result<(), EngineError> {
        let stamp = Stamp::settled(&before, SystemTime::now());
        self.tally.read += 1;
        let sparse = before.blocks().saturating_mul(512) < before.len();
        let base = self.base.as_ref().and_then(|base| base.as_ref().ok());
        let known = base.and_then(|base| base.windows(name)).filter(|_| !sparse);
        let known = known.map(<[_]>::to_vec);
        let kind = known.as_ref().map_or(EntryKind::File, |_| EntryKind::Over);
        let place = self.announce(path, entry(name.to_owned(), kind, &before), sink)?;
        let read = match known {
            Some(known) => {
                self.tally.over += 1;
                windows::changed(&mut file, before.len(), &known, path, sink)?
            }
            None if sparse => holey(&mut file, before.len(), path, sink)?,
            None => sink.read_from(&mut file, before.len(), path)?,
        };
        sink.close()?;
        let after = file.metadata().map_err(EngineError::io("examine", path))?;
        let moved = after.len() != before.len() || Stamp::of(&after) != Stamp::of(&before);
        if read != before.len() || moved {
            self.warn(name, "changed while it was read; it is kept as it was read");
        } else if let Some(stamp) = stamp {
            self.seen.add(place, stamp);
        }
        Ok(())
    }
}

impl BackupSession for TreeSession {
    /// A hash over names and attributes of everything in the tree. None when something changed a
    /// moment ago: a further change in the same tick of the clock would not show.
    fn state(&mut self) -> Result<Option<String>, EngineError> {
        let guarded = |path: &Path, meta: &Metadata| self.guarded.holds(path, meta);
        super::state::of(&self.root, guarded)
    }

    fn copy(&mut self, sink: &mut dyn PartSink) -> Result<(), EngineError> {
        if std::mem::replace(&mut self.copied, true) {
            return Err(EngineError::refused(
                "copy the tree",
                "it was copied already",
            ));
        }
        let root = self.root.clone();
        let meta = root.metadata().map_err(EngineError::io("examine", &root))?;
        self.announce(
            &root,
            entry(ROOT.to_owned(), EntryKind::Directory, &meta),
            sink,
        )?;
        sink.close()?;
        for found in entries(&root) {
            match found? {
                Found::Entry(found) => self.take(found.path(), sink)?,
                Found::Vanished(path) => {
                    let name = self.name(&path);
                    self.warn(&name, "vanished before it was listed");
                }
                // its folder was told
                Found::TooLong => {}
            }
        }
        Ok(())
    }

    fn selective(&self) -> Option<Selective> {
        let (files, bytes) = self.tally.kept;
        let why = match self.base.as_ref()? {
            Err(why) => Some(why.clone()),
            Ok(_) if self.builds_on().is_some() => None,
            Ok(_) => Some("no file of it is surely as it was".to_owned()),
        };
        let read = self.tally.read;
        Some(Selective {
            whole: why,
            told: format!("{read} files read; {files} files of {bytes} bytes are as they were"),
        })
    }

    fn end(self: Box<Self>) -> Result<EndedBackup, EngineError> {
        let mut notes = self.seen.print(self.builds_on());
        notes.extend(self.extended.print());
        Ok(EndedBackup {
            taken_at: self.began,
            from: None,
            until: None,
            notes,
            warnings: self.warnings,
        })
    }
}

fn inode(meta: &Metadata) -> Inode {
    (meta.dev(), meta.ino(), meta.created().ok())
}

fn entry(path: String, kind: EntryKind, meta: &Metadata) -> Entry {
    Entry {
        path,
        kind,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        mtime: (meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap_or(0)),
    }
}

/// Opens without following a link and without waiting on a pipe that took the file's place.
fn open(path: &Path) -> Result<Opened, EngineError> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Opened::Gone),
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            return Ok(Opened::Other);
        }
        Err(error) => return Err(EngineError::io("open", path)(error)),
    };
    let meta = file.metadata().map_err(EngineError::io("examine", path))?;
    if meta.is_file() {
        Ok(Opened::File(file, meta))
    } else {
        Ok(Opened::Other)
    }
}

/// Reads the data of a file with holes; answers how far it came.
fn holey(
    file: &mut File,
    length: u64,
    path: &Path,
    sink: &mut dyn PartSink,
) -> Result<u64, EngineError> {
    let mut at = 0;
    while at < length {
        let start = next(file, Place::Data(at), length, path)?;
        if start > at {
            sink.hole(start - at)?;
        }
        if start >= length {
            return Ok(length);
        }
        let end = next(file, Place::Hole(start), length, path)?;
        file.seek(SeekFrom::Start(start))
            .map_err(EngineError::io("read", path))?;
        let read = sink.read_from(file, end - start, path)?;
        at = start + read;
        if read < end - start {
            break;
        }
    }
    Ok(at)
}

/// Where data or a hole begins, at most `length`; past the last data there is one hole.
fn next(file: &File, place: Place, length: u64, path: &Path) -> Result<u64, EngineError> {
    match seek(file, place) {
        Ok(at) => Ok(at.min(length)),
        Err(Errno::NXIO) => Ok(length),
        Err(error) => Err(EngineError::io("read", path)(error.into())),
    }
}
