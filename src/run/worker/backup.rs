//! The bracket of one part: enter backup mode, read once and write to every device, leave backup
//! mode, commit. The open session travels between the steps in `run::sessions`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Task;
use super::increment;
use crate::catalog::PartRecord;
use crate::engine::Retry;
use crate::facts::capability;
use crate::facts::holdings::Method;
use crate::facts::holdings::Position;
use crate::graph::step::{BuildsOn, StepKind};
use crate::media::keys::Seal;
use crate::media::manifest::{Manifest, PartHeader};
use crate::media::part::{self, PartWriter, Ready, WrittenPart};
use crate::media::{Device, pack};
use crate::run::budget;
use crate::run::changes::Known;
use crate::run::context::{Context, service_of};
use crate::run::message::{Record, StepDone, StepFailure};
use crate::run::sessions::Bracket;
use crate::run::shipped;

/// How a component is copied.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    pub(super) method: Method,
    /// The part that only changes are copied since.
    pub(super) base: Option<&'a BuildsOn>,
}

/// Enters backup mode and keeps the session.
pub(super) fn begin(
    task: &Task<'_>,
    component: &str,
    how: How<'_>,
    changed_since: Option<&str>,
) -> Result<StepDone, StepFailure> {
    let mut bracket = open(task, component, how)?;
    if let (Some(job), Some(session)) = (changed_since, bracket.session.as_mut()) {
        bracket.state = session.state()?;
        bracket.same_as = same_as(task.context, job, component, &bracket);
    }
    let done = match &bracket.same_as {
        Some(part) => {
            // backup mode is left at once
            bracket.session = None;
            StepDone::default().says(format!("nothing changed since part {part}"))
        }
        None => StepDone::default(),
    };
    task.context.sessions.put_bracket(component, bracket);
    Ok(done)
}

/// The part that a job took of this very state, when it is still stored.
fn same_as(context: &Context, job: &str, component: &str, bracket: &Bracket) -> Option<String> {
    let known = context.changes.known(job, component)?;
    let same = Some(&known.state) == bracket.state.as_ref()
        && known.identity == bracket.identity
        && Some(known.method) == bracket.method
        && context.parts.contains(&known.part);
    same.then_some(known.part)
}

/// What the steps of a bracket say that has nothing to copy.
fn nothing(bracket: &Bracket) -> Option<StepDone> {
    let part = bracket.same_as.as_ref()?;
    Some(StepDone::default().says(format!("nothing changed since part {part}")))
}

fn open(task: &Task<'_>, component: &str, how: How<'_>) -> Result<Bracket, StepFailure> {
    let context = task.context;
    let engine = context.engine(service_of(component))?;
    super::room::check(task, service_of(component))?;
    let now = context.clock.now();
    let mut bracket = Bracket {
        identity: engine.identity()?,
        method: Some(how.method),
        ..Bracket::default()
    };
    bracket.session = Some(match how.base.map(|base| increment::look(task, base)) {
        None => engine.begin(component, how.method, now)?,
        Some(Ok(base)) => {
            let identity = &bracket.identity;
            let session = increment::begin(task, component, engine.as_ref(), identity, &base)?;
            bracket.base = Some(base.part);
            session
        }
        Some(Err(cause)) => {
            task.warn(format!(
                "{component} is read in full, not the changes only: {cause}"
            ));
            bracket.method = Some(Method::PhysicalFull);
            engine.begin(component, Method::PhysicalFull, now)?
        }
    });
    Ok(bracket)
}

/// Reads the component once and writes it to every device.
pub(super) fn copy(task: &Task<'_>) -> Result<StepDone, StepFailure> {
    let StepKind::CopyPart {
        component,
        method,
        base,
        ..
    } = &task.step.kind
    else {
        return Err(StepFailure::new("not a copying step"));
    };
    let how = How {
        method: *method,
        base: base.as_ref(),
    };
    let mut bracket = match task.context.sessions.take_bracket(component) {
        Some(bracket) => bracket,
        // the try before spoilt the session, and dropping it left backup mode
        None if task.attempt > 1 => open(task, component, how)?,
        None => return Err(no_session(component)),
    };
    if let Some(done) = nothing(&bracket) {
        task.context.sessions.put_bracket(component, bracket);
        return Ok(done);
    }
    let service = service_of(component);
    let mut written = super::room::watched(task, service, || transfer(task, &mut bracket))?;
    tell(task, &mut written);
    let done = increment::judge(&mut bracket, StepDone::moved(written.bytes));
    (bracket.written, bracket.manifest) = (Some(written), None);
    task.context.sessions.put_bracket(component, bracket);
    Ok(done)
}

/// Tells which devices were lost or fell behind; each is told once.
pub(super) fn tell(task: &Task<'_>, written: &mut WrittenPart) {
    for (device, cause) in std::mem::take(&mut written.lost) {
        task.lost(&device, &cause);
    }
    for device in std::mem::take(&mut written.behind) {
        task.behind(&device);
    }
}

fn transfer(task: &Task<'_>, bracket: &mut Bracket) -> Result<WrittenPart, StepFailure> {
    let StepKind::CopyPart {
        component,
        part,
        devices,
        codec,
        key,
        throttle,
        memory,
        ..
    } = &task.step.kind
    else {
        return Err(StepFailure::new("not a copying step"));
    };
    let session = bracket.session.as_mut();
    let session = session.ok_or_else(|| no_session(component))?;
    let devices = task.writable(devices)?;
    let total = task.context.engine(service_of(component))?.size(component);
    let progress = task.progress(total.ok());
    let settings = task.context.write_settings(*codec, *throttle);
    let settings = budget::held(task.graph, *memory, settings);
    let seal = seal(task, key.as_deref(), part, &devices)?;
    let mut writer = PartWriter::begin_sealed(&devices, settings, seal, &progress, pack::ROLL)?;
    session.copy(&mut writer)?;
    // the source need not wait for slower devices: the commit does
    Ok(writer.finish_first()?)
}

/// A fresh seal for a part, when its job encrypts.
pub(super) fn seal(
    task: &Task<'_>,
    key: Option<&str>,
    part: &str,
    devices: &[Arc<dyn Device>],
) -> Result<Option<Seal>, StepFailure> {
    let (Some(key), Some(device)) = (key, devices.first()) else {
        return Ok(None);
    };
    let seal = device.keys().seal(key, part, &task.graph.run);
    let seal = seal.map_err(|error| StepFailure::new(error.to_string()).help(error.help()))?;
    Ok(Some(seal))
}

/// Leaves backup mode. When the session was spoilt before, backup mode is left already.
pub(super) fn end(task: &Task<'_>, component: &str) -> Result<StepDone, StepFailure> {
    let Some(mut bracket) = task.context.sessions.take_bracket(component) else {
        return Ok(StepDone::default().says("backup mode was left before"));
    };
    if let Some(done) = nothing(&bracket) {
        task.context.sessions.put_bracket(component, bracket);
        return Ok(done);
    }
    let Some(session) = bracket.session.take() else {
        return Ok(StepDone::default().says("backup mode was left before"));
    };
    let ended = session.end()?;
    for warning in &ended.warnings {
        task.warn(warning.clone());
    }
    bracket.ended = Some(ended);
    task.context.sessions.put_bracket(component, bracket);
    Ok(StepDone::default())
}

/// Writes the manifest on every device that holds the packs.
pub(super) fn commit(task: &Task<'_>) -> Result<StepDone, StepFailure> {
    let StepKind::CommitPart { component, .. } = &task.step.kind else {
        return Err(StepFailure::new("not a commit step"));
    };
    let Some(mut bracket) = task.context.sessions.take_bracket(component) else {
        return Err(no_session(component));
    };
    if let Some(done) = nothing(&bracket) {
        return Ok(done);
    }
    let done = commit_bracket(task, &mut bracket);
    if done.is_err() {
        // a further try needs it
        task.context.sessions.put_bracket(component, bracket);
    }
    done
}

/// First on the devices that have everything, then on those that are still writing it.
fn commit_bracket(task: &Task<'_>, bracket: &mut Bracket) -> Result<StepDone, StepFailure> {
    if bracket.manifest.is_none() {
        let manifest = manifest(task, bracket)?;
        bracket.manifest = Some(ready(manifest)?);
    }
    let (Some(ready), Some(written)) = (&bracket.manifest, &mut bracket.written) else {
        return Err(StepFailure::new("nothing was written"));
    };
    covered(task, &ready.manifest)?;
    let done = publish(task, ready, written)?;
    remember(task, bracket.state.as_ref(), &ready.manifest.header);
    Ok(StepDone::moved(ready.manifest.stored_bytes).says(done.join(", ")))
}

/// Makes a manifest ready for all devices.
pub(super) fn ready(manifest: Manifest) -> Result<Ready, StepFailure> {
    Ready::new(manifest)
        .map_err(|cause| StepFailure::new(format!("the manifest cannot be made: {cause}")))
}

/// Writes a manifest on the devices that hold all packs, first on those that are done, then on
/// those that are still writing; those that hold it now.
///
/// # Errors
/// When none does.
pub(super) fn publish(
    task: &Task<'_>,
    ready: &Ready,
    written: &mut WrittenPart,
) -> Result<Vec<String>, StepFailure> {
    let first = written.devices.clone();
    let mut commits = Commits::default();
    commits.add(task, ready, &first)?;
    written.settle(&|_| !task.stop.asked())?;
    tell(task, written);
    let late = written.devices.iter().filter(|name| !first.contains(name));
    let late: Vec<String> = late.cloned().collect();
    commits.add(task, ready, &late)?;
    if commits.done.is_empty() {
        let none = || StepFailure::new("no device holds the part");
        return Err(commits.failure.unwrap_or_else(none));
    }
    let place = |name: &String| written.devices.iter().position(|one| one == name);
    commits.done.sort_by_key(place);
    Ok(commits.done)
}

/// Where a manifest was written.
#[derive(Default)]
struct Commits {
    done: Vec<String>,
    failure: Option<StepFailure>,
}

impl Commits {
    fn add(
        &mut self,
        task: &Task<'_>,
        ready: &Ready,
        devices: &[String],
    ) -> Result<(), StepFailure> {
        let record = PartRecord::of(&ready.manifest, ready.content);
        for name in devices {
            let device = task.context.device(name)?;
            match ready.commit(device.as_ref()) {
                Ok(()) => {
                    task.record(Record::Part(Box::new(record.clone()), name.clone()));
                    self.done.push(name.clone());
                }
                Err(error) => {
                    task.lost(name, &error);
                    self.failure = Some(error.into());
                }
            }
        }
        Ok(())
    }
}

/// Writes down which state the new part shows, for `when changed`.
fn remember(task: &Task<'_>, state: Option<&String>, part: &PartHeader) {
    let Some(state) = state.cloned() else {
        return;
    };
    let copy = Known {
        part: part.part.clone(),
        method: part.method,
        identity: part.identity.clone(),
        state,
    };
    let changes = &task.context.changes;
    if let Err(error) = changes.remember(&part.job, &part.component, copy) {
        task.warn(format!(
            "the next run copies it even if it does not change: {error}"
        ));
    }
}

/// A part that needs its log is committed only when every device that must hold the log holds all
/// of the part's range, without a gap.
fn covered(task: &Task<'_>, manifest: &Manifest) -> Result<(), StepFailure> {
    let part = &manifest.header;
    if capability::of(part.engine).self_contained || part.method == Method::Logical {
        return Ok(());
    }
    let (Some(from), Some(until)) = (&manifest.ended.from, &manifest.ended.until) else {
        return Err(StepFailure::new("the part tells no range of log"));
    };
    for name in log_holders(task, &part.service) {
        let device = task.context.device(&name)?;
        let reach = shipped::reach(device.as_ref(), &part.service, &part.identity, from)?;
        if reach.is_none_or(|reach| reach < until.value) {
            let reached = reach.map_or_else(
                || "it lacks the beginning".to_owned(),
                |reach| {
                    format!(
                        "it ends at {}",
                        Position {
                            value: reach,
                            ..from.clone()
                        }
                        .reach()
                    )
                },
            );
            return Err(StepFailure {
                retry: Retry::Later,
                ..StepFailure::new(format!(
                    "{name} does not hold the log of {} from {} to {}: {reached}",
                    part.service,
                    from.name(),
                    until.reach()
                ))
                .help("look at the server's archive_command; the part is not committed")
            });
        }
    }
    Ok(())
}

/// The devices that must hold the log of a service, by the archiving steps of the graph.
pub(super) fn log_holders(task: &Task<'_>, service: &str) -> BTreeSet<String> {
    let mut holders = BTreeSet::new();
    for step in &task.graph.steps {
        if let StepKind::ArchiveLog {
            service: of, job, ..
        } = &step.kind
            && of == service
        {
            let required = task.context.required.get(job);
            holders.extend(required.into_iter().flatten().cloned());
        }
    }
    holders
}

fn manifest(task: &Task<'_>, bracket: &mut Bracket) -> Result<Manifest, StepFailure> {
    let StepKind::CommitPart {
        component,
        part,
        job,
        ..
    } = &task.step.kind
    else {
        return Err(StepFailure::new("not a commit step"));
    };
    let (Some(written), Some(ended)) = (&mut bracket.written, &bracket.ended) else {
        return Err(no_session(component));
    };
    let service = service_of(component);
    let graph = task.graph;
    let header = PartHeader {
        part: part.clone(),
        component: component.clone(),
        service: service.to_owned(),
        engine: task.context.engine(service)?.kind(),
        job: job.clone(),
        run: graph.run.clone(),
        plan: graph.plan.clone(),
        environment: graph.environment.clone(),
        plan_hash: graph.plan_hash.clone(),
        method: bracket.method.unwrap_or(Method::PhysicalFull),
        identity: bracket.identity.clone(),
        base: bracket.base.clone(),
    };
    Ok(part::manifest(written, header, ended.clone()))
}

fn no_session(component: &str) -> StepFailure {
    StepFailure::new(format!("the backup session of {component} is gone"))
        .help("run again; the part was not committed")
}
