//! Owns putting a tree back: content first, links next, attributes of folders last. Must not
//! trust any name or link target of a part.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::engine::beneath::Beneath;
use crate::engine::entry::{ROOT, decode};
use crate::engine::large::LargeWriter;
use crate::engine::{EndedBackup, EngineError, Entry, EntryKind, LogRange, RestoreSession};
use crate::facts::holdings::Position;
use crate::graph::step::RecoveryTarget;

/// Name of the restored tree in the staging folder.
const TREE: &str = "tree";

/// A tree that is being built.
pub(super) struct TreeRestore {
    tree: PathBuf,
    beneath: Beneath,
    open: Option<(Entry, Option<File>)>,
    large: LargeWriter,
    files: BTreeMap<String, u64>,
    folders: Vec<Entry>,
    links: Vec<Entry>,
    warnings: Vec<String>,
    finished: bool,
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
            files: BTreeMap::new(),
            folders: Vec::new(),
            links: Vec::new(),
            warnings: Vec::new(),
            finished: false,
        })
    }

    /// The root. Who is not privileged can only move a folder that he may write, and the result
    /// is moved to its place when all is done.
    fn root_attributes(&mut self, entry: &Entry) -> Result<(), EngineError> {
        const OWNER_WRITES: u32 = 0o200;
        let mut entry = entry.clone();
        if entry.mode & OWNER_WRITES == 0 && !rustix::process::geteuid().is_root() {
            self.warnings.push(format!(
                "the restored folder itself stays writable; its mode was {:o}",
                entry.mode
            ));
            entry.mode |= OWNER_WRITES;
        }
        self.warnings
            .extend(self.beneath.itself()?.set_attributes(&entry)?);
        Ok(())
    }

    fn attributes(&mut self, entry: &Entry) -> Result<(), EngineError> {
        if is_root(entry) {
            return self.root_attributes(entry);
        }
        let warning = self.beneath.place(&entry.path)?.set_attributes(entry)?;
        self.warnings.extend(warning);
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
            EntryKind::Hardlink { target } if self.files.contains_key(target) => {
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

impl RestoreSession for TreeRestore {
    fn entry(&mut self, entry: &Entry) -> Result<(), EngineError> {
        if is_root(entry) {
            // it exists; its attributes come last, like those of every folder
            if self.folders.iter().any(is_root) {
                return Err(EngineError::refused(
                    "restore an entry",
                    "the root came twice",
                ));
            }
            self.folders.insert(0, entry.clone());
            self.open = Some((entry.clone(), None));
            return Ok(());
        }
        let place = self.beneath.place(&entry.path)?;
        let mut file = None;
        match entry.kind {
            EntryKind::File => {
                self.large.next();
                file = Some(place.create_file()?);
            }
            EntryKind::Fifo => place.create_fifo()?,
            EntryKind::Directory => {
                place.create_folder()?;
                self.folders.push(entry.clone());
            }
            EntryKind::Symlink { .. } | EntryKind::Hardlink { .. } => {
                self.links.push(entry.clone());
            }
        }
        self.open = Some((entry.clone(), file));
        Ok(())
    }

    fn data(&mut self, offset: u64, bytes: &[u8]) -> Result<(), EngineError> {
        let Some((entry, Some(file))) = &self.open else {
            return Err(EngineError::refused("restore bytes", "no file is open"));
        };
        let written = self.large.write_at(file, bytes, offset);
        written.map_err(EngineError::io("write", self.tree.join(&entry.path)))
    }

    fn close(&mut self, length: u64) -> Result<(), EngineError> {
        let Some((entry, file)) = self.open.take() else {
            return Err(EngineError::refused("restore an entry", "none is open"));
        };
        if let Some(file) = file {
            let path = self.tree.join(&entry.path);
            file.set_len(length)
                .map_err(EngineError::io("extend", path))?;
            self.files.insert(entry.path.clone(), length);
        }
        match entry.kind {
            EntryKind::File | EntryKind::Fifo => self.attributes(&entry),
            _ => Ok(()),
        }
    }

    fn finish_part(&mut self, _ended: &EndedBackup) -> Result<(), EngineError> {
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
        self.beneath.sync()?;
        for (name, length) in &self.files {
            let place = self.beneath.place(name)?;
            let found = place.length()?;
            if found != *length {
                return Err(EngineError::Damaged {
                    what: place.path().display().to_string(),
                    detail: format!("it has {found} bytes instead of {length}"),
                });
            }
        }
        Ok(())
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    fn result(&self) -> PathBuf {
        self.tree.clone()
    }
}
