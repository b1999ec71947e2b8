//! Owns drills, recoveries and switchovers: their steps in the order written, with the inputs
//! the operator supplies. Must not judge the order of steps; that is `check`.

use super::cx::Cx;
use super::expand::Unit;
use super::plan::{Action, ActionKind, At, Input, ReplayPoint, Scenario, Source, Target};
use super::sink::Sink;
use super::vars::{Bound, Setting};
use super::world::World;
use crate::source::Span;
use crate::syntax::ast::{
    self, BlockKind, Clause, ClauseKind, Kind, PointKind, Reference, RestoreSource, Selector, Word,
};

/// Drills, recoveries and switchovers.
#[derive(Default)]
pub(super) struct Scenarios {
    pub(super) drills: Vec<Scenario>,
    pub(super) recoveries: Vec<Scenario>,
    pub(super) switchovers: Vec<Scenario>,
}

/// Resolves all scenarios.
pub(super) fn all(world: &World<'_>, sink: &Sink, units: &[Unit<'_>]) -> Scenarios {
    let mut found = Scenarios::default();
    for unit in units {
        let scenario = |schedule| scenario(unit.cx(world, sink), unit, schedule);
        match &unit.block.kind {
            BlockKind::Drill(schedule) => found.drills.push(scenario(Some(schedule))),
            BlockKind::Recovery => found.recoveries.push(scenario(None)),
            BlockKind::Switchover => found.switchovers.push(scenario(None)),
            _ => {}
        }
    }
    found
}

fn scenario<'a>(
    mut cx: Cx<'_, 'a>,
    unit: &'a Unit<'_>,
    schedule: Option<&ast::Schedule>,
) -> Scenario {
    let mut scenario = Scenario {
        name: unit.block.name.text.clone(),
        origin: unit.origin(),
        covers: Vec::new(),
        inputs: Vec::new(),
        schedule: schedule.and_then(|schedule| cx.schedule(schedule)),
        actions: Vec::new(),
        finish: None,
        notify: Vec::new(),
        allows: Vec::new(),
        incomplete: false,
        span: unit.block.head,
    };
    given(&mut cx, &mut scenario, unit);
    for (clause, scope) in unit.body.iter() {
        cx.scope = *scope;
        step(&mut cx, &mut scenario, clause);
    }
    scenario.incomplete = cx.incomplete;
    scenario
}

/// Inputs first: steps may stand before the line that declares them.
fn given<'w>(cx: &mut Cx<'w, '_>, scenario: &mut Scenario, unit: &'w Unit<'_>) {
    for (clause, _) in unit.body.iter() {
        let ClauseKind::Given(inputs) = &clause.kind else {
            continue;
        };
        for input in inputs {
            let service = match &input.scope {
                Some(reference) => cx.reference_service(reference),
                None => cx.service,
            };
            cx.own.push((&input.name.text, Bound::Input(input.kind)));
            scenario.inputs.push(Input {
                name: input.name.text.clone(),
                kind: input.kind,
                service,
                span: input.span,
            });
        }
    }
}

fn step(cx: &mut Cx<'_, '_>, scenario: &mut Scenario, clause: &Clause) {
    let span = clause.span;
    match &clause.kind {
        ClauseKind::Covers(loss) => scenario.covers.extend(cx.loss(loss)),
        ClauseKind::Finish(limit) => {
            scenario.finish = cx.positive(limit).map(|value| At { value, span });
        }
        ClauseKind::Notify { contacts, on } => {
            cx.notify(&mut scenario.notify, contacts, *on, span);
        }
        ClauseKind::Allow(allow) => scenario.allows.push(cx.allow(allow)),
        ClauseKind::Bad { .. } => cx.incomplete = true,
        _ => {
            let kind = cx.restoring(clause).or_else(|| cx.proving(clause));
            scenario
                .actions
                .extend(kind.map(|kind| Action { kind, span }));
        }
    }
}

impl Cx<'_, '_> {
    /// Steps that bring data back.
    fn restoring(&mut self, clause: &Clause) -> Option<ActionKind> {
        Some(match &clause.kind {
            ClauseKind::Restore { targets, to, from } => {
                let to = match to {
                    Some(word) => Some(self.host(word)?),
                    None => None,
                };
                let from = self.source(from.as_ref())?;
                ActionKind::Restore {
                    targets: self.all_targets(targets),
                    to,
                    from,
                }
            }
            ClauseKind::Relocate { targets, to } => {
                let targets = self.all_targets(targets);
                ActionKind::Relocate {
                    targets,
                    to: self.disk(to)?,
                }
            }
            ClauseKind::Replay { before, point } => {
                let before = *before;
                ActionKind::Replay {
                    before,
                    point: self.point(point)?,
                }
            }
            ClauseKind::Skip(reference) => ActionKind::Skip(self.transaction(reference)?),
            ClauseKind::Extract {
                targets,
                into,
                name,
            } => ActionKind::Extract {
                targets: self.all_targets(targets),
                into: self.target(into)?,
                name: name.as_ref().map(|word| word.text.clone()),
            },
            _ => return None,
        })
    }

    /// Steps that prove, ask and switch.
    fn proving(&mut self, clause: &Clause) -> Option<ActionKind> {
        Some(match &clause.kind {
            ClauseKind::Probe {
                database,
                query,
                test,
            } => ActionKind::Probe {
                database: self.database(database)?,
                query: query.text.clone(),
                test: test.clone(),
            },
            ClauseKind::RequireLag(compare, value) => {
                ActionKind::RequireLag(*compare, self.at_most(*compare, value)?)
            }
            ClauseKind::RequireArchived(value) => {
                ActionKind::RequireArchived(self.positive(value)?)
            }
            ClauseKind::RequireNoBackup => ActionKind::RequireNoBackup,
            ClauseKind::RequireBackup(value) => ActionKind::RequireBackup(self.positive(value)?),
            ClauseKind::RequireApproval(word) => ActionKind::RequireApproval(self.contact(word)?),
            ClauseKind::Fence => ActionKind::Fence,
            ClauseKind::Promote { standby, from } => {
                let from = match from {
                    Some(word) => Some(self.service(word)?),
                    None => None,
                };
                ActionKind::Promote {
                    standby: self.standby(standby)?,
                    from,
                }
            }
            _ => return None,
        })
    }

    fn all_targets(&mut self, selectors: &[Selector]) -> Vec<Target> {
        selectors
            .iter()
            .filter_map(|selector| self.target(selector))
            .collect()
    }

    fn source(&mut self, from: Option<&RestoreSource>) -> Option<Source> {
        Some(match from {
            None | Some(RestoreSource::Nearest(_)) => Source::Nearest,
            Some(RestoreSource::Any(_)) => Source::Any,
            Some(RestoreSource::Device(word)) => Source::Device(self.device(word)?),
        })
    }

    /// A disk of any host, a host, or a quoted path.
    fn disk(&mut self, word: &Word) -> Option<String> {
        let hosts = &self.world.plan.hosts;
        let known = hosts.contains_key(&word.text)
            || hosts
                .values()
                .any(|host| host.disks.contains_key(&word.text));
        if known || word.quoted {
            return Some(word.text.clone());
        }
        self.incomplete = true;
        if !self.world.unsure {
            let disks = hosts
                .values()
                .flat_map(|host| host.disks.keys().map(String::as_str));
            let disks: Vec<&str> = disks.take(1000).collect();
            let message = format!("no disk is called `{}`", word.text);
            let code = crate::diagnostic::Code(201);
            self.push(self.suggest(code, message, word, "disks", &disks));
        }
        None
    }

    fn standby(&mut self, word: &Word) -> Option<String> {
        let plan = &self.world.plan;
        let standbys = plan.services.iter().flat_map(|service| &service.standbys);
        let names: Vec<&str> = standbys.map(|(name, _, _)| name.as_str()).collect();
        if names.contains(&word.text.as_str()) {
            return Some(word.text.clone());
        }
        self.incomplete = true;
        let unread = |service: &ast::Service| service.body.iter().any(super::is_bad);
        let file = &self.world.scopes[self.scope];
        if !file.has_bad() && !file.services.values().any(|declared| unread(declared.what)) {
            let message = format!("no standby is called `{}`", word.text);
            let code = crate::diagnostic::Code(201);
            self.push(self.suggest(code, message, word, "standbys", &names));
        }
        None
    }

    fn point(&mut self, point: &ast::Point) -> Option<ReplayPoint> {
        Some(match &point.kind {
            PointKind::Latest => ReplayPoint::Latest,
            PointKind::Instant(word) => ReplayPoint::Instant(self.instant(word)?),
            PointKind::Transaction(reference) => self.transaction(reference)?,
            PointKind::RestorePoint(word) => ReplayPoint::RestorePoint(word.text.clone()),
            PointKind::Var(word) => self.moment(word, point.span)?,
        })
    }

    fn transaction(&mut self, reference: &Reference) -> Option<ReplayPoint> {
        match reference {
            Reference::Name(word) => Some(ReplayPoint::Transaction(word.text.clone())),
            Reference::Var(word) => match self.var(word)? {
                Bound::Setting(Setting::Text(value), ..) => {
                    Some(ReplayPoint::Transaction(value.text))
                }
                _ => self.moment(word, word.span),
            },
        }
    }

    /// Incident input that is a moment: a transaction or a time.
    fn moment(&mut self, word: &Word, span: Span) -> Option<ReplayPoint> {
        match self.var(word)? {
            Bound::Input(Kind::Transaction | Kind::Time) => {
                Some(ReplayPoint::Input(word.text.clone()))
            }
            other => {
                let is = other.words();
                let message = format!("a moment is needed here; `${}` is a {is}", word.text);
                let help = format!(
                    "declare it as `given {}: transaction` or `: time`",
                    word.text
                );
                self.refuse(202, message, span, help);
                None
            }
        }
    }
}
