//! Owns which graphs this version can run: a graph of any engine and device can be compiled and
//! drawn, but a step that nothing can carry out must be refused before the first one begins.

use std::collections::BTreeSet;

use super::error::{GraphError, Problem};
use super::step::{StepGraph, StepKind};
use super::world::full_name;
use crate::resolve::plan::{DeviceKind, Encrypt, EngineKind, Keeping, ResolvedPlan};

/// Refuses graphs with a service, a device or a promise of secrecy that this version cannot serve.
///
/// # Errors
/// With every service, device and job concerned.
pub fn check(plan: &ResolvedPlan, graph: &StepGraph) -> Result<(), GraphError> {
    let mut services = BTreeSet::new();
    let mut devices = BTreeSet::new();
    for step in &graph.steps {
        services.extend(service_of(&step.kind));
        devices.extend(devices_of(&step.kind));
    }
    let mut problems: Vec<Problem> = (services.into_iter())
        .filter_map(|name| service_problem(plan, name))
        .collect();
    problems.extend(
        devices
            .into_iter()
            .filter_map(|name| device_problem(plan, name)),
    );
    problems.extend(encryption_problems(plan, graph));
    GraphError::unless_empty(problems)
}

/// The service a step works on.
#[must_use]
pub fn service_of(kind: &StepKind) -> Option<&str> {
    match kind {
        StepKind::BeginBackup { component, .. }
        | StepKind::CopyPart { component, .. }
        | StepKind::EndBackup { component, .. }
        | StepKind::CommitPart { component, .. } => component.split('/').next(),
        StepKind::ArchiveLog { service, .. }
        | StepKind::PrepareTarget { service, .. }
        | StepKind::FetchPart { service, .. }
        | StepKind::ReplayLog { service, .. }
        | StepKind::CheckRestored { service, .. }
        | StepKind::Probe { service, .. }
        | StepKind::Extract { service, .. }
        | StepKind::Publish { service, .. } => Some(service),
        _ => None,
    }
}

/// The devices a step writes or reads.
#[must_use]
pub fn devices_of(kind: &StepKind) -> Vec<&str> {
    fn all(names: &[String]) -> Vec<&str> {
        names.iter().map(String::as_str).collect()
    }
    match kind {
        StepKind::CopyPart { devices, .. }
        | StepKind::CommitPart { devices, .. }
        | StepKind::ArchiveLog { devices, .. } => all(devices),
        StepKind::CopyStored { from, to, .. } => {
            let mut names = all(from);
            names.push(to);
            names
        }
        StepKind::VerifyStored { device, .. } => vec![device],
        StepKind::FetchPart { from, .. } => all(from),
        StepKind::ReplayLog { logs, .. } => logs.iter().flat_map(|(_, from)| all(from)).collect(),
        _ => Vec::new(),
    }
}

/// A job that promises encrypted copies must not store plain ones.
fn encryption_problems(plan: &ResolvedPlan, graph: &StepGraph) -> Vec<Problem> {
    let stored: BTreeSet<&str> = graph.steps.iter().filter_map(|s| job_of(&s.kind)).collect();
    let backups = plan
        .backups
        .iter()
        .map(|job| (&job.origin, &job.name, &job.keeping));
    let archives = plan
        .archives
        .iter()
        .map(|job| (&job.origin, &job.name, &job.keeping));
    let promised = |keeping: &Keeping| match keeping.encrypt {
        Encrypt::With(key, _) => Some(plan.keys[key.index()].name.clone()),
        Encrypt::Unsaid | Encrypt::None(_) => None,
    };
    let unkept = backups.chain(archives).filter_map(|(origin, name, keeping)| {
        let job = full_name(origin, name);
        let key = promised(keeping)?;
        stored.contains(job.as_str()).then(|| Problem {
            message: format!(
                "`{job}` promises copies encrypted with `{key}`; this planc stores plain copies only"
            ),
            help: "write `encrypt none` if plain copies are right, and keep the devices safe".into(),
        })
    });
    unkept.collect()
}

/// The job that a storing step belongs to.
fn job_of(kind: &StepKind) -> Option<&str> {
    match kind {
        StepKind::CommitPart { job, .. }
        | StepKind::ArchiveLog { job, .. }
        | StepKind::CopyStored { job, .. } => Some(job),
        _ => None,
    }
}

fn service_problem(plan: &ResolvedPlan, name: &str) -> Option<Problem> {
    let service = plan.services.iter().find(|service| service.name == name)?;
    let known = matches!(service.engine, EngineKind::Sqlite | EngineKind::Files);
    (!known).then(|| Problem {
        message: format!(
            "service `{name}` is {}; sqlite and files are the engines that can be run",
            service.engine.word()
        ),
        help: "name the jobs of other services: `planc run JOB …`".into(),
    })
}

fn device_problem(plan: &ResolvedPlan, name: &str) -> Option<Problem> {
    let device = plan.devices.iter().find(|device| device.name == name)?;
    (device.kind != DeviceKind::Directory).then(|| Problem {
        message: format!(
            "device `{name}` is {}; copies can be kept on directory devices only",
            device.kind.word()
        ),
        help: format!("give `{name}` a `path` in the inventory of this environment"),
    })
}
