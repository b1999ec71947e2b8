//! Owns the steps of a `recovery` block: what the plan says is done, with incident input put in.

use std::collections::BTreeMap;

use super::draft::{Draft, NewStep};
use super::error::GraphError;
use super::inputs;
use super::notify;
use super::place::{self, InPlace};
use super::restore::{Line, Restoring, find_service};
use super::step::{Estimate, RecoveryTarget, StepGraph, StepKind};
use super::world::{World, full_name};
use crate::facts::holdings::{examining, extracting};
use crate::facts::sizes;
use crate::resolve::plan::{
    ActionKind, Compare, ComponentId, ComponentKind, EngineKind, Kind, ProbeTest, Scenario,
    ServiceId, Source, Target,
};
use crate::similar;

/// Compiles a recovery.
///
/// # Errors
/// When there is no such recovery, input is missing or wrong, a clause cannot be carried out,
/// or no chain of copies reaches the target.
pub(super) fn build(
    world: &World<'_>,
    name: &str,
    given: &BTreeMap<String, String>,
    to: Option<&str>,
) -> Result<StepGraph, GraphError> {
    compiled(world, find(world, name)?, given, to)
}

/// As [`build`], of a recovery that was found before.
///
/// # Errors
/// As [`build`].
pub(super) fn compiled<'a>(
    world: &World<'a>,
    scenario: &'a Scenario,
    given: &BTreeMap<String, String>,
    to: Option<&str>,
) -> Result<StepGraph, GraphError> {
    inputs::check(scenario, given)?;
    let drill = world
        .plan
        .drills
        .iter()
        .any(|one| std::ptr::eq(one, scenario));
    let mut script = Script {
        world,
        scenario,
        drill,
        given,
        to,
        draft: Draft::new(world),
        line: Line::default(),
        waiting: Vec::new(),
        lost: Vec::new(),
        staged: Vec::new(),
        published: Vec::new(),
        extracted: Vec::new(),
        returning: Vec::new(),
    };
    let mut problems = Vec::new();
    for action in &scenario.actions {
        if let Err(error) = script.action(&action.kind) {
            problems.extend(error.problems);
        }
    }
    if let Err(error) = script.stage() {
        problems.extend(error.problems);
    }
    GraphError::unless_empty(problems)?;
    if !drill {
        script.publish_whole();
    }
    notify::scenario(&mut script.draft, scenario);
    if let Some(limit) = &scenario.finish {
        script.draft.limit(None, limit.value);
    }
    script.draft.finish(world)
}

fn find<'a>(world: &World<'a>, name: &str) -> Result<&'a Scenario, GraphError> {
    let all: Vec<&Scenario> = (world.plan.recoveries.iter())
        .chain(&world.plan.drills)
        .collect();
    let none = "the plan has no `recovery` block; `planc restore` needs none";
    named(&all, ("recovery", "recoveries"), name, none)
}

/// The scenario with this name, whole or without its instance. `words` are for one and for many,
/// `none` is the help when the plan has none.
///
/// # Errors
/// When there is none, or more than one.
pub(super) fn named<'a>(
    all: &[&'a Scenario],
    words: (&str, &str),
    name: &str,
    none: &str,
) -> Result<&'a Scenario, GraphError> {
    let (one, many) = words;
    let by_full = all
        .iter()
        .copied()
        .find(|s| full_name(&s.origin, &s.name) == name);
    let mut by_own = all.iter().copied().filter(|s| s.name == name);
    if let Some(found) = by_full {
        return Ok(found);
    }
    match (by_own.next(), by_own.next()) {
        (Some(found), None) => Ok(found),
        (Some(found), Some(_)) => Err(GraphError::new(
            format!("more than one {one} is called `{name}`"),
            format!(
                "name the instance too, for example `{}`",
                full_name(&found.origin, &found.name)
            ),
        )),
        (None, _) => {
            let help = match similar::nearest(name, all.iter().map(|s| s.name.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None if all.is_empty() => none.to_owned(),
                None => {
                    let names: Vec<&str> = all.iter().map(|s| s.name.as_str()).take(8).collect();
                    format!("{many} of this plan: {}", names.join(", "))
                }
            };
            Err(GraphError::new(
                format!("no {one} is called `{name}`"),
                help,
            ))
        }
    }
}

/// A recovery on its way from clauses to steps.
struct Script<'s, 'a> {
    world: &'s World<'a>,
    scenario: &'a Scenario,
    /// Nothing of it stays, and nothing live is touched.
    drill: bool,
    given: &'s BTreeMap<String, String>,
    to: Option<&'s str>,
    draft: Draft,
    line: Line,
    /// Named by `restore`, not yet compiled: `replay log` may follow.
    waiting: Vec<Restoring>,
    /// Named by `restore` without `to`: components to be put back where they were.
    lost: Vec<InPlace>,
    staged: Vec<Restoring>,
    /// Service and place of what is visible.
    published: Vec<(ServiceId, String)>,
    /// Services that tables were taken into: further probes ask them.
    extracted: Vec<String>,
    /// Places of copies that are brought into the live service and never published.
    returning: Vec<String>,
}

impl Script<'_, '_> {
    fn action(&mut self, action: &ActionKind) -> Result<(), GraphError> {
        match action {
            ActionKind::Restore { targets, to, from } => {
                self.stage()?;
                self.restore(targets, to.as_deref(), *from)
            }
            ActionKind::Relocate { targets, to } => self.relocate(targets, to),
            ActionKind::Replay { before, point } => self.replay(*before, point),
            ActionKind::Probe {
                database,
                query,
                test,
            } => {
                self.stage()?;
                self.probe(database, query, test)
            }
            ActionKind::Extract {
                targets,
                into,
                name,
            } if !self.drill => {
                self.stage()?;
                self.publish_whole();
                self.extract(targets, into, name.as_ref())
            }
            ActionKind::RequireApproval(by) => {
                self.stage()?;
                self.approve(by);
                Ok(())
            }
            other => Err(self.impossible(other)),
        }
    }

    fn impossible(&self, action: &ActionKind) -> GraphError {
        let clause = match action {
            ActionKind::Extract { .. } => "extract",
            ActionKind::Skip(_) => "skip transaction",
            ActionKind::RequireLag(..) => "require lag",
            ActionKind::RequireArchived(_) => "require log archived",
            ActionKind::RequireNoBackup => "require no running backup",
            ActionKind::RequireBackup(_) => "require backup newer than",
            ActionKind::Fence => "fence old primary",
            ActionKind::Promote { .. } => "promote",
            _ => "this clause",
        };
        GraphError::new(
            format!(
                "`{clause}` in recovery `{}` cannot be carried out by this planc",
                self.scenario.name
            ),
            "take the clause out, or do this part by hand and use `planc restore` for the rest",
        )
    }

    fn restore(
        &mut self,
        targets: &[Target],
        to: Option<&str>,
        from: Source,
    ) -> Result<(), GraphError> {
        let mut services: Vec<ServiceId> = Vec::new();
        for target in targets {
            if to.is_none() && self.to.is_none() && !self.drill {
                let mut lost = place::lost(self.world, self.scenario, self.given, target)?;
                if !lost.is_empty() {
                    for one in &mut lost {
                        one.from = self.device(from);
                    }
                    self.lost.extend(lost);
                    continue;
                }
            }
            let dumped = place::dumped(self.world, self.scenario, self.given, target)?;
            if !dumped.is_empty() {
                self.dumped(&dumped, to, from)?;
                continue;
            }
            for service in self.services(target)? {
                if !services.contains(&service) {
                    services.push(service);
                }
            }
        }
        let many = services.len() > 1;
        for service in services {
            self.waiting.push(Restoring {
                service,
                target: self.place(service, to, many)?,
                until: RecoveryTarget::Backup,
                from: self.device(from),
                relocate: BTreeMap::new(),
                incarnation: None,
                delta: false,
                settles: !self.drill,
                only: place::only(self.world, self.scenario, self.given, service),
                logical: Vec::new(),
            });
        }
        Ok(())
    }

    /// Components that are brought back from logical copies: in a cluster of their own, and from
    /// there, when no place is named, into the live service under their old names.
    fn dumped(
        &mut self,
        ids: &[ComponentId],
        to: Option<&str>,
        from: Source,
    ) -> Result<(), GraphError> {
        let from = self.device(from);
        for id in ids {
            let service = self.world.plan.component(*id).service;
            let mut waiting = self.waiting.iter_mut();
            let same = |one: &&mut Restoring| one.service == service && !one.logical.is_empty();
            if let Some(restoring) = waiting.find(same) {
                restoring.logical.push(*id);
                continue;
            }
            // `--to` then only says where the cluster on the way lies
            let back = to.is_none() && !self.drill;
            let name = &self.world.plan.service(service).name;
            let target = self.place(service, to.or(back.then_some(name)), false)?;
            if back {
                self.returning.push(target.clone());
            }
            self.waiting.push(Restoring {
                service,
                target,
                until: RecoveryTarget::Backup,
                from: from.clone(),
                relocate: BTreeMap::new(),
                incarnation: None,
                only: place::only(self.world, self.scenario, self.given, service),
                delta: false,
                settles: !self.drill,
                logical: vec![*id],
            });
        }
        Ok(())
    }

    /// What was restored beside is brought into the live service.
    fn bring_back(&mut self, restoring: &Restoring) {
        let plan = self.world.plan;
        let service = plan.service(restoring.service).name.clone();
        for id in &restoring.logical {
            let component = plan.component(*id);
            let database = match component.kind {
                ComponentKind::Database => Some(component.name.clone()),
                _ => component.database.clone(),
            };
            let kind = StepKind::Extract {
                service: service.clone(),
                target: restoring.target.clone(),
                tables: place::taken(component),
                into: service.clone(),
                database,
                name: None,
            };
            self.take(
                kind,
                &format!("{} back into {service}", plan.component_key(*id)),
            );
        }
        self.extracted.push(service);
    }

    fn take(&mut self, kind: StepKind, subject: &str) {
        let estimate = Estimate {
            seconds: self.taking(&kind),
            bytes: None,
        };
        let step = NewStep {
            subject: subject.to_owned(),
            kind,
            lanes: Vec::new(),
            estimate,
            why: "existing tables are never touched".into(),
        };
        self.line
            .then(&mut self.draft, step, "taken from the restored copy");
    }

    /// Seconds to take something out of the copy and into the live service: by its size when the
    /// service was surveyed.
    fn taking(&self, kind: &StepKind) -> Option<f64> {
        let StepKind::Extract {
            service,
            tables,
            database,
            ..
        } = kind
        else {
            return None;
        };
        let instance = self.world.known.instance(service)?;
        let size = sizes::taken(instance, database.as_deref(), tables)?;
        self.world.paced(&extracting(service), size.0)
    }

    fn device(&self, from: Source) -> Option<String> {
        match from {
            Source::Device(id) => Some(self.world.device_name(id)),
            Source::Nearest | Source::Any => None,
        }
    }

    /// `relocate …` belongs to the restores before it that are not compiled yet.
    fn relocate(&mut self, targets: &[Target], to: &str) -> Result<(), GraphError> {
        for target in targets {
            let ids = place::tablespaces(self.world, self.scenario, self.given, target)?;
            for id in ids {
                let component = self.world.plan.component(id);
                let path = place::folder(self.world, component, to)?;
                if let Some(lost) = self.lost.iter_mut().find(|lost| lost.component == id) {
                    lost.relocate = Some(path);
                    continue;
                }
                let mut waiting = self.waiting.iter_mut();
                let restoring = waiting.find(|one| one.service == component.service);
                let restoring = restoring.ok_or_else(|| {
                    let name = &self.scenario.name;
                    GraphError::new(
                        format!("`relocate` in `{name}` follows no `restore` of that service"),
                        "write `restore …` on the line before it",
                    )
                })?;
                restoring.relocate.insert(component.name.clone(), path);
            }
        }
        Ok(())
    }

    /// The services that a target of `restore` means.
    fn services(&self, target: &Target) -> Result<Vec<ServiceId>, GraphError> {
        let plan = self.world.plan;
        match target {
            Target::Service(id) => Ok(vec![*id]),
            Target::Components(ids) => {
                Ok(ids.iter().map(|id| plan.component(*id).service).collect())
            }
            Target::Input(name) => self.input_service(name),
            Target::Foreign(_, name) => Err(GraphError::new(
                format!(
                    "`restore \"{name}\"` in `{}` names nothing planc keeps",
                    self.scenario.name
                ),
                "restore the service and take what is needed with `extract`",
            )),
        }
    }

    fn input_service(&self, name: &str) -> Result<Vec<ServiceId>, GraphError> {
        let input = self.scenario.inputs.iter().find(|input| input.name == name);
        let text = self.given.get(name).map_or("", String::as_str);
        match input.map(|input| (input.kind, input.service)) {
            Some((Kind::Service, _)) => Ok(vec![find_service(self.world, text)?]),
            Some((
                Kind::Database | Kind::Files | Kind::Tablespace | Kind::Group | Kind::Table,
                Some(service),
            )) => Ok(vec![service]),
            _ => Err(GraphError::new(
                format!(
                    "`restore ${name}` in recovery `{}` does not tell the service",
                    self.scenario.name
                ),
                format!("write `restore service NAME …`, or `given {name}: service`"),
            )),
        }
    }

    /// Where a restored copy comes to lie: where the operator says, on a host in the folder of
    /// run state, or at the place of the source itself, which must be free then.
    fn place(&self, id: ServiceId, host: Option<&str>, many: bool) -> Result<String, GraphError> {
        let plan = self.world.plan;
        let service = plan.service(id);
        let file = service
            .path
            .as_deref()
            .and_then(|path| path.rsplit('/').next());
        let file = file
            .filter(|file| !file.is_empty())
            .unwrap_or(&service.name);
        if let Some(to) = self.to {
            let to = to.trim_end_matches('/');
            return Ok(if many {
                format!("{to}/{file}")
            } else {
                to.to_owned()
            });
        }
        if host.is_some() || self.drill {
            let run = self.world.run.get(..8).unwrap_or(&self.world.run);
            let folder = format!("{}/restored/{}-{run}", plan.state_dir, self.scenario.name);
            return Ok(format!("{folder}/{file}"));
        }
        service.path.clone().ok_or_else(|| {
            GraphError::new(
                format!("the inventory says no `path` of service `{}`", service.name),
                "say where to restore it: `--to PATH`",
            )
        })
    }

    fn replay(
        &mut self,
        before: bool,
        point: &crate::resolve::plan::ReplayPoint,
    ) -> Result<(), GraphError> {
        let until = inputs::target(self.world, self.scenario, self.given, before, point)?;
        if self.waiting.is_empty() && self.lost.is_empty() {
            return Err(GraphError::new(
                format!(
                    "`replay log` in `{}` follows no `restore`",
                    self.scenario.name
                ),
                "write `restore …` on the line before it",
            ));
        }
        if !self.lost.is_empty() && until != RecoveryTarget::Latest {
            return Err(GraphError::new(
                format!(
                    "`{}` puts a component back in place: it cannot be older than the rest",
                    self.scenario.name
                ),
                "write `replay log to latest`, or restore to scratch and extract",
            ));
        }
        if self.waiting.iter().any(|one| !one.logical.is_empty()) {
            return Err(GraphError::new(
                format!(
                    "`replay log` in `{}` follows the restore of a logical copy, which has no log",
                    self.scenario.name
                ),
                "leave the line out, or restore the service and `extract` what is wanted",
            ));
        }
        for restoring in &mut self.waiting {
            restoring.until = until.clone();
        }
        Ok(())
    }

    /// Compiles the restores named so far up to a sound copy in staging.
    fn stage(&mut self) -> Result<(), GraphError> {
        let mut problems = Vec::new();
        for restoring in std::mem::take(&mut self.waiting) {
            let restoring = restoring.or_dumped(self.world);
            match restoring.stage(self.world, &mut self.draft, &mut self.line) {
                Ok(()) => {
                    if self.returning.contains(&restoring.target) {
                        self.bring_back(&restoring);
                    }
                    self.examine(&restoring);
                    self.staged.push(restoring);
                }
                Err(error) => problems.extend(error.problems),
            }
        }
        for lost in std::mem::take(&mut self.lost) {
            if let Err(error) = lost.stage(self.world, &mut self.draft, &mut self.line) {
                problems.extend(error.problems);
            }
        }
        GraphError::unless_empty(problems)
    }

    /// What a drill throws away may be looked at more closely than what people wait for.
    fn examine(&mut self, restoring: &Restoring) {
        let service = self.world.plan.service(restoring.service);
        if !self.drill || service.engine != EngineKind::Postgresql {
            return;
        }
        let step = NewStep {
            subject: format!("{} for {}", service.name, restoring.target),
            kind: StepKind::Examine {
                service: service.name.clone(),
                target: restoring.target.clone(),
            },
            lanes: Vec::new(),
            estimate: self.world.as_before(&examining(&service.name)),
            why: "pg_amcheck, where it is there: every table and index is read".into(),
        };
        self.line
            .then(&mut self.draft, step, "the copy must be whole first");
    }

    /// A copy that lacks databases is never published: it is only there to take something from.
    fn publish_whole(&mut self) {
        let staged = std::mem::take(&mut self.staged);
        let returning = &self.returning;
        let stays = |one: &Restoring| one.only.is_empty() && !returning.contains(&one.target);
        let (whole, partial) = staged.into_iter().partition(stays);
        self.staged = whole;
        self.publish();
        self.staged = partial;
    }

    fn publish(&mut self) {
        for restoring in std::mem::take(&mut self.staged) {
            restoring.publish(self.world, &mut self.draft, &mut self.line);
            self.published.push((restoring.service, restoring.target));
        }
    }

    /// The restored copy of a service, staged or published.
    fn copy_of(&self, name: &str) -> Option<(String, String)> {
        let plan = self.world.plan;
        let staged = self
            .staged
            .iter()
            .map(|one| (one.service, one.target.as_str()));
        let published = self
            .published
            .iter()
            .map(|(id, target)| (*id, target.as_str()));
        let all: Vec<(ServiceId, &str)> = staged.chain(published).collect();
        let named = all.iter().find(|(id, _)| plan.service(*id).name == name);
        let only = all.first().filter(|_| all.len() == 1);
        let (id, target) = named.or(only)?;
        Some((plan.service(*id).name.clone(), (*target).to_owned()))
    }

    fn need_copy(&self, clause: &str, name: &str) -> Result<(String, String), GraphError> {
        self.copy_of(name).ok_or_else(|| {
            GraphError::new(
                format!(
                    "`{clause}` in recovery `{}` finds no restored copy of `{name}`",
                    self.scenario.name
                ),
                "move the line behind `restore` and `replay log` of that service",
            )
        })
    }

    fn probe(&mut self, database: &str, query: &str, test: &ProbeTest) -> Result<(), GraphError> {
        let (service, mut target) = self.need_copy("probe", database)?;
        if self.extracted.contains(&service) {
            target = String::new();
        }
        let expect = expectation(test);
        let step = NewStep {
            subject: format!("{service}: {} {expect}", one_line(query)),
            kind: StepKind::Probe {
                database: (service != database).then(|| database.to_owned()),
                service,
                target,
                query: query.to_owned(),
                expect,
            },
            lanes: Vec::new(),
            estimate: Estimate::default(),
            why: "the plan asks the restored copy".into(),
        };
        self.line
            .then(&mut self.draft, step, "a sound copy can be asked");
        Ok(())
    }

    fn extract(
        &mut self,
        targets: &[Target],
        into: &Target,
        name: Option<&String>,
    ) -> Result<(), GraphError> {
        let database = place::database(self.world, into);
        let into = self.service_named(into)?;
        let mut tables = Vec::new();
        let mut whole = Vec::new();
        for target in targets {
            match self.taken(target)? {
                Taken::Tables(names) => tables.extend(names),
                Taken::Database(name) => whole.push(name),
            }
        }
        let (service, target) = self.need_copy("extract", &into)?;
        if name.is_some() && whole.len() > 1 {
            return Err(self.one_name(&whole));
        }
        let extract = |tables: Vec<String>, database| StepKind::Extract {
            service: service.clone(),
            target: target.clone(),
            tables,
            into: into.clone(),
            database,
            name: name.cloned(),
        };
        for database in whole {
            let subject = format!("database {database} of {service} into {into}");
            self.take(extract(Vec::new(), Some(database)), &subject);
        }
        if !tables.is_empty() {
            let subject = format!("{} of {service} into {into}", tables.join(", "));
            self.take(extract(tables, database), &subject);
        }
        if self
            .world
            .plan
            .service(find_service(self.world, &into)?)
            .engine
            == EngineKind::Postgresql
        {
            self.extracted.push(into);
        }
        Ok(())
    }

    fn service_named(&self, into: &Target) -> Result<String, GraphError> {
        match into {
            Target::Foreign(_, name) => Ok(self
                .world
                .plan
                .service(find_service(self.world, name)?)
                .name
                .clone()),
            other => {
                let services = self.services(other)?;
                let first = services.first().copied();
                let name = first.map(|id| self.world.plan.service(id).name.clone());
                name.ok_or_else(|| {
                    GraphError::new(
                        format!("`extract` in `{}` names no service", self.scenario.name),
                        "write `extract table NAME into service NAME`",
                    )
                })
            }
        }
    }

    /// What a target of `extract` takes.
    fn taken(&self, target: &Target) -> Result<Taken, GraphError> {
        if let Target::Foreign(Kind::Table, name) = target {
            return Ok(Taken::Tables(vec![name.clone()]));
        }
        let input = match target {
            Target::Input(name) => {
                let mut inputs = self.scenario.inputs.iter();
                inputs.find(|input| input.name == *name)
            }
            _ => None,
        };
        if let Some(input) = input.filter(|input| input.kind == Kind::Table)
            && let Some(text) = self.given.get(&input.name)
        {
            return Ok(Taken::Tables(vec![text.clone()]));
        }
        let ids = place::components(self.world, self.scenario, self.given, target)?;
        let [id] = ids.as_slice() else {
            return Err(self.no_table("a target"));
        };
        let component = self.world.plan.component(*id);
        let server = self.world.plan.service(component.service).engine == EngineKind::Postgresql;
        match component.kind {
            ComponentKind::Database if server => Ok(Taken::Database(component.name.clone())),
            ComponentKind::Group | ComponentKind::Table => {
                Ok(Taken::Tables(place::taken(component)))
            }
            _ => Err(self.no_table(&component.name)),
        }
    }

    fn one_name(&self, databases: &[String]) -> GraphError {
        GraphError::new(
            format!(
                "`extract` in recovery `{}` gives several databases one name: {}",
                self.scenario.name,
                databases.join(", ")
            ),
            "write one `extract` for each",
        )
    }

    fn no_table(&self, what: &str) -> GraphError {
        GraphError::new(
            format!(
                "`extract` in recovery `{}`: {what} is no table, group or database",
                self.scenario.name
            ),
            "write `extract table \"name\" into …`, or declare `given NAME: table`",
        )
    }

    fn approve(&mut self, by: &str) {
        let step = NewStep {
            kind: StepKind::Approve { by: by.to_owned() },
            subject: format!("by {by}"),
            lanes: Vec::new(),
            estimate: Estimate::default(),
            why: "the plan says `require approval`".into(),
        };
        self.line.then(
            &mut self.draft,
            step,
            "nothing after it begins without approval",
        );
    }
}

/// What one target of `extract` takes.
enum Taken {
    /// Tables by name or pattern.
    Tables(Vec<String>),
    /// A whole database.
    Database(String),
}

pub(super) fn expectation(test: &ProbeTest) -> String {
    match test {
        ProbeTest::True => "is true".into(),
        ProbeTest::False => "is false".into(),
        ProbeTest::Empty => "is empty".into(),
        ProbeTest::Compare(compare, word) => {
            let sign = match compare {
                Compare::AtLeast => ">=",
                Compare::AtMost => "<=",
                Compare::Equal => "=",
                Compare::More => ">",
                Compare::Less => "<",
            };
            format!("{sign} {}", word.text)
        }
    }
}

/// A query on one line, shortened for people.
pub(super) fn one_line(query: &str) -> String {
    const LONGEST: usize = 60;
    let words: Vec<&str> = query.split_whitespace().collect();
    let text = words.join(" ");
    if text.chars().count() <= LONGEST {
        return text;
    }
    let cut: String = text.chars().take(LONGEST - 1).collect();
    format!("{cut}…")
}
