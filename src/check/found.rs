//! Owns the sink of the rules: a finding together with the block whose `allow` may silence it.
//! Must not decide whether it is silenced; that is `allowance`.

use std::collections::BTreeSet;

use crate::check::rule::severity;
use crate::diagnostic::{Diagnostic, Severity};
use crate::resolve::plan::{
    Allow, ArchiveId, BackupId, DeviceId, JobId, ResolvedPlan, Scenario, ServiceId,
};

/// The block a finding belongs to. Allowances of the block and of the whole plan apply to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::check) enum Scope {
    /// The whole plan.
    Plan,
    /// A backup.
    Backup(BackupId),
    /// An archive.
    Archive(ArchiveId),
    /// Objectives, by index.
    Objectives(usize),
    /// A scenario.
    Scenario(ScenarioId),
    /// A service.
    Service(ServiceId),
    /// A device.
    Device(DeviceId),
}

impl From<JobId> for Scope {
    fn from(job: JobId) -> Self {
        match job {
            JobId::Backup(id) => Self::Backup(id),
            JobId::Archive(id) => Self::Archive(id),
        }
    }
}

/// A drill, recovery or switchover by its index among its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::check) enum ScenarioId {
    /// A drill.
    Drill(usize),
    /// A recovery.
    Recovery(usize),
    /// A switchover.
    Switchover(usize),
}

impl ScenarioId {
    /// The scenario itself.
    pub(in crate::check) fn of(self, plan: &ResolvedPlan) -> &Scenario {
        match self {
            Self::Drill(at) => &plan.drills[at],
            Self::Recovery(at) => &plan.recoveries[at],
            Self::Switchover(at) => &plan.switchovers[at],
        }
    }
}

impl Scope {
    /// The allowances written in the block.
    pub(in crate::check) fn allows(self, plan: &ResolvedPlan) -> &[Allow] {
        match self {
            Self::Plan => &[],
            Self::Backup(id) => &plan.backups[id.index()].keeping.allows,
            Self::Archive(id) => &plan.archives[id.index()].keeping.allows,
            Self::Objectives(at) => &plan.objectives[at].allows,
            Self::Scenario(id) => &id.of(plan).allows,
            Self::Service(id) => &plan.service(id).allows,
            Self::Device(id) => &plan.device(id).allows,
        }
    }
}

/// Where rules put their findings for one environment.
#[derive(Debug)]
pub(in crate::check) struct Found {
    environment: String,
    list: Vec<(Scope, Diagnostic)>,
}

impl Found {
    /// An empty sink for one environment.
    pub(in crate::check) fn new(plan: &ResolvedPlan) -> Self {
        Self {
            environment: plan.environment.clone(),
            list: Vec::new(),
        }
    }

    /// Adds a finding.
    pub(in crate::check) fn push(&mut self, scope: impl Into<Scope>, mut finding: Diagnostic) {
        if !self.environment.is_empty() {
            finding.environments = vec![self.environment.clone()];
        }
        self.list.push((scope.into(), finding));
    }

    /// True when an error about the block was found already.
    pub(in crate::check) fn has_error(&self, scope: Scope) -> bool {
        let mut own = self.list.iter().filter(|(other, _)| *other == scope);
        own.any(|(_, finding)| severity(finding.code) == Severity::Error)
    }

    /// The blocks about which an error was found already.
    pub(in crate::check) fn with_errors(&self) -> BTreeSet<Scope> {
        let errors = self.list.iter();
        let errors = errors.filter(|(_, finding)| severity(finding.code) == Severity::Error);
        errors.map(|(scope, _)| *scope).collect()
    }

    /// The findings with their scopes, in the order they were made.
    pub(in crate::check) fn into_list(self) -> Vec<(Scope, Diagnostic)> {
        self.list
    }
}
