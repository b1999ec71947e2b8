//! P0407: a run takes longer than the time until the next one.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::check::context::Context;
use crate::check::edit::{quantity_after, word_after};
use crate::check::found::{Found, Scope};
use crate::check::rule::Rule;
use crate::check::rules::example::notes;
use crate::check::words::{lasting, method_word, run_name, span_at_least};
use crate::diagnostic::{Code, Diagnostic, Proof, Severity};
use crate::estimate::Agenda;
use crate::estimate::load::Load;
use crate::quantity::Duration;
use crate::resolve::plan::{BackupId, Every};

pub(super) static RULE: Rule = Rule {
    code: Code(407),
    name: "next-run-before-last-ends",
    level: Severity::Error,
    allowable: true,
    summary: "the next run of a job starts before the last one ends",
    explanation: "What a run moves takes longer than the time until the next run of the same job, so that runs \
        queue up without end and every copy is older than the plan says. Run it less often, \
        copy less with each run, or use faster disks and devices.",
    bad: notes!(
        "\
assume {
  size 900 GiB
}
objectives of notes {
  rpo 1d for loss of disk
}
backup hourly of service notes {
  physical full every 1h
  store on near
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
  rpo 1d for loss of disk
}
backup hourly of service notes {
  physical full every 3h
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
    let mut starts: BTreeMap<BackupId, Vec<Timestamp>> = BTreeMap::new();
    for (load, slots) in agenda.loads.iter().zip(&agenda.slots) {
        let starts = starts.entry(load.backup).or_default();
        starts.extend(slots.iter().map(|slot| slot.start));
    }
    for starts in starts.values_mut() {
        starts.sort_unstable();
        starts.dedup();
    }
    for (at, load) in agenda.loads.iter().enumerate() {
        let gap = starts
            .get(&load.backup)
            .and_then(|all| gap(agenda, at, all));
        if let Some(gap) = gap.filter(|gap| load.seconds() > *gap) {
            out.push(Scope::Backup(load.backup), finding(context, load, gap));
        }
    }
}

/// Seconds from a run of this load to the next run of its job, at least.
fn gap(agenda: &Agenda<'_>, load: usize, starts: &[Timestamp]) -> Option<f64> {
    let slots = agenda.slots.get(load)?.iter();
    let gaps = slots.filter_map(|slot| {
        let next = starts.get(starts.partition_point(|start| *start <= slot.start))?;
        Some(next.duration_since(slot.start).as_secs_f64())
    });
    gaps.reduce(f64::min)
}

fn finding(context: &Context<'_>, load: &Load, gap: f64) -> Diagnostic {
    let plan = context.plan;
    let take = &plan.backups[load.backup.index()].takes[load.take];
    let seconds = load.seconds();
    let message = format!(
        "{} takes about {}, and the next run starts after {}",
        run_name(plan, load),
        lasting(seconds),
        lasting(gap),
    );
    let mut finding = Diagnostic::new(RULE.code, message, take.span, "runs queue up")
        .subject(run_name(plan, load));
    finding.proof = Some(Proof {
        claim: "time between runs".to_owned(),
        loss: String::new(),
        limit: gap,
        found: seconds,
        terms: vec![(method_word(take.method).to_owned(), seconds)],
    });
    let span = span_at_least(seconds);
    let place = match &take.schedule.every {
        Every::Interval(length, None) if *length < Duration::from_secs(86_400) => {
            quantity_after(context.sources, take.span, "every ")
        }
        Every::Hour => word_after(context.sources, take.span, "every "),
        _ => return finding.help("run it less often, or copy less with each run"),
    };
    let finding = finding.help(format!("`every {span}`, or copy less with each run"));
    match place {
        Some(place) => finding.fix(false, place, span),
        None => finding,
    }
}
