//! Owns the steps of a `switchover` block: what is looked at, the fence before the promotion, and
//! what must hold after it. Must not know how a server is stopped or promoted.

use super::draft::{Draft, NewStep};
use super::error::{GraphError, Problem};
use super::notify;
use super::recover::{expectation, named, one_line};
use super::restore::Line;
use super::step::{EdgeKind, Estimate, StepGraph, StepKind, SwitchAct, SwitchLimits};
use super::world::World;
use crate::quantity::{Duration, float};
use crate::resolve::plan::{ActionKind, ComponentId, EngineKind, Scenario, ServiceId};

/// Compiles a switchover.
///
/// # Errors
/// When there is none of this name, a clause cannot be carried out where it stands, nothing fences
/// the old primary, or a backup is not as new as required.
pub(super) fn build(world: &World<'_>, name: &str, patience: u64) -> Result<StepGraph, GraphError> {
    let all: Vec<&Scenario> = world.plan.switchovers.iter().collect();
    let none = "the plan has no `switchover` block";
    let scenario = named(&all, ("switchover", "switchovers"), name, none)?;
    let pair = Pair::of(world, scenario, patience)?;
    let mut problems = order(scenario);
    problems.extend(pair.old_backups(scenario));
    GraphError::unless_empty(problems)?;
    let mut draft = Draft::new(world);
    let mut line = Line::default();
    for action in &scenario.actions {
        pair.action(&mut draft, &mut line, &action.kind);
    }
    notify::scenario(&mut draft, scenario);
    if let Some(limit) = &scenario.finish {
        draft.limit(None, limit.value);
    }
    draft.finish(world)
}

/// The clauses that must stand in this order: what is required, the fence, the promotion, probes.
fn order(scenario: &Scenario) -> Vec<Problem> {
    let name = &scenario.name;
    let mut problems = Vec::new();
    let (mut fenced, mut promoted) = (false, false);
    for action in &scenario.actions {
        let (message, help) = match &action.kind {
            ActionKind::Fence => {
                fenced = true;
                continue;
            }
            ActionKind::Promote { .. } if fenced && !promoted => {
                promoted = true;
                continue;
            }
            ActionKind::Promote { .. } if promoted => (
                format!("`{name}` promotes more than one standby"),
                "write one switchover for each",
            ),
            ActionKind::Promote { .. } => (
                format!("`{name}` promotes before the old primary is fenced"),
                "write `fence old primary` before `promote`; planc makes no second primary",
            ),
            kind if is_requirement(kind) && !fenced => continue,
            ActionKind::Probe { .. } if promoted => continue,
            ActionKind::Probe { .. } => (
                format!("`{name}` asks a probe before the promotion"),
                "probes ask the new primary: move the line behind `promote`",
            ),
            kind if is_requirement(kind) => (
                format!("`{name}` requires something after the old primary is fenced"),
                "move the `require` lines before `fence old primary`",
            ),
            _ => (
                format!("`{name}` holds a clause that no switchover carries out"),
                "keep `require`, `fence`, `promote`, `probe`, `notify` and `finish within`",
            ),
        };
        problems.push(Problem {
            message,
            help: help.to_owned(),
        });
    }
    problems
}

fn is_requirement(kind: &ActionKind) -> bool {
    matches!(
        kind,
        ActionKind::RequireLag(..)
            | ActionKind::RequireArchived(_)
            | ActionKind::RequireNoBackup
            | ActionKind::RequireBackup(_)
            | ActionKind::RequireApproval(_)
    )
}

/// The two services of a switchover.
struct Pair<'a> {
    world: &'a World<'a>,
    old: ServiceId,
    service: &'a str,
    standby: &'a str,
    limits: SwitchLimits,
    patience: u64,
}

impl<'a> Pair<'a> {
    fn of(world: &'a World<'a>, scenario: &'a Scenario, patience: u64) -> Result<Self, GraphError> {
        let mut kinds = scenario.actions.iter().map(|action| &action.kind);
        let promote = kinds.find_map(|kind| match kind {
            ActionKind::Promote { standby, from } => Some((standby.as_str(), *from)),
            _ => None,
        });
        let (standby, from) = promote.ok_or_else(|| {
            GraphError::new(
                format!("`{}` promotes nothing", scenario.name),
                "add `promote STANDBY from SERVICE`",
            )
        })?;
        let declared = || {
            world.plan.services.iter().position(|service| {
                let mut standbys = service.standbys.iter();
                standbys.any(|(name, _, _)| name == standby)
            })
        };
        let old = from.or_else(|| declared().map(ServiceId::from_index));
        let old = old.ok_or_else(|| {
            GraphError::new(
                format!("`{}` does not say from what", scenario.name),
                format!("write `promote {standby} from SERVICE`"),
            )
        })?;
        let new = world.plan.find_service(standby).ok_or_else(|| {
            let entry = "engine, host, path, programs, connect";
            GraphError::new(
                format!("nothing says how the standby `{standby}` is reached"),
                format!("add `{standby}` to `services` of the inventory, with {entry}"),
            )
        })?;
        for id in [old, new] {
            let service = world.plan.service(id);
            if service.engine != EngineKind::Postgresql {
                let (name, engine) = (&service.name, service.engine.word());
                return Err(GraphError::new(
                    format!("`{name}` is {engine}: switchovers are for postgresql"),
                    "hand it over by the engine's own means",
                ));
            }
        }
        Ok(Self {
            world,
            old,
            service: &world.plan.service(old).name,
            standby,
            limits: limits(scenario),
            patience,
        })
    }

    /// Components whose newest copy is older than the scenario requires.
    fn old_backups(&self, scenario: &Scenario) -> Vec<Problem> {
        let mut kinds = scenario.actions.iter().map(|action| &action.kind);
        let Some(newer) = kinds.find_map(|kind| match kind {
            ActionKind::RequireBackup(newer) => Some(*newer),
            _ => None,
        }) else {
            return Vec::new();
        };
        let backups = self.world.backups_of(self.old);
        let mut targets: Vec<ComponentId> = backups
            .flat_map(|backup| backup.targets.iter().copied())
            .collect();
        targets.sort_unstable();
        targets.dedup();
        let old = targets
            .into_iter()
            .filter_map(|id| self.old_backup(id, newer));
        old.collect()
    }

    fn old_backup(&self, id: ComponentId, newer: Duration) -> Option<Problem> {
        let component = self.world.plan.component_key(id);
        let parts = self.world.parts_of(&component).iter();
        let stored = parts.filter(|part| !part.devices.is_empty());
        let newest = stored.map(|part| part.taken_at).max();
        let age = newest.map(|at| {
            let age = self.world.now.as_millisecond() - at.as_millisecond();
            Duration(u64::try_from(age).unwrap_or(0))
        });
        let found = match age {
            Some(age) if age <= newer => return None,
            Some(age) => format!("the newest copy of {component} is {age} old"),
            None => format!("{component} has no copy"),
        };
        Some(Problem {
            message: format!("{found}; the switchover requires one newer than {newer}"),
            help: "run `planc run` with the job that copies it first".to_owned(),
        })
    }

    fn action(&self, draft: &mut Draft, line: &mut Line, action: &ActionKind) {
        match action {
            ActionKind::RequireApproval(by) => {
                let step = NewStep {
                    kind: StepKind::Approve { by: by.clone() },
                    subject: format!("by {by}"),
                    lanes: Vec::new(),
                    estimate: Estimate::default(),
                    why: "the plan says `require approval`".into(),
                };
                line.then(draft, step, "nothing after it begins without approval");
            }
            ActionKind::Fence => self.fence(draft, line),
            ActionKind::Promote { .. } => self.promote(draft, line),
            ActionKind::Probe {
                database,
                query,
                test,
            } => {
                let expect = expectation(test);
                let own = [self.service, self.standby].contains(&database.as_str());
                let step = NewStep {
                    subject: format!("{}: {} {expect}", self.standby, one_line(query)),
                    kind: StepKind::Probe {
                        service: self.standby.to_owned(),
                        target: String::new(),
                        database: (!own).then(|| database.clone()),
                        query: query.clone(),
                        expect,
                    },
                    lanes: Vec::new(),
                    estimate: Estimate::default(),
                    why: "the plan asks the new primary".into(),
                };
                line.then(draft, step, "an open server can be asked");
            }
            _ => {}
        }
    }

    fn fence(&self, draft: &mut Draft, line: &mut Line) {
        let (old, new) = (self.service, self.standby);
        let check = SwitchAct::Check(self.limits.clone());
        let why = "what would make it fail is found while nothing is changed";
        let check = self.step(check, format!("of {old} to {new}"), why);
        line.then(draft, check, "it was agreed to");
        let why =
            "it stops in order and comes back as a standby only: there is one primary at most";
        let fence = self.step(SwitchAct::Fence, old.to_owned(), why);
        line.then(draft, fence, "it can end well");
    }

    fn promote(&self, draft: &mut Draft, line: &mut Line) {
        let (old, new) = (self.service, self.standby);
        let why = "nothing that was committed may be missing on it";
        let mut drain = self.step(SwitchAct::Drain, format!("{old} into {new}"), why);
        drain.estimate.seconds = self.draining();
        line.then(draft, drain, "the old primary writes no more");
        let promote = self.step(
            SwitchAct::Promote,
            new.to_owned(),
            "no way leads back from here",
        );
        let promoted = line.then(draft, promote, "it holds all that was written");
        let why = "takes writes again when the promotion was never begun";
        let settle = draft.add(self.step(SwitchAct::Settle, old.to_owned(), why));
        // fence, drain and promotion: whichever of them was under way when it ended
        for begun in line.steps.iter().rev().take(3) {
            draft.edge(
                *begun,
                settle,
                EdgeKind::Always,
                "no end leaves both sides closed",
            );
        }
        let why = "the two are redundant again";
        let follow = draft.add(self.step(SwitchAct::Follow, format!("{old} behind {new}"), why));
        draft.edge(
            promoted,
            follow,
            EdgeKind::Success,
            "there is a primary to follow",
        );
        let why = "its history is claimed and its log is archived";
        let archive = draft.add(self.step(SwitchAct::Archive, new.to_owned(), why));
        draft.edge(promoted, archive, EdgeKind::Success, "a new history begins");
    }

    fn step(&self, act: SwitchAct, subject: String, why: &str) -> NewStep {
        NewStep {
            kind: StepKind::Switch {
                service: self.service.to_owned(),
                standby: self.standby.to_owned(),
                act,
                patience: self.patience,
            },
            subject,
            lanes: Vec::new(),
            estimate: Estimate::default(),
            why: why.to_owned(),
        }
    }

    /// Seconds to apply the most that the standby may be behind.
    fn draining(&self) -> Option<f64> {
        let id = self.world.plan.find_service(self.standby)?;
        let host = self.world.plan.service(id).host.as_deref()?;
        let rate = self.world.known.replay(host).filter(|rate| *rate > 0.0)?;
        Some(float(self.limits.lag?) / rate)
    }
}

fn limits(scenario: &Scenario) -> SwitchLimits {
    let mut limits = SwitchLimits::default();
    for action in &scenario.actions {
        match &action.kind {
            ActionKind::RequireLag(_, lag) => limits.lag = Some(lag.0),
            ActionKind::RequireArchived(within) => limits.archived_ms = Some(within.0),
            ActionKind::RequireNoBackup => limits.idle = true,
            _ => {}
        }
    }
    limits
}
