//! Owns which graphs this version can run: a graph of any engine and device can be compiled and
//! drawn, but a step that nothing can carry out must be refused before the first one begins.

use std::collections::BTreeSet;

use super::error::{GraphError, Problem};
use super::step::{StepGraph, StepKind};
use crate::resolve::plan::{DeviceKind, EngineKind, ResolvedPlan};

/// Refuses graphs with a service or a device that this version cannot serve.
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
    GraphError::unless_empty(problems)
}

/// The service a step works on.
#[must_use]
pub fn service_of(kind: &StepKind) -> Option<&str> {
    match kind {
        StepKind::BeginBackup { component, .. }
        | StepKind::CopyPart { component, .. }
        | StepKind::EndBackup { component, .. }
        | StepKind::CommitPart { component, .. }
        | StepKind::PrepareInPlace { component, .. } => component.split('/').next(),
        StepKind::ArchiveLog { service, .. }
        | StepKind::PrepareTarget { service, .. }
        | StepKind::PrepareDelta { service, .. }
        | StepKind::FetchPart { service, .. }
        | StepKind::ReplayLog { service, .. }
        | StepKind::CheckRestored { service, .. }
        | StepKind::Examine { service, .. }
        | StepKind::Probe { service, .. }
        | StepKind::Extract { service, .. }
        | StepKind::Undo { service, .. }
        | StepKind::Switch { service, .. }
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
        StepKind::MergeStored { from, devices, .. } => from
            .iter()
            .flatten()
            .chain(devices)
            .map(String::as_str)
            .collect(),
        StepKind::BeginBackup {
            base: Some(base), ..
        } => all(&base.from),
        StepKind::CopyStored { from, to, .. } => {
            let mut names = all(from);
            names.push(to);
            names
        }
        StepKind::VerifyStored { device, .. }
        | StepKind::Condemn { device, .. }
        | StepKind::DeleteStored { device, .. }
        | StepKind::Reprieve { device, .. } => vec![device],
        StepKind::FetchPart { from, .. } => all(from),
        StepKind::ReplayLog { logs, .. } => logs.iter().flat_map(|(_, from)| all(from)).collect(),
        _ => Vec::new(),
    }
}

/// The stored parts and log ranges that a step reads.
#[must_use]
pub fn objects_of(kind: &StepKind) -> Vec<String> {
    match kind {
        StepKind::CopyStored { object, .. } | StepKind::VerifyStored { object, .. } => {
            vec![object.clone()]
        }
        StepKind::FetchPart { part, .. } => vec![part.clone()],
        StepKind::MergeStored { parts, .. } => parts.clone(),
        StepKind::BeginBackup {
            base: Some(base), ..
        } => vec![base.part.clone()],
        StepKind::ReplayLog { logs, .. } => logs.iter().map(|(log, _)| log.clone()).collect(),
        _ => Vec::new(),
    }
}

fn service_problem(plan: &ResolvedPlan, name: &str) -> Option<Problem> {
    let service = plan.services.iter().find(|service| service.name == name)?;
    (service.engine == EngineKind::Mariadb).then(|| Problem {
        message: format!(
            "service `{name}` is {}; postgresql, sqlite and files are the engines that can be run",
            service.engine.word()
        ),
        help: "name the jobs of other services: `planc run JOB …`".into(),
    })
}

fn device_problem(plan: &ResolvedPlan, name: &str) -> Option<Problem> {
    let device = plan.devices.iter().find(|device| device.name == name)?;
    (device.kind == DeviceKind::Volumes && device.library.is_none()).then(|| Problem {
        message: format!(
            "device `{name}` is a volume set, and nothing says what keeps its volumes"
        ),
        help: format!(
            "give `{name}` a `library: {{folder: PATH}}` in the inventory of this environment"
        ),
    })
}
