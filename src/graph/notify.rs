//! Owns `notify`: who is told when a job or a scenario ends well, ends badly, or ends.

use std::collections::BTreeMap;

use super::draft::{Draft, NewStep};
use super::step::{EdgeKind, Estimate, StepKind};
use super::world::{World, job_name};
use crate::resolve::plan::{JobId, NotifyOn, Scenario};

/// Adds a step for each contact: one after all of a job's last steps for success and end, one
/// behind each step that can fail for failure.
pub(super) fn jobs(world: &World<'_>, draft: &mut Draft, jobs: &[JobId]) {
    let wanted: Vec<&JobId> = jobs
        .iter()
        .filter(|job| !world.keeping(**job).notify.is_empty())
        .collect();
    if wanted.is_empty() {
        return;
    }
    let steps = by_job(draft);
    for job in wanted {
        let name = job_name(world.plan, *job);
        let Some(steps) = steps.get(&name) else {
            continue;
        };
        for (contact, on, _) in &world.keeping(*job).notify {
            match on {
                NotifyOn::Success => {
                    let subject = format!("{contact} of the success of {name}");
                    tell(draft, contact, subject, &steps.last, EdgeKind::Success);
                }
                NotifyOn::Always => {
                    let subject = format!("{contact} of the end of {name}");
                    tell(draft, contact, subject, &steps.last, EdgeKind::Always);
                }
                NotifyOn::Failure => {
                    for step in &steps.all {
                        let subject = format!("{contact} of a failure of {name}, step {step}");
                        tell(draft, contact, subject, &[*step], EdgeKind::Failure);
                    }
                }
            }
        }
    }
}

/// Adds a step for each contact of a scenario, whose steps are all that the draft holds: after
/// everything for success and end, or behind each step that can fail.
pub(super) fn scenario(draft: &mut Draft, scenario: &Scenario) {
    let name = &scenario.name;
    let (ends, steps) = (draft.ends(), draft.steps_that(|_| true));
    for (contact, on, _) in &scenario.notify {
        match on {
            NotifyOn::Success => {
                let subject = format!("{contact} of the success of {name}");
                tell(draft, contact, subject, &ends, EdgeKind::Success);
            }
            NotifyOn::Always => {
                let subject = format!("{contact} of the end of {name}");
                tell(draft, contact, subject, &ends, EdgeKind::Always);
            }
            NotifyOn::Failure => {
                for step in &steps {
                    let subject = format!("{contact} of a failure of {name}, step {step}");
                    tell(draft, contact, subject, &[*step], EdgeKind::Failure);
                }
            }
        }
    }
}

/// The job whose success depends on a step, as far as the step itself says.
pub(super) fn job_of(kind: &StepKind) -> Option<&String> {
    match kind {
        StepKind::CommitPart { job, .. }
        | StepKind::ArchiveLog { job, .. }
        | StepKind::CopyStored { job, .. } => Some(job),
        _ => None,
    }
}

/// Steps of a job.
#[derive(Default)]
struct Steps {
    all: Vec<u32>,
    /// Those on which its success depends.
    last: Vec<u32>,
}

fn by_job(draft: &Draft) -> BTreeMap<String, Steps> {
    let mut parts: BTreeMap<&str, &str> = BTreeMap::new();
    for step in draft.steps() {
        if let StepKind::CommitPart { part, job, .. } = &step.kind {
            parts.insert(part, job);
        }
    }
    let mut jobs: BTreeMap<String, Steps> = BTreeMap::new();
    for (index, step) in (0_u32..).zip(draft.steps()) {
        let own = job_of(&step.kind).map(String::as_str);
        let job = own.or_else(|| match &step.kind {
            StepKind::CopyPart { part, .. } | StepKind::EndBackup { part, .. } => {
                parts.get(part.as_str()).copied()
            }
            StepKind::BeginBackup { component, .. } => {
                // a bracket stands together: its copy is the next one of the component
                let behind = draft.steps().iter().skip(index as usize);
                let mut copies = behind.filter_map(|step| match &step.kind {
                    StepKind::CopyPart {
                        component: own,
                        part,
                        ..
                    } if own == component => Some(part.as_str()),
                    _ => None,
                });
                copies.next().and_then(|part| parts.get(part).copied())
            }
            _ => None,
        });
        let Some(job) = job else { continue };
        let steps = jobs.entry(job.to_owned()).or_default();
        steps.all.push(index);
        if own.is_some() {
            steps.last.push(index);
        }
    }
    jobs
}

fn tell(draft: &mut Draft, contact: &str, subject: String, after: &[u32], kind: EdgeKind) {
    let step = draft.add(NewStep {
        kind: StepKind::Notify {
            contact: contact.to_owned(),
        },
        subject,
        lanes: Vec::new(),
        estimate: Estimate::default(),
        why: "the plan says `notify`".into(),
    });
    for from in after {
        draft.edge(*from, step, kind, "`notify` says so");
    }
}
