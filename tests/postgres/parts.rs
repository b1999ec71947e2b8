//! Owns parts in memory of a folder: a sink that writes what an engine copies, one folder a part.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use planc::engine::postgres::PostgresSpec;
use planc::engine::postgres::component::Component;
use planc::engine::postgres::engine::PostgresEngine;
use planc::engine::{BackupSession, EndedBackup, Engine, EngineError, Entry, EntryKind, PartSink};
use planc::facts::holdings::Method;

use super::cluster::Cluster;

/// The engine for a cluster, as the superuser.
pub(crate) fn engine(cluster: &Cluster, apart: &[&str]) -> PostgresEngine {
    PostgresEngine::new(spec(cluster, "postgres", apart))
}

pub(crate) fn spec(cluster: &Cluster, user: &str, apart: &[&str]) -> PostgresSpec {
    let socket = cluster.folder.path().display().to_string();
    let fields = [("socket", socket), ("user", user.to_owned())];
    let apart: Result<BTreeSet<_>, _> = apart.iter().map(|key| Component::parse(key)).collect();
    PostgresSpec {
        service: "shop".to_owned(),
        connect: fields.map(|(name, value)| (name.to_owned(), value)).into(),
        data_directory: None,
        apart: apart.expect("component keys"),
        programs: Some(super::cluster::tools(cluster.version)),
        ..PostgresSpec::default()
    }
}

/// A part as it was copied.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) entries: Vec<Entry>,
    pub(crate) ended: EndedBackup,
}

impl Part {
    pub(crate) fn paths(&self) -> BTreeSet<&str> {
        self.entries
            .iter()
            .map(|entry| entry.path.as_str())
            .collect()
    }
}

/// Copies one component in one bracket.
pub(crate) fn copy(engine: &dyn Engine, key: &str) -> Result<Part, EngineError> {
    copy_while(engine, key, || ())
}

/// Copies one component; `meanwhile` runs inside the bracket, before the copy.
pub(crate) fn copy_while(
    engine: &dyn Engine,
    key: &str,
    meanwhile: impl FnOnce(),
) -> Result<Part, EngineError> {
    let now = jiff::Timestamp::now();
    let mut session = engine.begin(key, Method::PhysicalFull, now)?;
    meanwhile();
    let (folder, entries) = gather(session.as_mut())?;
    let ended = session.end()?;
    Ok(Part {
        folder,
        entries,
        ended,
    })
}

/// Copies what an open bracket offers to a folder.
pub(crate) fn gather(
    session: &mut dyn BackupSession,
) -> Result<(tempfile::TempDir, Vec<Entry>), EngineError> {
    let mut sink = FolderSink {
        folder: super::cluster::folder(),
        entries: Vec::new(),
        open: None,
    };
    session.copy(&mut sink)?;
    Ok((sink.folder, sink.entries))
}

struct FolderSink {
    folder: tempfile::TempDir,
    entries: Vec<Entry>,
    open: Option<File>,
}

fn io(path: &Path, cause: std::io::Error) -> EngineError {
    EngineError::Io {
        action: "write",
        path: PathBuf::from(path),
        cause,
    }
}

impl PartSink for FolderSink {
    fn entry(&mut self, entry: Entry) -> Result<(), EngineError> {
        let path = self.folder.path().join(&entry.path);
        let made = match entry.kind {
            EntryKind::Directory => std::fs::create_dir_all(&path).map(|()| None),
            EntryKind::File => std::fs::create_dir_all(path.parent().expect("a folder"))
                .and_then(|()| File::create_new(&path))
                .map(Some),
            _ => panic!("a cluster has files and folders only: {entry:?}"),
        };
        self.open = made.map_err(|error| io(&path, error))?;
        self.entries.push(entry);
        Ok(())
    }

    fn read_from(
        &mut self,
        source: &mut dyn Read,
        limit: u64,
        path: &Path,
    ) -> Result<u64, EngineError> {
        let file = self.open.as_mut().expect("an open file");
        std::io::copy(&mut source.take(limit), file).map_err(|error| io(path, error))
    }

    fn hole(&mut self, _length: u64) -> Result<(), EngineError> {
        panic!("a cluster has no holes");
    }

    fn close(&mut self) -> Result<(), EngineError> {
        self.open = None;
        Ok(())
    }
}
