//! Owns backups and archives: blocks to jobs with ids, and the jobs they run after (P0310).

use std::collections::HashMap;

use super::cx::Cx;
use super::expand::Unit;
use super::plan::{
    Archive, ArchiveId, AssumptionKind, At, Backup, BackupId, Every, JobId, Keeping, ResolvedPlan,
    ServiceId, Ship, Stream, Take,
};
use super::sink::Sink;
use super::world::World;
use crate::diagnostic::{Code, Diagnostic};
use crate::quantity::{Bytes, BytesPerSecond, Duration};
use crate::syntax::ast::{BlockKind, Clause, ClauseKind, Compare, Selector, Value, Word};

/// A size that fills this many times within the interval leaves the interval without effect.
const OFTEN: f64 = 1000.0;

/// Backups and archives of a plan.
#[derive(Default)]
pub(super) struct Jobs {
    pub(super) backups: Vec<Backup>,
    pub(super) archives: Vec<Archive>,
}

/// Resolves all backups and archives.
pub(super) fn all(world: &World<'_>, sink: &Sink, units: &[Unit<'_>]) -> Jobs {
    let mut jobs = Jobs::default();
    let mut waiting: Vec<(JobId, &Unit<'_>, &[Word])> = Vec::new();
    for unit in units {
        let id = match &unit.block.kind {
            BlockKind::Backup(targets) => {
                jobs.backups
                    .push(backup(unit.cx(world, sink), unit, targets));
                JobId::Backup(BackupId::from_index(jobs.backups.len() - 1))
            }
            BlockKind::Archive(target) => {
                match archive(unit.cx(world, sink), unit, target) {
                    Some(archive) => jobs.archives.push(archive),
                    None => continue,
                }
                JobId::Archive(ArchiveId::from_index(jobs.archives.len() - 1))
            }
            _ => continue,
        };
        for (clause, _) in unit.body.iter() {
            if let ClauseKind::After(words) = &clause.kind {
                waiting.push((id, unit, words));
            }
        }
    }
    if !waiting.is_empty() {
        order(world, sink, &mut jobs, &waiting);
    }
    jobs
}

fn backup(mut cx: Cx<'_, '_>, unit: &Unit<'_>, targets: &[Selector]) -> Backup {
    let targets = cx.targets(targets);
    let mut takes = Vec::new();
    let mut keeping = Cx::no_keeping();
    for (clause, scope) in unit.body.iter() {
        cx.scope = *scope;
        match &clause.kind {
            ClauseKind::Take {
                method,
                schedule,
                when_changed,
            } => {
                if let Some(schedule) = cx.schedule(schedule) {
                    takes.push(Take {
                        method: *method,
                        schedule,
                        when_changed: *when_changed,
                        span: clause.span,
                    });
                }
            }
            ClauseKind::Override(_) => cx.stray_override(clause),
            _ => cx.keep(&mut keeping, clause),
        }
    }
    keeping.incomplete = cx.incomplete;
    Backup {
        name: unit.block.name.text.clone(),
        origin: unit.origin(),
        targets,
        takes,
        keeping,
        span: unit.block.head,
    }
}

fn archive(mut cx: Cx<'_, '_>, unit: &Unit<'_>, target: &Selector) -> Option<Archive> {
    let service = cx.selected_service(target);
    let (mut ships, mut streams) = (Vec::new(), Vec::new());
    let mut keeping = Cx::no_keeping();
    for (clause, scope) in unit.body.iter() {
        cx.scope = *scope;
        match &clause.kind {
            ClauseKind::Ship { schedule, to } => {
                let (schedule, device) = (cx.schedule(schedule), cx.device(to));
                if let (Some(schedule), Some(device)) = (schedule, device) {
                    let ship = Ship {
                        schedule,
                        device,
                        span: clause.span,
                    };
                    if let Some(service) = service {
                        both_act(&cx, service, &ship);
                    }
                    ships.push(ship);
                }
            }
            ClauseKind::Stream { to, lag } => {
                let lag = lag
                    .as_ref()
                    .and_then(|(compare, value)| cx.at_most(*compare, value));
                if let Some(device) = cx.device(to) {
                    streams.push(Stream {
                        device,
                        lag,
                        span: clause.span,
                    });
                }
            }
            ClauseKind::Override(_) => cx.stray_override(clause),
            _ => cx.keep(&mut keeping, clause),
        }
    }
    keeping.incomplete = cx.incomplete;
    Some(Archive {
        name: unit.block.name.text.clone(),
        origin: unit.origin(),
        service: service?,
        ships,
        streams,
        keeping,
        span: unit.block.head,
    })
}

/// P0310: with the log rate that the plan assumes, one half of `or` never acts.
fn both_act(cx: &Cx<'_, '_>, service: ServiceId, ship: &Ship) {
    let Every::Interval(interval, Some(size)) = ship.schedule.every else {
        return;
    };
    let (mean, peak) = log_rates(&cx.world.plan, service);
    let fill = |rate: BytesPerSecond| rate.0 * interval.as_secs();
    let found = match (mean, peak.or(mean)) {
        (_, Some(most)) if fill(most) < as_f64(size) => Some(size_never(interval, size, most)),
        (Some(mean), _) if fill(mean) > as_f64(size) * OFTEN => {
            Some(interval_never(interval, size, mean))
        }
        _ => None,
    };
    if let Some((message, help)) = found {
        let subject = cx.world.plan.service(service).name.clone();
        let finding = Diagnostic::new(Code(310), message, ship.schedule.span, "");
        cx.push(finding.help(help).subject(subject));
    }
}

fn size_never(interval: Duration, size: Bytes, rate: BytesPerSecond) -> (String, &'static str) {
    let message = format!("at {rate} of log, {size} never fills within {interval}");
    (message, "lower the size, or drop it")
}

fn interval_never(interval: Duration, size: Bytes, rate: BytesPerSecond) -> (String, &'static str) {
    let message = format!("at {rate} of log, {size} is full long before {interval} have passed");
    (message, "raise the size, or drop the interval")
}

#[expect(clippy::cast_precision_loss, reason = "compared with an estimate")]
fn as_f64(size: Bytes) -> f64 {
    size.0 as f64
}

/// The assumed mean and peak of a service's log.
fn log_rates(
    plan: &ResolvedPlan,
    service: ServiceId,
) -> (Option<BytesPerSecond>, Option<BytesPerSecond>) {
    let (mut mean, mut peak) = (None, None);
    let of = plan.assumptions.iter();
    for assumption in of.filter(|one| one.service.is_none_or(|id| id == service)) {
        match assumption.kind {
            AssumptionKind::LogRate(rate) => mean = Some(rate),
            AssumptionKind::LogPeak(rate) => peak = Some(rate),
            _ => {}
        }
    }
    (mean, peak)
}

/// Joins `after` clauses, now that all jobs have ids.
fn order(world: &World<'_>, sink: &Sink, jobs: &mut Jobs, waiting: &[(JobId, &Unit<'_>, &[Word])]) {
    let mut found: Vec<(JobId, Vec<At<JobId>>, bool)> = Vec::with_capacity(waiting.len());
    let names = by_name(jobs);
    for (id, unit, words) in waiting {
        let mut cx = unit.cx(world, sink);
        let after = words
            .iter()
            .filter_map(|word| find_job(&mut cx, &names, word));
        let after: Vec<_> = after.collect();
        found.push((*id, after, cx.incomplete));
    }
    for (id, after, incomplete) in found {
        let keeping: &mut Keeping = match id {
            JobId::Backup(id) => &mut jobs.backups[id.index()].keeping,
            JobId::Archive(id) => &mut jobs.archives[id.index()].keeping,
        };
        keeping.after.extend(after);
        keeping.incomplete |= incomplete;
    }
}

type JobNames = HashMap<(Option<String>, String), Vec<JobId>>;

fn by_name(jobs: &Jobs) -> JobNames {
    let mut names: JobNames = HashMap::new();
    for (at, job) in jobs.backups.iter().enumerate() {
        let key = (job.origin.instance.clone(), job.name.clone());
        names
            .entry(key)
            .or_default()
            .push(JobId::Backup(BackupId::from_index(at)));
    }
    for (at, job) in jobs.archives.iter().enumerate() {
        let key = (job.origin.instance.clone(), job.name.clone());
        names
            .entry(key)
            .or_default()
            .push(JobId::Archive(ArchiveId::from_index(at)));
    }
    names
}

/// A job of the same instance, else one of the plan itself.
fn find_job(cx: &mut Cx<'_, '_>, names: &JobNames, word: &Word) -> Option<At<JobId>> {
    let instance = cx.instance.map(str::to_owned);
    let find = |instance| names.get(&(instance, word.text.clone()));
    match find(instance).or_else(|| find(None)).map(Vec::as_slice) {
        Some([id]) => Some(At {
            value: *id,
            span: word.span,
        }),
        Some(_) => {
            let message = format!("`{}` is a backup and an archive", word.text);
            cx.refuse(203, message, word.span, "give one of the two another name");
            None
        }
        None => {
            unknown_job(cx, names, word);
            None
        }
    }
}

fn unknown_job(cx: &mut Cx<'_, '_>, names: &JobNames, word: &Word) {
    cx.incomplete = true;
    let file = &cx.world.scopes[cx.scope];
    let bad = ["backup", "archive"];
    if bad
        .iter()
        .any(|keyword| file.may_declare(keyword, &word.text))
        || cx.sink.is_tired()
    {
        return;
    }
    let mut known: Vec<&str> = names
        .keys()
        .filter(|(instance, _)| instance.is_none() || instance.as_deref() == cx.instance)
        .map(|(_, name)| name.as_str())
        .collect();
    known.sort_unstable();
    let message = format!("no backup or archive is called `{}`", word.text);
    cx.push(cx.suggest(Code(201), message, word, "jobs", &known));
}

impl Cx<'_, '_> {
    /// `override` outside of an `apply` (P1110).
    fn stray_override(&mut self, clause: &Clause) {
        let message = "there is nothing here to override";
        let help = "take the word `override` away; it belongs into `apply … { }`";
        self.refuse(1110, message, clause.span, help);
    }

    /// A bound from above: `<= 16 MiB`.
    pub(super) fn at_most(&mut self, compare: Compare, value: &Value) -> Option<Bytes> {
        if !matches!(compare, Compare::AtMost | Compare::Less) {
            let span = super::value::value_span(value);
            self.refuse(
                307,
                "a bound from above is needed",
                span,
                "write `<=` before it",
            );
            return None;
        }
        self.size(value)
    }
}
