//! P0410: a copy cannot be made within its deadline.

use crate::check::context::{Context, backups, subject};
use crate::check::deadline;
use crate::check::edit::quantity_after;
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::check::words::{amount, lasting, span_at_least};
use crate::diagnostic::{Code, Diagnostic, Proof, Severity};
use crate::estimate::load::through_words;
use crate::estimate::pace::{self, Pace};
use crate::quantity::{BytesPerSecond, Duration};
use crate::resolve::plan::{BackupId, CopyTo};

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
    for (id, backup) in backups(context.plan) {
        for copy in &backup.keeping.copies {
            let Some(within) = copy.within else { continue };
            let needed = deadline::needed(context, id, copy.device, copy.scope);
            let late = needed.filter(|(bytes, pace)| bytes / pace.rate > within.as_secs());
            if let Some((bytes, pace)) = late {
                let finding = finding(context, id, copy, (bytes, &pace, within));
                out.push(Scope::Backup(id), finding);
            }
        }
    }
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
