//! P0805: more jobs write a volume set at one time than it has drives.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::check::context::Context;
use crate::check::found::{Found, Scope};
use crate::check::job::Job;
use crate::check::rule::Rule;
use crate::check::rules::example::orders;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::estimate::Agenda;
use crate::resolve::plan::{BackupId, DeviceId, DeviceKind, JobId};

pub(super) static RULE: Rule = Rule {
    code: Code(805),
    name: "more-writers-than-drives",
    level: Severity::Error,
    allowable: true,
    summary: "more jobs write a volume set at one time than it has drives",
    explanation: "A drive holds one volume and writes one job at a time. Jobs that are fixed to the same time and \
        store on the same volume set would wait for each other while they hold their \
        sources, and miss the time that was written down for them. Order them with `after`, \
        give them a window instead of a time, or state more drives in the inventory.",
    bad: orders!(
        "\
objectives of orders_db {
  rpo 1d for loss of disk
}
backup small of base {
  physical full every sun at 04:00
  store on tapes
  encrypt none
  retain window 15d
}
backup large of tablespace hot {
  physical full every sun at 04:00
  store on tapes
  encrypt none
  retain window 15d
}
archive wal of orders_db {
  ship every 5min to nvme
  encrypt none
  copy to tapes within 1d
  retain window 15d
}
"
    ),
    good: orders!(
        "\
objectives of orders_db {
  rpo 1d for loss of disk
}
backup small of base {
  physical full every sun at 04:00
  store on tapes
  encrypt none
  retain window 15d
}
backup large of tablespace hot {
  physical full every sun at 04:00
  store on tapes
  encrypt none
  retain window 15d
  after small
}
archive wal of orders_db {
  ship every 5min to nvme
  encrypt none
  copy to tapes within 1d
  retain window 15d
}
"
    ),
};

/// A run that holds a drive.
#[derive(Debug, Clone, Copy)]
struct Writing {
    from: Timestamp,
    until: Timestamp,
    load: usize,
}

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let Some(agenda) = &context.agenda else {
        return;
    };
    for (device, mut writings) in by_device(context, agenda) {
        writings.sort_by_key(|writing| (writing.from, writing.load));
        let drives = context.plan.device(device).drives as usize;
        let mut busy: Vec<Writing> = Vec::new();
        for writing in writings {
            busy.retain(|other| other.until > writing.from);
            busy.push(writing);
            let crowd: Vec<Writing> = busy
                .iter()
                .filter(|other| !waits(context, agenda, **other, writing))
                .copied()
                .collect();
            if crowd.len() > drives {
                let finding = finding(context, agenda, device, &crowd);
                let job = agenda.loads[writing.load].backup;
                out.push(Scope::Backup(job), finding);
                break; // one finding a device says enough
            }
        }
    }
}

/// Runs with a fixed time that store on volumes.
fn by_device(context: &Context<'_>, agenda: &Agenda<'_>) -> BTreeMap<DeviceId, Vec<Writing>> {
    let mut found: BTreeMap<DeviceId, Vec<Writing>> = BTreeMap::new();
    for (load, planned) in agenda.loads.iter().enumerate() {
        let take = &context.plan.backups[planned.backup.index()].takes[planned.take];
        let volumes = |id: &DeviceId| context.plan.device(*id).kind == DeviceKind::Volumes;
        let Some(device) = planned.device.filter(volumes) else {
            continue;
        };
        if take.schedule.during.is_some() {
            continue; // planc puts the runs of a window in order
        }
        // a run of unknown length holds its drive for a moment at least
        let length = SignedDuration::try_from_secs_f64(planned.seconds().max(1.0)).ok();
        for slot in agenda.slots[load].iter() {
            let until = length.and_then(|length| slot.start.checked_add(length).ok());
            let (from, until) = (slot.start, until.unwrap_or(Timestamp::MAX));
            found
                .entry(device)
                .or_default()
                .push(Writing { from, until, load });
        }
    }
    found
}

/// True when one of two runs is told to wait for the other.
fn waits(context: &Context<'_>, agenda: &Agenda<'_>, one: Writing, other: Writing) -> bool {
    let backup = |writing: Writing| agenda.loads[writing.load].backup;
    let after = |a: BackupId, b: BackupId| {
        let after = &context.plan.backups[a.index()].keeping.after;
        after.iter().any(|at| at.value == JobId::Backup(b))
    };
    let (a, b) = (backup(one), backup(other));
    one.load != other.load && (after(a, b) || after(b, a))
}

fn finding(
    context: &Context<'_>,
    agenda: &Agenda<'_>,
    device: DeviceId,
    crowd: &[Writing],
) -> Diagnostic {
    let plan = context.plan;
    let (first, last) = (crowd[0], crowd[crowd.len() - 1]);
    let job = |writing: Writing| Job::new(plan, JobId::Backup(agenda.loads[writing.load].backup));
    let (one, other) = (job(first), job(last));
    let drives = match plan.device(device).drives {
        1 => "one drive".to_owned(),
        n => format!("{n} drives"),
    };
    let device = &plan.device(device).name;
    let at = agenda.calendar().clock(last.from);
    let message = format!(
        "{} jobs write {device} at {}; it has {drives}",
        crowd.len(),
        at.strftime("%a %H:%M").to_string().to_lowercase(),
    );
    let load = &agenda.loads[last.load];
    let span = plan.backups[load.backup.index()].takes[load.take].span;
    let finding = Diagnostic::new(RULE.code, message, span, "finds no drive")
        .related("holds a drive then", one.span, "")
        .subject(format!("{device}:{}", other.subject()))
        .help(format!("order them: add `after {}`", one.name));
    let from = |job: &Job<'_>| (job.origin.policy.clone(), job.origin.instance.clone());
    let here = from(&one) == from(&other);
    match other.line_end(context.sources).filter(|_| here) {
        Some(end) => finding.fix(false, end, format!("\n  after {}", one.name)),
        None => finding,
    }
}
