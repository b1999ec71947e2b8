//! Owns which jobs an intent asks for: what is due, or what is named.
//! Must not make steps.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::due;
use super::error::{GraphError, Problem};
use super::hole;
use super::whole;
use super::world::{World, is_full, job_name};
use crate::facts::holdings::Method;
use crate::resolve::plan::{
    ArchiveId, Backup, BackupId, Component, ComponentId, ComponentKind, EngineKind, JobId, Take,
};
use crate::similar;

/// Components of one backup that are to be copied now, and how.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) job: BackupId,
    pub(super) component: ComponentId,
    pub(super) method: Method,
    pub(super) why: String,
    /// It is copied only if it changed since the last copy.
    pub(super) when_changed: bool,
    /// It cannot wait for its schedule; one job that makes it is enough.
    pub(super) at_once: bool,
}

/// All work of one run.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) copies: Vec<Wanted>,
    pub(super) archives: Vec<(ArchiveId, String)>,
    /// Jobs whose stored copies are looked through for devices that lack them.
    pub(super) jobs: Vec<JobId>,
}

/// What is due at the world's `now`.
pub(super) fn due_work(world: &World<'_>) -> Work {
    let mut work = Work {
        jobs: world.jobs().collect(),
        ..Work::default()
    };
    for job in world.jobs() {
        match job {
            JobId::Backup(id) => work.copies.extend(due_copies(world, id)),
            JobId::Archive(id) => {
                work.archives
                    .extend(archive_due(world, id).map(|why| (id, why)));
            }
        }
    }
    let mut made = BTreeSet::new();
    let first = |wanted: &Wanted| !wanted.at_once || made.insert(wanted.component);
    work.copies.retain(first);
    work
}

/// The named jobs, due or not.
///
/// # Errors
/// When a name is no job of the plan.
pub(super) fn named_work(world: &World<'_>, names: &[String]) -> Result<Work, GraphError> {
    let mut problems = Vec::new();
    let mut jobs: BTreeSet<JobId> = BTreeSet::new();
    for name in names {
        let found: Vec<JobId> = world
            .jobs()
            .filter(|job| is_called(world, *job, name))
            .collect();
        if found.is_empty() {
            problems.push(unknown(world, name));
        }
        jobs.extend(found);
    }
    GraphError::unless_empty(problems)?;
    let mut work = Work {
        jobs: jobs.iter().copied().collect(),
        ..Work::default()
    };
    for job in jobs {
        match job {
            JobId::Backup(id) => work.copies.extend(asked_copies(world, id)),
            JobId::Archive(id) => work.archives.push((id, "asked for by name".into())),
        }
    }
    Ok(work)
}

/// A job answers to its full name, and to its own name in every instance of its policy.
fn is_called(world: &World<'_>, job: JobId, name: &str) -> bool {
    let own = match job {
        JobId::Backup(id) => &world.plan.backups[id.index()].name,
        JobId::Archive(id) => &world.plan.archives[id.index()].name,
    };
    own == name || job_name(world.plan, job) == name
}

fn unknown(world: &World<'_>, name: &str) -> Problem {
    let known: Vec<String> = world.jobs().map(|job| job_name(world.plan, job)).collect();
    let near = similar::nearest(name, known.iter().map(String::as_str));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "the plan has no `backup` and no `archive` block".into(),
        None => format!("jobs of this plan: {}", shorten(&known)),
    };
    Problem {
        message: format!("no backup or archive is called `{name}`"),
        help,
    }
}

fn shorten(names: &[String]) -> String {
    const MOST: usize = 8;
    let shown = names.iter().take(MOST).map(|name| format!("`{name}`"));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        let _ = write!(text, " and {} more", names.len() - MOST);
    }
    text
}

fn due_copies(world: &World<'_>, id: BackupId) -> Vec<Wanted> {
    let backup = &world.plan.backups[id.index()];
    let due = due_takes(world, id);
    let mut wanted = Vec::new();
    for component in all_targets(world, backup) {
        let due = (due.iter()).filter(|due| takes(world, backup, component, due.method));
        let full = full_method(backup);
        let taken = takes(world, backup, component, full);
        if let Some(why) = full_at_once(world, component).filter(|_| taken) {
            wanted.push(Wanted {
                job: id,
                component,
                method: full,
                why,
                when_changed: backup.takes.iter().any(|take| take.when_changed),
                at_once: true,
            });
            continue;
        }
        wanted.extend(due.map(|due| Wanted {
            job: id,
            component,
            method: due.method,
            why: due.why.clone(),
            when_changed: due.when_changed,
            at_once: false,
        }));
    }
    wanted
}

/// Whether a component can be copied by a method: files as they are, tables by the engine's own
/// words. What a job names besides is part of another component.
fn takes(world: &World<'_>, backup: &Backup, id: ComponentId, method: Method) -> bool {
    let component = world.plan.component(id);
    if world.plan.service(component.service).engine != EngineKind::Postgresql {
        return true;
    }
    match method {
        Method::Logical => match component.kind {
            ComponentKind::Base | ComponentKind::Tablespace => false,
            _ => !is_inside(world, backup, component),
        },
        _ => whole::is_place(component.kind) && backup.targets.contains(&id),
    }
}

/// What a job names, and the databases that it copies with a base.
pub(super) fn all_targets(world: &World<'_>, backup: &Backup) -> Vec<ComponentId> {
    let mut all = backup.targets.clone();
    all.extend(world.plan.dumped_with_base(backup));
    all
}

/// Whether a further target of the backup holds this one: the database of a group, the group of a
/// table.
fn is_inside(world: &World<'_>, backup: &Backup, one: &Component) -> bool {
    let mut targets = backup.targets.iter().map(|id| world.plan.component(*id));
    targets.any(|other| {
        other.service == one.service
            && match (other.kind, one.kind) {
                (ComponentKind::Database, ComponentKind::Group | ComponentKind::Table) => {
                    one.database.as_ref() == Some(&other.name)
                }
                (ComponentKind::Group, ComponentKind::Table) => {
                    other.database == one.database && other.tables.contains(&one.name)
                }
                _ => false,
            }
    })
}

/// Why a full cannot wait for its schedule.
fn full_at_once(world: &World<'_>, component: ComponentId) -> Option<String> {
    if !world.has_full(component) {
        return Some("no full copy of it exists yet: the first is made at once".into());
    }
    if world.log_is_cut_off(component) {
        let why = "its log began a new history: without a fresh full nothing continues it";
        return Some(why.into());
    }
    let hole = hole::behind(world, component)?;
    Some(format!(
        "the stored log has a hole {}: without a fresh full nothing behind it can be recovered",
        hole.words()
    ))
}

fn asked_copies(world: &World<'_>, id: BackupId) -> Vec<Wanted> {
    let due = due_copies(world, id);
    if !due.is_empty() {
        return due;
    }
    let backup = &world.plan.backups[id.index()];
    let full = full_method(backup);
    let targets = all_targets(world, backup).into_iter();
    let asked = targets.filter(|component| takes(world, backup, *component, full));
    let asked = asked.map(|component| Wanted {
        job: id,
        component,
        method: full,
        why: "asked for by name; nothing of it was due, so a full is made".into(),
        when_changed: false,
        at_once: false,
    });
    asked.collect()
}

fn full_method(backup: &Backup) -> Method {
    let full = backup
        .takes
        .iter()
        .map(|take| take.method)
        .find(|m| is_full(*m));
    full.unwrap_or(Method::PhysicalFull)
}

/// A `physical …` or `logical …` clause that is due.
struct DueTake {
    method: Method,
    why: String,
    when_changed: bool,
}

/// The methods that are due: the most complete physical one, and the logical one.
fn due_takes(world: &World<'_>, id: BackupId) -> Vec<DueTake> {
    let backup = &world.plan.backups[id.index()];
    let due = |take: &Take| {
        Some(DueTake {
            method: take.method,
            why: take_due(world, id, take)?,
            when_changed: take.when_changed,
        })
    };
    let mut due: Vec<DueTake> = backup.takes.iter().filter_map(due).collect();
    // one that is made in any case stands before one that may be left out
    due.sort_by_key(|take| (completeness(take.method), take.when_changed));
    let mut physical = false;
    due.retain(|take| {
        let first = take.method == Method::Logical || !physical;
        physical |= take.method != Method::Logical;
        first
    });
    due.dedup_by_key(|take| take.method);
    due
}

fn take_due(world: &World<'_>, id: BackupId, take: &Take) -> Option<String> {
    let last = last_take(world, id, take.method);
    let due = due::due(&world.calendar, &take.schedule, last, world.now)?;
    Some(format!(
        "{} is {}",
        take.method.words(),
        due_words(&due.why)
    ))
}

/// The last run that makes one with this method unnecessary.
fn last_take(world: &World<'_>, id: BackupId, method: Method) -> Option<jiff::Timestamp> {
    let job = job_name(world.plan, JobId::Backup(id));
    let as_good: &[Method] = match method {
        Method::PhysicalIncremental => &[
            Method::PhysicalFull,
            Method::PhysicalDifferential,
            Method::PhysicalIncremental,
        ],
        Method::PhysicalDifferential => &[Method::PhysicalFull, Method::PhysicalDifferential],
        Method::PhysicalFull => &[Method::PhysicalFull],
        Method::Logical => &[Method::Logical],
    };
    as_good
        .iter()
        .filter_map(|m| world.last(&job, Some(*m)))
        .max()
}

fn completeness(method: Method) -> u8 {
    match method {
        Method::PhysicalFull => 0,
        Method::PhysicalDifferential => 1,
        Method::PhysicalIncremental => 2,
        Method::Logical => 3,
    }
}

fn archive_due(world: &World<'_>, id: ArchiveId) -> Option<String> {
    let archive = &world.plan.archives[id.index()];
    let last = world.last(&job_name(world.plan, JobId::Archive(id)), None);
    let ship = archive.ships.iter().find_map(|ship| {
        let due = due::due(&world.calendar, &ship.schedule, last, world.now)?;
        Some(format!("a shipment is {}", due_words(&due.why)))
    });
    let streamed = || "what was streamed is brought up to date".to_owned();
    ship.or_else(|| (!archive.streams.is_empty()).then(streamed))
}

fn due_words(why: &str) -> String {
    if why.starts_with("due") {
        why.to_owned()
    } else {
        format!("due: {why}")
    }
}

/// When each job is due next; `now` for what is due already.
pub(super) fn next_due(world: &World<'_>, job: JobId) -> Option<jiff::Timestamp> {
    let next = |schedule, last| due::next_due(&world.calendar, schedule, last, world.now);
    match job {
        JobId::Backup(id) => {
            let backup = &world.plan.backups[id.index()];
            let full = full_method(backup);
            let at_once = |component: &ComponentId| {
                takes(world, backup, *component, full) && full_at_once(world, *component).is_some()
            };
            if all_targets(world, backup).iter().any(at_once) {
                return Some(world.now);
            }
            let takes = backup.takes.iter();
            let takes = takes.filter_map(|t| next(&t.schedule, last_take(world, id, t.method)));
            takes.chain(next_copies(world, job)).min()
        }
        JobId::Archive(id) => {
            let archive = &world.plan.archives[id.index()];
            let last = world.last(&job_name(world.plan, job), None);
            let ships = archive.ships.iter();
            let ships = ships.filter_map(|ship| next(&ship.schedule, last));
            ships.chain(next_copies(world, job)).min()
        }
    }
}

/// When the copies of a job that are made at set times are due: for what their devices lack.
fn next_copies(world: &World<'_>, job: JobId) -> Vec<jiff::Timestamp> {
    let made: Vec<(&[String], jiff::Timestamp)> = match job {
        JobId::Backup(id) => {
            let name = job_name(world.plan, job);
            let targets = world.plan.backups[id.index()].targets.iter();
            let keys = targets.map(|id| world.plan.component_key(*id));
            let own = |key: String| {
                let parts = world.parts_of(&key).iter();
                let parts = parts.filter(|part| part.job == name);
                let made = parts.map(|part| (part.devices.as_slice(), part.taken_at));
                made.collect::<Vec<_>>()
            };
            keys.flat_map(own).collect()
        }
        JobId::Archive(id) => {
            let service = world.plan.archives[id.index()].service;
            let logs = world.logs_of(&world.plan.service(service).name).iter();
            logs.map(|log| (log.devices.as_slice(), log.last_at))
                .collect()
        }
    };
    let copies = world.keeping(job).copies.iter();
    let timed = copies.filter_map(|copy| Some((copy.device, copy.every.as_ref()?)));
    let next = |(device, every)| {
        let name = world.device_name(device);
        let lacks = made.iter().filter(|(holders, _)| !holders.contains(&name));
        let oldest = lacks.map(|(_, at)| *at).min()?;
        due::next_due(&world.calendar, every, Some(oldest), world.now)
    };
    timed.filter_map(next).collect()
}
