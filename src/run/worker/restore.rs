//! Builds a restored copy beside its target and publishes it last. Nothing appears under the
//! target's name before every byte was verified.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Task;
use crate::durable;
use crate::engine::restore::WHOLE;
use crate::engine::{Engine, EngineError, Lost, RestoreSession};
use crate::facts::holdings::Position;
use crate::graph::step::{Step, StepKind};
use crate::media::part;
use crate::run::chosen;
use crate::run::context::Context;
use crate::run::message::{StepDone, StepFailure};
use crate::run::sessions::Building;
use crate::run::staging;

/// Refuses bad targets and claims the staging folder.
pub(super) fn prepare(task: &Task<'_>) -> Result<StepDone, StepFailure> {
    let StepKind::PrepareTarget {
        service,
        target,
        relocate,
        only,
        logical,
    } = &task.step.kind
    else {
        return Err(StepFailure::new("not a preparing step"));
    };
    let engine = task.context.engine(service)?;
    if staging::is_mounted(Path::new(target)) {
        let cause = "a file system is mounted there: a copy is built beside its target, on the same \
                     file system, and then renamed";
        let error = EngineError::refused(format!("restore to {target}"), cause);
        let help = format!("name a folder in it that does not exist yet, like {target}/{service}");
        return Err(StepFailure::from(error).help(help));
    }
    let refused = |failure: StepFailure| failure.help("name a path that does not exist yet");
    engine
        .check_target(Path::new(target))
        .map_err(|error| refused(error.into()))?;
    let folder = fresh_staging(task, engine.as_ref(), target)?;
    let mut session = if *logical {
        engine.rebuild(&folder)?
    } else {
        engine.restore(&folder)?
    };
    if is_to_take(&task.graph.steps, target) {
        session.will_be_dropped();
    }
    if is_published(&task.graph.steps, target) {
        session.will_stay();
    }
    if !only.is_empty() && !logical {
        choose(task, session.as_mut(), target, only)?;
    }
    let places = relocate
        .iter()
        .map(|(name, place)| (name.clone(), PathBuf::from(place)));
    session
        .relocate(&places.collect())
        .map_err(|error| refused(error.into()))?;
    let building = Building {
        staging: folder,
        session,
    };
    task.context.sessions.put_building(target, building);
    Ok(StepDone::default())
}

/// Whether a copy is only made so that something is taken out of it.
fn is_to_take(steps: &[Step], copy: &str) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::ReplayLog {
            target, to_take, ..
        } => *to_take && target == copy,
        _ => false,
    })
}

fn is_published(steps: &[Step], copy: &str) -> bool {
    let publishes =
        |kind: &StepKind| matches!(kind, StepKind::Publish { target, .. } if target == copy);
    steps.iter().any(|step| publishes(&step.kind))
}

/// Wants the content of some databases only, of those that the newest part tells of.
fn choose(
    task: &Task<'_>,
    session: &mut dyn RestoreSession,
    copy: &str,
    databases: &[String],
) -> Result<(), StepFailure> {
    let kinds = task.graph.steps.iter().map(|step| &step.kind);
    if let Some((manifest, replaced)) = chosen::newest(kinds, copy, task.context)? {
        task.healed(&manifest.header.part, replaced);
        session.only(databases, &manifest.ended)?;
    }
    Ok(())
}

/// What a step puts back, and how far the log that is stored for it leads.
fn lost(kind: &StepKind) -> (Lost, Option<&Position>) {
    let StepKind::PrepareInPlace {
        component,
        relocate,
        files,
        stored,
        ..
    } = kind
    else {
        return (Lost::Differing, None);
    };
    let component = component.clone();
    let lost = if files.is_empty() {
        let place = relocate.as_ref().map(PathBuf::from);
        Lost::Component { component, place }
    } else {
        let files = files.clone();
        Lost::Files { component, files }
    };
    (lost, stored.as_ref())
}

/// Claims what is lost of a stopped service, once the log leads to where the rest of it is.
pub(super) fn prepare_in_place(
    task: &Task<'_>,
    service: &str,
    target: &str,
) -> Result<StepDone, StepFailure> {
    let engine = task.context.engine(service)?;
    let whole = staging::path(Path::new(target), &task.graph.run).join(WHOLE);
    let is_whole = whole.exists();
    let folder = fresh_staging(task, engine.as_ref(), target)?;
    if is_whole {
        durable::note(&whole).map_err(|cause| io("write", &whole, cause))?;
    }
    engine.abandon_in_place();
    let (lost, stored) = lost(&task.step.kind);
    let session = engine.put_back(&lost, &folder)?;
    if let Some(stored) = stored.filter(|_| !is_whole) {
        session.follows(stored)?;
    }
    let building = Building {
        staging: folder,
        session,
    };
    task.context.sessions.put_building(target, building);
    Ok(StepDone::default())
}

/// The staging folder, empty: an earlier try of this run may have left one.
fn fresh_staging(
    task: &Task<'_>,
    engine: &dyn Engine,
    target: &str,
) -> Result<PathBuf, StepFailure> {
    drop(task.context.sessions.take_building(target));
    let folder = staging::path(Path::new(target), &task.graph.run);
    engine.abandon(&folder);
    let made = staging::make(&folder);
    made.map_err(|cause| io("create", &folder, cause))?;
    Ok(folder)
}

/// Brings a part into staging.
pub(super) fn fetch(
    task: &Task<'_>,
    part: &str,
    from: &[String],
    target: &str,
) -> Result<StepDone, StepFailure> {
    let holders = task.context.holders(from)?;
    let told = task.progress(task.step.estimate.bytes);
    let read = AtomicU64::new(0);
    let progress = |bytes| {
        read.fetch_max(bytes, Ordering::Relaxed);
        told(bytes)
    };
    with_building(task.context, target, |building| {
        let session = building.session.as_mut();
        let restored = part::restore(part, &holders, session, &progress);
        let (_, replaced) = restored.map_err(|error| unread(part, &error.into()))?;
        task.healed(part, replaced);
        Ok(StepDone::moved(read.load(Ordering::Relaxed)))
    })
}

/// A part that cannot be read: an older one may lead to the same state, once it is known that this
/// one does not.
fn unread(part: &str, failure: &StepFailure) -> StepFailure {
    let help = failure
        .help
        .as_deref()
        .map_or(String::new(), |help| format!("{help}; "));
    StepFailure {
        cause: format!("part {part}: {}", failure.cause),
        help: Some(format!(
            "{help}`planc verify` notes what is damaged or lost, and the next try takes the newest \
             way back that is whole"
        )),
        ..failure.clone()
    }
}

/// Checks the copy by the engine's own means.
pub(super) fn check(task: &Task<'_>, target: &str) -> Result<StepDone, StepFailure> {
    with_building(task.context, target, |building| {
        building.session.check()?;
        for warning in building.session.warnings() {
            task.warn(warning);
        }
        Ok(StepDone::default())
    })
}

/// Makes the result visible under its name.
pub(super) fn publish(task: &Task<'_>, target: &str) -> Result<StepDone, StepFailure> {
    let building = task.context.sessions.take_building(target);
    let building = building.ok_or_else(|| nothing_built(target))?;
    let result = building.session.result();
    let result = building.staging.join(result);
    // open handles on the result end before it moves
    drop(building.session);
    let target = Path::new(target);
    staging::publish(&result, target, &building.staging).map_err(|cause| {
        let exists = cause.kind() == std::io::ErrorKind::AlreadyExists;
        let failure = io("publish", target, cause);
        if exists {
            failure.help("something appeared at the target meanwhile; it was not touched")
        } else {
            failure
        }
    })?;
    Ok(StepDone::default().says(target.display().to_string()))
}

/// Works on a restore and puts it back, also after a failure: a later try or the end of the run
/// needs the folder.
pub(super) fn with_building<T>(
    context: &Context,
    target: &str,
    work: impl FnOnce(&mut Building) -> Result<T, StepFailure>,
) -> Result<T, StepFailure> {
    let building = context.sessions.take_building(target);
    let mut building = building.ok_or_else(|| nothing_built(target))?;
    let done = work(&mut building);
    context.sessions.put_building(target, building);
    done
}

fn nothing_built(target: &str) -> StepFailure {
    StepFailure::new(format!("nothing is being restored to {target}"))
}

fn io(action: &'static str, path: &Path, cause: std::io::Error) -> StepFailure {
    let path = path.to_owned();
    EngineError::Io {
        action,
        path,
        cause,
    }
    .into()
}
