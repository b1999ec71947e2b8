//! Owns what is looked at before the first step of a run: targets, sources, holders of copies.
//! What is refused here has changed nothing, and leaves no run that could be resumed.

use std::collections::BTreeSet;
use std::path::Path;

use super::context::{Context, service_of};
use super::extraction::extraction;
use super::open::OpenError;
use super::{chosen, sealed, space};
use crate::engine::{EngineError, Retry};
use crate::facts::holdings::Method;
use crate::graph::step::{Step, StepGraph, StepKind};
use crate::resolve::plan::EngineKind;

/// Refuses a graph of which it can be seen beforehand that it would fail. Of a run that goes on,
/// the steps in `done` are behind it already.
///
/// A restore is refused when anything it needs is missing. Backups, copies and verifications are
/// refused only when none of them could succeed: one source or device that is gone must not keep
/// the others from being copied. Its own steps then fail.
///
/// # Errors
/// With what is in the way.
pub fn check(
    graph: &StepGraph,
    context: &Context,
    done: Option<&[usize]>,
) -> Result<(), OpenError> {
    let done: BTreeSet<usize> = done.into_iter().flatten().copied().collect();
    let steps = graph.steps.iter().enumerate();
    let ahead = steps.filter(|(index, _)| !done.contains(index));
    let steps: Vec<&Step> = ahead.map(|(_, step)| step).collect();
    let kinds: Vec<&StepKind> = steps.iter().map(|step| &step.kind).collect();
    arrivals(graph, &kinds, context)?;
    for kind in &kinds {
        target(kind, context)?;
        parts(kind, context)?;
    }
    sealed::check(&kinds, context)?;
    chosen::check(&kinds, context)?;
    some_work(&kinds, context)?;
    space::check(&steps, context)
}

/// The place of a restored copy must be free, and its folder writable.
fn target(kind: &StepKind, context: &Context) -> Result<(), OpenError> {
    match kind {
        StepKind::PrepareTarget {
            service, target, ..
        } => {
            let engine = context.engines.get(service);
            let free = engine.map_or(Ok(()), |engine| engine.check_target(Path::new(target)));
            free.map_err(OpenError::Target)?;
            writable(Path::new(target)).map_err(OpenError::Target)
        }
        StepKind::Extract { service, .. } if asks_server(context, service) => Ok(()),
        StepKind::Extract { into, .. } => match context.live_files.get(into) {
            Some(file) if !file.is_file() => Err(OpenError::Engine {
                service: into.clone(),
                cause: EngineError::io("extract into", file)(std::io::ErrorKind::NotFound.into()),
            }),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// What is brought into a live server at the end must find it up and ready; what an earlier process
/// brought and could not write down is known to the engine. A graph that puts back what the server
/// needs to run is not judged before that.
fn arrivals(graph: &StepGraph, kinds: &[&StepKind], context: &Context) -> Result<(), OpenError> {
    let in_place = graph.steps.iter().any(|step| {
        matches!(
            step.kind,
            StepKind::PrepareInPlace { .. } | StepKind::PrepareDelta { .. }
        )
    });
    for kind in kinds.iter().filter(|_| !in_place) {
        let (StepKind::Extract { service, .. } | StepKind::Undo { service, .. }) = kind else {
            continue;
        };
        let Some(engine) = context.engines.get(service) else {
            continue;
        };
        let ready = match kind {
            StepKind::Undo { .. } => engine.check_source(),
            _ if asks_server(context, service) => {
                extraction(graph, kind).and_then(|wish| engine.check_extract(&wish))
            }
            _ => Ok(()),
        };
        ready.map_err(|cause| OpenError::Engine {
            service: service.clone(),
            cause,
        })?;
    }
    Ok(())
}

/// Whether tables go to a server instead of a file.
fn asks_server(context: &Context, service: &str) -> bool {
    let engine = context.engines.get(service);
    engine.is_some_and(|engine| engine.kind() == EngineKind::Postgresql)
}

/// The nearest folder above the target that exists takes new entries.
fn writable(target: &Path) -> Result<(), EngineError> {
    let above = target.ancestors().skip(1);
    let Some(folder) = above.into_iter().find(|path| path.exists()) else {
        return Ok(());
    };
    if !folder.is_dir() {
        let cause = std::io::ErrorKind::NotADirectory.into();
        return Err(EngineError::io("restore below", folder)(cause));
    }
    let wish = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(folder, wish)
        .map_err(|error| EngineError::io("restore below", folder)(error.into()))
}

/// Of everything that a restore reads, one device that holds it must be there.
fn parts(kind: &StepKind, context: &Context) -> Result<(), OpenError> {
    match kind {
        StepKind::FetchPart { part, from, .. } => any(part, from, context),
        StepKind::ReplayLog { logs, .. } => {
            let mut logs = logs.iter();
            logs.try_for_each(|(log, from)| any(log, from, context))
        }
        _ => Ok(()),
    }
}

fn any(object: &str, from: &[String], context: &Context) -> Result<(), OpenError> {
    if from.iter().any(|name| context.devices.contains_key(name)) {
        return Ok(());
    }
    let away = from.iter().filter_map(|name| context.away.get(name));
    let causes: Vec<String> = away.clone().map(ToString::to_string).collect();
    let help = away.map(OpenError::help).next();
    Err(OpenError::Away {
        object: object.to_owned(),
        causes: causes.join("; "),
        help: help.unwrap_or_else(|| "mount one of the devices that hold it".to_owned()),
    })
}

/// One source or stored copy at least must be readable, when any is asked for.
fn some_work(kinds: &[&StepKind], context: &Context) -> Result<(), OpenError> {
    let sources: BTreeSet<Read<'_>> = kinds.iter().filter_map(|kind| source(kind)).collect();
    let sources = sources.into_iter().map(|source| match source {
        Read::Service(service) => live(service, context),
        Read::Tables(component) => readable(component, context),
    });
    let copies = kinds.iter().filter_map(|kind| stored(kind, context));
    let mut first = None;
    for found in sources.chain(copies) {
        match found {
            Ok(()) => return Ok(()),
            Err(error) => first = first.or(Some(error)),
        }
    }
    first.map_or(Ok(()), Err)
}

/// Whether a source is what the inventory says. One that is only busy is not judged.
fn live(service: &str, context: &Context) -> Result<(), OpenError> {
    let checked = context.engines.get(service).map(|one| one.check_source());
    judged(service, checked)
}

/// As [`live`], for what is copied in the engine's own words.
fn readable(component: &str, context: &Context) -> Result<(), OpenError> {
    let service = service_of(component);
    let engine = context.engines.get(service);
    let checked = engine.map(|one| one.check_component(component, Method::Logical));
    judged(service, checked)
}

fn judged(service: &str, checked: Option<Result<(), EngineError>>) -> Result<(), OpenError> {
    match checked {
        Some(Err(cause)) if cause.retry() == Retry::Never => Err(OpenError::Engine {
            service: service.to_owned(),
            cause,
        }),
        _ => Ok(()),
    }
}

/// Whether the stored copy that a step reads is within reach; none when it reads none.
fn stored(kind: &StepKind, context: &Context) -> Option<Result<(), OpenError>> {
    match kind {
        StepKind::CopyStored { object, from, .. } => Some(any(object, from, context)),
        StepKind::MergeStored { parts, from, .. } => {
            let mut all = parts
                .iter()
                .zip(from)
                .map(|(part, from)| any(part, from, context));
            // every part of the chain is needed
            Some(all.find(Result::is_err).unwrap_or(Ok(())))
        }
        StepKind::VerifyStored { object, device, .. } => {
            Some(any(object, std::slice::from_ref(device), context))
        }
        _ => None,
    }
}

/// What is read live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Read<'a> {
    Service(&'a str),
    /// A component in the engine's own words.
    Tables(&'a str),
}

/// What a step reads live.
fn source(kind: &StepKind) -> Option<Read<'_>> {
    match kind {
        StepKind::BeginBackup {
            component,
            method: Method::Logical,
            ..
        } => Some(Read::Tables(component)),
        StepKind::BeginBackup { component, .. } => Some(Read::Service(service_of(component))),
        StepKind::ArchiveLog { service, .. } => Some(Read::Service(service)),
        _ => None,
    }
}
