//! P0404: what a run moves cannot fit its window.

use crate::check::context::Context;
use crate::check::edit::is_quantity;
use crate::check::fit::{self, Opening, Resource};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::check::words::{amount, lasting, rate_at_least, run_name};
use crate::diagnostic::{Code, Diagnostic, Proof, Severity};
use crate::estimate::Agenda;
use crate::estimate::load::{Load, Way, through_words};
use crate::estimate::pace::{Limit, Pace};
use crate::quantity::BytesPerSecond;
use crate::resolve::plan::{ResolvedPlan, Window};

pub(super) static RULE: Rule = Rule {
    code: Code(404),
    name: "window-too-short",
    level: Severity::Error,
    allowable: true,
    summary: "a window is too short for what its runs move",
    explanation: "The volume of a run, divided by the slowest thing all of it goes through, is the least time \
        it can take; here that is longer than the window is open. The same is asked of all runs \
        of a window together, for each device and each source disk. Sizes and rates come from \
        measurements, `assume` and the inventory; what is not known counts as nothing, so \
        that this is never said too early. Raise the throttle, widen the window, or split the \
        backup.",
    bad: notes!(
        "\
assume {
  size 1 TiB
}
objectives of notes {
  rpo 2d for loss of disk
}
window early every day 01:00..02:00
backup nightly of service notes {
  physical full every day during early
  store on near
  retain daily 7
}
"
    ),
    good: notes!(
        "\
assume {
  size 1 TiB
}
objectives of notes {
  rpo 2d for loss of disk
}
window early every day 01:00..05:30
backup nightly of service notes {
  physical full every day during early
  store on near
  retain daily 7
}
"
    ),
};

pub(super) fn check(context: &Context<'_>, out: &mut Found) {
    let Some(agenda) = &context.agenda else {
        return;
    };
    for opening in fit::openings(context) {
        let length = opening.opens.1;
        let mut alone = false;
        for load in opening.loads.iter().map(|load| &agenda.loads[*load]) {
            if load.seconds() > length {
                alone = true;
                out.push(Scope::Backup(load.backup), lone(context, load, &opening));
            }
        }
        let crowd = opening.busiest.filter(|(_, seconds, _)| *seconds > length);
        if let Some(busiest) = crowd.filter(|_| !alone) {
            let first = agenda.loads[opening.ends.1].backup;
            let finding = together(context, agenda, &opening, busiest);
            out.push(Scope::Backup(first), finding);
        }
    }
}

/// One run that is too long for the window by itself.
fn lone(context: &Context<'_>, load: &Load, opening: &Opening) -> Diagnostic {
    let plan = context.plan;
    let backup = &plan.backups[load.backup.index()];
    let window = plan.window(opening.window);
    let (bytes, seconds) = (load.bytes(), load.seconds());
    let pace = load
        .pace
        .as_ref()
        .filter(|pace| bytes / pace.rate >= seconds);
    let message = format!(
        "{} moves {} {}: {}; window {} lasts {}",
        run_name(plan, load),
        amount(bytes),
        at_words(plan, pace, bytes / seconds),
        lasting(seconds),
        window_words(window),
        open_words(context, opening),
    );
    let take = &backup.takes[load.take];
    let mut finding = Diagnostic::new(RULE.code, message, take.span, "cannot fit its window")
        .related("the window is declared here", window.span, "")
        .subject(run_name(plan, load));
    finding.proof = Some(proof(opening.opens.1, seconds, "the run"));
    repaired(context, finding, load, pace, opening.opens.1)
}

/// The rate that would do, as an edit where a throttle is all that stands in the way.
fn repaired(
    context: &Context<'_>,
    finding: Diagnostic,
    load: &Load,
    pace: Option<&Pace>,
    length: f64,
) -> Diagnostic {
    let needed = load.rate_for(length);
    let backup = &context.plan.backups[load.backup.index()];
    let agenda = context.agenda.as_ref();
    let way = agenda.map(|agenda| Way {
        plan: context.plan,
        known: context.known,
        calendar: agenda.calendar(),
    });
    let others = way.and_then(|way| way.beside_throttles(backup));
    let open = others.is_none_or(|rate| rate >= needed);
    match pace.map(|pace| &pace.limit) {
        Some(Limit::Throttle(place)) if open => {
            let rate = rate_at_least(needed);
            let help = format!("raise the throttle to {rate}, widen the window, or split it");
            let finding = finding.help(help);
            if is_quantity(context.sources, *place) {
                finding.fix(false, *place, rate)
            } else {
                finding
            }
        }
        _ => finding.help(format!(
            "let the window last at least {}, or split the backup",
            lasting(load.seconds())
        )),
    }
}

/// All runs of a window, over what they keep busy longest.
fn together(
    context: &Context<'_>,
    agenda: &Agenda<'_>,
    opening: &Opening,
    (resource, seconds, bytes): (Resource, f64, f64),
) -> Diagnostic {
    let plan = context.plan;
    let window = plan.window(opening.window);
    let what = match resource {
        Resource::Device(id) => format!("over {}", plan.device(id).name),
        Resource::Disk(disk) => {
            let (host, disk) = agenda.disks.name(disk);
            format!("from disk {disk} of {host}")
        }
    };
    let (count, moved) = (opening.loads.len(), amount(bytes));
    let message = format!(
        "{count} runs move {moved} {what}: {}; window {} lasts {}",
        lasting(seconds),
        window_words(window),
        open_words(context, opening),
    );
    let last = &agenda.loads[opening.ends.1];
    let backup = &plan.backups[last.backup.index()];
    let span = backup.takes[last.take].span;
    let mut finding = Diagnostic::new(RULE.code, message, span, "among the runs of the window")
        .related("the window is declared here", window.span, "")
        .subject(format!("{}:{what}", window.name))
        .help(format!(
            "let the window last at least {}, or move some of the runs to another window or device",
            lasting(seconds)
        ));
    finding.proof = Some(proof(opening.opens.1, seconds, "all runs"));
    finding
}

fn proof(limit: f64, found: f64, term: &str) -> Proof {
    Proof {
        claim: "window".to_owned(),
        loss: String::new(),
        limit,
        found,
        terms: vec![(term.to_owned(), found)],
    }
}

/// `at 400 MiB/s to near`
fn at_words(plan: &ResolvedPlan, pace: Option<&Pace>, rate: f64) -> String {
    match pace {
        Some(pace) => format!(
            "at {}{}",
            BytesPerSecond(pace.rate),
            through_words(plan, &pace.limit)
        ),
        None => format!("at {} from its disks", BytesPerSecond(rate)),
    }
}

/// `4h 30min`, or `3h 30min on 2026-03-29` when the clocks change while it is open.
fn open_words(context: &Context<'_>, opening: &Opening) -> String {
    let (opens, length) = opening.opens;
    let window = context.plan.window(opening.window);
    let by_clock = window.seconds();
    let lasts = lasting(length);
    match &context.agenda {
        Some(agenda) if (by_clock - length).abs() > 1.0 => {
            format!("{lasts} on {}", agenda.calendar().date(opens))
        }
        _ => lasts.to_string(),
    }
}

/// `night (01:00..05:30)`
pub(super) fn window_words(window: &Window) -> String {
    let time = |time: jiff::civil::Time| time.strftime("%H:%M").to_string();
    let (from, until) = (time(window.from), time(window.until));
    format!("`{}` ({from}..{until})", window.name)
}
