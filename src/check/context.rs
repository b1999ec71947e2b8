//! Owns what every rule sees: the plan of one environment and who uses what in it.
//! The indexes are built once in linear time, so that rules stay linear as well.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::check::Rehearse;
use crate::check::found::{ScenarioId, Scope};
use crate::check::job::Job;
use crate::check::promise::{self, Promise, lateness};
use crate::estimate::{Agenda, Figure, Known, pace};
use crate::facts::facts_file::MeasuredFacts;
use crate::facts::instance::Instance;
use crate::resolve::plan::{
    Action, ActionKind, Archive, ArchiveId, Backup, BackupId, ComponentId, JobId, Objectives,
    Origin, ResolvedPlan, Scenario, Schedule, ServiceId, Target,
};
use crate::source::SourceMap;

/// One environment of a plan with its indexes.
#[derive(Debug)]
pub(in crate::check) struct Context<'a> {
    /// The plan.
    pub(in crate::check) plan: &'a ResolvedPlan,
    /// All texts.
    pub(in crate::check) sources: &'a SourceMap,
    /// The moment of the check.
    pub(in crate::check) now: Timestamp,
    /// False when earlier stages found errors: then absence proves nothing.
    pub(in crate::check) whole: bool,
    /// Sizes and rates as far as they are stated or measured.
    pub(in crate::check) known: &'a Known,
    /// The runs of the weeks ahead; none when the zone is unknown, or the plan is not whole.
    pub(in crate::check) agenda: Option<Agenda<'a>>,
    /// What was measured, when there is a facts file.
    pub(in crate::check) facts: Option<&'a MeasuredFacts>,
    /// For each device how many copies log may have to share it with.
    pub(in crate::check) copiers: Vec<u32>,
    /// For each backup the time from its due moment to whole copies; filled with the promises.
    pub(in crate::check) lateness: Vec<Figure>,
    /// How the promises come out; filled once the indexes stand.
    pub(in crate::check) promises: Vec<Promise>,
    /// Compiles recoveries; none where only promises are asked for.
    pub(in crate::check) rehearse: Option<Rehearse>,
    backups_of_component: Vec<Vec<BackupId>>,
    backups_of_service: Vec<Vec<BackupId>>,
    archives_of_service: Vec<Vec<ArchiveId>>,
    objectives_of_service: Vec<Vec<usize>>,
    recoveries_of_service: Vec<Vec<usize>>,
    drilled: BTreeSet<ServiceId>,
}

impl<'a> Context<'a> {
    /// Builds the indexes.
    pub(in crate::check) fn new(
        plan: &'a ResolvedPlan,
        sources: &'a SourceMap,
        now: Timestamp,
        whole: bool,
        known: &'a Known,
        facts: Option<&'a MeasuredFacts>,
    ) -> Self {
        let services = plan.services.len();
        let mut context = Self {
            plan,
            sources,
            now,
            whole,
            known,
            agenda: Agenda::of(plan, known, now).filter(|_| whole),
            facts,
            copiers: pace::copiers(plan),
            lateness: Vec::new(),
            promises: Vec::new(),
            rehearse: None,
            backups_of_component: vec![Vec::new(); plan.components.len()],
            backups_of_service: vec![Vec::new(); services],
            archives_of_service: vec![Vec::new(); services],
            objectives_of_service: vec![Vec::new(); services],
            recoveries_of_service: vec![Vec::new(); services],
            drilled: BTreeSet::new(),
        };
        context.index_jobs();
        context.lateness = lateness::all(&context);
        context.promises = promise::all(&context);
        context
    }

    fn index_jobs(&mut self) {
        for (id, backup) in backups(self.plan) {
            for target in &backup.targets {
                self.backups_of_component[target.index()].push(id);
            }
            for service in services_of(self.plan, &backup.targets) {
                self.backups_of_service[service.index()].push(id);
            }
        }
        for (id, archive) in archives(self.plan) {
            self.archives_of_service[archive.service.index()].push(id);
        }
        for (at, objectives) in self.plan.objectives.iter().enumerate() {
            self.objectives_of_service[objectives.service.index()].push(at);
        }
        for (at, recovery) in self.plan.recoveries.iter().enumerate() {
            for service in scenario_services(self.plan, recovery) {
                self.recoveries_of_service[service.index()].push(at);
            }
        }
        let drills = self.plan.drills.iter();
        self.drilled = drills
            .flat_map(|drill| scenario_services(self.plan, drill))
            .collect();
    }

    /// Backups that name the component.
    pub(in crate::check) fn backups_of(
        &self,
        id: ComponentId,
    ) -> impl Iterator<Item = (BackupId, &'a Backup)> {
        let ids = self.backups_of_component[id.index()].iter();
        ids.map(|id| (*id, &self.plan.backups[id.index()]))
    }

    /// Backups that name a component of the service.
    pub(in crate::check) fn service_backups(
        &self,
        id: ServiceId,
    ) -> impl Iterator<Item = (BackupId, &'a Backup)> {
        let ids = self.backups_of_service[id.index()].iter();
        ids.map(|id| (*id, &self.plan.backups[id.index()]))
    }

    /// Archives of the service's log.
    pub(in crate::check) fn service_archives(
        &self,
        id: ServiceId,
    ) -> impl Iterator<Item = (ArchiveId, &'a Archive)> {
        let ids = self.archives_of_service[id.index()].iter();
        ids.map(|id| (*id, &self.plan.archives[id.index()]))
    }

    /// Recoveries that work on the service.
    pub(in crate::check) fn service_recoveries(
        &self,
        id: ServiceId,
    ) -> impl Iterator<Item = &'a Scenario> {
        let ids = self.recoveries_of_service[id.index()].iter();
        ids.map(|at| &self.plan.recoveries[*at])
    }

    /// Whether a drill restores the service.
    pub(in crate::check) fn is_drilled(&self, id: ServiceId) -> bool {
        self.drilled.contains(&id)
    }

    /// Objectives of the service.
    pub(in crate::check) fn service_objectives(
        &self,
        id: ServiceId,
    ) -> impl Iterator<Item = (usize, &'a Objectives)> {
        let ids = self.objectives_of_service[id.index()].iter();
        ids.map(|at| (*at, &self.plan.objectives[*at]))
    }

    /// What the service's instance said of itself, when it was surveyed.
    pub(in crate::check) fn instance(&self, id: ServiceId) -> Option<&'a Instance> {
        self.facts?.instances.get(&self.plan.service(id).name)
    }

    /// Services that were surveyed, with what they said.
    pub(in crate::check) fn instances(&self) -> impl Iterator<Item = (ServiceId, &'a Instance)> {
        let ids = self.services();
        ids.filter_map(|id| Some((id, self.instance(id)?)))
    }

    /// When the service was surveyed, for messages.
    pub(in crate::check) fn dated(&self, instance: &Instance) -> String {
        let measured = instance.measured.as_ref();
        let measured = measured.or_else(|| self.facts?.measured.as_ref());
        let day = measured.map(|text| text.get(..10).unwrap_or(text));
        day.map_or_else(
            || "the facts".to_owned(),
            |day| format!("the facts of {day}"),
        )
    }

    /// All services with their ids.
    pub(in crate::check) fn services(&self) -> impl Iterator<Item = ServiceId> + use<> {
        (0..self.plan.services.len()).map(ServiceId::from_index)
    }

    /// All backups and archives.
    pub(in crate::check) fn jobs(&self) -> impl Iterator<Item = Job<'a>> {
        let backups = backups(self.plan).map(|(id, _)| JobId::Backup(id));
        let archives = archives(self.plan).map(|(id, _)| JobId::Archive(id));
        let plan = self.plan;
        backups.chain(archives).map(move |id| Job::new(plan, id))
    }

    /// All drills, recoveries and switchovers.
    pub(in crate::check) fn scenarios(&self) -> impl Iterator<Item = (ScenarioId, &'a Scenario)> {
        let plan = self.plan;
        let drills = (0..plan.drills.len()).map(ScenarioId::Drill);
        let recoveries = (0..plan.recoveries.len()).map(ScenarioId::Recovery);
        let switches = (0..plan.switchovers.len()).map(ScenarioId::Switchover);
        let ids = drills.chain(recoveries).chain(switches);
        ids.map(move |id| (id, id.of(plan)))
    }

    /// Every schedule with its block and the name of what it starts.
    pub(in crate::check) fn schedules(
        &self,
    ) -> impl Iterator<Item = (Scope, String, &'a Schedule)> {
        let jobs = self.jobs().flat_map(|job| {
            let schedules = job.schedules().into_iter();
            schedules.map(move |schedule| (Scope::from(job.id), job.subject(), schedule))
        });
        let drills = self.scenarios().filter_map(|(id, drill)| {
            let name = subject(&drill.name, &drill.origin);
            Some((Scope::Scenario(id), name, drill.schedule.as_ref()?))
        });
        jobs.chain(drills)
    }

    /// True when the plan speaks of the service: by a declaration, a job or a promise.
    pub(in crate::check) fn mentions(&self, id: ServiceId) -> bool {
        let service = self.plan.service(id);
        let declared = service.inventory_span != Some(service.span);
        declared
            || !self.backups_of_service[id.index()].is_empty()
            || !self.archives_of_service[id.index()].is_empty()
            || !self.objectives_of_service[id.index()].is_empty()
    }

    /// The site of the service's host.
    pub(in crate::check) fn site_of(&self, id: ServiceId) -> Option<&'a str> {
        let host = self.plan.service(id).host.as_ref()?;
        self.plan.hosts.get(host)?.site.as_deref()
    }
}

/// A name, with the service it was expanded for when it comes from a policy.
pub(in crate::check) fn subject(name: &str, origin: &Origin) -> String {
    origin.full_name(name)
}

/// Backups with their ids.
pub(in crate::check) fn backups(plan: &ResolvedPlan) -> impl Iterator<Item = (BackupId, &Backup)> {
    let ids = (0..).map(BackupId);
    ids.zip(&plan.backups)
}

/// Archives with their ids.
pub(in crate::check) fn archives(
    plan: &ResolvedPlan,
) -> impl Iterator<Item = (ArchiveId, &Archive)> {
    let ids = (0..).map(ArchiveId);
    ids.zip(&plan.archives)
}

/// The services of some components.
pub(in crate::check) fn services_of(
    plan: &ResolvedPlan,
    components: &[ComponentId],
) -> BTreeSet<ServiceId> {
    let ids = components.iter();
    ids.map(|id| plan.component(*id).service).collect()
}

/// The services a scenario works on.
pub(in crate::check) fn scenario_services(
    plan: &ResolvedPlan,
    scenario: &Scenario,
) -> BTreeSet<ServiceId> {
    let inputs = scenario.inputs.iter().filter_map(|input| input.service);
    let mut services: BTreeSet<ServiceId> = inputs.collect();
    for Action { kind, .. } in &scenario.actions {
        match kind {
            ActionKind::Restore { targets, .. }
            | ActionKind::Relocate { targets, .. }
            | ActionKind::Extract { targets, .. } => {
                services.extend(targets.iter().flat_map(|target| of_target(plan, target)));
            }
            ActionKind::Promote { from, .. } => services.extend(*from),
            _ => {}
        }
    }
    services
}

fn of_target(plan: &ResolvedPlan, target: &Target) -> BTreeSet<ServiceId> {
    match target {
        Target::Components(ids) => services_of(plan, ids),
        Target::Service(id) => BTreeSet::from([*id]),
        Target::Input(_) | Target::Foreign(..) => BTreeSet::new(),
    }
}
