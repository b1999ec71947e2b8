//! Owns putting a tree back: content of all parts first, links next, attributes of folders last.
//! Must not trust any name or link target of a part.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::extended::{self, Extended};
use super::layer::{Layers, Met, Removal, Standing};
use crate::engine::beneath::Beneath;
use crate::engine::entry::{ROOT, decode};
use crate::engine::large::LargeWriter;
use crate::engine::{EndedBackup, EngineError, Entry, EntryKind, LogRange, RestoreSession};
use crate::facts::holdings::Position;
use crate::graph::step::RecoveryTarget;

/// Name of the restored tree in the staging folder.
const TREE: &str = "tree";

/// The entry announced last.
struct Open {
    entry: Entry,
    /// What takes its content; of a file over another one when something of it comes.
    file: Option<File>,
    /// Length of the file below.
    below: u64,
    /// Bytes that came from there on.
    added: u64,
}

/// Most warnings of one restore that are told; of the others only how many there are.
const TOLD: usize = 20;

/// What could not be done for entries.
#[derive(Default)]
struct Warnings {
    told: Vec<String>,
    more: usize,
}

impl Warnings {
    fn add(&mut self, warning: Option<String>) {
        let Some(warning) = warning else {
            return;
        };
        if self.told.len() < TOLD {
            self.told.push(warning);
        } else {
            self.more += 1;
        }
    }

    fn all(&self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("{} more like these", self.more));
        self.told.iter().cloned().chain(more).collect()
    }
}

/// A tree that is being built.
pub(super) struct TreeRestore {
    tree: PathBuf,
    beneath: Beneath,
    open: Option<Open>,
    large: LargeWriter,
    layers: Layers,
    folders: Vec<Entry>,
    links: Vec<Entry>,
    /// Extended attributes by the place of an entry in the part that is coming, and by path.
    noted: BTreeMap<usize, Extended>,
    extended: BTreeMap<String, Extended>,
    /// Entries of that part so far.
    came: usize,
    warnings: Warnings,
    finished: bool,
    linked: bool,
}

impl TreeRestore {
    pub(super) fn begin(staging: &Path) -> Result<Self, EngineError> {
        let tree = staging.join(TREE);
        std::fs::create_dir(&tree).map_err(EngineError::io("create", &tree))?;
        Ok(Self {
            beneath: Beneath::open(&tree)?,
            tree,
            open: None,
            large: LargeWriter::default(),
            layers: Layers::default(),
            folders: Vec::new(),
            links: Vec::new(),
            noted: BTreeMap::new(),
            extended: BTreeMap::new(),
            came: 0,
            warnings: Warnings::default(),
            finished: false,
            linked: false,
        })
    }

    /// The root. Who is not privileged can only move a folder that he may write, and the result
    /// is moved to its place when all is done.
    fn root_attributes(&mut self, entry: &Entry) -> Result<(), EngineError> {
        const OWNER_WRITES: u32 = 0o200;
        let mut entry = entry.clone();
        if entry.mode & OWNER_WRITES == 0 && !rustix::process::geteuid().is_root() {
            self.warnings.add(Some(format!(
                "the restored folder itself stays writable; its mode was {:o}",
                entry.mode
            )));
            entry.mode |= OWNER_WRITES;
        }
        self.warnings
            .add(self.beneath.itself()?.set_attributes(&entry)?);
        Ok(())
    }

    fn attributes(&mut self, entry: &Entry) -> Result<(), EngineError> {
        if is_root(entry) {
            return self.root_attributes(entry);
        }
        let warning = self.beneath.place(&entry.path)?.set_attributes(entry)?;
        self.warnings.add(warning);
        Ok(())
    }

    /// Extended attributes come last: a change of owner would take capabilities away.
    fn extended_attributes(&mut self) -> Result<(), EngineError> {
        for (path, extended) in std::mem::take(&mut self.extended) {
            let place = if path == ROOT {
                self.beneath.itself()?
            } else {
                self.beneath.place(&path)?
            };
            let set = place.open().and_then(|file| extended::set(file, &extended));
            self.warnings.add(set.err().map(|errno| {
                format!("{path}: its access list or extended attributes could not be set: {errno}")
            }));
        }
        Ok(())
    }

    fn make_link(&self, entry: &Entry) -> Result<(), EngineError> {
        let place = self.beneath.place(&entry.path)?;
        match &entry.kind {
            EntryKind::Symlink { target } => {
                let target = decode(target)
                    .map_err(|cause| EngineError::refused("restore a link", cause))?;
                place.create_symlink(&target)
            }
            EntryKind::Hardlink { target }
                if matches!(self.layers.at(target), Some(Standing::File(_))) =>
            {
                place.create_link(&self.beneath.place(target)?)
            }
            _ => Err(EngineError::refused(
                format!("restore the link {}", entry.path),
                "it names no file of this part",
            )),
        }
    }
}

fn is_root(entry: &Entry) -> bool {
    entry.path == ROOT && entry.kind == EntryKind::Directory
}

impl Open {
    fn of(entry: &Entry, file: Option<File>, below: u64) -> Self {
        Self {
            entry: entry.clone(),
            file,
            below,
            added: 0,
        }
    }
}

impl TreeRestore {
    /// All content of a file has come.
    fn end_file(&mut self, open: &Open, length: u64) -> Result<(), EngineError> {
        let path = &open.entry.path;
        let reopened;
        let file = if let Some(file) = &open.file {
            file
        } else {
            reopened = self.beneath.place(path)?.reopen_file()?;
            &reopened
        };
        let cut = file.set_len(length);
        cut.map_err(EngineError::io("extend", self.tree.join(path)))?;
        self.layers.put(path, Standing::File(length));
        Ok(())
    }

    fn remove(&self, gone: Removal) -> Result<(), EngineError> {
        for (path, is_folder) in gone {
            self.beneath.place(&path)?.remove(is_folder)?;
        }
        Ok(())
    }

    /// Makes an entry that is not there; the file that takes content, when it is one.
    fn make(&mut self, entry: &Entry) -> Result<Option<File>, EngineError> {
        let place = self.beneath.place(&entry.path)?;
        match entry.kind {
            EntryKind::File => {
                self.large.next();
                return place.create_file().map(Some);
            }
            EntryKind::Fifo => {
                place.create_fifo()?;
                self.layers.put(&entry.path, Standing::Fifo);
            }
            EntryKind::Directory => {
                place.create_folder()?;
                self.layers.put(&entry.path, Standing::Folder);
            }
            // links come last; the file below stands
            EntryKind::Symlink { .. } | EntryKind::Hardlink { .. } | EntryKind::Over => {}
        }
        Ok(None)
    }

    /// Links and attributes of folders, when all parts have come.
    fn link(&mut self) -> Result<(), EngineError> {
        if std::mem::replace(&mut self.linked, true) {
            return Ok(());
        }
        for link in std::mem::take(&mut self.links) {
            self.make_link(&link)?;
            if matches!(link.kind, EntryKind::Symlink { .. }) {
                self.attributes(&link)?;
            }
        }
        // a folder's time moves when something is made in it, so children come first
        for folder in std::mem::take(&mut self.folders).into_iter().rev() {
            self.attributes(&folder)?;
        }
        self.extended_attributes()
    }
}

impl RestoreSession for TreeRestore {
    fn begin_part(&mut self, ended: &EndedBackup) -> Result<(), EngineError> {
        self.layers.begin(ended)?;
        self.finished = false;
        self.noted = extended::noted(ended)?;
        self.extended.clear();
        self.came = 0;
        if self.layers.is_over() {
            // it names all of them again
            self.folders.clear();
            self.links.clear();
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), EngineError> {
        if let Some(extended) = self.noted.remove(&self.came) {
            self.extended.insert(entry.path.clone(), extended);
        }
        self.came += 1;
        if is_root(entry) {
            // it exists; its attributes come last, like those of every folder
            if self.folders.iter().any(is_root) {
                return Err(EngineError::refused(
                    "restore an entry",
                    "the root came twice",
                ));
            }
            self.folders.insert(0, entry.clone());
            self.open = Some(Open::of(entry, None, 0));
            return Ok(());
        }
        let file = match self.layers.meet(entry)? {
            Met::Stands => None,
            Met::Free(gone) => {
                self.remove(gone)?;
                self.make(entry)?
            }
        };
        match entry.kind {
            EntryKind::Directory => self.folders.push(entry.clone()),
            EntryKind::Symlink { .. } | EntryKind::Hardlink { .. } => {
                self.links.push(entry.clone());
            }
            _ => {}
        }
        let below = match self.layers.at(&entry.path) {
            Some(Standing::File(length)) => length,
            _ => 0,
        };
        self.open = Some(Open::of(entry, file, below));
        Ok(())
    }

    fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), EngineError> {
        let refused = || EngineError::refused("restore bytes", "no file is open");
        let open = self.open.as_mut().ok_or_else(refused)?;
        if open.file.is_none() && matches!(open.entry.kind, EntryKind::Over) {
            self.large.next();
            open.file = Some(self.beneath.place(&open.entry.path)?.reopen_file()?);
        }
        let file = open.file.as_ref().ok_or_else(refused)?;
        let end = offset.saturating_add(bytes.len() as u64);
        open.added += end.saturating_sub(offset.max(open.below));
        let written = self.large.write_at(file, bytes, offset);
        written.map_err(EngineError::io("write", self.tree.join(&open.entry.path)))
    }

    fn close(&mut self, length: u64) -> Result<(), EngineError> {
        let Some(open) = self.open.take() else {
            return Err(EngineError::refused("restore an entry", "none is open"));
        };
        match open.entry.kind {
            EntryKind::Over if length.saturating_sub(open.below) != open.added => {
                return Err(EngineError::Damaged {
                    what: open.entry.path,
                    detail: format!(
                        "the part below has {} bytes of it, and not all of the rest came",
                        open.below
                    ),
                });
            }
            EntryKind::Over if open.file.is_none() && length == open.below => {}
            EntryKind::File | EntryKind::Over => self.end_file(&open, length)?,
            EntryKind::Fifo => {}
            _ => return Ok(()),
        }
        self.attributes(&open.entry)
    }

    fn finish_part(&mut self, _ended: &EndedBackup) -> Result<(), EngineError> {
        let gone = self.layers.end();
        self.remove(gone)?;
        self.finished = true;
        Ok(())
    }

    fn apply(&mut self, _range: &LogRange, _until: &RecoveryTarget) -> Result<bool, EngineError> {
        Err(EngineError::Unsupported {
            engine: "files",
            what: "replay a log: a tree of files has none".to_owned(),
        })
    }

    fn position(&self) -> Option<Position> {
        None
    }

    fn check(&mut self) -> Result<(), EngineError> {
        if !self.finished {
            return Err(EngineError::refused(
                "check the tree",
                "its part is not complete",
            ));
        }
        self.link()?;
        self.beneath.sync()?;
        for (name, length) in self.layers.files() {
            let place = self.beneath.place(name)?;
            let found = place.length()?;
            if found != length {
                return Err(EngineError::Damaged {
                    what: place.path().display().to_string(),
                    detail: format!("it has {found} bytes instead of {length}"),
                });
            }
        }
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.all()
    }

    fn result(&self) -> PathBuf {
        self.tree.clone()
    }
}
