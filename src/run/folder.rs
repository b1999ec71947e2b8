//! Owns the folder of one run below the state folder: `runs/RUN/graph.json` and `runs/RUN/journal`.
//! Both lie there before the first step begins, so that any later process can go on. Runs that
//! are only looked at lie in `past/RUN`.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::event::{EventKind, RunEvent};
use super::family::Family;
use super::journal::{self, Journal, JournalError};
use crate::durable;
use crate::graph::step::{Intent, StepGraph};

/// Where the newest runs lie.
pub(super) const RUNS: &str = "runs";
/// Where older runs lie that can still be looked at.
pub(super) const PAST_RUNS: &str = "past";

/// What goes wrong with a run's folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system refused.
    #[error("cannot {action} {path}: {cause}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// The graph stored beside the journal cannot be read.
    #[error("the graph {path} cannot be read: {detail}")]
    Graph {
        /// The file.
        path: PathBuf,
        /// How it shows.
        detail: String,
    },
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Stores the graph of a new run and begins its journal. A run id that was used before (the same
/// plan, intent and `now`) gets a further folder.
///
/// # Errors
/// [`FolderError::Io`].
pub fn create(state: &Path, graph: &StepGraph) -> Result<(PathBuf, Journal), FolderError> {
    let runs = state.join(RUNS);
    let made = durable::make_folder(&runs, durable::OPEN);
    made.map_err(|cause| io("create", &runs, cause))?;
    let folder = fresh(&runs, &graph.run)?;
    store(&folder.join("graph.json"), graph)?;
    let journal = Journal::create(&folder.join("journal"))?;
    for path in [&folder, &runs] {
        durable::sync_folder(path).map_err(|cause| io("sync", path, cause))?;
    }
    Ok((folder, journal))
}

fn fresh(runs: &Path, run: &str) -> Result<PathBuf, FolderError> {
    let names = (1..).map(|n| match n {
        1 => run.to_owned(),
        n => format!("{run}-{n}"),
    });
    for name in names {
        let folder = runs.join(name);
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(io("create", &folder, cause)),
        }
    }
    unreachable!("invariant: the names never end")
}

fn store(path: &Path, graph: &StepGraph) -> Result<(), FolderError> {
    let file = File::create_new(path).map_err(|cause| io("create", path, cause))?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    serde_json::to_writer(&mut out, graph)
        .map_err(|error| io("write", path, std::io::Error::other(error)))?;
    out.flush().map_err(|cause| io("write", path, cause))?;
    let synced = out.get_ref().sync_all();
    synced.map_err(|cause| io("sync", path, cause))
}

/// A run that did not do all it should.
#[derive(Debug)]
pub struct Unfinished {
    /// Its folder.
    pub folder: PathBuf,
    /// Its graph.
    pub graph: StepGraph,
    /// When it began.
    pub began: Timestamp,
    /// How long ago that is by the clock of the file system.
    pub age: Duration,
}

/// The newest run of a family, plan and environment, when it did not end with every step done.
/// A run whose journal is missing or empty counts as unfinished: the media tell what is done.
///
/// # Errors
/// When a journal is damaged: the operator must look.
pub fn newest_unfinished(
    state: &Path,
    plan: &str,
    environment: &str,
    family: Family,
) -> Result<Option<Unfinished>, FolderError> {
    let mut found = Vec::new();
    for folder in folders(state, RUNS)? {
        // the file's time, not the run's: `--now` may say anything
        let stored = std::fs::metadata(folder.join("graph.json")).and_then(|data| data.modified());
        if let (Ok(stored), Some((began, finished))) = (stored, history(&folder)?) {
            found.push((stored, folder, began, finished));
        }
    }
    found.sort();
    while let Some((_, folder, began, finished)) = found.pop() {
        let graph = match load(&folder.join("graph.json")) {
            // a run that ended meanwhile has cleared it away
            Err(_) if !folder.exists() => continue,
            graph => graph?,
        };
        let same = graph.plan == plan && graph.environment == environment;
        // a verification that ended well makes up for nothing that came before it
        let supersedes = !finished
            || !matches!(
                graph.intent,
                Intent::Verify { .. }
                    | Intent::Scrub { .. }
                    | Intent::CatchUp
                    | Intent::Merge { .. }
                    | Intent::Repair { .. }
                    | Intent::Expire { .. }
            );
        if same && supersedes && Family::of(&graph.intent) == family {
            let unfinished = Unfinished {
                age: age(&folder),
                folder,
                graph,
                began,
            };
            return Ok((!finished).then_some(unfinished));
        }
    }
    Ok(None)
}

/// Time since the graph was stored.
fn age(folder: &Path) -> Duration {
    let stored = std::fs::metadata(folder.join("graph.json")).and_then(|data| data.modified());
    stored
        .ok()
        .and_then(|stored| stored.elapsed().ok())
        .unwrap_or_default()
}

/// When the run of a folder began and whether it is finished; none when it died before its graph
/// was stored whole.
fn history(folder: &Path) -> Result<Option<(Timestamp, bool)>, FolderError> {
    let events = told(folder)?;
    Ok(match events.first() {
        Some(first) => Some((first.at, is_finished(&events))),
        None => load(&folder.join("graph.json"))
            .ok()
            .map(|graph| (graph.now, false)),
    })
}

/// The graph of an earlier run with what its journal tells; `last` is the newest. None when there
/// is no such run.
///
/// # Errors
/// When its graph or journal is damaged.
pub fn past(state: &Path, id: &str) -> Result<Option<(StepGraph, Vec<RunEvent>)>, FolderError> {
    let stored = |folder: &PathBuf| {
        let data = std::fs::metadata(folder.join("graph.json"));
        data.and_then(|data| data.modified()).ok()
    };
    let named = |folder: &PathBuf| folder.file_name().is_some_and(|name| name == id);
    let folders = all_folders(state)?.into_iter();
    let found = match id {
        "last" => folders
            .filter_map(|folder| Some((stored(&folder)?, folder)))
            .max()
            .map(|(_, folder)| folder),
        _ => folders.into_iter().find(named),
    };
    let Some(folder) = found else { return Ok(None) };
    let graph = load(&folder.join("graph.json"))?;
    Ok(Some((graph, told(&folder)?)))
}

/// All earlier runs of a plan and environment that can still be looked at and that did something
/// since a moment, in no order.
///
/// # Errors
/// When a graph or journal is damaged.
pub fn past_since(
    state: &Path,
    (plan, environment): (&str, &str),
    since: Timestamp,
) -> Result<Vec<(StepGraph, Vec<RunEvent>)>, FolderError> {
    let mut found = Vec::new();
    for folder in all_folders(state)? {
        let events = told(&folder)?;
        if events.last().is_none_or(|last| last.at < since) {
            continue;
        }
        match load(&folder.join("graph.json")) {
            // a run that ended meanwhile has cleared it away
            Err(_) if !folder.exists() => {}
            graph => found.push((graph?, events)),
        }
    }
    found.retain(|(graph, _)| graph.plan == plan && graph.environment == environment);
    Ok(found)
}

/// Opens the journal of an unfinished run; a missing one is begun anew.
///
/// # Errors
/// [`JournalError::Damaged`] when a record before the tail is bad.
pub fn resume(folder: &Path) -> Result<(Journal, Vec<RunEvent>), FolderError> {
    let path = folder.join("journal");
    if path.exists() {
        return Ok(Journal::resume(&path)?);
    }
    Ok((Journal::create(&path)?, Vec::new()))
}

/// What the journal of a run tells; nothing when there is none, or none any more.
fn told(folder: &Path) -> Result<Vec<RunEvent>, JournalError> {
    match journal::read(&folder.join("journal")) {
        Err(JournalError::Io { cause, .. }) if cause.kind() == ErrorKind::NotFound => {
            Ok(Vec::new())
        }
        read => Ok(read?.events),
    }
}

/// The folders of all runs that can be looked at, in no order.
fn all_folders(state: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let mut all = folders(state, RUNS)?;
    all.extend(folders(state, PAST_RUNS)?);
    Ok(all)
}

/// The folders of runs that lie in one place, in no order.
pub(super) fn folders(state: &Path, place: &str) -> Result<Vec<PathBuf>, FolderError> {
    let runs = state.join(place);
    let entries = match std::fs::read_dir(&runs) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|cause| io("list", &runs, cause))?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths: Result<Vec<_>, _> = paths.collect();
    paths.map_err(|cause| io("list", &runs, cause))
}

fn is_finished(events: &[RunEvent]) -> bool {
    let last = events.last().map(|event| &event.kind);
    matches!(
        last,
        Some(EventKind::RunEnded {
            failed: 0,
            skipped: 0,
            ..
        })
    )
}

/// Reads a stored graph.
///
/// # Errors
/// [`FolderError::Graph`].
pub(super) fn load(path: &Path) -> Result<StepGraph, FolderError> {
    let bytes = std::fs::read(path).map_err(|cause| io("read", path, cause))?;
    serde_json::from_slice(&bytes).map_err(|error| FolderError::Graph {
        path: path.to_owned(),
        detail: error.to_string(),
    })
}

fn io(action: &'static str, path: &Path, cause: std::io::Error) -> FolderError {
    let path = path.to_owned();
    FolderError::Io {
        action,
        path,
        cause,
    }
}
