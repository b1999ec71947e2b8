//! Owns opening the files of a copy: a thread goes ahead, so that the disk already looks for the
//! next small ones while one is read. Must not read anything.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};

use rustix::fs::Advice;

use super::files::{Found, SourceFile, below, cannot, is_strange};
use crate::engine::EngineError;

/// Files that are open in advance.
const AHEAD: usize = 64;

/// An open file or folder.
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) about: Metadata,
}

/// Opens the files of a data directory.
pub(super) struct Opening {
    data: PathBuf,
    in_advance: u64,
}

impl Opening {
    /// The content of files that are shorter than `in_advance` is asked for in advance.
    pub(super) fn new(data: PathBuf, in_advance: u64) -> Self {
        Self { data, in_advance }
    }

    /// Gives each file in order; none for one that is gone, or closed to this process and none of
    /// the server's. Answers those that are closed.
    pub(super) fn each(
        &self,
        files: Vec<SourceFile>,
        mut take: impl FnMut(&SourceFile, Option<Opened>) -> Result<(), EngineError>,
    ) -> Result<Vec<String>, EngineError> {
        let mut closed = Vec::new();
        let (opened, coming) = mpsc::sync_channel(AHEAD);
        std::thread::scope(|scope| {
            scope.spawn(move || self.go_ahead(files, &opened));
            // dropped when something fails: the thread that goes ahead ends then too
            coming.into_iter().try_for_each(|(source, opened)| {
                let opened = match opened {
                    Err(error) if is_strange(&self.data, &source.path, &error) => {
                        closed.push(source.path.clone());
                        None
                    }
                    Err(error) => {
                        return Err(cannot("open", &below(&self.data, &source.path), error));
                    }
                    Ok(opened) => opened,
                };
                take(&source, opened)
            })
        })?;
        Ok(closed)
    }

    /// Ends when nobody listens any more.
    fn go_ahead(&self, files: Vec<SourceFile>, opened: &SyncSender<Coming>) {
        for source in files {
            let file = self.open(&below(&self.data, &source.path), source.found);
            if opened.send((source, file)).is_err() {
                return;
            }
        }
    }

    fn open(&self, path: &Path, found: Found) -> io::Result<Option<Opened>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let about = file.metadata()?;
        if found != Found::Directory && (1..self.in_advance).contains(&about.len()) {
            // only advice
            let _ = rustix::fs::fadvise(&file, 0, None, Advice::WillNeed);
        }
        Ok(Some(Opened { file, about }))
    }
}

type Coming = (SourceFile, io::Result<Option<Opened>>);
