//! P0410: a copy cannot be made within its deadline.

use crate::check::context::{Context, backups, subject};
use crate::check::edit::quantity_after;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::check::words::{amount, lasting, span_at_least};
use crate::diagnostic::{Code, Diagnostic, Proof, Severity};
use crate::estimate::load::{Load, through_words};
use crate::estimate::pace::{self, Pace};
use crate::quantity::{BytesPerSecond, Duration};
use crate::resolve::plan::{Backup, BackupId, CopyScope, CopyTo, Method};

pub(super) static RULE: Rule = Rule {
    code: Code(410),
    name: "copy-deadline-cannot-be-met",
    level: Severity::Error,
    allowable: true,
    summary: "a copy cannot be made within its deadline",
    explanation: "A further copy reads the first one and writes it to another device. What one run stores, \
        divided by the slower of the two devices and of the line between their sites, is the \
        least time that takes; here it is longer than `within` allows, even when nothing else is \
        copied. Promises that rest on the deadline do not hold. Allow more time, copy less, \
        or use a faster device or line.",
    bad: notes!(
        "\
assume {
  size 300 GiB
}
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to far within 1h
  retain daily 7
  encrypt none
}
"
    ),
    good: notes!(
        "\
assume {
  size 300 GiB
}
objectives of notes {
  rpo 2d for loss of disk
}
backup nightly of service notes {
  physical full every day at 04:30
  store on near
  copy to far within 3h
  retain daily 7
  encrypt none
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let Some(agenda) = &context.agenda else {
        return;
    };
    let mut loads = agenda.loads.iter().peekable();
    for (id, backup) in backups(context.plan) {
        let mut own: Vec<&Load> = Vec::new();
        while let Some(load) = loads.next_if(|load| load.backup == id) {
            own.push(load);
        }
        for copy in &backup.keeping.copies {
            if let Some(finding) = late(context, (id, backup), copy, &own) {
                out.push(Scope::Backup(id), finding);
            }
        }
    }
}

fn late(
    context: &Context<'_>,
    (id, backup): (BackupId, &Backup),
    copy: &CopyTo,
    loads: &[&Load],
) -> Option<Diagnostic> {
    let within = copy.within?;
    let pace = pace_of(context, backup, copy)?;
    let carried = loads.iter().filter(|load| {
        let method = backup.takes[load.take].method;
        is_carried(copy.scope, method)
    });
    let bytes = carried.map(|load| load.bytes()).reduce(f64::max)?;
    let seconds = bytes / pace.rate;
    (seconds > within.as_secs()).then(|| finding(context, id, copy, (bytes, &pace, within)))
}

fn is_carried(scope: CopyScope, method: Method) -> bool {
    let full = matches!(method, Method::PhysicalFull | Method::Logical);
    match scope {
        CopyScope::All => true,
        CopyScope::Full => full,
        CopyScope::Incremental => !full,
        CopyScope::Log => false,
    }
}

/// The slowest thing between the first device and the further one.
fn pace_of(context: &Context<'_>, backup: &Backup, copy: &CopyTo) -> Option<Pace> {
    let (plan, known) = (context.plan, context.known);
    let store = backup.keeping.store?.value;
    let (from, to) = (plan.device(store), plan.device(copy.device));
    let ends = Pace::slower(
        pace::reading(known, store),
        pace::writing(known, copy.device),
    );
    let link = pace::link(plan, from.site.as_deref(), to.site.as_deref());
    Pace::slower(ends, link)
}

fn finding(
    context: &Context<'_>,
    id: BackupId,
    copy: &CopyTo,
    (bytes, pace, within): (f64, &Pace, Duration),
) -> Diagnostic {
    let plan = context.plan;
    let backup = &plan.backups[id.index()];
    let (device, seconds) = (&plan.device(copy.device).name, bytes / pace.rate);
    let message = format!(
        "{} to {device} at {}{} takes {}; the deadline is {within}",
        amount(bytes),
        BytesPerSecond(pace.rate),
        slow_words(context, copy, pace),
        lasting(seconds),
    );
    let span = span_at_least(seconds);
    let mut finding = Diagnostic::new(RULE.code, message, copy.span, "cannot be kept")
        .subject(format!(
            "{}:{device}",
            subject(&backup.name, &backup.origin)
        ))
        .help(format!("`within {span}`"));
    finding.proof = Some(Proof {
        claim: "copy deadline".to_owned(),
        loss: String::new(),
        limit: within.as_secs(),
        found: seconds,
        terms: vec![(format!("to copy it to {device}"), seconds)],
    });
    match quantity_after(context.sources, copy.span, "within ") {
        Some(place) => finding.fix(false, place, span),
        None => finding,
    }
}

/// What is slow, unless it is the device that the sentence names already.
fn slow_words(context: &Context<'_>, copy: &CopyTo, pace: &Pace) -> String {
    match &pace.limit {
        pace::Limit::Device(id) if *id == copy.device => String::new(),
        pace::Limit::Device(id) => format!(" from {}", context.plan.device(*id).name),
        other => through_words(context.plan, other),
    }
}
