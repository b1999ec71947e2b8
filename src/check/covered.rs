//! Owns the public view of coverage: for every component the jobs that copy it, and where to.
//! Must not judge.

use crate::check::context::{Context, subject};
use crate::check::promise::cover;
use crate::check::survival::Question;
use crate::estimate::Known;
use crate::resolve::plan::{BackupId, ComponentId};

/// A component with what copies it.
#[derive(Debug, Clone, PartialEq)]
pub struct Covered {
    /// The component, by key.
    pub component: String,
    /// Bytes, at most, as far as known.
    pub size: Option<f64>,
    /// The jobs; empty when nothing copies it.
    pub by: Vec<By>,
}

/// A job that copies a component.
#[derive(Debug, Clone, PartialEq)]
pub struct By {
    /// The job, by full name.
    pub job: String,
    /// Its index among the plan's backups.
    pub backup: BackupId,
    /// True when the component is named; false when it lies inside something that is.
    pub named: bool,
    /// The devices that hold whole copies.
    pub devices: Vec<String>,
}

/// The coverage of one environment, in the order of the plan. Services that the plan does not
/// mention are there, with nothing that copies them.
#[must_use]
pub fn coverage(question: Question<'_>) -> Vec<Covered> {
    let Question { plan, sources, .. } = question;
    let known = Known::of(plan, question.facts);
    let context = Context::new(plan, sources, question.now, true, &known, question.facts);
    let mut rows = Vec::new();
    for service in context.services() {
        for (component, backups) in cover::covering(&context, service) {
            rows.push(Covered {
                component: plan.component_key(component),
                size: known.size(component),
                by: backups
                    .iter()
                    .map(|id| by(&context, *id, component))
                    .collect(),
            });
        }
    }
    rows
}

fn by(context: &Context<'_>, id: BackupId, component: ComponentId) -> By {
    let backup = &context.plan.backups[id.index()];
    let holders = cover::holders(backup);
    By {
        job: subject(&backup.name, &backup.origin),
        backup: id,
        named: backup.targets.contains(&component),
        devices: holders
            .map(|(device, _)| context.plan.device(device).name.clone())
            .collect(),
    }
}
