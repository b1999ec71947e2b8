//! P0406: runs that nothing orders read the same disk at the same time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::check::words::run_name;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::estimate::Agenda;
use crate::estimate::load::Load;
use crate::resolve::plan::{BackupId, Every};

pub(super) static RULE: Rule = Rule {
    code: Code(406),
    name: "runs-overlap",
    level: Severity::Warning,
    allowable: true,
    summary: "two runs read the same disk at the same time",
    explanation: "Two runs that come up at different times are still at work together: the second begins before \
        the first has ended, and both read one source disk. Each slows the other and the \
        users down, and both end later than planned. Runs that share a window are put in order \
        by planc; a fixed time of day says that they must not be. Order them with `after`, or \
        give one of them another time.",
    bad: notes!(
        "\
assume {
  size 900 GiB
}
objectives of notes {
  rpo 2d for loss of disk
}
backup weekly of service notes {
  physical full every sun at 04:00
  store on near
  retain weekly 4
}
backup nightly of service notes {
  physical full every day at 05:00
  store on spare
  retain daily 7
}
"
    ),
    good: notes!(
        "\
assume {
  size 900 GiB
}
objectives of notes {
  rpo 2d for loss of disk
}
backup weekly of service notes {
  physical full every sun at 04:00
  store on near
  retain weekly 4
}
backup nightly of service notes {
  physical full every day at 05:30
  store on spare
  retain daily 7
}
"
    ),
};

/// A run on a disk, from and until.
#[derive(Debug, Clone, Copy)]
struct Reading {
    from: Timestamp,
    until: Timestamp,
    load: usize,
}

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let Some(agenda) = &context.agenda else {
        return;
    };
    let mut told: BTreeSet<BackupId> = BTreeSet::new();
    for (disk, mut readings) in by_disk(context, agenda) {
        readings.sort_by_key(|reading| (reading.from, reading.load));
        let mut before: Option<Reading> = None;
        for reading in readings {
            if let Some(before) = before {
                let (one, other) = (&agenda.loads[before.load], &agenda.loads[reading.load]);
                if before.until > reading.from
                    && !is_ordered(context, one, other)
                    && told.insert(other.backup)
                {
                    let finding = finding(context, agenda, disk, (before, reading));
                    out.push(Scope::Backup(other.backup), finding);
                }
            }
            if before.is_none_or(|before| before.until < reading.until) {
                before = Some(reading);
            }
        }
    }
}

/// When each disk is read. Runs of one batch are put in order by the executor and stand for one.
fn by_disk(context: &Context<'_>, agenda: &Agenda<'_>) -> BTreeMap<u32, Vec<Reading>> {
    let mut disks: BTreeMap<u32, Vec<Reading>> = BTreeMap::new();
    for batch in &agenda.batches {
        for ((load, _), (begin, end)) in batch.runs.iter().zip(batch.apart.iter()) {
            let planned = &agenda.loads[*load];
            let take = &context.plan.backups[planned.backup.index()].takes[planned.take];
            let often = matches!(take.schedule.every, Every::Interval(..) | Every::Hour);
            let (Some(from), Some(until)) = (after(batch.due, *begin), after(batch.due, *end))
            else {
                continue;
            };
            if often || from >= until {
                continue;
            }
            let used: BTreeSet<u32> = planned
                .chunks
                .iter()
                .flat_map(|c| c.disks.clone())
                .collect();
            for disk in used {
                let load = *load;
                disks
                    .entry(disk)
                    .or_default()
                    .push(Reading { from, until, load });
            }
        }
    }
    disks
}

fn after(moment: Timestamp, seconds: f64) -> Option<Timestamp> {
    let later = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
    moment.checked_add(later).ok()
}

/// True when the executor keeps the two apart: the same backup, the same moment, one `after` the
/// other, or one window for both.
fn is_ordered(context: &Context<'_>, one: &Load, other: &Load) -> bool {
    let backup = |load: &Load| &context.plan.backups[load.backup.index()];
    let waits = |a: &Load, b: &Load| {
        let after = &backup(a).keeping.after;
        after
            .iter()
            .any(|at| at.value == crate::resolve::plan::JobId::Backup(b.backup))
    };
    let window = |load: &Load| {
        let during = backup(load).takes[load.take].schedule.during;
        during.map(|during| during.value)
    };
    let shared = window(one).is_some() && window(one) == window(other);
    one.backup == other.backup || waits(one, other) || waits(other, one) || shared
}

fn finding(
    context: &Context<'_>,
    agenda: &Agenda<'_>,
    disk: u32,
    (before, reading): (Reading, Reading),
) -> Diagnostic {
    let plan = context.plan;
    let (one, other) = (&agenda.loads[before.load], &agenda.loads[reading.load]);
    let until = before.until.min(reading.until);
    let zone = agenda.calendar();
    let (from, until) = (zone.clock(reading.from), zone.clock(until));
    let message = format!(
        "{} and {} overlap on {}..{} and share {}",
        run_name(plan, one),
        run_name(plan, other),
        from.strftime("%a %H:%M").to_string().to_lowercase(),
        until.strftime("%H:%M"),
        agenda.disks.name(disk).1,
    );
    let backup = |load: &Load| &plan.backups[load.backup.index()];
    let first = backup(one);
    let span = backup(other).takes[other.take].span;
    Diagnostic::new(
        RULE.code,
        message,
        span,
        "begins before the other has ended",
    )
    .related("still at work then", first.takes[one.take].span, "")
    .subject(run_name(plan, other))
    .help(format!("add `after {}`, or use another time", first.name))
}
