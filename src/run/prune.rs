//! Owns what becomes of the folders of earlier runs, and of staging that a killed restore left
//! beside its target. A run that can be resumed keeps both. Runs that copied something are put
//! aside for some weeks, so that they can be looked at beside the plan.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::family::Family;
use super::folder::{FolderError, PAST_RUNS, RUNS, folders, load};
use super::staging;
use crate::graph::step::{Intent, StepGraph, StepKind};

/// So many of the newest runs of a family are kept for people who look back.
const KEPT: usize = 5;

/// How long a run that copied something can be looked at, and how large its graph may be.
const PAST: Duration = Duration::from_hours(35 * 24);
const LARGEST: u64 = 64 << 20;

/// Removes what a run that ended well has made useless: of the runs of its family, plan and
/// environment those beyond the newest few, and staging of those before it, since only the newest
/// run of a family can be resumed. Returns the staging folders that were removed.
///
/// # Errors
/// When the system refuses; nothing depends on what then stays.
pub fn prune(state: &Path, ended: &StepGraph) -> Result<Vec<PathBuf>, FolderError> {
    let mut removed = Vec::new();
    if matches!(ended.intent, Intent::Verify { .. }) {
        // it makes up for nothing that came before it
        return Ok(removed);
    }
    let restores = matches!(
        Family::of(&ended.intent),
        Family::Restore | Family::Recovery
    );
    for (turn, folder) in earlier(state, ended)?.into_iter().enumerate() {
        if restores {
            let graph = load(&folder.join("graph.json"))?;
            for staging in stagings(&graph) {
                remove(&staging)?;
                removed.push(staging);
            }
        }
        // the run that ended is one of those that are kept
        if turn + 1 >= KEPT {
            put_aside(state, &folder)?;
        }
    }
    Ok(removed)
}

/// Moves the folder of a run that copied something to those that are only looked at, and removes
/// any other, with those that lie there too long.
fn put_aside(state: &Path, folder: &Path) -> Result<(), FolderError> {
    let young = |folder: &Path| {
        let data = std::fs::metadata(folder.join("graph.json"));
        data.is_ok_and(|data| {
            let age = data.modified().ok().and_then(|at| at.elapsed().ok());
            age.is_none_or(|age| age < PAST) && data.len() <= LARGEST
        })
    };
    let copied = |graph: StepGraph| {
        let copies = |kind: &StepKind| {
            matches!(
                kind,
                StepKind::CopyPart { .. } | StepKind::CopyStored { .. }
            )
        };
        graph.steps.iter().any(|step| copies(&step.kind))
    };
    let past = state.join(PAST_RUNS);
    let name = folder.file_name().unwrap_or_default();
    if !young(folder) || !load(&folder.join("graph.json")).is_ok_and(copied) {
        return remove(folder);
    }
    for old in folders(state, PAST_RUNS)? {
        if !young(&old) {
            remove(&old)?;
        }
    }
    let moved = std::fs::create_dir_all(&past);
    let moved = moved.and_then(|()| std::fs::rename(folder, past.join(name)));
    // a run of the same name lies there already: one of both is enough
    moved.or_else(|_| remove(folder))
}

/// What a stored graph says of itself before its steps.
#[derive(Deserialize)]
struct Head {
    plan: String,
    #[serde(default)]
    environment: String,
    intent: Intent,
}

fn head(path: &Path) -> Option<Head> {
    let bytes = std::fs::read(path).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Folders of the same family, plan and environment before this run, newest first.
fn earlier(state: &Path, ended: &StepGraph) -> Result<Vec<PathBuf>, FolderError> {
    let family = Family::of(&ended.intent);
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for folder in folders(state, RUNS)? {
        let path = folder.join("graph.json");
        let stored = std::fs::metadata(&path).and_then(|data| data.modified());
        let (Ok(stored), Some(head)) = (stored, head(&path)) else {
            continue;
        };
        let same = head.plan == ended.plan
            && head.environment == ended.environment
            && Family::of(&head.intent) == family;
        if same {
            found.push((stored, folder));
        }
    }
    found.sort();
    // the newest is the one that ended: nobody else can have begun one meanwhile
    found.pop();
    Ok(found.into_iter().rev().map(|(_, folder)| folder).collect())
}

/// The staging folders of a run that are still there.
#[must_use]
pub fn left_behind(graph: &StepGraph) -> Vec<PathBuf> {
    stagings(graph).collect()
}

fn stagings(graph: &StepGraph) -> impl Iterator<Item = PathBuf> {
    let targets = graph.steps.iter().filter_map(|step| match &step.kind {
        StepKind::PrepareTarget { target, .. } => Some(Path::new(target)),
        _ => None,
    });
    let folders = targets.map(|target| staging::path(target, &graph.run));
    folders.filter(|folder| folder.is_dir())
}

fn remove(folder: &Path) -> Result<(), FolderError> {
    staging::remove(folder).map_err(|cause| FolderError::Io {
        action: "remove",
        path: folder.to_owned(),
        cause,
    })
}
